"""Does a list of items, several at a time, and keeps count."""

import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.batch.engines import OUT_OF_MEMORY, Engine, Known, carry_out
from edgekit.batch.jobs.render import Picture
from edgekit.batch.large import USUAL, Filtered, Means
from edgekit.batch.large_files import filter_file
from edgekit.batch.output_log import Journal
from edgekit.batch.sources import STREAM, Item
from edgekit.batch.text_rows import Record
from edgekit.common.text import legible, unmistakable
from edgekit.errors import EdgekitError, OutputError, UnreadableError, let_out_of_memory, said
from edgekit.io.files import read_bytes, status_of
from edgekit.io.stores import ahead, real
from edgekit.io.writing import Draft, discard, draft, place, publish

#: The details of a result by their columns; the record keeps them for the rows of later runs.
DETAILS = ("width", "height", "clipped", "white")

#: Names of what a row says of an outcome.
COLUMNS = ("input", "output", "filter", "status", "reason", *DETAILS)

_NOTHING: Mapping[str, Any] = {}


class Status(Enum):
    """How an item ended."""

    DONE = "done"
    CURRENT = "current"
    """The result was there already, from an earlier run of the same job on the same input."""
    FAILED = "failed"


class Outcome(NamedTuple):
    """The outcome of one item.

    Attributes
    ----------
    item : Item
    status : Status
    reason : str
        Why it failed, or a note on its input.
    details : mapping
        Of a result, by `DETAILS`.
    trace : str
        Where in the code it failed.
    """

    item: Item
    status: Status
    reason: str = ""
    details: Mapping[str, Any] = _NOTHING
    trace: str = ""

    def record(self) -> Record:
        """Return all of this but the trace, by `COLUMNS`."""
        item = self.item
        values = (
            STREAM if item.source.stream else unmistakable(str(item.source.path)),
            STREAM if str(item.output) == STREAM else unmistakable(str(item.output)),
            item.job.tag,
            self.status.value,
            legible(self.reason) or None,
            *map(self.details.get, DETAILS),
        )
        return dict(zip(COLUMNS, values, strict=True))


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


class _Todo(NamedTuple):
    """An item with its input's status before it was read."""

    item: Item
    status: os.stat_result


class _Made(NamedTuple):
    """What was written, to be published, with a note on its input and details; or why nothing was, and where."""

    draft: Draft | None
    reason: str = ""
    details: Mapping[str, Any] = _NOTHING
    trace: str = ""


class Runner:
    """Does items: what is to be done is decided here, an engine reads, filters and writes, and here it is entered.

    Parameters
    ----------
    journal : Journal
        What was written before.
    inputs : iterable of Path
        All inputs of the run; no result may fall on one.
    force : bool
        Do everything anew, and replace files that edgekit did not write.
    means : Means
        For images that are done window by window.
    """

    def __init__(self, journal: Journal, inputs: Iterable[Path], *, force: bool = False, means: Means = USUAL) -> None:
        self.journal = journal
        self.force = force
        self._means = means
        self._inputs = set(map(real, inputs))
        self._under_way: set[Path] = set()

    def run(self, items: Iterable[Item], engine: Engine) -> Iterator[Outcome]:
        """Do `items` and give their outcomes in their order; whatever goes wrong with an item is its outcome."""
        try:
            asked = ahead(items, lambda item: (item.source.path, item.output))
            for turn in carry_out(engine, partial(_make, means=self._means), map(self._begin, asked), _lost):
                yield turn.result if isinstance(turn, Known) else self._finish(*turn)
        finally:
            for output in self._under_way:
                discard(output)

    def _begin(self, item: Item) -> _Todo | Known[Outcome]:
        """Return the item if there is something to do elsewhere, or its outcome."""
        if item.source.stream or str(item.output) == STREAM:
            return Known(self._stream(item))
        try:
            status = status_of(item.source.path)
            if real(item.output) in self._inputs:
                raise OutputError(
                    f"{item.output}: an input of this run would be written over; name another output with -o"
                )
            if not self.force and self.journal.current(item.output, item.source.path, status, item.job.key):
                return Known(Outcome(item, Status.CURRENT, *_kept(self.journal.details(item.output))))
            self.journal.admit(item.output, force=self.force)
            self.journal.announce(item.output)
        except EdgekitError as error:
            return Known(_failed(item, error))
        self._under_way.add(item.output)
        return _Todo(item, status)

    def _finish(self, todo: _Todo, made: _Made) -> Outcome:
        """Enter what was written, and let it appear."""
        item, status = todo
        self._under_way.remove(item.output)
        entered = (item.source.path, status, item.job.key)
        try:
            if made.draft is None:
                discard(item.output)
                self.journal.withdraw(item.output)
                return Outcome(item, Status.FAILED, made.reason, trace=made.trace)
            details = {"reason": made.reason, **made.details}
            publish(made.draft, lambda status: self.journal.enter(item.output, status, *entered, details))
        except OutputError as error:
            return _failed(item, error)
        return Outcome(item, Status.DONE, made.reason, made.details)

    def _stream(self, item: Item) -> Outcome:
        """Do an item of which this process has an end."""
        try:
            return self._streamed(item)
        except MemoryError:
            return Outcome(item, Status.FAILED, f"{item.source.path}: {OUT_OF_MEMORY}")
        except Exception as error:
            return _failed(item, error)

    def _streamed(self, item: Item) -> Outcome:
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
            self.journal.admit(item.output, force=self.force)
            source = item.source.path
            place(
                result.data, item.output, lambda made: self.journal.enter(item.output, made, source, made, item.job.key)
            )
        return Outcome(item, Status.DONE, result.note, _details(result))


def _make(todo: _Todo, means: Means) -> _Made:
    """Read an item's input, and write its result beside its place."""
    (source, *_), job, output = todo.item
    try:
        done: tuple[Filtered | Picture, Draft] | None = filter_file(source, job, output, means)
        if done is None:
            picture = job.run(read_bytes(source), str(source))
            done = picture, draft(picture.data, output)
    except Exception as error:  # One item must not end the run.
        let_out_of_memory(error)
        reason, trace = _said(todo.item, error)
        return _Made(None, reason, trace=trace)
    result, made = done
    return _Made(made, result.note, _details(result))


def _details(result: Filtered | Picture) -> dict[str, Any]:
    # Where R is 0 everything is black: no response is shown white.
    white = result.white if result.white != sys.float_info.max else None
    return dict(zip(DETAILS, (result.columns, result.rows, result.clipped, white), strict=True))


def _kept(entered: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the note and the details that an earlier run entered with a result; what is none of them is left out."""
    note = entered.get("reason")
    details = {name: value for name in DETAILS if isinstance(value := entered.get(name), int | float)}
    return note if isinstance(note, str) else "", details


def _lost(todo: _Todo, reason: str) -> _Made:
    return _Made(None, f"{todo.item.source.path}: {reason}")


def _failed(item: Item, error: Exception) -> Outcome:
    reason, trace = _said(item, error)
    return Outcome(item, Status.FAILED, reason, trace=trace)


def _said(item: Item, error: Exception) -> tuple[str, str]:
    """Return what an error says, and where in the code it came from."""
    return said(error, str(item.source.path)), "".join(traceback.format_exception(error))
