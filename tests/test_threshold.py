"""Thresholds compared with scikit-image and their definition; outlines compared with an erosion."""

import math

import numpy as np
import pytest
import torch
from edge_oracle import soft
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracle import picture
from scipy import ndimage
from skimage import filters

import edgekit as ek

GLOBAL = ("otsu", "li", "triangle")
METHODS = (*GLOBAL, "adaptive")
WEIGHTS = np.array([0.299, 0.587, 0.114])
CROSS = ndimage.generate_binary_structure(2, 1)


def two_tones(dtype="uint8", size=(45, 52), seed=0):
    """Return dark shapes and bright ones, with noise."""
    noise = np.random.default_rng(seed).normal(0, 12, size)
    levels = np.clip(60 + 0.45 * soft(size, seed) + noise, 0, 255)
    return np.rint(levels * {"uint16": 257}.get(dtype, 1)).astype(dtype)


def level_of(array, method, size=35):
    if method == "adaptive":
        return filters.threshold_local(array.astype(float), size)
    return getattr(filters, f"threshold_{method}")(array)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("method", METHODS)
def test_thresholds_equal_skimage(method, dtype, kind):
    for seed in range(3):
        array = two_tones(dtype, seed=seed)
        found = ek.threshold(kind.image(array), method)
        assert kind.dtype(found) == "bool"
        np.testing.assert_array_equal(kind.plain(found), array > level_of(array, method))


@pytest.mark.parametrize("size", [3, 11, 51])
def test_adaptive_threshold_size(size, kind):
    array = two_tones()
    found = kind.plain(ek.threshold(kind.image(array), "adaptive", size=size))
    np.testing.assert_array_equal(found, array > level_of(array, "adaptive", size))


@pytest.mark.parametrize("method", METHODS)
def test_levels_are_equal_for_all_integer_types(method, kind):
    array = two_tones()
    expected = array > level_of(array, method)
    for dtype in ("uint16", "int16"):
        np.testing.assert_array_equal(kind.plain(ek.threshold(kind.image(array.astype(dtype)), method)), expected)
    lower = array.astype(np.int16) - 200
    np.testing.assert_array_equal(kind.plain(ek.threshold(kind.image(lower), method)), expected)


def between_classes(values, level):
    """Return Otsu's between-class variance."""
    bright = values > level
    return bright.mean() * (~bright).mean() * (values[bright].mean() - values[~bright].mean()) ** 2


@pytest.mark.parametrize("dtype", ["int32", "float16", "float32", "float64"])
def test_otsu_maximizes_between_class_variance(dtype, kind):
    for seed in range(3):
        array = (two_tones(seed=seed).astype(float) * {"int32": 7000}.get(dtype, 1 / 255)).astype(dtype)
        found = kind.plain(ek.threshold(kind.image(array), "otsu"))
        values = array.astype(float)
        level = values[~found].max()
        assert values[found].min() > level
        best = max(between_classes(values, v) for v in np.unique(values)[:-1])
        # A histogram of 256 bins may miss the best level by the width of one.
        assert between_classes(values, level) >= 0.999 * best


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("method", METHODS)
def test_level_of_floats_is_accurate_to_one_bin(method, dtype, kind):
    array = (two_tones() / 255 + 0.5).astype(dtype)
    wide = array.astype(float)
    found = kind.plain(ek.threshold(kind.image(array), method))
    level = level_of(wide, method)
    clear = np.abs(wide - level) > np.ptp(wide) / 256
    np.testing.assert_array_equal(found[clear], (wide > level)[clear])


@pytest.mark.parametrize(
    ("dtype", "power"), [("float32", 100), ("float32", -100), ("float64", 1015), ("float64", -990)]
)
@pytest.mark.parametrize("method", METHODS)
def test_thresholds_of_very_large_and_small_floats(method, dtype, power, kind):
    # Negative values too: the range itself is twice as large.
    array = (two_tones() / 128 - 1).astype(dtype)
    expected = kind.plain(ek.threshold(kind.image(array), method))
    assert 0.1 < expected.mean() < 0.9
    found = ek.threshold(kind.image(np.ldexp(array, power)), method)
    np.testing.assert_array_equal(kind.plain(found), expected)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float16", "float32", "float64"])
