"""Fast functions for whole responses: compiled loops (Numba), and OpenCV's filters with their own borders.

The responses are those of the plain steps, bit for bit. Loading the loops takes as long as they save on 1000
megapixels. They are loaded when a process has filtered that much, or at once if Numba is loaded already.
``EDGEKIT_FAST=1`` loads them at the first image, ``EDGEKIT_FAST=0`` never. May import `operators` and what is below it.
"""

import math
import os
import sys
from collections.abc import Callable, Collection
from functools import cache, lru_cache, partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import FusedFilter, ImageLayout, Rounding
from edgekit.backends.opencv import tiling
from edgekit.backends.opencv.correlation import (
    OpenCVFilter,
    is_exact_difference,
    line_of_three,
    magnitude,
    partial_sums_exact,
    steps,
    weighted_sum,
)
from edgekit.common.extras import install_command
from edgekit.common.load_cv2 import cv2
from edgekit.errors import MissingExtraError
from edgekit.operators.borders import index_map
from edgekit.operators.filter_spec import FilterSpec
from edgekit.operators.kernels import Kernel, Vector, shape, sums_to_zero

Array = NDArray[Any]

MODE = os.environ.get("EDGEKIT_FAST", "")

#: Break-even: the loops save half a millisecond for the gradient magnitude of a megapixel on one core, and loading them
#: takes half a second.
BREAK_EVEN = 10**9

#: Smaller images are not counted, and use the loops only with ``EDGEKIT_FAST=1``.
SMALLEST = 2**16

_pixels = 0

#: Types of the images that are filtered here.
_TYPES = {np.dtype(t) for t in (np.uint8, np.int8, np.uint16, np.int16, np.float32, np.float64)}

#: Larger factors, and smaller than its inverse, may leave the range of single precision.
_LARGEST_FACTOR = 2.0**100


def loops(pixels: int, *, counts: bool = True) -> ModuleType | None:
    """Return the compiled loops if they are worth using for this number of pixels.

    Parameters
    ----------
    pixels : int
        Size of the image or tile.
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


def fused(image: Array, spec: FilterSpec, *, padded: bool = False) -> FusedFilter | None:
    border = "edge" if padded else spec.border
    if image.ndim != 2 or border == "valid" or image.dtype not in _TYPES:
        return None
    # The loops are compiled for contiguous images only.
    loop = _loop(spec, image.dtype) if image.flags.c_contiguous else None
    # The pixels of a padded tile were counted with the image.
    if loop is not None and (compiled := loops(image.size, counts=not padded)) is not None:
        by_loop = partial(_by_loop, compiled, loop, spec, _beyond(image.shape, border))
        return FusedFilter(by_loop, one_pass=len(loop.weights) == 1)
    # OpenCV's filters save the padding.
    linear = None if padded else _linear(spec, image.dtype)
    if linear is None:
        return None
    # OpenCV can write the responses into the result.
    in_place = linear.direct and border in linear.borders and linear.dtype == _result_type(image.dtype)
    one_pass = in_place and len(linear.weights) == 1 and linear.pixels == image.dtype
    return FusedFilter(partial(_by_opencv, linear, in_place, spec), one_pass)


def _result_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the response to an image of one of `_TYPES`."""
    return dtype if dtype.kind == "f" else np.dtype(np.float32)


def _planes(image: Array, spec: FilterSpec, rows: int, out: Array | None) -> tuple[Array, Array]:
    """Return the place of some rows, which is `out` if possible, and the same as planes (N, rows, columns)."""
    shape = rows, image.shape[1]
    dtype = _result_type(image.dtype)
    # Planes of `out` may lie apart; each must be contiguous.
    if out is None or out.dtype != dtype or not (out[0] if out.ndim == 3 else out).flags.c_contiguous:
        stacked = (len(spec.components),) if spec.reduce in ("stack", "gradient") else ()
        out = np.empty((*stacked, *shape), dtype)
    return out, out.reshape(-1, *shape)


def _by_loop(
    compiled: ModuleType, loop: "_Loop", spec: FilterSpec, beyond: tuple[int, ...],
    image: Array, start: int, stop: int, out: Array | None,
) -> Array | None:  # fmt: skip
    out, planes = _planes(image, spec, stop - start, out)
    if len(loop.weights) > 2:
        # Both components once, then each direction.
        along = np.empty((2, *planes.shape[1:]), out.dtype)
        compiled.gradient(image, start, beyond, loop.coefficients, *along)
        each = [compiled.weighted(*along, *one) for one in zip(loop.weights, planes, strict=True)]
        return None if any(each) else out
    for weights, plane in zip(loop.weights, planes, strict=True):
        if getattr(compiled, loop.name)(image, start, beyond, loop.coefficients, weights, plane):
            # Not finite, or tiny.
            return None
    return out


