"""Does a list of items, several at a time, and keeps count."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from edgekit.backends.strips import stay_alone
from edgekit.batch.inputs import STREAM, Item
from edgekit.batch.journal import Journal
from edgekit.errors import EdgekitError, OutputError, UnreadableError
from edgekit.io.reading import read_bytes, status_of
from edgekit.io.stores import REQUESTS, ahead, is_url, real
from edgekit.io.writing import place

T = TypeVar("T")
R = TypeVar("R")

#: Items handed out ahead, for each worker.
AHEAD = 4


class Status(Enum):
    """How an item ended."""

    DONE = "done"
    CURRENT = "current"
    """The result was there already, from an earlier run of the same job on the same input."""
    FAILED = "failed"


class Outcome(NamedTuple):
    """What became of one item."""

    item: Item
    status: Status
    reason: str = ""
    rows: int = 0
    columns: int = 0
    clipped: int = 0
    error: BaseException | None = None


@dataclass
class Tally:
    """A run's count, and from it the exit status."""

    done: int = 0
    current: int = 0
    failed: int = 0
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one item."""
        setattr(self, outcome.status.value, getattr(self, outcome.status.value) + 1)
        if outcome.status is Status.FAILED:
            self.failures.append(outcome)

    @property
    def exit_status(self) -> int:
        """0 if every item is done, else 1."""
        return 1 if self.failed else 0


class Runner:
    """Does items: reads, filters, writes, and enters each result in the journal.

    Parameters
    ----------
    journal : Journal
        What was written before.
    inputs : iterable of Path
        All inputs of the run; no result may fall on one.
    force : bool
        Do everything anew, and replace files that edgekit did not write.
    """

    def __init__(self, journal: Journal, inputs: Iterable[Path], *, force: bool = False) -> None:
        self.journal = journal
        self.force = force
        self._inputs = set(map(real, inputs))

    def do(self, item: Item) -> Outcome:
        """Do one item; whatever goes wrong is its outcome."""
        try:
            return self._do(item)
        except EdgekitError as error:
            return Outcome(item, Status.FAILED, str(error), error=error)
        except MemoryError as error:
            return Outcome(item, Status.FAILED, f"{item.source.path}: not enough memory for this image", error=error)
        except Exception as error:  # One item must not end the run.
            reason = f"{item.source.path}: {type(error).__name__}: {error}"
            return Outcome(item, Status.FAILED, reason, error=error)

    def _do(self, item: Item) -> Outcome:
        source, output, job = item.source.path, item.output, item.job
        if item.source.stream or str(output) == STREAM:
            return self._stream(item)
        status = status_of(source)
        if real(output) in self._inputs:
            raise OutputError(f"{output}: an input of this run would be written over; name another output with -o")
        if not self.force and output.exists():
            if self.journal.current(output, source, status, job.key):
                return Outcome(item, Status.CURRENT)
            self._check_own(output)
        self.journal.announce(output)
        result = job.run(read_bytes(source), str(source))
        place(result.data, output, lambda made: self.journal.enter(output, made, source, status, job.key))
        return Outcome(item, Status.DONE, "", result.rows, result.columns, result.clipped)

    def _check_own(self, output: Path) -> None:
        """Raise unless the file that is there is edgekit's own."""
        if not self.journal.wrote(output):
            raise OutputError(
                f"{output}: there is a file that edgekit did not write, or has no record of; name another output "
                "with -o, or replace it with --force"
            )

    def _stream(self, item: Item) -> Outcome:
        if item.source.stream:
            data, name = sys.stdin.buffer.read(), "standard input"
            if not data:
                raise UnreadableError("standard input: empty (0 bytes); pipe an image into edgekit")
        else:
            data, name = read_bytes(item.source.path), str(item.source.path)
        result = item.job.run(data, name)
        if str(item.output) == STREAM:
            sys.stdout.buffer.write(result.data)
            sys.stdout.buffer.flush()
        else:
            if not self.force and item.output.exists():
                self._check_own(item.output)
            source = item.source.path
            place(
                result.data, item.output, lambda made: self.journal.enter(item.output, made, source, made, item.job.key)
            )
        return Outcome(item, Status.DONE, "", result.rows, result.columns, result.clipped)

    def run(self, items: Iterable[Item], workers: int = 1) -> Iterator[Outcome]:
        """Do `items` and give their outcomes in their order; see `in_order`."""
        return in_order(self.do, ahead(items, lambda item: (item.source.path, item.output)), workers)


def in_order(do: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Give ``do(item)`` for each item, in their order.

    Parameters
    ----------
    do : callable
        Called in threads: reading, filtering and writing leave the interpreter to the others.
    items : iterable
        Taken a few ahead of the workers.
    workers : int
        With one, everything happens in the calling thread.
    """
    if workers == 1:
        yield from map(do, items)
        return
    # A single image has no use for this, and starts sooner without.
    from concurrent.futures import ThreadPoolExecutor

    queue = iter(items)
    with ThreadPoolExecutor(workers, initializer=stay_alone) as pool:
        try:
            running = deque(pool.submit(do, i) for i in islice(queue, AHEAD * workers))
            while running:
                result = running.popleft().result()
                running.extend(pool.submit(do, i) for i in islice(queue, 1))
                yield result
        except BaseException:
            # Interrupted: what is under way is finished, what has not begun is left.
            pool.shutdown(cancel_futures=True)
            raise


def available_workers() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers_for(names: Iterable[str]) -> int:
    """Return how many images are done at a time: one for each processor, more where there are stores to wait for."""
    return max(available_workers(), REQUESTS if any(map(is_url, names)) else 1)
