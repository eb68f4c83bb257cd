"""A job with a log. Names of images decide which ones fail. Workers import it by PYTHONPATH."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgekit.batch.jobs.scoring import Scored, ScoreJob


class Line(NamedTuple):
    """One line of the log: an image was begun or done on a node."""

    event: str
    name: str
    node: str


@dataclass(frozen=True)
class LoggedJob(ScoreJob):
    """A `ScoreJob` that writes a log. On the stuck node, images from number 20 on never end."""

    log: str = ""
    stuck: str = ""

    def run(self, data: bytes, name: str, page: int | None = None) -> Scored:
        self._log("begun", name)
        if "crash" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        stuck = self.stuck == _node() and int(Path(name).stem) >= 20
        time.sleep(600 if stuck or "hang" in name else 0)
        scored = super().run(data, name)
        self._log("done", name)
        return scored

    def _log(self, event: str, name: str) -> None:
        with Path(self.log).open("a") as file:
            file.write(f"{event} {name} {_node()}\n")

    def log_lines(self) -> list[Line]:
        """Return the lines of the log."""
        path = Path(self.log)
        return [Line(*line.split()) for line in path.read_text().splitlines()] if path.exists() else []


def _node() -> str:
    """Return the process id of the raylet of this node."""
    return os.environ.get("RAY_RAYLET_PID", "none")
