"""Threads of this process, for few items; and the choice between them and worker processes."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from edgekit.backends.opencv.tiling import stay_alone
from edgekit.batch.engines import OUT_OF_MEMORY, Engine
from edgekit.batch.engines.interrupts import Interrupts

if TYPE_CHECKING:
    from edgekit.batch.engines.processes import WorkerLimits

T = TypeVar("T")
R = TypeVar("R")

#: Items handed out ahead, for each worker.
AHEAD = 4

#: Fewer items are done here sooner than worker processes are there.
FEW = 64


def choose(
    items: Iterable[T], workers: int, limits: "WorkerLimits | None" = None, *, timeout: float | None = None
) -> tuple[Engine, Iterator[T]]:
    """Return an engine of this machine, and all of the items, some of which were looked at.

    Parameters
    ----------
    items : iterable
        Few of them are done in this process, where there are no limits.
    workers : int
        How many are done at a time.
    limits : WorkerLimits, optional
        Are kept to, however few items there are.
    timeout : float, optional
        Seconds that each of many items may take where there are no limits.
    """
    source = iter(items)
    first = list(islice(source, FEW))
    engine: Engine = Threads(workers)
    if limits is not None or len(first) == FEW:
        # A single image has no use for this, and starts sooner without.
        from edgekit.batch.engines.processes import Processes, WorkerLimits

        engine = Processes(workers, limits or (WorkerLimits() if timeout is None else WorkerLimits(timeout)))
    return engine, chain(first, source)


class Threads:
    """Carries tasks out in this process; what crashes or hangs takes all with it.

    Parameters
    ----------
    workers : int
        Threads: reading, filtering and writing leave the interpreter to the others. With one, everything happens in
        the calling thread.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def run(self, task: Callable[[T], R], items: Iterable[T], lost: Callable[[T, str], R]) -> Generator[R, None, None]:
        """Give the results of a task in the order of the items; see `edgekit.batch.engines.Engine`."""
        one = partial(_within_memory, task, lost)
        if self._workers == 1:
            yield from map(one, items)
            return
        # A single image has no use for this, and starts sooner without.
        from concurrent.futures import ThreadPoolExecutor

        queue = iter(items)
        with Interrupts() as interrupts, ThreadPoolExecutor(self._workers, initializer=stay_alone) as pool:
            try:
                running = deque(pool.submit(one, i) for i in islice(queue, AHEAD * self._workers))
                while running:
                    result = running.popleft().result()
                    if interrupts.seen:
                        running = deque(future for future in running if not future.cancel())
                    else:
                        running.extend(pool.submit(one, i) for i in islice(queue, 1))
                    yield result
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _within_memory(task: Callable[[T], R], lost: Callable[[T, str], R], item: T) -> R:
    try:
        return task(item)
    except MemoryError:
        return lost(item, OUT_OF_MEMORY)


def available_workers() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
