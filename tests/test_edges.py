"""Thin edges, compared with OpenCV, scikit-image, formulas and plain implementations."""

import math
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from edge_oracle import automatic, crossings, disc, flood, is_thin, maxima, pictures, share_near, soft, thinned, tops
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracle import gaussian_derivative
from scipy import ndimage
from skimage import feature

import edgekit as ek
from edgekit.edges.thinning import suppress

SAMPLES = Path(__file__).parents[1] / "samples"
PHOTOGRAPHS = ("camera", "chelsea", "coffee", "coffee-dark", "chart")
LIKE_OPENCV = {"sigma": 0, "scale": "raw", "border": "edge", "interpolate": False}
THRESHOLD = st.floats(0, 1500)
SIZES = ((1, 1), (1, 9), (9, 1), (2, 2), (2, 3), (3, 3))
DTYPES = ("bool", "uint8", "uint16", "int16", "int32", "float16", "float32", "float64")


def photograph(name, rows=slice(90, 218), columns=slice(120, 280)):
    image = ek.read_image(SAMPLES / f"{name}.png")
    return np.ascontiguousarray((image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[rows, columns])


def opencv(image, low, high):
    return cv2.Canny(image, low, high, L2gradient=True) > 0


FINDERS = {
    "canny": ek.canny,
    "sobel": lambda image: ek.canny(image, sigma=0),
    "percentiles": lambda image: ek.canny(image, sigma=1.0, low="60%", high="90%"),
    "opencv": lambda image: ek.canny(image, interpolate=False),
    "zero_crossings": lambda image: ek.zero_crossings(image) > 0,
}
finders = pytest.mark.parametrize("finder", FINDERS.values(), ids=FINDERS)


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 1.5), (33.3, 77.7), (100, 100), (50, 300)])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_canny_of_photographs_equals_opencv(name, low, high):
    gray = photograph(name, slice(None), slice(None))
    np.testing.assert_array_equal(ek.canny(gray, low=low, high=high, **LIKE_OPENCV), opencv(gray, low, high))


@pytest.mark.parametrize("levels", [2, 6, 256])
@pytest.mark.parametrize("size", [*SIZES, (64, 50)])
def test_canny_of_noise_equals_opencv(size, levels, kind):
    # With few levels, many neighbours are equal.
    gray = np.random.default_rng(levels).integers(0, levels, size, np.uint8)
    for low, high in ((0, 0), (1, 3), (levels / 2, 1.5 * levels)):
        found = kind.plain(ek.canny(kind.image(gray), low=low, high=high, **LIKE_OPENCV))
        np.testing.assert_array_equal(found, opencv(gray, low, high))


@settings(deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)), st.tuples(THRESHOLD, THRESHOLD))
def test_canny_of_random_arrays_equals_opencv(gray, thresholds):
    low, high = sorted(thresholds)
    np.testing.assert_array_equal(ek.canny(gray, low=low, high=high, **LIKE_OPENCV), opencv(gray, low, high))


