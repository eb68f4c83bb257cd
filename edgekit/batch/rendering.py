"""The work of rendering images: read each, apply its job, write, log and publish the result.

May import `io` and what is below it.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.batch.jobs.render import RenderedFile
from edgekit.batch.large import ONE_THREAD, WindowOptions
from edgekit.batch.large_files import filter_file
from edgekit.batch.output_log import OutputLog
from edgekit.batch.outputs import Item
from edgekit.batch.rows import Record
from edgekit.batch.runner import Failure, Known, Status, Work
from edgekit.batch.sources import STREAM
from edgekit.common.escaping import escape_cell, unambiguous_path
from edgekit.errors import OutputError, UnreadableError
from edgekit.io.files import map_bytes, read_bytes, status_of
from edgekit.io.stores import canonical_path
from edgekit.io.writing import Draft, discard_draft, publish_draft, write_atomic, write_draft

#: Columns with the details of a result; the output log keeps them for the rows of later runs.
DETAILS = ("width", "height", "clipped", "white")

#: Columns of the rows.
COLUMNS = ("input", "page", "output", "filter", "status", "reason", *DETAILS)

_NO_DETAILS: Mapping[str, Any] = {}


class RenderOutcome(NamedTuple):
    """The outcome of rendering one item.

    Attributes
    ----------
    item : Item
    status : Status
        ``done``, ``current`` or ``failed``.
    reason : str
        Why it failed, or a note about the input or the result.
    details : mapping
        Values of the columns `DETAILS`.
    trace : str
        The traceback if it failed.
    """

    item: Item
    status: Status
    reason: str = ""
    details: Mapping[str, Any] = _NO_DETAILS
    trace: str = ""

    def record(self) -> Record:
        """Return the row of the outcome, by `COLUMNS`."""
        item = self.item
        values = (
            STREAM if item.source.stream else unambiguous_path(str(item.source.path)),
            item.source.page,
            STREAM if str(item.output) == STREAM else unambiguous_path(str(item.output)),
            item.job.tag,
            self.status.value,
            escape_cell(self.reason) or None,
            *map(self.details.get, DETAILS),
        )
        return dict(zip(COLUMNS, values, strict=True))


class _Prepared(NamedTuple):
    """An item, and the status of its input before it was read."""

    item: Item
    source_stat: os.stat_result


class _Written(NamedTuple):
    """A result that was written but not yet published, with a note and its details."""

    draft: Draft
    note: str
    details: Mapping[str, Any]


class RenderWork(Work[Item, _Prepared, _Written, RenderOutcome]):
    """Renders items. The task writes a draft; here it is logged and published.

    Parameters
    ----------
    log : OutputLog
        The results of earlier runs.
    inputs : iterable of Path
        All inputs of the run; no result may replace one of them.
    force : bool
        Render all items, and replace files that edgekit did not write.
    window_options : WindowOptions
        For images that are filtered window by window.
    """

    def __init__(
        self,
        log: OutputLog,
        inputs: Iterable[Path],
        *,
        force: bool = False,
        window_options: WindowOptions = ONE_THREAD,
    ) -> None:
        self.task = partial(_render, window_options=window_options)
        self._log, self._force = log, force
        self._inputs = set(map(canonical_path, inputs))

    def name(self, item: Item) -> str:
        return item.source.name

    def prepare(self, item: Item) -> _Prepared | Known[RenderOutcome]:
        """Check that the result may be written; an unchanged result is kept, a stream is rendered at once."""
        source, job, output = item
        if source.stream or str(output) == STREAM:
            return Known(self._render_stream(item))
        source_stat = status_of(source.path)
        if canonical_path(output) in self._inputs:
            raise OutputError(f"{output}: the result would replace an input of this run; choose another output with -o")
        if not self._force and self._log.is_current(output, source.path, source_stat, job.key):
            return Known(RenderOutcome(item, Status.CURRENT, *_known_details(self._log.details(output))))
        self._log.check_replaceable(output, force=self._force)
        self._log.mark_started(output)
        return _Prepared(item, source_stat)

    def finish(self, prepared: _Prepared, result: _Written) -> RenderOutcome:
        (source, job, output), source_stat = prepared
        details = {"reason": result.note, **result.details}
        try:
            publish_draft(
                result.draft,
                lambda stat: self._log.add(output, stat, source.path, source_stat, job.key, details),
            )
        except OutputError as error:
            # An object that was written keeps its mark, so that the next run may replace it.
            return self._failed(prepared.item, Failure.of(error, str(source.path)))
        return RenderOutcome(prepared.item, Status.DONE, result.note, result.details)

    def fail(self, item: Item, prepared: _Prepared | None, failure: Failure) -> RenderOutcome:
        if prepared is not None:
            discard_draft(item.output)
            with contextlib.suppress(OutputError):
                self._log.unmark_started(item.output)
        return self._failed(item, failure)

    @staticmethod
    def _failed(item: Item, failure: Failure) -> RenderOutcome:
        return RenderOutcome(item, Status.FAILED, failure.reason, trace=failure.trace)

    def discard(self, prepared: _Prepared) -> None:
        discard_draft(prepared.item.output)

    def _render_stream(self, item: Item) -> RenderOutcome:
        """Render an item from standard input or to standard output, which only this process has."""
        source, job, output = item
        if source.stream:
            data, name = sys.stdin.buffer.read(), "standard input"
            if not data:
                raise UnreadableError("standard input: empty (0 bytes); pipe an image into edgekit")
        else:
            data, name = read_bytes(source.path), str(source.path)
        rendered = job.run(data, name, source.page)
        if str(output) == STREAM:
            sys.stdout.buffer.write(rendered.data)
            sys.stdout.buffer.flush()
        else:
            self._log.check_replaceable(output, force=self._force)
            # Standard input has no size and time.
            write_atomic(rendered.data, output, lambda stat: self._log.add(output, stat, source.path, stat, job.key))
        return RenderOutcome(item, Status.DONE, rendered.note, _details(rendered))


def _render(prepared: _Prepared, window_options: WindowOptions) -> _Written:
    """Read an input and write a draft of the result; in a worker."""
    source, job, output = prepared.item
    filtered = None if source.page is not None else filter_file(source.path, job, output, window_options)
    if filtered is None:
        data: Any = read_bytes(source.path) if source.page is None else map_bytes(source.path)
        rendered = job.run(data, source.name, source.page)
        written = write_draft(rendered.data, output)
    else:
        rendered, written = filtered
    return _Written(written, rendered.note, _details(rendered))


def _details(rendered: RenderedFile) -> dict[str, Any]:
    # An image without range is black: no response is shown white.
    white = rendered.white if rendered.white != sys.float_info.max else None
    return dict(zip(DETAILS, (rendered.columns, rendered.rows, rendered.clipped, white), strict=True))


def _known_details(logged: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the note and the details that an earlier run logged; values of unexpected types are left out."""
    note = logged.get("reason")
    details = {name: value for name in DETAILS if isinstance(value := logged.get(name), int | float)}
    return note if isinstance(note, str) else "", details
