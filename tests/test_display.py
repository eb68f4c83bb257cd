"""8-bit and 16-bit images of responses: levels, clipped values and white levels."""

import math

import cv2
import numpy as np
import oracle
import pytest
import torch

import edgekit as ek
from edgekit.operators.table import own_operator


def shown(kind, values, *args, dtype=np.float32, **options):
    picture, clipped = ek.to_display(kind.image(np.array([values], dtype)), *args, **options)
    return kind.plain(picture)[0].tolist(), kind.dtype(picture), clipped


def test_full_is_the_absolute_response(kind):
    # White is 255 / 8.
    assert shown(kind, [0, 12.75, -12.75, 31.875, -31.875]) == ([0, 102, 102, 255, 255], "uint8", 0)
    assert shown(kind, [0, 12.75, 31.875], "full", depth=16) == ([0, 26214, 65535], "uint16", 0)


def test_full_counts_clipped_values(kind):
    assert shown(kind, [31.9, 32, -300, 1e30, np.inf, -np.inf]) == ([255] * 6, "uint8", 5)


def test_white_option(kind):
    assert shown(kind, [0, 1, -2, 4, 5], white=4) == ([0, 64, 128, 255, 255], "uint8", 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_rounded_to_the_highest_level_are_not_clipped(dtype, kind):
    assert shown(kind, [255.25, 255.5, -256, 3], white=255, dtype=dtype) == ([255, 255, 255, 3], "uint8", 2)


def test_halves_are_rounded_to_even(kind):
    assert shown(kind, [0.5, 1.5, 2.5, 3.5], white=255) == ([0, 2, 2, 4], "uint8", 0)


def test_double_precision_is_kept(kind):
    above_half = 0.5 + 1e-12
    assert shown(kind, [above_half, 0.5], white=255, dtype=np.float64) == ([1, 0], "uint8", 0)


def test_stretch_makes_the_largest_white(kind):
    assert shown(kind, [0, 1, -2, 0.5], "stretch") == ([0, 128, 255, 64], "uint8", 0)
    assert shown(kind, [0, -1, 2], "stretch", depth=16) == ([0, 32768, 65535], "uint16", 0)
    assert shown(kind, [0, 1, np.inf, np.nan], "stretch") == ([0, 255, 255, 0], "uint8", 1)


def test_stretch_of_zeros(kind):
    assert shown(kind, [0, 0, np.nan], "stretch") == ([0, 0, 0], "uint8", 0)


def test_stretch_of_zero_and_infinity(kind):
    assert shown(kind, [0, np.inf], "stretch") == ([0, 255], "uint8", 1)


def test_stretch_of_tiny_values(kind):
    assert shown(kind, [0, 1e-30, 5e-31], "stretch") == ([0, 255, 128], "uint8", 0)


def test_signed_has_zero_in_the_middle(kind):
    # 127 levels on either side of 128.
    assert shown(kind, [0, 31.875, -31.875, 6.375], "signed") == ([128, 255, 1, 153], "uint8", 0)
    assert shown(kind, [0, 31.875, -31.875], "signed", depth=16) == ([32768, 65535, 1], "uint16", 0)
    picture, _, clipped = shown(kind, [200, -200, np.inf, -np.inf, np.nan], "signed")
    assert (picture, clipped) == ([255, 0, 255, 0, 128], 4)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_is_shown_as_zero_and_not_counted(dtype, kind):
    assert shown(kind, [np.nan, 31.875], dtype=dtype) == ([0, 255], "uint8", 0)


def test_to_display_does_not_change_the_response(kind):
    values = np.float32([[np.nan, -3, 500]])
    image = kind.image(values)
    for mode in ("full", "stretch", "signed"):
        ek.to_display(image, mode)
    np.testing.assert_array_equal(kind.plain(image), values)


@pytest.mark.parametrize("shape", [(3, 4, 3), (2, 3, 4, 5), (0, 3, 5, 5)])
def test_to_display_of_any_shape(shape):
    for response in (np.ones(shape, np.float32), torch.ones(shape)):
        for mode in ("full", "stretch", "signed"):
            assert ek.to_display(response, mode).image.shape == shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "auto"}, "mode='auto' is not known; choose one of full, stretch, signed"),
        ({"depth": 12}, "depth=12 must be 8 or 16 bits"),
        ({"white": 0}, "white=0 must be positive and finite"),
        ({"white": -1}, "white=-1 must be positive"),
        ({"white": math.nan}, "white=nan must be positive"),
        ({"white": math.inf}, "white=inf must be positive"),
    ],
)
def test_invalid_options_are_refused(options, message, kind):
    with pytest.raises(ek.ParameterError, match=message):
        ek.to_display(kind.image(np.zeros((2, 2))), **options)