@pytest.mark.parametrize("sigma", [1, 1.4, 2, 3])
@pytest.mark.parametrize("name", ["camera", "chelsea", "coffee"])
def test_canny_is_near_that_of_scikit_image(name, sigma):
    image = photograph(name, slice(None), slice(None)) / 255
    # scikit-image applies Sobel, raw (8 per unit), after the Gaussian. It smooths by a variance of 1/2 along
    # the edge and 1/3 across it. Each result is compared with one of a tenth lower thresholds, because the
    # two still differ near the thresholds.
    same = math.sqrt(sigma**2 + 5 / 12)
    high = np.quantile(ek.gaussian_gradient(image, sigma=same), 0.95)
    inner = (slice(4, -4), slice(4, -4))
    found, more = (ek.canny(image, sigma=same, low=0.4 * h, high=h)[inner] for h in (high, 0.9 * high))
    theirs, more_of_theirs = (
        feature.canny(image, sigma, 3.2 * h, 8 * h, mode="reflect")[inner] for h in (high, 0.9 * high)
    )
    # Measured: at least 0.983.
    assert share_near(found, more_of_theirs) >= 0.975
    assert share_near(theirs, more) >= 0.975


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("interpolate", [True, False])
def test_suppress_equals_a_plain_implementation(interpolate, levels, kind):
    rng = np.random.default_rng(1)
    for size in (*SIZES, (23, 31)):
        if levels:
            # Equal neighbours, and directions through pixel centres: rounding has no effect.
            strength, gx, gy = rng.integers(0, levels, size), *rng.integers(-1, 2, (2, *size))
        else:
            strength, (gx, gy) = rng.random(size), rng.normal(size=(2, *size))
        strength, gx, gy = (a.astype(float) for a in (strength, gx, gy))
        found = kind.plain(suppress(*map(kind.image, (strength, gx, gy)), interpolate=interpolate))
        np.testing.assert_array_equal(found, maxima(strength, gx, gy, nearest=not interpolate))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nonmax_suppress_and_subpixel_offsets(dtype, kind):
    rng = np.random.default_rng(2)
    for size in (*SIZES, (23, 31)):
        strength = rng.random(size).astype(dtype)
        direction = (360 * rng.random(size)).astype(dtype)
        gx, gy = np.cos(np.deg2rad(direction)), np.sin(np.deg2rad(direction))
        thin, offset = ek.nonmax_suppress(kind.image(strength), kind.image(direction), subpixel=True)
        assert kind.dtype(thin) == kind.dtype(offset) == dtype
        thin, offset = kind.plain(thin), kind.plain(offset)
        np.testing.assert_array_equal(thin, thinned(maxima(strength, gx, gy)))
        expected = np.where(thin > 0, tops(strength.astype(float), gx, gy), np.nan)
        np.testing.assert_allclose(offset, expected, atol=1e-4 if dtype == "float32" else 1e-9)
        # A maximum is at most half a diagonal from its pixel.
        assert not (np.abs(offset) > math.sqrt(0.5) + 1e-6).any()
        opposite = kind.plain(ek.nonmax_suppress(kind.image(strength), kind.image((direction + 180) % 360)))
        np.testing.assert_array_equal(opposite > 0, thin > 0)


def test_nan_and_pixels_outside_have_no_strength(kind):
    strength = kind.image(np.array([[np.nan, 1, 2, np.nan, 3]]))
    thin = ek.nonmax_suppress(strength, kind.image(np.array([[0, 0, 180, np.nan, 0.0]])))
    np.testing.assert_array_equal(kind.plain(thin), [[0, 0, 2, 0, 3]])


@settings(deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3)))
def test_hysteresis_equals_a_flood_fill(strength):
    for low, high in ((0, 0), (0, 1), (1, 2), (0, 2), (3, 3)):
        np.testing.assert_array_equal(ek.hysteresis(strength, low, high), flood(strength > low, strength > high))


def test_hysteresis_of_channels_and_threshold_arrays(kind):
    strength = np.random.default_rng(3).random((30, 33, 3))
    found = kind.plain(ek.hysteresis(kind.image(strength), 0.55, 0.9), channels=True)
    for c in range(3):
        np.testing.assert_array_equal(found[..., c], flood(strength[..., c] > 0.55, strength[..., c] > 0.9))
    low = kind.image(np.linspace(0.5, 0.9, 33)[None].repeat(30, 0))
    plane = kind.image(strength[..., 0])
    expected = flood(strength[..., 0] > np.linspace(0.5, 0.9, 33), strength[..., 0] > 0.95)
    np.testing.assert_array_equal(kind.plain(ek.hysteresis(plane, low, 0.95)), expected)


@pytest.mark.parametrize("size", [*SIZES, (40, 37)])
def test_zero_crossings_equal_a_plain_implementation(size, kind):
    for image in (np.random.default_rng(4).integers(0, 256, size, np.uint8), np.indices(size).sum(0) % 2 / 2):
        for sigma in (0.5, 2.0):
            response = kind.plain(ek.laplacian(kind.image(image), sigma=sigma))
            found = kind.plain(ek.zero_crossings(kind.image(image), sigma=sigma))
            np.testing.assert_allclose(found, thinned(crossings(response)), rtol=1e-6)


def test_zero_crossings_at_a_pixel(kind):
    # At σ 0.3 and unit scale the kernel is 1, -2, 1. The response around the middle of this step is 1, 0, -1.
    image = np.tile(np.repeat([-1.0, 0, 1], [10, 1, 10]), (9, 1))
    found = kind.plain(ek.zero_crossings(kind.image(image), sigma=0.3))
    np.testing.assert_allclose(found, np.tile(np.arange(21) == 10, (9, 1)), rtol=1e-12)


