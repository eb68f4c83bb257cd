"""Computes tensors tile by tile, and pads the tiles. A tile is a run of rows that fits into the cache.

The backward pass computes each tile again from the image and stores nothing else. Where torch traces the computation
(compile, export, vmap, forward mode) it sees one plain expression that does not depend on the values of pixels.
May import `operators` and what is below it.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch.autograd import forward_ad

from edgekit.backends.interface import ComputeRows, Halo, ImageLayout, Result, TileFilter, TryRows
from edgekit.errors import DtypeError
from edgekit.operators.borders import index_map

Array = torch.Tensor

T = TypeVar("T")

#: Most pixels in a tile: its working arrays fit into the cache. Images of up to `SMALL` pixels are one tile.
TILE, SMALL = 2**19, 2**17


def is_eager() -> bool:
    """Tell whether nothing traces the computation, so that it may depend on values and be split into tiles."""
    return not (
        torch.compiler.is_compiling()
        or _is_traced()
        # torch has no public function that tells whether torch.func or forward mode is active.
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )


def exporting() -> bool:
    """Tell whether torch.export, torch.onnx or torch.jit.trace records the computation as a graph."""
    return torch.compiler.is_exporting() or _is_traced()


def _is_traced() -> bool:
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]  # torch has no types for it
    return traced


def on_cpu(array: Array) -> bool:
    return array.device.type == "cpu" and is_eager()


def run_tiles(
    compute: ComputeRows, layout: ImageLayout, rows: int, overlap: int, result: Result,
    sources: Sequence[Array | None], tile: TileFilter | None = None, at_once: TryRows | None = None,
) -> Array:  # fmt: skip
    out = result.out
    if out is not None:
        if not isinstance(out, torch.Tensor):
            raise DtypeError(f"out must be a torch tensor, as the image is; found {type(out).__name__}")
        result.check_out()
    recorded = [torch.is_grad_enabled() and s is not None and s.requires_grad for s in sources]
    if tile is None or any(recorded[1:]) or not is_eager():
        response = compute(0, rows, None).to(result.dtype)
    else:
        height = _tile_height(layout, rows, overlap) if tile.image.device.type == "cpu" else rows
        if recorded[0]:
            response = _Recomputed.apply(  # type: ignore[no-untyped-call]  # torch has no types for it
                tile.image, tile, rows, height, overlap, result
            )
        else:
            # A row of `out` that is written must not be read as a pixel afterwards.
            target = None if out is None or any(_overlap(out, s) for s in sources) else out
            response = _by_tiles(tile, rows, height, result, target)
    return response if out is None or response is out else out.copy_(response)


def _tile_height(layout: ImageLayout, rows: int, overlap: int) -> int:
    """Return the rows of a tile: several times those that two tiles read, which are filtered twice."""
    across = max(1, layout.columns * (layout.channels or 1) * math.prod(layout.leading))
    if across * rows <= SMALL:
        return rows
    height = max(min(TILE // across, math.ceil(rows / torch.get_num_threads())), 4 * overlap, 16)
    # All tiles have the same height: no last tile of a few rows.
    return math.ceil(rows / max(1, round(rows / height)))


def _overlap(one: Array, other: Array | None) -> bool:
    return other is not None and one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _filtered(tile: TileFilter, start: int, stop: int) -> Array:
    """Return rows ``start`` to ``stop - 1`` of a response."""
    response: Array = tile.filter(*tile.read(tile.image, start, stop), None)
    return response


def _by_tiles(tile: TileFilter, rows: int, height: int, result: Result, out: Array | None) -> Array:
    """Compute all tiles into one array."""
    if height >= rows:
        response = _filtered(tile, 0, rows).to(result.dtype)
        return response if out is None else out.copy_(response)
    image = tile.image
    memory = memory_format_of(image) if len(result.shape) == image.ndim else torch.contiguous_format
    into = out
    if into is None:
        into = torch.empty(result.shape, dtype=result.dtype, device=image.device, memory_format=memory)

    def fill(start: int) -> None:
        stop = min(start + height, rows)
        into[..., start:stop, :] = _filtered(tile, start, stop)

    for _ in _each(fill, range(0, rows, height)):
        pass
    return into


def _each(function: Callable[[int], T], starts: Sequence[int]) -> Iterable[T]:
    """Call a function for each tile, on as many threads as torch has.

    The alternative is to share each operation between the threads. They would then wait for one another after every
    operation, for a long time on a machine with other work.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(starts) == 1:
        return map(function, starts)
    inference, recorded = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def in_same_mode(start: int) -> T:
        # Each thread has its own modes.
        with torch.inference_mode(inference), torch.set_grad_enabled(recorded):
            return function(start)

    return _workers(threads).map(in_same_mode, starts)


@lru_cache(maxsize=1)
def _workers(threads: int) -> ThreadPoolExecutor:
    """Return a pool of threads in which each operation runs on one thread."""
    ready = Barrier(threads + 1)

    def start() -> None:
        torch.set_num_threads(1)
        ready.wait()

    pool = ThreadPoolExecutor(threads, "edgekit", start)
    for _ in range(threads):
        pool.submit(int)
    ready.wait()
    # Each thread has its own number, but new threads start with the number that was set last.
    torch.set_num_threads(threads)
    return pool


# Threads do not survive a fork.
os.register_at_fork(after_in_child=_workers.cache_clear)


