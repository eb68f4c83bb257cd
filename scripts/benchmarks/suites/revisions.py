"""Before and after each change that mattered: two revisions of edgekit, side by side.

Each revision is checked out into a folder of its own, and a worker imports edgekit from there.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.harness.comparison import Comparison, Contender, Entry, Work, compare
from benchmarks.harness.images import photograph
from benchmarks.harness.processes import alternate, seconds
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import number, table, times
from benchmarks.harness.worker import Call
from benchmarks.harness.workers import Workers
from benchmarks.suites import batch, startup
from common.paths import ROOT


class Change(NamedTuple):
    """What was changed, the revisions before and after it, and the workload that shows it."""

    what: str
    before: str
    after: str
    workload: str
    compiled: tuple[bool, bool] = (False, False)
    """Whether each runs its compiled loops."""


#: The changes that mattered, oldest first.
CHANGES: tuple[Change, ...] = (
    Change("powers of two multiplied into the kernels, kernels of weight 0 skipped", "efb79ba", "1e33760", "angle"),
    Change("tiles on threads, reused memory, separable kernels in one call", "1e33760", "69c7958", "sobel-out"),
    Change("the same", "1e33760", "69c7958", "laplacian"),
    Change("the same", "1e33760", "69c7958", "small"),
    Change("PNG by ISA-L instead of libpng, rendering without storing the response", "1e33760", "871498f", "batch"),
    Change("`cv2.spatialGradient` for both Sobel components of 8-bit images", "c056165", "d682492", "sobel-out"),
    Change("conversion to 8 bits in one pass if nothing is clipped", "c056165", "d682492", "display"),
    Change("wide derivatives by column sums whose differences cancel exactly", "690cde7", "833d611", "gaussian"),
    Change("compiled loops", "833d611", "833d611", "sobel-out", (False, True)),
    Change("the same", "833d611", "833d611", "sharpness", (False, True)),
    Change("correlation of 8-bit images in 16-bit integers", "2cbf1db", "6e25c34", "angle-out"),
    Change("the same", "2cbf1db", "6e25c34", "laplacian-out"),
    Change("all linear 3x3 responses in compiled loops", "2cbf1db", "6e25c34", "angle-out", (False, True)),
    Change("the same", "2cbf1db", "6e25c34", "laplacian-out", (False, True)),
    Change("squares and sums of tiles by OpenCV, 16-bit images as floats", "accf546", "a180327", "sobel-uint16"),
    Change("the same", "accf546", "a180327", "sobel-float32"),
    Change(
        "8-bit images correlated in double precision without conversion, one thread per tile",
        "7be6e1d",
        "0548121",
        "gaussian",
    ),
    Change("long one-dimensional kernels as products with banded matrices", "7be6e1d", "0548121", "gaussian-wide"),
    Change("the same", "7be6e1d", "0548121", "log-wide"),
    Change("user-defined separable kernels applied as a column and a row", "7be6e1d", "0548121", "product"),
    Change("pixels affected by NaN found by separable dilation", "7be6e1d", "0548121", "gaussian-nan"),
    Change("freed memory kept for the next image", "1b16319", "df107b6", "score-folder"),
    Change("the same", "1b16319", "df107b6", "batch"),
    Change("32-bit integers in the compiled loops", "7eb8965", "325047d", "sobel-out", (True, True)),
    Change("the same", "7eb8965", "325047d", "angle-out", (True, True)),
    Change(
        "borders of OpenCV instead of padding for 8-bit images with exact sums", "325047d", "6891e44", "laplacian-out"
    ),
    Change("the same", "325047d", "6891e44", "small"),
    Change("PNG matches searched 512 bytes back instead of 32,768", "6891e44", "70f468d", "batch"),
)

#: Megapixels of the image.
MEGAPIXELS = 8.0

#: A revision may have learned to round better.
TOLERANCE = 1e-2


def workloads(megapixels: float) -> dict[str, Call]:
    """Return the workloads by name; each uses only what all revisions have."""
    import edgekit as ek

    image = photograph(megapixels, "uint8")
    small = np.ascontiguousarray(image[:64, :64])
    out, response = np.empty(image.shape, np.float32), ek.sobel(image)
    spoiled = photograph(megapixels, "float32").copy()
    spoiled[50, 50] = np.nan
    bell = cv2.getGaussianKernel(25, 4)
    return {
        "sobel": lambda: ek.sobel(image),
        "sobel-out": lambda: ek.sobel(image, out=out),
        "sobel-uint16": lambda: ek.sobel(photograph(megapixels, "uint16")),
        "sobel-float32": lambda: ek.sobel(photograph(megapixels, "float32")),
        "angle": lambda: ek.sobel(image, angle=45),
        "angle-out": lambda: ek.sobel(image, angle=45, out=out),
        "oriented": lambda: ek.oriented(image, [22.5 * n for n in range(8)]),
        "laplacian": lambda: ek.laplacian(image),
        "laplacian-out": lambda: ek.laplacian(image, out=out),
        "gaussian": lambda: ek.gaussian_gradient(image, sigma=2),
        "gaussian-wide": lambda: ek.gaussian_gradient(image, sigma=8),
        "gaussian-nan": lambda: ek.gaussian_gradient(spoiled, sigma=4),
        "log-wide": lambda: ek.laplacian(image, sigma=8),
        "product": lambda: ek.correlate(image, bell * bell.T),
        "sharpness": lambda: ek.sharpness(image),
        "tenengrad": lambda: ek.sharpness(image, "tenengrad"),
        "score": lambda: ek.score(image),
        "canny": lambda: ek.canny(image, sigma=2, low=2, high=6),
        "detect": lambda: ek.detect(image),
        "display": lambda: ek.to_display(response).image,
        "small": lambda: ek.sobel(small),
    }


def command(workload: str, bench: Bench, folder: Path) -> list[str] | None:
    """Return the workloads that are whole processes, None for others."""
    edgekit = [sys.executable, "-m", "edgekit"]
    if workload == "help":
        return [*edgekit, "--help"]
    if workload == "start":
        return [*edgekit, "sobel", str(startup.SAMPLE), "-o", f"{folder}/edges.png", "--force"]
    if workload not in ("batch", "score-folder"):
        return None
    if bench.photographs is None:
        raise SystemExit(f"the workload {workload} needs --photographs FOLDER")
    if workload == "batch":
        return batch.edgekit(bench.photographs, folder / "edges", 2)
    return [*edgekit, "score", str(bench.photographs), "--force", "-q", "-j", "2", "-o", f"{folder}/scores.csv"]


def make(_: str, workload: str, megapixels: float) -> Call:
    """Return a revision's call."""
    return workloads(megapixels)[workload]


@contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """Check a revision out, and take it away in the end."""
    git = ["git", "-C", str(ROOT)]
    subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(folder), revision], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(folder)], check=True)


def run(bench: Bench) -> Outcome:
    """Measure every change."""
    comparisons = [measure(change, bench, n) for n, change in enumerate(CHANGES)]
    if not comparisons:
        return Outcome([], {"revisions": "No changes are listed yet."})
    rows = []
    for change, comparison in zip(CHANGES, comparisons, strict=True):
        before, after = (1e3 * comparison.entries[name].median for name in ("before", "after"))
        ratio = times(comparison, "after", "before")
        rows.append([change.what, f"`{change.before}`", f"`{change.after}`", f"`{change.workload}`"])
        rows[-1] += [number(before), number(after), ratio]
    head = ["change", "from", "to", "workload", "before, ms", "after, ms", "after / before"]
    return Outcome(comparisons, {"revisions": table(head, rows)})


def measure(change: Change, bench: Bench, number: int) -> Comparison:
    """Measure one change."""
    megapixels = min(MEGAPIXELS, max(bench.sizes))
    contenders = (Contender("before", change.before, "before"), Contender("after", change.after, "after"))
    work = Work(
        f"revisions-{number}", change.what, __name__, {"workload": change.workload, "megapixels": megapixels},
        contenders, ["before"], TOLERANCE,
    )  # fmt: skip
    before, after = (bench.scratch / f"{side}-{number}" for side in ("before", "after"))
    with checked_out(change.before, before), checked_out(change.after, after):
        places = {
            name: {"PYTHONPATH": str(folder), "EDGEKIT_FAST": str(int(compiled))}
            for name, folder, compiled in zip(("before", "after"), (before, after), change.compiled, strict=True)
        }
        # No revision meets the records of one that belongs to another change.
        scratch = bench.scratch / f"results-{number}"
        scratch.mkdir()
        if whole := command(change.workload, bench, scratch):
            took = seconds(alternate(dict.fromkeys(places, whole), bench.runs, scratch, places))
            entries = {c.name: Entry(c.name, c.label, took[c.name]) for c in contenders}
            comparison = Comparison(work.name, work.title, entries, work.references)
        else:
            with Workers(places) as workers:
                comparison = compare(work, workers, bench.runs)
    comparison.facts |= change._asdict()
    return comparison
