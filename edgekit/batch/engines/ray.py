"""Many machines, by Ray Data of the extra ``ray``: items are split into blocks, and ``map_batches`` runs the task.

Each machine must have the same edgekit, and see the files under the same names.
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
from typing import Any, TypeVar

from edgekit import __version__
from edgekit.batch.engines.interrupts import hidden_signals, kept_handlers
from edgekit.batch.engines.processes import Processes, WorkerLimits
from edgekit.batch.progress import Ahead
from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError, WorkerError

T = TypeVar("T")
R = TypeVar("R")

#: Items of a Ray task. With more items Ray's overhead is smaller, and the loss of a task costs more.
BLOCK = 128

#: Blocks for each processor if there are few items, so that all processors are used.
SHARES = 8

#: Items of a portion for each processor. A portion is one dataset, which takes Ray a second or two to start.
PORTION = 16 * BLOCK

#: Bytes of a portion at most, since this process holds them: frames of videos are sent as arrays.
BYTES = 64 * 2**20

#: Portions in progress: the next one uses the processors that the first no longer needs.
PORTIONS_IN_PROGRESS = 2

#: Seconds that a cluster may take to answer, and a stopped thread to end.
TIMEOUT = 10

#: Seconds after which cancelled tasks have ended, with their worker processes.
CANCEL_TIME = 1.0

#: The environment variable that controls whether a cluster started here reports usage statistics.
_USAGE = "RAY_USAGE_STATS_ENABLED"


@dataclass(frozen=True)
class _Failed:
    """The result of an item that was given up."""

    reason: str


class Ray:
    """Runs tasks on a Ray cluster.

    The items of a machine that is lost are given to others. An item that crashes, hangs or needs too much memory fails
    alone, since each Ray task runs its items in a separate process. Ctrl-C ends a run without the blocks in progress;
    earlier results are kept.

    Parameters
    ----------
    address : str, optional
        Of the cluster, ``auto`` or ``host:port``. Default: RAY_ADDRESS, or a cluster on this machine that ends with the
        process. If this process is connected to a cluster, that one is used.
    workers : int, optional
        Ray tasks at a time. Default: the number of processors of the cluster.
    limits : WorkerLimits, optional
        Limits for each item.

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

    def run(self, task: Callable[[T], R], items: Iterable[T], give_up: Callable[[T, str], R]) -> Iterator[R]:
        """Yield the results of a task in the order of the items; see `edgekit.batch.engines.Engine`.

        Raises
        ------
        WorkerError
            If the cluster cannot be reached, or cannot load the task.
        """
        self._connect()
        processors = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        run_block = partial(_run_block, task=task, folder=str(Path.cwd()), limits=self._limits, version=__version__)
        portions = _portions(items, PORTION * processors)

        def start(portion: list[tuple[T, bytes]]) -> tuple[list[T], Ahead[Any]]:
            blocks = _blocks([pickled for _, pickled in portion], SHARES * processors)
            return [item for item, _ in portion], Ahead(self._results(blocks, run_block))

        running: deque[tuple[list[T], Ahead[Any]]] = deque()
        with _quiet():
            try:
                running.extend(map(start, islice(portions, PORTIONS_IN_PROGRESS)))
                while running:
                    for item, result in zip(*running[0], strict=True):
                        yield give_up(item, result.reason) if isinstance(result, _Failed) else result
                    running.popleft()
                    running.extend(map(start, islice(portions, 1)))
            except self._ray.exceptions.RayError as error:
                raise WorkerError(f"Ray: {_cause(error)}") from error
            finally:
                for _, results in running:
                    results.stop()
                for _, results in running:
                    results.join(TIMEOUT)
                if running:
                    # After this no cancelled task writes anything.
                    time.sleep(CANCEL_TIME)

    def _results(self, blocks: list[list[bytes]], run_block: Callable[[Any], Any]) -> Generator[Any]:
        """Yield the results of a portion in order."""
        import pyarrow

        data = self._ray.data.from_arrow([pyarrow.table({"item": pyarrow.array(b, "binary")}) for b in blocks])
        data.context.enable_progress_bars = False
        data.context.execution_options.preserve_order = True
        done = data.map_batches(run_block, batch_size=None, batch_format="pyarrow", concurrency=self._workers)
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
                # Ray itself would retry for minutes.
                socket.create_connection((host, int(port)), TIMEOUT).close()
            with kept_handlers(), hidden_signals():
                self._ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise WorkerError(
                f"Ray cluster {address or 'of this machine'}: cannot be reached: {error}. Is it running "
                "(ray status), and is the address host:port?"
            ) from error


def _library() -> Any:
    try:
        with kept_handlers():
            import ray.data
    except ModuleNotFoundError:
        raise MissingExtraError(f"a cluster needs Ray: {install_command('ray')}") from None
    return ray


def _portions(items: Iterable[T], size: int) -> Iterator[list[tuple[T, bytes]]]:
    """Split items into portions of at most `size`; each item is paired with its pickled bytes."""
    portion: list[tuple[T, bytes]] = []
    nbytes = 0
    for item in items:
        pickled = pickle.dumps(item)
        if portion and (len(portion) == size or nbytes + len(pickled) > BYTES):
            yield portion
            portion, nbytes = [], 0
        portion.append((item, pickled))
        nbytes += len(pickled)
    if portion:
        yield portion


def _blocks(items: list[T], count: int) -> list[list[T]]:
    """Split items into equal blocks of at most `BLOCK`, and at least `count` blocks if possible."""
    size = min(BLOCK, math.ceil(len(items) / count))
    return [items[n : n + size] for n in range(0, len(items), size)]


def _run_block(batch: Any, task: Callable[[Any], Any], folder: str, limits: WorkerLimits | None, version: str) -> Any:
    """Run the task on the items of a block, on a machine of the cluster."""
    import pyarrow

    items = [pickle.loads(item.as_py()) for item in batch["item"]]
    try:
        if version != __version__:
            raise WorkerError(f"edgekit {__version__} is installed there, and {version} here; install the same on each")
        with contextlib.chdir(folder), _cancel_immediately():
            results = [*Processes(1, limits).run(task, items, _give_up)]
    except (OSError, WorkerError) as error:
        results = [_Failed(f"cannot run on {platform.node()}: {error}")] * len(items)
    return pyarrow.table({"result": pyarrow.array(map(pickle.dumps, results), "binary")})


@contextlib.contextmanager
def _cancel_immediately() -> Iterator[None]:
    """Let a task end before all of its items are done when Ray cancels it, since its results are not used.

    Ray cancels a task with SIGINT. With Python's own handler `Interrupts` would delay it. If the cluster was started
    with SIGINT ignored, as shells start background processes, it would have no effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: signal.default_int_handler(number, frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _give_up(_: Any, reason: str) -> _Failed:
    return _Failed(reason)


def _cause(error: Exception) -> str:
    """Return the first error in a report of many lines."""
    named = re.search(r"^[A-Za-z_][\w.]*: .*", str(error), re.MULTILINE)
    return named[0] if named else str(error)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Ray Data: a run has its own progress bar, and errors are raised."""
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
