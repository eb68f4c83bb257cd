"""Compiled loops: one pass where NumPy and OpenCV need several, with the same bits.

Each is compiled at its first use and cached on disk. The loops release the interpreter lock.

May import `operators` and what is below it.
"""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from edgekit.backends.opencv.jit_checks import all_above, as_integer, not_finite
from edgekit.backends.opencv.jit_compiler import compiled
from edgekit.backends.opencv.jit_edges import connected as connected
from edgekit.backends.opencv.jit_edges import local_maxima as local_maxima
from edgekit.backends.opencv.jit_edges import thin as thin

Array = NDArray[Any]
Beyond = tuple[int, int, int, int]
Coefficients = tuple[int, ...]
Weights = tuple[float, ...]


# Numba adds integers of 32 bits in 64 bits, and a register holds half as many of these: each sum is cut to 32 bits.
#
# The loops below compute responses of 3x3 kernels: each row without copying it, then its two ends. They are
# written out one by one: Numba does not find a loop in its cache that receives or closes over another function.
#
#   image         (H, W), integers or floats
#   start         the first row to compute
#   beyond        the rows that are used above the first and below the last row, and the columns left of the first and
#                 right of the last column; -1 for zeros
#   coefficients  integers of int32, so small that no sum is larger than 2^24; for floats of the image's type
#   weights       factors of the sums, of the type of `out`
#   out           the rows from `start` on, of float32, or of the image's type for floats
#
# A loop returns whether the response of floats is doubtful: somewhere it is not finite, or squares were rounded to 0.
#
# `_gradient` and `_symmetric` have one version for integers and others for floats. Numba chooses by the types of the
# arguments when it compiles a loop. Python itself never calls them: they raise there.


@compiled
def _row(image: Array, i: int, beyond: Beyond, zeros: Array) -> Array:
    """Return a row of the image, or the one that takes its place above the first or below the last row."""
    if i < 0:
        i = beyond[0]
    elif i == image.shape[0]:
        i = beyond[1]
    return zeros if i < 0 else image[i]


@compiled
def _copy_ends(row: Array, beyond: Beyond, ends: Array) -> None:
    """Copy the neighbours of the first pixel of a row, and of the last: three pixels each."""
    last, left, right = row.size - 1, beyond[2], beyond[3]
    ends[0] = ends[3] = row[left] if left >= 0 else 0
    ends[1], ends[4] = row[0], row[last]
    ends[2] = ends[5] = row[right] if right >= 0 else 0
    if last > 0:
        ends[2], ends[3] = row[1], row[last - 1]


@compiled
def _rows(image: Array, i: int, beyond: Beyond, zeros: Array, ends: Array) -> tuple[Array, Array, Array]:
    """Return the rows above, at and below `i`, and copy their ends."""
    above, here, below = _row(image, i - 1, beyond, zeros), image[i], _row(image, i + 1, beyond, zeros)
    _copy_ends(above, beyond, ends[0])
    _copy_ends(here, beyond, ends[1])
    _copy_ends(below, beyond, ends[2])
    return above, here, below


@compiled
def _memory(image: Array) -> tuple[int, Array, Array]:
    """Return the last column, a row of zeros, and memory for the ends of three rows."""
    columns = image.shape[1]
    return columns - 1, np.zeros(columns, image.dtype), np.empty((3, 6), image.dtype)


def _gradient_of_integers(
    above: Array, here: Array, below: Array, j: int, coefficients: Coefficients
) -> tuple[Any, Any]:  # fmt: skip
    corner, middle = coefficients
    a0, a1, a2 = np.int32(above[j]), np.int32(above[j + 1]), np.int32(above[j + 2])
    h0, h2 = np.int32(here[j]), np.int32(here[j + 2])
    b0, b1, b2 = np.int32(below[j]), np.int32(below[j + 1]), np.int32(below[j + 2])
    gx = np.int32(corner * np.int32(np.int32(a2 - a0) + np.int32(b2 - b0))) + np.int32(middle * np.int32(h2 - h0))
    gy = np.int32(corner * np.int32(np.int32(b0 - a0) + np.int32(b2 - a2))) + np.int32(middle * np.int32(b1 - a1))
    return np.float32(np.int32(gx)), np.float32(np.int32(gy))


def _gradient_of_floats(
    above: Array, here: Array, below: Array, j: int, coefficients: Coefficients
) -> tuple[Any, Any]:  # fmt: skip
    # In the order of the plain steps: differences first.
    corner, middle = coefficients
    gx = corner * ((above[j + 2] - above[j]) + (below[j + 2] - below[j])) + middle * (here[j + 2] - here[j])
    gy = corner * ((below[j] - above[j]) + (below[j + 2] - above[j + 2])) + middle * (below[j + 1] - above[j + 1])
    return gx, gy


