"""Draws precision over recall for edge_detection.py, with lines of equal F and published results."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evaluation.boundary_measure import Agreement, harmonic

#: Inches and dots per inch: 1080 pixels wide.
SIZE, DOTS = (9, 9.4), 120

FAINT, PAPER, GRID = "#59636e", "#ffffff", "#d8dee4"

#: Okabe and Ito's colours, which colour-blind people can distinguish. Instead of the yellow, which is hardly visible on
#: white, there is a brown.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C510A")


class Published(NamedTuple):
    """A published ODS on the test images of the Berkeley Segmentation Data Set."""

    name: str
    ods: float
    source: str


PUBLISHED = (
    Published("people", 0.80, "10.1109/TPAMI.2010.161"),
    Published("gPb-owt-ucm", 0.73, "10.1109/TPAMI.2010.161"),
    Published("SCO", 0.67, "10.1109/TIP.2015.2425538"),
    Published("Canny", 0.60, "10.1109/TPAMI.2010.161"),
)


def draw(curves: Sequence[tuple[str, Agreement, Agreement | None]], path: Path) -> None:
    """Draw curves of (label, original photographs, darkened photographs) into a PNG file."""
    figure = Figure(figsize=SIZE, dpi=DOTS, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot()
    for tenth in range(1, 10):
        draw_equal(axes, tenth / 10, GRID, "-")
    for row in PUBLISHED:
        draw_equal(axes, row.ods, FAINT, ":", f"{row.name} {row.ods:.2f}")
    for i, (label, light, dark) in enumerate(curves):
        colour = COLOURS[i % len(COLOURS)]
        draw_curve(axes, light, colour, "-", f"{light.ods:.3f}  {label.replace('`', '')}")
        if dark:
            draw_curve(axes, dark, colour, "--", f"{dark.ods:.3f}  in the dark")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="recall", ylabel="precision", aspect="equal")
    axes.legend(loc="lower left", title="ODS", alignment="left", framealpha=0.95)
    sources = "; ".join(dict.fromkeys(f"doi:{row.source}" for row in PUBLISHED))
    figure.supxlabel(
        f"Gray: equal F, from 0.1 to 0.9. Dotted: published ODS on the test photographs of BSDS500,\n{sources}",
        size=9, color=FAINT,
    )  # fmt: skip
    FigureCanvasAgg(figure).print_png(str(path))


def draw_curve(axes: Axes, agreement: Agreement, colour: str, style: str, label: str) -> None:
    """Draw one curve, and a dot where F is best."""
    # Precision is undefined where nothing is found.
    shown = (agreement.precision > 0) & (agreement.recall > 0)
    precision, recall = agreement.precision[shown], agreement.recall[shown]
    axes.plot(recall, precision, style, color=colour, label=label, linewidth=1.8)
    if shown.any():
        best = harmonic(precision, recall).argmax()
        axes.plot(recall[best], precision[best], "o", color=colour, markersize=6)


def draw_equal(axes: Axes, f: float, colour: str, style: str, label: str = "") -> None:
    """Draw lines of equal F: precision = F R / (2 R - F)."""
    recall = np.linspace(f / (2 - f), 1, 200)
    axes.plot(recall, f * recall / (2 * recall - f), style, color=colour, linewidth=1.1, zorder=1)
    # Labels are at the upper edge, where the line begins.
    if label:
        axes.annotate(
            label, (f / (2 - f), 1), (0, 3), textcoords="offset points", rotation=35, size=9, color=FAINT,
            annotation_clip=False,
        )  # fmt: skip
