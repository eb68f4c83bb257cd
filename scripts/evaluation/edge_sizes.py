"""Measures `detect` on photographs that were enlarged, and its time and memory for large images.

    python scripts/evaluation/edge_sizes.py IMAGES BOUNDARIES [--limit 20] --write

IMAGES and BOUNDARIES are those of `edge_detection.py`. Enlarged maps are reduced by the largest of their pixels, and
compared with the boundaries that people drew. --write writes the tables into docs/boundaries.md.
Needs `pip install -e ".[bench]"`, and Linux for the memory.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill
from common.paths import ROOT, SAMPLES
from evaluation.boundary_measure import agree, inner, tally
from evaluation.edge_detection import find, one_thread

PAGE = ROOT / "docs" / "boundaries.md"

#: Enlargements of the photographs, and options of `detect`.
FACTORS = (1, 2, 4)
OPTIONS: dict[str, dict[str, str]] = {
    "`detect`": {},
    '`what="edges"`': {"what": "edges"},
    '`model="learned"`': {"model": "learned"},
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


def enlarged(image: np.ndarray, factor: int, options: dict[str, str]) -> np.ndarray:
    """Return the edges of an enlarged photograph, in the size of the photograph."""
    if factor == 1:
        return ek.detect(image, **options)
    found = ek.detect(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), **options)
    rows, columns = image.shape[:2]
    return found.reshape(rows, factor, columns, factor).max((1, 3))


def by_size(images: Path, boundaries: Path, limit: int) -> str:
    """Return the table of enlarged photographs."""
    pairs = [pair for pair, _ in find(images, boundaries, limit)[0]]
    lines = [
        f"{len(pairs)} photographs, enlarged. ODS, and in parentheses its threshold.",
        "",
        "| method |" + "".join(f" {f} times |" for f in FACTORS),
        "|---|" + "---:|" * len(FACTORS),
    ]
    thresholds = inner(THRESHOLDS)
    for label, options in OPTIONS.items():
        row = f"| {label} |"
        for factor in FACTORS:
            counts = []
            for pair in pairs:
                image, people = pair.read()
                counts.append(tally(enlarged(image, factor, options), people, thresholds))
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
    for label, options in OPTIONS.items():
        row = f"| {label} |"
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
    with one_thread():
        tables = {"sizes": by_size(options.images, options.boundaries, options.limit), "costs": costs()}
    text = PAGE.read_text(encoding="utf-8") if options.write else ""
    for name, table in tables.items():
        print(f"{table}\n")
        text = fill(text, name, table) if options.write else text
    if options.write:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
