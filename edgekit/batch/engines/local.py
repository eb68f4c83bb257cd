"""Threads of this process, for few items, and the choice between them and worker processes."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from edgekit.backends.opencv.tiling import disable_nested_threads
from edgekit.batch.engines import OUT_OF_MEMORY, Engine
from edgekit.batch.engines.interrupts import Interrupts

if TYPE_CHECKING:
    from edgekit.batch.engines.processes import WorkerLimits

T = TypeVar("T")
R = TypeVar("R")

#: Items queued for each worker.
QUEUED = 4

#: With fewer items, threads finish before worker processes have started.
FEW = 64


def choose(
    items: Iterable[T], workers: int, limits: "WorkerLimits | None" = None, *, timeout: float | None = None
) -> tuple[Engine, Iterator[T]]:
    """Return an engine on this machine, and an iterator over all of the items.

    Parameters
    ----------
    items : iterable
        Fewer than `FEW` run in threads of this process if there are no limits.
    workers : int
        Items at a time.
    limits : WorkerLimits, optional
        Limits for each item. They need worker processes, even for few items.
    timeout : float, optional
        Seconds for each item, if there are many items and no limits.
    """
    source = iter(items)
    first = list(islice(source, FEW))
    engine: Engine = Threads(workers)
    if limits is not None or len(first) == FEW:
        # Not imported for a few images, which start faster without.
        from edgekit.batch.engines.processes import Processes, WorkerLimits

        engine = Processes(workers, limits or (WorkerLimits() if timeout is None else WorkerLimits(timeout)))
    return engine, chain(first, source)


class Threads:
    """Runs tasks in threads of this process. A task that crashes or hangs ends or blocks the run.

    Parameters
    ----------
    workers : int
        Number of threads; reading, filtering and writing release the interpreter lock. With 1, everything runs in the
        calling thread.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def run(
        self, task: Callable[[T], R], items: Iterable[T], give_up: Callable[[T, str], R]
    ) -> Generator[R, None, None]:
        """Yield the results of the task in the order of the items; see `edgekit.batch.engines.Engine`."""
        attempt = partial(_attempt, task, give_up)
        if self._workers == 1:
            yield from map(attempt, items)
            return
        # Not imported for a single image, which starts faster without.
        from concurrent.futures import ThreadPoolExecutor

        remaining = iter(items)
        with Interrupts() as interrupts, ThreadPoolExecutor(self._workers, initializer=disable_nested_threads) as pool:
            try:
                running = deque(pool.submit(attempt, i) for i in islice(remaining, QUEUED * self._workers))
                while running:
                    result = running.popleft().result()
                    if interrupts.seen:
                        running = deque(future for future in running if not future.cancel())
                    else:
                        running.extend(pool.submit(attempt, i) for i in islice(remaining, 1))
                    yield result
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _attempt(task: Callable[[T], R], give_up: Callable[[T, str], R], item: T) -> R:
    try:
        return task(item)
    except MemoryError:
        return give_up(item, OUT_OF_MEMORY)


def available_workers() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
