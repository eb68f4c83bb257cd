"""torch tensors by conv2d; the only module under the filters that imports torch. May import errors, borders, taps."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from edgekit.backends import Frame, Result
from edgekit.borders import index_map
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.plans import Plan
from edgekit.taps import Kernel, Matrix, differences, shape

Array = torch.Tensor

name = "torch"
xp: ModuleType = torch

_SINGLE = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16}
_DOUBLE = {torch.int32, torch.int64, torch.uint32, torch.uint64}
_FLOATING = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def frame(image: Array) -> Frame:
    if image.ndim < 2:
        raise ShapeError(
            f"expected a tensor of shape (rows, columns) or (..., channels, rows, columns); found {tuple(image.shape)}"
        )
    *leading, rows, columns = image.shape
    channels = leading.pop() if leading else None
    if 0 in (rows, columns, channels):
        raise ShapeError(f"the image has no pixels: its shape is {tuple(image.shape)}")
    return Frame(rows, columns, channels, tuple(leading), channel_axis=-3)


def dtypes(image: Array, *, wide: bool) -> tuple[Any, Any]:
    if image.dtype in _SINGLE:
        result = torch.float32
    elif image.dtype in _DOUBLE:
        result = torch.float64
    elif image.dtype in _FLOATING:
        result = image.dtype
    else:
        raise DtypeError(
            f"expected bool, integers, or floats of 16, 32 or 64 bits; found {image.dtype}. Convert the image first"
        )
    # Apple's GPUs have no double precision.
    double = result == torch.float64 or (wide and image.device.type != "mps")
    return (torch.float64 if double else torch.float32), result


def limits(image: Array) -> tuple[float, float]:
    if image.dtype.is_floating_point:
        return -float("inf"), float("inf")
    if image.dtype == torch.bool:
        return 0.0, 1.0
    info = torch.iinfo(image.dtype)
    return float(info.min), float(info.max)


def digits(dtype: Any) -> int:
    return {torch.float32: 24, torch.float64: 53}[dtype]


def pixels_of(image: Array, work: Any) -> Any:
    return work


def assemble(
    compute: Callable[[int, int, Array | None], Array], frame: Frame, rows: int, halo: int,
    result: Result, sources: Sequence[Array | None],
) -> Array:  # fmt: skip
    out = result.out
    if out is not None and not isinstance(out, torch.Tensor):
        raise DtypeError(f"out must be a torch tensor, as the image is; found {type(out).__name__}")
    result.check_out()
    response = compute(0, rows, None).to(result.dtype)
    return response if out is None else out.copy_(response)


def window(
    image: Array, frame: Frame, start: int, stop: int, halo: tuple[int, int, int, int],
    border: str, dtype: Any, outside: float,
) -> Array:  # fmt: skip
    image = image.to(dtype)
    top, bottom, left, right = halo
    if border == "valid":
        return image
    if border == "constant":
        return F.pad(image, (left, right, top, bottom), value=outside)
    for axis, size, before, after in ((-2, frame.rows, top, bottom), (-1, frame.columns, left, right)):
        image = torch.cat(
            [
                image.index_select(axis, torch.tensor(index_map(start, stop, size, border), device=image.device))
                if start != 0
                else image
                for start, stop in ((-before, 0), (0, size), (size, size + after))
                if start != stop
            ],
            axis,
        )
    return image


@lru_cache(maxsize=512)
def _tensor(taps: Matrix, dtype: torch.dtype, device: torch.device) -> Array:
    # A tensor made under inference_mode could not be used by a later call that records a graph.
    with torch.inference_mode(False):
        return torch.tensor(taps, dtype=dtype, device=device)[None, None]


def _full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Keep convolutions on the GPU from rounding their input to ten bits (TF32)."""
    if device.type != "cuda":
        return nullcontext()
    flags = torch.backends.cudnn
    return flags.flags(
        enabled=flags.enabled, benchmark=flags.benchmark, deterministic=flags.deterministic, allow_tf32=False
    )


def correlate(window: Array, kernel: Kernel, dtype: Any, *, exact: bool) -> Array:
    batch = window.reshape(math.prod(window.shape[:-2]), 1, *window.shape[-2:])
    total: Array | None = None
    with _full_precision(window.device):
        for chain in (kernel.direct if exact else kernel.rounded).chains:
            part = batch
            for taps in chain:
                part = _pass(part, taps, exact)
            total = part if total is None else total + part
    assert total is not None
    return total.reshape(*window.shape[:-2], *total.shape[-2:])