def memory_format_of(image: Array) -> torch.memory_format:
    """Return the memory format of an image or of a part of one."""
    channels_last = image.ndim == 4 and image.shape[1] > 1 and image.stride(1) == 1
    return torch.channels_last if channels_last else torch.contiguous_format


class _Recomputed(torch.autograd.Function):
    """A response that stores only its image for the backward pass, and computes each tile again there."""

    @staticmethod
    def forward(
        ctx: Any, image: Array, tile: TileFilter, rows: int, height: int, overlap: int, result: Result
    ) -> Array:
        ctx.save_for_backward(image)
        ctx.tile, ctx.rows, ctx.height, ctx.overlap = tile._replace(image=None), rows, height, overlap
        return _by_tiles(tile, rows, height, result, None)

    @staticmethod
    def backward(ctx: Any, gradient: Array) -> tuple[Array | None, ...]:
        (image,) = ctx.saved_tensors
        tile, rows, overlap = ctx.tile._replace(image=image), ctx.rows, ctx.overlap
        rest = (None,) * 5
        if torch.is_grad_enabled():
            # The gradient of the gradient is needed.
            whole = _filtered(tile, 0, rows)
            return (*torch.autograd.grad(whole, image, gradient.to(whole.dtype), create_graph=True), *rest)
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            pixels, valid = tile.read(leaf, 0, rows)
        gradients = torch.zeros_like(pixels)

        def back(start: int) -> Array:
            stop = min(start + ctx.height, rows)
            part = (..., slice(start, stop + overlap), slice(None))
            with torch.enable_grad():
                seen = pixels[part].detach().requires_grad_()
                response = tile.filter(seen, None if valid is None else valid[part], None)
            given: Array = torch.autograd.grad(response, seen, gradient[..., start:stop, :].to(response.dtype))[0]
            return given

        starts = range(0, rows, ctx.height)
        # Tiles overlap: their gradients are added one after another, always in the same order.
        for start, given in zip(starts, _each(back, starts), strict=True):
            gradients[..., start : start + given.shape[-2], :] += given
        return (*torch.autograd.grad(pixels, leaf, gradients), *rest)


def pad(
    image: Array, layout: ImageLayout, start: int, stop: int, halo: Halo, border: str, dtype: Any, fill: float
) -> Array:
    top, bottom, left, right = halo
    if border == "valid":
        return image[..., start : stop + top + bottom, :].to(dtype)
    if not on_cpu(image):
        return _padded(image.to(dtype), layout, halo, border, fill)
    first, last = start - top, stop + bottom
    rows = image[..., max(first, 0) : min(last, layout.rows), :]
    rows = _extended(rows, image, -2, first, last, layout.rows, border, fill).to(dtype)
    return _extended(rows, rows, -1, -left, layout.columns + right, layout.columns, border, fill)


def _extended(
    inner: Array, image: Array, axis: int, first: int, last: int, size: int, border: str, fill: float
) -> Array:
    """Add the pixels beyond the image on both sides."""
    pieces = [inner]
    for start, stop in ((first, 0), (size, last)):
        if start < stop:
            beyond = index_map(start, stop, size, border)
            if border == "constant":
                extent = list(image.shape)
                extent[axis] = len(beyond)
                piece = image.new_full(extent, fill)
            else:
                piece = image.index_select(axis, torch.tensor(beyond)).contiguous(memory_format=memory_format_of(image))
            pieces.insert(0 if start < 0 else len(pieces), piece)
    return torch.cat(pieces, axis) if len(pieces) > 1 else inner


#: Borders by the name that `torch.nn.functional.pad` has for them.
_PADDING = {"reflect": "reflect", "edge": "replicate"}


def _padded(image: Array, layout: ImageLayout, halo: Halo, border: str, fill: float) -> Array:
    """Pad a whole image without waiting for the device; its size may be unknown to the compiler."""
    top, bottom, left, right = halo
    if border == "constant":
        return F.pad(image, (left, right, top, bottom), value=fill)
    small = max(top, bottom) < layout.rows and max(left, right) < layout.columns
    if small and border in _PADDING and image.dtype.is_floating_point and 0 not in layout.leading:
        planes = image if image.ndim in (3, 4) else image.reshape(math.prod(image.shape[:-2]), *image.shape[-2:])
        padded = F.pad(planes, (left, right, top, bottom), mode=_PADDING[border])
        return padded if planes is image else padded.reshape(*image.shape[:-2], *padded.shape[-2:])
    for axis, size, before, after in ((-2, layout.rows, top, bottom), (-1, layout.columns, left, right)):
        if small:
            image = torch.cat([*_sides(image, axis, size, before, after, border)], axis)
        else:
            positions = torch.arange(-before, size + after, device=image.device)
            image = image.index_select(axis, _folded(positions, size, border))
    return image


def _sides(image: Array, axis: int, size: int, before: int, after: int, border: str) -> Iterator[Array]:
    """Yield the pixels before the image, the image, and the pixels after it. It is wider than the halo."""
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
    """Compute `edgekit.operators.borders.index_map` on the device."""
    if border == "edge":
        return positions.clamp(0, size - 1)
    if border == "wrap":
        return positions % size
    last = int(border == "symmetric")
    period = max(2 * size - 2 + 2 * last, 1)
    folded = positions % period
    return torch.minimum(folded, (period - last - folded) % period)
