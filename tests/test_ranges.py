"""Range of an image: percentiles compared with sorted values, and ranges that files state."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch

import edgekit as ek
from edgekit.display import value_range
from edgekit.display.value_range import percentiles, range_of
from edgekit.io.reading import decode

TYPES = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")


def values(dtype, size, seed=0):
    """Return values of both signs where the type has them, many of them more than once."""
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([rng.normal(size=size // 2) * 1000, rng.integers(-40, 40, size - size // 2)])
    rng.shuffle(drawn)
    return (np.abs(drawn) if np.dtype(dtype).kind == "u" else drawn).astype(dtype)


def expected(array):
    """Return the values with one in a thousand of the others below, and above."""
    ordered = np.sort(np.asarray(array, np.float64), axis=None)
    outside = (ordered.size - 1) // 1000
    return ordered[outside], ordered[-1 - outside]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("size", [(1, 2), (1, 7), (25, 40), (7, 143), (91, 11), (60, 70)])
def test_range_equals_percentiles_of_sorted_values(dtype, size, kind, monkeypatch):
    monkeypatch.setattr(value_range, "BLOCK", 100)
    array = values(dtype, size[0] * size[1]).reshape(size)
    assert range_of(kind.image(array)) == expected(array)


def test_percentiles_of_big_endian_arrays():
    for dtype in (">u2", ">i4", ">f4", ">f8"):
        array = values(dtype, 3000).reshape(60, 50)
        assert range_of(array) == expected(array)


def test_percentiles_of_bfloat16_tensors():
    array = values("float32", 3000).reshape(60, 50)
    assert range_of(torch.from_numpy(array).bfloat16()) == expected(torch.from_numpy(array).bfloat16().float())


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("bool", 0, 1), ("uint8", 0, 255), ("int8", -128, 127)]
)  # fmt: skip
def test_8_bit_types_have_the_range_of_their_type(dtype, low, high, kind):
    assert range_of(kind.image(np.array([[0, 1]], dtype))) == (low, high)


def test_outliers_are_ignored(kind):
    array = np.full((50, 60), 500, np.uint16)
    array[10:] = 1500
    array[0, :3], array[-1, :3] = 0, 65535
    assert range_of(kind.image(array)) == (0, 65535)
    array[0, 2] = array[-1, 2] = 900
    assert range_of(kind.image(array)) == (500, 1500)


def test_equal_percentiles_give_minimum_and_maximum(kind):
    array = np.full((50, 60), 500, np.uint16)
    array[4, 5], array[6, 7] = 20, 730
    assert range_of(kind.image(array)) == (20, 730)
    assert range_of(kind.image(np.full((4, 5), 7.5, np.float32))) == (7.5, 7.5)


def test_non_finite_values_are_ignored(kind):
    array = np.array([[np.nan, np.inf, -np.inf, 3, -2, np.nan]], np.float32)
    assert range_of(kind.image(array)) == (-2, 3)
    assert range_of(kind.image(array[:, :3])) == (0, 0)


def test_masked_pixels_are_ignored(kind):
    array = values("uint16", 3000).reshape(60, 50)
    mask = np.random.default_rng(1).random((60, 50)) < 0.5
    assert range_of(kind.image(array), kind.image(mask)) == expected(array[mask])
    colour = np.stack([array, 2 * array, 3 * array], axis=-1)
    assert range_of(kind.image(colour), kind.image(mask)) == expected(colour[mask])
    mask &= array < 100
    white = ek.white_level(kind.image(array), mask=kind.image(mask))
    assert white == np.subtract(*expected(array[mask])[::-1]) / 8
    image = ek.picture(kind.image(array), mask=kind.image(mask)).image
    given = ek.picture(kind.image(array), mask=kind.image(mask), white=white).image
    np.testing.assert_array_equal(kind.plain(image), kind.plain(given))


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int32"])
def test_range_of_luminance(dtype, kind):
    red = values(dtype, 3000).reshape(60, 50)
    colour = np.stack([red, np.zeros_like(red), np.zeros_like(red)], axis=-1)
    assert range_of(kind.image(colour)) == expected(colour)
    assert range_of(kind.image(colour), channel="luminance") == pytest.approx(expected(0.299 * red), rel=1e-6)
    assert ek.white_level(kind.image(colour), channel="luminance") == pytest.approx(
        np.subtract(*expected(0.299 * red)[::-1]) / 8, rel=1e-6
    )


def test_batches_have_one_range():
    batch = torch.from_numpy(np.stack([values("float32", 1200, seed).reshape(30, 40) * seed for seed in (1, 2, 3)]))
    assert range_of(batch[:, None]) == expected(batch)
    assert range_of(torch.zeros(0, 3, 4, 5)) == (0, 0)


def test_range_of_tensors_that_require_grad():
    image = torch.tensor([[1.0, 5.0]], requires_grad=True)
    assert range_of(image) == (1, 5)


def test_percentiles_from_counts_of_parts():
    array = values("float64", 5000)
    parts = np.split(array, [10, 11, 3000])
    found = percentiles(array.dtype, lambda count: sum(count(part) for part in reversed(parts)))
    assert found == expected(array)


def tiff(array, **options):
    tifffile.imwrite("stated.tif", array, **options)
    return Path("stated.tif").read_bytes()


def stated_range(data):
    return decode(data, "an image").pixels.range


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def tags(low, high, *, signed=False, kind="H"):
    low_code, high_code = (340, 341) if signed else (280, 281)
    return {"extratags": [(low_code, kind, 1, low, True), (high_code, kind, 1, high, True)]}


@pytest.mark.usefixtures("here")
def test_stated_ranges_of_tiff_files():
    ct = np.int16([[-900, 40]])
    assert stated_range(tiff(ct, **tags(-1024, 3071, signed=True, kind="h"))) == (-1024, 3071)
    deep = np.uint16([[5, 900]])
    assert stated_range(tiff(deep, **tags(0, 4095))) == (0, 4095)
    depth = np.float32([[0.5, 7]])
    assert stated_range(tiff(depth, **tags(0.0, 10.0, signed=True, kind="f"))) == (0, 10)
    # Inverted when it is read: 0 is 65535.
    inverted = tiff(65535 - deep, photometric="miniswhite", **tags(65535 - 4095, 65535))
    assert stated_range(inverted) == (0, 4095)
    colour = np.zeros((3, 4, 3), np.uint16)
    stated = [(280, "H", 3, (5, 0, 7), True), (281, "H", 3, (4000, 4095, 9), True)]
    assert stated_range(tiff(colour, photometric="rgb", extratags=stated)) == (0, 4095)


@pytest.mark.usefixtures("here")
def test_files_without_a_stated_range():
    deep = np.uint16([[5, 900]])
    assert stated_range(tiff(deep)) is None
    assert stated_range(tiff(deep, **tags(9, 9))) is None
    assert stated_range(tiff(deep.astype(np.float32), **tags(0.0, np.nan, signed=True, kind="f"))) is None
    assert stated_range(tiff(np.uint8([[1, 2]]), **tags(0, 100))) is None
    assert stated_range(cv2.imencode(".png", deep)[1].tobytes()) is None


@pytest.mark.parametrize(
    "data",
    [
        b"P5 2 1 4095\n" + np.array([5, 900], ">u2").tobytes(),
        b"P5\n# a comment 7 7 7\n2 1\n4095\n" + np.array([5, 900], ">u2").tobytes(),
        b"P2 2 1 4095\n5 900\n",
        b"P6 1 1 4095\n" + np.array([5, 900, 2], ">u2").tobytes(),
        b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 4095\nTUPLTYPE GRAYSCALE\nENDHDR\n"
        + np.array([5, 900], ">u2").tobytes(),
    ],
    ids=lambda data: data[:2].decode(),
)  # fmt: skip
def test_stated_ranges_of_netpbm_files(data):
    image = ek.read_image(data)
    assert image.dtype == np.uint16
    assert 900 in image
    assert stated_range(data) == (0, 4095)
