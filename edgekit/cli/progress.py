"""The progress bar, and the line that sums a run up."""

import os
import sys
import time
from collections.abc import Iterable
from typing import Any


def open_bar(total: int | None, *, quiet: bool, unit: str = "img") -> Any:
    """Return a bar with rate and, where the total is known, time left; None where standard error is no terminal."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, file=sys.stderr, dynamic_ncols=True)


def skips(no_images: int, results: int) -> list[tuple[int, str]]:
    """Return how many files of folders were not taken, and why."""
    counts = ((no_images, "skipped (no images)"), (results, f"result{'s' * (results > 1)} of earlier runs left out"))
    return [(n, what) for n, what in counts if n]


def summary(
    counts: Iterable[tuple[int, str]],
    skipped: Iterable[tuple[int, str]],
    start: float,
    *,
    none: str = "no images found",
) -> str:
    """Return the counts of a run that began at `start`, by the monotonic clock; `none` where all counts are 0."""
    said = [f"{n} {what}" for n, what in counts if n] or [none]
    return f"edgekit: {', '.join((*said, *(f'{n} {what}' for n, what in skipped)))} in {time.monotonic() - start:.1f} s"


class Parts:
    """A bar for an image that is done window by window; called with how many of how many windows are done."""

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
