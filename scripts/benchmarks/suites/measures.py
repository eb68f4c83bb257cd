"""Every focus measure, compared with its formula in OpenCV's functions and single precision; and all at once."""

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.harness.comparison import Comparison, Contender, Work, compare
from benchmarks.harness.images import Image, photograph
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import left_out, number, table, times
from benchmarks.harness.worker import Call

MEGAPIXELS = 10.0

#: Largest difference of a measure, as a part of it.
TOLERANCE = 2e-5

ALL = "all of them at once"

CONTENDERS = (
    Contender("opencv", "OpenCV"),
    Contender("base", "edgekit, base path", "base"),
    Contender("fast", "edgekit, fast path", "fast"),
)


def mean_square(values: Image) -> float:
    """Return the mean of the squares."""
    return cv2.norm(values, cv2.NORM_L2SQR) / values.size


def mean_size(values: Image) -> float:
    """Return the mean of the absolute values."""
    return cv2.norm(values, cv2.NORM_L1) / values.size


def variance(values: Image) -> float:
    """Return the variance."""
    return float(cv2.meanStdDev(values)[1][0, 0]) ** 2


def laplacian(gray: Image) -> Image:
    """Return the Laplacian."""
    return cv2.Laplacian(gray, cv2.CV_32F)


def derivatives(gray: Image) -> tuple[Image, Image]:
    """Return Sobel's derivatives along x and y."""
    return cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)


def gradient_energy(gray: Image) -> Image:
    """Return the squares of the gradients."""
    gx, gy = derivatives(gray)
    return cv2.add(cv2.multiply(gx, gx), cv2.multiply(gy, gy))


def second_differences(gray: Image) -> float:
    """Return the modified Laplacian."""
    line, one = np.float32([-1, 2, -1]), np.float32([1])
    lines = ((line, one), (one, line))
    return sum(mean_size(cv2.sepFilter2D(gray, cv2.CV_32F, *kernels)) for kernels in lines)


def differences(gray: Image, step: int) -> tuple[float, float]:
    """Return the mean squares of the differences along x and y."""
    floats = gray.astype(np.float32)
    along_x = cv2.subtract(floats[:, step:], floats[:, :-step])
    return mean_square(along_x), mean_square(cv2.subtract(floats[step:], floats[:-step]))


def products(floats: Image, step: int) -> float:
    """Return the mean of the products of pixels along x."""
    return cv2.mean(cv2.multiply(floats[:, step:], floats[:, :-step]))[0]


def vollath_f4(gray: Image) -> float:
    """Return the difference of two autocorrelations."""
    floats = gray.astype(np.float32)
    return products(floats, 1) - products(floats, 2)


def crete_roffet(gray: Image) -> float:
    """Return 1 minus the blur effect."""
    parts = []
    for size, order in (((11, 1), (1, 0)), ((1, 11), (0, 1))):
        smooth = cv2.blur(gray.astype(np.float32), size, borderType=cv2.BORDER_REFLECT)
        before, after = (np.abs(cv2.Sobel(p, cv2.CV_32F, *order))[2:-1, 2:-1] for p in (gray, smooth))
        parts.append(cv2.sumElems(cv2.min(before, after))[0] / cv2.sumElems(before)[0])
    return 1 - max(parts)


def wavelet_ratio(gray: Image) -> float:
    """Return the energy of Haar's details over that of all variation."""
    floats = gray.astype(np.float32)
    rows, columns = (n // 2 * 2 for n in gray.shape)
    a, b, c, d = (floats[i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1))
    first, second = a - b, c - d
    details = mean_square(first + second) + mean_square(a - c + b - d) + mean_square(first - second)
    return details / (details + variance(a + b + c + d))


FORMULAS: dict[str, Callable[[Image], float]] = {
    "laplacian_variance": lambda gray: variance(laplacian(gray)),
    "laplacian_energy": lambda gray: mean_square(laplacian(gray)),
    "modified_laplacian": second_differences,
    "tenengrad": lambda gray: sum(map(mean_square, derivatives(gray))),
    "tenengrad_variance": lambda gray: variance(gradient_energy(gray)),
    "brenner": lambda gray: max(differences(gray, 2)),
    "squared_gradient": lambda gray: sum(differences(gray, 1)),
    "normalised_variance": lambda gray: variance(gray) / cv2.mean(gray)[0],
    "vollath_f4": vollath_f4,
    "vollath_f5": lambda gray: products(gray.astype(np.float32), 1) - cv2.mean(gray)[0] ** 2,
    "laplacian_gradient_ratio": lambda gray: (
        mean_square(laplacian(gray)) / (sum(map(mean_square, derivatives(gray))) / 64)
    ),
    "crete_roffet": crete_roffet,
    "wavelet_ratio": wavelet_ratio,
}


def make(name: str, measure: str, megapixels: float) -> Call:
    """Return the call of a contender: it computes the measures, and returns the largest relative difference."""
    from edgekit.focus.measures import sharpness_of

    gray = photograph(megapixels)
    measures = tuple(FORMULAS) if measure == ALL else (measure,)

    def by_opencv() -> list[float]:
        return [FORMULAS[each](gray) for each in measures]

    def by_edgekit() -> list[float]:
        return list(sharpness_of(gray, measures).values())

    compute = by_opencv if name == "opencv" else by_edgekit
    expected = by_opencv()
    return lambda: float(np.abs(np.divide(compute(), expected) - 1).max())


def run(bench: Bench) -> Outcome:
    """Measure each of them."""
    comparisons = [compare(work(measure), bench.workers, bench.runs) for measure in (*FORMULAS, ALL)]
    head = ["measure", "OpenCV, ms", "base path, ms", "relative to OpenCV", "fast path, ms", "relative to OpenCV"]
    rows = [_row(comparison) for comparison in comparisons]
    text = "\n".join([f"uint8, {MEGAPIXELS:g} megapixels:", "", table(head, rows), *left_out(comparisons)])
    return Outcome(comparisons, {"measures": text})


def work(measure: str) -> Work:
    """Return one measure, or all of them."""
    task = {"measure": measure, "megapixels": MEGAPIXELS}
    return Work(f"measure-{measure}", measure, __name__, task, CONTENDERS, ["opencv"], tolerance=TOLERANCE)


def _row(comparison: Comparison) -> list[str]:
    title = comparison.title
    cells = [title if title == ALL else f"`{title}`", number(1e3 * comparison.entries["opencv"].median)]
    for name in ("base", "fast"):
        entry = comparison.entries.get(name)
        cells += [number(1e3 * entry.median), times(comparison, name, "opencv")] if entry else ["-", "-"]
    return cells
