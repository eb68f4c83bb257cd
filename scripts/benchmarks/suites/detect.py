"""The boundary detector, on a photograph of the size of those in the Berkeley Segmentation Data Set.

And Canny's detector, on that photograph and on a large one.
"""

import cv2
import numpy as np

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

#: Size of the large photograph for Canny's detector.
MEGAPIXELS = 8.0

#: Standard deviation of its Gaussian, and half the length of the kernels.
SIGMA, RADIUS = 2.0, 8

CANNY = (
    Contender("canny", "`ek.canny`, base path", "base"),
    Contender("fast", "`ek.canny`, fast path", "fast"),
    Contender("opencv_blurred", "OpenCV: `GaussianBlur` and `Canny`", own="other edges"),
    Contender("derivatives", "OpenCV: `sepFilter2D` twice, the Gaussian derivatives alone", own="other edges"),
    Contender("skimage", "scikit-image's `canny`", own="other edges"),
)


def image(megapixels: float | None = None) -> Image:
    """Return a photograph in colour: of the usual size, or enlarged."""
    sample = cv2.imread(str(SAMPLE))
    assert sample is not None
    size, how = (WIDTH, HEIGHT), cv2.INTER_AREA
    if megapixels is not None:
        scale = (megapixels * 1e6 / (WIDTH * HEIGHT)) ** 0.5
        size, how = (round(scale * WIDTH), round(scale * HEIGHT)), cv2.INTER_CUBIC
    return cv2.cvtColor(cv2.resize(sample, size, interpolation=how), cv2.COLOR_BGR2RGB)


def make(name: str, megapixels: float | None = None) -> Call:
    """Return the call of a contender."""
    photograph = image(megapixels)
    gray = cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY)
    if name == "opencv":
        return lambda: cv2.Canny(gray, 50, 150)
    if name == "opencv_blurred":
        return lambda: cv2.Canny(cv2.GaussianBlur(gray, (0, 0), SIGMA), 50, 150)
    if name == "derivatives":
        places = np.arange(-RADIUS, RADIUS + 1)
        bell = np.exp(-0.5 * (places / SIGMA) ** 2) / (SIGMA * np.sqrt(2 * np.pi))
        slope = places / SIGMA**2 * bell
        lines = ((slope, bell), (bell, slope))
        return lambda: [cv2.sepFilter2D(gray, cv2.CV_32F, *line) for line in lines]
    if name == "skimage":
        from skimage.feature import canny

        return lambda: canny(gray, sigma=SIGMA)
    import edgekit as ek

    if name in ("canny", "fast"):
        return lambda: ek.canny(gray, sigma=SIGMA)
    return lambda: ek.detect(photograph)


def run(bench: Bench) -> Outcome:
    """Measure both detectors."""
    title = f"{SAMPLE.name} at {WIDTH}x{HEIGHT}, in colour; target: {AIM} ms"
    detected = compare(
        Work("detect", title, __name__, {}, CONTENDERS, ["edgekit"], tolerance=1e-3), bench.workers, bench.runs
    )
    detected.facts["aim_seconds"] = AIM / 1000
    canny = [compare(canny_work(size), bench.workers, bench.runs) for size in (None, MEGAPIXELS)]
    return Outcome([detected, *canny], {"detect": detail(detected), "canny": "\n\n".join(map(detail, canny))})


def canny_work(megapixels: float | None) -> Work:
    """Return Canny's detector on one image."""
    size = f"{WIDTH}x{HEIGHT}" if megapixels is None else f"{megapixels:g} megapixels"
    title = f"Canny, σ = {SIGMA:g}, uint8, {size}"
    return Work(f"canny-{size}", title, __name__, {"megapixels": megapixels}, CANNY, ["opencv_blurred"])
