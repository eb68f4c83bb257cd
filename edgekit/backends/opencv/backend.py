"""The backend for NumPy arrays, by OpenCV. It gathers the functions of `Backend` from the modules of this folder."""

from contextlib import AbstractContextManager
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import ArrayTypes, ImageLayout
from edgekit.backends.opencv.correlation import correlate as correlate
from edgekit.backends.opencv.correlation import extent as extent
from edgekit.backends.opencv.correlation import magnitude as magnitude
from edgekit.backends.opencv.correlation import weighted_sum as weighted_sum
from edgekit.backends.opencv.fused import fused as fused
from edgekit.backends.opencv.fused import loops
from edgekit.backends.opencv.network import run_network as run_network
from edgekit.backends.opencv.tiling import pad as pad
from edgekit.backends.opencv.tiling import run_tiles as run_tiles
from edgekit.common.load_cv2 import cv2
from edgekit.errors import DtypeError, ShapeError

Array = NDArray[Any]

name = "cv2"
xp: ModuleType = np


def image_layout(image: Array) -> ImageLayout:
    if image.ndim not in (2, 3):
        raise ShapeError(
            f"expected an image of shape (rows, columns) or (rows, columns, channels); found {image.shape}"
        )
    if 0 in image.shape:
        raise ShapeError(f"the image has no pixels: its shape is {image.shape}")
    rows, columns = image.shape[:2]
    return ImageLayout(rows, columns, image.shape[2] if image.ndim == 3 else None, (), channel_axis=-1)


def array_types(array: Array, *, wide: bool = False) -> ArrayTypes:
    return _types(array.dtype, wide)


@cache
def _types(dtype: np.dtype[Any], wide: bool) -> ArrayTypes:
    kind, size = dtype.kind, dtype.itemsize
    short = (kind in "iu" and size <= 2) or kind == "b"
    if short:
        result: np.dtype[Any] = np.dtype(np.float32)
    elif kind in "iu" or (kind == "f" and size == 8):
        result = np.dtype(np.float64)
    elif kind == "f" and size in (2, 4):
        result = dtype.newbyteorder("=")
    else:
        raise DtypeError(
            f"expected bool, integers, or floats of 16, 32 or 64 bits; found {dtype}. Convert the image first"
        )
    work = np.dtype(np.float64) if wide or result.itemsize == 8 else np.dtype(np.float32)
    low, high = -np.inf, np.inf
    if kind == "b":
        low, high = 0, 1
    elif kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    pixels = dtype.newbyteorder("=") if short else work
    info = np.finfo(work)
    return ArrayTypes(result, work, pixels, float(low), float(high), info.nmant + 1, info.maxexp, kind == "f")


def quantize(
    values: Array, scale: float, middle: int, top: int, dtype: Any, out: Array | None = None
) -> tuple[Array, int]:
    made = np.empty(values.shape, dtype) if out is None else out
    compiled = loops(values.size, counts=False)
    if compiled is not None and values.dtype == np.float32 and values.flags.c_contiguous and made.flags.c_contiguous:
        numbers = (np.float32(v) for v in (scale, middle, top))
        return made, compiled.quantize(values.reshape(-1), *numbers, made.reshape(-1))
    # One pass where nothing is NaN. Beyond 32 bits OpenCV would give 0, and it would round doubles to single precision.
    simple = not middle and top == 255 and values.size and values.dtype == np.float32
    if simple and made.flags.c_contiguous and (largest := max(values.max(), -values.min()) * scale) < 2**30:
        cv2.convertScaleAbs(values, made, scale)
        if largest < top + 0.5:
            return made, 0
        scaled = np.multiply(values, scale, dtype=values.dtype)
        return made, int(np.count_nonzero(np.abs(scaled, out=scaled) >= top + 0.5))
    shown = np.multiply(values, scale, dtype=np.float64 if values.dtype == np.float64 else np.float32)
    np.rint(shown, out=shown)
    if middle:
        shown += middle
    else:
        np.abs(shown, out=shown)
    clipped = int(np.count_nonzero(shown > top)) + (int(np.count_nonzero(shown < 1)) if middle else 0)
    np.copyto(shown, middle, where=np.isnan(shown))
    made[...] = np.clip(shown, 0, top, out=shown)
    return made, clipped


def keeps_nan_local(pixels: Array, kernels: Any) -> bool:
    # OpenCV also multiplies by coefficients that are zero.
    return False


def exporting() -> bool:
    return False


def keep(array: Array, where: Array, other: Any) -> Array:
    # A fraction of the time of `numpy.where`.
    result = array.copy()
    np.copyto(result, other, where=~where)
    return result


def cast(array: Array, dtype: Any) -> Array:
    return array.astype(dtype, copy=False)


def from_numpy(image: Array, device: str | None) -> Array:
    return image


def to_numpy(array: Array) -> Array:
    return array


def quiet() -> AbstractContextManager[Any]:
    return np.errstate(all="ignore")
