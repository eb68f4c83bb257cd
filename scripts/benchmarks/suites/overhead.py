"""The overhead of a call: edgekit compared with the plain library call, on a small image."""

import cv2
import numpy as np

from benchmarks import LeftOut
from benchmarks.harness.comparison import Comparison, Contender, Work, compare
from benchmarks.harness.images import PHOTOGRAPH, Image
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import left_out, number, table, times
from benchmarks.harness.worker import Call

SIDE = 64

SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)

#: The call, the plain call, and the factor from the numbers of the plain call to those of edgekit.
CALLS = {
    "sobel-0": ("`ek.sobel(image, angle=0)`", "`cv2.filter2D`", 1 / 8),
    "sobel": ("`ek.sobel(image)`", "`cv2.Sobel` twice, `cv2.magnitude`", 1 / 8),
    "laplacian": ("`ek.laplacian(image)`", "`cv2.Laplacian`", 1.0),
    "sharpness": ("`ek.sharpness(image)`", "`cv2.Laplacian(image, cv2.CV_64F).var()`", 1.0),
}


#: The calls that are measured, with the type of the image. Of float32 OpenCV computes no Laplacian in double precision.
MEASURED = [
    (call, dtype)
    for dtype in ("uint8", "uint16", "float32")
    for call in CALLS
    if (call, dtype) != ("sharpness", "float32")
]


def image(dtype: str) -> Image:
    """Return a part of a photograph."""
    whole = cv2.imread(str(PHOTOGRAPH), cv2.IMREAD_GRAYSCALE)
    assert whole is not None
    return np.ascontiguousarray(whole[100 : 100 + SIDE, 200 : 200 + SIDE]).astype(dtype)


def make(name: str, call: str, dtype: str) -> Call:
    """Return the call of a contender."""
    gray = image(dtype)
    if name == "bare":
        bare: dict[str, Call] = {
            "sobel-0": lambda: cv2.filter2D(gray, cv2.CV_32F, SOBEL_X),
            "sobel": lambda: cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)),
            "laplacian": lambda: cv2.Laplacian(gray, cv2.CV_32F),
            "sharpness": lambda: cv2.Laplacian(gray, cv2.CV_64F).var(),
        }
        return bare[call]
    import edgekit as ek

    ours: dict[str, Call] = {
        "sobel-0": lambda: ek.sobel(gray, angle=0),
        "sobel": lambda: ek.sobel(gray),
        "laplacian": lambda: ek.laplacian(gray),
        "sharpness": lambda: ek.sharpness(gray),
    }
    if call not in ours:
        raise LeftOut(f"edgekit has no {call}")
    return ours[call]


def run(bench: Bench) -> Outcome:
    """Measure each call."""
    comparisons = [compare(work(call, dtype), bench.workers, bench.runs) for call, dtype in MEASURED]
    rows = [_row(comparison) for comparison in comparisons]
    head = ["call", "µs", "OpenCV call", "µs", "ratio", "difference, µs"]
    text = "\n".join([f"{SIDE}x{SIDE}:", "", table(head, rows), *left_out(comparisons)])
    return Outcome(comparisons, {"overhead": text})


def work(call: str, dtype: str) -> Work:
    """Return one call."""
    ours, bare, factor = CALLS[call]
    contenders = (Contender("bare", bare, "peers", factor), Contender("edgekit", ours, "auto"))
    title = f"{ours}, {SIDE}x{SIDE}, {dtype}"
    task = {"call": call, "dtype": dtype}
    return Work(f"overhead-{call}-{dtype}", title, __name__, task, contenders, ["bare"], tolerance=1e-3)


def _row(comparison: Comparison) -> list[str]:
    ours, bare = (comparison.entries[name] for name in ("edgekit", "bare"))
    between = number(1e6 * (ours.median - bare.median))
    label = f"{ours.label}, {comparison.facts['dtype']}"
    ratio = times(comparison, "edgekit", "bare")
    return [label, number(1e6 * ours.median), bare.label, number(1e6 * bare.median), ratio, between]