def _by_opencv(
    linear: "_Linear", in_place: bool, spec: FilterSpec, image: Array, start: int, stop: int, out: Array | None
) -> Array | None:  # fmt: skip
    out, planes = _planes(image, spec, stop - start, out)
    if in_place:
        _fill(linear, image, start, stop, spec, planes)
    else:
        _reduce(linear, _responses(linear, image, start, stop, spec), spec, planes)
    # Elsewhere a pixel that is not finite affects only the support of each kernel.
    finite = image.dtype.kind != "f" or all(math.isfinite(cv2.sumElems(plane)[0]) for plane in planes)
    return out if finite else None


@lru_cache(maxsize=256)
def _loop(spec: FilterSpec, dtype: np.dtype[Any]) -> _Loop | None:
    """Return the loop for a 3x3 gradient or a symmetric 3x3 kernel."""
    floats = dtype.kind == "f"
    if floats and not _ordered(spec):
        return None
    weights: tuple[tuple[float, ...], ...]
    if spec.symmetric is not None:
        *coefficients, weight = spec.symmetric
        name, weights = "symmetric", ((weight,),)
        if floats and not coefficients[0]:
            del coefficients[0]
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
    factor = 1.0 if floats else min(kernel.common_factor for kernel in spec.kernels)
    factors = (factor, *(w * factor for line in weights for w in line if w))
    if not all(1 / _LARGEST_FACTOR < abs(f) < _LARGEST_FACTOR for f in factors):
        return None
    kind = dtype.type if floats else np.float32
    least = (kind(2.0 ** (np.finfo(kind).minexp * 3 // 4)),) if name == "gradient_magnitude" else ()
    return _Loop(
        name,
        tuple((kind if floats else np.int32)(c / factor) for c in coefficients),
        tuple((*(kind(w * factor) for w in line), *least) for line in weights),
    )


def _ordered(spec: FilterSpec) -> bool:
    """Tell whether the plain steps sum floats in the order of the loops."""
    chains = [chain for kernel in spec.kernels for chain in kernel.rounded.chains]
    if spec.symmetric is not None:
        (factor,) = chains[0] if len(chains[0]) == 1 else ((),)
        # The loop sums a cross of coefficients as it is, and others by differences.
        return bool(factor) and sums_to_zero(factor) and partial_sums_exact(factor) == (not spec.symmetric.corner)
    # An exact difference, then a symmetric sum of three coefficients.
    return all(len(chain) == 2 and is_exact_difference(chain[0]) and line_of_three(chain[1]) for chain in chains)


@lru_cache(maxsize=16)
def _beyond(shape: tuple[int, ...], border: str) -> tuple[int, ...]:
    """Return the rows in the place of those above and below an image, and the columns left and right of it."""
    return tuple(i for n in shape for end in (-1, n) for i in index_map(end, end + 1, n, border))


class _Linear(NamedTuple):
    """OpenCV's functions for the linear responses of a specification to images of one type.

    Attributes
    ----------
    fill : callable
        ``fill(pixels, border, out)`` computes the responses (N, H, W) of pixels (H, W).
    borders : collection of str
        The borders that `fill` has.
    pixels, dtype : dtype
        Of the pixels that are filtered, and of the responses.
    weights : tuple of tuple of float
        For each component a weight of each response.
    squared : bool
        Whether the result is the root of the sum of the squares of two integer responses, times a power of two.
    direct : bool
        Whether the responses are the result, apart from their type.
    """

    fill: Callable[[Array, int, Array], None]
    borders: Collection[str]
    pixels: Any
    dtype: Any
    weights: tuple[Vector, ...]
    squared: bool
    direct: bool


@lru_cache(maxsize=256)
def _linear(spec: FilterSpec, dtype: np.dtype[Any]) -> _Linear | None:
    """Return functions that filter pixels with OpenCV's borders, not padded."""
    weights = tuple(component.weights for component in spec.components)
    if spec.reduce == "maximum" or spec.wide or any(side % 2 == 0 for side in spec.shape):
        return None
    of_bytes, floats = dtype == np.uint8, dtype.kind == "f"
    if spec.pair is not None and of_bytes:
        corner, middle, pairs = spec.pair
        both = all(any(w) for w in zip(*pairs, strict=True))
        # Other factors than powers of two would be rounded elsewhere than in the plain steps.
        if both and middle == 2 * corner and abs(math.frexp(corner)[0]) == 0.5:
            squared = spec.reduce == "magnitude" and pairs == ((1, 0), (0, 1))
            pairs = tuple(tuple(corner * w for w in line) for line in pairs)
            return _Linear(_sobel_pair, ("reflect", "edge"), dtype, np.dtype(np.int16), pairs, squared, direct=False)
    work = _result_type(dtype)
    rounding = Rounding.SEEN if floats else Rounding.NONE
    if floats and (spec.reduce == "magnitude" or not all(map(_summed_in_order, spec.kernels))):
        return None
    chains = [chain for kernel in spec.kernels for chain in steps(kernel, work, rounding)]
    filters = [step for chain in chains for step in chain if isinstance(step, OpenCVFilter)]
    one_call_each = len(filters) == len(spec.kernels) == len(chains) == sum(map(len, chains))
    types = {f.of_bytes if of_bytes else f.dtype for f in filters}
    if not one_call_each or len(types) > 1:
        return None

    def fill(pixels: Array, border: int, out: Array) -> None:
        for cv2_filter, response in zip(filters, out, strict=True):
            cv2_filter.fill(pixels, border, response)

    ones = weights == tuple(tuple(float(i == j) for j in range(len(filters))) for i in range(len(filters)))
    direct = ones and spec.reduce != "magnitude"
    pixels = dtype if of_bytes else work
    return _Linear(fill, tiling.CV2_BORDERS, pixels, types.pop(), weights, squared=False, direct=direct)


def _summed_in_order(kernel: Kernel) -> bool:
    """Tell whether OpenCV adds floats in the same order in all columns, and no product is rounded.

    It adds those of a row or a column of coefficients in another order in the last columns.
    """
    return all(len(c) == 1 and min(shape(c[0])) > 1 and partial_sums_exact(c[0]) for c in kernel.chains)


def _sobel_pair(pixels: Array, border: int, out: Array) -> None:
    cv2.spatialGradient(pixels, out[0], out[1], borderType=border)


def _fill(linear: _Linear, image: Array, start: int, stop: int, spec: FilterSpec, planes: Array) -> None:
    """Compute some rows of the responses in their place."""
    pixels = tiling.without_overlap(image[start:stop]).astype(linear.pixels, copy=False)
    linear.fill(pixels, tiling.CV2_BORDERS[spec.border], planes)
    top, bottom, _, _ = spec.halo
    # OpenCV has put a border around these rows. Where the image continues, the first and last ones are computed again.
    above = (start, min(start + top, stop)) if start else (start, start)
    below = (max(stop - bottom, start), stop) if stop < len(image) else (stop, stop)
    for first, last in (above, below):
        if first < last:
            planes[:, first - start : last - start] = _responses(linear, image, first, last, spec)


def _responses(linear: _Linear, image: Array, start: int, stop: int, spec: FilterSpec) -> Array:
    """Return the linear responses of some rows, (N, rows, columns)."""
    top, bottom, left, _ = spec.halo
    if spec.border in linear.borders:
        first = max(start - top, 0)
        pixels, border = tiling.without_overlap(image[first : stop + bottom]), tiling.CV2_BORDERS[spec.border]
        top, left = start - first, 0
    else:
        rows, columns = image.shape
        layout = ImageLayout(rows, columns, None, (), channel_axis=-1)
        pixels = tiling.pad(image, layout, start, stop, spec.halo, spec.border, image.dtype, 0)
        border = cv2.BORDER_REPLICATE
    responses = np.empty((len(linear.weights[0]), *pixels.shape), linear.dtype)
    linear.fill(pixels.astype(linear.pixels, copy=False), border, responses)
    return responses[:, top : top + stop - start, left : left + image.shape[1]]


def _reduce(linear: _Linear, responses: Array, spec: FilterSpec, planes: Array) -> None:
    """Compute the result from the linear responses."""
    if linear.direct:
        np.copyto(planes, responses)
        return
    if linear.squared:
        (corner, _), _ = linear.weights
        x, y = parts = np.empty(responses.shape, np.float32)
        np.copyto(parts, responses)
        # The sum of the squares is an integer below 2^24: only the root is rounded.
        x *= x
        cv2.accumulateSquare(y, x)
        x *= corner * corner
        cv2.sqrt(x, planes[0])
        return
    if spec.reduce == "magnitude":
        components = [weighted_sum(list(responses), w) for w in linear.weights]
        made = [magnitude(components, planes[0], overwrite=True)]
    else:
        made = [weighted_sum(list(responses), w, plane) for w, plane in zip(linear.weights, planes, strict=True)]
    for response, plane in zip(made, planes, strict=True):
        plane[...] = response


def laplacian_sums(pixels: Array, rows: slice, columns: slice) -> tuple[int, int]:
    """Return the sum and the sum of squares of the 4-neighbour Laplacian over some rows and columns of 8 bits.

    The sums are exact.
    """
    if columns == slice(0, pixels.shape[1]) and min(pixels.shape) > 1 and pixels.flags.c_contiguous:
        compiled = loops((rows.stop - rows.start) * pixels.shape[1])
        if compiled is not None:
            total, squares = compiled.laplacian_sums(pixels, rows.start, rows.stop)
            return int(total), int(squares)
    # 16 bits hold the response, and OpenCV adds their squares fastest.
    response = np.empty(pixels.shape, np.int16)
    cv2.Laplacian(pixels, cv2.CV_16S, response)
    part = response[rows, columns]
    # OpenCV may compute the norm from its root: the last digit is rounded away.
    return round(cv2.sumElems(part)[0]), round(cv2.norm(part, cv2.NORM_L2SQR))
