"""Compiled loops: what takes several passes in NumPy and OpenCV, in one, to the same bits. May import NumPy and Numba.

Each is compiled at its first use and kept on disk. They leave the interpreter to other threads.
"""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # Nowhere to write.
        return numba.njit(nogil=True)(function)


@_compiled
def gradient_magnitude(
    image: Array, start: int, beyond: tuple[int, int, int, int], corner: float, middle: float, unit: float, out: Array
) -> None:
    """Compute some rows of the magnitude of a 3x3 gradient, in single precision, where that is exact but for the root.

    Parameters
    ----------
    image : ndarray
        (H, W), each at least 2.
    start : int
        The first row to compute.
    beyond : tuple of int
        Which row lies above the first and below the last, which column left of the first and right of
        the last; -1 is one of zeros.
    corner, middle : float32
        The derivative's taps are [[-corner, 0, corner], [-middle, 0, middle], [-corner, 0, corner]].
    unit : float32
        What both components are multiplied with.
    out : ndarray of float32
        The rows from `start` on.
    """
    rows, columns = image.shape
    top, bottom, left, right = beyond
    zeros = np.zeros(columns, image.dtype)
    for i in range(out.shape[0]):
        up, row, down = start + i - 1, start + i, start + i + 1
        up, down = (top if up < 0 else up), (bottom if down == rows else down)
        above, here, below = (zeros if up < 0 else image[up]), image[row], (zeros if down < 0 else image[down])
        line = out[i]
        for j in range(1, columns - 1):
            gx = corner * (
                (np.float32(above[j + 1]) - np.float32(above[j - 1]))
                + (np.float32(below[j + 1]) - np.float32(below[j - 1]))
            ) + middle * (np.float32(here[j + 1]) - np.float32(here[j - 1]))
            gy = corner * (
                (np.float32(below[j - 1]) - np.float32(above[j - 1]))
                + (np.float32(below[j + 1]) - np.float32(above[j + 1]))
            ) + middle * (np.float32(below[j]) - np.float32(above[j]))
            gx, gy = unit * gx, unit * gy
            line[j] = math.sqrt(gx * gx + gy * gy)
        for j, before, after in ((0, left, 1), (columns - 1, columns - 2, right)):
            a0, h0, b0 = np.float32(0), np.float32(0), np.float32(0)
            a1, h1, b1 = np.float32(0), np.float32(0), np.float32(0)
            if before >= 0:
                a0, h0, b0 = np.float32(above[before]), np.float32(here[before]), np.float32(below[before])
            if after >= 0:
                a1, h1, b1 = np.float32(above[after]), np.float32(here[after]), np.float32(below[after])
            gx = corner * ((a1 - a0) + (b1 - b0)) + middle * (h1 - h0)
            gy = corner * ((b0 - a0) + (b1 - a1)) + middle * (np.float32(below[j]) - np.float32(above[j]))
            gx, gy = unit * gx, unit * gy
            line[j] = math.sqrt(gx * gx + gy * gy)


@_compiled
def laplacian_moments(image: Array, start: int, stop: int) -> tuple[Any, Any]:
    """Return the sum and the sum of squares of the 4-neighbour Laplacian of an 8-bit image, over some rows.

    Beyond its border the image is reflected; (H, W), each at least 2.
    """
    rows, columns = image.shape
    total, squares = np.int64(0), np.int64(0)
    for i in range(start, stop):
        above, here, below = image[abs(i - 1)], image[i], image[i + 1 if i + 1 < rows else rows - 2]
        for j in range(1, columns - 1):
            value = np.int32(
                np.int32(above[j])
                + np.int32(below[j])
                + np.int32(here[j - 1])
                + np.int32(here[j + 1])
                - np.int32(4) * np.int32(here[j])
            )
            total += value
            squares += np.int32(value * value)
        for j, inner in ((0, 1), (columns - 1, columns - 2)):
            edge = np.int64(above[j]) + np.int64(below[j]) + 2 * np.int64(here[inner]) - 4 * np.int64(here[j])
            total += edge
            squares += edge * edge
    return total, squares


@_compiled
def levels(values: Array, scale: float, middle: float, top: float, out: Array) -> int:
    """Turn a response into levels: scaled, rounded, absolute where `middle` is 0; return how many were clipped.

    Parameters
    ----------
    values, out : ndarray
        (N,), of float32 and of unsigned integers. NaN becomes `middle` and does not count.
    scale, middle, top : float32
        Levels for each unit of the response; the level of 0; the highest level.
    """
    clipped = 0
    low = np.float32(1) if middle else np.float32(0)
    for j in range(values.size):
        value = np.rint(values[j] * scale)
        level = value + middle if middle else abs(value)
        clipped += (level > top) | (level < low)
        level = middle if level != level else min(max(level, np.float32(0)), top)
        out[j] = np.uint16(np.int32(level))
    return int(clipped)
