"""The runner: carries out work of any kind on many items, and counts the outcomes.

What happens to an item is described by a `Work`: rendering, scoring images, scoring the frames of a video. May import
batch.engines and errors, so that it loads fast.
"""

import math
import traceback
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from edgekit.batch.engines import OUT_OF_MEMORY, Engine
from edgekit.errors import EdgekitError, error_message, raise_if_out_of_memory

#: After this number of successive items with a known outcome, the items in progress are finished before more are taken.
MAX_KNOWN = 1000

#: Exit statuses of a run: an item failed; no item failed, but a score is below the minimum.
FAILED, BELOW_MINIMUM = 1, 3


class Status(StrEnum):
    """How an item ended. The values are those of the column ``status``."""

    DONE = "done"
    CURRENT = "current"
    """An earlier run of the same job wrote the result, and neither input nor output changed since."""
    OK = "ok"
    UNDEFINED = "undefined"
    """A score of the image is undefined."""
    TRUNCATED = "truncated"
    """The file is truncated, and the part that could be decoded was scored."""
    FAILED = "failed"


class Outcome(Protocol):
    """What the runner gives for an item: at least a status, and the reason for it."""

    @property
    def status(self) -> str:
        """One of `Status`."""

    @property
    def reason(self) -> str:
        """Why the item failed, or a note about it."""


