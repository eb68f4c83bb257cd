"""Correlates the pixels of a tile with kernels and combines the responses, by OpenCV's and NumPy's functions.

May import `operators` and what is below it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import Rounding
from edgekit.backends.opencv import banded, tiling
from edgekit.backends.opencv.banded import Step
from edgekit.common.load_cv2 import cv2
from edgekit.operators.kernels import Difference, Kernel, Matrix, differences, shape, sums_to_zero, transpose

Array = NDArray[Any]

#: With more coefficients `cv2.filter2D` may use a Fourier transform (50 in double precision). It rounds differently,
#: and one NaN affects all pixels.
MOST_COEFFICIENTS = 49
BLOCK = 7

#: From this length on, in double precision, a product with a banded matrix takes less time than `cv2.sepFilter2D`.
LONG = 25

_ONE = ((1.0,),)

#: OpenCV's names of types.
_DEPTHS = {
    np.dtype(t): depth for t, depth in ((np.int16, cv2.CV_16S), (np.float32, cv2.CV_32F), (np.float64, cv2.CV_64F))
}


def correlate(pixels: Array, kernels: Sequence[Kernel], dtype: Any, rounding: Rounding) -> list[Array]:
    if pixels.dtype == bool:
        pixels = pixels.view(np.uint8)
    # OpenCV filters floats in half the time of integers of 16 bits.
    if pixels.dtype != np.uint8 and pixels.dtype != dtype:
        pixels = pixels.astype(dtype, order="C")
    return [_correlated(pixels, kernel, dtype, rounding) for kernel in kernels]


def _correlated(pixels: Array, kernel: Kernel, dtype: Any, rounding: Rounding) -> Array:
    channels = pixels.shape[2] if pixels.ndim == 3 else None
    if channels == 1:
        return _correlated(pixels[:, :, 0], kernel, dtype, rounding)[:, :, np.newaxis]
    if channels is not None and channels > tiling.MOST_CHANNELS:
        groups = (pixels[:, :, i : i + tiling.MOST_CHANNELS] for i in range(0, channels, tiling.MOST_CHANNELS))
        parts = [_correlated(np.ascontiguousarray(g), kernel, dtype, rounding) for g in groups]
        return np.concatenate(parts, axis=2)
    total: Array | None = None
    for chain in steps(kernel, dtype, rounding):
        part = pixels
        for step in chain:
            part = step(part)
        if total is None:
            total = part
        else:
            total += part
    assert total is not None
    return total


@dataclass(frozen=True)
class OpenCVFilter:
    """One of OpenCV's filters, as a step.

    Attributes
    ----------
    call : callable
        ``call(pixels, depth, out, border)``.
    shape : tuple of int
        Rows and columns of the kernel.
    dtype, of_bytes : dtype
        Types of the result; the second for pixels of 8 bits.
    of_floats : callable, optional
        The same step for pixels of other types, where its bits do not depend on their columns.
    """

    call: Callable[[Array, int, Array, int], Any]
    shape: tuple[int, int]
    dtype: Any
    of_bytes: Any
    of_floats: Step | None = None

    def __call__(self, pixels: Array) -> Array:
        """Return the pixels whose whole kernel lies within the given ones."""
        if self.of_floats is not None and pixels.dtype != np.uint8:
            return self.of_floats(pixels)
        out = np.empty(pixels.shape, self.of_bytes if pixels.dtype == np.uint8 else self.dtype)
        self.fill(pixels, cv2.BORDER_REPLICATE, out)
        (rows, columns), (height, width) = self.shape, pixels.shape[:2]
        top, left = rows // 2, columns // 2
        return out[top : top + height - rows + 1, left : left + width - columns + 1]

    def fill(self, pixels: Array, border: int, out: Array) -> None:
        """Compute all pixels, with one of OpenCV's borders."""
        self.call(pixels, _DEPTHS[out.dtype], out, border)


