"""Worker processes, each with limits: what crashes, hangs or needs too much memory ends its worker only.

Every worker has a pipe of its own. Nothing is shared that a worker could take with it when it dies, and it is known at
any moment which item each is at. Pools with one queue for all workers lose more than that: they break when a worker is
killed that waits, or blame another's item.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from edgekit.backends.opencv.tiling import stay_alone
from edgekit.batch.engines import heartbeat
from edgekit.batch.engines.allocator import keep_freed
from edgekit.batch.engines.interrupts import Interrupts, hidden_signals, ignore_signals
from edgekit.errors import ParameterError, WorkerError

T = TypeVar("T")
R = TypeVar("R")

#: Items that a worker has at a time: one that it is at, and the next.
AHEAD = 2

#: Results kept for each worker while an item before them is under way.
WINDOW = 16

#: How often a worker may die with an item before that is taken for the item's fault.
DEATHS = 3

#: Bytes that a worker needs for Python and its libraries.
LEAST_MEMORY = 2**28

#: Seconds that a worker may take to start, and how often it may fail to.
START, STARTS = 60.0, 3

#: What readers load when they meet the first file that needs it. Loaded once for all workers where they are forked.
_LOADED = ("PIL.Image", "PIL.JpegImagePlugin", "PIL.PngImagePlugin")

#: What stores are spoken to with: not loaded where this process has no use for it.
_STORES = ("s3fs", "gcsfs", "fsspec.implementations.http")

#: What is heard from a worker: it is ready, has a result, had not enough memory, or has come further.
_READY, _DONE, _MEMORY, _FURTHER = range(4)


@dataclass(frozen=True)
class WorkerLimits:
    """What an item may take.

    Attributes
    ----------
    timeout : float
        Seconds, from its beginning or its last `heartbeat`.
    memory : int
        Bytes of a worker's memory, with the libraries in it. Only Linux knows such a limit.
    """

    timeout: float = 25.0
    memory: int = 2 * 2**30

    def check(self) -> None:
        """Raise if this system cannot keep to them.

        Raises
        ------
        ParameterError
            If the memory is less than a worker needs for itself.
        """
        if self.memory < LEAST_MEMORY:
            raise ParameterError(
                f"memory of {_size(self.memory)} is less than a worker needs for itself; "
                f"give it {_size(LEAST_MEMORY)} or more"
            )


@dataclass
class _Turn:
    """An item, how often a worker died with it, and its result once it has one."""

    item: Any
    deaths: int = 0
    done: bool = False
    result: Any = None

    def end(self, result: Any) -> None:
        self.item, self.done, self.result = None, True, result


class Processes:
    """Carries tasks out in worker processes.

    An item whose worker died is given to a new one: what went wrong may be the fault of an item before, or of who
    killed the worker. After `DEATHS` of them the item is lost. An item that takes too long is lost at once.

    Items and results are sent through pipes; one of the two should be small.

    Parameters
    ----------
    workers : int
        How many.
    limits : WorkerLimits
        What an item may take.
    """

    def __init__(self, workers: int, limits: WorkerLimits | None = None) -> None:
        self._most, self._limits = workers, limits or WorkerLimits()

    def run(self, task: Callable[[T], R], items: Iterable[T], lost: Callable[[T, str], R]) -> Iterator[R]:
        """Give the results of a task in the order of the items; see `edgekit.batch.engines.Engine`.

        Raises
        ------
        WorkerError
            If workers cannot be started.
        """
        source, turns, workers = iter(items), deque[_Turn](), list[_Worker]()
        with Interrupts() as interrupts:
            try:
                while True:
                    while not interrupts.seen and len(turns) < WINDOW * self._most:
                        worker = self._free(workers, task)
                        if worker is None or (turn := next(map(_Turn, source), None)) is None:
                            break
                        turns.append(turn)
                        worker.give(turn)
                    if not turns:
                        break
                    _listen(workers, lost, patient=not turns[0].done)
                    if turns[0].done:
                        yield turns.popleft().result
            finally:
                for worker in workers:
                    worker.stop()

    def _free(self, workers: "list[_Worker]", task: Callable[..., Any]) -> "_Worker | None":
        """Return the worker that has least to do, a new one if all have something; None where they have enough."""
        worker = min(workers, key=lambda worker: len(worker.given), default=None)
        if (worker is None or worker.given) and len(workers) < self._most:
            workers.append(_Worker(task, self._limits))
            return workers[-1]
        return worker if worker is not None and len(worker.given) < AHEAD else None


def _listen(workers: "list[_Worker]", lost: Callable[[Any, str], Any], *, patient: bool) -> None:
    """Take in what the workers say; wait for it if `patient`, but no longer than one of them may take."""
    now = time.monotonic()
    first = min(worker.deadline for worker in workers)
    talking = wait([worker.pipe for worker in workers], max(0.0, first - now) if patient else 0)
    for worker in workers:
        if worker.pipe in talking:
            worker.hear(lost)
        elif worker.deadline <= now:
            worker.end(lost, late=True)


@dataclass
class _Worker:
    """One process, started anew whenever it ends, and the items that it has."""

    task: Callable[[Any], Any]
    limits: WorkerLimits
    given: deque[_Turn] = field(default_factory=deque)
    deadline: float = 0.0
    _ready: bool = False
    _failures: int = 0

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = _context()
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self.task, self.limits.memory), daemon=True)
        if sys.platform != "win32":
            with hidden_signals():
                # Otherwise it would be started with the process, and signals be unblocked before that.
                resource_tracker.ensure_running()
        with _without_main(), hidden_signals():
            self._process.start()
        theirs.close()
        self._ready, self.deadline = False, time.monotonic() + START
        for turn in self.given:
            self._send(turn)

    def give(self, turn: _Turn) -> None:
        """Let the worker do this, too."""
        self.given.append(turn)
        if self._ready and len(self.given) == 1:
            self._begin()
        self._send(turn)

    def hear(self, lost: Callable[[Any, str], Any]) -> None:
        """Take in what the worker says."""
        try:
            what, result = self.pipe.recv()
        except (EOFError, OSError):
            self.end(lost)
            return
        if what == _MEMORY:
            self.end(lost, full=True)
            return
        if what == _READY:
            self._ready, self._failures = True, 0
        elif what == _DONE:
            self.given.popleft().end(result)
        self._begin()

    def end(self, lost: Callable[[Any, str], Any], *, late: bool = False, full: bool = False) -> None:
        """Say what became of the item that the worker was at, and go on with a new process."""
        if not late and not full:
            self._process.join(1)
        self.stop()
        if not self._ready:
            self._failures += 1
            if self._failures == STARTS:
                raise WorkerError(
                    f"worker processes cannot be started ({_ending(self._process.exitcode)}); "
                    "name few files at a time, which need none"
                )
        elif self.given:
            turn = self.given[0]
            turn.deaths += 1
            if late or turn.deaths == DEATHS:
                self.given.popleft().end(lost(turn.item, self._reason(late, full)))
        self._start()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def _begin(self) -> None:
        self.deadline = time.monotonic() + self.limits.timeout if self.given else float("inf")

    def _send(self, turn: _Turn) -> None:
        # That the worker is gone is heard soon.
        with contextlib.suppress(OSError):
            self.pipe.send(turn.item)

    def _reason(self, late: bool, full: bool) -> str:
        if late:
            return f"took longer than the {self.limits.timeout:g} s that it may; allow more with --timeout"
        if full:
            return f"needs more than the {_size(self.limits.memory)} of memory that it may; allow more with --memory"
        ending = _ending(self._process.exitcode)
        if ending == "SIGKILL":
            return "its worker was killed each time (SIGKILL), as happens where memory is short; try a smaller --jobs"
        return f"its worker died each time ({ending}); convert the file, or leave it out"


def _context() -> Any:
    """Return how processes are started: forked from one that has loaded all and has no threads, or else from nothing.

    A process that was forked is there in hundredths of a second. macOS's own libraries do not bear it.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    here = (name for name in sys.modules if name.split(".")[0] == "edgekit" or name in _STORES)
    context.set_forkserver_preload([*here, *_LOADED])
    return context


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep a new process from importing the program that starts it: it needs nothing of that, which may do anything."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(pipe: "Connection[Any, Any]", task: Callable[[Any], Any], memory: int) -> None:
    """Do items as they come, for as long as there is someone who gives them."""
    # Signals may be sent to all processes of a group. The parent decides when a worker ends.
    ignore_signals()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    stay_alone()
    keep_freed()
    if sys.platform == "linux":
        _limit(memory)
    heartbeat.set(partial(pipe.send, (_FURTHER, None)))
    pipe.send((_READY, None))
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = (_DONE, task(item))
        except MemoryError:
            answer = (_MEMORY, None)
        pipe.send(answer)


def _leave_with_parent() -> None:
    """End this process when its parent is gone, whatever it is at: the next run may be at the same item soon."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _limit(memory: int) -> None:
    """Let this process have so much memory, and leave no picture of it behind when it crashes."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What is mapped from files, mostly libraries, does not count as data. Address space is no measure: what is merely
    # reserved needs no memory.
    mapped = int(Path("/proc/self/statm").read_text().split()[2]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (max(memory - mapped, 0),) * 2)


def _ending(code: int | None) -> str:
    """Say how a process ended."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"status {code}"


def _size(count: int) -> str:
    return f"{count / 2**30:g} GiB" if count >= 2**30 else f"{count / 2**20:g} MiB"
