"""Long lines of taps: products with a banded matrix give what a plain correlation gives."""

import os
import subprocess
import sys

import numpy as np
import oracle
import pytest

import edgekit as ek
from edgekit.backends import bands
from edgekit.backends.passes import LONG

SIZES = [(1, 1), (3, 31), (8, 32), (9, 33), (40, 7), (7, 64), (65, 100), (33, 40, 3), (5, 70, 1)]


def laid(values, axis):
    """Lay taps out along x (1) or y (0)."""
    return (tuple(values),) if axis else tuple((v,) for v in values)


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize("length", [2, 9, 25, 30, 129, 1000])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", SIZES)
def test_a_line_is_correlated(size, axis, length, dtype):
    rng = np.random.default_rng(length)
    some = rng.normal(size=length)
    shape = list(size)
    shape[axis] += length - 1
    window = rng.integers(0, 256, shape).astype(dtype)
    for taps in (some, some - some.mean(), some - some[::-1]):
        response = bands.line(laid(taps, axis), exact=False)(window)
        expected = np.apply_along_axis(np.correlate, axis, window.astype(float), taps, "valid")
        assert response.shape == size
        np.testing.assert_allclose(response, expected, rtol=0, atol=255e-13 * np.abs(taps).sum() * length)


@pytest.mark.parametrize("axis", [0, 1])
def test_of_a_part_between_other_pixels(axis):
    rng = np.random.default_rng(3)
    around = rng.normal(size=(90, 90))
    window = around[3:80, 5:77]
    run = bands.line(laid(rng.normal(size=31), axis), exact=False)
    np.testing.assert_array_equal(run(window), run(window.copy()))


def test_of_bytes_by_taps_that_sum_to_zero_nothing_is_rounded():
    rng = np.random.default_rng(5)
    for length in (25, 41, 129):
        half = rng.normal(size=length // 2)
        taps = laid((*half, 0.0, *-half[::-1]), 1)
        assert bands.bytes_only(taps)
        window = rng.integers(0, 256, (8, 400)).astype(np.uint8)
        run = bands.line(taps, exact=False)
        np.testing.assert_array_equal(run(window)[:, 37:], run(window[:, 37:]))
        np.testing.assert_array_equal(run(255 - window), -run(window))
        np.testing.assert_array_equal(run(window[:, ::-1]), -run(window)[:, ::-1])


@pytest.mark.parametrize("taps", [(1, *[0] * 23, -1), (3, -4, 1), (1, 1e-10, -2 - 1e-10, 1)])
def test_taps_that_are_zero_or_nearly_so(taps):
    taps = np.array(taps, float)
    assert bands.bytes_only(laid(taps, 1)) == (np.abs(taps).min() < 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_a_huge_pixel_under_a_tap_that_is_zero(dtype):
    """What is on both sides is not lost in the rounding of what is between them."""
    image = np.ones((40, 60), dtype)
    image[:, 30] = 2**16 - 1 if dtype == "uint16" else 1e30
    image[:, 31:] = 2
    slope = oracle.bell_slope(4)
    found = ek.gaussian_gradient(image, sigma=4, angle=0, scale="raw")[:, 30]
    np.testing.assert_allclose(found, slope[slope > 0].sum(), rtol=1e-6)


@pytest.mark.parametrize("sigma", [2.0, 3.1, 7.0, 16.0])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(90, 70), (20, 200, 3)])
def test_flat_ground_is_exactly_zero(shape, dtype, sigma):
    image = np.full(shape, 199.7).astype(dtype)
    for response in (
        ek.gaussian_gradient(image, sigma=sigma),
        ek.gaussian_gradient(image, sigma=sigma, angle=30),
        ek.laplacian(image, sigma=sigma),
        ek.dog(image, sigma=sigma),
    ):
        assert not response.any()


@pytest.mark.parametrize("operator", ["gradient", "laplacian", "dog"])
def test_one_bright_pixel_in_the_dark(operator):
    """What is far from it is as exact as what is near: nothing of it reaches beyond the kernel."""
    image = np.zeros((90, 100), np.uint8)
    image[44, 47] = 255
    found, taps = {
        "gradient": (ek.gaussian_gradient(image, sigma=6, angle=0, scale="raw"),
                     np.outer(oracle.bell(6, 24), oracle.bell_slope(6))),
        "laplacian": (ek.laplacian(image, sigma=6, scale="raw"), oracle.log_taps(6)),
        "dog": (ek.dog(image, sigma=4, sigma2=6, scale="raw"), oracle.dog_taps(4, 6)),
    }[operator]  # fmt: skip
    expected = oracle.correlate(image, taps)
    # A tap of two terms may be less than either, and their roundings.
    allowed = np.finfo(np.float32).eps * np.abs(expected) + 1e-14 * np.abs(expected).max()
    assert (np.abs(found - expected) <= allowed).all()
    if operator == "gradient":
        assert not found[oracle.touched(image == 0, taps) == 0].any()


@pytest.mark.parametrize("shape", [(1, LONG), (LONG + 6, 1), (1, 65), (25, 31)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_whole_numbers_stay_exact(dtype, shape):
    rng = np.random.default_rng(7)
    taps = np.outer(rng.integers(-50, 51, shape[0]), rng.integers(1, 7, shape[1]))
    image = rng.integers(0, 256, (80, 150)).astype(dtype)
    np.testing.assert_array_equal(ek.correlate(image, taps), oracle.correlate(image, taps))


SUMS = """
import hashlib, sys
import cv2, numpy as np, edgekit as ek
cv2.setNumThreads(int(sys.argv[1]))
rng = np.random.default_rng(1)
for shape, sigma in (((1500, 700), 9), ((481, 321), 4), ((33, 1), 8), ((1, 65), 8), ((50, 40), 130)):
    image = rng.integers(0, 256, shape).astype(np.uint8)
    for response in (ek.gaussian_gradient(image, sigma=sigma), ek.laplacian(image, sigma=sigma)):
        print(hashlib.sha1(response).hexdigest())
"""


def test_threads_do_not_change_a_bit():
    """Neither OpenCV's, which strips are done on, nor those of the library that NumPy multiplies matrices with."""
    said = {
        subprocess.run(
            [sys.executable, "-c", SUMS, threads], env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
            capture_output=True, text=True, check=True,
        ).stdout
        for threads in ("1", "2", "4")
    }  # fmt: skip
    assert len(said) == 1
