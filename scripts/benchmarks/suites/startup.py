"""Start-up: whole processes of edgekit, compared with three lines of OpenCV that do the same."""

import sys
from pathlib import Path

import cv2
import numpy as np

from benchmarks import Disagreement
from benchmarks.harness.comparison import Comparison, Entry
from benchmarks.harness.processes import alternate, peak, seconds
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import detail
from common.paths import ROOT

SAMPLE = ROOT / "samples" / "coffee.png"

BARE = """
import cv2, sys
image = cv2.imread(sys.argv[1], cv2.IMREAD_GRAYSCALE)
edges = cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))
cv2.imwrite(sys.argv[2], cv2.convertScaleAbs(edges))
"""

LABELS = {
    "bare": "three lines of OpenCV",
    "sobel": "`edgekit sobel`",
    "help": "`edgekit --help`",
    "python": "Python alone",
    "click": "Python and `import click`",
}


def commands(folder: Path) -> dict[str, list[str]]:
    """Return each contender's command."""
    script = folder / "bare.py"
    script.write_text(BARE)
    edgekit = [sys.executable, "-m", "edgekit"]
    return {
        "bare": [sys.executable, str(script), str(SAMPLE), f"{folder}/bare.png"],
        "sobel": [*edgekit, "sobel", str(SAMPLE), "-o", f"{folder}/edges.png", "--force"],
        "help": [*edgekit, "--help"],
        "python": [sys.executable, "-c", "pass"],
        "click": [sys.executable, "-c", "import click"],
    }


def largest_difference(first: Path, other: Path) -> int:
    """Return the largest difference of two images in gray levels."""
    one, two = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (first, other))
    if one is None or two is None or one.shape != two.shape:
        raise Disagreement(f"{first.name} and {other.name} are not two pictures of one size")
    return int(np.abs(one.astype(int) - two).max())


def run(bench: Bench) -> Outcome:
    """Measure the start-up."""
    folder = bench.scratch / "startup"
    folder.mkdir()
    ran = alternate(commands(folder), bench.runs, folder)
    entries = {n: Entry(n, LABELS[n], times, peak=peak(ran[n])) for n, times in seconds(ran).items()}
    entries["sobel"].difference = largest_difference(folder / "bare.png", folder / "edges.png")
    if entries["sobel"].difference > 1:
        raise Disagreement(f"edgekit's picture differs from OpenCV's by {entries['sobel'].difference} levels")
    comparison = Comparison("startup", f"{SAMPLE.name}, 600x400", entries, ["bare"], facts={"tolerance": 1})
    return Outcome([comparison], {"startup": detail(comparison)})
