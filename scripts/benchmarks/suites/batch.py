"""Edges of a folder of JPEGs: `edgekit sobel FOLDER` compared with scripts and programs that do the same."""

import shutil
import sys
from collections.abc import Collection
from pathlib import Path

import cv2

from benchmarks import Disagreement
from benchmarks.harness.comparison import Comparison, Entry
from benchmarks.harness.machine import imagemagick
from benchmarks.harness.plots import Chart
from benchmarks.harness.processes import PYTHON, alternate, launch, peak, seconds
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import detail, number
from benchmarks.harness.workers import SWITCH, has_switch
from benchmarks.suites.score import DECODE
from benchmarks.suites.startup import largest_difference

#: Photographs in their own size, and reduced to this number of megapixels.
REDUCED = 3.0

#: The number of photographs is multiplied by this for a long run, in which the start of the processes takes little of
#: the time.
MANY = 10

_OPENCV = """
import cv2, sys, pathlib
from multiprocessing import Pool
def one(path):
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    edges = cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    cv2.imwrite(f"{sys.argv[2]}/{path.stem}.png", cv2.convertScaleAbs(edges))
if __name__ == "__main__":
    with Pool(int(sys.argv[3])) as pool:
        pool.map(one, sorted(pathlib.Path(sys.argv[1]).iterdir()))
"""

#: One process or several for each file, two files at a time.
_EACH = "find '{folder}' -name '*.jpg' -print0 | xargs -0 -P2 -I{{}} sh -c '{line}' _ {{}}"

_VIPS = (
    'n=$(basename "$1" .jpg); vips colourspace "$1" "{out}/$n.v" b-w && vips sobel "{out}/$n.v" "{out}/$n.png" '
    '&& rm "{out}/$n.v"'
)
_MAGICK = (
    '{magick} "$1" -colorspace Gray -define convolve:scale=\\! -morphology Convolve Sobel '
    '"{out}/$(basename "$1" .jpg).png"'
)

LABELS = {
    "opencv": "OpenCV, pool of two processes",
    "edgekit": "`edgekit sobel -j 2`",
    "base": "`edgekit sobel -j 2`, base path",
    "opencv-1": "OpenCV, one process",
    "edgekit-1": "`edgekit sobel -j 1`",
    "vips": "`vips sobel`, one process per file, two at a time",
    "magick": "ImageMagick, one process per file, two at a time",
    "decode": "decoding only, gray, two threads",
}

MISSING = {
    "base": "this edgekit has no other path",
    "vips": "there is no command vips",
    "magick": "there is no ImageMagick",
}

#: Contenders whose time per file does not depend on the number of files.
ONE_BY_ONE = ("vips", "magick")

OWN = {"vips": "|gx| + |gy|, clipped", "magick": "one direction", "decode": "pixels only"}


def copies(photographs: Path, folder: Path, count: int, megapixels: float | None) -> tuple[int, int]:
    """Fill a folder with JPEGs, and return height and width of the largest one."""
    folder.mkdir(parents=True)
    given = sorted(p for p in photographs.iterdir() if p.suffix.lower() in (".jpg", ".jpeg"))
    if not given:
        raise SystemExit(f"{photographs} holds no JPEG")
    largest = (0, 0)
    for n in range(count):
        target = folder / f"{n:03}.jpg"
        image = cv2.imread(str(given[n % len(given)]))
        assert image is not None
        factor = (megapixels * 1e6 / (image.shape[0] * image.shape[1])) ** 0.5 if megapixels else 1.0
        if factor < 1:
            image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(target), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        else:
            shutil.copyfile(given[n % len(given)], target)
        largest = max(largest, (image.shape[0], image.shape[1]), key=lambda shape: shape[0] * shape[1])
    return largest


def edgekit(folder: Path, out: Path, jobs: int) -> list[str]:
    """Return edgekit's command."""
    return [sys.executable, "-m", "edgekit", "sobel", str(folder), "-o", str(out), "-j", str(jobs), "--force", "-q"]


