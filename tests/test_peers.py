"""Comparison with OpenCV, scikit-image, SciPy and kornia, each with its documented scale factor."""

import cv2
import kornia
import numpy as np
import pytest
import torch
from oracle import picture
from scipy import ndimage
from skimage import filters

import edgekit as ek
from edgekit.filters.apply import apply

GRAY = picture("uint8", (23, 29))
FLOAT = picture("float64", (23, 29))


def assert_close(found, expected, rtol=1e-12):
    np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * np.abs(expected).max())


# OpenCV: unscaled kernels, correlated; BORDER_DEFAULT is reflect.


@pytest.mark.parametrize("size", [3, 5, 7])
def test_opencv_sobel(size):
    for angle, order in ((0, (1, 0)), (90, (0, 1))):
        expected = cv2.Sobel(GRAY, cv2.CV_32F, *order, ksize=size)
        np.testing.assert_array_equal(ek.sobel(GRAY, size=size, angle=angle, scale="raw"), expected)


def test_opencv_scharr():
    for angle, order in ((0, (1, 0)), (90, (0, 1))):
        expected = cv2.Scharr(GRAY, cv2.CV_32F, *order)
        np.testing.assert_array_equal(ek.scharr(GRAY, angle=angle, scale="raw"), expected)


def test_opencv_laplacian():
    np.testing.assert_array_equal(ek.laplacian(GRAY), cv2.Laplacian(GRAY, cv2.CV_32F, ksize=1))
    kernel = [[2, 0, 2], [0, -8, 0], [2, 0, 2]]
    np.testing.assert_array_equal(ek.correlate(GRAY, kernel), cv2.Laplacian(GRAY, cv2.CV_32F, ksize=3))


@pytest.mark.parametrize(
    ("border", "code"),
    [
        ("reflect", cv2.BORDER_REFLECT_101), ("symmetric", cv2.BORDER_REFLECT),
        ("edge", cv2.BORDER_REPLICATE), ("constant", cv2.BORDER_CONSTANT),
    ],
)  # fmt: skip
def test_opencv_filter2d(border, code):
    kernel = np.random.default_rng(0).integers(-9, 10, (5, 3)).astype(np.float32)
    expected = cv2.filter2D(GRAY, cv2.CV_32F, kernel, borderType=code)
    np.testing.assert_array_equal(ek.correlate(GRAY, kernel, border=border), expected)


def test_opencv_magnitude():
    gradient = ek.gradient(FLOAT)
    assert_close(gradient.magnitude, cv2.magnitude(gradient.gx, gradient.gy))


# scikit-image: responses are twice those of scale="unit". Its border "reflect" is NumPy's symmetric.
# Horizontal edges are gy. Magnitudes are divided by √2.


@pytest.mark.parametrize("operator", ["sobel", "scharr", "prewitt"])
def test_skimage_sobel_scharr_prewitt(operator):
    gradient = ek.gradient(FLOAT, operator=operator, border="symmetric")
    both, horizontal, vertical = (getattr(filters, operator + suffix) for suffix in ("", "_h", "_v"))
    assert_close(gradient.gy * 2, horizontal(FLOAT))
    assert_close(gradient.gx * 2, vertical(FLOAT))
    assert_close(gradient.magnitude * 2 / np.sqrt(2), both(FLOAT))


def test_skimage_roberts():
    # Coefficients of 1, and magnitudes divided by √2, as with scale="unit".
    assert_close(ek.roberts(FLOAT, border="symmetric")[:-1, :-1], filters.roberts(FLOAT)[:-1, :-1])


def test_skimage_farid():
    # Its coefficients have 15 digits, those of the paper 6; both are unscaled.
    gradient = ek.gradient(FLOAT, operator="farid", border="symmetric", scale="raw")
    assert_close(gradient.gy, filters.farid_h(FLOAT), 1e-5)
    assert_close(gradient.gx, filters.farid_v(FLOAT), 1e-5)
    assert_close(gradient.magnitude / np.sqrt(2), filters.farid(FLOAT), 1e-5)