@pytest.mark.parametrize("name", [*pictures(), *PHOTOGRAPHS])
def test_lines_are_one_pixel_wide(name):
    image = pictures().get(name) if name in pictures() else photograph(name)
    for sigma in (0, 1, 2):
        assert is_thin(ek.canny(image, sigma=sigma, low=0, high=0))
        assert is_thin(ek.canny(image, sigma=sigma))
    assert is_thin(ek.zero_crossings(image, sigma=0.7))
    assert is_thin(ek.zero_crossings(image))
    gradient = ek.gradient(image)
    assert is_thin(ek.nonmax_suppress(gradient.magnitude, gradient.direction))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (40, 200), (200, 40)])
@pytest.mark.parametrize("sigma", [1, 1.4, 2])
@pytest.mark.parametrize("radius", [10, 25.4, 40])
def test_position_of_the_edge_of_a_disc(radius, sigma, low, high):
    size = round(2 * radius) + 24
    for x, y in ((size / 2, size / 2), (size / 2 + 0.25, size / 2 - 0.3), (size / 2 - 0.1, size / 2 + 0.45)):
        image = disc(radius, x, y, size, low, high)
        gradient = ek.gradient(image, operator="gaussian", sigma=sigma)
        thin, offset = ek.nonmax_suppress(gradient.magnitude, gradient.direction, subpixel=True)
        rim = thin > thin.max() / 3
        # A closed digital circle of such a radius has 4·√2·r pixels, on average.
        assert rim.sum() == pytest.approx(4 * math.sqrt(2) * radius, rel=0.05)
        assert ndimage.label(rim, np.ones((3, 3)))[1] == 1
        assert ndimage.binary_fill_holes(rim)[round(y), round(x)]
        rows, columns = np.nonzero(rim)
        along = np.deg2rad(gradient.direction[rim])
        found = np.hypot(columns + offset[rim] * np.cos(along) - x, rows + offset[rim] * np.sin(along) - y)
        # Smoothing moves a curved edge inward, by T²/2r. The pixels have a variance of 1/12.
        inward = (sigma**2 + 1 / 12) / (2 * radius)
        assert np.abs(found - radius + inward).max() <= (0.06 if sigma < 1.4 else 0.03)
        np.testing.assert_array_equal(ek.canny(image, sigma=sigma), rim)


@pytest.mark.parametrize("sigma", [0, 0.8, 1.4, 2.5])
@pytest.mark.parametrize("height", [3.0, -90.0])
def test_threshold_of_a_step_is_its_magnitude(height, sigma, kind):
    step = np.where(np.arange(40) < 20, 100.0, 100 + height)
    slope = gaussian_derivative(sigma) if sigma else np.array([-0.5, 0, 0.5])
    reach = len(slope) // 2
    magnitude = abs(height) * slope[reach + 1 :].sum() / (slope * np.arange(-reach, reach + 1)).sum()
    find = partial(ek.canny, sigma=sigma, low=0)
    for image in (np.tile(step, (33, 1)), np.tile(step[:, None], (1, 33))):
        above, below = (kind.plain(find(kind.image(image), high=magnitude * k)) for k in (1.001, 0.999))
        assert not above.any()
        axis = int(image[0, 0] == image[0, -1])
        # Both pixels at the step have the same gradient: the first is kept.
        assert (np.flatnonzero(below.all(axis)) == 19).all()
        assert below.sum() == 33


@finders
def test_all_dtypes_have_the_same_edges(finder, kind):
    for dtype in DTYPES:
        image = soft() > 127 if dtype == "bool" else soft()
        expected = finder(image.astype(np.float64))
        assert expected.any()
        before = image.astype(dtype)
        given = kind.image(before)
        found = finder(given)
        assert kind.dtype(found) == "bool"
        if dtype == "bool":
            # Both pixels at a step have the same gradient except for rounding, which depends on the dtype.
            assert min(share_near(kind.plain(found), expected), share_near(expected, kind.plain(found))) >= 0.99
        else:
            np.testing.assert_array_equal(kind.plain(found), expected)
        np.testing.assert_array_equal(kind.plain(given), before)


@finders
def test_batch_results_equal_single_plane_results(finder):
    arrays = np.stack([soft(seed=s) * (s + 1) for s in range(6)])
    found = finder(torch.from_numpy(arrays.reshape(3, 2, 1, 40, 52)))
    assert found.shape == (3, 2, 1, 40, 52)
    for plane, array in zip(found.reshape(6, 40, 52), arrays, strict=True):
        np.testing.assert_array_equal(plane.numpy(), finder(array))


