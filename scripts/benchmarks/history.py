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

from benchmarks import ROOT, batch, start
from benchmarks.contest import Contender, Contest, Entry, Work, compete
from benchmarks.fleet import Fleet
from benchmarks.images import photograph
from benchmarks.processes import alternate, seconds
from benchmarks.report import Bench, Outcome
from benchmarks.tables import number, table, times
from benchmarks.worker import Call


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
    Change("powers of two in the taps, no filtering with kernels that have no weight", "efb79ba", "1e33760", "angle"),
    Change("strips on threads, memory used again, separable taps in one call", "1e33760", "69c7958", "sobel-out"),
    Change("the same", "1e33760", "69c7958", "laplacian"),
    Change("the same", "1e33760", "69c7958", "small"),
    Change("PNG by ISA-L instead of libpng, pictures without the response", "1e33760", "871498f", "batch"),
    Change("OpenCV's one function for both Sobel components of 8 bits", "c056165", "d682492", "sobel-out"),
    Change("levels in one pass where nothing is clipped", "c056165", "d682492", "display"),
    Change("wide derivatives by column sums that cancel", "690cde7", "833d611", "gaussian"),
    Change("compiled loops", "833d611", "833d611", "sobel-out", (False, True)),
    Change("the same", "833d611", "833d611", "sharpness", (False, True)),
    Change("sums of taps on bytes in whole numbers of 16 bits", "2cbf1db", "6e25c34", "angle-out"),
    Change("the same", "2cbf1db", "6e25c34", "laplacian-out"),
    Change("every linear response of 3x3 in a compiled loop", "2cbf1db", "6e25c34", "angle-out", (False, True)),
    Change("the same", "2cbf1db", "6e25c34", "laplacian-out", (False, True)),
    Change("squares and sums of strips by OpenCV, 16 bits as floats", "accf546", "a180327", "sobel-uint16"),
    Change("the same", "accf546", "a180327", "sobel-float32"),
    Change(
        "bytes as they are into sums of double precision, a thread for each strip of them",
        "7be6e1d",
        "0548121",
        "gaussian",
    ),
    Change("long lines of taps as products with banded matrices", "7be6e1d", "0548121", "gaussian-wide"),
    Change("the same", "7be6e1d", "0548121", "log-wide"),
    Change("kernels of one's own that are a column times a row, as such", "7be6e1d", "0548121", "product"),
    Change("what NaN spoils, found along lines", "7be6e1d", "0548121", "gaussian-nan"),
    Change("freed memory kept for the next image", "1b16319", "df107b6", "score-folder"),
    Change("the same", "1b16319", "df107b6", "batch"),
    Change("whole numbers of 32 bits in the compiled loops", "7eb8965", "325047d", "sobel-out", (True, True)),
    Change("the same", "7eb8965", "325047d", "angle-out", (True, True)),
    Change("8 bits with OpenCV's own borders where no sum rounds, not padded", "325047d", "6891e44", "laplacian-out"),
    Change("the same", "325047d", "6891e44", "small"),
    Change("repeats in PNG looked for 512 bytes back, not 32,768", "6891e44", "70f468d", "batch"),
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
        return [*edgekit, "sobel", str(start.SAMPLE), "-o", f"{folder}/edges.png", "--force"]
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
    contests = [measure(change, bench, n) for n, change in enumerate(CHANGES)]
    if not contests:
        return Outcome([], {"history": "No changes are listed yet."})
    rows = []
    for change, contest in zip(CHANGES, contests, strict=True):
        before, after = (1e3 * contest.entries[name].median for name in ("before", "after"))
        ratio = times(contest, "after", "before")
        rows.append([change.what, f"`{change.before}`", f"`{change.after}`", f"`{change.workload}`"])
        rows[-1] += [number(before), number(after), ratio]
    head = ["change", "from", "to", "workload", "before, ms", "after, ms", "after / before"]
    return Outcome(contests, {"history": table(head, rows)})


def measure(change: Change, bench: Bench, number: int) -> Contest:
    """Measure one change."""
    megapixels = min(MEGAPIXELS, max(bench.sizes))
    contenders = (Contender("before", change.before, "before"), Contender("after", change.after, "after"))
    work = Work(
        f"history-{number}", change.what, __name__, {"workload": change.workload, "megapixels": megapixels},
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
            contest = Contest(work.name, work.title, entries, work.references)
        else:
            with Fleet(places) as fleet:
                contest = compete(work, fleet, bench.runs)
    contest.facts |= change._asdict()
    return contest
