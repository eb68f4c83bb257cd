"""Many machines, by Ray Data of the extra ``ray``: a manifest of items, and one ``map_batches`` that does all the work.

Every machine must see the files under the same names, and have the same edgekit.
"""

import contextlib
import logging
import math
import os
import pickle
import platform
import re
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from edgekit import __version__
from edgekit.batch.engines.interrupts import hidden_signals, kept_handlers
from edgekit.batch.engines.processes import Processes, WorkerLimits
from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError, WorkerError

T = TypeVar("T")
R = TypeVar("R")

#: Items that a Ray task does. More would make Ray's share of the time smaller, and a lost task cost more.
BLOCK = 128

#: Blocks for each processor into which few items are cut, so that all processors have their share.
SHARES = 8

#: Items of a portion for each processor. A portion is a dataset, which Ray needs a second or two to get going.
PORTION = 16 * BLOCK

#: A portion has no more bytes than this, since the driver holds them: frames of clips travel as pictures.
BYTES = 64 * 2**20

#: Portions under way: while one is done, the next is there and gets what becomes free.
AHEAD = 2

#: Seconds that a cluster may take to answer, and what was stopped to end.
PATIENCE = 10

#: Seconds in which tasks that were told to end have ended, with their worker processes.
SETTLE = 1.0

#: Ray's own word in the environment for whether a cluster that is started here reports on its use.
_USAGE = "RAY_USAGE_STATS_ENABLED"


@dataclass(frozen=True)
class _Lost:
    """Stands for the result of an item that has none."""

    reason: str


class Ray:
    """Carries tasks out on a Ray cluster.

    What a lost machine was at is given to others. What crashes, hangs or needs too much memory costs its item: each
    Ray task has a process of its own for the items. Ctrl-C ends a run with the blocks that are under way; what
    was given until then is kept.

    Parameters
    ----------
    address : str, optional
        Of the cluster, ``auto`` or ``host:port``. Without one it is what RAY_ADDRESS says, or a cluster of this machine
        alone that goes with the process. If this process is connected to a cluster already, that is taken.
    workers : int, optional
        Tasks at a time; as many as the cluster has processors where it is not given.
    limits : WorkerLimits, optional
        What an item may take.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    """

    def __init__(
        self, address: str | None = None, workers: int | None = None, limits: WorkerLimits | None = None
    ) -> None:
        self._ray = _library()
        self._address, self._workers, self._limits = address, workers, limits

    def run(self, task: Callable[[T], R], items: Iterable[T], lost: Callable[[T, str], R]) -> Iterator[R]:
        """Give the results of a task in the order of the items; see `edgekit.batch.engines.Engine`.

        Raises
        ------
        WorkerError
            If the cluster cannot be reached, or cannot load the task.
        """
        self._connect()
        processors = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        work = partial(_work, task=task, folder=str(Path.cwd()), limits=self._limits, version=__version__)
        portions = _portions(items, PORTION * processors)

        def begin(portion: list[tuple[T, bytes]]) -> tuple[list[T], _Ahead[Any]]:
            manifest = _blocks([pickled for _, pickled in portion], SHARES * processors)
            return [item for item, _ in portion], _Ahead(self._results(manifest, work))

        running: deque[tuple[list[T], _Ahead[Any]]] = deque()
        with _quiet():
            try:
                running.extend(map(begin, islice(portions, AHEAD)))
                while running:
                    for item, result in zip(*running[0], strict=True):
                        yield lost(item, result.reason) if isinstance(result, _Lost) else result
                    running.popleft()
                    running.extend(map(begin, islice(portions, 1)))
            except self._ray.exceptions.RayError as error:
                raise WorkerError(f"Ray: {_cause(error)}") from error
            finally:
                for end in (_Ahead.stop, _Ahead.wait):
                    for _, results in running:
                        end(results)
                if running:
                    # Tasks were told to end; after this none writes anything.
                    time.sleep(SETTLE)

    def _results(self, manifest: list[list[bytes]], work: Callable[[Any], Any]) -> Generator[Any]:
        """Give the results of a portion in order, as they come in."""
        import pyarrow

        data = self._ray.data.from_arrow([pyarrow.table({"item": pyarrow.array(b, "binary")}) for b in manifest])
        data.context.enable_progress_bars = False
        data.context.execution_options.preserve_order = True
        done = data.map_batches(work, batch_size=None, batch_format="pyarrow", concurrency=self._workers)
        for batch in done.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from (pickle.loads(result.as_py()) for result in batch["result"])

    def _connect(self) -> None:
        if self._ray.is_initialized():
            return
        os.environ.setdefault(_USAGE, "0")
        address = self._address or os.environ.get("RAY_ADDRESS")
        host, _, port = (address or "").rpartition("/")[2].rpartition(":")
        try:
            if host and port.isdigit():
                # Ray itself would try for minutes.
                socket.create_connection((host, int(port)), PATIENCE).close()
            with kept_handlers(), hidden_signals():
                self._ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise WorkerError(
                f"Ray cluster {address or 'of this machine'}: cannot be reached: {error}. Is it running there "
                "(ray status), and is the address host:port?"
            ) from error