@pytest.mark.parametrize("dtype", DTYPES)
@finders
def test_constant_images_have_no_edges(finder, dtype, kind):
    for size in (*SIZES, (20, 17)):
        found = finder(kind.image(np.full(size, 0.3 if "float" in dtype else 1, dtype)))
        assert tuple(found.shape) == size
        assert not kind.plain(found).any()
    for thresholds in ({"low": 0, "high": 0}, {"low": 2, "high": "90%"}, {"low": "90%"}, {"high": 0}):
        assert not kind.plain(ek.canny(kind.image(np.ones((9, 9), dtype)), **thresholds)).any()


@finders
def test_shapes_of_edges_of_tiny_images(finder, kind):
    for size in ((1, 15), (15, 1), (1, 1), (2, 3)):
        image = np.zeros(size)
        image[0, 0] = 1
        assert tuple(finder(kind.image(image)).shape) == size


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("finder", [partial(ek.canny, low=1e-4, high=1e-3), ek.canny, ek.zero_crossings])
def test_invalid_pixels_make_no_edges(finder, value, kind):
    y, x = np.mgrid[:64, :90] / 64
    for image in (np.full((64, 90), 0.7), x**2, (x - 1) ** 2 + y**2, (x > 1.2) + 0.3):
        holed = image.copy()
        holed[25:40, 30:45] = value
        clean, found = (kind.plain(finder(kind.image(i))) > 0 for i in (image, holed))
        assert not (found & ~clean).any()
        assert found[:, 60:].sum() == clean[:, 60:].sum()
    assert not kind.plain(finder(kind.image(np.full((9, 9), value)))).any()


@pytest.mark.parametrize("thresholds", [{}, {"high": "90%"}, {"low": "70%"}])
def test_automatic_thresholds_use_only_valid_pixels(thresholds, kind):
    valid = np.indices((64, 64))[1] < 32
    for image in (soft((64, 64)), photograph("camera")[:64, :64].astype(float)):
        # The kernel of σ 1 has a radius of four pixels: the gradient is valid in the first 28 of 32 columns.
        known = ek.gaussian_gradient(image, sigma=1.0)[:, :28]
        if thresholds:
            high = {"high": np.quantile(known, 0.9), "low": np.quantile(known, 0.7) / 0.4}[next(iter(thresholds))]
            levels = {"low": 0.4 * high, "high": high}
        else:
            gradient = ek.gradient(image, operator="gaussian", sigma=1.0, mask=valid)
            levels = automatic(gradient.gx, gradient.gy)
        masked = {"sigma": 1.0, "mask": kind.image(valid)}
        found, expected = (kind.plain(ek.canny(kind.image(image), **masked, **t)) for t in (thresholds, levels))
        assert expected.any()
        assert not expected[:, 28:].any()
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("dtype", "power"),
    [("float16", 8), ("float16", -6), ("float32", 100), ("float32", -100), ("float64", 990), ("float64", -990)],
)
@finders
def test_factors_of_powers_of_two_change_no_edges(finder, dtype, power, kind):
    image = (soft() / 255).astype(dtype)
    # Scaling by powers of two is exact.
    found = kind.plain(finder(kind.image(np.ldexp(image, power))))
    np.testing.assert_array_equal(found, kind.plain(finder(kind.image(image))))


@pytest.mark.parametrize("factor", [0.25, 3.7, 1000])
def test_thresholds_are_in_levels_per_pixel(factor, kind):
    image = photograph("camera").astype(float)
    expected = kind.plain(ek.canny(kind.image(image), low=3, high=8))
    assert 0.01 < expected.mean() < 0.1
    found = ek.canny(kind.image(image * factor), low=3 * factor, high=8 * factor)
    np.testing.assert_array_equal(kind.plain(found), expected)
    for options in ({}, {"low": "70%"}, {"high": "95%"}, {"low": "60%", "high": "90%"}):
        dim, bright = (kind.plain(ek.canny(kind.image(image * k), **options)) for k in (1, factor))
        np.testing.assert_array_equal(dim, bright)


