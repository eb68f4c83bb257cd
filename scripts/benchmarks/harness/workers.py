"""Worker processes that run the calls: one for the other libraries, one for each path of edgekit. Imports nothing of
the suites.
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

#: The variable that chooses the path of edgekit: 0 the base path, 1 the fast path, unset by the amount of work.
SWITCH = "EDGEKIT_FAST"

#: The places: the other libraries, with torch separate because its threads wait in a loop, and edgekit.
PLACES: dict[str, dict[str, str]] = {
    "peers": {},
    "torch": {},
    "auto": {},
    "base": {SWITCH: "0"},
    "fast": {SWITCH: "1"},
}


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process without the switch, with the path of this edgekit, and with the
    changes.
    """
    kept = {k: v for k, v in os.environ.items() if k != SWITCH}
    # In any working folder the process must import the same edgekit.
    paths = os.pathsep.join(filter(None, [str(home()), kept.get("PYTHONPATH")]))
    return kept | {"PYTHONPATH": paths} | dict(changes)


def home() -> Path:
    """Return the folder of the measured edgekit."""
    found = importlib.util.find_spec("edgekit")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parents[1]


def has_switch() -> bool:
    """Tell whether the measured edgekit supports the switch."""
    return any(SWITCH in path.read_text("utf-8") for path in (home() / "edgekit").rglob("*.py"))


class WorkerFailed(Exception):
    """A call raised in its worker; the message is the traceback."""


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
    """Workers by their places. Each is started at its first request.

    Parameters
    ----------
    places : mapping, optional
        Changes of the environment for each place.
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
        """Let all workers delete their calls and arrays."""
        for process in self._started.values():
            process.ask("forget")
