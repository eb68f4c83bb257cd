"""Long 1-D kernels: products with a banded matrix equal a plain correlation."""

import os
import subprocess
import sys

import numpy as np
import oracle
import pytest

import edgekit as ek
from edgekit.backends.opencv import banded
from edgekit.backends.opencv.correlation import LONG

SIZES = [(1, 1), (3, 31), (8, 32), (9, 33), (40, 7), (7, 64), (65, 100), (33, 40, 3), (5, 70, 1)]


def as_kernel(values, axis):
    """Return coefficients as a row (axis 1) or a column (axis 0)."""
    return (tuple(values),) if axis else tuple((v,) for v in values)


@pytest.mark.parametrize("length", [2, 9, 25, 30, 129, 1000])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", SIZES)
def test_banded_products_equal_numpy_correlate(size, axis, length):
    rng = np.random.default_rng(length)
    some = rng.normal(size=length)
    shape = list(size)
    shape[axis] += length - 1
    floats, whole = rng.normal(size=shape), rng.integers(0, 256, shape).astype(np.uint8)
    for make, taps, windows in (
        (banded.line, some, (floats, whole)),
        (banded.line_of_differences, some - some.mean(), (floats, whole)),
    ):
        for window in windows if taps.any() else ():
            response = make(as_kernel(taps, axis))(window)
            expected = np.apply_along_axis(np.correlate, axis, window.astype(float), taps, "valid")
            assert response.shape == size
            allowed = 1e-13 * np.abs(taps).sum() * length * np.abs(window.astype(float)).max()
            np.testing.assert_allclose(response, expected, rtol=0, atol=allowed)


def test_kernel_with_20001_coefficients():
    ones = np.ones((20_010, 1), np.uint8)
    np.testing.assert_array_equal(banded.line(as_kernel([1.0] * 20_001, 0))(ones), np.full((10, 1), 20_001))


@pytest.mark.parametrize("make", [banded.line, banded.line_of_differences])
@pytest.mark.parametrize("axis", [0, 1])
def test_views_and_copies_have_equal_responses(axis, make):
    rng = np.random.default_rng(3)
    around = rng.normal(size=(90, 90))
    window = around[3:80, 5:77]
    taps = rng.normal(size=31)
    run = make(as_kernel(taps - taps.mean(), axis))
    np.testing.assert_array_equal(run(window), run(window.copy()))


def test_kernels_with_a_sum_of_rounding_errors():
    """The sum changes neither the response to constant images nor small coefficients."""
    some = np.random.default_rng(8).uniform(0.1, 1, 11)
    half = [1e-6, *some]
    taps = np.array([*half, -2 * sum(half), *half[::-1]])
    taps[12] += 8e-13 * np.abs(taps).sum()
    run = banded.line_of_differences(as_kernel(taps, 1))
    window = np.full((2, 90), 199, np.uint8)
    assert not run(window).any()
    window[:] = 0
    window[0, 40] = 1
    allowed = 1e-7 * np.abs(taps[::-1]) + 1e-12 * np.abs(taps).sum() * (np.arange(25) == 12)
    assert (np.abs(run(window)[0, 16:41] - taps[::-1]) <= allowed).all()


def test_line_of_differences_refuses_zero_coefficients():
    half = np.random.default_rng(5).uniform(0.1, 1, 12)
    assert banded.line_of_differences(as_kernel((*half, 0.0, *-half[::-1]), 1)) is None


def test_matrix_products_are_small_enough_for_one_thread(monkeypatch):
    matmul = np.matmul

    def small(pieces, taps, out):
        (_, lines, length), width = pieces.shape, taps.shape[1]
        assert lines * length * width <= 2**17
        assert min(lines, width) > 1
        return matmul(pieces, taps, out=out)

    monkeypatch.setattr(np, "matmul", small)
    for length in (9, 33, 500, 1000, 4001):
        for size in ((1, 1), (1, 17), (17, 1), (16, 33), (33, 16), (300, 20)):
            for axis in (0, 1):
                shape = np.array(size) + (length - 1) * (np.arange(2) == axis)
                banded.line(as_kernel([1.0] * length, axis))(np.ones(shape))


