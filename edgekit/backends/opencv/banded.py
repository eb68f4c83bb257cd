"""Correlates with a long row or column of coefficients by products with a banded matrix.

May import `operators` and what is below it.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.operators.kernels import Matrix, column, row, shape

Array = NDArray[Any]

#: Correlates pixels: returns those whose whole kernel lies within the given ones.
Step = Callable[[Array], Array]

#: Output pixels along the line in one product. With more of them the matrix has more zeros, with fewer more pixels are
#: loaded twice.
WIDTH = 16

#: Lines in a product, at least: fewer leave registers empty.
LINES = 8

#: Multiplications in a product, at most. OpenBLAS computes so few (up to 2^18, on some processors half as many) in the
#: calling thread and always in the same order.
MOST = 120_000


def line(coefficients: Matrix) -> Step:
    """Return a step that correlates with a row or a column of coefficients, in double precision."""
    rows, columns = shape(coefficients)
    length, width = rows * columns, WIDTH
    while width > 1 and (length + width - 1) * width * LINES > MOST:
        width //= 2
    # Column j holds the coefficients from row j on.
    band = np.zeros((length + width - 1, width))
    for j in range(width):
        band[j : j + length, j] = np.ravel(coefficients)

    def step(pixels: Array) -> Array:
        if pixels.ndim == 3:
            return np.stack([step(pixels[:, :, c]) for c in range(pixels.shape[2])], axis=2)
        made = np.empty((pixels.shape[0] - rows + 1, pixels.shape[1] - columns + 1), np.float64)
        doubles = _as_doubles(pixels)
        if columns > 1:
            _multiply(doubles, band, made)
        else:
            _multiply(doubles.T, band, made.T)
        return made

    return step


def line_of_differences(coefficients: Matrix) -> Step | None:
    """Return `line` for coefficients that sum to zero, computed from differences of neighbours.

    On a flat image all differences are 0, and so is the response. None where a coefficient is zero or nearly so: the
    rounding of the two differences at its pixel could be larger than the rest of the response.
    """
    values = np.ravel(coefficients).tolist()
    largest = max(range(len(values)), key=lambda i: abs(values[i]))
    # Summation by parts: sum(c[i] * x[i]) = sum(r[i] * (x[i + 1] - x[i])). Here r[i] is minus the sum of the
    # coefficients up to c[i], or the sum of those after it. The largest coefficient absorbs the rounding of the sum.
    sums = [-math.fsum(values[: i + 1]) if i < largest else math.fsum(values[i + 1 :]) for i in range(len(values) - 1)]
    # The rounding of these sums in double precision, against four roundings of the smallest coefficient in single.
    if min(map(abs, values)) < max(map(abs, sums)) * len(values) * 2.0**-31:
        return None
    product, axis = line(_laid(sums, coefficients)), int(len(coefficients) == 1)
    return lambda pixels: product(_neighbour_differences(pixels, axis))


def line_over_bytes(coefficients: Matrix) -> Step | None:
    """Return `line` for coefficients that sum to zero and pixels of 8 bits, computed without any rounding.

    The coefficients are rounded to multiples of a power of two, so large that double precision holds every sum: the
    response to a flat image is 0. None where this would change a coefficient in the digits of single precision.
    """
    values = np.ravel(coefficients).tolist()
    total = math.fsum(map(abs, values))
    # A sum is below 255 * total < 2^(exponent + 8); one of the 53 digits is left for the rounding below.
    step = 2.0 ** max(math.frexp(total)[1] + 8 - 52, -1074)
    # Half a step is then less than half a unit in the last place of single precision.
    if min(abs(v) for v in values if v) < total * 2.0**-20:
        return None
    multiples = [round(v / step) for v in values]
    # The largest coefficient absorbs what rounding left of the sum.
    largest = max(range(len(multiples)), key=lambda i: abs(multiples[i]))
    multiples[largest] -= sum(multiples)
    return line(_laid([m * step for m in multiples], coefficients))


def _neighbour_differences(pixels: Array, axis: int) -> Array:
    before, after = (pixels[:, :-1], pixels[:, 1:]) if axis else (pixels[:-1], pixels[1:])
    made = np.empty(before.shape, np.float64)
    # NumPy takes twice as long where rows are not contiguous.
    cv2.subtract(after, before, made, dtype=cv2.CV_64F)
    return made


def _laid(values: list[float], coefficients: Matrix) -> Matrix:
    """Return values as a row or a column, as the coefficients are."""
    return row(values) if len(coefficients) == 1 else column(values)


def _as_doubles(pixels: Array) -> Array:
    """Return pixels in the layout that BLAS needs: contiguous in each row."""
    if pixels.dtype == np.float64 and pixels.strides[1] == pixels.itemsize:
        return pixels
    return pixels.astype(np.float64, order="C")


def _multiply(pixels: Array, band: Array, out: Array) -> None:
    """Correlate along the second axis."""
    width = min(band.shape[1], out.shape[1])
    coefficients = band[: len(band) - band.shape[1] + width, :width]
    lines = min(max(MOST // coefficients.size, LINES), len(pixels))
    # For a single row or column BLAS uses another algorithm, on any number of threads.
    multiply = np.matmul if min(lines, width) > 1 else _multiply_by_einsum
    for seen, into in zip(_blocks(pixels, len(coefficients), width), _blocks(out, width, width), strict=True):
        # The last group begins earlier, so that it has as many lines.
        for first in (*range(0, len(pixels) - lines, lines), len(pixels) - lines):
            at = slice(first, first + lines)
            multiply(seen[:, at], coefficients, out=into[:, at])


def _blocks(array: Array, length: int, step: int) -> Iterator[Array]:
    """Yield the pieces of lines that begin every `step` pixels, (pieces, lines, length), then the last piece."""
    pieces = sliding_window_view(array, length, axis=1, writeable=True).swapaxes(0, 1)
    yield pieces[::step]
    if (len(pieces) - 1) % step:
        yield pieces[-1:]


def _multiply_by_einsum(pieces: Array, coefficients: Array, out: Array) -> None:
    np.einsum("plk,kw->plw", pieces, coefficients, out=out)
