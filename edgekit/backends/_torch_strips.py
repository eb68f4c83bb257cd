"""How torch goes through an image: by strips of rows that stay in the cache, on the way there and back.

The way back computes each strip anew from the image, and nothing else is kept for it. Where torch looks at the
computation itself (compiles, exports, maps or differentiates forwards) it sees one plain expression that depends on
no pixel's value. May import errors.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.autograd import forward_ad

from edgekit.backends import Frame, Result, Rows, Steps
from edgekit.errors import DtypeError

Array = torch.Tensor

#: Pixels in a strip for each thread: its few working arrays together stay in a second-level cache.
STRIP = 2**18


def merely_computes() -> bool:
    """Tell whether nobody watches the computation, so that it may depend on values and be done in pieces."""
    return not (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        # The transforms of torch.func, and derivatives forwards, have no public question.
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )


def on_processor(array: Array) -> bool:
    return array.device.type == "cpu" and merely_computes()


def assemble(
    compute: Rows, frame: Frame, rows: int, halo: int,
    result: Result, sources: Sequence[Array | None],
) -> Array:  # fmt: skip
    out = result.out
    if out is not None and not isinstance(out, torch.Tensor):
        raise DtypeError(f"out must be a torch tensor, as the image is; found {type(out).__name__}")
    result.check_out()
    recorded = [torch.is_grad_enabled() and s is not None and s.requires_grad for s in sources]
    if not isinstance(compute, Steps) or any(recorded[1:]) or not merely_computes():
        response = compute(0, rows).to(result.dtype)
    else:
        height = _height(frame, rows, halo) if compute.image.device.type == "cpu" else rows
        if recorded[0]:
            response = _Recomputed.apply(  # type: ignore[no-untyped-call]
                compute.image, compute, rows, height, halo, result.dtype
            )
        else:
            # Rows already written must not be read again as pixels.
            target = None if out is None or any(_overlap(out, s) for s in sources) else out
            response = _by_strips(compute, rows, height, result.dtype, target)
    return response if out is None or response is out else out.copy_(response)


def _height(frame: Frame, rows: int, halo: int) -> int:
    """Return how many rows a strip has; it computes its halo as well, so it should be a few times as tall."""
    across = max(1, frame.columns * (frame.channels or 1) * math.prod(frame.leading))
    height = max(STRIP * torch.get_num_threads() // across, 4 * halo, 16)
    # No last strip of a few rows.
    return math.ceil(rows / max(1, round(rows / height)))


def _overlap(one: Array, other: Array | None) -> bool:
    return other is not None and one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _by_strips(compute: Steps, rows: int, height: int, dtype: Any, out: Array | None) -> Array:
    """Compute strip after strip into one array."""
    if height >= rows:
        response = compute(0, rows).to(dtype)
        return response if out is None else out.copy_(response)
    for start in range(0, rows, height):
        stop = min(start + height, rows)
        strip = compute(start, stop)
        if out is None:
            size = (*strip.shape[:-2], rows, strip.shape[-1])
            out = torch.empty(size, dtype=dtype, device=strip.device, memory_format=layout_of(strip))
        out[..., start:stop, :] = strip
    assert out is not None
    return out


def layout_of(image: Array) -> torch.memory_format:
    """Return how an image, or a part of one, lies in memory."""
    channels_last = image.ndim == 4 and image.shape[1] > 1 and image.stride(1) == 1
    return torch.channels_last if channels_last else torch.contiguous_format


class _Recomputed(torch.autograd.Function):
    """A response that keeps nothing but its image for the way back, and computes each strip anew there."""

    @staticmethod
    def forward(ctx: Any, image: Array, compute: Steps, rows: int, height: int, halo: int, dtype: Any) -> Array:
        ctx.save_for_backward(image)
        ctx.compute, ctx.rows, ctx.height, ctx.halo = replace(compute, image=None), rows, height, halo
        return _by_strips(compute, rows, height, dtype, None)

    @staticmethod
    def backward(ctx: Any, slope: Array) -> tuple[Array | None, ...]:
        (image,) = ctx.saved_tensors
        compute, rows, halo = replace(ctx.compute, image=image), ctx.rows, ctx.halo
        rest = (None,) * 5
        if torch.is_grad_enabled():
            # Somebody wants the gradient's own gradient.
            whole = compute(0, rows)
            return (*torch.autograd.grad(whole, image, slope.to(whole.dtype), create_graph=True), *rest)
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            window, valid = compute.look(leaf, 0, rows)
        slopes = torch.zeros_like(window)
        for start in range(0, rows, ctx.height):
            stop = min(start + ctx.height, rows)
            part = (..., slice(start, stop + halo), slice(None))
            with torch.enable_grad():
                seen = window[part].detach().requires_grad_()
                strip = compute.filter(seen, None if valid is None else valid[part])
            slopes[part] += torch.autograd.grad(strip, seen, slope[..., start:stop, :].to(strip.dtype))[0]
        return (*torch.autograd.grad(window, leaf, slopes), *rest)