def test_invalid_type_is_refused():
    with pytest.raises(ek.DtypeError, match=r"found list"):
        ek.to_display([[1.0]])


@pytest.mark.parametrize(
    ("operator", "parameters", "options", "expected"),
    # The largest response to a step from 0 to 1 across the direction.
    [
        ("sobel", {}, {}, 4 / 8),
        ("sobel", {}, {"scale": "raw"}, 4),
        ("sobel", {}, {"angle": 90}, 4 / 8),
        ("sobel", {"size": 5}, {}, 48 / 128),
        ("sobel", {"size": 7}, {}, 640 / 2048),
        # Sums on one side of the diagonal: 2 + 4 of √½ [[-2, -2, 0], [-2, 0, 2], [0, 2, 2]]; ring: 2 + 1 + 1.
        ("sobel", {}, {"angle": 45}, 6 * math.sqrt(0.5) / 8),
        ("sobel", {}, {"angle": 45, "rotate": "ring"}, 4 / (6 * math.sqrt(2))),
        ("sobel", {}, {"angle": 135, "angle_of": "edge"}, 6 * math.sqrt(0.5) / 8),
        ("scharr", {}, {}, 0.5),
        ("scharr", {}, {"scale": "raw"}, 16),
        ("prewitt", {}, {"scale": "raw"}, 3),
        ("central", {}, {}, 0.5),
        # Both diagonal kernels respond to a step across x, one responds to a step across a diagonal.
        ("roberts", {}, {"scale": "raw"}, math.sqrt(2)),
        ("roberts", {}, {}, 1),
        ("roberts", {}, {"scale": "raw", "angle": 45}, 1),
        ("kirsch", {}, {"scale": "raw"}, 15),
        ("kirsch", {}, {}, 15 / 24),
        ("robinson", {}, {}, 0.5),
        ("robinson", {"levels": 5}, {"scale": "raw"}, 4),
        ("laplacian", {}, {}, 1),
        ("laplacian", {"stencil": 8}, {"scale": "raw"}, 3),
        ("laplacian", {"stencil": 8}, {}, 1),
        ("laplacian", {"stencil": "isotropic"}, {"scale": "raw"}, 6),
    ],
)
def test_white_level_is_a_fraction_of_an_ideal_step(operator, parameters, options, expected, kind):
    image = kind.image(np.zeros((5, 5), np.uint8))
    for fraction in (1.0, 0.3):
        found = ek.white_level(image, operator, parameters, step_fraction=fraction, **options)
        assert found == pytest.approx(255 * expected * fraction, rel=1e-12)


def test_white_level_equals_the_response_to_a_step(kind):
    for angle in (0, 90):
        image = np.zeros((16, 16), np.uint8)
        image[(slice(None), slice(8, None)) if angle == 0 else slice(8, None)] = 255
        for operator, function in (("sobel", ek.sobel), ("kirsch", ek.kirsch), ("laplacian", ek.laplacian)):
            largest = np.abs(kind.plain(function(kind.image(image)))).max()
            found = ek.white_level(kind.image(image), operator, step_fraction=1.0)
            assert found == pytest.approx(largest, rel=1e-6)


def test_white_level_of_a_kernel_without_response_to_steps(kind):
    # The mixed derivative: its largest response to values of 0 and 1 is 2, to a checkerboard.
    row = own_operator([[1, -1, 0], [-1, 1, 0], [0, 0, 0]])
    assert ek.white_level(kind.image(np.zeros((5, 5), np.uint8)), row) == 255 * 2 / 4


@pytest.mark.parametrize("row", oracle.GRADIENTS + oracle.COMPASSES, ids=lambda row: row.id)
def test_white_level_of_first_derivatives(row, kind):
    image = kind.image(np.zeros((5, 5), np.uint8))
    for angle in (None, 0, 45) if row.kind == "compass" else (None, 0, 30, 45, 90):
        for scale, factor in (("unit", 1), ("raw", row.divisor)):
            found = ek.white_level(image, row.operator, row.parameters, angle=angle, scale=scale)
            assert found == pytest.approx(255 / 8 * factor, rel=1e-9)
    if row.kind == "gradient" and row.along.shape == (3, 3):
        # The ring kernel of 45 degrees has a larger response to a ramp in its direction.
        turned = oracle.turn(row.along, 1)
        divisor = ((np.arange(3) - 1) * (turned + turned.T)).sum() * np.sqrt(0.5)
        found = ek.white_level(image, row.operator, row.parameters, angle=45, scale="raw", rotate="ring")
        assert found == pytest.approx(255 / 8 * divisor, rel=1e-9)


