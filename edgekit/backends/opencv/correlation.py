"""A kernel as calls of OpenCV and NumPy on a strip. May import taps, interface, strips, bands and cv2."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import Rounding
from edgekit.backends.opencv import banded, tiling
from edgekit.backends.opencv.banded import Run
from edgekit.common.load_cv2 import cv2
from edgekit.operators.kernels import Difference, Kernel, Matrix, differences, shape, sums_to_zero, transpose

Array = NDArray[Any]

#: From this many taps on `cv2.filter2D` may turn to a Fourier transform (50 in double precision),
#: which rounds differently and lets one pixel touch all others.
MOST_TAPS = 49
BLOCK = 7

#: From so many taps in a line on, in double precision, a product with a banded matrix is faster than `cv2.sepFilter2D`,
#: though it multiplies by zeros, too.
LONG = 25

_ONE = ((1.0,),)

#: OpenCV's names of types.
_DEPTHS = {
    np.dtype(t): depth for t, depth in ((np.int16, cv2.CV_16S), (np.float32, cv2.CV_32F), (np.float64, cv2.CV_64F))
}


@dataclass(frozen=True, eq=False)
class Call:
    """One of OpenCV's filters, whose result has the size of what it is given."""

    filter: Callable[[Array, int, Array, int], Any]
    """Given pixels, the depth of the result, the result and a border, all but the first in OpenCV's words."""

    size: tuple[int, int]
    dtype: np.dtype[Any]
    of_bytes: np.dtype[Any]
    """The type of the result for pixels of 8 bits."""

    def fill(self, image: Array, border: int, out: Array) -> None:
        """Filter all pixels, with a border in OpenCV's words, into an array of the image's size."""
        self.filter(image, _DEPTHS[out.dtype], out, border)

    def __call__(self, window: Array, /) -> Array:
        """Filter where the whole kernel fits."""
        full = tiling.empty(window.shape, self.of_bytes if window.dtype == np.uint8 else self.dtype)
        self.fill(window, cv2.BORDER_REPLICATE, full)
        (rows, columns), (height, width) = self.size, window.shape[:2]
        top, left = rows // 2, columns // 2
        return full[top : top + height - rows + 1, left : left + width - columns + 1]


@lru_cache(maxsize=512)
def program(kernel: Kernel, dtype: Any, rounding: Rounding) -> tuple[tuple[Run, ...], ...]:
    """Return what to run one after another, for each of the kernel's chains, whose results add up.

    Parameters
    ----------
    kernel : Kernel
        What to run.
    dtype : dtype
        Single or double precision.
    rounding : Rounding
        Where there is some, taps that sum to zero are run so that flat ground gives 0.
    """
    how = np.dtype(dtype), rounding
    chains = kernel.chains if rounding is Rounding.NONE else kernel.rounded.chains
    return tuple(tuple(_run(taps, *how) for taps in _grouped(chain, *how)) for chain in chains)


def _grouped(chain: tuple[Matrix, ...], dtype: np.dtype[Any], rounding: Rounding) -> tuple[tuple[Matrix, ...], ...]:
    """Group a chain by what is run in one call: a column and a row, where no rounding can leave a false edge."""
    lines = {len(taps) == 1 for taps in chain}, {len(taps[0]) == 1 for taps in chain}
    safe = rounding is Rounding.NONE or all(_odd(taps) for taps in chain if sums_to_zero(taps))
    long = any(_long(taps, dtype, rounding) for taps in chain)
    if len(chain) == 2 and lines == ({True, False}, {True, False}) and safe and not long:
        return (chain,)
    return tuple((taps,) for taps in chain)


def _long(taps: Matrix, dtype: np.dtype[Any], rounding: Rounding) -> bool:
    """Tell whether taps had better be run as a product, which sums in an order of its own."""
    if dtype != np.float64 or rounding is Rounding.SEEN or min(shape(taps)) > 1:
        return False
    # Else there would be a difference for each tap, which takes longer whatever the length.
    one_by_one = rounding is not Rounding.NONE and sums_to_zero(taps) and not _odd(taps)
    return one_by_one or max(shape(taps)) >= LONG


def _odd(taps: Matrix) -> bool:
    """Tell whether each tap is minus the one mirrored at the centre."""
    values = [t for line in taps for t in line]
    return all(a == -b for a, b in zip(values, reversed(values), strict=True))


