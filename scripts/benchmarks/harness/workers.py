"""Processes that wait to be asked for a run: one for the peers, one for each path that edgekit can take.

May import nothing of the suites.
"""

import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WORKER = Path(__file__).with_name("worker.py")

#: The variable that tells edgekit which path to take: 0 the base, 1 the fast one, unset as the work demands.
SWITCH = "EDGEKIT_FAST"

#: The peers apart from torch, whose threads wait in a loop; and edgekit.
PLACES: dict[str, dict[str, str]] = {
    "peers": {},
    "torch": {},
    "auto": {},
    "base": {SWITCH: "0"},
    "fast": {SWITCH: "1"},
}


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without the switch, with the edgekit found here, and with the changes."""
    kept = {k: v for k, v in os.environ.items() if k != SWITCH}
    # Whatever folder a process is started in, it must not find another.
    paths = os.pathsep.join(filter(None, [str(home()), kept.get("PYTHONPATH")]))
    return kept | {"PYTHONPATH": paths} | dict(changes)


def home() -> Path:
    """Return the folder that the measured edgekit lies in."""
    found = importlib.util.find_spec("edgekit")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parents[1]


def has_switch() -> bool:
    """Return whether the measured edgekit knows of the switch at all."""
    return any(SWITCH in path.read_text("utf-8") for path in (home() / "edgekit").rglob("*.py"))


class WorkerFailed(Exception):
    """A call raised in its process; the message is the traceback there."""


class Process:
    """One worker."""

    def __init__(self, changes: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(changes),
        )

    def ask(self, request: str, *arguments: Any) -> Any:
        """Send a request, and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((request, arguments), self._process.stdin)
        self._process.stdin.flush()
        try:
            good, answer = pickle.load(self._process.stdout)
        except EOFError:
            raise WorkerFailed(f"a worker ended with status {self._process.wait()} at {request}{arguments}") from None
        if not good:
            raise WorkerFailed(answer)
        return answer

    def close(self) -> None:
        """Let the process end."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait()


class Workers:
    """Workers by their place, each started when it is first asked for.

    Parameters
    ----------
    places : mapping, optional
        What each place changes in the environment.
    """

    def __init__(self, places: Mapping[str, Mapping[str, str]] = PLACES) -> None:
        self.places = places
        self._started: dict[str, Process] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def ask(self, place: str, request: str, *arguments: Any) -> Any:
        """Ask the worker of a place."""
        if place not in self._started:
            self._started[place] = Process(self.places[place])
            self._stack.callback(self._started[place].close)
        return self._started[place].ask(request, *arguments)

    def forget(self) -> None:
        """Let all workers let go of what they hold."""
        for process in self._started.values():
            process.ask("forget")
