"""Measures images larger than memory: time and peak memory by size, by packing, and by window size.

    python scripts/large.py [--sides 5000 10000 20000 30000] [--windows 16 18 20 22] [--whole 30000]

Makes tiled TIFF files in a temporary folder, tile by tile, runs the command line on each in a process of its own, and
prints Markdown tables.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import tifffile

TILE = 256

#: What an image is taken to have, so that it goes by windows, or as a whole, whatever is free.
BY_WINDOWS, WHOLE = 0, 2**60


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[5_000, 10_000, 20_000, 30_000])
    parser.add_argument("--whole", type=int, default=30_000, help="the largest side that is done in memory as well")
    parser.add_argument("--windows", type=int, nargs="+", default=[16, 18, 20, 22], help="as powers of two")
    parser.add_argument("--side", type=int, default=10_000, help="that windows and packings are compared on")
    parser.add_argument("--runs", type=int, default=3, help="the fastest counts")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        by_size(Path(scratch), options.sides, options.whole, options.runs)
        by_window(Path(scratch), options.side, options.windows, options.runs)
        by_packing(Path(scratch), options.side, options.runs)


def by_size(scratch: Path, sides: Sequence[int], whole: int, runs: int) -> None:
    """Compare sizes, by windows and in memory."""
    print("\n| pixels | command | by windows, s | Mpixel/s | peak, MiB | in memory, s | peak, MiB | ratio |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for side in sides:
        image = make(scratch / "large.tif", side, None)
        for name, command in commands(image).items():
            seconds, peak = run([*command, *BY_WINDOWS], runs)
            line = f"| {side:,} x {side:,} | {name} | {seconds:.2f} | {side**2 / seconds / 1e6:.0f} | {peak:.0f} |"
            if side <= whole:
                other, more = run([*command, *WHOLE], runs)
                line += f" {other:.2f} | {more:.0f} | {other / seconds:.2f} |"
            else:
                line += " | | |"
            print(line, flush=True)
        image.unlink()


def by_window(scratch: Path, side: int, windows: Sequence[int], runs: int) -> None:
    """Compare sizes of windows."""
    print(f"\n| pixels in a window ({side:,} x {side:,}) | s | peak, MiB |\n|---:|---:|---:|")
    image = make(scratch / "large.tif", side, None)
    for window in windows:
        code = f"import sys, edgekit.batch.large as large; large.WINDOW = 2**{window}; import edgekit.cli as c; c.run()"
        command = [sys.executable, "-c", code, *commands(image)["sobel"][3:], *BY_WINDOWS]
        seconds, peak = run(command, runs)
        print(f"| 2^{window} | {seconds:.2f} | {peak:.0f} |", flush=True)
    image.unlink()


def by_packing(scratch: Path, side: int, runs: int) -> None:
    """Compare how the pixels are packed."""
    print(f"\n| packing ({side:,} x {side:,}) | by windows, s | peak, MiB | in memory, s | ratio |")
    print("|---|---:|---:|---:|---:|")
    for packing in (None, "zlib", "lzw", "zstd"):
        image = make(scratch / "large.tif", side, packing)
        command = commands(image)["sobel"]
        seconds, peak = run([*command, *BY_WINDOWS], runs)
        other, _ = run([*command, *WHOLE], runs)
        print(f"| {packing or 'none'} | {seconds:.2f} | {peak:.0f} | {other:.2f} | {other / seconds:.2f} |", flush=True)
        image.unlink()


def make(path: Path, side: int, packing: str | None) -> Path:
    """Write a grey image of 8 bits: blurred noise, as smooth as a photograph, each tile another part of it."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(128, 400, (4 * TILE, 4 * TILE)).astype(np.float32), (0, 0), 3)
    texture = np.clip(noise, 0, 255).astype(np.uint8)

    def tiles() -> Iterator[np.ndarray]:
        for _ in range((-(-side // TILE)) ** 2):
            y, x = rng.integers(0, 3 * TILE, 2)
            yield texture[y : y + TILE, x : x + TILE]

    with tifffile.TiffWriter(path, bigtiff=side**2 > 2**31) as file:
        how = {"tile": (TILE, TILE), "compression": packing, "photometric": "minisblack", "metadata": None}
        file.write(tiles(), shape=(side, side), dtype=np.uint8, **how)
    return path


def commands(image: Path) -> dict[str, list[str]]:
    """Return what is measured by name."""
    edgekit, output = [sys.executable, "-m", "edgekit"], str(image.with_name("edges.tif"))
    return {
        "sobel": [*edgekit, "sobel", str(image), "-o", output, "--force", "-q"],
        "score": [*edgekit, "score", str(image), "--measure", "laplacian_variance", "-q"],
    }


def run(command: Sequence[str], runs: int) -> tuple[float, float]:
    """Return seconds and peak memory in MiB of the fastest of several runs."""
    measured = []
    for _ in range(runs):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with status {status}")
        measured.append((took, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)))
    return min(measured)


if __name__ == "__main__":
    main()
