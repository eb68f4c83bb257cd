"""Measures `detect` on photographs that were enlarged or made noisy, and its time and memory for large images.

    python scripts/evaluation/edge_conditions.py IMAGES BOUNDARIES [--limit 20] --write

IMAGES and BOUNDARIES are those of `edge_detection.py`. Enlarged maps are reduced by the largest of their pixels. All
maps are compared with the boundaries that people drew. --write writes the tables into docs/boundaries.md.
Needs `pip install -e ".[bench]"`, and Linux for the memory.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.blocks import fill
from common.paths import ROOT, SAMPLES
from evaluation.boundary_measure import agree, inner, tally
from evaluation.edge_detection import Pair, find, one_thread
from evaluation.edge_methods import METHODS, Image, Strength

PAGE = ROOT / "docs" / "boundaries.md"

#: Enlargements of the photographs, and standard deviations of noise in gray levels.
FACTORS, NOISES = (1, 2, 4), (0, 5, 10, 20)

#: The methods that are measured with noise.
NOISY = ("gaussian", "detect", "detect-edges", "learned")

#: The methods that are measured at several sizes, and the options of `detect` for them.
OPTIONS: dict[str, dict[str, str]] = {
    "detect": {},
    "detect-edges": {"what": "edges"},
    "learned": {"model": "learned"},
}

#: Rows and columns of large images: 12, 24 and 45 megapixels.
LARGE = ((3000, 4000), (4000, 6000), (5504, 8256))

THRESHOLDS = 49

_CHILD = """
import json, resource, sys, time
import cv2
cv2.setNumThreads(1)
import edgekit as ek
path, rows, columns, options = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
image = cv2.resize(ek.read_image(path), (columns, rows), interpolation=cv2.INTER_CUBIC)
start = time.process_time()
ek.detect(image, **options)
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def enlarged(name: str, image: Image, factor: int) -> Strength:
    """Return the edges of an enlarged photograph, in the size of the photograph."""
    if factor == 1:
        return METHODS[name].strength(image)
    found = METHODS[name].strength(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC))
    rows, columns = image.shape[:2]
    return found.reshape(rows, factor, columns, factor).max((1, 3))


def noisy(name: str, image: Image, deviation: float) -> Strength:
    """Return the edges of a photograph with Gaussian noise, a different one in each channel."""
    noise = np.random.default_rng(0).normal(0, deviation, image.shape)
    return METHODS[name].strength(np.clip(np.rint(image + noise), 0, 255).astype(np.uint8))


def agreement(pairs: Sequence[Pair], names: Sequence[str], columns: dict[str, Callable[[str, Image], Strength]]) -> str:
    """Return a table with a line for each method, and a column for each change of the photographs."""
    lines = [
        f"{len(pairs)} photographs, {THRESHOLDS} thresholds. ODS, and in parentheses its threshold.",
        "",
        "| method |" + "".join(f" {label} |" for label in columns),
        "|---|" + "---:|" * len(columns),
    ]
    thresholds = inner(THRESHOLDS)
    for name in names:
        row = f"| {METHODS[name].label} |"
        for strength in columns.values():
            counts = [tally(strength(name, image), people, thresholds) for image, people in map(Pair.read, pairs)]
            found = agree(counts, thresholds)
            row += f" {found.ods:.3f} ({found.threshold:.2f}) |"
        lines.append(row)
    return "\n".join(lines)


def costs() -> str:
    """Return the table of time and memory."""
    lines = [
        "One core, seconds of processor time; memory of the whole process with the image and the result.",
        "",
        "| method |" + "".join(f" {rows * columns / 1e6:.0f} Mpx |" for rows, columns in LARGE),
        "|---|" + "---:|" * len(LARGE),
    ]
    for name, options in OPTIONS.items():
        row = f"| {METHODS[name].label} |"
        for rows, columns in LARGE:
            command = [sys.executable, "-c", _CHILD, str(SAMPLES / "coffee.png"), str(rows), str(columns)]
            out = subprocess.run([*command, json.dumps(options)], check=True, capture_output=True, text=True).stdout
            seconds, memory = (float(word) for word in out.split())
            row += f" {seconds:.1f} s, {memory:.2f} GiB |"
        lines.append(row)
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("boundaries", type=Path)
    parser.add_argument("--limit", type=int, default=20, help="number of photographs (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/boundaries.md")
    options = parser.parse_args(arguments)
    pairs = [pair for pair, _ in find(options.images, options.boundaries, options.limit)[0]]
    sizes = {f"{n} times" if n > 1 else "unchanged": partial(enlarged, factor=n) for n in FACTORS}
    noises = {f"σ = {n}" if n else "unchanged": partial(noisy, deviation=n) for n in NOISES}
    with one_thread():
        tables = {
            "sizes": agreement(pairs, list(OPTIONS), sizes),
            "noise": agreement(pairs, NOISY, noises),
            "costs": costs(),
        }
    text = PAGE.read_text(encoding="utf-8") if options.write else ""
    for name, table in tables.items():
        print(f"{table}\n")
        text = fill(text, name, table) if options.write else text
    if options.write:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
