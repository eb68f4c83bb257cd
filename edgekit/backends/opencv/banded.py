"""Long lines of taps as products with a banded matrix. May import taps, strips and cv2."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgekit.backends.opencv import tiling
from edgekit.common.load_cv2 import cv2
from edgekit.operators.kernels import Matrix, column, row, shape

Array = NDArray[Any]

#: Filters a window, giving the pixels that the whole kernel fits round.
Run = Callable[[Array], Array]

#: Pixels along the line that come of one product: of more of them more zeros beside the band are multiplied, of fewer
#: more pixels are loaded twice.
WIDTH = 16

#: Lines in a product, if there are so many: fewer leave registers empty.
LINES = 8

#: Multiplications in a product. So few (2^18, on some processors half as many) OpenBLAS does in the thread that asks,
#: and always in the same order.
MOST = 120_000


def line(taps: Matrix) -> Run:
    """Return what correlates a window with a line of taps along x or y, in double precision."""
    rows, columns = shape(taps)
    length, width = rows * columns, WIDTH
    while width > 1 and (length + width - 1) * width * LINES > MOST:
        width //= 2
    # In column j the taps begin at row j.
    band = np.zeros((length + width - 1, width))
    for j in range(width):
        band[j : j + length, j] = np.ravel(taps)

    def run(window: Array) -> Array:
        if window.ndim == 3:
            return np.stack([run(window[:, :, c]) for c in range(window.shape[2])], axis=2)
        made = tiling.empty((window.shape[0] - rows + 1, window.shape[1] - columns + 1), np.float64)
        pixels = _as_doubles(window)
        if columns > 1:
            _multiply(pixels, band, made)
        else:
            _multiply(pixels.T, band, made.T)
        return made

    return run


def line_of_steps(taps: Matrix) -> Run | None:
    """Return what `line` does with taps that sum to zero, by steps from pixel to pixel: flat ground gives exactly 0.

    None where a tap is zero, or nearly so: what the step to its pixel adds and the step from there takes away may be
    more than all the rest, and leave its rounding.
    """
    values = np.ravel(taps).tolist()
    largest = max(range(len(values)), key=lambda i: abs(values[i]))
    # Summed by parts: sum(t[i] * x[i]) is sum(r[i] * (x[i + 1] - x[i])), where r[i] is minus the sum of the taps up to
    # t[i], or the sum of those behind it. What is left of the whole sum falls on the largest tap.
    sums = [-math.fsum(values[: i + 1]) if i < largest else math.fsum(values[i + 1 :]) for i in range(len(values) - 1)]
    # The roundings of as many sums in 53 binary digits, against four of the least tap in 24.
    if min(map(abs, values)) < max(map(abs, sums)) * len(values) * 2.0**-31:
        return None
    product, axis = line(_laid(sums, taps)), int(len(taps) == 1)
    return lambda window: product(_steps(window, axis))


def _steps(window: Array, axis: int) -> Array:
    before, after = (window[:, :-1], window[:, 1:]) if axis else (window[:-1], window[1:])
    made = tiling.empty(before.shape, np.float64)
    # NumPy takes twice as long where rows have something between them.
    cv2.subtract(after, before, made, dtype=cv2.CV_64F)
    return made


def line_over_bytes(taps: Matrix) -> Run | None:
    """Return what `line` does over bytes with taps that sum to zero, without any rounding: flat ground gives exactly 0.

    The taps are put on a grid, so coarse that double precision holds all sums. None where one is so small that this
    would change it.
    """
    values = np.ravel(taps).tolist()
    total = math.fsum(map(abs, values))
    # 255 is less than 2^8, and 52 digits leave room for what rounding adds.
    step = 2.0 ** max(math.frexp(total)[1] + 8 - 52, -1074)
    # Half a step is then less than half a unit in the last place of single precision.
    if min(abs(t) for t in values if t) < total * 2.0**-20:
        return None
    counts = [round(t / step) for t in values]
    # What is left of the sum is nothing beside the largest tap.
    largest = max(range(len(counts)), key=lambda i: abs(counts[i]))
    counts[largest] -= sum(counts)
    return line(_laid([count * step for count in counts], taps))


def _laid(values: list[float], taps: Matrix) -> Matrix:
    """Lay values out as the taps are."""
    return row(values) if len(taps) == 1 else column(values)


def _as_doubles(window: Array) -> Array:
    """Return pixels as BLAS takes them: each beside the next."""
    if window.dtype == np.float64 and window.strides[1] == window.itemsize:
        return window
    pixels = tiling.empty(window.shape, np.float64)
    np.copyto(pixels, window)
    return pixels


def _multiply(window: Array, band: Array, out: Array) -> None:
    """Correlate along the second axis."""
    width = min(band.shape[1], out.shape[1])
    taps = band[: len(band) - band.shape[1] + width, :width]
    lines = min(max(MOST // taps.size, LINES), len(window))
    # BLAS takes another way, and as many threads as it likes, for a single row or column.
    multiply = np.matmul if min(lines, width) > 1 else _multiply_plainly
    for seen, into in zip(_blocks(window, len(taps), width), _blocks(out, width, width), strict=True):
        # The last ones begin so early that they are not fewer.
        for first in (*range(0, len(window) - lines, lines), len(window) - lines):
            at = slice(first, first + lines)
            multiply(seen[:, at], taps, out=into[:, at])


def _blocks(array: Array, length: int, step: int) -> Iterator[Array]:
    """Give the pieces of lines that begin `step` after one another, (pieces, lines, length), and the last by itself."""
    pieces = sliding_window_view(array, length, axis=1, writeable=True).swapaxes(0, 1)
    yield pieces[::step]
    if (len(pieces) - 1) % step:
        yield pieces[-1:]


def _multiply_plainly(pieces: Array, taps: Array, out: Array) -> None:
    np.einsum("plk,kw->plw", pieces, taps, out=out)
