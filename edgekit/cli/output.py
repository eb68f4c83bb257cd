"""What a run says: data on standard output, messages and the progress bar on standard error."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import click

from edgekit.batch.runner import Outcome, Status, Tally
from edgekit.batch.sources import STREAM
from edgekit.cli.progress import open_bar, summary
from edgekit.cli.terminal import complain, name_file, show_lines


class Speech:
    """Tells of each outcome as it comes, and sums up.

    On a terminal many items have a bar, and failures are listed below it at the end; elsewhere each
    item has its line.

    Parameters
    ----------
    total : int
        How many items there are.
    skipped : sequence of (int, str)
        How many files of folders were not taken, and why.
    as_json, quiet, debug : bool
        One JSON object for each item; only errors; tracebacks.
    """

    def __init__(
        self, total: int, skipped: Sequence[tuple[int, str]], *, as_json: bool, quiet: bool, debug: bool
    ) -> None:
        self.tally = Tally()
        self._total, self._skipped = total, skipped
        self._as_json, self._quiet, self._debug = as_json, quiet, debug
        self._start = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> "Speech":
        self._bar = open_bar(self._total, quiet=self._quiet or self._total < 2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            for outcome in self.tally.failures:
                self._complain(outcome)
        if (self._total != 1 or self._skipped) and not self._quiet:
            click.echo(self._summary(), err=True)

    def tell(self, outcome: Outcome) -> None:
        """Count one item and say what became of it."""
        self.tally.add(outcome)
        if self._as_json:
            import json

            self._clear()
            click.echo(json.dumps({name: value for name, value in outcome.record().items() if value is not None}))
        elif outcome.status is Status.FAILED:
            if self._bar is None:
                self._complain(outcome)
        elif self._bar is None and not self._quiet and str(outcome.item.output) != STREAM:
            self._clear()
            name_file(outcome.item.output)
        if outcome.reason and outcome.status is not Status.FAILED and not self._quiet:
            self._clear()
            complain(f"{outcome.item.source.path}: {outcome.reason}")
        if self._bar is not None:
            if self.tally.failed:
                self._bar.set_postfix(failed=self.tally.failed, refresh=False)
            self._bar.update()

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.clear()

    def _complain(self, outcome: Outcome) -> None:
        complain(outcome.reason)
        if self._debug and outcome.trace:
            show_lines(outcome.trace)

    def _summary(self) -> str:
        counts = (
            (self.tally.done, "done"),
            (self.tally.current, "up to date"),
            (self.tally.failed, "failed"),
            (self._total - self.tally.done - self.tally.current - self.tally.failed, "not begun"),
        )
        return summary(counts, self._skipped, self._start)
