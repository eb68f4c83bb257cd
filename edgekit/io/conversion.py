"""Converts decoded images: order of the channels, gray, size. By OpenCV; imports nothing else of edgekit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2

Array = NDArray[Any]

#: The types that `cv2.cvtColor` converts.
_OPENCV_TYPES = ("uint8", "uint16", "float32")


def swap_red_and_blue(image: Array) -> Array:
    """Convert BGR or BGRA, the order of OpenCV, to RGB or RGBA, or back."""
    if image.shape[2] == 3 and image.dtype.name in _OPENCV_TYPES:
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(image[:, :, [2, 1, 0, 3][: image.shape[2]]])


def to_gray(image: Array) -> Array:
    """Return the luminance of an RGB image in its own type. Types that OpenCV does not convert stay RGB."""
    if image.ndim == 2 or image.shape[2] not in (3, 4) or image.dtype.name not in _OPENCV_TYPES:
        return image
    return cv2.cvtColor(np.ascontiguousarray(image[:, :, :3]), cv2.COLOR_RGB2GRAY)


#: Weights of red, green and blue in OpenCV's TIFF reader, in units of 2^-14.
_TIFF_WEIGHTS = (4899, 9617, 1868)


def to_gray_as_tiff(image: Array) -> Array:
    """Return the luminance of an RGB or RGBA image as OpenCV's TIFF reader computes it.

    It rounds in another way than `to_gray`, which converts all types other than uint8 and uint16 here.
    """
    if image.dtype not in (np.uint8, np.uint16):
        return to_gray(image)
    # These sums are exact: products of 8 and 14 bits in float32, of 16 and 14 bits in float64. Halves are rounded up.
    rgb = np.ascontiguousarray(image[:, :, :3])
    if image.dtype == np.uint8:
        return cv2.transform(rgb, np.array([[*_TIFF_WEIGHTS, 0.5]], np.float32) / 2**14)
    gray = cv2.transform(rgb.astype(np.float64), np.array([[*_TIFF_WEIGHTS, 2**13]], np.float64) / 2**14)
    return gray.astype(image.dtype)


def shrink(image: Array, longest: int) -> Array:
    """Reduce a uint8 or float32 image to `longest` pixels on its longer side. Smaller images stay as they are."""
    rows, columns = image.shape[:2]
    scale = longest / max(rows, columns)
    if scale >= 1:
        return image
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
