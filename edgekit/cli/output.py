"""The output of a run: progress, failures and a summary, on standard error.

May import `report` and what is below it.
"""

import os
import sys
import time
from collections.abc import Iterable
from typing import Any, Self

import click

from edgekit.batch.runner import Outcome, Status, Tally
from edgekit.cli.terminal import complain, show_lines


class RunOutput:
    """Counts the outcomes of a run, shows a progress bar, and names what failed.

    The progress bar is shown in a ``with`` block, if standard error is a terminal and there are several items.

    Parameters
    ----------
    total : int, optional
        Number of items, if it is known.
    minimum : float, optional
        The score that every image must have.
    quiet : bool
        Show errors only.
    debug : bool
        Show tracebacks.
    name_failures : bool
        Print the reason of each failure.
    unit : str
        What the progress bar counts.

    Attributes
    ----------
    tally : Tally
        The counts, and the exit status.
    """

    def __init__(
        self,
        *,
        total: int | None = None,
        minimum: float | None = None,
        quiet: bool,
        debug: bool = False,
        name_failures: bool = True,
        unit: str = "img",
    ) -> None:
        self.tally = Tally(minimum)
        self._total, self._quiet, self._debug, self._name_failures = total, quiet, debug, name_failures
        self._unit = unit
        self._start = time.monotonic()
        self._bar: Any = None

    def expect(self, total: int) -> None:
        """Set the number of items, before the ``with`` block; the time counts from here."""
        self._total, self._start = total, time.monotonic()

    def __enter__(self) -> Self:
        one = self._total is not None and self._total < 2
        self._bar = open_bar(self._total, quiet=self._quiet or one, unit=self._unit)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    @property
    def has_bar(self) -> bool:
        """Whether there is a progress bar."""
        return self._bar is not None

    def add(self, outcome: Outcome, *, score: float | None = None, trace: str = "") -> None:
        """Count an outcome, print why it failed, and advance the progress bar."""
        self.tally.add(outcome, score)
        if outcome.status == Status.FAILED and self._name_failures:
            self.clear_bar()
            complain(outcome.reason)
            if self._debug:
                show_lines(trace)
        if self._bar is not None:
            if self.tally.failed:
                self._bar.set_postfix(failed=self.tally.failed, refresh=False)
            self._bar.update()

    def clear_bar(self) -> None:
        """Remove the progress bar from the terminal before other output; it appears again with the next outcome."""
        if self._bar is not None:
            self._bar.clear()

    def summarize(
        self, counts: Iterable[tuple[int, str]], skipped: Iterable[tuple[int, str]], *, none: str = "no images found"
    ) -> None:
        """Print the counts of the run and its time; `none` if all counts are 0."""
        if not self._quiet:
            parts = [f"{n} {what}" for n, what in counts if n] or [none]
            parts += [f"{n} {what}" for n, what in skipped]
            click.echo(f"edgekit: {', '.join(parts)} in {time.monotonic() - self._start:.1f} s", err=True)


def open_bar(total: int | None, *, quiet: bool, unit: str = "img") -> Any:
    """Return a progress bar with rate and, if the total is known, remaining time; None if there should be none."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, file=sys.stderr, dynamic_ncols=True)


def skipped_counts(not_images: int, results: int) -> list[tuple[int, str]]:
    """Return how many files of folders were skipped, and why."""
    counts = (
        (not_images, "skipped (not images)"),
        (results, f"result{'s' * (results > 1)} of earlier runs left out"),
    )
    return [(n, what) for n, what in counts if n]


class WindowProgress:
    """A progress bar for an image that is processed window by window; call it after each window."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        if done == 1:
            self._bar = open_bar(total, quiet=self._quiet, unit="window")
        if self._bar is not None:
            self._bar.update()
            if done == total:
                self._bar.close()
