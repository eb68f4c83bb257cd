"""Plots of score over position, and of the peaks of tiles. Needs Matplotlib, of the extra ``plot``.

May import `batch` and what is below it.
"""

import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from edgekit.batch.stack import Stack
from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError, ParameterError
from edgekit.focus.field import TilePeaks
from edgekit.focus.search import Peak, fitted_curve

#: Extensions of the formats of plots.
ENDINGS = (".png", ".svg", ".pdf")

#: More panels would not be readable.
MOST_PANELS = 24

_BLUE, _ORANGE, _RED = "#0072b2", "#d55e00", "#b00020"


def check(ending: str) -> None:
    """Check that a plot can be drawn, before anything is measured.

    Raises
    ------
    ParameterError
        If the format is unknown.
    MissingExtraError
        If Matplotlib is missing.
    """
    if ending.lower() not in ENDINGS:
        raise ParameterError(
            f"cannot draw {ending or 'a file without an ending'!r}; choose one of {', '.join(ENDINGS)}"
        )
    try:
        # It is used after all images were read.
        import matplotlib  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingExtraError(f"a plot needs {error.name}: {install_command('plot')}") from error


class Panel(NamedTuple):
    """What is drawn of one stack.

    Attributes
    ----------
    stack : Stack
        Its images; those without a score are marked at the lower edge.
    peak : Peak or None
        None if too few images have a score.
    tiles : TilePeaks or None
        The peaks of tiles, drawn as a map beside the curve.
    sentence : str
        The title.
    """

    stack: Stack
    peak: Peak | None
    tiles: TilePeaks | None
    sentence: str


def draw(panels: Sequence[Panel], ending: str) -> bytes:
    """Plot the scores of focus stacks and their peaks, one panel below the other; return the content of the file.

    Parameters
    ----------
    panels : sequence of Panel
        At most `MOST_PANELS` are drawn; the last title says how many are not.
    ending : str
        One of `ENDINGS`.
    """
    # Not pyplot, which would open windows and change global settings.
    from matplotlib.figure import Figure

    shown = panels[:MOST_PANELS]
    mapped = any(panel.tiles is not None for panel in shown)
    figure = Figure(figsize=(12 if mapped else 8, 4.5 * len(shown)), dpi=120, layout="constrained")
    grid = figure.subplots(len(shown), 1 + mapped, squeeze=False, width_ratios=[3, 2][: 1 + mapped])
    for n, (axes, panel) in enumerate(zip(grid, shown, strict=True)):
        left_out = len(panels) - len(shown) if n == len(shown) - 1 else 0
        _draw_curve(axes[0], panel, f"; {left_out} further stacks are not drawn" if left_out else "")
        if mapped:
            _draw_tiles(figure, axes[1], panel)
    content = io.BytesIO()
    figure.savefig(content, format=ending[1:].lower())
    return content.getvalue()


def _draw_curve(axes: Any, panel: Panel, note: str) -> None:
    """Draw the scores of a stack over the position, the fitted curve, and the peak with its error."""
    stack, peak = panel.stack, panel.peak
    positions, scores = [image.position for image in stack.images], stack.scores()
    pairs = sorted((p, s) for p, s in zip(positions, scores, strict=True) if math.isfinite(s))
    axes.plot([p for p, _ in pairs], [s for _, s in pairs], "o", color=_BLUE, ms=5, label="images")
    missing = [p for p, s in zip(positions, scores, strict=True) if not math.isfinite(s)]
    if missing:
        below = axes.get_xaxis_transform()
        axes.plot(missing, [0.02] * len(missing), "x", color=_RED, transform=below, label="no score")
    if peak is not None and peak.status == "peak":
        reach = 1.5 * (peak.width or (pairs[-1][0] - pairs[0][0]) / 4)
        at = np.linspace(max(pairs[0][0], peak.position - reach), min(pairs[-1][0], peak.position + reach), 200)
        curve = fitted_curve(positions, scores, at)
        inside = curve >= min(s for _, s in pairs)
        axes.plot(at[inside], curve[inside], "-", color=_ORANGE, lw=1.2, label="fitted curve")
    if peak is not None and peak.status != "none":
        _mark(axes, peak)
    unit = stack.planes.unit
    label = f"{stack.request.measure} at equal light" if stack.power else stack.request.measure
    name = stack.planes.name
    axes.set(
        xlabel=f"z in {unit}" if unit else "position", ylabel=label,
        title=f"{name}: {panel.sentence}{note}" if name else f"{panel.sentence}{note}",
    )  # fmt: skip
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")


def _mark(axes: Any, peak: Peak) -> None:
    axes.axvline(peak.position, color=_ORANGE, lw=0.8)
    if peak.error is not None:
        axes.axvspan(
            peak.position - peak.error, peak.position + peak.error, color=_ORANGE, alpha=0.25, lw=0,
            label="standard error",
        )  # fmt: skip
    axes.plot([peak.position], [peak.score], "D", color=_ORANGE, ms=6)


def _draw_tiles(figure: Any, axes: Any, panel: Panel) -> None:
    """Draw the peak of each tile in colours, with the contours of the fitted surface."""
    tiles = panel.tiles
    if tiles is None or 0 in tiles.shape:  # No image could be read.
        axes.set_axis_off()
        return
    rows, columns = tiles.shape
    values = np.reshape(tiles.positions, (tiles.side, tiles.side))
    image = axes.imshow(values, cmap="viridis", extent=(0, columns, rows, 0), interpolation="nearest")
    unit = panel.stack.planes.unit
    if np.isfinite(values).any():
        figure.colorbar(image, ax=axes, label=f"z in {unit}" if unit else "position")
    title = f"{np.isfinite(values).sum()} of {values.size} tiles have a peak"
    if tiles.surface is not None:
        y, x = np.mgrid[-0.5:0.5:60j, -0.5:0.5:60j]
        fitted = tiles.surface.at(x, y)
        if np.ptp(fitted) > tiles.surface.residual:
            lines = axes.contour((x + 0.5) * columns, (y + 0.5) * rows, fitted, colors="white", linewidths=0.8)
            axes.clabel(lines, fontsize="x-small")
        title += f"; {'paraboloid' if tiles.surface.curvature else 'plane'} in white"
    axes.set(title=title, xlabel="x in pixels", ylabel="y in pixels")
