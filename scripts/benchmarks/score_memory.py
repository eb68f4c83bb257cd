"""Shows that the memory of `edgekit score` does not grow with the number of images.

    python scripts/benchmarks/score_memory.py [COUNT ...] [--write]

Makes folders of small images (links to a few files), scores each folder in a separate process, and prints a Markdown
table of time and peak memory.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill_page
from common.paths import DOCS

#: Hard links to one file. File systems allow a few more.
LINKS = 30_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counts", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--write", action="store_true", help="write the table into docs/scoring.md")
    options = parser.parse_args(arguments)
    lines = ["| images | s | peak memory, MiB |", "|---:|---:|---:|"]
    for count in options.counts:
        seconds, peak = score(count)
        lines.append(f"| {count:,} | {seconds:.1f} | {peak / 1024:.0f} |")
        print(lines[-1], flush=True)
    if options.write:
        text = "\n".join(lines)
        fill_page(DOCS / "scoring.md", "memory", text)


def score(count: int) -> tuple[float, int]:
    """Score `count` images; return seconds and peak memory in KiB."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "images")
        folder.mkdir()
        for n in range(count):
            name = folder / f"{n:07}.png"
            if n % LINKS == 0:
                ek.write_image(name, rng.integers(0, 256, (24, 24), dtype=np.uint8))
                first = name
            else:
                os.link(first, name)
        command = [
            sys.executable,
            "-m",
            "edgekit",
            "score",
            str(folder),
            "-q",
            "-j",
            "2",
            "-o",
            f"{scratch}/scores.csv",
        ]
        start = time.perf_counter()
        process = subprocess.Popen(command)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - start
        with Path(scratch, "scores.csv").open(encoding="utf-8") as file:
            rows = sum(1 for _ in file) - 1
        if status or rows != count:
            raise SystemExit(f"ended with status {status} and {rows} rows of {count}")
    return took, usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    main()
