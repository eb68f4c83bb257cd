"""NumPy arrays by OpenCV. May import errors, borders, taps and cv2."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends import Frame, Result
from edgekit.backends._cv2 import cv2
from edgekit.borders import OUTSIDE, index_map
from edgekit.errors import DtypeError, ShapeError
from edgekit.taps import Kernel, Matrix, shape

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
    # Rows already written must not be read again as pixels.
    shared = out is not None and any(s is not None and np.may_share_memory(out, s) for s in sources)
    target = np.empty(result.shape, result.dtype) if out is None or shared else out
    strips = np.moveaxis(target, result.row_axis, 0)
    # A strip computes its halo as well, so it should be a few times as tall.
    height = max(STRIP // (frame.columns * (frame.channels or 1)), 4 * halo, 16)
    for start in range(0, rows, height):
        stop = min(start + height, rows)
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
    out = np.empty((stop - start, left + columns + right, *image.shape[2:]), dtype)
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


def _pass(window: Array, taps: Matrix) -> Array:
    """Correlate with one tap array."""
    (rows, columns), (height, width) = shape(taps), window.shape[:2]
    h, w = height - rows + 1, width - columns + 1
    if rows * columns > MOST_TAPS and min(rows, columns) > 1:
        blocks = (
            (i, j, tuple(line[j : j + BLOCK] for line in taps[i : i + BLOCK]))
            for i in range(0, rows, BLOCK)
            for j in range(0, columns, BLOCK)
        )
        parts = (
            _pass(window[i : i + h + len(block) - 1, j : j + w + len(block[0]) - 1], block)
            for i, j, block in blocks
            if any(map(any, block))
        )
        total = next(parts).copy()
        for part in parts:
            total += part
        return total
    kernel = _array(taps, window.dtype)
    if min(rows, columns) == 1:
        one = _array(((1,),), window.dtype)
        along_x, along_y = (kernel, one) if rows == 1 else (one, kernel)
        full = cv2.sepFilter2D(window, -1, along_x, along_y, borderType=cv2.BORDER_REPLICATE)
    else:
        full = cv2.filter2D(window, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return full[rows // 2 : rows // 2 + h, columns // 2 : columns // 2 + w]


def correlate(window: Array, kernel: Kernel) -> Array:
    if window.ndim == 3:
        channels = window.shape[2]
        if channels == 1:
            return correlate(window[:, :, 0], kernel)[:, :, np.newaxis]
        if channels > MOST_CHANNELS:
            groups = [window[:, :, i : i + MOST_CHANNELS] for i in range(0, channels, MOST_CHANNELS)]
            return np.concatenate([correlate(np.ascontiguousarray(g), kernel) for g in groups], axis=2)
    total: Array | None = None
    for chain in kernel.chains:
        part = window
        for taps in chain:
            part = _pass(part, taps)
        total = part if total is None else total + part
    assert total is not None
    return total


def all_finite(window: Array) -> bool:
    return bool(np.isfinite(window).all())


def root(squares: Array) -> Array:
    return np.sqrt(squares)


def magnitude(gx: Array, gy: Array) -> Array:
    squares = gx * gx
    squares += gy * gy
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


def as_mask(mask: Array, image: Array, frame: Frame) -> Array:
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        found = getattr(mask, "dtype", type(mask).__name__)
        raise DtypeError(f"expected a mask of type bool, True where the image is valid; found {found}")
    if mask.shape == image.shape[:2] and image.ndim == 3:
        mask = mask[:, :, np.newaxis]
    if mask.shape != image.shape and mask.shape != (*image.shape[:2], 1)[: image.ndim]:
        raise ShapeError(f"expected a mask of shape {image.shape[:2]} for this image; found {mask.shape}")
    return np.broadcast_to(mask, image.shape)