def test_method_as_a_number_is_the_level(dtype, kind):
    for array in (picture(dtype), picture(dtype, (9, 8, 1))):
        for level in (0, 0.25, -3, 100):
            found = kind.plain(ek.threshold(kind.image(array), level))
            np.testing.assert_array_equal(found.reshape(array.shape), array > level)


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_images_are_thresholded_by_luminance(channels, kind):
    array = picture("float64", (14, 15, channels))
    gray = array[..., :3] @ WEIGHTS
    found = ek.threshold(kind.image(array), 0.1)
    assert tuple(found.shape) == ((1, 14, 15) if kind.is_torch else (14, 15))
    np.testing.assert_array_equal(kind.plain(found).reshape(14, 15), gray > 0.1)
    found, expected = kind.plain(ek.threshold(kind.image(array))), kind.plain(ek.threshold(kind.image(gray)))
    np.testing.assert_array_equal(found.reshape(14, 15), expected)
    colour = np.stack([two_tones(seed=s) for s in range(channels)], 2)
    rounded = np.rint(colour[..., :3] @ WEIGHTS).astype(np.uint8)
    found = kind.plain(ek.threshold(kind.image(colour))).reshape(rounded.shape)
    np.testing.assert_array_equal(found, rounded > level_of(rounded, "otsu"))


def test_channel_each_and_max(kind):
    array = np.stack([two_tones(seed=s) for s in range(5)], 2)
    each = kind.plain(ek.threshold(kind.image(array), channel="each"), channels=True)
    expected = np.stack([array[..., c] > level_of(array[..., c], "otsu") for c in range(5)], 2)
    np.testing.assert_array_equal(each, expected)
    largest = kind.plain(ek.threshold(kind.image(array), 130, channel="max"))
    np.testing.assert_array_equal(largest.reshape(array.shape[:2]), array.max(2) > 130)


@pytest.mark.parametrize("method", METHODS)
def test_planes_of_a_batch_are_thresholded_separately(method):
    arrays = np.stack([two_tones(seed=s) >> s for s in range(6)])
    found = ek.threshold(torch.from_numpy(arrays.reshape(3, 2, 1, 45, 52)), method)
    assert found.shape == (3, 2, 1, 45, 52)
    for plane, array in zip(found.reshape(arrays.shape), arrays, strict=True):
        np.testing.assert_array_equal(plane.numpy(), array > level_of(array, method))


@pytest.mark.parametrize("level", [0, 1, 0.3, 200, 60000])
@pytest.mark.parametrize("method", METHODS)
def test_masks_of_constant_images_are_all_false(method, level, kind):
    for dtype in ("uint8", "uint16", "float32", "float64"):
        for size in ((1, 1), (1, 9), (9, 1), (20, 17)):
            array = np.full(size, level % 256 if dtype == "uint8" else level).astype(dtype)
            found = kind.plain(ek.threshold(kind.image(array), method))
            assert found.shape == size
            assert not found.any()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("method", [*METHODS, 0.4])
def test_non_finite_pixels_are_false_and_ignored(method, value, kind):
    y, x = np.mgrid[:40, :50]
    # A valley: its surroundings are brighter than any of its pixels.
    array = ((x - 25) ** 2 + (y - 20) ** 2) / 1000
    holed = array.copy()
    holed[10:20, 20:30] = value
    known = np.isfinite(holed)
    found = kind.plain(ek.threshold(kind.image(holed), method))
    assert not found[~known].any()
    if method == "adaptive":
        assert not (found & ~kind.plain(ek.threshold(kind.image(array), method))).any()
    elif method == 0.4:
        np.testing.assert_array_equal(found[known], array[known] > 0.4)
    else:
        # Equal to the result for an image of the finite pixels alone.
        np.testing.assert_array_equal(found[known], kind.plain(ek.threshold(kind.image(holed[known][None]), method))[0])
    assert not kind.plain(ek.threshold(kind.image(np.full((5, 6), value)), method)).any()


@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5), np.int64(0)])
def test_numpy_scalars_as_level(number):
    image = picture("float64")
    np.testing.assert_array_equal(ek.threshold(image, number), image > float(number))


