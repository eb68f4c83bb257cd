"""Filters in memory: edgekit beside the libraries, by operation, type and size."""

from collections.abc import Sequence

from benchmarks.contest import Contest, compete
from benchmarks.filters import OPERATIONS, works
from benchmarks.plots import Chart
from benchmarks.report import Bench, Outcome
from benchmarks.tables import left_out, number, table, times

#: The README shows 8 bits, and of the sizes the largest up to this one.
SHOWN = 8.0


def run(bench: Bench) -> Outcome:
    """Measure all operations on all images."""
    contests = [
        compete(work, bench.fleet, bench.runs)
        for work in works(list(bench.operations), list(bench.types), list(bench.sizes))
    ]
    blocks = "\n\n".join(
        _sizes(chosen, operation, dtype)
        for operation in bench.operations
        for dtype in bench.types
        if (chosen := _chosen(contests, operation, dtype))
    )
    blocks = "\n".join([blocks, *left_out(contests)])
    charts = [_chart(chosen, op) for op in bench.operations if (chosen := _chosen(contests, op, "uint8"))]
    return Outcome(contests, {"filter": blocks}, {"filters": _overview(contests, bench)}, charts)


def _chosen(contests: Sequence[Contest], operation: str, dtype: str) -> list[Contest]:
    return [c for c in contests if c.facts["operation"] == operation and c.facts["dtype"] == dtype]


def _labels(contests: Sequence[Contest]) -> dict[str, str]:
    return {name: entry.label for contest in contests for name, entry in contest.entries.items()}


def _sizes(contests: Sequence[Contest], operation: str, dtype: str) -> str:
    """Return one operation on one type: a row for each contender, three columns for each size."""
    head = ["contender"]
    for contest in contests:
        megapixels = f"{contest.facts['megapixels']:g} MP"
        head += [f"{megapixels}, ms", "times OpenCV", "times copying"]
    rows = []
    for name, label in _labels(contests).items():
        row = [label]
        for contest in contests:
            ratios = (times(contest, name, other) for other in ("opencv", "floor"))
            row += [number(1e3 * contest.entries[name].median), *ratios] if name in contest.entries else ["-"] * 3
        rows.append(row)
    differences = [e.difference for c in contests for e in c.entries.values() if e.difference is not None]
    largest = f"Largest difference from OpenCV: {max(differences):.1g}; allowed: {contests[0].facts['tolerance']:.1g}"
    own = {e.label: e.own for c in contests for n, e in c.entries.items() if e.own and n != "floor"}
    other = "".join(f"; {label} computes {what}" for label, what in own.items())
    return "\n".join([f"{OPERATIONS[operation]}, {dtype}:", "", table(head, rows), "", f"{largest}{other}."])


def _overview(contests: Sequence[Contest], bench: Bench) -> str:
    """Return the README's table: a row for each operation, the milliseconds of each contender."""
    small = [size for size in bench.sizes if size <= SHOWN]
    megapixels = max(small) if small else min(bench.sizes)
    dtype = "uint8" if "uint8" in bench.types else bench.types[0]
    # What takes arrays that are there is told from what makes new ones in docs/performance.md.
    columns = {
        "edgekit": "fast", "edgekit, `out=`": "fast-out", "edgekit, base path": "base", "OpenCV": "opencv",
        "OpenCV's `filter2D`": "filter2d", "scikit-image": "skimage", "SciPy": "scipy", "kornia": "kornia",
        "pyvips": "pyvips", "copying": "floor",
    }  # fmt: skip
    chosen = [c for c in contests if c.facts["megapixels"] == megapixels and c.facts["dtype"] == dtype]
    there = {label: name for label, name in columns.items() if any(name in c.entries for c in chosen)}
    rows = [
        [OPERATIONS[contest.facts["operation"]]]
        + [number(1e3 * contest.entries[n].median) if n in contest.entries else "-" for n in there.values()]
        for contest in chosen
    ]
    image = f"{megapixels:g} megapixels, {dtype}"
    caption = f"Milliseconds, {image}, median of {bench.runs} runs in turns, {bench.machine}:"
    return "\n".join([caption, "", table(["operation", *there], rows), *left_out(chosen)])


def _chart(contests: Sequence[Contest], operation: str) -> Chart:
    lines = {
        label: [(c.facts["megapixels"], 1e3 * c.entries[name].median) for c in contests if name in c.entries]
        for name, label in _labels(contests).items()
    }
    return Chart(f"filter-{operation}", f"{OPERATIONS[operation]}, 8 bits", "megapixels", "milliseconds", lines)
