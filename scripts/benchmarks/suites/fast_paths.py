"""The gain of each fast path for a special case: edgekit with this path, and without it. A path that saves less than a
tenth is removed.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness.comparison import Comparison, Contender, Work, compare
from benchmarks.harness.images import photograph
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import number, table, times
from benchmarks.harness.worker import Call
from benchmarks.harness.workers import SWITCH, Workers


class FastPath(NamedTuple):
    """A fast path, and the calls that use it. `switch_off` disables it in the process that calls this function.
    `compiled` tells whether compiled loops are used with it and without it.
    """

    what: str
    calls: tuple[str, ...]
    switch_off: Callable[[], None] | None
    compiled: tuple[bool, bool] = (False, False)


def _no_fused() -> None:
    from edgekit.backends.opencv import backend

    vars(backend)["fused"] = lambda *_, **__: None


def _no_large_tiles() -> None:
    from edgekit.backends.opencv import tiling

    vars(tiling)["LARGER"] = 1


def _no_pair() -> None:
    from edgekit.operators.filter_spec import FilterSpec

    type.__setattr__(FilterSpec, "pair", None)


def _no_bands() -> None:
    from edgekit.backends.opencv import correlation

    vars(correlation)["_is_banded"] = lambda *_: False


def _no_bytes() -> None:
    from edgekit.backends.opencv import banded

    vars(banded)["line_over_bytes"] = lambda _: None


def _no_moments() -> None:
    from edgekit.focus import windowed

    vars(windowed)["LAPLACIAN"] = None


PATHS = (
    FastPath("8-bit images filtered by OpenCV as they are, not padded", ("sobel", "laplacian", "small"), _no_fused),
    FastPath("larger tiles where each pixel is read once", ("one-direction", "laplacian-floats"), _no_large_tiles),
    FastPath("`cv2.spatialGradient` for both Sobel components of 8-bit images", ("sobel", "angle"), _no_pair),
    FastPath("compiled loops for 3x3 kernels", ("sobel", "angle", "laplacian", "picture"), None, (True, False)),
    FastPath("compiled loops for 3x3 kernels of floats", ("sobel-floats", "laplacian-floats"), None, (True, False)),
    FastPath("compiled loops with masks, NaN, and integers of 32 bits", ("masked", "nan", "wide"), None, (True, False)),
    FastPath("compiled loops for the suppression, hysteresis and thinning of edges", ("canny",), None, (True, False)),
    FastPath("compiled loop for the variance of the Laplacian", ("sharpness",), None, (True, False)),
    FastPath("variance of the Laplacian from sums of 16-bit integers", ("sharpness",), _no_moments),
    FastPath("long rows and columns as products with banded matrices", ("gaussian-wide", "log-wide"), _no_bands),
    FastPath("products that are exact for 8-bit pixels", ("gaussian-wide-bytes",), _no_bytes),
)

#: Megapixels of the image.
MEGAPIXELS = 2.0

#: The last digit may differ.
TOLERANCE = 1e-3


def calls(megapixels: float) -> dict[str, Call]:
    """Return the calls by name."""
    import edgekit as ek

    image, floats = photograph(megapixels, "uint8"), photograph(megapixels, "float32")
    out, small = np.empty(image.shape, np.float32), np.ascontiguousarray(image[:64, :64])
    mask, holes, wide = image < 250, np.where(image < 250, floats, np.nan), image.astype(np.int32)
    return {
        "sobel": lambda: ek.sobel(image, out=out),
        "angle": lambda: ek.sobel(image, angle=45, out=out),
        "laplacian": lambda: ek.laplacian(image, out=out),
        "sobel-floats": lambda: ek.sobel(floats, out=out),
        "laplacian-floats": lambda: ek.laplacian(floats, out=out),
        "masked": lambda: ek.sobel(image, mask=mask),
        "nan": lambda: ek.sobel(holes),
        "wide": lambda: ek.sobel(wide),
        "one-direction": lambda: ek.sobel(image, angle=0, out=out),
        "canny": lambda: ek.canny(image, sigma=2),
        "small": lambda: ek.laplacian(small),
        "picture": lambda: ek.picture(image, "sobel").image,
        "sharpness": lambda: ek.sharpness(image),
        "gaussian-wide": lambda: ek.gaussian_gradient(floats, sigma=8),
        "gaussian-wide-bytes": lambda: ek.gaussian_gradient(image, sigma=8),
        "log-wide": lambda: ek.laplacian(image, sigma=8),
    }


def make(name: str, path: int, call: str, megapixels: float) -> Call:
    """Return a call, in a process with the path or without it."""
    switch_off = PATHS[path].switch_off
    if name == "without" and switch_off is not None:
        switch_off()
    return calls(megapixels)[call]


def run(bench: Bench) -> Outcome:
    """Measure every path."""
    measured = [(path, call, measure(n, call, bench)) for n, path in enumerate(PATHS) for call in path.calls]
    rows = [
        [
            path.what,
            f"`{call}`",
            *(number(1e3 * comparison.entries[name].median) for name in ("with", "without")),
            times(comparison, "with", "without"),
        ]
        for path, call, comparison in measured
    ]
    head = ["fast path", "call", "with, ms", "without, ms", "with / without"]
    return Outcome([comparison for *_, comparison in measured], {"fast_paths": table(head, rows)})


def measure(path: int, call: str, bench: Bench) -> Comparison:
    """Measure one path with one call."""
    megapixels = min(MEGAPIXELS, max(bench.sizes))
    contenders = (Contender("without", "without", "without"), Contender("with", "with", "with"))
    task: Mapping[str, Any] = {"path": path, "call": call, "megapixels": megapixels}
    work = Work(f"path-{path}-{call}", PATHS[path].what, __name__, task, contenders, ["without"], TOLERANCE)
    on, off = PATHS[path].compiled
    places = {"with": {SWITCH: str(int(on))}, "without": {SWITCH: str(int(off))}}
    with Workers(places) as workers:
        return compare(work, workers, bench.runs)
