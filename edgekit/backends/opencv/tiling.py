"""Computes images tile by tile, on several threads.

A tile is a run of rows. Full-size intermediate arrays wait for memory and cause page faults; those of a tile stay in
the second-level cache. May import `operators` and what is below it.
"""

import contextvars
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import ComputeRows, Halo, ImageLayout, Result, TryRows
from edgekit.common.load_cv2 import cv2
from edgekit.errors import DtypeError
from edgekit.operators.borders import OUTSIDE, index_map

Array = NDArray[Any]

#: Pixels in a tile. Half as many need more calls, twice as many do not fit into the cache.
TILE = 2**18

#: Tiles that are computed in one pass are up to this many times as large, to save calls.
LARGER = 4

#: Tiles for each thread, at least: a thread with fewer takes longer to start than it saves.
TILES_PER_THREAD = 3

#: More threads wait for memory.
MOST_THREADS = 8

#: Tiles with a larger overlap take so long that a single one is worth a thread.
SMALL_OVERLAP = 8

#: OpenCV filters and pads up to this many channels.
MOST_CHANNELS = 4

#: OpenCV's names of borders. It has no filter with another border.
CV2_BORDERS = {
    "reflect": cv2.BORDER_REFLECT_101,
    "symmetric": cv2.BORDER_REFLECT,
    "edge": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}

#: Types that `cv2.copyMakeBorder` accepts.
_PADDED = {np.dtype(t) for t in (np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)}


#: glibc returns freed blocks of more than 128 KiB to the system, and a new one then costs a page fault for every 4 KiB:
#: tiles take three to five times as long. It keeps blocks that are smaller than the largest one freed so far, up to
#: 32 MiB. This one is never written, so that it takes no memory.
_ = np.empty(31 * 2**20, np.uint8)
del _


class _Thread(threading.local):
    """The state of a thread."""

    single = False


_thread = _Thread()


def disable_nested_threads() -> None:
    """Let this thread start no further threads: it is one of many workers."""
    _thread.single = True


