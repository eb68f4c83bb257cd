"""Draws the measurements. Needs matplotlib."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Inches and dots per inch: 1080 pixels wide.
SIZE, DOTS = (9, 5.6), 120

FAINT, PAPER, GRID = "#59636e", "#ffffff", "#d8dee4"

#: Okabe and Ito's colours without the yellow, which is hardly visible on white; then the same colours with dashed
#: lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("o-", "s--", "^:")


@dataclass(frozen=True)
class Chart:
    """Lines of (x, y) by their labels, or with `bars` a bar for each label."""

    name: str
    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    logarithmic: bool = True
    bars: bool = False


def draw(chart: Chart, folder: Path) -> Path:
    """Draw a chart into a PNG file, and return its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DOTS, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot()
    if chart.bars:
        values = [points[0][1] for points in chart.lines.values()]
        bars = axes.barh([_words(label) for label in chart.lines], values, color=COLOURS[0])
        axes.bar_label(bars, fmt="%.3g", padding=4, color=FAINT)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.grid(axis="x", color=GRID)
        axes.set_xlabel(chart.y)
    else:
        for i, (label, points) in enumerate(chart.lines.items()):
            style, colour = STYLES[i // len(COLOURS) % len(STYLES)], COLOURS[i % len(COLOURS)]
            axes.plot(*zip(*points, strict=True), style, color=colour, label=_words(label), linewidth=1.8, markersize=5)
        if chart.logarithmic:
            axes.set(xscale="log", yscale="log")
            _plain(axes)
        else:
            axes.set_ylim(bottom=0)
        # Ticks are at the measured values.
        axes.set_xticks(sorted({x for points in chart.lines.values() for x, _ in points}))
        axes.set_xticks([], minor=True)
        axes.set(xlabel=chart.x, ylabel=chart.y)
        axes.grid(which="major", color=GRID)
        # Beside the axes, because the lines can be anywhere.
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9)
    axes.set_title(chart.title, loc="left")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{chart.name}.png"
    FigureCanvasAgg(figure).print_png(str(path))
    return path


def _words(label: str) -> str:
    """Return a label without the marks of Markdown."""
    return label.replace("`", "")


def _plain(axes: object) -> None:
    """Write 0.1, 1, 10 instead of powers, and numbers between them if the range is small."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):  # type: ignore[attr-defined]
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
