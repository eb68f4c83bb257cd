"""Time by pixels, kernels, directions and workers; memory by the size of the image."""

import dataclasses
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks import LeftOut
from benchmarks.harness.comparison import Comparison, Contender, Entry, Work, compare
from benchmarks.harness.images import Image, photograph
from benchmarks.harness.plots import Chart
from benchmarks.harness.processes import alternate, seconds
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import left_out, number, table
from benchmarks.harness.worker import Call
from benchmarks.harness.workers import SWITCH, environment, has_switch
from benchmarks.suites import batch, filter_contenders

PIXELS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
#: Smaller images are not measured: the process has enough free memory for them.
PEAKS = (1.0, 3.0, 10.0, 30.0)
SIGMAS = (1, 2, 4, 8, 16)
SIDES = (3, 5, 7, 9, 11, 15, 21, 31)
ANGLES = (1, 2, 4, 8, 16)
WORKERS = (1, 2)

#: Megapixels of the image in series of another quantity.
MEGAPIXELS = 2.0

PEAK = Path(__file__).with_name("filter_memory.py")

#: Largest differences in gray levels. They are larger for large kernels, for which OpenCV uses a Fourier transform.
TOLERANCE = 0.02


@dataclasses.dataclass(frozen=True)
class Series:
    """A series of comparisons: the quantity that grows, and its values."""

    name: str
    title: str
    grows: str
    values: Sequence[float]
    work: Callable[[float, float], Work]


def make(name: str, kind: str, size: int, megapixels: float) -> Call:
    """Return the call of a contender."""
    image = photograph(megapixels, "uint8")
    if name == "fast" and not has_switch():
        raise LeftOut("this edgekit has no fast path")
    makers = {"gaussian": _gaussian, "log": _log, "product": _product, "own": _own, "angles": _angles}
    return makers[kind](name, size, image)


def _gaussian(name: str, sigma: int, image: Image) -> Call:
    if name == "scipy":
        from scipy import ndimage

        return lambda: ndimage.gaussian_gradient_magnitude(image.astype(np.float32), sigma)
    if name == "opencv":
        reach = np.arange(-4 * sigma, 4 * sigma + 1)
        bell = cv2.getGaussianKernel(reach.size, sigma, cv2.CV_32F)
        slope = (bell[:, 0] * reach / (bell[:, 0] * reach**2).sum()).astype(np.float32)

        def magnitude() -> Image:
            return cv2.magnitude(
                *(cv2.sepFilter2D(image, cv2.CV_32F, *taps) for taps in ((slope, bell), (bell, slope)))
            )

        return magnitude
    import edgekit as ek

    return lambda: ek.gaussian_gradient(image, sigma=sigma)


def _log(name: str, sigma: int, image: Image) -> Call:
    if name == "scipy":
        from scipy import ndimage

        return lambda: ndimage.gaussian_laplace(image.astype(np.float32), sigma)
    import edgekit as ek

    return lambda: ek.laplacian(image, sigma=sigma, scale="raw")


def _product(name: str, side: int, image: Image) -> Call:
    lines = np.random.default_rng(side).random((2, side))
    return _correlated(name, np.outer(*lines) / np.outer(*lines).sum(), image)


def _own(name: str, side: int, image: Image) -> Call:
    return _correlated(name, np.random.default_rng(side).normal(size=(side, side)) / side, image)


def _correlated(name: str, taps: Image, image: Image) -> Call:
    if name == "opencv":
        return lambda: cv2.filter2D(image, cv2.CV_32F, taps)
    import edgekit as ek

    return lambda: ek.correlate(image, taps)