@lru_cache(maxsize=512)
def steps(kernel: Kernel, dtype: Any, rounding: Rounding) -> tuple[tuple[Step, ...], ...]:
    """Return the steps that correlate with a kernel, one after another; the results of its chains are added.

    Parameters
    ----------
    kernel : Kernel
    dtype : dtype
        Single or double precision.
    rounding : Rounding
        Unless sums are exact, coefficients that sum to zero are correlated so that a flat image gives 0.
    """
    how = np.dtype(dtype), rounding
    chains = kernel.chains if rounding is Rounding.NONE else kernel.rounded.chains
    return tuple(tuple(_step(factors, *how) for factors in _grouped(chain, *how)) for chain in chains)


def _grouped(chain: tuple[Matrix, ...], dtype: np.dtype[Any], rounding: Rounding) -> tuple[tuple[Matrix, ...], ...]:
    """Put a column and a row into one step where rounding leaves no response on a flat image."""
    lines = {len(factor) == 1 for factor in chain}, {len(factor[0]) == 1 for factor in chain}
    safe = rounding is Rounding.NONE or all(_odd(factor) for factor in chain if sums_to_zero(factor))
    banded = any(_is_banded(factor, dtype, rounding) for factor in chain)
    if len(chain) == 2 and lines == ({True, False}, {True, False}) and safe and not banded:
        return (chain,)
    return tuple((factor,) for factor in chain)


def _is_banded(factor: Matrix, dtype: np.dtype[Any], rounding: Rounding) -> bool:
    """Tell whether a factor is correlated by a banded product, which has its own order of summing."""
    if dtype != np.float64 or rounding is Rounding.SEEN or min(shape(factor)) > 1:
        return False
    # The other way is a difference for each coefficient, which takes longer at any length.
    one_by_one = rounding is not Rounding.NONE and sums_to_zero(factor) and not _odd(factor)
    return one_by_one or max(shape(factor)) >= LONG


def _odd(factor: Matrix) -> bool:
    """Tell whether each coefficient is minus the one opposite the centre."""
    values = [c for line in factor for c in line]
    return all(a == -b for a, b in zip(values, reversed(values), strict=True))


def _step(factors: tuple[Matrix, ...], dtype: np.dtype[Any], rounding: Rounding) -> Step:
    exact = rounding is Rounding.NONE
    if not _is_banded(factors[0], dtype, rounding):
        return _called(factors, dtype, exact)
    if exact or not sums_to_zero(factors[0]):
        return banded.line(factors[0])
    if of_differences := banded.line_of_differences(factors[0]):
        return of_differences
    called, over_bytes = _called(factors, dtype, exact), banded.line_over_bytes(factors[0])
    return lambda pixels: (over_bytes if over_bytes and pixels.dtype == np.uint8 else called)(pixels)


def _called(factors: tuple[Matrix, ...], dtype: np.dtype[Any], exact: bool) -> Step:
    rows, columns = (max(sides) for sides in zip(*map(shape, factors), strict=True))
    along_x = next((f for f in factors if len(f) == 1), _ONE)
    along_y = next((f for f in factors if f is not along_x), _ONE)
    if len(factors) == 1 and min(rows, columns) > 1:
        if not exact and not partial_sums_exact(factors[0]) and (pairs := differences(factors[0])):
            return _differences(pairs, rows, columns, dtype)
        return (_blocks if rows * columns > MOST_COEFFICIENTS else _dense)(factors[0], dtype)
    zero = next((f for f in factors if sums_to_zero(f)), None)
    if exact or zero is None:
        return _separable(along_y, along_x, dtype)
    if not _odd(zero):
        return _differences(differences(zero), rows, columns, dtype)
    # OpenCV sums an odd column by differences, which are exactly 0 on a flat image; an odd row only if it is short.
    if zero is along_x and columns > 3:
        return _transposed(_separable(transpose(along_x), transpose(along_y), dtype))
    return _separable(along_y, along_x, dtype)


def _transposed(step: Step) -> Step:
    """Return a step with x and y swapped."""

    def transpose(pixels: Array) -> Array:
        out = np.empty((pixels.shape[1], pixels.shape[0], *pixels.shape[2:]), pixels.dtype)
        cv2.transpose(pixels, out)
        return out

    return lambda pixels: transpose(step(transpose(pixels)))