def commands(folder: Path, scratch: Path) -> dict[str, list[str]]:
    """Return the command of each installed contender; each writes into a folder of its name."""
    script = scratch / "pool.py"
    script.write_text(_OPENCV)
    for name in LABELS:
        (scratch / name).mkdir(exist_ok=True)
    opencv = [sys.executable, str(script), str(folder)]
    out = {
        "opencv": [*opencv, str(scratch / "opencv"), "2"],
        "edgekit": edgekit(folder, scratch / "edgekit", 2),
        "opencv-1": [*opencv, str(scratch / "opencv-1"), "1"],
        "edgekit-1": edgekit(folder, scratch / "edgekit-1", 1),
        "decode": [*PYTHON, DECODE, str(folder)],
    }
    if has_switch():
        out["base"] = edgekit(folder, scratch / "base", 2)
    if shutil.which("vips"):
        out["vips"] = ["sh", "-c", _EACH.format(folder=folder, line=_VIPS.format(out=scratch / "vips"))]
    if magick := imagemagick():
        line = _MAGICK.format(out=scratch / "magick", magick=magick)
        out["magick"] = ["sh", "-c", _EACH.format(folder=folder, line=line)]
    return {name: out[name] for name in LABELS if name in out}


def run(bench: Bench) -> Outcome:
    """Measure two sizes of photographs, and many."""
    comparisons = [
        comparison(bench, "reduced", bench.count, REDUCED),
        comparison(bench, "whole", bench.count),
        comparison(bench, "many", bench.count * MANY, without=ONE_BY_ONE),
    ]
    charts = [
        Chart(
            c.name, c.title, "", "images per second",
            {e.label: [(0.0, c.facts["images"] / e.median)] for e in c.entries.values()}, bars=True,
        )
        for c in comparisons
    ]  # fmt: skip
    text = "\n\n".join(f"{detail(c, 's')}\n\n{memory(c)}" for c in comparisons)
    return Outcome(comparisons, {"batch": text}, charts=charts)


def comparison(
    bench: Bench, name: str, count: int, megapixels: float | None = None, without: Collection[str] = ()
) -> Comparison:
    """Measure photographs of one size."""
    assert bench.photographs is not None
    scratch = bench.scratch / f"batch-{name}"
    height, width = copies(bench.photographs, scratch / "in", count, megapixels)
    given = {n: line for n, line in commands(scratch / "in", scratch).items() if n not in without}
    ran = alternate(given, bench.runs, scratch, {"base": {SWITCH: "0"}})
    entries = {n: Entry(n, LABELS[n], took, own=OWN.get(n, ""), peak=peak(ran[n])) for n, took in seconds(ran).items()}
    for other in (n for n in given if n not in OWN):
        entries[other].difference = difference = differences(scratch / "opencv", scratch / other)
        if difference > 1:
            raise Disagreement(f"{LABELS[other]} differs from OpenCV by {difference} levels")
    imports = launch([*PYTHON, "import numpy, cv2, sqlite3, edgekit.cli"], {}, scratch)
    facts = {
        "images": count,
        "height": height,
        "width": width,
        "tolerance": 1,
        "imports_mib": imports.peak / 2**20,
        "input_mib": height * width / 2**20,
        "output_mib": 4 * height * width / 2**20,
        "scaling": entries["edgekit-1"].median / entries["edgekit"].median,
        "scaling_of_opencv": entries["opencv-1"].median / entries["opencv"].median,
    }
    title = f"{count} JPEGs of {height * width / 1e6:.1f} megapixels to PNG"
    missing = {label: MISSING[n] for n, label in LABELS.items() if n not in (*given, *without)}
    return Comparison(f"batch-{name}", title, entries, ["opencv", "decode"], missing, facts)


def differences(first: Path, other: Path) -> int:
    """Return the largest difference of the images in two folders, in gray levels."""
    ours, theirs = (sorted(path for path in folder.iterdir() if path.suffix == ".png") for folder in (first, other))
    if len(ours) != len(theirs):
        raise Disagreement(f"{other.name} wrote {len(theirs)} pictures of {len(ours)}")
    return max(largest_difference(*pair) for pair in zip(ours, theirs, strict=True))


def memory(comparison: Comparison) -> str:
    """Return the sizes of images in memory, and the speedup by two workers."""
    facts = comparison.facts
    return (
        f"Memory in MiB: imported modules of edgekit {number(facts['imports_mib'])}, "
        f"a gray image {number(facts['input_mib'])}, "
        f"its float32 response {number(facts['output_mib'])}. "
        f"Two workers are {number(facts['scaling'])} times as fast as one; with OpenCV "
        f"{number(facts['scaling_of_opencv'])} times."
    )
