"""Order and number of channels, by OpenCV for the types that it converts. Imports OpenCV's loader only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends._cv2 import cv2

Array = NDArray[Any]

#: Types that `cv2.cvtColor` takes.
_CONVERTED = ("uint8", "uint16", "float32")

#: Weights of red, green and blue in luminance (Rec. ITU-R BT.601).
_LUMINANCE = (0.299, 0.587, 0.114)


def swap_red_and_blue(image: Array) -> Array:
    """Turn BGR, which OpenCV's files have, into RGB, or back."""
    if image.dtype.name in _CONVERTED:
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(image[:, :, ::-1])


def to_grey(image: Array) -> Array:
    """Return the luminance of RGB, rounded as OpenCV does for 8 and 16 bits; other images as they are."""
    if image.ndim == 2 or image.shape[2] not in (3, 4):
        return image
    if image.dtype.name in _CONVERTED:
        return cv2.cvtColor(np.ascontiguousarray(image[:, :, :3]), cv2.COLOR_RGB2GRAY)
    grey: Array = image[:, :, :3] @ np.array(_LUMINANCE)
    return grey.astype(image.dtype) if image.dtype.kind == "f" else grey
