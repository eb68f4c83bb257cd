"""A job that says where it is at which image, and fails as images are named; workers find it by PYTHONPATH."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgekit.batch.jobs.scoring import Scored, ScoreJob


class Line(NamedTuple):
    """One line of the log: which image was begun or done on which node."""

    what: str
    name: str
    node: str


@dataclass(frozen=True)
class Watched(ScoreJob):
    """Measures as `ScoreJob` does, and keeps a log; on the stuck node images from number 20 on never end."""

    log: str = ""
    stuck: str = ""

    def run(self, data: bytes, name: str, page: int | None = None) -> Scored:
        self._say("begun", name)
        if "crash" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        stuck = self.stuck == _node() and int(Path(name).stem) >= 20
        time.sleep(600 if stuck or "hang" in name else 0)
        scored = super().run(data, name)
        self._say("done", name)
        return scored

    def _say(self, what: str, name: str) -> None:
        with Path(self.log).open("a") as file:
            file.write(f"{what} {name} {_node()}\n")

    def said(self) -> list[Line]:
        """Return the log so far."""
        path = Path(self.log)
        return [Line(*line.split()) for line in path.read_text().splitlines()] if path.exists() else []


def _node() -> str:
    """Return the node that this runs on, as the process id of its raylet."""
    return os.environ.get("RAY_RAYLET_PID", "none")