def _gradient(above: Array, here: Array, below: Array, j: int, coefficients: Coefficients) -> tuple[Any, Any]:
    """Return both components at a pixel whose neighbours are in columns j to j + 2 of three rows."""
    raise NotImplementedError


@overload(_gradient, strict=False)
def _(above: Any, here: Any, below: Any, j: Any, coefficients: Any) -> Callable[..., Any]:
    return _gradient_of_floats if isinstance(above.dtype, numba.types.Float) else _gradient_of_integers


def _symmetric_of_integers(
    above: Array, here: Array, below: Array, j: int, coefficients: Coefficients
) -> Any:  # fmt: skip
    corner, edge, centre = coefficients
    a0, a1, a2 = np.int32(above[j]), np.int32(above[j + 1]), np.int32(above[j + 2])
    h0, h1, h2 = np.int32(here[j]), np.int32(here[j + 1]), np.int32(here[j + 2])
    b0, b1, b2 = np.int32(below[j]), np.int32(below[j + 1]), np.int32(below[j + 2])
    corners = np.int32(np.int32(a0 + a2) + np.int32(b0 + b2))
    edges = np.int32(np.int32(a1 + b1) + np.int32(h0 + h2))
    around = np.int32(np.int32(corner * corners) + np.int32(edge * edges))
    return np.float32(np.int32(around + np.int32(centre * h1)))


def _cross_of_floats(above: Array, here: Array, below: Array, j: int, coefficients: Coefficients) -> Any:
    # In the order of the plain steps. This order and that of `_symmetric_of_floats` give 0 on a flat image.
    edge, centre = coefficients
    return (((edge * above[j + 1] + edge * here[j]) + centre * here[j + 1]) + edge * here[j + 2]) + edge * below[j + 1]


def _symmetric_of_floats(above: Array, here: Array, below: Array, j: int, coefficients: Coefficients) -> Any:
    corner, edge, _ = coefficients
    a0, a1, a2 = above[j], above[j + 1], above[j + 2]
    h0, h1, h2 = here[j], here[j + 1], here[j + 2]
    b0, b1, b2 = below[j], below[j + 1], below[j + 2]
    total = ((corner * (a0 - h1) + edge * (a1 - h1)) + corner * (a2 - h1)) + edge * (h0 - h1)
    return (((total + edge * (h2 - h1)) + corner * (b0 - h1)) + edge * (b1 - h1)) + corner * (b2 - h1)


def _symmetric(above: Array, here: Array, below: Array, j: int, coefficients: Coefficients) -> Any:
    """Return the sum of a kernel with the symmetries of the square, at a pixel as for `_gradient`."""
    raise NotImplementedError


@overload(_symmetric, strict=False)
def _(above: Any, here: Any, below: Any, j: Any, coefficients: Any) -> Callable[..., Any]:
    if not isinstance(above.dtype, numba.types.Float):
        return _symmetric_of_integers
    return _cross_of_floats if len(coefficients) == 2 else _symmetric_of_floats


@compiled
def _some_tiny(
    above: Array, here: Array, below: Array, ends: Array, coefficients: Coefficients, weights: Weights
) -> Any:  # fmt: skip
    """Tell whether somewhere in a row the sum of squares is too small to be exact, and not 0 for a gradient of 0."""
    found = _tiny(ends[0], ends[1], ends[2], 0, coefficients, weights)
    found |= _tiny(ends[0], ends[1], ends[2], 3, coefficients, weights)
    for j in range(here.size - 2):
        found |= _tiny(above, here, below, j, coefficients, weights)
    return found != 0


@compiled
def _tiny(above: Array, here: Array, below: Array, j: int, coefficients: Coefficients, weights: Weights) -> Any:
    unit, least = weights
    gx, gy = _gradient(above, here, below, j, coefficients)
    gx, gy = unit * gx, unit * gy
    return np.int32((gx * gx + gy * gy < least) & ((gx != 0) | (gy != 0)))


@compiled
def _magnitude(above: Array, here: Array, below: Array, j: int, coefficients: Coefficients, weights: Weights) -> Any:
    unit, _ = weights
    gx, gy = _gradient(above, here, below, j, coefficients)
    gx, gy = unit * gx, unit * gy
    return math.sqrt(gx * gx + gy * gy)


@compiled
def _weighted_sum(gx: Any, gy: Any, weights: Weights) -> Any:
    """Return the weighted sum of both components; one of weight 0 is left out."""
    along_x, along_y = weights
    if along_y == 0:
        return gx * along_x
    if along_x == 0:
        return gy * along_y
    return gx * along_x + gy * along_y


@compiled
def _along(above: Array, here: Array, below: Array, j: int, coefficients: Coefficients, weights: Weights) -> Any:
    gx, gy = _gradient(above, here, below, j, coefficients)
    return _weighted_sum(gx, gy, weights)


