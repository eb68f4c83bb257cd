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


def summary(counts: Iterable[tuple[int, str]], start: float) -> str:
    """Return what a run that began at `start`, by the monotonic clock, came to."""
    said = ", ".join(f"{n} {what}" for n, what in counts if n) or "no images found"
    return f"edgekit: {said} in {time.monotonic() - start:.1f} s"