def _pass(batch: Array, taps: Matrix, exact: bool) -> Array:
    """Correlate with one tap array."""
    pairs = () if exact else differences(taps)
    if not pairs:
        return F.conv2d(batch, _tensor(taps, batch.dtype, batch.device))
    h, w = (size - taken + 1 for size, taken in zip(batch.shape[-2:], shape(taps), strict=True))
    terms = [
        (batch[..., i : i + h, j : j + w] - batch[..., k : k + h, m : m + w]) * weight
        for weight, (i, j), (k, m) in pairs
    ]
    return sum(terms[1:], terms[0])


def mix(responses: Sequence[Array], weights: Sequence[float], out: Array | None = None) -> Array:
    terms = [r * w for r, w in zip(responses, weights, strict=True) if w]
    return sum(terms[1:], terms[0])


def shortcut(image: Array, plan: Plan) -> None:
    return None


def levels(
    values: Array, scale: float, middle: int, top: int, dtype: Any, out: Array | None = None
) -> tuple[Array, Array]:
    values = values.to(torch.float64 if values.dtype == torch.float64 else torch.float32) * scale
    shown = torch.round(values if middle else values.abs()) + middle
    clipped = ((shown > top) | (shown < (1 if middle else 0))).sum()
    return torch.where(shown.isnan(), middle, shown).clip(0, top).to(dtype), clipped


def all_finite(window: Array) -> bool:
    # On a GPU the question would wait for all work before it.
    return window.device.type == "cpu" and bool(torch.isfinite(window).all())


def root(squares: Array) -> Array:
    # The root's slope at 0 is infinite, and infinity times 0 is NaN, as is all that NaN meets: keep both out of
    # the root, not out of the result.
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1).sqrt(), squares.detach())


def magnitude(gx: Array, gy: Array, out: Array | None = None, *, overwrite: bool = False) -> Array:
    return root(gx * gx + gy * gy)


def take_along(array: Array, indices: Array, axis: int) -> Array:
    return torch.take_along_dim(array, indices, axis)


def cast(array: Array, dtype: Any) -> Array:
    return array.to(dtype)


def check_device(device: str | None) -> None:
    """Raise `ParameterError` unless torch can compute on `device` here."""
    try:
        torch.empty(0, device=device or "cpu")
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        accelerator = torch.accelerator.current_accelerator()
        there = "cpu" if accelerator is None else f"cpu, {accelerator.type}"
        reason = str(error).splitlines()[0]
        raise ParameterError(f"device={device!r} cannot be used here ({reason}); available: {there}") from None


def lend(image: Any, device: str | None) -> Array:
    tensor = torch.from_numpy(image if image.flags.writeable and image.flags.c_contiguous else image.copy())
    return (tensor if tensor.ndim == 2 else tensor.movedim(-1, 0)).to(device or "cpu")


def give_back(response: Array) -> Any:
    # A reduced response keeps its channel axis in torch's layout and loses it in NumPy's.
    if response.ndim == 3:
        response = response[0] if response.shape[0] == 1 else response.movedim(0, -1)
    return response.numpy(force=True)


def as_mask(mask: Array, image: Array, frame: Frame) -> Array:
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
        found = getattr(mask, "dtype", type(mask).__name__)
        raise DtypeError(f"expected a mask of type bool, True where the image is valid; found {found}")
    if mask.device != image.device:
        raise DtypeError(f"the image is on {image.device} and its mask on {mask.device}; move one")
    if mask.shape[-2:] != image.shape[-2:]:
        expected = tuple(image.shape[-2:])
        raise ShapeError(f"expected a mask of shape (..., {expected[0]}, {expected[1]}); found {tuple(mask.shape)}")
    try:
        return mask.expand(image.shape)
    except RuntimeError:
        raise ShapeError(
            f"a mask of shape {tuple(mask.shape)} does not fit an image of shape {tuple(image.shape)}"
        ) from None


def by_plane(function: Callable[..., Array], *images: Array) -> Array:
    return function(*images)


def by_plane_in_numpy(function: Callable[..., Any], *images: Array) -> Array:
    # NumPy has no bfloat16.
    lent = [(i.float() if i.dtype == torch.bfloat16 else i).numpy(force=True) for i in images]
    leading, size = lent[0].shape[:-2], lent[0].shape[-2:]
    planes = zip(*(a.reshape(-1, *size) for a in lent), strict=True)
    results = np.stack([np.asarray(function(*p)) for p in planes])
    shape = (*leading, *size) if results.ndim > 1 else (*leading, 1, 1)
    return torch.from_numpy(results.reshape(shape)).to(images[0].device)
