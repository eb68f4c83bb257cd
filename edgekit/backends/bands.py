"""Long lines of taps as products with a banded matrix. May import taps, strips and cv2."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgekit.backends import strips
from edgekit.backends._cv2 import cv2
from edgekit.taps import Matrix, running_sums, shape, sums_to_zero

Array = NDArray[Any]

#: Pixels along the line that come of one product: of more of them more zeros beside the band are multiplied, of fewer
#: more pixels are loaded twice.
WIDTH = 32

#: Multiplications in a product: OpenBLAS does no more than these in the thread that asks, and always in the same order.
MOST = 2**18


def line(taps: Matrix) -> Callable[[Array], Array]:
    """Return what correlates a window with a line of taps along x or y, in double precision.

    Taps that sum to zero are run on the steps from pixel to pixel, which are exactly 0 on flat ground.
    """
    across = len(taps) == 1
    values = [t for line in taps for t in line]
    if stepwise := sums_to_zero(taps):
        values = running_sums(values)
    # In column j the taps begin at row j.
    band = np.zeros((len(values) + WIDTH - 1, WIDTH))
    for j in range(WIDTH):
        band[j : j + len(values), j] = values

    def run(window: Array) -> Array:
        if window.ndim == 3:
            return np.stack([run(np.ascontiguousarray(window[:, :, c])) for c in range(window.shape[2])], axis=2)
        rows, columns = (n - m + 1 for n, m in zip(window.shape, shape(taps), strict=True))
        made = strips.empty((rows, columns), np.float64)
        if stepwise:
            window = _steps(window, int(across))
        if across:
            _multiply(window, band, made)
        else:
            _multiply(window.T, band, made.T)
        return made

    return run


def _steps(window: Array, axis: int) -> Array:
    before, after = (window[:, :-1], window[:, 1:]) if axis else (window[:-1], window[1:])
    made = strips.empty(before.shape, np.float64)
    # NumPy takes twice as long where rows have something between them.
    cv2.subtract(after, before, made)
    return made


def _multiply(window: Array, band: Array, out: Array) -> None:
    """Correlate along the second axis, some lines and `WIDTH` results at a time."""
    whole = out.shape[1] // WIDTH * WIDTH
    for start, width in ((0, WIDTH), (whole, out.shape[1] - whole)):
        made, taps = out[:, start:], band[: len(band) - WIDTH + width, :width]
        if 0 < width <= made.shape[1]:
            seen = sliding_window_view(window[:, start:], len(taps), axis=1)[:, ::width].swapaxes(0, 1)
            into = sliding_window_view(made, width, axis=1, writeable=True)[:, ::width].swapaxes(0, 1)
            # Eight lines fill OpenBLAS's registers.
            lines = max(MOST // taps.size // 8 * 8, 8)
            for first in range(0, len(window), lines):
                at = slice(first, first + lines)
                np.matmul(seen[:, at], taps, out=into[:, at])
