"""The boundary detector, on a photograph of the size of those in the Berkeley Segmentation Data Set."""

import cv2

from benchmarks.harness.comparison import Contender, Work, compare
from benchmarks.harness.images import Image
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import detail
from benchmarks.harness.worker import Call
from common.paths import ROOT

SAMPLE = ROOT / "samples" / "coffee.png"

WIDTH, HEIGHT = 481, 321

#: The target in milliseconds.
AIM = 150

CONTENDERS = (
    Contender("edgekit", "`ek.detect`", "auto"),
    Contender("base", "`ek.detect`, base path", "base"),
    Contender("skimage", "scikit-image's `canny`, σ = 2", own="other edges"),
    Contender("opencv", "OpenCV's `Canny`", own="other edges"),
)


def image() -> Image:
    """Return a photograph in colour."""
    sample = cv2.imread(str(SAMPLE))
    assert sample is not None
    return cv2.cvtColor(cv2.resize(sample, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def make(name: str) -> Call:
    """Return the call of a contender."""
    photograph = image()
    gray = cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY)
    if name == "opencv":
        return lambda: cv2.Canny(gray, 50, 150)
    if name == "skimage":
        from skimage.feature import canny

        return lambda: canny(gray, sigma=2)
    import edgekit as ek

    return lambda: ek.detect(photograph)


def run(bench: Bench) -> Outcome:
    """Measure the detector."""
    title = f"{SAMPLE.name} at {WIDTH}x{HEIGHT}, in colour; target: {AIM} ms"
    work = Work("detect", title, __name__, {}, CONTENDERS, ["edgekit"], tolerance=1e-3)
    comparison = compare(work, bench.workers, bench.runs)
    comparison.facts["aim_seconds"] = AIM / 1000
    return Outcome([comparison], {"detect": detail(comparison)})