def _angles(name: str, count: int, image: Image) -> Call:
    angles = [180 * n / count for n in range(count)]
    if name == "opencv":

        def steered() -> list[Image]:
            x, y = (cv2.Sobel(image, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
            turns = map(math.radians, angles)
            return [cv2.addWeighted(x, math.cos(turn) / 8, y, math.sin(turn) / 8, 0) for turn in turns]

        return steered
    import edgekit as ek

    return lambda: ek.oriented(image, angles)


def _pixels(megapixels: float, _: float) -> Work:
    whole = filter_contenders.work("magnitude", "uint8", megapixels)
    chosen = [c for c in whole.contenders if c.name in ("opencv", "base", "fast", "floor")]
    return dataclasses.replace(whole, name=f"pixels-{megapixels:g}", contenders=chosen)


def _series(kind: str, *peers: Contender) -> Callable[[float, float], Work]:
    contenders = (
        *peers,
        Contender("base", "edgekit, base path", "base"),
        Contender("fast", "edgekit, fast path", "fast"),
    )

    def work(size: float, megapixels: float) -> Work:
        task = {"kind": kind, "size": int(size), "megapixels": megapixels}
        name, margin = f"{kind}-{size:g}", int(size) // 2 + 1
        return Work(name, f"{kind} {size:g}", __name__, task, contenders, [p.name for p in peers], TOLERANCE, margin)

    return work


OPENCV = Contender("opencv", "OpenCV")
SCIPY = Contender("scipy", "SciPy", own="other kernel coefficients")

SERIES = (
    Series("pixels", "Sobel magnitude, uint8", "megapixels", PIXELS, _pixels),
    Series(
        "gaussian", "Gaussian gradient, uint8", "sigma", SIGMAS,
        _series("gaussian", Contender("opencv", "OpenCV, single precision"), SCIPY),
    ),
    Series("log", "Laplacian of Gaussian, uint8", "sigma", SIGMAS, _series("log", SCIPY)),
    Series(
        "product", "Separable user-defined kernel, uint8", "kernel width", SIDES,
        _series("product", OPENCV),
    ),
    Series("own", "User-defined kernel, uint8", "kernel width", SIDES, _series("own", OPENCV)),
    Series("angles", "Sobel in many directions, uint8", "directions", ANGLES, _series("angles", OPENCV)),
)  # fmt: skip


def run(bench: Bench) -> Outcome:
    """Measure all series."""
    top = max(bench.sizes)
    comparisons, blocks, charts = [], [], []
    for series in SERIES:
        values = [v for v in series.values if v <= top] or [top] if series.name == "pixels" else series.values
        row = [compare(series.work(value, min(MEGAPIXELS, top)), bench.workers, bench.runs) for value in values]
        comparisons += row
        size = "" if series.name == "pixels" else f", {min(MEGAPIXELS, top):g} megapixels"
        lines = _lines(row, values)
        blocks.append(_table(f"{series.title}{size}, ms", series.grows, values, lines, left_out(row)))
        charts.append(Chart(f"scaling-{series.name}", f"{series.title}{size}", series.grows, "milliseconds", lines))
    for measured in (_workers(bench), _memory(bench)) if bench.photographs else (_memory(bench),):
        comparisons += measured.comparisons
        blocks += measured.blocks.values()
        charts += measured.charts
    if not bench.photographs:
        blocks.append("Workers were not measured: no photographs were given.")
    return Outcome(comparisons, {"scaling": "\n\n".join(blocks)}, charts=charts)


Lines = dict[str, list[tuple[float, float]]]


def _lines(comparisons: Sequence[Comparison], values: Sequence[float]) -> Lines:
    lines: Lines = {}
    for value, comparison in zip(values, comparisons, strict=True):
        for entry in comparison.entries.values():
            lines.setdefault(entry.label, []).append((value, 1e3 * entry.median))
    return lines


def _table(title: str, grows: str, values: Sequence[float], lines: Lines, notes: Sequence[str] = ()) -> str:
    """Return a row for each value, and a column for each line."""
    found = [dict(points) for points in lines.values()]
    rows = [[f"{v:g}", *(number(points[v]) if v in points else "-" for points in found)] for v in values]
    return "\n".join([f"{title}:", "", table([grows, *lines], rows), *notes])


def _workers(bench: Bench) -> Outcome:
    """Measure a batch by one worker and by two."""
    assert bench.photographs is not None
    scratch = bench.scratch / "scaling"
    batch.copies(bench.photographs, scratch / "in", bench.count, batch.REDUCED)
    commands = {f"{n}": batch.edgekit(scratch / "in", scratch / f"out{n}", n) for n in WORKERS}
    took = seconds(alternate(commands, bench.runs, scratch))
    entries = {name: Entry(name, f"`-j {name}`", runs) for name, runs in took.items()}
    title = f"{bench.count} JPEGs of {batch.REDUCED:g} megapixels to PNG"
    comparison = Comparison("workers", title, entries, ["1"], facts={"images": bench.count})
    lines = {"edgekit": [(float(name), bench.count / entry.median) for name, entry in entries.items()]}
    text = _table(f"{title}, images per second", "workers", WORKERS, lines)
    chart = Chart("scaling-workers", title, "workers", "images per second", lines, logarithmic=False)
    return Outcome([comparison], {"workers": text}, charts=[chart])


def _memory(bench: Bench) -> Outcome:
    """Measure the increase of the peak memory of a new process during the filter."""
    places = {"opencv": {}, "base": {SWITCH: "0"}} | ({"fast": {SWITCH: "1"}} if has_switch() else {})
    labels = {"opencv": "OpenCV", "base": "edgekit, base path", "fast": "edgekit, fast path"}
    sizes = [size for size in PEAKS if size <= max(bench.sizes)] or [max(bench.sizes)]
    lines: Lines = {"the image and its response": []}
    facts: dict[str, list[list[int]]] = {}
    for megapixels in sizes:
        for name, changes in places.items():
            asked = [sys.executable, str(PEAK), name, f"{megapixels}"]
            ran = subprocess.run(asked, env=environment(changes), capture_output=True, text=True, check=True)
            before, after, image = map(int, ran.stdout.split())
            facts.setdefault(name, []).append([before, after, image])
            lines.setdefault(labels[name], []).append((megapixels, (after - before + image) / 2**20))
        # One byte for each pixel of the image, four for each of the response.
        lines["the image and its response"].append((megapixels, 5 * image / 2**20))
    title = "Sobel magnitude, uint8: increase of the peak memory"
    text = _table(f"{title}, MiB", "megapixels", sizes, lines)
    comparison = Comparison("memory", "bytes of the peak before and after, and of the image", {}, facts=facts)
    chart = Chart("scaling-memory", title, "megapixels", "MiB", lines)
    return Outcome([comparison], {"memory": text}, charts=[chart])