def test_skimage_laplace():
    # Its centre coefficient is positive.
    assert_close(ek.laplacian(FLOAT, border="symmetric"), -filters.laplace(FLOAT))


def test_skimage_difference_of_gaussians():
    # It truncates each Gaussian at four sigma, which changes the sum by 1e-4.
    expected = filters.difference_of_gaussians(FLOAT, 1.5, 2.4, mode="nearest")
    assert_close(ek.dog(FLOAT, sigma=1.5, sigma2=2.4, border="edge", scale="raw"), expected, 3e-4)


# SciPy: unscaled kernels; axis 1 is x; its "mirror" is reflect.


@pytest.mark.parametrize("operator", ["sobel", "prewitt"])
def test_scipy_sobel_prewitt(operator):
    gradient = ek.gradient(FLOAT, operator=operator, scale="raw")
    assert_close(gradient.gx, getattr(ndimage, operator)(FLOAT, axis=1, mode="mirror"))
    assert_close(gradient.gy, getattr(ndimage, operator)(FLOAT, axis=0, mode="mirror"))


@pytest.mark.parametrize("sigma", [0.8, 1.0, 2.3])
def test_scipy_gaussian_derivative(sigma):
    gradient = ek.gradient(FLOAT, operator="gaussian", sigma=sigma, scale="raw")
    assert_close(gradient.gx, ndimage.gaussian_filter(FLOAT, sigma, order=(0, 1), mode="mirror"))
    assert_close(gradient.gy, ndimage.gaussian_filter(FLOAT, sigma, order=(1, 0), mode="mirror"))


@pytest.mark.parametrize("sigma", [0.8, 1.4, 3.0])
def test_scipy_gaussian_laplace(sigma):
    # Its response to constant images is not exactly 0; edgekit corrects this with a multiple of the Gaussian.
    excess = ndimage.gaussian_laplace(np.ones_like(FLOAT), sigma, mode="mirror")
    expected = ndimage.gaussian_laplace(FLOAT, sigma, mode="mirror")
    expected -= excess * ndimage.gaussian_filter(FLOAT, sigma, mode="mirror")
    assert_close(ek.laplacian(FLOAT, sigma=sigma, scale="raw"), expected)


def test_scipy_difference_of_gaussians():
    narrow, wide = (ndimage.gaussian_filter(FLOAT, s, radius=8, mode="mirror") for s in (1.0, 2.0))
    assert_close(ek.dog(FLOAT, sigma=1.0, sigma2=2.0, scale="raw"), narrow - wide)


# kornia: kernels are divided by the sum of absolute coefficients; spatial_gradient uses edge, laplacian reflect.


def tensor():
    return torch.from_numpy(np.array(FLOAT))[None, None]


def test_kornia_sobel():
    # The absolute coefficients of Sobel sum to 8, which is its gain: equal to scale="unit".
    expected = kornia.filters.spatial_gradient(tensor(), mode="sobel", order=1, normalized=True)
    gradient = ek.gradient(tensor(), border="edge")
    assert_close(gradient.gx.numpy(), expected[:, :, 0].numpy())
    assert_close(gradient.gy.numpy(), expected[:, :, 1].numpy())


def test_kornia_difference():
    # Coefficients -1/2 and 1/2.
    expected = kornia.filters.spatial_gradient(tensor(), mode="diff", order=1, normalized=True)
    assert_close(apply(tensor(), "central", {}, angle=0, border="edge").numpy(), expected[:, :, 0].numpy())


def test_kornia_laplacian():
    # Eight ones around -8: the absolute coefficients sum to 16.
    expected = kornia.filters.laplacian(tensor(), kernel_size=3, normalized=True)
    assert_close(ek.laplacian(tensor(), stencil=8, scale="raw").numpy() / 16, expected.numpy())
