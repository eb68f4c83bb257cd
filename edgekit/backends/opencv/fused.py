"""Fast functions for whole responses, where every sum is exact: compiled loops (Numba), and OpenCV's Sobel pair.

The responses are those of the plain steps, bit for bit. Loading the loops takes as long as they save on 1000
megapixels. They are loaded when a process has filtered that much, or at once if Numba is loaded already.
``EDGEKIT_FAST=1`` loads them at the first image, ``EDGEKIT_FAST=0`` never. May import `operators`, `tiling`,
`correlation`, cv2 and, when they are needed, the loops.
"""

import math
import os
import sys
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.opencv import tiling
from edgekit.backends.opencv.correlation import weighted_sum
from edgekit.common.extras import install_command
from edgekit.common.load_cv2 import cv2
from edgekit.errors import MissingExtraError
from edgekit.operators.filter_spec import FilterSpec

Array = NDArray[Any]

MODE = os.environ.get("EDGEKIT_FAST", "")

#: Break-even: the loops save half a millisecond for the gradient magnitude of a megapixel on one core, and loading them
#: takes half a second.
BREAK_EVEN = 10**9

#: Smaller tiles are not counted, and use the loops only with ``EDGEKIT_FAST=1``.
SMALLEST = 2**16

_pixels = 0

#: Types for which there are compiled loops.
_LOOPED = {np.dtype(t) for t in (np.uint8, np.int8, np.uint16, np.int16)}

#: Larger factors, and smaller than its inverse, may leave the range of single precision.
_LARGEST_FACTOR = 2.0**100


def loops(pixels: int, *, counts: bool = True) -> ModuleType | None:
    """Return the compiled loops if they are worth using for so many pixels.

    Parameters
    ----------
    pixels : int
        Size of the tile.
    counts : bool
        Whether these pixels count towards the break-even.

    Raises
    ------
    MissingExtraError
        If ``EDGEKIT_FAST=1`` and Numba is not installed, or does not load.
    """
    global _pixels
    if MODE == "0" or (MODE != "1" and pixels < SMALLEST):
        return None
    if MODE == "1":
        return _load(required=True)
    _pixels += pixels if counts else 0
    return _load(required=False) if _pixels >= BREAK_EVEN or "numba" in sys.modules else None


@cache
def _load(*, required: bool) -> ModuleType | None:
    try:
        from edgekit.backends.opencv import jit_loops
    except Exception as error:  # A Numba that does not fit NumPy's version fails in many ways.
        if required:
            raise MissingExtraError(f"EDGEKIT_FAST=1 needs Numba ({error}): {install_command('fast')}") from error
        return None
    return jit_loops


class _Loop(NamedTuple):
    """A compiled loop and its arguments; one tuple of weights for each plane of the result."""

    name: str
    coefficients: tuple[Any, ...]
    weights: tuple[tuple[Any, ...], ...]


def fused(pixels: Array, spec: FilterSpec, out: Array | None) -> Array | None:
    if pixels.ndim != 2:
        return None
    height, width = spec.shape
    rows, columns = pixels.shape[0] - height + 1, pixels.shape[1] - width + 1
    loop = _loop(spec) if pixels.dtype in _LOOPED and pixels.flags.c_contiguous else None
    compiled = loops(rows * columns) if loop else None
    sobel = compiled is None and pixels.dtype == np.uint8 and _is_sobel(spec)
    if compiled is None and not sobel:
        return None
    # Planes of `out` may lie apart; each must be contiguous.
    if out is None or out.dtype != np.float32 or not (out[0] if out.ndim == 3 else out).flags.c_contiguous:
        planes = (len(spec.components),) if spec.reduce in ("stack", "gradient") else ()
        out = tiling.empty((*planes, rows, columns), np.float32)
    if sobel:
        return _sobel(pixels, spec, out)
    assert loop is not None
    for weights, plane in zip(loop.weights, out.reshape(-1, rows, columns), strict=True):
        getattr(compiled, loop.name)(pixels, loop.coefficients, weights, plane)
    return out


