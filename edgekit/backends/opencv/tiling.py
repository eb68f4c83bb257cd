"""Work done strip by strip, on several threads, in memory that is used again. Standard library and NumPy only.

Full-size intermediate arrays wait for memory and cost page faults; a strip's stay in the second-level cache.
"""

import contextvars
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
T = TypeVar("T")

#: Pixels in a strip. Half as many cost more in calls, twice as many no longer stay in the cache.
STRIP = 2**18

#: A thread that does fewer strips costs more than it saves, if little is done to each.
SHARE = 3

#: More threads wait for memory, not for arithmetic.
MOST_THREADS = 8

#: Bytes of working memory that are kept for the next image.
KEPT = 2**23


class _Arena:
    """Memory for one strip's arrays, used again for the next strip."""

    def __init__(self) -> None:
        self._blocks: list[Array] = []
        self._used = 0
        self.nbytes = 0
        """All of its memory."""

    def begin(self) -> None:
        """Begin a strip: whatever the last one was lent is free."""
        self._used = 0

    def empty(self, size: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Lend an uninitialised array."""
        need, place = math.prod(size) * dtype.itemsize, self._used
        if place == len(self._blocks):
            self._blocks.append(np.empty(0, np.uint8))
        block = self._blocks[place]
        if block.nbytes < need:
            self.nbytes += need - block.nbytes
            block = self._blocks[place] = np.empty(need, np.uint8)
        self._used = place + 1
        return np.ndarray(size, dtype, block)


class _Thread(threading.local):
    """What this thread is doing."""

    arena: _Arena | None = None
    alone = False


_here = _Thread()
_spare: list[_Arena] = []


def stay_alone() -> None:
    """Keep what this thread does from using further threads: it is itself one of many."""
    _here.alone = True


def empty(size: tuple[int, ...], dtype: Any) -> Array:
    """Return an uninitialised array, of memory used before where a strip is being done."""
    return np.empty(size, dtype) if _here.arena is None else _here.arena.empty(size, np.dtype(dtype))


def height(pixels: int, least: int) -> int:
    """Return how many rows of so many pixels make a strip, `least` or more."""
    return max(STRIP // pixels, least)


def each(rows: int, height: int, threads: int, do: Callable[[int, int], None], share: int = SHARE) -> None:
    """Do all rows, about `height` at a time.

    Parameters
    ----------
    rows, height : int
        Strips are as many as fit, and of one height but for the last.
    threads : int
        At most so many strips are done at a time, the calling thread's among them.
    do : callable
        ``do(start, stop)`` does some rows. What `empty` lends is its own until it returns.
    share : int
        At least so many strips for each thread.
    """
    if rows <= height:
        _lend(lambda arena: do(0, rows))
        return
    height = math.ceil(rows / math.ceil(rows / height))
    todo = deque(range(0, rows, height))
    failures: list[BaseException] = []

    def some(arena: _Arena) -> None:
        while (start := _next(todo.popleft)) is not None:
            arena.begin()
            do(start, min(start + height, rows))

    def work() -> None:
        try:
            _lend(some)
        except BaseException as error:
            todo.clear()
            failures.append(error)

    helpers = 0 if _here.alone else min(threads, MOST_THREADS, len(todo) // share) - 1
    # NumPy's error state, for one, is the caller's in every thread.
    started: list[threading.Thread] = []
    for _ in range(helpers):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
        try:
            thread.start()
        except RuntimeError:  # There are no more to be had; those there are do it all.
            break
        started.append(thread)
    work()
    for thread in started:
        thread.join()
    if failures:
        raise failures[0]


def _next(take: Callable[[], T]) -> T | None:
    """Take one more; another thread may have taken the last."""
    try:
        return take()
    except IndexError:
        return None


def _lend(work: Callable[[_Arena], None]) -> None:
    """Do work for which `empty` lends from an arena."""
    outer, arena = _here.arena, _next(_spare.pop) or _Arena()
    arena.begin()
    _here.arena = arena
    try:
        work(arena)
    finally:
        _here.arena = outer
        if arena.nbytes <= KEPT:
            _spare.append(arena)
