"""Engines run a task on many items. Standard library only; other modules here may import what computes."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: The reason for an item whose task ran out of memory where there is no limit but the machine's.
OUT_OF_MEMORY = "not enough memory for this image"

#: Parameters of glibc's ``mallopt``, by their names in malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

#: In bytes: the largest freed block that is kept, at glibc's upper limit, and how much is kept in total.
LARGEST_BLOCK, KEPT = 2**25, 2**26


def _ignore() -> None:
    pass


#: A task that takes long calls it at each step; the time limit of the item starts again at each call.
heartbeat: ContextVar[Callable[[], object]] = ContextVar("heartbeat", default=_ignore)


class Engine(Protocol):
    """Runs a task on many items, several at a time."""

    def run(self, task: Callable[[T], R], items: Iterable[T], give_up: Callable[[T, str], R]) -> Iterator[R]:
        """Yield the results of the task in the order of the items.

        After Ctrl-C the items in progress are finished, their results are yielded, and then the interruption is raised.

        Parameters
        ----------
        task : callable
            It may run in another process: the task, the items and the results can be pickled. It raises nothing but
            MemoryError.
        items : iterable
            Taken a few ahead.
        give_up : callable
            ``give_up(item, reason)`` returns the result of an item whose task crashed, took too long, or needed too
            much memory. It is called in this process.
        """


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees for the next image, if the C library is glibc.

    Otherwise each image's memory is requested from the system, which clears it page by page. That takes a tenth of the
    time of a run over photographs. Only for processes that do nothing but a run.
    """
    if sys.platform != "linux":
        return
    import ctypes

    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_MMAP_THRESHOLD, LARGEST_BLOCK)
        mallopt(_TRIM_THRESHOLD, KEPT)
