"""A drawing of score over position. Needs Matplotlib, of the extra ``plot``; may import batch and what is below it."""

import io
import math
from typing import Any

from edgekit.batch.stack import Row
from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError, ParameterError
from edgekit.focus.search import Peak

#: What can be drawn, by the file's ending.
ENDINGS = (".png", ".svg", ".pdf")

_BLUE, _ORANGE, _RED = "#0072b2", "#d55e00", "#b00020"


def check(ending: str) -> None:
    """Raise what stands in the way of drawing, before anything is measured.

    Raises
    ------
    ParameterError
        If no drawing has this ending.
    MissingExtraError
        If Matplotlib is missing.
    """
    if ending.lower() not in ENDINGS:
        raise ParameterError(
            f"cannot draw {ending or 'a file without an ending'!r}; choose one of {', '.join(ENDINGS)}"
        )
    try:
        # Only asked for: it is used when the drawing is made, after all images were read.
        import matplotlib  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingExtraError(f"a drawing needs {error.name}: {install_command('plot')}") from error


def draw(rows: list[Row], measure: str, peak: Peak | None, said: str, ending: str) -> bytes:
    """Draw the scores of a sweep and its peak; return the file's content.

    Parameters
    ----------
    rows : list of Row
        Images that have no score are marked at the lower edge.
    measure : str
        Names the vertical axis.
    peak : Peak, optional
        What `edgekit.find_peak` found.
    said : str
        The title.
    """
    # Without pyplot: no window, and the host's settings stay as they are.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    pairs = sorted((r.position, r.score) for r in rows if math.isfinite(r.score))
    axes.plot([p for p, _ in pairs], [s for _, s in pairs], "o-", color=_BLUE, lw=1, ms=5)
    lost = [r.position for r in rows if not math.isfinite(r.score)]
    if lost:
        below = axes.get_xaxis_transform()
        axes.plot(lost, [0.02] * len(lost), "x", color=_RED, transform=below, label="no score")
        axes.legend()
    if peak is not None and peak.status != "none":
        _mark(axes, peak)
    axes.set(xlabel="position", ylabel=measure, title=said)
    axes.grid(alpha=0.3)
    content = io.BytesIO()
    figure.savefig(content, format=ending[1:].lower())
    return content.getvalue()


def _mark(axes: Any, peak: Peak) -> None:
    axes.axvline(peak.position, color=_ORANGE, lw=1.2)
    if peak.error is not None:
        axes.axvspan(peak.position - peak.error, peak.position + peak.error, color=_ORANGE, alpha=0.15, lw=0)
    axes.plot([peak.position], [peak.score], "D", color=_ORANGE, ms=6)
