"""The backend for torch tensors. It gathers the functions of `Backend` from the modules of this folder.

Only the modules of this folder, `nn` and `learn` import torch.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any

import torch

from edgekit.backends.interface import ArrayTypes, ImageLayout
from edgekit.backends.pytorch.correlation import correlate as correlate
from edgekit.backends.pytorch.correlation import keeps_nan_local as keeps_nan_local
from edgekit.backends.pytorch.network import run_network as run_network
from edgekit.backends.pytorch.tiling import exporting as exporting
from edgekit.backends.pytorch.tiling import is_eager, on_cpu
from edgekit.backends.pytorch.tiling import pad as pad
from edgekit.backends.pytorch.tiling import run_tiles as run_tiles
from edgekit.common.choices import shown
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.operators.filter_spec import FilterSpec

Array = torch.Tensor

name = "torch"
xp: ModuleType = torch

_SINGLE = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16}
_DOUBLE = {torch.int32, torch.int64, torch.uint32, torch.uint64}
_FLOATING = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def image_layout(image: Array) -> ImageLayout:
    if image.ndim < 2:
        raise ShapeError(
            f"expected a tensor of shape (rows, columns) or (..., channels, rows, columns); found {tuple(image.shape)}"
        )
    *leading, rows, columns = image.shape
    channels = leading.pop() if leading else None
    if 0 in (rows, columns, channels):
        raise ShapeError(f"the image has no pixels: its shape is {tuple(image.shape)}")
    return ImageLayout(rows, columns, channels, tuple(leading), channel_axis=-3)


def array_types(array: Array, *, wide: bool = False) -> ArrayTypes:
    if array.dtype in _SINGLE:
        result = torch.float32
    elif array.dtype in _DOUBLE:
        result = torch.float64
    elif array.dtype in _FLOATING:
        result = array.dtype
    else:
        raise DtypeError(
            f"expected bool, integers, or floats of 16, 32 or 64 bits; found {array.dtype}. Convert the image first"
        )
    # Apple's GPUs have no double precision, and other runtimes no convolution in it.
    double = result == torch.float64 or (wide and array.device.type != "mps" and not exporting())
    work = torch.float64 if double else torch.float32
    low, high = -math.inf, math.inf
    if array.dtype == torch.bool:
        low, high = 0.0, 1.0
    elif not array.dtype.is_floating_point:
        info = torch.iinfo(array.dtype)
        low, high = float(info.min), float(info.max)
    digits, exponent = (53, 1024) if double else (24, 128)
    return ArrayTypes(result, work, work, low, high, digits, exponent, array.dtype.is_floating_point)


def extent(values: Array, tiny: float = 0.0) -> tuple[float, bool, bool] | None:
    # A GPU would have to finish all work before it answers.
    if not on_cpu(values) or not values.numel():
        return None
    values = values.detach()
    least, most = (float(v) for v in values.aminmax())
    finite = -math.inf < least and most < math.inf
    size = max(most, -least) if finite else float(torch.where(values.isfinite(), values.abs(), 0).max())
    some_tiny = tiny > 0 and not (finite and least >= tiny) and _some_below(values, tiny)
    return size, finite, some_tiny


def _some_below(values: Array, tiny: float) -> bool:
    """Tell whether some absolute values are below `tiny`, but not 0."""
    return bool((values.abs() < tiny).count_nonzero() > values.numel() - values.count_nonzero())


def weighted_sum(responses: Sequence[Array], weights: Sequence[float], out: Array | None = None) -> Array:
    terms = [r if w == 1 else r * w for r, w in zip(responses, weights, strict=True) if w]
    return sum(terms[1:], terms[0])


def magnitude(components: Sequence[Array], out: Array | None = None, *, overwrite: bool = False) -> Array:
    first, *rest = components
    squares = first * first
    recorded = torch.is_grad_enabled() and any(c.requires_grad for c in components)
    if exporting() and not recorded:
        return sum((part * part for part in rest), squares).sqrt()
    if recorded or not is_eager():
        for part in rest:
            squares = squares + part * part
        # The root has an infinite slope at 0, and infinity times 0 is NaN: 0 and NaN do not go through it.
        positive = squares > 0
        return torch.where(positive, torch.where(positive, squares, 1).sqrt(), squares.detach())
    for part in rest:
        squares.addcmul_(part, part)
    return squares.sqrt_()


def fused(image: Array, spec: FilterSpec, *, padded: bool = False) -> None:
    return None


def quantize(
    values: Array, scale: float, middle: int, top: int, dtype: Any, out: Array | None = None
) -> tuple[Array, Array]:
    values = values.to(torch.float64 if values.dtype == torch.float64 else torch.float32) * scale
    shown = torch.round(values if middle else values.abs()) + middle
    clipped = ((shown > top) | (shown < (1 if middle else 0))).sum()
    return torch.where(shown.isnan(), middle, shown).clip(0, top).to(dtype), clipped


def keep(array: Array, where: Array, other: Any) -> Array:
    return torch.where(where, array, other)


def cast(array: Array, dtype: Any) -> Array:
    return array.to(dtype)


def check_device(device: str | None) -> None:
    """Raise `ParameterError` unless torch can compute on `device` here."""
    try:
        torch.zeros(1, device="cpu" if device is None else device).item()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError, ValueError) as error:
        accelerator, count = torch.accelerator.current_accelerator(), torch.accelerator.device_count()
        kind = "" if accelerator is None else accelerator.type
        names = ["cpu", *([kind] if kind else []), *(f"{kind}:{n}" for n in range(count) if count > 1)]
        # torch names every type of device that it could be built for, most of which are not available.
        reason = str(error).splitlines()[0].split(". ")[0]
        reason = "" if reason.startswith("Expected one of") else f". Torch says: {reason}"
        available = ", ".join(names)
        raise ParameterError(f"device={shown(device)} cannot be used here; available: {available}{reason}") from None


def from_numpy(image: Any, device: str | None) -> Array:
    # torch accepts no negative strides, and warns of arrays that cannot be written.
    shared = image.flags.writeable and min(image.strides, default=0) >= 0
    tensor = torch.from_numpy(image if shared else image.copy())
    return tensor.to(device or "cpu")


def to_numpy(array: Array) -> Any:
    if array.is_meta:
        raise DtypeError("expected a tensor with pixels; found one on the meta device, which has none")
    # NumPy has no bfloat16.
    return (array.float() if array.dtype == torch.bfloat16 else array).numpy(force=True)


def quiet() -> AbstractContextManager[Any]:
    return nullcontext()
