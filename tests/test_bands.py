"""Long lines of taps: products with a banded matrix give what a plain correlation gives."""

import cv2
import numpy as np
import oracle
import pytest

import edgekit as ek
from edgekit.backends import bands
from edgekit.backends.passes import LONG

SIZES = [(1, 1), (3, 31), (8, 32), (9, 33), (40, 7), (7, 64), (65, 100), (33, 40, 3), (5, 70, 1)]


@pytest.mark.parametrize("length", [2, 12, 25, 30, 129, 300])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", SIZES)
def test_a_line_is_correlated(size, axis, length):
    rng = np.random.default_rng(length)
    line = rng.normal(size=length)
    for taps in (line, line - line.mean()):
        shape = list(size)
        shape[axis] += length - 1
        window = rng.normal(size=shape)
        response = bands.line((tuple(taps),) if axis else tuple((t,) for t in taps))(window)
        expected = np.apply_along_axis(np.correlate, axis, window, taps, "valid")
        assert response.shape == size
        np.testing.assert_allclose(response, expected, rtol=0, atol=1e-13 * np.abs(taps).sum() * length)


@pytest.mark.parametrize("axis", [0, 1])
def test_of_a_part_between_other_pixels(axis):
    rng = np.random.default_rng(3)
    around = rng.normal(size=(90, 90))
    window = around[3:80, 5:77]
    taps = tuple(rng.normal(size=31))
    run = bands.line((taps,) if axis else tuple((t,) for t in taps))
    np.testing.assert_array_equal(run(window), run(window.copy()))


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
    assert not found[oracle.touched(image == 0, np.ones_like(taps)) == 0].any()


@pytest.mark.parametrize("shape", [(1, LONG), (LONG + 6, 1), (1, 65), (25, 31)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_whole_numbers_stay_exact(dtype, shape):
    rng = np.random.default_rng(7)
    taps = np.outer(rng.integers(-50, 51, shape[0]), rng.integers(1, 7, shape[1]))
    image = rng.integers(0, 256, (80, 150)).astype(dtype)
    np.testing.assert_array_equal(ek.correlate(image, taps), oracle.correlate(image, taps))


def test_threads_do_not_change_a_bit():
    image = np.random.default_rng(1).integers(0, 256, (1500, 700)).astype(np.uint8)
    before = cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            results.append([ek.gaussian_gradient(image, sigma=9), ek.laplacian(image, sigma=5)])
    finally:
        cv2.setNumThreads(before)
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(one, other)
