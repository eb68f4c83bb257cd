"""Correlates tensors with kernels, by adding shifted images. May import `operators` and what is below it."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import torch
import torch.nn.functional as F

from edgekit.backends.interface import Rounding
from edgekit.backends.pytorch.tiling import exporting, is_eager
from edgekit.errors import DtypeError
from edgekit.operators.kernels import Group, Kernel, Matrix, ShiftedSum

Array = torch.Tensor

#: Kernels with more coefficients are exported as chains of convolutions, such as a column and a row.
MOST_TOGETHER = 49

#: Largest number of coefficients for which a GPU computes a sum of shifted images: each of them reads the whole image.
#: For more coefficients a convolution takes less time.
MOST_SHIFTS = 9


def correlate(pixels: Array, kernels: Sequence[Kernel | Array], dtype: Any, rounding: Rounding) -> list[Array]:
    if pixels.dtype == torch.bool:
        pixels = pixels.to(dtype)
    if exporting():
        return _by_convolutions(pixels, kernels)
    return [_learned(pixels, k) if isinstance(k, torch.Tensor) else _differentiable(pixels, k) for k in kernels]


def _by_convolutions(pixels: Array, kernels: Sequence[Kernel | Array]) -> list[Array]:
    """Correlate by as few convolutions as possible: other runtimes execute them fastest."""
    together = all(isinstance(k, torch.Tensor) or math.prod(k.shape) <= MOST_TOGETHER for k in kernels)
    if together:
        return _convolutions(pixels, [k if isinstance(k, torch.Tensor) else k.coefficients for k in kernels])
    responses = []
    for kernel in kernels:
        assert isinstance(kernel, Kernel)
        total: Array | None = None
        for chain in kernel.rounded.chains:
            part = pixels
            for factor in chain:
                (part,) = _convolutions(part, [factor])
            total = part if total is None else total + part
        assert total is not None
        responses.append(total)
    return responses


def _convolutions(pixels: Array, tables: Sequence[Matrix | Array]) -> list[Array]:
    """Correlate each channel with some kernels of one shape, by one convolution."""
    weights = [torch.as_tensor(t, dtype=pixels.dtype, device=pixels.device)[None] for t in tables]
    if pixels.ndim in (3, 4):
        planes, channels = pixels, pixels.shape[-3]
    else:
        planes, channels = pixels.reshape(-1, 1, *pixels.shape[-2:]), 1
    # Channel by channel, the kernels of each in turn.
    response = F.conv2d(planes, torch.stack(weights * channels), groups=channels)
    found = [response[..., n :: len(tables), :, :] if len(tables) > 1 else response for n in range(len(tables))]
    return found if planes is pixels else [r.reshape(*pixels.shape[:-2], *r.shape[-2:]) for r in found]


def _differentiable(pixels: Array, kernel: Kernel) -> Array:
    if torch.is_grad_enabled() and pixels.requires_grad and is_eager():
        response: Array = _Correlated.apply(pixels, kernel)  # type: ignore[no-untyped-call]  # torch has no types for it
        return response
    return _correlated(pixels, kernel)


class _Correlated(torch.autograd.Function):
    """A correlation whose backward pass is a correlation. That of each shifted image would fill an image with zeros."""

    @staticmethod
    def forward(ctx: Any, pixels: Array, kernel: Kernel) -> Array:
        ctx.kernel = kernel
        return _correlated(pixels, kernel)

    @staticmethod
    def backward(ctx: Any, gradient: Array) -> tuple[Array, None]:
        rows, columns = ctx.kernel.shape
        around = F.pad(gradient, (columns - 1, columns - 1, rows - 1, rows - 1))
        return _differentiable(around, ctx.kernel.flipped), None


def _correlated(pixels: Array, kernel: Kernel) -> Array:
    total: Array | None = None
    for chain in kernel.shifted_sums or kernel.prepared().shifted_sums:
        part = pixels
        for one in chain:
            part = _convolved(part, one.coefficients) if _is_convolution(pixels, one) else _shifted(part, one)
        total = part if total is None else total + part
    assert total is not None
    return total


def _is_convolution(pixels: Array, one: ShiftedSum) -> bool:
    """Tell whether a convolution takes less time than the shifted images."""
    if pixels.device.type == "cpu":
        return False
    differs = any(g.minus for g in one.groups)
    return not differs and is_eager() and sum(len(g.plus) for g in one.groups) > MOST_SHIFTS


def keeps_nan_local(pixels: Array, kernels: Sequence[Kernel]) -> bool:
    # A convolution also multiplies by coefficients that are zero.
    return not exporting() and not any(
        _is_convolution(pixels, one) for k in kernels for chain in k.shifted_sums for one in chain
    )


def _shifted(part: Array, one: ShiftedSum) -> Array:
    """Add shifted images: on a CPU several times as fast as conv2d on one channel."""
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
    """Add and subtract alternately: on a flat image the sum is exactly 0 after each pair."""
    turns = [t for pair in zip_longest(group.plus, group.minus) for t in zip(pair, (1, -1), strict=True) if t[0]]
    (first, _), (second, sign), *rest = turns
    total = torch.add(at(first), at(second), alpha=sign)
    for place, sign in rest:
        total.add_(at(place), alpha=sign)
    return total


def _learned(pixels: Array, coefficients: Array) -> Array:
    """Correlate with coefficients that are a tensor, so that they have a gradient."""
    if coefficients.device != pixels.device:
        raise DtypeError(f"the image is on {pixels.device} and the kernel on {coefficients.device}; move one")
    coefficients = coefficients.to(pixels.dtype)
    rows, columns = coefficients.shape
    height, width = pixels.shape[-2] - rows + 1, pixels.shape[-1] - columns + 1
    total: Array | None = None
    for i in range(rows):
        for j in range(columns):
            term = pixels[..., i : i + height, j : j + width] * coefficients[i, j]
            total = term if total is None else total + term
    assert total is not None
    return total


@lru_cache(maxsize=512)
def _tensor(coefficients: Matrix, dtype: torch.dtype, device: torch.device) -> Array:
    # A tensor made under inference_mode could not be used by a later call that records a graph.
    with torch.inference_mode(False):
        return torch.tensor(coefficients, dtype=dtype, device=device)[None, None]


def _convolved(part: Array, coefficients: Matrix) -> Array:
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
        total = F.conv2d(batch, _tensor(coefficients, batch.dtype, batch.device))
    return total.reshape(*part.shape[:-2], *total.shape[-2:])