def _run(taps: tuple[Matrix, ...], dtype: np.dtype[Any], rounding: Rounding) -> Run:
    exact = rounding is Rounding.NONE
    if not _long(taps[0], dtype, rounding):
        return _called(taps, dtype, exact)
    if exact or not sums_to_zero(taps[0]):
        return banded.line(taps[0])
    if of_steps := banded.line_of_steps(taps[0]):
        return of_steps
    called, over_bytes = _called(taps, dtype, exact), banded.line_over_bytes(taps[0])
    return lambda window: (over_bytes if over_bytes and window.dtype == np.uint8 else called)(window)


def _called(taps: tuple[Matrix, ...], dtype: np.dtype[Any], exact: bool) -> Run:
    rows, columns = (max(sides) for sides in zip(*map(shape, taps), strict=True))
    along_x = next((t for t in taps if len(t) == 1), _ONE)
    along_y = next((t for t in taps if t is not along_x), _ONE)
    if len(taps) == 1 and min(rows, columns) > 1:
        if not exact and (pairs := differences(taps[0])):
            return _differences(pairs, rows, columns, dtype)
        return (_blocks if rows * columns > MOST_TAPS else _dense)(taps[0], dtype)
    zero = next((t for t in taps if sums_to_zero(t)), None)
    if exact or zero is None:
        return _separable(along_y, along_x, dtype)
    if not _odd(zero):
        return _differences(differences(zero), rows, columns, dtype)
    # OpenCV sums a column of odd taps as differences, which are exactly 0 on flat ground; a row only if it is short.
    if zero is along_x and columns > 3:
        return _turned(_separable(transpose(along_x), transpose(along_y), dtype))
    return _separable(along_y, along_x, dtype)


def _turned(run: Run) -> Run:
    """Run with x and y swapped."""

    return lambda window: _transposed(run(_transposed(window)))


def _transposed(window: Array) -> Array:
    out = tiling.empty((window.shape[1], window.shape[0], *window.shape[2:]), window.dtype)
    cv2.transpose(window, out)
    return out


def _separable(along_y: Matrix, along_x: Matrix, dtype: np.dtype[Any]) -> Call:
    x, y = np.array(along_x, dtype), np.array(along_y, dtype)
    return Call(
        lambda image, depth, out, border: cv2.sepFilter2D(image, depth, x, y, out, borderType=border),
        (y.size, x.size), dtype, dtype,
    )  # fmt: skip


def _dense(taps: Matrix, dtype: np.dtype[Any]) -> Call:
    kernel = np.array(taps, dtype)
    # Of 8 bits by whole taps come whole numbers; where 16 bits hold them OpenCV takes half the time.
    whole = all(float(t).is_integer() for line in taps for t in line)
    narrow = whole and np.abs(kernel).sum() < 2**15 / 255 and dtype == np.float32
    return Call(
        lambda image, depth, out, border: cv2.filter2D(image, depth, kernel, out, borderType=border),
        kernel.shape, dtype, np.dtype(np.int16) if narrow else dtype,
    )  # fmt: skip


def _differences(pairs: Sequence[Difference], rows: int, columns: int, dtype: np.dtype[Any]) -> Run:
    def run(window: Array) -> Array:
        h, w = window.shape[0] - rows + 1, window.shape[1] - columns + 1
        total = tiling.empty((h, w, *window.shape[2:]), dtype)
        step = tiling.empty(total.shape, dtype)
        for n, (weight, (i, j), (k, m)) in enumerate(pairs):
            into = step if n else total
            # NumPy takes twice as long where rows have something between them.
            cv2.subtract(window[i : i + h, j : j + w], window[k : k + h, m : m + w], into, dtype=_DEPTHS[dtype])
            if weight != 1:
                into *= weight
            if n:
                total += step
        return total

    return run


def _blocks(taps: Matrix, dtype: np.dtype[Any]) -> Run:
    """Correlate block by block, each small enough to be summed and not transformed."""
    rows, columns = shape(taps)
    blocks = []
    for i in range(0, rows, BLOCK):
        for j in range(0, columns, BLOCK):
            block = tuple(line[j : j + BLOCK] for line in taps[i : i + BLOCK])
            if any(map(any, block)):
                blocks.append((i, j, *shape(block), _called((block,), dtype, exact=True)))

    def run(window: Array) -> Array:
        h, w = window.shape[0] - rows + 1, window.shape[1] - columns + 1
        total = np.zeros((h, w, *window.shape[2:]), dtype)
        for i, j, height, width, part in blocks:
            total += part(window[i : i + h + height - 1, j : j + w + width - 1])
        return total

    return run
