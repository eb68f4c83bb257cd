"""Time and memory of fusing focus stacks of large photographs.

    python scripts/benchmarks/focus_stacks.py [--sizes 10 20 40] [--write]

Photographs of 10 megapixels are written as JPEG, each sharp in another part. Each stack is fused by
`edgekit focus STACK --fuse sharp.tif --depth-map depth.tif` and by `--fuse` alone, each in a new process, and by
`edgekit.fuse` with all photographs in memory. Prints a Markdown table with the CPU
time, which two idle cores halve, and the largest memory.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill
from common.paths import README, SAMPLES

#: Rows and columns of a photograph.
SHAPE = 2592, 3872

#: The page with the table.
PAGE = README.parent / "docs" / "focus.md"


def write_stack(folder: Path, count: int) -> None:
    """Write photographs, each sharp in another column."""
    sharp = cv2.resize(ek.read_image(SAMPLES / "coffee.png"), SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 12, sharp.shape)
    sharp = (sharp + noise).clip(0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 4)
    folder.mkdir()
    edges = np.linspace(0, SHAPE[1], count + 1).astype(int)
    for n in range(count):
        image = blurred.copy()
        image[:, edges[n] : edges[n + 1]] = sharp[:, edges[n] : edges[n + 1]]
        ek.write_image(folder / f"z{n:03}.jpg", image)


def by_command(folder: Path, *options: str) -> tuple[float, float]:
    """Return the CPU seconds and the MiB of a run of the command."""
    command = [sys.executable, "-m", "edgekit", "focus", str(folder), "-q", "--force", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _fuse_in_memory(folder: Path, results: "multiprocessing.Queue[tuple[float, float]]") -> None:
    import resource

    images = [ek.read_image(path) for path in sorted(folder.glob("*.jpg"))]
    start = time.process_time()
    ek.fuse(images)
    results.put((time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def in_memory(folder: Path) -> tuple[float, float]:
    """Return the CPU seconds of `edgekit.fuse`, and the MiB of its process with all photographs."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[float, float]] = context.Queue()
    process = context.Process(target=_fuse_in_memory, args=(folder, results))
    process.start()
    found = results.get()
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--write", action="store_true", help="write the table to docs/focus.md")
    arguments = parser.parse_args()
    head = "| photographs | `--fuse`, CPU s | MiB | with `--depth-map`, CPU s | MiB | `fuse` in memory, CPU s | MiB |"
    lines = [head, "|---:|---:|---:|---:|---:|---:|---:|"]
    with tempfile.TemporaryDirectory() as name:
        for count in arguments.sizes:
            folder, output = Path(name, str(count)), Path(name, f"sharp{count}.tif")
            write_stack(folder, count)
            fuse = ("--fuse", str(output))
            runs = [by_command(folder, *fuse), by_command(folder, *fuse, "--depth-map", f"{name}/depth{count}.tif")]
            cells = " | ".join(f"{seconds:.1f} | {mib:.0f}" for seconds, mib in (*runs, in_memory(folder)))
            lines.append(f"| {count} | {cells} |")
            print(lines[-1], flush=True)
    table = "\n".join(lines)
    print(table)
    if arguments.write:
        PAGE.write_text(fill(PAGE.read_text(), "large stacks", table))


if __name__ == "__main__":
    main()
