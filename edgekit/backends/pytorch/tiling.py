"""How torch goes through an image: by strips of rows that stay in the cache, on the way there and back.

The way back computes each strip anew from the image, and nothing else is kept for it. Where torch looks at the
computation itself (compiles, exports, maps or differentiates forwards) it sees one plain expression that depends on
no pixel's value. May import errors.
"""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from threading import Barrier
from typing import Any, TypeVar

import torch
from torch.autograd import forward_ad

from edgekit.backends.interface import Frame, Result, Rows, Steps
from edgekit.errors import DtypeError

Array = torch.Tensor

T = TypeVar("T")

#: Pixels in a strip at most: its few working arrays together stay in a cache. So few are done in one piece.
STRIP, PIECE = 2**19, 2**17


def merely_computes() -> bool:
    """Tell whether nobody watches the computation, so that it may depend on values and be done in pieces."""
    return not (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]  # torch has no types for it
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
        response = compute(0, rows, None).to(result.dtype)
    else:
        height = _height(frame, rows, halo) if compute.image.device.type == "cpu" else rows
        if recorded[0]:
            response = _Recomputed.apply(  # type: ignore[no-untyped-call]  # torch has no types for it
                compute.image, compute, rows, height, halo, result
            )
        else:
            # Rows already written must not be read again as pixels.
            target = None if out is None or any(_overlap(out, s) for s in sources) else out
            response = _by_strips(compute, rows, height, result, target)
    return response if out is None or response is out else out.copy_(response)


def _height(frame: Frame, rows: int, halo: int) -> int:
    """Return how many rows a strip has; it computes its halo as well, so it should be a few times as tall."""
    across = max(1, frame.columns * (frame.channels or 1) * math.prod(frame.leading))
    if across * rows <= PIECE:
        return rows
    height = max(min(STRIP // across, math.ceil(rows / torch.get_num_threads())), 4 * halo, 16)
    # No last strip of a few rows.
    return math.ceil(rows / max(1, round(rows / height)))


def _overlap(one: Array, other: Array | None) -> bool:
    return other is not None and one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _by_strips(compute: Steps, rows: int, height: int, result: Result, out: Array | None) -> Array:
    """Compute strip after strip into one array."""
    if height >= rows:
        response = compute(0, rows, None).to(result.dtype)
        return response if out is None else out.copy_(response)
    image = compute.image
    layout = layout_of(image) if len(result.shape) == image.ndim else torch.contiguous_format
    into = out
    if into is None:
        into = torch.empty(result.shape, dtype=result.dtype, device=image.device, memory_format=layout)

    def fill(start: int) -> None:
        stop = min(start + height, rows)
        into[..., start:stop, :] = compute(start, stop, None)

    for _ in _each(fill, range(0, rows, height)):
        pass
    return into


def _each(function: Callable[[int], T], starts: Sequence[int]) -> Iterable[T]:
    """Call a function of strips, each on one of as many threads as torch has.

    Were the threads to share each operation instead, they would wait for one another after every one of them, and on a
    machine that has other work to do, wait long.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(starts) == 1:
        return map(function, starts)
    inference, recorded = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def alike(start: int) -> T:
        # These are each thread's own.
        with torch.inference_mode(inference), torch.set_grad_enabled(recorded):
            return function(start)

    return _workers(threads).map(alike, starts)


@lru_cache(maxsize=1)
def _workers(threads: int) -> ThreadPoolExecutor:
    """Return threads whose operations keep to themselves."""
    ready = Barrier(threads + 1)

    def start() -> None:
        torch.set_num_threads(1)
        ready.wait()

    pool = ThreadPoolExecutor(threads, "edgekit", start)
    for _ in range(threads):
        pool.submit(int)
    ready.wait()
    # The number is each thread's own, but the last that was set is that of threads to come.
    torch.set_num_threads(threads)
    return pool


# Threads do not survive a fork.
os.register_at_fork(after_in_child=_workers.cache_clear)


def layout_of(image: Array) -> torch.memory_format:
    """Return how an image, or a part of one, lies in memory."""
    channels_last = image.ndim == 4 and image.shape[1] > 1 and image.stride(1) == 1
    return torch.channels_last if channels_last else torch.contiguous_format


class _Recomputed(torch.autograd.Function):
    """A response that keeps nothing but its image for the way back, and computes each strip anew there."""

    @staticmethod
    def forward(ctx: Any, image: Array, compute: Steps, rows: int, height: int, halo: int, result: Result) -> Array:
        ctx.save_for_backward(image)
        ctx.compute, ctx.rows, ctx.height, ctx.halo = replace(compute, image=None), rows, height, halo
        return _by_strips(compute, rows, height, result, None)

    @staticmethod
    def backward(ctx: Any, slope: Array) -> tuple[Array | None, ...]:
        (image,) = ctx.saved_tensors
        compute, rows, halo = replace(ctx.compute, image=image), ctx.rows, ctx.halo
        rest = (None,) * 5
        if torch.is_grad_enabled():
            # Somebody wants the gradient's own gradient.
            whole = compute(0, rows, None)
            return (*torch.autograd.grad(whole, image, slope.to(whole.dtype), create_graph=True), *rest)
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            window, valid = compute.look(leaf, 0, rows)
        slopes = torch.zeros_like(window)

        def back(start: int) -> Array:
            stop = min(start + ctx.height, rows)
            part = (..., slice(start, stop + halo), slice(None))
            with torch.enable_grad():
                seen = window[part].detach().requires_grad_()
                strip = compute.filter(seen, None if valid is None else valid[part], None)
            given: Array = torch.autograd.grad(strip, seen, slope[..., start:stop, :].to(strip.dtype))[0]
            return given

        starts = range(0, rows, ctx.height)
        # Neighbours overlap: one after the other, and always in the same order.
        for start, given in zip(starts, _each(back, starts), strict=True):
            slopes[..., start : start + given.shape[-2], :] += given
        return (*torch.autograd.grad(window, leaf, slopes), *rest)