def _separable(along_y: Matrix, along_x: Matrix, dtype: np.dtype[Any]) -> OpenCVFilter:
    x, y = np.array(along_x, dtype), np.array(along_y, dtype)
    # Differences come first: they lose no digits of the pixels, and are 0 on a flat image.
    factors = sorted((along_x, along_y), key=lambda factor: not sums_to_zero(factor))
    lines = [line_of_three(factor) for factor in factors if factor != _ONE]

    def of_floats(pixels: Array) -> Array:
        for line in lines:
            assert line is not None
            pixels = line(pixels)
        return pixels

    return OpenCVFilter(
        lambda pixels, depth, out, border: cv2.sepFilter2D(pixels, depth, x, y, out, borderType=border),
        (y.size, x.size), dtype, dtype, of_floats if lines and all(lines) else None,
    )  # fmt: skip


def line_of_three(factor: Matrix) -> Step | None:
    """Return a step that correlates with a row or column (c, m, c) or (-c, 0, c); None for other factors.

    It is as fast as OpenCV's filters, which sum the last columns of an image in another order than the others.
    """
    values = [c for line in factor for c in line]
    if len(values) != 3 or abs(values[0]) != abs(values[2]) or (values[0] != values[2] and values[1]):
        return None
    first, middle, last = values
    along_x = len(factor) == 1
    exact_products = all(not c or _power_of_two(c) for c in values)

    def step(pixels: Array) -> Array:
        if along_x:
            before, here, after = pixels[:, :-2], pixels[:, 1:-1], pixels[:, 2:]
        else:
            before, here, after = pixels[:-2], pixels[1:-1], pixels[2:]
        out = np.empty(here.shape, pixels.dtype)
        if not middle and exact_products:
            return cv2.addWeighted(after, last, before, first, 0, out)
        (cv2.add if first == last else cv2.subtract)(after, before, out)
        if middle and exact_products:
            return cv2.addWeighted(out, last, here, middle, 0, out)
        if last != 1:
            out *= last
        if middle:
            # A product and a sum in one step are rounded once or twice, which depends on the machine.
            out += cv2.addWeighted(here, middle, here, 0, 0)
        return out

    return step


def is_exact_difference(factor: Matrix) -> bool:
    """Tell whether a row or column is (-c, 0, c) with a power of two."""
    first, *middle, last = (c for line in factor for c in line)
    return middle == [0] and first == -last and _power_of_two(last)


def _power_of_two(value: float) -> bool:
    return abs(math.frexp(value)[0]) == 0.5


def partial_sums_exact(factor: Matrix) -> bool:
    """Tell whether a sum that is computed in order is exact on a flat image: its coefficients and partial sums are.

    Multiples of a power of two are.
    """
    values = [c for line in factor for c in line if c]
    return all(not n or _power_of_two(n) for n in (*values, *accumulate(values)))


def _dense(factor: Matrix, dtype: np.dtype[Any]) -> OpenCVFilter:
    kernel = np.array(factor, dtype)
    # 8-bit pixels and integer coefficients give integers. Where 16 bits hold them OpenCV takes half the time.
    integers = all(float(c).is_integer() for line in factor for c in line)
    narrow = integers and np.abs(kernel).sum() < 2**15 / 255 and dtype == np.float32
    return OpenCVFilter(
        lambda pixels, depth, out, border: cv2.filter2D(pixels, depth, kernel, out, borderType=border),
        shape(factor), dtype, np.dtype(np.int16) if narrow else dtype,
    )  # fmt: skip


def _differences(pairs: Sequence[Difference], rows: int, columns: int, dtype: np.dtype[Any]) -> Step:
    def step(pixels: Array) -> Array:
        h, w = pixels.shape[0] - rows + 1, pixels.shape[1] - columns + 1
        total = np.empty((h, w, *pixels.shape[2:]), dtype)
        one = np.empty(total.shape, dtype)
        for n, (weight, (i, j), (k, m)) in enumerate(pairs):
            into = one if n else total
            # NumPy's subtraction takes twice as long where rows are not contiguous.
            cv2.subtract(pixels[i : i + h, j : j + w], pixels[k : k + h, m : m + w], into, dtype=_DEPTHS[dtype])
            if weight != 1:
                into *= weight
            if n:
                total += one
        return total

    return step


