"""NumPy arrays by OpenCV. May import errors, taps, plans, what serves it here, and cv2."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import Frame, Result, Rounding
from edgekit.backends.opencv import direct, jit, tiling
from edgekit.backends.opencv.arithmetic import magnitude as magnitude
from edgekit.backends.opencv.arithmetic import mix as mix
from edgekit.backends.opencv.arithmetic import root as root
from edgekit.backends.opencv.correlation import program
from edgekit.backends.opencv.extent import extent as extent
from edgekit.backends.opencv.extent import some_not_finite as some_not_finite
from edgekit.backends.opencv.extent import some_tiny as some_tiny
from edgekit.backends.opencv.padding import MOST_CHANNELS
from edgekit.backends.opencv.padding import window as window
from edgekit.common.load_cv2 import cv2
from edgekit.errors import DtypeError, ShapeError
from edgekit.operators.filter_spec import Plan
from edgekit.operators.kernels import Kernel

Array = NDArray[Any]

name = "cv2"
xp: ModuleType = np

#: Kernels of more rows above and below than this have so much to do that each strip is worth a thread.
NEAR = 8


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
    return _limits(image.dtype)


@cache
def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return -float("inf"), float("inf")
    if dtype.kind == "b":
        return 0.0, 1.0
    info = np.iinfo(dtype)
    return float(info.min), float(info.max)


@cache
def digits(dtype: Any) -> int:
    return int(np.finfo(dtype).nmant) + 1


def pixels_of(image: Array, work: Any) -> Any:
    # OpenCV takes half as long for floats as for integers of 16 bits.
    return image.dtype if image.dtype == np.uint8 else work


def assemble(
    compute: Callable[[int, int, Array | None], Array], frame: Frame, rows: int, halo: int,
    result: Result, sources: Sequence[Array | None],
) -> Array:  # fmt: skip
    out = result.out
    if out is not None and not isinstance(out, np.ndarray):
        raise DtypeError(f"out must be a NumPy array, as the image is; found {type(out).__name__}")
    result.check_out()
    # Rows already written must not be read again as pixels.
    shared = out is not None and any(s is not None and np.may_share_memory(out, s) for s in sources)
    target = np.empty(result.shape, result.dtype) if out is None or shared else out
    if target is out and out.flags.c_contiguous:
        # NumPy calls it so whatever the stride along an axis of one entry is, OpenCV does not.
        target = out.reshape(-1).reshape(out.shape)

    def do(start: int, stop: int) -> None:
        into = target[(slice(None),) * result.row_axis + (slice(start, stop),)]
        made = compute(start, stop, into)
        if made is not into:
            into[...] = made

    # A strip computes its halo as well, so it should be a few times as tall.
    height = tiling.height(frame.columns * (frame.channels or 1), max(4 * halo, 16))
    with quiet():
        tiling.each(rows, height, cv2.getNumThreads(), do, tiling.SHARE if halo <= NEAR else 1)
    if out is not None and shared:
        out[...] = target
    return target if out is None else out


def correlate(window: Array, kernel: Kernel, dtype: Any, rounding: Rounding) -> Array:
    if window.ndim == 3:
        channels = window.shape[2]
        if channels == 1:
            return correlate(window[:, :, 0], kernel, dtype, rounding)[:, :, np.newaxis]
        if channels > MOST_CHANNELS:
            groups = (window[:, :, i : i + MOST_CHANNELS] for i in range(0, channels, MOST_CHANNELS))
            parts = [correlate(np.ascontiguousarray(g), kernel, dtype, rounding) for g in groups]
            return np.concatenate(parts, axis=2)
    total: Array | None = None
    for chain in program(kernel, dtype, rounding):
        part = window
        for run in chain:
            part = run(part)
        if total is None:
            total = part
        else:
            total += part
    assert total is not None
    return total


def shortcut(image: Array, plan: Plan) -> Callable[[int, int, Array | None], Array] | None:
    if image.ndim != 2 or plan.tone != "linear":
        return None
    compute = jit.response(image, plan) or direct.response(image, plan)
    if compute is None:
        return None
    planes = (len(plan.components),) if plan.reduce in ("stack", "gradient") else ()

    def run(start: int, stop: int, into: Array | None) -> Array:
        # Of several planes each is in one piece.
        plane = into[0] if into is not None and planes else into
        if into is None or plane is None or plane.dtype != np.float32 or not plane.flags.c_contiguous:
            into = tiling.empty((*planes, stop - start, image.shape[1]), np.float32)
        return compute(start, into)

    return run


def levels(
    values: Array, scale: float, middle: int, top: int, dtype: Any, out: Array | None = None
) -> tuple[Array, int]:
    made = np.empty(values.shape, dtype) if out is None else out
    compiled = jit.loops(values.size, counts=False)
    if compiled is not None and values.dtype == np.float32 and values.flags.c_contiguous and made.flags.c_contiguous:
        numbers = (np.float32(v) for v in (scale, middle, top))
        return made, compiled.levels(values.reshape(-1), *numbers, made.reshape(-1))
    # In one pass where nothing is NaN; beyond 32 bits OpenCV would give 0, and doubles it would round to single.
    simple = not middle and top == 255 and values.size and values.dtype == np.float32
    if simple and made.flags.c_contiguous and (largest := max(values.max(), -values.min()) * scale) < 2**30:
        cv2.convertScaleAbs(values, made, scale)
        if largest < top + 0.5:
            return made, 0
        scaled = np.multiply(values, scale, out=tiling.empty(values.shape, values.dtype))
        return made, int(np.count_nonzero(np.abs(scaled, out=scaled) >= top + 0.5))
    shown = tiling.empty(values.shape, np.float64 if values.dtype == np.float64 else np.float32)
    np.multiply(values, scale, out=shown, dtype=shown.dtype)
    np.rint(shown, out=shown)
    if middle:
        shown += middle
    else:
        np.abs(shown, out=shown)
    clipped = int(np.count_nonzero(shown > top)) + (int(np.count_nonzero(shown < 1)) if middle else 0)
    np.copyto(shown, middle, where=np.isnan(shown))
    made[...] = np.clip(shown, 0, top, out=shown)
    return made, clipped


def carries(window: Array, kernels: Sequence[Kernel]) -> bool:
    # OpenCV multiplies by taps that are zero, too.
    return False


def weighted(window: Array, taps: Array) -> Array:
    raise DtypeError("taps that are learned need a torch tensor as image; found a NumPy array")


def take_along(array: Array, indices: Array, axis: int) -> Array:
    return np.take_along_axis(array, indices, axis)


def cast(array: Array, dtype: Any) -> Array:
    return array.astype(dtype, copy=False)


def lend(image: Array, device: str | None) -> Array:
    return image


def give_back(response: Array) -> Array:
    return response


def in_numpy(image: Array) -> Array:
    return image


def quiet() -> AbstractContextManager[Any]:
    return np.errstate(all="ignore")


def without_graph() -> AbstractContextManager[Any]:
    return nullcontext()


def as_mask(mask: Array, image: Array, frame: Frame) -> Array:
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        found = f"{type(mask).__name__} of type {mask.dtype}" if hasattr(mask, "dtype") else type(mask).__name__
        raise DtypeError(f"expected a mask that is a NumPy array of bool, True where the image is valid; found {found}")
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