def each_tile(
    rows: int, height: int, threads: int, compute: Callable[[int, int], None], per_thread: int = TILES_PER_THREAD
) -> None:
    """Compute all rows tile by tile. All tiles have the same height, except the last one.

    Parameters
    ----------
    rows : int
        Of the result.
    height : int
        Largest height of a tile.
    threads : int
        Largest number of threads, the calling thread among them.
    compute : callable
        ``compute(start, stop)`` computes some rows.
    per_thread : int
        Tiles for each thread, at least.
    """
    if 0 < rows <= height:
        compute(0, rows)
        return
    height = math.ceil(rows / max(1, math.ceil(rows / height))) or 1
    todo = deque(range(0, rows, height))
    failures: list[BaseException] = []

    def work() -> None:
        alone, _thread.single = _thread.single, True
        try:
            while todo:
                try:
                    start = todo.popleft()
                except IndexError:  # Another thread was faster.
                    break
                compute(start, min(start + height, rows))
        except BaseException as error:
            todo.clear()
            failures.append(error)
        finally:
            _thread.single = alone

    more = 0 if _thread.single else min(threads, MOST_THREADS, len(todo) // per_thread) - 1
    started: list[threading.Thread] = []
    for _ in range(more):
        # The context carries NumPy's error state to the other threads.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
        try:
            thread.start()
        except RuntimeError:  # The system has no more threads.
            break
        started.append(thread)
    work()
    for thread in started:
        thread.join()
    if failures:
        raise failures[0]


def run_tiles(
    compute: ComputeRows, layout: ImageLayout, rows: int, overlap: int, result: Result,
    sources: Sequence[Array | None], tile: object = None, at_once: TryRows | None = None,
) -> Array:  # fmt: skip
    out, target = result.out, None
    if out is not None:
        if not isinstance(out, np.ndarray):
            raise DtypeError(f"out must be a NumPy array, as the image is; found {type(out).__name__}")
        result.check_out()
        # A row of `out` that is written must not be read as a pixel afterwards.
        if not any(s is not None and np.may_share_memory(out, s) for s in sources):
            # Along an axis of one entry NumPy allows any stride in a contiguous array, OpenCV does not.
            target = out.reshape(-1).reshape(out.shape) if out.flags.c_contiguous else out
    if target is None:
        target = np.empty(result.shape, result.dtype)

    def rows_of_target(start: int, stop: int) -> Array:
        return target[(slice(None),) * result.row_axis + (slice(start, stop),)]

    def fill(start: int, stop: int) -> None:
        into = rows_of_target(start, stop)
        made = compute(start, stop, into)
        if made is not into:
            into[...] = made

    def fill_at_once(start: int, stop: int) -> None:
        into = rows_of_target(start, stop)
        made = at_once(start, stop, into) if at_once else None
        if made is None:
            for first in range(start, stop, height):
                fill(first, min(first + height, stop))
        elif made is not into:
            into[...] = made

    # The rows that two tiles read are filtered twice: a tile should be several times as tall.
    height = max(TILE // (layout.columns * (layout.channels or 1)), 4 * overlap, 16)
    threads, per_thread = cv2.getNumThreads(), TILES_PER_THREAD if overlap <= SMALL_OVERLAP else 1
    with np.errstate(all="ignore"):
        if at_once is None or rows <= height:
            each_tile(rows, height, threads, fill, per_thread)
        else:
            # As many threads, but fewer and larger tiles.
            tiles = math.ceil(rows / height)
            threads = max(1, min(threads, MOST_THREADS, tiles // per_thread))
            larger = math.ceil(rows / (threads * math.ceil(tiles / (threads * LARGER))))
            each_tile(rows, larger, threads, fill_at_once, 1)
    if out is None:
        return target
    if not np.may_share_memory(out, target):
        out[...] = target
    return out


def pad(
    image: Array, layout: ImageLayout, start: int, stop: int, halo: Halo, border: str, dtype: Any, fill: float
) -> Array:
    top, bottom, left, right = halo
    if border == "valid":
        start, stop = start + top, stop + top
    start, stop = start - top, stop + bottom
    above, below = max(-start, 0), max(stop - layout.rows, 0)
    first, last = start + above, stop - below
    known = without_overlap(image[first:last])
    if border == "valid":
        return known.astype(dtype, copy=False)
    shape = (stop - start, left + layout.columns + right, *image.shape[2:])
    if (
        border in CV2_BORDERS
        and image.dtype in _PADDED
        # OpenCV reflects the tile and not the image: a last tile of one row has no row to reflect.
        and max(above, below) < last - first
        and max(left, right) < layout.columns
        and (layout.channels or 1) <= MOST_CHANNELS
    ):
        padded = np.empty(shape, image.dtype)
        bare = (known.view(np.uint8), padded.view(np.uint8)) if image.dtype == bool else (known, padded)
        sides = (above, below, left, right)
        cv2.copyMakeBorder(bare[0], *sides, CV2_BORDERS[border], bare[1], value=(fill,) * MOST_CHANNELS)
        return padded if padded.dtype == dtype else padded.astype(dtype, order="C")
    out = np.empty(shape, dtype)
    inner = out[:, left : left + layout.columns]
    inner[above : above + last - first] = known
    for line, source in (
        *enumerate(index_map(start, first, layout.rows, border)),
        *enumerate(index_map(last, stop, layout.rows, border), last - start),
    ):
        inner[line] = fill if source == OUTSIDE else image[source]
    for line, source in (
        *enumerate(index_map(-left, 0, layout.columns, border)),
        *enumerate(index_map(layout.columns, layout.columns + right, layout.columns, border), left + layout.columns),
    ):
        out[:, line] = fill if source == OUTSIDE else out[:, left + source]
    return out


def without_overlap(pixels: Array) -> Array:
    """Return pixels whose rows do not overlap. Those of sliding windows do, and OpenCV does not accept that."""
    return pixels.copy() if pixels.strides[0] < math.prod(pixels.shape[1:]) * pixels.itemsize else pixels
