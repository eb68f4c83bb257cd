"""Comparisons as Markdown. Imports `comparison`."""

from collections.abc import Sequence

from benchmarks.harness.comparison import Comparison, Spread, spread


def number(value: float) -> str:
    """Return a number with three digits, with two if it is below 1, and with all digits before the point."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    if 0 < abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def between(spread: Spread) -> str:
    """Return the quartiles."""
    return f"{number(spread.low)} to {number(spread.high)}"


def times(comparison: Comparison, name: str, other: str) -> str:
    """Return a ratio with its quartiles."""
    ratio = comparison.ratio(name, other)
    return f"{number(ratio.median)} ({number(ratio.low)} to {number(ratio.high)})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are numbers."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    cells = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)])


def detail(comparison: Comparison, unit: str = "ms") -> str:
    """Return a comparison with a row for each contender."""
    scale = {"s": 1, "ms": 1e3, "µs": 1e6}[unit]
    references = comparison.compared()
    peaks = any(entry.peak for entry in comparison.entries.values())
    head = ["method", unit, "quartiles"]
    head += [f"relative to {plain(comparison.entries[name].label)}" for name in references]
    head += ["largest process, MiB"] * peaks + ["largest difference, or other result"]
    rows = []
    for name, entry in comparison.entries.items():
        scaled = Spread(*(scale * value for value in spread(entry.seconds)))
        row = [entry.label, number(scaled.median), between(scaled)]
        row += [times(comparison, name, other) for other in references]
        row += [number(entry.peak or 0)] * peaks
        rows.append([*row, entry.own or ("-" if entry.difference is None else f"{entry.difference:.1g}")])
    return "\n".join([f"{comparison.title}:", "", table(head, rows), *left_out([comparison])])


def plain(label: str) -> str:
    """Return a label that is short enough for the head of a column."""
    return label.partition(":")[0].partition(",")[0].partition(" (")[0]


def left_out(comparisons: Sequence[Comparison]) -> list[str]:
    """Return the contenders that were left out with the reasons, each once."""
    reasons = {label: reason for comparison in comparisons for label, reason in comparison.left_out.items()}
    return ["", "Left out: " + "; ".join(f"{k}: {v}" for k, v in reasons.items()) + "."] if reasons else []
