"""Pictures of responses: levels by hand, what is clipped, and what is white."""

import math

import numpy as np
import pytest
import torch

import edgekit as ek


def shown(kind, values, *args, dtype=np.float32, **options):
    picture, clipped = ek.to_display(kind.image(np.array([values], dtype)), *args, **options)
    return kind.plain(picture)[0].tolist(), kind.dtype(picture), clipped


def test_full_is_the_absolute_response(kind):
    assert shown(kind, [0, 51, -51, 127.5, -127.5]) == ([0, 102, 102, 255, 255], "uint8", 0)
    assert shown(kind, [0, 51, 127.5], "full", depth=16) == ([0, 26214, 65535], "uint16", 0)


def test_full_counts_what_it_clips(kind):
    assert shown(kind, [127.6, 128, -300, 1e30, np.inf, -np.inf]) == ([255] * 6, "uint8", 5)


def test_white_may_be_given(kind):
    assert shown(kind, [0, 1, -2, 4, 5], white=4) == ([0, 64, 128, 255, 255], "uint8", 1)


def test_halves_are_rounded_to_even(kind):
    assert shown(kind, [0.5, 1.5, 2.5, 3.5], white=255) == ([0, 2, 2, 4], "uint8", 0)


def test_double_precision_is_kept(kind):
    above_half = 0.5 + 1e-12
    assert shown(kind, [above_half, 0.5], white=255, dtype=np.float64) == ([1, 0], "uint8", 0)


def test_stretch_makes_the_largest_white(kind):
    assert shown(kind, [0, 1, -2, 0.5], "stretch") == ([0, 128, 255, 64], "uint8", 0)
    assert shown(kind, [0, -1, 2], "stretch", depth=16) == ([0, 32768, 65535], "uint16", 0)
    assert shown(kind, [0, 1, np.inf, np.nan], "stretch") == ([0, 255, 255, 0], "uint8", 1)


def test_stretch_of_nothing(kind):
    assert shown(kind, [0, 0, np.nan], "stretch") == ([0, 0, 0], "uint8", 0)


def test_stretch_of_infinity_alone(kind):
    assert shown(kind, [0, np.inf], "stretch") == ([0, 255], "uint8", 1)


def test_stretch_of_very_little(kind):
    assert shown(kind, [0, 1e-30, 5e-31], "stretch") == ([0, 255, 128], "uint8", 0)


def test_signed_has_zero_in_the_middle(kind):
    # 127 levels on either side of 128.
    assert shown(kind, [0, 127.5, -127.5, 25.5], "signed") == ([128, 255, 1, 153], "uint8", 0)
    assert shown(kind, [0, 127.5, -127.5], "signed", depth=16) == ([32768, 65535, 1], "uint16", 0)
    picture, _, clipped = shown(kind, [200, -200, np.inf, -np.inf, np.nan], "signed")
    assert (picture, clipped) == ([255, 0, 255, 0, 128], 4)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_is_shown_as_zero_and_not_counted(dtype, kind):
    assert shown(kind, [np.nan, 127.5], dtype=dtype) == ([0, 255], "uint8", 0)


def test_the_response_stays_as_it_is(kind):
    values = np.float32([[np.nan, -3, 500]])
    image = kind.image(values)
    for mode in ("full", "stretch", "signed"):
        ek.to_display(image, mode)
    np.testing.assert_array_equal(kind.plain(image), values)


@pytest.mark.parametrize("shape", [(3, 4, 3), (2, 3, 4, 5), (0, 3, 5, 5)])
def test_any_shape(shape):
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
def test_wrong_options(options, message, kind):
    with pytest.raises(ek.ParameterError, match=message):
        ek.to_display(kind.image(np.zeros((2, 2))), **options)


def test_wrong_type():
    with pytest.raises(ek.DtypeError, match=r"found list"):
        ek.to_display([[1.0]])


@pytest.mark.parametrize(
    ("operator", "parameters", "options", "expected"),
    # What each reads on a step from 0 to 1 across its direction, times 255.
    [
        ("sobel", {}, {}, 4 / 8),
        ("sobel", {}, {"scale": "raw"}, 4),
        ("sobel", {}, {"angle": 90}, 4 / 8),
        ("sobel", {"size": 5}, {}, 48 / 128),
        ("sobel", {"size": 7}, {}, 640 / 2048),
        # Across the diagonal 2 + 4 of √½ [[-2, -2, 0], [-2, 0, 2], [0, 2, 2]], and 2 + 1 + 1 of the ring.
        ("sobel", {}, {"angle": 45}, 6 * math.sqrt(0.5) / 8),
        ("sobel", {}, {"angle": 45, "rotate": "ring"}, 4 / (6 * math.sqrt(2))),
        ("sobel", {}, {"angle": 135, "angle_of": "edge"}, 6 * math.sqrt(0.5) / 8),
        ("scharr", {}, {}, 0.5),
        ("scharr", {}, {"scale": "raw"}, 16),
        ("prewitt", {}, {"scale": "raw"}, 3),
        ("central", {}, {}, 0.5),
        # A step across x is seen by both diagonals; one across a diagonal by one.
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
def test_white_is_an_ideal_step(operator, parameters, options, expected, kind):
    image = kind.image(np.zeros((5, 5), np.uint8))
    assert ek.white_level(image, operator, parameters, **options) == pytest.approx(255 * expected, rel=1e-12)


def test_white_is_what_the_filters_read_on_a_step(kind):
    for angle in (0, 90):
        image = np.zeros((16, 16), np.uint8)
        image[(slice(None), slice(8, None)) if angle == 0 else slice(8, None)] = 255
        for operator, function in (("sobel", ek.sobel), ("kirsch", ek.kirsch), ("laplacian", ek.laplacian)):
            largest = np.abs(kind.plain(function(kind.image(image)))).max()
            assert ek.white_level(kind.image(image), operator) == pytest.approx(largest, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "dtype", "span"),
    [
        ([0, 1], "bool", 1), ([0, 9], "uint8", 255), ([0, 9], "int8", 255), ([0, 9], "uint16", 65535),
        ([0.2, 0.3], "float32", 1), ([0, 1], "float64", 1), ([0, 200], "float32", 200), ([-3, 5], "float64", 8),
        ([np.nan, 0.5], "float32", 1), ([np.nan, np.inf], "float32", 1), ([np.inf, 100, 300], "float64", 200),
        ([7, 7], "float32", 2),
    ],
)  # fmt: skip
def test_white_follows_the_range(values, dtype, span, kind):
    assert ek.white_level(kind.image(np.array([values], dtype))) == pytest.approx(span / 2)


def test_white_of_a_logarithm(kind):
    # From log(1/2) to log(255 + 1/2), and from log(1/510) to log(1 + 1/510).
    whites = (ek.white_level(kind.image(np.zeros((2, 2), t)), tone="log") for t in (np.uint8, np.float32))
    for white in whites:
        assert white == pytest.approx(math.log(511) / 2)


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


def test_overlay_of_two_sizes():
    with pytest.raises(ek.ShapeError, match=r"edges' size \(2, 3\); found \(3, 2\)"):
        ek.overlay(np.zeros((3, 2), np.uint8), np.zeros((2, 3), np.uint8))