@compiled
def _even(above: Array, here: Array, below: Array, j: int, coefficients: Coefficients, weights: Weights) -> Any:
    (weight,) = weights
    return weight * _symmetric(above, here, below, j, coefficients)


@compiled
def gradient_magnitude(
    image: Array, start: int, beyond: Beyond, coefficients: Coefficients, weights: Weights, out: Array
) -> Any:
    """Compute the root of the squares of both components; the weights are their factor and the least sum of squares."""
    last, zeros, ends = _memory(image)
    doubtful = False
    small = as_integer(image, np.sqrt(weights[1]))
    for i in range(out.shape[0]):
        above, here, below = _rows(image, start + i, beyond, zeros, ends)
        line = out[i]
        for j in range(1, last):
            line[j] = _magnitude(above, here, below, j - 1, coefficients, weights)
        line[0] = _magnitude(ends[0], ends[1], ends[2], 0, coefficients, weights)
        line[last] = _magnitude(ends[0], ends[1], ends[2], 3, coefficients, weights)
        # Only rows with small magnitudes are computed again.
        if not all_above(here, line, small):
            doubtful |= _some_tiny(above, here, below, ends, coefficients, weights)
        doubtful |= not_finite(here, line)
    return doubtful


@compiled
def gradient_along(
    image: Array, start: int, beyond: Beyond, coefficients: Coefficients, weights: Weights, out: Array
) -> Any:
    """Compute the weighted sum of both components."""
    last, zeros, ends = _memory(image)
    doubtful = False
    for i in range(out.shape[0]):
        above, here, below = _rows(image, start + i, beyond, zeros, ends)
        line = out[i]
        for j in range(1, last):
            line[j] = _along(above, here, below, j - 1, coefficients, weights)
        line[0] = _along(ends[0], ends[1], ends[2], 0, coefficients, weights)
        line[last] = _along(ends[0], ends[1], ends[2], 3, coefficients, weights)
        doubtful |= not_finite(here, line)
    return doubtful


@compiled
def gradient(
    image: Array, start: int, beyond: Beyond, coefficients: Coefficients, along_x: Array, along_y: Array
) -> None:  # fmt: skip
    """Compute both components, without their weights."""
    last, zeros, ends = _memory(image)
    for i in range(along_x.shape[0]):
        above, here, below = _rows(image, start + i, beyond, zeros, ends)
        line_x, line_y = along_x[i], along_y[i]
        for j in range(1, last):
            line_x[j], line_y[j] = _gradient(above, here, below, j - 1, coefficients)
        line_x[0], line_y[0] = _gradient(ends[0], ends[1], ends[2], 0, coefficients)
        line_x[last], line_y[last] = _gradient(ends[0], ends[1], ends[2], 3, coefficients)


@compiled
def weighted(along_x: Array, along_y: Array, weights: Weights, out: Array) -> Any:
    """Compute the weighted sum of components, as `gradient_along` does."""
    doubtful = False
    for i in range(out.shape[0]):
        line_x, line_y, line = along_x[i], along_y[i], out[i]
        for j in range(line.size):
            line[j] = _weighted_sum(line_x[j], line_y[j], weights)
        doubtful |= not_finite(line_x, line)
    return doubtful


@compiled
def symmetric(
    image: Array, start: int, beyond: Beyond, coefficients: Coefficients, weights: Weights, out: Array
) -> Any:
    """Compute the response of a kernel with the symmetries of the square.

    Its coefficients are those at corners, at edges and at the centre. For floats, a first one of 0 is left out.
    """
    last, zeros, ends = _memory(image)
    doubtful = False
    for i in range(out.shape[0]):
        above, here, below = _rows(image, start + i, beyond, zeros, ends)
        line = out[i]
        for j in range(1, last):
            line[j] = _even(above, here, below, j - 1, coefficients, weights)
        line[0] = _even(ends[0], ends[1], ends[2], 0, coefficients, weights)
        line[last] = _even(ends[0], ends[1], ends[2], 3, coefficients, weights)
        doubtful |= not_finite(here, line)
    return doubtful


@compiled
def laplacian_sums(image: Array, start: int, stop: int) -> tuple[Any, Any]:
    """Return the sum and the sum of squares of the 4-neighbour Laplacian of an 8-bit image, over some rows.

    The image has (H, W) pixels, each at least 2. Its border is "reflect".
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


@compiled
def quantize(values: Array, scale: float, middle: float, top: float, out: Array) -> int:
    """Scale and round a response to integers from 0 to `top`; return how many values were clipped.

    Parameters
    ----------
    values, out : ndarray
        (N,), of float32 and of unsigned integers. NaN becomes `middle` and does not count.
    scale, middle, top : float32
        Integers for each unit of the response; the integer of the response 0, or 0 for absolute responses; the largest.
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
