"""The pixels that a strip looks at, those beyond the border too. May import borders, interface, strips and cv2."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import Frame
from edgekit.backends.opencv import tiling
from edgekit.common.load_cv2 import cv2
from edgekit.operators.borders import OUTSIDE, index_map

Array = NDArray[Any]

#: OpenCV filters this many channels at a time.
MOST_CHANNELS = 4

#: OpenCV's names of borders; it filters with no other.
BORDERS = {
    "reflect": cv2.BORDER_REFLECT_101,
    "symmetric": cv2.BORDER_REFLECT,
    "edge": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}

#: Types that it moves about.
_MOVED = {np.dtype(t) for t in (np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)}


def apart(image: Array) -> Array:
    """Return an image with no row that begins before the last one ends: OpenCV takes no other.

    Rows of a view may overlap, as those of sliding windows do, or be one and the same.
    """
    return image if image.strides[0] >= math.prod(image.shape[1:]) * image.itemsize else image.copy()


def window(
    image: Array, frame: Frame, start: int, stop: int, halo: tuple[int, int, int, int],
    border: str, dtype: Any, outside: float,
) -> Array:  # fmt: skip
    top, bottom, left, right = halo
    if border == "valid":
        return apart(image[start : stop + top + bottom]).astype(dtype, copy=False)
    start, stop = start - top, stop + bottom
    above, below = max(-start, 0), max(stop - frame.rows, 0)
    first, last = start + above, stop - below
    known = apart(image[first:last])
    size = (stop - start, left + frame.columns + right, *image.shape[2:])
    if (
        border in BORDERS
        and image.dtype in _MOVED
        # OpenCV reflects the strip, not the image: a last strip of one row lacks the row that is reflected.
        and max(above, below) < last - first
        and max(left, right) < frame.columns
        and (frame.channels or 1) <= MOST_CHANNELS
    ):
        padded = tiling.empty(size, image.dtype)
        bare = (known.view(np.uint8), padded.view(np.uint8)) if image.dtype == bool else (known, padded)
        sides = (above, below, left, right)
        cv2.copyMakeBorder(bare[0], *sides, BORDERS[border], bare[1], value=(outside,) * MOST_CHANNELS)
        if padded.dtype == dtype:
            return padded
        out = tiling.empty(size, dtype)
        out[...] = padded
        return out
    out = tiling.empty(size, dtype)
    inner = out[:, left : left + frame.columns]
    inner[above : above + last - first] = known
    for line, source in (
        *enumerate(index_map(start, first, frame.rows, border)),
        *enumerate(index_map(last, stop, frame.rows, border), last - start),
    ):
        inner[line] = outside if source == OUTSIDE else image[source]
    for line, source in (
        *enumerate(index_map(-left, 0, frame.columns, border)),
        *enumerate(index_map(frame.columns, frame.columns + right, frame.columns, border), left + frame.columns),
    ):
        out[:, line] = outside if source == OUTSIDE else out[:, left + source]
    return out
