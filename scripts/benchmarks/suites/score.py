"""Sharpness: the variance of the Laplacian and the score in memory, and a folder of photographs, by whole processes."""

import csv
import importlib.util
import sys
from pathlib import Path

import cv2

from benchmarks import Disagreement, LeftOut
from benchmarks.harness.comparison import Comparison, Contender, Entry, Work, compare
from benchmarks.harness.images import photograph
from benchmarks.harness.plots import Chart
from benchmarks.harness.processes import PYTHON, alternate, peak, seconds
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import detail
from benchmarks.harness.worker import Call
from benchmarks.harness.workers import has_switch

IN_MEMORY = (
    Contender("opencv", "OpenCV: `Laplacian(CV_64F)`, `var`"),
    Contender("opencv16", "OpenCV's `Laplacian(CV_16S)`, `meanStdDev`"),
    Contender("base", "`ek.sharpness`, base path", "base"),
    Contender("fast", "`ek.sharpness`, fast path", "fast"),
)

#: The score of an image that is in memory already.
SCORED = (
    Contender("score", "`ek.score`", "auto"),
    Contender("score_colour", "`ek.score`, the image in colour", "auto"),
    Contender("decoding", "decoding the image from a JPEG, gray", own="pixels only"),
)
SCORED_MEGAPIXELS = 10

#: Largest difference of the variance, which is some hundreds.
TOLERANCE = 1e-3

DECODE = """
import cv2, sys, pathlib
from concurrent.futures import ThreadPoolExecutor
def one(path): return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).shape
with ThreadPoolExecutor(2) as pool: print(len(list(pool.map(one, sorted(pathlib.Path(sys.argv[1]).iterdir())))))
"""

_LOOP = """
import cv2, sys, pathlib
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    print(path, cv2.Laplacian(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), cv2.CV_64F).var())
"""

_BLUR_EFFECT = """
import sys, pathlib
from skimage import io, color, measure
for path in sorted(pathlib.Path(sys.argv[1]).iterdir())[:LIMIT]:
    print(path, measure.blur_effect(color.rgb2gray(io.imread(path))))
"""

_CLEANVISION = """
import sys
from cleanvision import Imagelab
Imagelab(data_path=sys.argv[1], verbose=False).find_issues({"blurry": {}}, n_jobs=2, verbose=False)
"""

#: blur_effect takes seconds per image: a few images are measured, and the time is multiplied.
FEW = 4

LABELS = {
    "decode": "decoding only, gray, two threads",
    "variance": "`edgekit score --measure laplacian_variance`",
    "score": "`edgekit score`",
    "loop": "tutorial loop: imread gray, Laplacian CV_64F, var",
    "cleanvision": "cleanvision, blurry images",
    "sharp_frames": "sharp-frames, best image of the folder",
    "blur_effect": f"scikit-image's blur_effect ({FEW} images, extrapolated)",
}


def make(name: str, megapixels: float) -> Call:
    """Return a contender's call on an image in memory."""
    image = photograph(megapixels)
    if name == "opencv":
        return lambda: cv2.Laplacian(image, cv2.CV_64F).var()
    if name == "opencv16":
        return lambda: cv2.meanStdDev(cv2.Laplacian(image, cv2.CV_16S))[1][0, 0] ** 2
    if name == "decoding":
        jpeg = cv2.imencode(".jpg", image)[1]
        return lambda: cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
    if name == "fast" and not has_switch():
        raise LeftOut("this edgekit has no fast path")
    import edgekit as ek

    if name == "score":
        return lambda: ek.score(image)
    if name == "score_colour":
        colour = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        return lambda: ek.score(colour)
    return lambda: ek.sharpness(image)


def work(megapixels: float) -> Work:
    """Return the variance of the Laplacian of one image."""
    return Work(
        f"score-{megapixels:g}", f"Variance of the Laplacian, uint8, {megapixels:g} megapixels", __name__,
        {"megapixels": megapixels}, IN_MEMORY, ("opencv", "opencv16"), tolerance=TOLERANCE,
    )  # fmt: skip


