"""NumPy arrays by OpenCV. May import errors, borders, taps and cv2."""

import math
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends import Frame, Result
from edgekit.backends._cv2 import cv2
from edgekit.borders import OUTSIDE, index_map
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.taps import Difference, Kernel, Matrix, differences, shape

Array = NDArray[Any]

name = "cv2"
xp: ModuleType = np

#: Pixels in a strip: its few working arrays together stay in a second-level cache.
STRIP = 2**17

#: From this many taps on `cv2.filter2D` may turn to a Fourier transform (50 in double precision),
#: which rounds differently and lets one pixel touch all others.
MOST_TAPS = 49
BLOCK = 7

#: OpenCV filters this many channels at a time.
MOST_CHANNELS = 4


class _Arena(threading.local):
    """Memory for one strip's arrays, used again for the next strip: fresh memory costs more than the arithmetic."""

    def __init__(self) -> None:
        self._blocks: list[Array] = []
        self._used = 0
        self._open = False

    def __enter__(self) -> None:
        self._open = True

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._blocks.clear()

    def begin(self) -> None:
        """Begin a strip: whatever the last one was lent is free."""
        self._used = 0

    def empty(self, size: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an uninitialised array, of memory used before where a strip is being computed."""
        if not self._open:
            return np.empty(size, dtype)
        need = math.prod(size) * dtype.itemsize
        if self._used == len(self._blocks):
            self._blocks.append(np.empty(need, np.uint8))
        elif self._blocks[self._used].nbytes < need:
            self._blocks[self._used] = np.empty(need, np.uint8)
        block = self._blocks[self._used]
        self._used += 1
        return block[:need].view(dtype).reshape(size)


_arena = _Arena()
_empty = _arena.empty


def frame(image: Array) -> Frame:
    if image.ndim not in (2, 3):
        raise ShapeError(
            f"expected an image of shape (rows, columns) or (rows, columns, channels); found {image.shape}"
        )
    if 0 in image.shape:
        raise ShapeError(f"the image has no pixels: its shape is {image.shape}")
    rows, columns = image.shape[:2]
    channels = image.shape[2] if image.ndim == 3 else None
    return Frame(rows, columns, channels, (), channel_axis=-1)


def dtypes(image: Array, *, wide: bool) -> tuple[Any, Any]:
    kind, size = image.dtype.kind, image.dtype.itemsize
    if (kind in "iu" and size <= 2) or kind == "b":
        result: np.dtype[Any] = np.dtype(np.float32)
    elif kind in "iu" or (kind == "f" and size == 8):
        result = np.dtype(np.float64)
    elif kind == "f" and size in (2, 4):
        result = image.dtype.newbyteorder("=")
    else:
        raise DtypeError(
            f"expected bool, integers, or floats of 16, 32 or 64 bits; found {image.dtype}. Convert the image first"
        )
    work = np.dtype(np.float64) if wide or result.itemsize == 8 else np.dtype(np.float32)
    return work, result


def limits(image: Array) -> tuple[float, float]:
    if image.dtype.kind == "f":
        return -float("inf"), float("inf")
    if image.dtype.kind == "b":
        return 0.0, 1.0
    info = np.iinfo(image.dtype)
    return float(info.min), float(info.max)


def digits(dtype: Any) -> int:
    return int(np.finfo(dtype).nmant) + 1


def assemble(
    compute: Callable[[int, int], Array], frame: Frame, rows: int, halo: int,
    result: Result, sources: Sequence[Array | None],
) -> Array:  # fmt: skip
    out = result.out
    if out is not None and not isinstance(out, np.ndarray):
        raise DtypeError(f"out must be a NumPy array, as the image is; found {type(out).__name__}")
    result.check_out()
    if out is not None and not out.flags.writeable:
        raise ParameterError("out is read-only; give an array that can be written")
    # Rows already written must not be read again as pixels.
    shared = out is not None and any(s is not None and np.may_share_memory(out, s) for s in sources)
    target = np.empty(result.shape, result.dtype) if out is None or shared else out
    strips = np.moveaxis(target, result.row_axis, 0)
    # A strip computes its halo as well, so it should be a few times as tall.
    height = max(STRIP // (frame.columns * (frame.channels or 1)), 4 * halo, 16)
    with _arena:
        for start in range(0, rows, height):
            stop = min(start + height, rows)
            _arena.begin()
            strips[start:stop] = np.moveaxis(compute(start, stop), result.row_axis, 0)
    if out is not None and shared:
        out[...] = target
    return target if out is None else out


def window(
    image: Array, frame: Frame, start: int, stop: int, halo: tuple[int, int, int, int],
    border: str, dtype: Any, outside: float,
) -> Array:  # fmt: skip
    top, bottom, left, right = halo
    if border == "valid":
        return image[start : stop + top + bottom].astype(dtype)
    start, stop = start - top, stop + bottom
    first, last = max(start, 0), min(stop, frame.rows)
    columns = frame.columns
    out = _empty((stop - start, left + columns + right, *image.shape[2:]), dtype)
    inner = out[:, left : left + columns]
    inner[first - start : last - start] = image[first:last]
    for line, source in (
        *enumerate(index_map(start, first, frame.rows, border)),
        *enumerate(index_map(last, stop, frame.rows, border), last - start),
    ):
        inner[line] = outside if source == OUTSIDE else image[source]
    for line, source in (
        *enumerate(index_map(-left, 0, columns, border)),
        *enumerate(index_map(columns, columns + right, columns, border), left + columns),
    ):
        out[:, line] = outside if source == OUTSIDE else out[:, left + source]
    return out


@lru_cache(maxsize=512)
def _array(taps: Matrix, dtype: Any) -> Array:
    return np.array(taps, dtype)


def _pass(window: Array, taps: Matrix, exact: bool) -> Array:
    """Correlate with one tap array."""
    (rows, columns), (height, width) = shape(taps), window.shape[:2]
    h, w = height - rows + 1, width - columns + 1
    if not exact and (pairs := differences(taps)):
        return _differences(window, pairs, h, w)
    if rows * columns > MOST_TAPS and min(rows, columns) > 1:
        return _blocks(window, taps, h, w)
    kernel = _array(taps, window.dtype)
    full = _empty(window.shape, window.dtype)
    if min(rows, columns) == 1:
        one = _array(((1,),), window.dtype)
        along_x, along_y = (kernel, one) if rows == 1 else (one, kernel)
        cv2.sepFilter2D(window, -1, along_x, along_y, full, borderType=cv2.BORDER_REPLICATE)
    else:
        cv2.filter2D(window, -1, kernel, full, borderType=cv2.BORDER_REPLICATE)
    return full[rows // 2 : rows // 2 + h, columns // 2 : columns // 2 + w]


def _differences(window: Array, pairs: Sequence[Difference], h: int, w: int) -> Array:
    total = _empty((h, w, *window.shape[2:]), window.dtype)
    step = _empty(total.shape, window.dtype)
    for n, (weight, (i, j), (k, m)) in enumerate(pairs):
        into = step if n else total
        np.subtract(window[i : i + h, j : j + w], window[k : k + h, m : m + w], out=into)
        into *= weight
        if n:
            total += step
    return total


def _blocks(window: Array, taps: Matrix, h: int, w: int) -> Array:
    """Correlate block by block, each small enough to be summed and not transformed."""
    total = np.zeros((h, w, *window.shape[2:]), window.dtype)
    for i in range(0, len(taps), BLOCK):
        for j in range(0, len(taps[0]), BLOCK):
            block = tuple(line[j : j + BLOCK] for line in taps[i : i + BLOCK])
            if any(map(any, block)):
                rows, columns = shape(block)
                total += _pass(window[i : i + h + rows - 1, j : j + w + columns - 1], block, exact=True)
    return total


def correlate(window: Array, kernel: Kernel, *, exact: bool) -> Array:
    if window.ndim == 3:
        channels = window.shape[2]
        if channels == 1:
            return correlate(window[:, :, 0], kernel, exact=exact)[:, :, np.newaxis]
        if channels > MOST_CHANNELS:
            groups = (window[:, :, i : i + MOST_CHANNELS] for i in range(0, channels, MOST_CHANNELS))
            parts = [correlate(np.ascontiguousarray(g), kernel, exact=exact) for g in groups]
            return np.concatenate(parts, axis=2)
    total: Array | None = None
    for chain in (kernel.direct if exact else kernel.rounded).chains:
        part = window
        for taps in chain:
            part = _pass(part, taps, exact)
        if total is None:
            total = part
        else:
            total += part
    assert total is not None
    return total


def mix(responses: Sequence[Array], weights: Sequence[float]) -> Array:
    total: Array | None = None
    for response, weight in zip(responses, weights, strict=True):
        if weight:
            term = np.multiply(response, weight, out=_empty(response.shape, response.dtype))
            if total is None:
                total = term
            else:
                total += term
    assert total is not None
    return total


def laplacian_moments(image: Array) -> tuple[float, float]:
    """Return mean and mean square of the 4-neighbour Laplacian of an 8-bit plane, as exact integers divided once."""
    rows, columns = image.shape
    height = max(STRIP // columns, 16)
    total = squares = 0.0
    for start in range(0, rows, height):
        stop = min(start + height, rows)
        first, last = max(start - 1, 0), min(stop + 1, rows)
        # 16 bits hold it, and OpenCV adds their squares fastest.
        strip = cv2.Laplacian(image[first:last], cv2.CV_16S)[start - first : stop - first]
        total += cv2.sumElems(strip)[0]
        squares += cv2.norm(strip, cv2.NORM_L2SQR)
    return total / image.size, squares / image.size


def carries(window: Array, kernels: Sequence[Kernel]) -> bool:
    # OpenCV multiplies by taps that are zero, too.
    return False


def weighted(window: Array, taps: Array) -> Array:
    raise DtypeError("taps that are learned need a torch tensor as image; found a NumPy array")


def all_finite(window: Array) -> bool:
    return bool(np.isfinite(window).all())


def some_not_finite(array: Array) -> bool:
    return not all_finite(array)


def root(squares: Array) -> Array:
    return np.sqrt(squares)


def magnitude(gx: Array, gy: Array) -> Array:
    squares = np.multiply(gx, gx, out=_empty(gx.shape, gx.dtype))
    squares += np.multiply(gy, gy, out=_empty(gy.shape, gy.dtype))
    np.sqrt(squares, out=squares)
    return squares


def take_along(array: Array, indices: Array, axis: int) -> Array:
    return np.take_along_axis(array, indices, axis)


def cast(array: Array, dtype: Any) -> Array:
    return array.astype(dtype, copy=False)


def lend(image: Array, device: str | None) -> Array:
    return image


def give_back(response: Array) -> Array:
    return response


def without_graph() -> AbstractContextManager[Any]:
    return nullcontext()


def as_mask(mask: Array, image: Array, frame: Frame) -> Array:
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        found = getattr(mask, "dtype", type(mask).__name__)
        raise DtypeError(f"expected a mask of type bool, True where the image is valid; found {found}")
    if mask.shape == image.shape[:2] and image.ndim == 3:
        mask = mask[:, :, np.newaxis]
    if mask.shape != image.shape and mask.shape != (*image.shape[:2], 1)[: image.ndim]:
        raise ShapeError(f"expected a mask of shape {image.shape[:2]} for this image; found {mask.shape}")
    return np.broadcast_to(mask, image.shape)


def by_plane(function: Callable[..., Array], *images: Array) -> Array:
    if images[0].ndim == 2:
        return np.asarray(function(*images))
    channels = range(images[0].shape[-1])
    return np.stack([function(*(np.ascontiguousarray(i[..., c]) for i in images)) for c in channels], -1)


by_plane_in_numpy = by_plane