@settings(deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=3, max_side=7), elements=st.booleans()))
def test_outline_equals_mask_minus_erosion(mask):
    planes = mask.reshape(*mask.shape[:2], -1)
    expected = [p & ~ndimage.binary_erosion(p, CROSS, border_value=1) for p in np.moveaxis(planes, 2, 0)]
    found = ek.outline(mask, channel_axis=-1 if mask.ndim == 3 else None)
    np.testing.assert_array_equal(found, np.stack(expected, 2).reshape(mask.shape))


def test_outline_of_all_array_kinds(kind):
    mask = np.random.default_rng(1).random((20, 23, 3)) > 0.2
    found = ek.outline(kind.image(mask))
    assert kind.dtype(found) == "bool"
    np.testing.assert_array_equal(kind.plain(found, channels=True), ek.outline(mask))
    for size in ((1, 1), (1, 7), (7, 1)):
        assert not kind.plain(ek.outline(kind.image(np.ones(size, bool)))).any()


def test_outline_of_a_batch():
    masks = np.random.default_rng(2).random((2, 3, 12, 13)) > 0.3
    found = ek.outline(torch.from_numpy(masks)).numpy()
    for plane, mask in zip(found.reshape(6, 12, 13), masks.reshape(6, 12, 13), strict=True):
        np.testing.assert_array_equal(plane, mask & ~ndimage.binary_erosion(mask, CROSS, border_value=1))


def test_inputs_are_not_modified(kind):
    image, mask = kind.image(two_tones()), kind.image(two_tones() > 100)
    for method in METHODS:
        ek.threshold(image, method)
    ek.outline(mask)
    np.testing.assert_array_equal(kind.plain(image), two_tones())
    np.testing.assert_array_equal(kind.plain(mask), two_tones() > 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "mean"}, "method='mean' must be a number or one of otsu, li, triangle, adaptive"),
        ({"method": True}, "method=True must be a number"),
        ({"method": None}, "method=None must be a number"),
        ({"method": [3]}, r"method=\[3\] must be a number"),
        ({"size": 4}, "size=4 must be an odd number of pixels, from 3 to 10000"),
        ({"size": 1}, "size=1 must be an odd number"),
        ({"size": 5.0}, "size=5.0 must be an odd number"),
        ({"size": True}, "size=True must be an odd number"),
        ({"channel": "dizenzo"}, "channel='dizenzo' is not known; choose one of luminance, each, max"),
        ({"channel": "gray"}, "channel='gray' is not known"),
    ],
)
def test_wrong_option(options, message, kind):
    with pytest.raises(ek.ParameterError, match=message):
        ek.threshold(kind.image(picture("uint8", (9, 8, 3))), **options)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ([[1, 2]], ek.DtypeError, "found list"),
        (np.zeros(5), ek.ShapeError, r"found \(5,\)"),
        (np.zeros((0, 5)), ek.ShapeError, "no pixels"),
        (np.zeros((5, 5), complex), ek.DtypeError, "found complex128"),
        (np.zeros((5, 5, 2)), ek.ShapeError, "channels; found 2"),
        (torch.zeros(5), ek.ShapeError, r"found \(5,\)"),
    ],
)
def test_wrong_image(image, error, message):
    with pytest.raises(error, match=message):
        ek.threshold(image)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ([[True]], ek.DtypeError, "found list"),
        (np.zeros((5, 6), np.uint8), ek.DtypeError, "mask of type bool; found uint8. Make one with threshold"),
        (np.zeros((5, 6)), ek.DtypeError, "found float64"),
        (np.zeros((5, 6), complex), ek.DtypeError, "found complex128"),
        (torch.zeros(5, 6), ek.DtypeError, "found torch.float32"),
        (np.zeros(5, bool), ek.ShapeError, r"found \(5,\)"),
        (np.zeros((2, 3, 4, 5), bool), ek.ShapeError, r"found \(2, 3, 4, 5\)"),
        (np.zeros((0, 5), bool), ek.ShapeError, "no pixels"),
        (np.zeros((5, 5, 0), bool), ek.ShapeError, "no pixels"),
        (torch.zeros(5, dtype=torch.bool), ek.ShapeError, r"found \(5,\)"),
    ],
)
def test_wrong_mask(mask, error, message):
    with pytest.raises(error, match=message):
        ek.outline(mask)
