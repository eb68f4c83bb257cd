"""Moments of the Laplacian of 8 bits, in whole numbers. May import NumPy, cv2, fast and strips."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.opencv import jit, tiling
from edgekit.common.load_cv2 import cv2

Array = NDArray[Any]


def laplacian_moments(image: Array) -> tuple[float, float]:
    """Return mean and mean square of the 4-neighbour Laplacian of an 8-bit plane, as exact integers divided once."""
    rows, columns = image.shape
    compiled = jit.loops(image.size) if min(image.shape) > 1 and image.flags.c_contiguous else None
    sums: list[tuple[int, int]] = []

    def do(start: int, stop: int) -> None:
        if compiled is not None:
            sums.append(compiled.laplacian_moments(image, start, stop))
            return
        first, last = max(start - 1, 0), min(stop + 1, rows)
        sums.append(laplacian_sums(image[first:last], slice(start - first, stop - first), slice(columns)))

    tiling.each(rows, tiling.height(columns, 16), cv2.getNumThreads(), do)
    total, squares = map(sum, zip(*sums, strict=True))
    return total / image.size, squares / image.size


def laplacian_sums(window: Array, rows: slice, columns: slice) -> tuple[int, int]:
    """Return the sum and the sum of squares of the 4-neighbour Laplacian over some rows and columns of 8 bits."""
    # 16 bits hold it, and OpenCV adds their squares fastest.
    response = tiling.empty(window.shape, np.int16)
    cv2.Laplacian(window, cv2.CV_16S, response)
    part = response[rows, columns]
    # The norm may come from its root, and be off in the last place.
    return round(cv2.sumElems(part)[0]), round(cv2.norm(part, cv2.NORM_L2SQR))