@lru_cache(maxsize=256)
def _loop(spec: FilterSpec) -> _Loop | None:
    """Return the loop for a 3x3 gradient or a symmetric 3x3 kernel."""
    weights: tuple[tuple[float, ...], ...]
    if spec.symmetric is not None:
        *coefficients, weight = spec.symmetric
        name, weights = "symmetric", ((weight,),)
    elif spec.pair is None:
        return None
    else:
        corner, middle, pairs = spec.pair
        name, coefficients, weights = "gradient_along", [corner, middle], pairs
        if spec.reduce == "magnitude":
            unit = pairs[0][0]
            if pairs != ((unit, 0), (0, unit)):
                return None
            name, weights = "gradient_magnitude", ((unit,),)
    # Coefficients are multiples of this power of two. Divided by it they are integers, and the weights stay exact.
    factor = min(kernel.common_factor for kernel in spec.kernels)
    factors = (factor, *(w * factor for line in weights for w in line if w))
    if not all(1 / _LARGEST_FACTOR < abs(f) < _LARGEST_FACTOR for f in factors):
        return None
    return _Loop(
        name,
        tuple(np.int32(c / factor) for c in coefficients),
        tuple(tuple(np.float32(w * factor) for w in line) for line in weights),
    )


@lru_cache(maxsize=256)
def _is_sobel(spec: FilterSpec) -> bool:
    """Tell whether OpenCV's one function for both 3x3 Sobel kernels computes the response exactly."""
    if spec.pair is None:
        return False
    corner, middle, weights = spec.pair
    if spec.reduce == "magnitude" and weights != ((1, 0), (0, 1)):
        return False
    both = all(any(w) for w in zip(*weights, strict=True))
    # Other factors than powers of two would be rounded elsewhere than in the plain steps.
    return both and middle == 2 * corner and abs(math.frexp(corner)[0]) == 0.5


def _sobel(pixels: Array, spec: FilterSpec, out: Array) -> Array:
    assert spec.pair is not None
    corner, _, weights = spec.pair
    both = tiling.empty((2, *pixels.shape), np.int16)
    cv2.spatialGradient(pixels, both[0], both[1], borderType=cv2.BORDER_REPLICATE)
    gx, gy = both[:, 1:-1, 1:-1]
    if spec.reduce == "magnitude":
        x, y = parts = tiling.empty((2, *gx.shape), np.float32)
        np.copyto(parts, both[:, 1:-1, 1:-1])
        # The sum of the squares is an integer below 2^24: only the root is rounded.
        x *= x
        cv2.accumulateSquare(y, x)
        x *= corner * corner
        cv2.sqrt(x, out)
        return out
    for line, plane in zip(weights, out.reshape(-1, *gx.shape), strict=True):
        made = weighted_sum((gx, gy), [corner * w for w in line], plane)
        if made is not plane:
            plane[...] = made
    return out


def laplacian_moments(image: Array) -> tuple[float, float]:
    """Return mean and mean square of the 4-neighbour Laplacian of an 8-bit plane.

    The sums are exact integers; each is divided once.
    """
    rows, columns = image.shape
    compiled = loops(image.size) if min(image.shape) > 1 and image.flags.c_contiguous else None
    sums: list[tuple[int, int]] = []

    def add(start: int, stop: int) -> None:
        if compiled is not None:
            sums.append(compiled.laplacian_sums(image, start, stop))
            return
        first, last = max(start - 1, 0), min(stop + 1, rows)
        sums.append(laplacian_sums(image[first:last], slice(start - first, stop - first), slice(columns)))

    tiling.each_tile(rows, max(tiling.TILE // columns, 16), cv2.getNumThreads(), add)
    total, squares = map(sum, zip(*sums, strict=True))
    return total / image.size, squares / image.size


def laplacian_sums(pixels: Array, rows: slice, columns: slice) -> tuple[int, int]:
    """Return the sum and the sum of squares of the 4-neighbour Laplacian over some rows and columns of 8 bits."""
    # 16 bits hold the response, and OpenCV adds their squares fastest.
    response = tiling.empty(pixels.shape, np.int16)
    cv2.Laplacian(pixels, cv2.CV_16S, response)
    part = response[rows, columns]
    # OpenCV may compute the norm from its root: the last digit is rounded away.
    return round(cv2.sumElems(part)[0]), round(cv2.norm(part, cv2.NORM_L2SQR))
