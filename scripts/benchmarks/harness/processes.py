"""Interleaved runs of whole processes: their seconds and their peak memory. Imports `workers`."""

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.harness.workers import environment

LAUNCHER = Path(__file__).with_name("timed_command.py")

PYTHON = (sys.executable, "-c")


#: Runs that are not measured, and fill the caches of the system.
UNMEASURED = 1


class Ran(NamedTuple):
    """One run of a process: seconds, and the peak memory in bytes of the largest process in it."""

    seconds: float
    peak: int


def launch(command: Sequence[str], changes: Mapping[str, str], folder: str | Path) -> Ran:
    """Run a command once, in a folder."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), *command]
    ran = subprocess.run(launcher, cwd=folder, env=environment(changes), capture_output=True, text=True, check=False)
    seconds, peak, status = ran.stdout.split() or (0, 0, -1)
    if int(status):
        raise SystemExit(f"{' '.join(command)}\nended with status {status}\n{ran.stderr}")
    return Ran(float(seconds), int(peak))


def alternate(
    commands: Mapping[str, Sequence[str]],
    runs: int,
    folder: str | Path,
    changes: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, list[Ran]]:
    """Run the commands in turn in a folder; the first runs are not measured. `changes` are those of the environment, by
    the names of the commands.
    """
    # Modules are compiled before, as in an installed edgekit.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
    out: dict[str, list[Ran]] = {name: [] for name in commands}
    for n in range(UNMEASURED + runs):
        for name, command in commands.items():
            ran = launch(command, compiled | dict((changes or {}).get(name, {})), folder)
            if n >= UNMEASURED:
                out[name].append(ran)
    return out


def seconds(ran: Mapping[str, Sequence[Ran]]) -> dict[str, list[float]]:
    """Return the seconds."""
    return {name: [run.seconds for run in runs] for name, runs in ran.items()}


def peak(runs: Sequence[Ran]) -> float:
    """Return the median of the peaks in MiB."""
    return statistics.median(run.peak for run in runs) / 2**20
