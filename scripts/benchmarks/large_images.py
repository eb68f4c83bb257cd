"""Measures images larger than memory: time and peak memory by size, by size of the windows, and by compression.

    python scripts/benchmarks/large_images.py [--sides 5000 10000 20000 30000] [--windows 16 18 20 22] [--runs 3]
                                              [--write]

Makes tiled TIFF files in a temporary folder. Runs the command line on each in separate processes, alternately by
windows and in memory, compares the results, and prints Markdown tables.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness.machine import describe, in_short
from benchmarks.harness.processes import Ran, alternate
from common.blocks import fill
from common.paths import ROOT

PAGE = ROOT / "docs" / "large.md"

TILE = 256

#: The command line with a given memory limit per image and a given number of pixels per window.
PROGRAM = (
    "from edgekit.batch import large, large_files; large_files.allowance = lambda: {most}; "
    "large.WINDOW_PIXELS = {window}; "
    "from edgekit.cli import run; run()"
)
MOST = BY_WINDOWS, WHOLE = 0, 2**60

#: Images of any size.
ADMITTED = ("--max-pixels", str(2**60))

#: Pixels in a window, except where sizes of windows are compared.
WINDOW = 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[5_000, 10_000, 20_000, 30_000])
    parser.add_argument("--windows", type=int, nargs="+", default=[16, 18, 20, 22], help="as powers of two")
    parser.add_argument("--side", type=int, default=10_000, help="side for the other tables, in pixels")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"fill the tables of {PAGE.name}")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        tables = {
            "size": f"{in_short(describe())}.\n\n{by_size(scratch, options.sides, options.runs)}",
            "window": by_window(scratch, options.side, options.windows, options.runs),
            "packing": by_packing(scratch, options.side, options.runs),
        }
    for table in tables.values():
        print(f"\n{table}")
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        for name, table in tables.items():
            text = fill(text, name, table)
        PAGE.write_text(text, encoding="utf-8")


def by_size(scratch: Path, sides: Sequence[int], runs: int) -> str:
    """Compare sizes, by windows and in memory."""
    lines = [
        "| pixels | command | by windows, s | Mpixel/s | peak, MiB | in memory, s | peak, MiB | speedup |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for side in sides:
        image = make(scratch / "large.tif", side, None)
        for command in ("sobel", "score"):
            windows, whole = both(command, image, runs)
            speed = f"{side**2 / windows.seconds / 1e6:.0f}"
            cells = (f"{side:,} x {side:,}", f"`{command}`", *cell(windows, speed), *cell(whole), ratio(windows, whole))
            lines.append(row(*cells))
        image.unlink()
    return "\n".join(lines)


def by_window(scratch: Path, side: int, windows: Sequence[int], runs: int) -> str:
    """Compare sizes of windows."""
    image = make(scratch / "large.tif", side, None)
    commands = {f"2^{power}": at(sobel(image, scratch / "edges.tif"), BY_WINDOWS, 2**power) for power in windows}
    lines = [f"| pixels in a window ({side:,} x {side:,}, `sobel`) | s | peak, MiB |", "|---:|---:|---:|"]
    for name, ran in alternate(commands, runs, scratch).items():
        lines.append(row(name, *cell(middle(ran))))
    image.unlink()
    return "\n".join(lines)


def by_packing(scratch: Path, side: int, runs: int) -> str:
    """Compare compressions of the pixels."""
    lines = [
        f"| compression ({side:,} x {side:,}, `sobel`) | by windows, s | peak, MiB | in memory, s | peak, MiB "
        "| speedup |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for packing in (None, "zlib", "lzw", "zstd"):
        image = make(scratch / "large.tif", side, packing)
        windows, whole = both("packed sobel", image, runs)
        lines.append(row(packing or "none", *cell(windows), *cell(whole), ratio(windows, whole)))
        image.unlink()
    return "\n".join(lines)


def both(command: str, image: Path, runs: int) -> tuple[Ran, Ran]:
    """Run a command by windows and in memory in turn, and check that the results are equal."""
    line, *endings = COMMANDS[command]
    outputs = [image.with_name(f"{name}{ending}") for name, ending in zip(("windows", "whole"), endings, strict=True)]
    commands = {str(most): at(line(image, path), most, WINDOW) for most, path in zip(MOST, outputs, strict=True)}
    windows, whole = alternate(commands, runs, image.parent).values()
    if not np.array_equal(*map(content, outputs)):
        raise SystemExit(f"{command} by windows is not {command} in memory")
    for path in outputs:
        path.unlink()
    return middle(windows), middle(whole)


def content(path: Path) -> np.ndarray:
    """Return the result of a command."""
    match path.suffix:
        case ".tif":
            return tifffile.imread(path)
        case ".npy":
            return np.load(path)
    return np.array(path.read_text(encoding="utf-8"))


def make(path: Path, side: int, packing: str | None) -> Path:
    """Write a gray image of 8 bits: blurred noise, as smooth as a photograph. Each tile is another part of it."""
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


def sobel(image: Path, output: Path) -> list[str]:
    """Return the arguments for filtering."""
    return ["sobel", str(image), "-o", str(output), *ADMITTED, "--force", "-q"]


def score(image: Path, output: Path) -> list[str]:
    """Return the arguments for the variance of the Laplacian."""
    return ["score", str(image), "--measure", "laplacian_variance", "-o", str(output), *ADMITTED, "--force", "-q"]


#: Commands, and the extensions of their outputs by windows and in memory. TIFF outputs are compressed in memory, NPY
#: outputs are not.
COMMANDS = {
    "sobel": (sobel, ".tif", ".npy"),
    "packed sobel": (sobel, ".tif", ".tif"),
    "score": (score, ".csv", ".csv"),
}


def at(arguments: Sequence[str], most: int, window: int) -> list[str]:
    """Return the command with these arguments."""
    return [sys.executable, "-c", PROGRAM.format(most=most, window=window), *arguments]


def middle(runs: Sequence[Ran]) -> Ran:
    """Return the median time, and the largest peak."""
    return Ran(statistics.median(r.seconds for r in runs), max(r.peak for r in runs))


def row(*cells: str) -> str:
    """Return a line of a table, and print it at once."""
    line = f"| {' | '.join(cells)} |"
    print(line, file=sys.stderr, flush=True)
    return line


def cell(ran: Ran, speed: str | None = None) -> tuple[str, ...]:
    """Return the cells of a measurement."""
    return (f"{ran.seconds:.2f}", *([speed] if speed else []), f"{ran.peak / 2**20:.0f}")


def ratio(windows: Ran, whole: Ran) -> str:
    """Return the speedup of windows over the whole image."""
    return f"{whole.seconds / windows.seconds:.2f}"


if __name__ == "__main__":
    main()
