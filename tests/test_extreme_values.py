"""Extreme values of all types: the largest, the smallest, subnormal numbers, NaN and infinity.

No warnings (each warning fails a test here), no wrapping, no overflow or underflow of results that the type can hold.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from oracle import GRADIENTS, LAPLACIANS, RESULT, ROWS, correlate

import edgekit as ek
from edgekit.filters.apply import apply

INTEGERS = ("uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float16", "float32", "float64")
EXPONENTS = {"float32": (-140, -126, -80, -64, -30, 0, 40, 63, 64, 100, 122),
             "float64": (-1060, -1022, -600, -520, -256, 0, 256, 511, 513, 800, 1018)}  # fmt: skip
SIZED = [(dtype, exponent) for dtype, exponents in EXPONENTS.items() for exponent in exponents]


def by_id(row):
    return row.id


def extremes(dtype, shape=(9, 11)):
    """Return an image of extreme values: minimum, maximum, 0, 1 and the smallest floats."""
    rng = np.random.default_rng(5)
    if np.dtype(dtype).kind == "f":
        info = np.finfo(dtype)
        values = [info.min, info.max, 0, 1, info.tiny, -info.tiny, info.smallest_subnormal, info.max / 3]
    else:
        # Larger integers than double precision holds exactly are refused.
        info = np.iinfo(dtype)
        values = [max(info.min, 1 - 2**53), min(info.max, 2**53 - 1), 0, 1]
    return np.array(values, dtype)[rng.integers(0, len(values), shape)]


def whole(shape=(9, 11), seed=7, most=15):
    """Return integers as floats: products with powers of two are exact."""
    return np.random.default_rng(seed).integers(-most, most, shape).astype(np.float64)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_integer_extremes_do_not_wrap(row, dtype, kind):
    array = extremes(dtype)
    found = kind.plain(apply(kind.image(array), row.operator, row.parameters)).astype(np.float64)
    # The oracle converts to double precision first, as the filter does for wide types.
    expected = row.answer(array)
    bound = 64 * np.finfo(RESULT[dtype]).eps * float(np.abs(array.astype(np.float64)).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


@pytest.mark.parametrize(("dtype", "exponent"), SIZED)
@pytest.mark.parametrize("row", GRADIENTS, ids=by_id)
def test_magnitudes_scale_with_powers_of_two(row, dtype, exponent, kind):
    array = whole()
    usual = kind.plain(apply(kind.image(array.astype(dtype)), row.operator, row.parameters))
    found = kind.plain(apply(kind.image(np.ldexp(array, exponent).astype(dtype)), row.operator, row.parameters))
    assert (found.dtype, np.isfinite(found).all()) == (np.dtype(dtype), True)
    # Each of 49 products is rounded to a multiple of the smallest subnormal number.
    smallest = 49 * float(np.finfo(dtype).smallest_subnormal)
    np.testing.assert_allclose(np.ldexp(found.astype(np.longdouble), -exponent), usual,
                               rtol=4 * np.finfo(dtype).eps, atol=math.ldexp(smallest, -exponent))  # fmt: skip


@pytest.mark.parametrize("reach", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", [*GRADIENTS, *LAPLACIANS], ids=by_id)
def test_steps_of_the_largest_float(row, dtype, reach, kind):
    """Results that the type can hold are finite, although intermediate sums would overflow."""
    largest = float(np.finfo(dtype).max)
    step = np.zeros((9, 40))
    step[:, 20:] = 1
    expected = row.answer(step)
    options = {"angle": row.axis} if row.kind == "gradient" else {}
    if options:
        expected = correlate(step, row.along) / row.divisor
    image = kind.image((step * (largest / reach)).astype(dtype))
    found = kind.plain(apply(image, row.operator, row.parameters, **options)).astype(np.longdouble)
    with np.errstate(over="ignore"):
        fits = np.abs(expected) / reach < 1 - 1e-4
    assert fits.any()
    np.testing.assert_allclose((found / np.longdouble(largest / reach))[fits], expected[fits], rtol=1e-5, atol=1e-5)
    assert np.isinf(found[np.abs(expected) / reach > 1 + 1e-4]).all()


@pytest.mark.parametrize("channel", ["each", "max", "dizenzo"])
@pytest.mark.parametrize(("dtype", "exponent"), SIZED)
def test_colour_gradients_scale_with_powers_of_two(dtype, exponent, channel, kind):
    if exponent > EXPONENTS[dtype][-1] - 12:
        pytest.skip("the response overflows")
    array = whole((9, 11, 3))
    usual, found = (
        ek.gradient(kind.image(np.ldexp(array, e).astype(dtype)), channel=channel, operator="scharr", scale="raw")
        for e in (0, exponent)
    )
    parts = [(usual.gx, found.gx), (usual.gy, found.gy), (usual.magnitude, found.magnitude)]
    largest = kind.plain(usual.magnitude).max()
    slack = math.ldexp(4 * float(np.finfo(dtype).smallest_subnormal), -exponent)
    for before, after in parts:
        after = np.ldexp(kind.plain(after).astype(np.longdouble), -exponent)
        bound = 16 * np.finfo(dtype).eps * largest + slack
        np.testing.assert_allclose(after, kind.plain(before), rtol=0, atol=bound)
    degrees = [kind.plain(g.direction) for g in (usual, found)]
    if slack < 1e-3:
        apart = np.abs((degrees[0] - degrees[1] + 180) % 360 - 180)
        assert apart[kind.plain(usual.magnitude) > largest / 100].max() < 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_and_large_values_in_one_image(dtype, kind):
    """Neither affects the other; results of ordinary pixels are equal bit for bit."""
    array, exponents = whole((24, 24)), (-100, 0, 100)
    image = np.concatenate([np.ldexp(array, e) for e in exponents]).astype(dtype)
    found = kind.plain(ek.scharr(kind.image(image)))
    alone = kind.plain(ek.scharr(kind.image(array.astype(dtype))))
    for n, exponent in enumerate(exponents):
        part = slice(1, -1), slice(None)
        inner = found[24 * n : 24 * (n + 1)][part]
        np.testing.assert_allclose(np.ldexp(inner, -exponent), alone[part], rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(found[24:48][1:-1], alone[1:-1])


def test_overflow_gives_infinity_and_nan_gives_nan(kind):
    image = np.zeros((9, 9), np.float32)
    image[:, 5:] = np.finfo("float32").max
    image[0, 0] = np.nan
    found = kind.plain(ek.sobel(kind.image(image), angle=0, scale="raw"))
    expected = np.zeros((9, 9), np.float32)
    expected[:, 4:6] = np.inf
    expected[:2, 1] = np.nan
    np.testing.assert_array_equal(found, expected)


def test_half_precision_overflows_to_infinity(kind):
    image = np.zeros((4, 6), np.float16)
    image[:, 3:] = 65504
    found = kind.plain(ek.sobel(kind.image(image), scale="raw"))
    np.testing.assert_array_equal(found[0], np.float16([0, 0, np.inf, np.inf, 0, 0]))
    np.testing.assert_array_equal(kind.plain(ek.sobel(kind.image(image)))[0], np.float16([0, 0, 32752, 32752, 0, 0]))


@pytest.mark.parametrize("size", [1e-320, 1e-40, 1e-30, 1.0, 1e30, 1e300, 1.7e308])
def test_log_tone_of_very_small_and_large_values(size, kind):
    image = np.repeat([[size / 4, size]], 2, 0)
    found = kind.plain(ek.sobel(kind.image(image), tone="log", scale="raw", angle=0, border="edge"))
    ratio = [Fraction(v) / Fraction(1 / 510) for v in (size / 4, size)]
    small = ratio[1] < Fraction(1, 10**9)
    logs = [float(r) if small else math.log(1 + r.numerator // r.denominator) if r > 10**18 else math.log1p(r)
            for r in ratio]  # fmt: skip
    np.testing.assert_allclose(found, 4 * (logs[1] - logs[0]), rtol=1e-6, atol=1e-320)


def measured(name, image, kind):
    return float(np.ravel(kind.plain(ek.sharpness(image, name)) if kind.is_torch else ek.sharpness(image, name))[0])


@pytest.mark.parametrize("exponent", [-1000, -300, 0, 250, 500, 1010])
@pytest.mark.parametrize("name", ek.MEASURES)
def test_measures_of_very_small_and_large_values(name, exponent, kind):
    """Measures scale with their power of contrast, and overflow to infinity or underflow to 0."""
    levels = np.abs(whole((16, 18)))
    usual = measured(name, kind.image(levels), kind)
    found = measured(name, kind.image(np.ldexp(levels, exponent)), kind)
    with np.errstate(all="ignore"):
        expected = float(np.ldexp(usual, exponent * ek.MEASURES[name].contrast))
    assert found == expected


@pytest.mark.parametrize("exponent", [-148, 124])
@pytest.mark.parametrize("name", [name for name, row in ek.MEASURES.items() if row.contrast < 2])
def test_measures_with_older_torch_ldexp(name, exponent, monkeypatch):
    """Older versions of `torch.ldexp` multiply by the power of two: 2^128 is infinite."""
    monkeypatch.setattr(torch, "ldexp", lambda values, exponents: values * torch.pow(2.0, exponents))
    levels = torch.from_numpy(np.abs(whole((16, 18))).astype(np.float32))
    image = levels * 2.0 ** (exponent / 2) * 2.0 ** (exponent / 2)
    assert bool((image[levels > 0] > 0).all() & image.isfinite().all())
    with np.errstate(all="ignore"):
        expected = float(np.ldexp(np.float32(ek.sharpness(levels, name)), exponent * ek.MEASURES[name].contrast))
    assert float(ek.sharpness(image, name)) == pytest.approx(expected, rel=1e-5, abs=2.0**-149)


@pytest.mark.parametrize("name", ek.MEASURES)
def test_measures_of_a_batch_equal_single_images(name):
    levels = np.abs(whole((16, 18))).astype(np.float32)
    batch = torch.from_numpy(np.stack([np.ldexp(levels, e) for e in (-120, 0, 110)])[:, None])
    alone = torch.cat([ek.sharpness(image[None], name).reshape(1) for image in batch])
    np.testing.assert_array_equal(ek.sharpness(batch, name).reshape(3), alone)


@pytest.mark.parametrize("exponent", [-1000, -140, -70, 70, 130, 1010])
def test_scores_do_not_depend_on_the_scale_of_levels(exponent, kind):
    y, x = np.mgrid[:64, :64]
    levels = np.where((x // 8 + y // 8) % 2, 3.0, -2.0) + np.random.default_rng(0).integers(-2, 3, (64, 64)) / 8
    usual, found = (float(ek.score(kind.image(np.ldexp(levels, e)))) for e in (0, exponent))
    assert usual > 0.1
    assert found == pytest.approx(usual, rel=1e-5)


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_edge_functions_on_extreme_values(dtype, kind):
    image = kind.image(extremes(dtype, (32, 33)))
    for edges in (
        ek.canny(image),
        ek.canny(image, sigma=0, low="40%", high="90%", interpolate=False),
        ek.hysteresis(image, 1, 2),
    ):
        assert kind.plain(edges).dtype == bool
    assert not np.isnan(kind.plain(ek.zero_crossings(image))).any()
    for method in ("otsu", "li", "triangle", "adaptive", 3):
        assert kind.plain(ek.threshold(image, method)).dtype == bool
    assert not np.isnan(kind.plain(ek.detect(image))).any()


def test_nonmax_suppress_keeps_infinite_strengths(kind):
    strength = np.array([[0, 1, np.inf, 2, np.nan, 3, np.inf, np.inf, 1]] * 3)
    thin, offset = ek.nonmax_suppress(kind.image(strength), kind.image(np.zeros((3, 9))), subpixel=True)
    np.testing.assert_array_equal(kind.plain(thin)[1], [0, 0, np.inf, 0, 0, 0, np.inf, 0, 0])
    assert (np.abs(kind.plain(offset)[1, [2, 6]]) <= 0.5).all()


@pytest.mark.parametrize("levels", [("1", "2"), (1, "2"), ([1], 2), (1, [2]), (True, 2), (None, 2)])
def test_thresholds_must_be_numbers(levels, kind):
    with pytest.raises(ek.ParameterError, match=r"(low|high)=.* must be a number"):
        ek.hysteresis(kind.image(np.ones((3, 3))), *levels)


@pytest.mark.parametrize("function", [ek.picture, ek.white_level])
def test_picture_and_white_level_refuse_arrays_of_angles(function, kind):
    angles = kind.image(np.full((4, 5), 30.0))
    with pytest.raises(ek.ParameterError, match=r"one direction; found angles of shape \(4, 5\)"):
        function(kind.image(np.ones((4, 5))), angle=angles)


@pytest.mark.parametrize("mode", ["full", "stretch", "signed"])
@pytest.mark.parametrize("size", [1e-320, 1e-40, 1.0, 1e38, 1.7e308])
def test_to_display_of_very_small_and_large_values(size, mode, kind):
    image = np.repeat([[0, 0, 0, size, size, size]], 3, 0) * np.array([[1], [1], [-1]])
    usual = ek.to_display(kind.image(image / size), mode, white=1).image
    found = ek.to_display(kind.image(image), mode, white=size).image
    np.testing.assert_array_equal(kind.plain(found), kind.plain(usual))
    assert kind.plain(ek.picture(kind.image(image), mode=mode).image).max() > 0


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_stretch_of_integer_types(dtype, kind):
    array = np.array([[0, 1, 1]], dtype)
    np.testing.assert_array_equal(kind.plain(ek.to_display(kind.image(array), "stretch").image), [[0, 255, 255]])


@pytest.mark.parametrize("dtype", ["int64", *FLOATS])
def test_overlay_of_extreme_values(dtype):
    array = np.array([[np.finfo(dtype).min, 0, np.finfo(dtype).max]], dtype) if dtype in FLOATS else extremes(dtype)
    drawn = ek.overlay(array, np.zeros(array.shape, np.uint8))[:, :, 0]
    assert (drawn[array == array.min()] == 0).all()
    assert (drawn[array == array.max()] == 255).all()
    assert set(drawn[(array == 0) | (array == 1)]) <= {127, 128}