def test_default_thresholds(kind):
    array = photograph("camera").astype(float)
    image, magnitude = kind.image(array), ek.gaussian_gradient(array, sigma=1.4)
    part = np.quantile(magnitude, 0.9)
    gradient = ek.gradient(array, operator="gaussian", sigma=1.4)
    for options, low, high in (
        ({}, *automatic(gradient.gx, gradient.gy).values()),
        ({"high": 8}, 3.2, 8),
        ({"low": 2}, 2, 5),
        ({"high": "90%"}, 0.4 * part, part),
        ({"low": "90%"}, part, part / 0.4),
        ({"low": 3, "high": "90%"}, 3, part),
    ):
        found, expected = (kind.plain(ek.canny(image, **o)) for o in (options, {"low": low, "high": high}))
        assert expected.any()
        np.testing.assert_array_equal(found, expected)


def test_edges_of_colours_for_each_channel_option(kind):
    step = np.full((24, 30, 3), 0.5)
    # The luminance of green decreases as much as that of red increases.
    step[:, 15:] += [0.3, -0.3 * 0.299 / 0.587, 0]
    for options, pixels in (({}, 0), ({"channel": "dizenzo"}, 24), ({"channel": "max"}, 24)):
        found = kind.plain(ek.canny(kind.image(step), low=0.01, high=0.02, **options))
        assert found.sum() == pixels
        assert found.ndim == (3 if kind.is_torch else 2)
    assert kind.plain(ek.canny(kind.image(step), low=0.01, high=0.02, channel="each")).sum() == 48
    assert kind.plain(ek.zero_crossings(kind.image(step))).max() < 1e-12


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ([[1, 2]], ek.DtypeError, "found list"),
        (np.zeros(5), ek.ShapeError, r"found \(5,\)"),
        (np.zeros((2, 3, 4, 5)), ek.ShapeError, r"found \(2, 3, 4, 5\)"),
        (np.zeros((0, 5)), ek.ShapeError, r"no pixels: its shape is \(0, 5\)"),
        (np.zeros((5, 5, 0)), ek.ShapeError, "no pixels"),
        (torch.zeros(5), ek.ShapeError, r"found \(5,\)"),
        (torch.zeros(2, 0, 5, 5), ek.ShapeError, "no pixels"),
        (np.ma.masked_array(np.zeros((5, 5))), ek.DtypeError, "pass image.data and mask=~image.mask"),
    ],
)
def test_invalid_images_are_refused(image, error, message):
    for function in (ek.canny, ek.zero_crossings, lambda i: ek.hysteresis(i, 0, 1), lambda i: ek.nonmax_suppress(i, i)):
        with pytest.raises(error, match=message):
            function(image)


def test_different_kinds_and_shapes_are_refused():
    for strength, direction, found in (
        (np.zeros((5, 6)), np.zeros((6, 5)), r"ndarray \(5, 6\) and ndarray \(6, 5\)"),
        (np.zeros((5, 6)), torch.zeros(5, 6), r"ndarray \(5, 6\) and Tensor \(5, 6\)"),
    ):
        with pytest.raises(ek.ShapeError, match=f"one kind and shape; found {found}"):
            ek.nonmax_suppress(strength, direction)


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (ek.canny, {"low": 2, "high": 1}, "low=2.0 must not be above high=1.0"),
        (ek.canny, {"low": "90"}, "threshold '90' must be a number, or a percentile such as '95%'"),
        (ek.canny, {"high": "x%"}, "threshold 'x%' must be a number"),
        (ek.canny, {"high": "101%"}, "threshold '101%' must be a number"),
        (ek.canny, {"high": "-1%"}, "threshold '-1%' must be a number"),
        (ek.canny, {"high": "nan%"}, "threshold 'nan%' must be a number"),
        (ek.canny, {"high": math.nan}, "low=nan must not be above high=nan"),
        (ek.canny, {"sigma": -1}, "sigma=-1 must be a positive"),
        (ek.canny, {"sigma": 0.05}, "sigma=0.05 is too small"),
        (ek.canny, {"border": "mirror"}, "border='mirror' is not known"),
        (ek.zero_crossings, {"sigma": 0}, "sigma=0 must be a positive"),
        (ek.zero_crossings, {"sigma": 0.2}, "sigma=0.2 is too small.*0.3 or more"),
        (ek.zero_crossings, {"channel": "dizenzo"}, "laplacian is not a gradient operator"),
        (ek.hysteresis, {"low": 2, "high": 1}, "low=2 must not be above high=1"),
        (ek.hysteresis, {"low": 0, "high": math.nan}, "high=nan"),
    ],
)
def test_invalid_options_are_refused(function, options, message, kind):
    with pytest.raises(ek.ParameterError, match=message):
        function(kind.image(soft()), **options)
