"""The output of a run: progress, failures and a summary, on standard error.

May import `report` and what is below it.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import click

from edgekit.batch.progress import Progress, is_terminal
from edgekit.batch.runner import Outcome, Status, Tally
from edgekit.cli.terminal import complain, show_lines


class RunOutput:
    """Counts the outcomes of a run, shows a progress bar, and names what failed.

    The progress bar is shown in a ``with`` block, if standard error is a terminal and there are several items.

    Parameters
    ----------
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
    progress : Progress
        The progress bar.
    """

    def __init__(
        self,
        *,
        minimum: float | None = None,
        quiet: bool,
        debug: bool = False,
        name_failures: bool = True,
        unit: str = "img",
    ) -> None:
        self.tally = Tally(minimum)
        self.progress = Progress(shown=not quiet and is_terminal(), unit=unit)
        self._quiet, self._debug, self._name_failures = quiet, debug, name_failures
        self._start = time.monotonic()

    def expect(self, total: int) -> None:
        """Set the number of items; the time counts from here."""
        self._start = time.monotonic()
        self.progress.listed(total, complete=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.close()

    def add(self, outcome: Outcome, *, score: float | None = None, trace: str = "") -> None:
        """Count an outcome, print why it failed, and advance the progress bar."""
        self.tally.add(outcome, score)
        if outcome.status == Status.FAILED and self._name_failures:
            self.progress.clear()
            complain(outcome.reason)
            if self._debug:
                show_lines(trace)
        self.progress.advance(failed=self.tally.failed, undefined=self.tally.counts[Status.UNDEFINED])

    def summarize(self, counts: Iterable[tuple[int, str]], skipped: Iterable[tuple[int, str]], *, none: str) -> None:
        """Print the counts of the run and its time; `none` if all counts are 0."""
        if not self._quiet:
            parts = [f"{n} {what}" for n, what in counts if n] or [none]
            parts += [f"{n} {what}" for n, what in skipped]
            click.echo(f"edgekit: {', '.join(parts)} in {time.monotonic() - self._start:.1f} s", err=True)


def no_images(inputs: Iterable[str], *, recursive: bool) -> str:
    """Return the message that no images were found; with a hint if a folder has folders inside that were not read."""
    folders = [] if recursive else [path for path in map(Path, inputs) if path.is_dir()]
    inside = any(entry.is_dir() for folder in folders for entry in folder.iterdir())
    return "no images found (-r also reads the folders inside)" if inside else "no images found"


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
        # The bar is made in the process that shows it: options are sent to workers.
        self._quiet = quiet
        self._progress: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        if done == 1 or self._progress is None:
            self._progress = Progress(shown=not self._quiet and is_terminal(), unit="window")
            self._progress.listed(total, complete=True)
        self._progress.advance()
        if done == total:
            self._progress.close()
