"""torch tensors by adding shifted images. May import errors, borders, taps, plans and interface.

With its neighbours `_torch_extent` and `_torch_strips` the only module under the filters that imports torch.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import lru_cache
from itertools import zip_longest
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from edgekit.backends.interface import Frame, Rounding
from edgekit.backends.pytorch.extent import extent as extent
from edgekit.backends.pytorch.extent import some_not_finite as some_not_finite
from edgekit.backends.pytorch.extent import some_tiny as some_tiny
from edgekit.backends.pytorch.tiling import assemble as assemble
from edgekit.backends.pytorch.tiling import layout_of, merely_computes, on_processor
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.operators.borders import index_map
from edgekit.operators.filter_spec import Plan
from edgekit.operators.kernels import Group, Kernel, Matrix, Pass

Array = torch.Tensor

name = "torch"
xp: ModuleType = torch

_SINGLE = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16}
_DOUBLE = {torch.int32, torch.int64, torch.uint32, torch.uint64}
_FLOATING = {torch.float16, torch.bfloat16, torch.float32, torch.float64}

#: On a GPU each shifted image is a pass over its memory, and from so many on a convolution is one.
MOST_SHIFTS = 9


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


def window(
    image: Array, frame: Frame, start: int, stop: int, halo: tuple[int, int, int, int],
    border: str, dtype: Any, outside: float,
) -> Array:  # fmt: skip
    top, bottom, left, right = halo
    if border == "valid":
        return image[..., start : stop + top + bottom, :].to(dtype)
    if not on_processor(image):
        return _padded(image.to(dtype), frame, halo, border, outside)
    first, last = start - top, stop + bottom
    rows = image[..., max(first, 0) : min(last, frame.rows), :]
    rows = _extended(rows, image, -2, first, last, frame.rows, border, outside).to(dtype)
    return _extended(rows, rows, -1, -left, frame.columns + right, frame.columns, border, outside)


def _extended(
    inner: Array, image: Array, axis: int, first: int, last: int, size: int, border: str, outside: float
) -> Array:
    """Put what lies beyond the image on both sides of what lies within."""
    pieces = [inner]
    for start, stop in ((first, 0), (size, last)):
        if start < stop:
            beyond = index_map(start, stop, size, border)
            if border == "constant":
                extent = list(image.shape)
                extent[axis] = len(beyond)
                piece = image.new_full(extent, outside)
            else:
                piece = image.index_select(axis, torch.tensor(beyond)).contiguous(memory_format=layout_of(image))
            pieces.insert(0 if start < 0 else len(pieces), piece)
    return torch.cat(pieces, axis) if len(pieces) > 1 else inner


#: Borders by the name that `torch.nn.functional.pad` has for them.
_PADDING = {"reflect": "reflect", "edge": "replicate"}


def _padded(image: Array, frame: Frame, halo: tuple[int, int, int, int], border: str, outside: float) -> Array:
    """Extend a whole image: without asking the device, and for images whose size is not known yet."""
    top, bottom, left, right = halo
    if border == "constant":
        return F.pad(image, (left, right, top, bottom), value=outside)
    small = max(top, bottom) < frame.rows and max(left, right) < frame.columns
    if small and border in _PADDING and image.dtype.is_floating_point and 0 not in frame.leading:
        planes = image.reshape(math.prod(image.shape[:-2]), *image.shape[-2:])
        padded = F.pad(planes, (left, right, top, bottom), mode=_PADDING[border])
        return padded.reshape(*image.shape[:-2], *padded.shape[-2:])
    for axis, size, before, after in ((-2, frame.rows, top, bottom), (-1, frame.columns, left, right)):
        if small:
            image = torch.cat([*_sides(image, axis, size, before, after, border)], axis)
        else:
            positions = torch.arange(-before, size + after, device=image.device)
            image = image.index_select(axis, _folded(positions, size, border))
    return image


def _sides(image: Array, axis: int, size: int, before: int, after: int, border: str) -> Iterator[Array]:
    """Give what lies beyond an image wider than the halo, and the image between."""
    if border == "wrap":
        yield image.narrow(axis, size - before, before)
        yield image
        yield image.narrow(axis, 0, after)
    elif border == "edge":
        yield from (image.narrow(axis, 0, 1),) * before
        yield image
        yield from (image.narrow(axis, size - 1, 1),) * after
    else:
        skipped = int(border == "reflect")
        yield image.narrow(axis, skipped, before).flip(axis)
        yield image
        yield image.narrow(axis, size - after - skipped, after).flip(axis)


def _folded(positions: Array, size: int, border: str) -> Array:
    """Do what `edgekit.operators.borders.index_map` does, on the device."""
    if border == "edge":
        return positions.clamp(0, size - 1)
    if border == "wrap":
        return positions % size
    last = int(border == "symmetric")
    period = max(2 * size - 2 + 2 * last, 1)
    folded = positions % period
    return torch.minimum(folded, (period - last - folded) % period)


def correlate(window: Array, kernel: Kernel, dtype: Any, rounding: Rounding) -> Array:
    if torch.is_grad_enabled() and window.requires_grad and merely_computes():
        response: Array = _Correlated.apply(window, kernel)  # type: ignore[no-untyped-call]  # torch has no types for it
        return response
    return _correlated(window, kernel)


class _Correlated(torch.autograd.Function):
    """A correlation whose way back is one, too: that of each shifted image by itself would fill an image with zeros."""

    @staticmethod
    def forward(ctx: Any, window: Array, kernel: Kernel) -> Array:
        ctx.kernel = kernel
        return _correlated(window, kernel)

    @staticmethod
    def backward(ctx: Any, slope: Array) -> tuple[Array, None]:
        rows, columns = ctx.kernel.shape
        around = F.pad(slope, (columns - 1, columns - 1, rows - 1, rows - 1))
        return correlate(around, ctx.kernel.flipped, around.dtype, Rounding.SEEN), None


def _correlated(window: Array, kernel: Kernel) -> Array:
    total: Array | None = None
    for chain in kernel.passes or kernel.prepared().passes:
        part = window
        for one in chain:
            part = _convolved(part, one.taps) if _many(window, one) else _shifted(part, one)
        total = part if total is None else total + part
    assert total is not None
    return total


def _many(window: Array, one: Pass) -> bool:
    """Tell whether a pass had better be a convolution."""
    if window.device.type == "cpu":
        return False
    differs = any(g.minus for g in one.groups)
    return not differs and merely_computes() and sum(len(g.plus) for g in one.groups) > MOST_SHIFTS


def carries(window: Array, kernels: Sequence[Kernel]) -> bool:
    # A convolution multiplies by taps that are zero, too.
    return not any(_many(window, one) for k in kernels for chain in k.passes for one in chain)


def _shifted(part: Array, one: Pass) -> Array:
    """Correlate by adding shifted images: on a processor several times as fast as conv2d on one channel."""
    height, width = part.shape[-2] - one.shape[0] + 1, part.shape[-1] - one.shape[1] + 1

    def at(place: tuple[int, int]) -> Array:
        i, j = place
        return part[..., i : i + height, j : j + width]

    total: Array | None = None
    for group in one.groups:
        if len(group.plus) == 1 and not group.minus:
            (view,) = map(at, group.plus)
            total = view * group.weight if total is None else total.add_(view, alpha=group.weight)
            continue
        gathered = _gathered(group, at)
        if total is not None:
            total.add_(gathered, alpha=group.weight)
        else:
            total = gathered if group.weight == 1 else gathered.mul_(group.weight)
    assert total is not None
    return total


def _gathered(group: Group, at: Callable[[tuple[int, int]], Array]) -> Array:
    """Add and subtract in turns: where all pixels are alike the sum is exactly 0 after each pair."""
    turns = [t for pair in zip_longest(group.plus, group.minus) for t in zip(pair, (1, -1), strict=True) if t[0]]
    (first, _), (second, sign), *rest = turns
    total = torch.add(at(first), at(second), alpha=sign)
    for place, sign in rest:
        total.add_(at(place), alpha=sign)
    return total


def weighted(window: Array, taps: Array) -> Array:
    if taps.device != window.device:
        raise DtypeError(f"the image is on {window.device} and the taps on {taps.device}; move one")
    taps = taps.to(window.dtype)
    rows, columns = taps.shape
    height, width = window.shape[-2] - rows + 1, window.shape[-1] - columns + 1
    total: Array | None = None
    for i in range(rows):
        for j in range(columns):
            term = window[..., i : i + height, j : j + width] * taps[i, j]
            total = term if total is None else total + term
    assert total is not None
    return total


@lru_cache(maxsize=512)
def _tensor(taps: Matrix, dtype: torch.dtype, device: torch.device) -> Array:
    # A tensor made under inference_mode could not be used by a later call that records a graph.
    with torch.inference_mode(False):
        return torch.tensor(taps, dtype=dtype, device=device)[None, None]


def _convolved(part: Array, taps: Matrix) -> Array:
    """Correlate by conv2d, in the precision of the image whatever the host chose."""
    batch = part.reshape(math.prod(part.shape[:-2]), 1, *part.shape[-2:])
    with ExitStack() as stack:
        if torch.amp.is_autocast_available(part.device.type):
            stack.enter_context(torch.autocast(part.device.type, enabled=False))
        if part.device.type == "cuda":
            # TF32 would round the image to ten bits.
            host = torch.backends.cudnn
            flags = {name: getattr(host, name) for name in ("enabled", "benchmark", "deterministic")}
            stack.enter_context(host.flags(**flags, allow_tf32=False))
        total = F.conv2d(batch, _tensor(taps, batch.dtype, batch.device))
    return total.reshape(*part.shape[:-2], *total.shape[-2:])


def mix(responses: Sequence[Array], weights: Sequence[float], out: Array | None = None) -> Array:
    terms = [r if w == 1 else r * w for r, w in zip(responses, weights, strict=True) if w]
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


def root(squares: Array) -> Array:
    # The root's slope at 0 is infinite, and infinity times 0 is NaN, as is all that NaN meets: keep both out of
    # the root, not out of the result.
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1).sqrt(), squares.detach())


def magnitude(gx: Array, gy: Array, out: Array | None = None, *, overwrite: bool = False) -> Array:
    squares = gx * gx
    if (torch.is_grad_enabled() and squares.requires_grad) or not merely_computes():
        return root(squares + gy * gy)
    return squares.addcmul_(gy, gy).sqrt_()


def take_along(array: Array, indices: Array, axis: int) -> Array:
    # Not take_along_dim, which fixes the size that an exported program takes.
    return torch.gather(array, axis, indices)


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
    return in_numpy(response)


def as_mask(mask: Array, image: Array, frame: Frame) -> Array:
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
        found = f"{type(mask).__name__} of type {mask.dtype}" if hasattr(mask, "dtype") else type(mask).__name__
        raise DtypeError(f"expected a mask that is a tensor of bool, True where the image is valid; found {found}")
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


def in_numpy(image: Array) -> Any:
    if image.is_meta:
        raise DtypeError("expected a tensor with pixels; found one on the meta device, which has none")
    # NumPy has no bfloat16.
    return (image.float() if image.dtype == torch.bfloat16 else image).numpy(force=True)


def quiet() -> AbstractContextManager[Any]:
    return nullcontext()


def without_graph() -> AbstractContextManager[Any]:
    return torch.inference_mode()


def by_plane(function: Callable[..., Array], *images: Array) -> Array:
    return function(*images)


def by_plane_in_numpy(function: Callable[..., Any], *images: Array) -> Array:
    lent = [in_numpy(i) for i in images]
    leading, size = lent[0].shape[:-2], lent[0].shape[-2:]
    count = math.prod(leading)
    planes = list(zip(*(a.reshape(count, *size) for a in lent), strict=True))
    # An empty batch has one plane of zeros computed, which tells type and shape of the results.
    planes = planes or [tuple(np.zeros(size, a.dtype) for a in lent)]
    results = np.stack([np.asarray(function(*p)) for p in planes])[:count]
    shape = (*leading, *size) if results.ndim > 1 else (*leading, 1, 1)
    return torch.from_numpy(results.reshape(shape)).to(images[0].device)