def score_work() -> Work:
    """Return the score of one image."""
    return Work(
        "score-in-memory", f"Score, uint8, {SCORED_MEGAPIXELS} megapixels", __name__,
        {"megapixels": SCORED_MEGAPIXELS}, SCORED, ("score",),
    )  # fmt: skip


def commands(folder: Path, scratch: Path) -> dict[str, list[str]]:
    """Return the command of each installed contender."""
    edgekit = [sys.executable, "-m", "edgekit", "score", str(folder), "--force", "-q", "-j", "2", "-o"]
    out = {
        "decode": [*PYTHON, DECODE, str(folder)],
        "variance": [*edgekit, f"{scratch}/variance.csv", "--measure", "laplacian_variance"],
        "score": [*edgekit, f"{scratch}/score.csv"],
        "loop": [*PYTHON, _LOOP, str(folder)],
        "blur_effect": [*PYTHON, _BLUR_EFFECT.replace("LIMIT", str(FEW)), str(folder)],
    }
    if importlib.util.find_spec("cleanvision"):
        out["cleanvision"] = [*PYTHON, _CLEANVISION, str(folder)]
    if importlib.util.find_spec("sharp_frames"):
        frames = str(Path(sys.executable).with_name("sharp-frames"))
        best = ["--selection-method", "best-n", "--num-frames", "1", "--force-overwrite"]
        out["sharp_frames"] = [frames, str(folder), f"{scratch}/frames", *best]
    return out


def run(bench: Bench) -> Outcome:
    """Measure both."""
    memory = [compare(work(megapixels), bench.workers, bench.runs) for megapixels in bench.sizes]
    memory.append(compare(score_work(), bench.workers, bench.runs))
    folder = score_folder(bench)
    blocks = {"sharpness": "\n\n".join(detail(c) for c in memory), "score": detail(folder, "s")}
    lines = {e.label: [(0.0, folder.facts["images"] / e.median)] for e in folder.entries.values()}
    chart = Chart("score", folder.title, "", "images per second", lines, bars=True)
    return Outcome([*memory, folder], blocks, charts=[chart])


def score_folder(bench: Bench) -> Comparison:
    """Time whole processes that score a folder."""
    assert bench.photographs is not None
    scratch = bench.scratch / "score"
    scratch.mkdir()
    given = commands(bench.photographs, scratch)
    ran = alternate(given, bench.runs, scratch)
    images = sum(1 for _ in bench.photographs.iterdir())
    took = seconds(ran)
    # The time of four images is multiplied to that of all images.
    took["blur_effect"] = [s * images / min(FEW, images) for s in took["blur_effect"]]
    own = {"variance": "", "loop": "", "decode": "pixels only"}
    entries = {
        name: Entry(name, label, took[name], own=own.get(name, "another measure"), peak=peak(ran[name]))
        for name, label in LABELS.items()
        if name in given
    }
    entries["variance"].difference = largest_difference(bench.photographs, scratch / "variance.csv")
    if not entries["variance"].difference <= TOLERANCE:
        raise Disagreement(f"edgekit's variance differs from OpenCV's by {entries['variance'].difference:g}")
    missing = {label: "it is not installed" for name, label in LABELS.items() if name not in given}
    title = f"{images} images"
    return Comparison("score-folder", title, entries, ["decode", "loop"], missing, {"images": images})


def largest_difference(folder: Path, table_of_scores: Path) -> float:
    """Return the largest difference of edgekit's variances from those of the tutorial loop."""
    with table_of_scores.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != sum(1 for _ in folder.iterdir()):
        raise Disagreement(f"edgekit scored {len(rows)} images, and the folder holds others")
    found = []
    for row in rows:
        path = Path(row["path"])
        gray = cv2.imread(str(path if path.is_absolute() else folder / path.name), cv2.IMREAD_GRAYSCALE)
        assert gray is not None
        found.append(abs(float(row["laplacian_variance"]) - float(cv2.Laplacian(gray, cv2.CV_64F).var())))
    return max(found)