def _library() -> Any:
    try:
        with kept_handlers():
            import ray.data
    except ModuleNotFoundError:
        raise MissingExtraError(f"working on a cluster needs Ray: {install_command('ray')}") from None
    return ray


def _portions(items: Iterable[T], most: int) -> Iterator[list[tuple[T, bytes]]]:
    """Cut items into portions of at most so many; each item comes with the same pickled."""
    portion: list[tuple[T, bytes]] = []
    size = 0
    for item in items:
        pickled = pickle.dumps(item)
        if portion and (len(portion) == most or size + len(pickled) > BYTES):
            yield portion
            portion, size = [], 0
        portion.append((item, pickled))
        size += len(pickled)
    if portion:
        yield portion


def _blocks(items: list[T], shares: int) -> list[list[T]]:
    """Cut items into equal blocks, as small as it takes to give each share one."""
    size = min(BLOCK, math.ceil(len(items) / shares))
    return [items[n : n + size] for n in range(0, len(items), size)]


class _Ahead(Generic[T]):
    """Gives what a generator gives; a thread of its own takes it in from now on."""

    def __init__(self, results: Generator[T]) -> None:
        self._queue: SimpleQueue[tuple[T] | Exception | None] = SimpleQueue()
        self._results, self._over = results, threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        end = None
        try:
            # Closed, Ray Data lets go of what it has begun.
            with contextlib.closing(self._results):
                for result in self._results:
                    if self._over.is_set():
                        return
                    self._queue.put((result,))
        except Exception as error:
            end = error
        self._queue.put(end)

    def __iter__(self) -> Iterator[T]:
        while isinstance(taken := self._queue.get(), tuple):
            yield taken[0]
        if taken is not None:
            raise taken

    def stop(self) -> None:
        """Take in no more; Ray Data hears of it with the next block."""
        self._over.set()

    def wait(self) -> None:
        """Wait for a while until the thread has ended."""
        self._thread.join(PATIENCE)


def _work(batch: Any, task: Callable[[Any], Any], folder: str, limits: WorkerLimits | None, version: str) -> Any:
    """Do the items of a block, on some machine of the cluster."""
    import pyarrow

    items = [pickle.loads(item.as_py()) for item in batch["item"]]
    try:
        if version != __version__:
            raise WorkerError(f"edgekit {__version__} is there, and {version} here; install the same on every machine")
        with contextlib.chdir(folder), _cancelled_at_once():
            results = [*Processes(1, limits).run(task, items, _lose)]
    except (OSError, WorkerError) as error:
        results = [_Lost(f"cannot be done on {platform.node()}: {error}")] * len(items)
    return pyarrow.table({"result": pyarrow.array(map(pickle.dumps, results), "binary")})


@contextlib.contextmanager
def _cancelled_at_once() -> Iterator[None]:
    """Let a task end in the middle of its items when Ray cancels it: nobody takes its results.

    Ray cancels by what SIGINT would do in its process. `Interrupts` would delay that if it were done by Python's own
    handler. Nothing would be done where the cluster was started with SIGINT ignored, as shells start jobs in the
    background.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: signal.default_int_handler(number, frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _lose(_: Any, reason: str) -> _Lost:
    return _Lost(reason)


def _cause(error: Exception) -> str:
    """Return what went wrong first, out of a report of many lines."""
    named = re.search(r"^[A-Za-z_][\w.]*: .*", str(error), re.MULTILINE)
    return named[0] if named else str(error)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let Ray Data say nothing: a run has a progress bar of its own, and what goes wrong is raised."""
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