def _blocks(factor: Matrix, dtype: np.dtype[Any]) -> Step:
    """Correlate block by block; each block is small enough that OpenCV does not transform it."""
    rows, columns = shape(factor)
    blocks = []
    for i in range(0, rows, BLOCK):
        for j in range(0, columns, BLOCK):
            block = tuple(line[j : j + BLOCK] for line in factor[i : i + BLOCK])
            if any(map(any, block)):
                blocks.append((i, j, *shape(block), _called((block,), dtype, exact=True)))

    def step(pixels: Array) -> Array:
        h, w = pixels.shape[0] - rows + 1, pixels.shape[1] - columns + 1
        total = np.zeros((h, w, *pixels.shape[2:]), dtype)
        for i, j, height, width, part in blocks:
            total += part(pixels[i : i + h + height - 1, j : j + w + width - 1])
        return total

    return step


def weighted_sum(responses: Sequence[Array], weights: Sequence[float], out: Array | None = None) -> Array:
    parts = [(r, w) for r, w in zip(responses, weights, strict=True) if w]
    (first, weight), *rest = parts
    # Integer responses are exact in single precision.
    dtype = np.dtype(np.float32) if first.dtype == np.int16 else first.dtype
    if not rest and weight == 1 and first.dtype == dtype:
        return first
    total = _place(out, first.shape, dtype)
    if first.dtype == dtype:
        np.multiply(first, dtype.type(weight), total)
    else:
        # NumPy takes longer for a product of two types.
        np.copyto(total, first)
        if weight != 1:
            total *= dtype.type(weight)
    for response, weight in rest:
        total += np.multiply(response, weight, dtype=dtype)
    return total


def _place(out: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return `out` if a result can be computed there, else a new array."""
    if out is not None and out.dtype == dtype and out.shape == shape and out.flags.c_contiguous:
        return out
    return np.empty(shape, dtype)


def magnitude(components: Sequence[Array], out: Array | None = None, *, overwrite: bool = False) -> Array:
    first = components[0]
    root = _place(out, first.shape, first.dtype)

    def rows(start: int, stop: int) -> None:
        # cv2.magnitude needs one pass, but its last digit is not always the same.
        total: Array | None = None
        for part in (component[start:stop] for component in components):
            # As NumPy's product, in a fifth of the time where rows are not contiguous.
            squares = part if overwrite else np.empty(part.shape, part.dtype)
            cv2.multiply(part, part, squares)
            total = squares if total is None else cv2.add(total, squares, total)
        assert total is not None
        # As exact as NumPy's root, in half the time.
        cv2.sqrt(total, root[start:stop])

    height = max(1, tiling.TILE * len(first) // max(1, first.size))
    tiling.each_tile(len(first), height, cv2.getNumThreads(), rows)
    return root


def extent(values: Array, tiny: float = 0.0) -> tuple[float, bool, bool]:
    least, most = float(values.min()), float(values.max())
    finite = -math.inf < least and most < math.inf
    size = max(most, -least) if finite else float(np.abs(values).max(initial=0, where=np.isfinite(values)))
    return size, finite, tiny > 0 and not (finite and least >= tiny) and _some_below(values, tiny)


def _some_below(values: Array, tiny: float) -> bool:
    """Tell whether some absolute values are below `tiny`, but not 0."""
    # As integers, floats without a sign have the order of their values, and 0 is less than all others.
    signed, unsigned = (np.dtype(f"{kind}{values.dtype.itemsize}") for kind in "iu")
    bits = np.ascontiguousarray(values).view(signed) & np.iinfo(signed).max
    bits -= 1
    return int(bits.view(unsigned).min()) + 1 < int(np.array(tiny, values.dtype).view(unsigned))
