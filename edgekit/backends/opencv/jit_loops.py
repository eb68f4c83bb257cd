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
Beyond = tuple[int, int, int, int]
Taps = tuple[int, ...]
Weights = tuple[float, ...]


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # Nowhere to write.
        return numba.njit(nogil=True)(function)


# Numba adds numbers of 32 bits in 64, in which half as many fit into a register: each sum is cut back at once.


@_compiled
def _gradient(above: Array, here: Array, below: Array, left: int, j: int, right: int, taps: Taps) -> tuple[Any, Any]:
    """Return both components at a pixel, whose neighbours lie in these lines at these places."""
    corner, middle = taps
    a0, a1, a2 = np.int32(above[left]), np.int32(above[j]), np.int32(above[right])
    h0, h2 = np.int32(here[left]), np.int32(here[right])
    b0, b1, b2 = np.int32(below[left]), np.int32(below[j]), np.int32(below[right])
    gx = np.int32(corner * np.int32(np.int32(a2 - a0) + np.int32(b2 - b0))) + np.int32(middle * np.int32(h2 - h0))
    gy = np.int32(corner * np.int32(np.int32(b0 - a0) + np.int32(b2 - a2))) + np.int32(middle * np.int32(b1 - a1))
    return np.float32(np.int32(gx)), np.float32(np.int32(gy))


@_compiled
def _gradient_magnitude(
    above: Array, here: Array, below: Array, left: int, j: int, right: int, taps: Taps, weights: Weights
) -> Any:
    gx, gy = _gradient(above, here, below, left, j, right, taps)
    (unit,) = weights
    gx, gy = unit * gx, unit * gy
    return math.sqrt(gx * gx + gy * gy)


@_compiled
def _gradient_along(
    above: Array, here: Array, below: Array, left: int, j: int, right: int, taps: Taps, weights: Weights
) -> Any:
    along_x, along_y = weights
    gx, gy = _gradient(above, here, below, left, j, right, taps)
    # What has no weight is not even computed.
    if along_y == 0:
        return gx * along_x
    if along_x == 0:
        return gy * along_y
    return gx * along_x + gy * along_y


@_compiled
def _even(above: Array, here: Array, below: Array, left: int, j: int, right: int, taps: Taps, weights: Weights) -> Any:
    corner, edge, centre = taps
    (weight,) = weights
    a0, a1, a2 = np.int32(above[left]), np.int32(above[j]), np.int32(above[right])
    h0, h1, h2 = np.int32(here[left]), np.int32(here[j]), np.int32(here[right])
    b0, b1, b2 = np.int32(below[left]), np.int32(below[j]), np.int32(below[right])
    corners = np.int32(np.int32(a0 + a2) + np.int32(b0 + b2))
    edges = np.int32(np.int32(a1 + b1) + np.int32(h0 + h2))
    around = np.int32(np.int32(corner * corners) + np.int32(edge * edges))
    return weight * np.float32(np.int32(around + np.int32(centre * h1)))


@_compiled
def _room(image: Array) -> tuple[Array, Array]:
    """Return a line of zeros, and room for the pixels around one."""
    return np.zeros(image.shape[1], image.dtype), np.zeros((3, 3), image.dtype)


@_compiled
def _lines(image: Array, row: int, beyond: Beyond, zeros: Array) -> tuple[Array, Array, Array]:
    """Return the lines above, here and below."""
    up = beyond[0] if row == 0 else row - 1
    down = beyond[1] if row == image.shape[0] - 1 else row + 1
    return (zeros if up < 0 else image[up]), image[row], (zeros if down < 0 else image[down])


@_compiled
def _cut_out(above: Array, here: Array, below: Array, j: int, beyond: Beyond, cut: Array) -> None:
    """Lay the pixels around the first or the last of a line into `cut`."""
    left = beyond[2] if j == 0 else j - 1
    right = beyond[3] if j == here.size - 1 else j + 1
    for k, place in enumerate((left, j, right)):
        cut[0, k] = above[place] if place >= 0 else 0
        cut[1, k] = here[place] if place >= 0 else 0
        cut[2, k] = below[place] if place >= 0 else 0


# What follows computes some rows of a response to 3x3 pixels, in whole numbers and, from there on, in single precision,
# where that is exact but for a last product, sum or root:
#
#   image    (H, W), each at least 2
#   start    the first row to compute
#   beyond   which row lies above the first and below the last, which column left of the first and right of the last;
#            -1 is one of zeros
#   taps     whole numbers, of int32, so that no sum on the way is more than 2^24
#   weights  factors of what they come to, of float32
#   out      the rows from `start` on, of float32
#
# They are three of one shape: Numba does not find a loop on disk again that is given, or closes over, what it calls.


@_compiled
def gradient_magnitude(image: Array, start: int, beyond: Beyond, taps: Taps, weights: Weights, out: Array) -> None:
    """Compute the root of the squares of both components: corner and middle tap, and a factor of both."""
    last = image.shape[1] - 1
    zeros, cut = _room(image)
    for i in range(out.shape[0]):
        above, here, below = _lines(image, start + i, beyond, zeros)
        line = out[i]
        for j in range(1, last):
            line[j] = _gradient_magnitude(above, here, below, j - 1, j, j + 1, taps, weights)
        for j in (0, last):
            _cut_out(above, here, below, j, beyond, cut)
            line[j] = _gradient_magnitude(cut[0], cut[1], cut[2], 0, 1, 2, taps, weights)


@_compiled
def gradient_along(image: Array, start: int, beyond: Beyond, taps: Taps, weights: Weights, out: Array) -> None:
    """Compute the weighted sum of both components: corner and middle tap, and their weights."""
    last = image.shape[1] - 1
    zeros, cut = _room(image)
    for i in range(out.shape[0]):
        above, here, below = _lines(image, start + i, beyond, zeros)
        line = out[i]
        for j in range(1, last):
            line[j] = _gradient_along(above, here, below, j - 1, j, j + 1, taps, weights)
        for j in (0, last):
            _cut_out(above, here, below, j, beyond, cut)
            line[j] = _gradient_along(cut[0], cut[1], cut[2], 0, 1, 2, taps, weights)


@_compiled
def even(image: Array, start: int, beyond: Beyond, taps: Taps, weights: Weights, out: Array) -> None:
    """Compute the response of a kernel with the symmetries of the square: corner, edge and centre, and a weight."""
    last = image.shape[1] - 1
    zeros, cut = _room(image)
    for i in range(out.shape[0]):
        above, here, below = _lines(image, start + i, beyond, zeros)
        line = out[i]
        for j in range(1, last):
            line[j] = _even(above, here, below, j - 1, j, j + 1, taps, weights)
        for j in (0, last):
            _cut_out(above, here, below, j, beyond, cut)
            line[j] = _even(cut[0], cut[1], cut[2], 0, 1, 2, taps, weights)


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
