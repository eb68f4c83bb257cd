"""Worker processes with limits. An item that crashes, hangs or needs too much memory ends its worker only.

Each worker has its own pipe. A worker that dies breaks nothing that others use, and it is known which item it was
processing. Pools with one queue for all workers fail here: they break when an idle worker is killed, or report the
wrong item.
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

from edgekit.backends.opencv.tiling import disable_nested_threads
from edgekit.batch.engines import heartbeat, keep_freed_memory
from edgekit.batch.engines.interrupts import Interrupts, hidden_signals, ignore_signals
from edgekit.errors import ParameterError, WorkerError

T = TypeVar("T")
R = TypeVar("R")

#: Items that a worker has at a time: the one in progress, and the next.
QUEUED = 2

#: Results kept for each worker while an earlier item is in progress.
MAX_KEPT = 16

#: After this number of crashes of a worker with the same item, the item has failed.
MAX_CRASHES = 3

#: Bytes that a worker needs for Python and its libraries.
MIN_MEMORY = 2**28

#: Seconds that a worker may take to start, and how often it may fail to start.
START_TIMEOUT, MAX_STARTS = 60.0, 3

#: Modules that decoders load when the first file needs them. Forked workers share them.
_PRELOADED = ("PIL.Image", "PIL.JpegImagePlugin", "PIL.PngImagePlugin")

#: Modules for stores. They are preloaded only if this process uses them.
_STORES = ("s3fs", "gcsfs", "fsspec.implementations.http")

#: Messages of a worker: it is ready, has a result, ran out of memory, or made progress.
_READY, _DONE, _OUT_OF_MEMORY, _PROGRESS = range(4)


@dataclass(frozen=True)
class WorkerLimits:
    """Limits for each item.

    Attributes
    ----------
    timeout : float
        Seconds since its start or its last `heartbeat`.
    memory : int
        Bytes of memory of a worker, including its libraries. Only on Linux.
    """

    timeout: float = 25.0
    memory: int = 2 * 2**30

    def check(self) -> None:
        """Check the limits.

        Raises
        ------
        ParameterError
            If the memory is less than a worker needs without an item.
        """
        if self.memory < MIN_MEMORY:
            raise ParameterError(
                f"memory of {_size(self.memory)} is less than a worker needs without an image; "
                f"use {_size(MIN_MEMORY)} or more"
            )


@dataclass
class _Entry:
    """An item, the number of crashes with it, and its result when it is done."""

    item: Any
    crashes: int = 0
    done: bool = False
    result: Any = None

    def finish(self, result: Any) -> None:
        self.item, self.done, self.result = None, True, result


class Processes:
    """Runs tasks in worker processes.

    An item whose worker crashed is given to a new worker, because an earlier item may be the cause, or a user killed
    the worker. After `MAX_CRASHES` crashes the item has failed. An item that takes too long fails at once.

    Items and results are sent through pipes; one of the two should be small.

    Parameters
    ----------
    workers : int
        Number of processes.
    limits : WorkerLimits
        Limits for each item.
    """

    def __init__(self, workers: int, limits: WorkerLimits | None = None) -> None:
        self._max_workers, self._limits = workers, limits or WorkerLimits()

    def run(self, task: Callable[[T], R], items: Iterable[T], give_up: Callable[[T, str], R]) -> Iterator[R]:
        """Yield the results of a task in the order of the items; see `edgekit.batch.engines.Engine`.

        Raises
        ------
        WorkerError
            If workers cannot be started.
        """
        source, entries, workers = iter(items), deque[_Entry](), list[_Worker]()
        with Interrupts() as interrupts:
            try:
                while True:
                    while not interrupts.seen and len(entries) < MAX_KEPT * self._max_workers:
                        worker = self._idlest(workers, task)
                        if worker is None or (entry := next(map(_Entry, source), None)) is None:
                            break
                        entries.append(entry)
                        worker.give(entry)
                    if not entries:
                        break
                    _receive(workers, give_up, wait_for_one=not entries[0].done)
                    if entries[0].done:
                        yield entries.popleft().result
            finally:
                for worker in workers:
                    worker.stop()

    def _idlest(self, workers: "list[_Worker]", task: Callable[..., Any]) -> "_Worker | None":
        """Return the worker with the fewest items, a new one if all have items; None if all have enough."""
        worker = min(workers, key=lambda worker: len(worker.given), default=None)
        if (worker is None or worker.given) and len(workers) < self._max_workers:
            workers.append(_Worker(task, self._limits))
            return workers[-1]
        return worker if worker is not None and len(worker.given) < QUEUED else None


def _receive(workers: "list[_Worker]", give_up: Callable[[Any, str], Any], *, wait_for_one: bool) -> None:
    """Receive the messages of the workers. If `wait_for_one`, wait for one, until the first deadline of a worker."""
    now = time.monotonic()
    first = min(worker.deadline for worker in workers)
    ready = wait([worker.pipe for worker in workers], max(0.0, first - now) if wait_for_one else 0)
    for worker in workers:
        if worker.pipe in ready:
            worker.receive(give_up)
        elif worker.deadline <= now:
            worker.restart(give_up, late=True)


@dataclass
class _Worker:
    """One process, restarted whenever it ends, and its items."""

    task: Callable[[Any], Any]
    limits: WorkerLimits
    given: deque[_Entry] = field(default_factory=deque)
    deadline: float = 0.0
    _ready: bool = False
    _failed_starts: int = 0

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = _context()
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self.task, self.limits.memory), daemon=True)
        if sys.platform != "win32":
            with hidden_signals():
                # Otherwise it would be started together with the process, which unblocks signals before.
                resource_tracker.ensure_running()
        with _without_main(), hidden_signals():
            self._process.start()
        theirs.close()
        self._ready, self.deadline = False, time.monotonic() + START_TIMEOUT
        for entry in self.given:
            self._send(entry)

    def give(self, entry: _Entry) -> None:
        """Add an item to those of the worker."""
        self.given.append(entry)
        if self._ready and len(self.given) == 1:
            self._set_deadline()
        self._send(entry)

    def receive(self, give_up: Callable[[Any, str], Any]) -> None:
        """Receive a message of the worker."""
        try:
            message, result = self.pipe.recv()
        except (EOFError, OSError):
            self.restart(give_up)
            return
        if message == _OUT_OF_MEMORY:
            self.restart(give_up, out_of_memory=True)
            return
        if message == _READY:
            self._ready, self._failed_starts = True, 0
        elif message == _DONE:
            self.given.popleft().finish(result)
        self._set_deadline()

    def restart(self, give_up: Callable[[Any, str], Any], *, late: bool = False, out_of_memory: bool = False) -> None:
        """Count a crash of the item in progress, or give it up, and start a new process."""
        if not late and not out_of_memory:
            self._process.join(1)
        self.stop()
        if not self._ready:
            self._failed_starts += 1
            if self._failed_starts == MAX_STARTS:
                raise WorkerError(
                    f"worker processes cannot be started ({_ending(self._process.exitcode)}); "
                    f"process few files at a time, which need no workers"
                )
        elif self.given:
            entry = self.given[0]
            entry.crashes += 1
            if late or entry.crashes == MAX_CRASHES:
                self.given.popleft().finish(give_up(entry.item, self._reason(late, out_of_memory)))
        self._start()

    def stop(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def _set_deadline(self) -> None:
        self.deadline = time.monotonic() + self.limits.timeout if self.given else float("inf")

    def _send(self, entry: _Entry) -> None:
        # If the worker is dead, the next receive fails.
        with contextlib.suppress(OSError):
            self.pipe.send(entry.item)

    def _reason(self, late: bool, out_of_memory: bool) -> str:
        if late:
            return f"took longer than the limit of {self.limits.timeout:g} s; allow more with --timeout"
        if out_of_memory:
            return f"needs more memory than the limit of {_size(self.limits.memory)}; allow more with --memory"
        ending = _ending(self._process.exitcode)
        if ending == "SIGKILL":
            return "its worker was killed each time (SIGKILL), which happens when memory is short; try a smaller --jobs"
        return f"its worker crashed each time ({ending}); convert the file, or exclude it"


def _context() -> Any:
    """Return how processes are started: on Linux forked from a server that has loaded all modules and has no threads.

    Forking takes hundredths of a second. The system libraries of macOS do not support it.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    loaded = (name for name in sys.modules if name.split(".")[0] == "edgekit" or name in _STORES)
    context.set_forkserver_preload([*loaded, *_PRELOADED])
    return context


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep new processes from importing the main module: they do not need it, and it may have side effects."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(pipe: "Connection[Any, Any]", task: Callable[[Any], Any], memory: int) -> None:
    """Run the task for each item from the pipe, until it is closed."""
    # Signals may be sent to all processes of a group; the parent decides when a worker ends.
    ignore_signals()
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    disable_nested_threads()
    keep_freed_memory()
    if sys.platform == "linux":
        _limit_memory(memory)
    heartbeat.set(partial(pipe.send, (_PROGRESS, None)))
    pipe.send((_READY, None))
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = (_DONE, task(item))
        except MemoryError:
            answer = (_OUT_OF_MEMORY, None)
        pipe.send(answer)


def _exit_with_parent() -> None:
    """Exit when the parent process ends, since the next run may process the same item soon."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _limit_memory(memory: int) -> None:
    """Limit the memory of this process, and write no core dump if it crashes."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Memory mapped from files, mostly libraries, does not count as data. The address space is not limited, since
    # reserved addresses need no memory.
    mapped = int(Path("/proc/self/statm").read_text().split()[2]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (max(memory - mapped, 0),) * 2)


def _ending(code: int | None) -> str:
    """Return how a process ended."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"status {code}"


def _size(count: int) -> str:
    return f"{count / 2**30:g} GiB" if count >= 2**30 else f"{count / 2**20:g} MiB"
