"""Jobs that fail for some of their images, as a decoder may; for `batch_faults.py`."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.jobs.scoring import ScoreJob


def crash() -> None:
    """End this process by a segmentation fault."""
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    """Never return, and ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def grow() -> None:
    """Allocate memory without limit, and use every page of it."""
    kept = []
    while True:
        kept.append(bytearray(2**26))
        kept[-1][::4096] = b"x" * 2**14


FAILURES = {"crash": crash, "hang": hang, "grow": grow}


@dataclass(frozen=True)
class _Failing:
    """Pairs of a file name and its failure."""

    failures: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)

    def run(self, data: bytes, name: str, *more: Any) -> Any:
        if failure := dict(self.failures).get(Path(name).name):
            FAILURES[failure]()
        return super().run(data, name, *more)  # type: ignore[misc] # the job's, the next base of those below


@dataclass(frozen=True)
class FailingFilter(_Failing, FilterJob):
    """A filter."""


@dataclass(frozen=True)
class FailingScore(_Failing, ScoreJob):
    """A score."""