@pytest.mark.parametrize("row", oracle.LAPLACIANS, ids=lambda row: row.id)
def test_white_level_of_laplacians(row, kind):
    image = kind.image(np.zeros((5, 5), np.uint8))
    # The response to a step across x: the sum of the columns up to the step.
    step = np.abs(np.cumsum(row.along.sum(axis=0))).max()
    for scale, divisor in (("unit", row.divisor), ("raw", 1)):
        found = ek.white_level(image, row.operator, row.parameters, scale=scale)
        assert found == pytest.approx(255 * step / abs(divisor) / 4, rel=1e-6)


def test_picture_of_sobel_equals_opencv(kind):
    gray = oracle.picture("uint8", (60, 70))
    for angle, order in ((0, (1, 0)), (90, (0, 1))):
        sobel = cv2.Sobel(np.array(gray), cv2.CV_32F, *order)
        found = ek.picture(kind.image(gray), angle=angle)
        np.testing.assert_array_equal(kind.plain(found.image), cv2.convertScaleAbs(sobel))
        assert found.clipped == (np.abs(sobel) > 255).sum()


def test_white_level_with_log_tone(kind):
    # From log(1/2) to log(255 + 1/2); of floats from log(a + 1/510), with a the least value, to the largest.
    assert ek.white_level(kind.image(np.zeros((2, 2), np.uint8)), tone="log") == pytest.approx(math.log(511) / 8)
    for values in ([[0, 1.0]], [[0.25, 0.5]], [[0.0, 40.0]]):
        span = math.log(values[0][1] + 1 / 510) - math.log(values[0][0] + 1 / 510)
        image = kind.image(np.array(values))
        assert ek.white_level(image, tone="log") == pytest.approx(span / 8)
        assert ek.white_level(image, "laplacian", tone="log") == pytest.approx(span / 4)


def test_in_range_option(kind):
    image = kind.image(np.array([[0, 5000]], np.uint16))
    assert ek.white_level(image, in_range=(0, 4095)) == 4095 / 8
    assert ek.white_level(image, "laplacian", in_range=(-1000, 3000)) == 1000


def test_pictures_of_constant_images_are_black(kind):
    # The border of zeros has a response.
    image = kind.image(np.full((9, 9), 3000, np.uint16))
    for found in (ek.picture(image, border="constant"), ek.picture(image, border="constant", depth=16)):
        assert not kind.plain(found.image).any()
        assert found.clipped == 0


def test_overlay():
    image = np.uint8([[0, 100, 200]])
    edges = np.uint8([[0, 255, 51]])
    expected = [[[0, 0, 0], [255, 0, 10], [211, 160, 162]]]
    assert ek.overlay(image, edges, colour=(255, 0, 10)).tolist() == expected
    colour = np.dstack([image, image, image])
    found = ek.overlay(colour, edges, colour=(255, 0, 10))
    assert found.tolist() == expected
    assert found.dtype == np.uint8
    assert ek.overlay(image, edges)[0, 1].tolist() == [0, 255, 200]


@pytest.mark.parametrize("dtype", ["int16", "uint16", "float32", "int32"])
def test_overlay_scales_the_range_of_the_image(dtype):
    # Values from 101 to 2098, one hot and one dead pixel: the percentiles exclude one value at each end.
    values = 100 + np.arange(2000)
    values[0], values[-1] = 0, 30000
    shown = ek.overlay(values.reshape(40, 50).astype(dtype), np.zeros((40, 50), np.uint8)).reshape(2000, 3)
    low, high = np.sort(values)[[1, -2]]
    expected = np.rint(np.clip((values - float(low)) / (high - low), 0, 1) * 255)
    np.testing.assert_array_equal(shown, np.repeat(expected[:, None], 3, axis=1))
    stated = ek.overlay(values.reshape(40, 50).astype(dtype), np.zeros((40, 50), np.uint8), in_range=(0, 4095))
    expected = np.rint(np.clip(values / 4095, 0, 1) * 255)
    np.testing.assert_array_equal(stated.reshape(2000, 3), np.repeat(expected[:, None], 3, axis=1))


def test_overlay_of_different_sizes_is_refused():
    with pytest.raises(ek.ShapeError, match=r"size of the edges, \(2, 3\); found \(3, 2\)"):
        ek.overlay(np.zeros((3, 2), np.uint8), np.zeros((2, 3), np.uint8))
