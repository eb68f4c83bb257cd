"""Contests as Markdown. May import contest."""

from collections.abc import Sequence

from benchmarks.contest import Contest, Spread, spread


def number(value: float) -> str:
    """Return three digits, more before the point, and two where there are none before it but zeros."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    if 0 < abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def between(spread: Spread) -> str:
    """Return the quartiles."""
    return f"{number(spread.low)} to {number(spread.high)}"


def times(contest: Contest, name: str, other: str) -> str:
    """Return a ratio with its quartiles."""
    ratio = contest.ratio(name, other)
    return f"{number(ratio.median)} ({number(ratio.low)} to {number(ratio.high)})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are numbers."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    cells = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)])


def detail(contest: Contest, unit: str = "ms") -> str:
    """Return a contest with a row for each contender."""
    scale = {"s": 1, "ms": 1e3, "µs": 1e6}[unit]
    references = contest.compared()
    peaks = any(entry.peak for entry in contest.entries.values())
    head = ["contender", unit, "quartiles"]
    head += [f"times {plain(contest.entries[name].label)}" for name in references]
    head += ["largest process, MiB"] * peaks + ["largest difference, or what else it computes"]
    rows = []
    for name, entry in contest.entries.items():
        scaled = Spread(*(scale * value for value in spread(entry.seconds)))
        row = [entry.label, number(scaled.median), between(scaled)]
        row += [times(contest, name, other) for other in references]
        row += [number(entry.peak or 0)] * peaks
        rows.append([*row, entry.own or ("-" if entry.difference is None else f"{entry.difference:.1g}")])
    return "\n".join([f"{contest.title}:", "", table(head, rows), *left_out([contest])])


def plain(label: str) -> str:
    """Return a label short enough for the head of a column."""
    return label.partition(":")[0].partition(",")[0].partition(" (")[0]


def left_out(contests: Sequence[Contest]) -> list[str]:
    """Return who was left out, and why, each once."""
    reasons = {label: reason for contest in contests for label, reason in contest.left_out.items()}
    return ["", "Left out: " + "; ".join(f"{k}: {v}" for k, v in reasons.items()) + "."] if reasons else []