@dataclass
class Tally:
    """Counts the outcomes of a run, and gives its exit status.

    Attributes
    ----------
    minimum : float, optional
        The score that every image must have.
    counts : Counter
        Number of outcomes of each status.
    below, undefined : int
        Number of scores below the minimum, and of undefined scores.
    """

    minimum: float | None = None
    counts: Counter[str] = field(default_factory=Counter)
    below: int = 0
    undefined: int = 0

    def add(self, outcome: Outcome, score: float | None = None) -> None:
        """Count an outcome, with its score if it has one."""
        self.counts[outcome.status] += 1
        if self.minimum is not None and score is not None:
            self.below += score < self.minimum
            self.undefined += math.isnan(score)

    @property
    def total(self) -> int:
        """Number of outcomes."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """Number of failed items."""
        return self.counts[Status.FAILED]

    @property
    def succeeded(self) -> int:
        """Number of items that did not fail."""
        return self.total - self.failed

    @property
    def reaches_minimum(self) -> bool:
        """Whether there are scores and all of them reach the minimum, or there is no minimum."""
        return self.minimum is None or (self.succeeded > 0 and not self.below and not self.undefined)

    @property
    def exit_status(self) -> int:
        """0 if all items are done, `FAILED` or `BELOW_MINIMUM` otherwise."""
        return FAILED if self.failed else 0 if self.reaches_minimum else BELOW_MINIMUM


ItemT = TypeVar("ItemT")
PreparedT = TypeVar("PreparedT")
ResultT = TypeVar("ResultT")
OutcomeT = TypeVar("OutcomeT", bound=Outcome)


class Known(NamedTuple, Generic[OutcomeT]):
    """An outcome that is known without an engine."""

    outcome: OutcomeT


class Failure(NamedTuple):
    """Why an item failed: the message, and the traceback if there is one."""

    reason: str
    trace: str = ""

    @classmethod
    def of(cls, error: Exception, name: str) -> "Failure":
        """Return the failure of an item with this name."""
        return cls(error_message(error, name), "".join(traceback.format_exception(error)))


class Work(ABC, Generic[ItemT, PreparedT, ResultT, OutcomeT]):
    """One kind of work on items.

    `prepare`, `finish`, `fail` and `discard` run in this process, in the order of the items. The engine calls `task`
    with a prepared item, possibly in another process.

    Attributes
    ----------
    task : callable
        Takes a prepared item and returns its result. It can be pickled, and may raise any exception.
    """

    task: Callable[[PreparedT], ResultT]

    @abstractmethod
    def name(self, item: ItemT) -> str:
        """Return the name of an item in messages."""

    @abstractmethod
    def prepare(self, item: ItemT) -> PreparedT | Known[OutcomeT]:
        """Return what the task needs for an item, or the outcome if it is known. May raise."""

    @abstractmethod
    def finish(self, prepared: PreparedT, result: ResultT) -> OutcomeT:
        """Record the result of the task and return the outcome. May raise an EdgekitError."""

    @abstractmethod
    def fail(self, item: ItemT, prepared: PreparedT | None, failure: Failure) -> OutcomeT:
        """Record a failure and return the outcome; `prepared` is None if `prepare` failed."""

    def discard(self, prepared: PreparedT) -> None:
        """Remove what the task may have left of an item that was interrupted."""


class _Entry(NamedTuple, Generic[ItemT, PreparedT]):
    item: ItemT
    prepared: PreparedT
    name: str


def run(work: Work[ItemT, PreparedT, ResultT, OutcomeT], items: Iterable[ItemT], engine: Engine) -> Iterator[OutcomeT]:
    """Carry out work on items and yield their outcomes in order. An exception costs one item, never the run.

    Parameters
    ----------
    work : Work
        What to do.
    items : iterable
        Taken a few ahead.
    engine : Engine
        Runs the task.
    """
    source, exhausted = iter(items), False
    queue: deque[_Entry[ItemT, PreparedT] | Known[OutcomeT]] = deque()

    def entries() -> Iterator[_Entry[ItemT, PreparedT]]:
        """Yield the items that need the engine; known outcomes wait in the queue."""
        nonlocal exhausted
        known_in_a_row = 0
        for item in source:
            entry = _prepare(work, item)
            queue.append(entry)
            if not isinstance(entry, Known):
                known_in_a_row = 0
                yield entry
            elif (known_in_a_row := known_in_a_row + 1) == MAX_KNOWN:
                return
        exhausted = True

    try:
        while not exhausted:
            for result in engine.run(partial(_attempt, task=work.task), entries(), _give_up):
                yield from _known(queue)
                entry = queue[0]
                assert not isinstance(entry, Known)
                outcome = _finish(work, entry, result)
                queue.popleft()
                yield outcome
            yield from _known(queue)
    finally:
        for entry in queue:
            if not isinstance(entry, Known):
                work.discard(entry.prepared)


def _known(queue: deque[Any]) -> Iterator[Any]:
    """Yield the known outcomes at the start of a queue."""
    while queue and isinstance(queue[0], Known):
        yield queue.popleft().outcome


def _prepare(
    work: Work[ItemT, PreparedT, ResultT, OutcomeT], item: ItemT
) -> _Entry[ItemT, PreparedT] | Known[OutcomeT]:
    name = work.name(item)
    try:
        prepared = work.prepare(item)
    except MemoryError:
        return Known(work.fail(item, None, Failure(f"{name}: {OUT_OF_MEMORY}")))
    except Exception as error:
        return Known(work.fail(item, None, Failure.of(error, name)))
    return prepared if isinstance(prepared, Known) else _Entry(item, prepared, name)


def _attempt(entry: _Entry[ItemT, PreparedT], task: Callable[[PreparedT], ResultT]) -> ResultT | Failure:
    """Run the task; in a worker."""
    try:
        return task(entry.prepared)
    except Exception as error:
        raise_if_out_of_memory(error)
        return Failure.of(error, entry.name)


def _give_up(entry: _Entry[ItemT, PreparedT], reason: str) -> Failure:
    return Failure(f"{entry.name}: {reason}")


def _finish(
    work: Work[ItemT, PreparedT, ResultT, OutcomeT], entry: _Entry[ItemT, PreparedT], result: ResultT | Failure
) -> OutcomeT:
    if isinstance(result, Failure):
        return work.fail(entry.item, entry.prepared, result)
    try:
        return work.finish(entry.prepared, result)
    except EdgekitError as error:
        return work.fail(entry.item, entry.prepared, Failure.of(error, entry.name))
