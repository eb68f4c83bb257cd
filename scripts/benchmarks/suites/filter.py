"""Filters in memory: edgekit compared with other libraries, by operation, type and size."""

from collections.abc import Sequence

from benchmarks.harness.comparison import Comparison, compare
from benchmarks.harness.plots import Chart
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import left_out, number, table, times
from benchmarks.suites.filter_contenders import OPERATIONS, works

#: The README shows 8 bits, and the largest size up to this one.
SHOWN = 8.0


def run(bench: Bench) -> Outcome:
    """Measure all operations on all images."""
    comparisons = [
        compare(work, bench.workers, bench.runs)
        for work in works(list(bench.operations), list(bench.types), list(bench.sizes))
    ]
    blocks = "\n\n".join(
        _sizes(chosen, operation, dtype)
        for operation in bench.operations
        for dtype in bench.types
        if (chosen := _chosen(comparisons, operation, dtype))
    )
    blocks = "\n".join([blocks, *left_out(comparisons)])
    charts = [_chart(chosen, op) for op in bench.operations if (chosen := _chosen(comparisons, op, "uint8"))]
    return Outcome(comparisons, {"filter": blocks}, {"filters": _overview(comparisons, bench)}, charts)


def _chosen(comparisons: Sequence[Comparison], operation: str, dtype: str) -> list[Comparison]:
    return [c for c in comparisons if c.facts["operation"] == operation and c.facts["dtype"] == dtype]


def _labels(comparisons: Sequence[Comparison]) -> dict[str, str]:
    return {name: entry.label for comparison in comparisons for name, entry in comparison.entries.items()}


def _sizes(comparisons: Sequence[Comparison], operation: str, dtype: str) -> str:
    """Return one operation on one type: a row for each contender, three columns for each size."""
    head = ["method"]
    for comparison in comparisons:
        megapixels = f"{comparison.facts['megapixels']:g} MP"
        head += [f"{megapixels}, ms", "relative to OpenCV", "relative to copying"]
    rows = []
    for name, label in _labels(comparisons).items():
        row = [label]
        for comparison in comparisons:
            ratios = (times(comparison, name, other) for other in ("opencv", "floor"))
            row += [number(1e3 * comparison.entries[name].median), *ratios] if name in comparison.entries else ["-"] * 3
        rows.append(row)
    differences = [e.difference for c in comparisons for e in c.entries.values() if e.difference is not None]
    tolerance = comparisons[0].facts["tolerance"]
    largest = f"Largest difference from OpenCV: {max(differences):.1g}; allowed: {tolerance:.1g}"
    own = {e.label: e.own for c in comparisons for n, e in c.entries.items() if e.own and n != "floor"}
    other = "".join(f"; {label} computes {what}" for label, what in own.items())
    return "\n".join([f"{OPERATIONS[operation]}, {dtype}:", "", table(head, rows), "", f"{largest}{other}."])


def _overview(comparisons: Sequence[Comparison], bench: Bench) -> str:
    """Return the README's table: a row for each operation, the milliseconds of each contender."""
    small = [size for size in bench.sizes if size <= SHOWN]
    megapixels = max(small) if small else min(bench.sizes)
    dtype = "uint8" if "uint8" in bench.types else bench.types[0]
    # docs/performance.md shows calls with and without an existing output array separately.
    columns = {
        "edgekit": "fast", "edgekit, `out=`": "fast-out", "edgekit, base path": "base", "OpenCV": "opencv",
        "OpenCV's `filter2D`": "filter2d", "scikit-image": "skimage", "SciPy": "scipy", "kornia": "kornia",
        "pyvips": "pyvips", "copying": "floor",
    }  # fmt: skip
    chosen = [c for c in comparisons if c.facts["megapixels"] == megapixels and c.facts["dtype"] == dtype]
    there = {label: name for label, name in columns.items() if any(name in c.entries for c in chosen)}
    rows = [
        [OPERATIONS[comparison.facts["operation"]]]
        + [number(1e3 * comparison.entries[n].median) if n in comparison.entries else "-" for n in there.values()]
        for comparison in chosen
    ]
    image = f"{megapixels:g} megapixels, {dtype}"
    caption = f"Milliseconds, {image}, median of {bench.runs} interleaved runs, {bench.machine}:"
    return "\n".join([caption, "", table(["operation", *there], rows), *left_out(chosen)])


def _chart(comparisons: Sequence[Comparison], operation: str) -> Chart:
    lines = {
        label: [(c.facts["megapixels"], 1e3 * c.entries[name].median) for c in comparisons if name in c.entries]
        for name, label in _labels(comparisons).items()
    }
    return Chart(f"filter-{operation}", f"{OPERATIONS[operation]}, 8 bits", "megapixels", "milliseconds", lines)
