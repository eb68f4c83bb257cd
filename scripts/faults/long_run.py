"""Runs a batch of very many images, and records memory, descriptors, threads and workers of its processes.

    python scripts/faults/long_run.py [--count N] [--write]

The images are small, and are links to a few files; one of a hundred is broken. The numbers must not grow during the
run: the table shows them after a quarter, a half and three quarters of the time. Linux only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill
from common.paths import ROOT

PAGE = ROOT / "docs" / "faults.md"

#: Hard links to one file. File systems allow a few more.
LINKS = 30_000

#: One of this number of files is broken.
BROKEN = 100

#: Seconds between two samples.
PERIOD = 0.25

COMMANDS = {
    "edgekit score": ["score", "-o", "out/scores.csv"],
    "edgekit sobel": ["sobel", "-o", "out"],
}


class Look(NamedTuple):
    """The resources of the run at one moment."""

    mib: float
    worker_mib: float
    descriptors: int
    threads: int
    processes: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="images (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="fill the table of docs/faults.md")
    options = parser.parse_args(arguments)
    lines = [
        "| command | images | s | progress | MiB | largest worker, MiB | descriptors | threads | processes |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_folder(folder / "in", options.count)
        for title, command in COMMANDS.items():
            took, looks = watch([sys.executable, "-m", "edgekit", *command, "in", "-q", "-j", "2"], folder)
            check(folder / "out", title, options.count)
            for moment, share in (("a quarter", 0.25), ("half", 0.5), ("three quarters", 0.75)):
                look = looks[int(share * len(looks))]
                cells = (f"`{title}`", f"{options.count:,}", f"{took:.0f}", moment, f"{look.mib:.0f}",
                         f"{look.worker_mib:.0f}", *map(str, look[2:]))  # fmt: skip
                lines.append(f"| {' | '.join(cells)} |")
    print("\n".join(lines))
    if options.write:
        PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), "soak", "\n".join(lines)), encoding="utf-8")
    return 0


def fill_folder(folder: Path, count: int) -> None:
    """Make `count` files, most of them links."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(count):
        path = folder / f"{n:07}.png"
        if n % LINKS == 0:
            ek.write_image(path, rng.integers(0, 256, (24, 24), dtype=np.uint8))
            first = path
        elif n % BROKEN == 1:
            path.write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
        else:
            os.link(first, path)


def watch(command: Sequence[str], folder: Path) -> tuple[float, list[Look]]:
    """Run a command; return its seconds, and samples of its resources."""
    looks: list[Look] = []
    begun = time.monotonic()
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        while process.poll() is None:
            time.sleep(PERIOD)
            look = look_at(process.pid)
            if look is not None:
                looks.append(look)
    if process.returncode != 1:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}, not with 1 for broken files")
    return time.monotonic() - begun, looks


def look_at(process: int) -> Look | None:
    """Return the resources of a process and its descendants; None if it has ended."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    under = {process}
    while more := {p for p, parent in parents.items() if parent in under} - under:
        under |= more
    try:
        held = {
            p: (memory(p), *(sum(1 for _ in Path(f"/proc/{p}/{k}").iterdir()) for k in ("fd", "task"))) for p in under
        }
    except OSError:
        return None
    largest = max((mib for p, (mib, _, _) in held.items() if p != process), default=0.0)
    return Look(held[process][0], largest, *(sum(h[n] for h in held.values()) for n in (1, 2)), len(under))


def memory(process: int) -> float:
    """Return the private memory of a process in MiB."""
    pages = Path(f"/proc/{process}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") / 2**20


def check(out: Path, title: str, count: int) -> None:
    """Raise unless there is a row or an output for each image, and no unfinished file."""
    broken = len(range(1, count, BROKEN)) - len([n for n in range(0, count, LINKS) if n % BROKEN == 1])
    if title == "edgekit score":
        with (out / "scores.csv").open(encoding="utf-8") as file:
            found, expected = sum(1 for _ in file) - 1, count
    else:
        found, expected = sum(1 for path in out.iterdir() if path.suffix == ".png"), count - broken
    if found != expected or list(out.glob("*.edgekit-part")):
        raise SystemExit(f"{title}: {found} results of {expected}")


if __name__ == "__main__":
    sys.exit(main())
