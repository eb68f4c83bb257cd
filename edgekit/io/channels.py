"""Order and number of channels, by OpenCV for the types that it converts. Imports OpenCV's loader only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2

Array = NDArray[Any]

#: Types that `cv2.cvtColor` takes.
_CONVERTED = ("uint8", "uint16", "float32")


def swap_red_and_blue(image: Array) -> Array:
    """Turn BGR or BGRA, which OpenCV's files have, into RGB or RGBA, or back."""
    if image.shape[2] == 3 and image.dtype.name in _CONVERTED:
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(image[:, :, [2, 1, 0, 3][: image.shape[2]]])


def to_grey(image: Array) -> Array:
    """Return the luminance of RGB in the image's own type; of types that OpenCV does not convert, the image."""
    if image.ndim == 2 or image.shape[2] not in (3, 4) or image.dtype.name not in _CONVERTED:
        return image
    return cv2.cvtColor(np.ascontiguousarray(image[:, :, :3]), cv2.COLOR_RGB2GRAY)


#: Weights of red, green and blue in OpenCV's own TIFF reader, of 2^14.
_TIFF_WEIGHTS = (4899, 9617, 1868)


def to_grey_as_tiff(image: Array) -> Array:
    """Return the luminance of RGB or RGBA as OpenCV's TIFF reader gives it, which rounds otherwise than `to_grey`.

    Types that it does not convert are as `to_grey` has them.
    """
    if image.dtype not in (np.uint8, np.uint16):
        return to_grey(image)
    # Exact: 8 bits by 14 fit into single precision, 16 by 14 into double; halves are rounded up.
    bare = np.ascontiguousarray(image[:, :, :3])
    if image.dtype == np.uint8:
        return cv2.transform(bare, np.array([[*_TIFF_WEIGHTS, 0.5]], np.float32) / 2**14)
    deep = cv2.transform(bare.astype(np.float64), np.array([[*_TIFF_WEIGHTS, 2**13]], np.float64) / 2**14)
    return deep.astype(image.dtype)