@pytest.mark.parametrize("weak", [1e-3, 1e-5, 1e-7, 1e-10, 1e-14])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_single_pixel_and_small_coefficient(dtype, weak):
    """Products with small coefficients are exact to a few units in the last place."""
    gap = [0] * 10
    for taps in ([-weak, *gap, -1, 0, 1, *gap, weak], [weak, *gap, 1, -2 - 2 * weak, 1, *gap, weak]):
        taps = np.array([taps])
        image = np.zeros((3, 99), dtype)
        image[1, 49] = 255
        found = ek.correlate(image, taps)
        np.testing.assert_allclose(found, oracle.correlate(image, taps), rtol=4 * np.finfo(np.float32).eps, atol=0)


def test_huge_pixel_and_zero_coefficient():
    """Pixels on both sides are not lost in the rounding errors of the huge pixel."""
    image = np.ones((40, 60), np.float32)
    image[:, 30] = 1e30
    image[:, 31:] = 2
    slope = oracle.gaussian_derivative(4)
    found = ek.gaussian_gradient(image, sigma=4, angle=0, scale="raw")[:, 30]
    np.testing.assert_allclose(found, slope[slope > 0].sum(), rtol=1e-6)


@pytest.mark.parametrize("sigma", [2.0, 3.1, 7.0, 16.0])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(90, 70), (20, 200, 3)])
def test_constant_images_give_exactly_zero(shape, dtype, sigma):
    image = np.full(shape, 199.7).astype(dtype)
    for response in (
        ek.gaussian_gradient(image, sigma=sigma),
        ek.gaussian_gradient(image, sigma=sigma, angle=30),
        ek.laplacian(image, sigma=sigma),
        ek.dog(image, sigma=sigma),
    ):
        assert not response.any()


@pytest.mark.parametrize("operator", ["gradient", "laplacian", "dog"])
def test_impulse_response_equals_the_kernel(operator):
    """It is exact far from the pixel, too, and zero outside the kernel."""
    image = np.zeros((90, 100), np.uint8)
    image[44, 47] = 255
    found, taps = {
        "gradient": (ek.gaussian_gradient(image, sigma=6, angle=0, scale="raw"),
                     np.outer(oracle.gaussian(6, 24), oracle.gaussian_derivative(6))),
        "laplacian": (ek.laplacian(image, sigma=6, scale="raw"), oracle.log_kernel(6)),
        "dog": (ek.dog(image, sigma=4, sigma2=6, scale="raw"), oracle.dog_kernel(4, 6)),
    }[operator]  # fmt: skip
    expected = oracle.correlate(image, taps)
    # A coefficient of two terms may be smaller than the rounding errors of either.
    allowed = np.finfo(np.float32).eps * np.abs(expected) + 1e-14 * np.abs(expected).max()
    assert (np.abs(found - expected) <= allowed).all()
    # The gradient is a product: its zero coefficients are exact.
    support = taps if operator == "gradient" else np.ones_like(taps)
    assert not found[~oracle.affected(image == 0, support)].any()


@pytest.mark.parametrize("shape", [(1, LONG), (LONG + 6, 1), (1, 65), (25, 31)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_integer_kernels_are_exact(dtype, shape):
    rng = np.random.default_rng(7)
    taps = np.outer(rng.integers(-50, 51, shape[0]), rng.integers(1, 7, shape[1]))
    image = rng.integers(0, 256, (80, 150)).astype(dtype)
    np.testing.assert_array_equal(ek.correlate(image, taps), oracle.correlate(image, taps))


SUMS = """
import hashlib, sys
import cv2, numpy as np, edgekit as ek
cv2.setNumThreads(int(sys.argv[1]))
rng = np.random.default_rng(1)
for shape, sigma in (((700, 500), 9), ((481, 321), 4), ((33, 1), 8), ((1, 65), 8), ((50, 40), 40)):
    image = rng.integers(0, 256, shape).astype(np.uint8)
    for response in (ek.gaussian_gradient(image, sigma=sigma), ek.laplacian(image, sigma=sigma)):
        print(hashlib.sha1(response).hexdigest())
"""


def test_results_do_not_depend_on_thread_counts():
    """Threads of OpenCV, which process strips, and of the BLAS library of NumPy."""
    said = {
        subprocess.run(
            [sys.executable, "-c", SUMS, threads], env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
            capture_output=True, text=True, check=True,
        ).stdout
        for threads in ("1", "4")
    }  # fmt: skip
    assert len(said) == 1
