"""A plot of score over position. Needs Matplotlib, of the extra ``plot``; may import batch and what is below it."""

import io
import math
from typing import Any

from edgekit.batch.stack import StackImage
from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError, ParameterError
from edgekit.focus.search import Peak

#: Extensions of the formats of plots.
ENDINGS = (".png", ".svg", ".pdf")

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


def draw(images: list[StackImage], measure: str, peak: Peak | None, title: str, ending: str) -> bytes:
    """Plot the scores of a focus stack and its peak; return the content of the file.

    Parameters
    ----------
    images : list of StackImage
        Images without a score are marked at the lower edge.
    measure : str
        Label of the vertical axis.
    peak : Peak, optional
        From `edgekit.find_peak`.
    title : str
        Title of the plot.
    ending : str
        One of `ENDINGS`.
    """
    # Not pyplot, which would open windows and change global settings.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    pairs = sorted((r.position, r.score) for r in images if math.isfinite(r.score))
    axes.plot([p for p, _ in pairs], [s for _, s in pairs], "o-", color=_BLUE, lw=1, ms=5)
    missing = [r.position for r in images if not math.isfinite(r.score)]
    if missing:
        below = axes.get_xaxis_transform()
        axes.plot(missing, [0.02] * len(missing), "x", color=_RED, transform=below, label="no score")
        axes.legend()
    if peak is not None and peak.status != "none":
        _mark(axes, peak)
    axes.set(xlabel="position", ylabel=measure, title=title)
    axes.grid(alpha=0.3)
    content = io.BytesIO()
    figure.savefig(content, format=ending[1:].lower())
    return content.getvalue()


def _mark(axes: Any, peak: Peak) -> None:
    axes.axvline(peak.position, color=_ORANGE, lw=1.2)
    if peak.error is not None:
        axes.axvspan(peak.position - peak.error, peak.position + peak.error, color=_ORANGE, alpha=0.15, lw=0)
    axes.plot([peak.position], [peak.score], "D", color=_ORANGE, ms=6)
