"""A plot of slanted-edge measurements over their chart. Needs Matplotlib, of the extra ``plot``.

May import `batch` and what is below it.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.display.value_range import range_of
from edgekit.metrology.mtf_result import Mtf

#: Colour of regions without an MTF50.
_NO_MTF50 = "#b00020"

#: Largest number of regions whose curves are named in the legend one by one.
_NAMED = 12


def draw(image: Any, results: Sequence[Mtf], pitch: float | None, title: str, ending: str) -> bytes:
    """Draw the regions over the chart with their MTF50, and their MTF by frequency; return the content of the file.

    Parameters
    ----------
    image : ndarray
        The chart, (H, W) or (H, W, 3).
    results : sequence of Mtf
        Of one or several channels. Each channel has a panel with the regions and one with the curves.
    pitch : float, optional
        Distance of neighbouring pixels in micrometres, for a second axis in cycles per millimetre.
    title : str
        Title of the plot.
    ending : str
        One of `edgekit.report.focus_plot.ENDINGS`.
    """
    # Not pyplot, which would open windows and change global settings.
    from matplotlib.figure import Figure

    channels = list(dict.fromkeys(result.channel for result in results))
    figure = Figure(figsize=(13, 5.5 * len(channels)), dpi=120, layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(len(channels), 2, width_ratios=(6, 5), squeeze=False)
    for (chart, curves), channel in zip(panels, channels, strict=True):
        found = [result for result in results if result.channel == channel]
        colours = _colours(found)
        _draw_regions(chart, image, found, colours)
        chart.set_title(f"MTF50 of {channel} in cycles per pixel", fontsize=10)
        _draw_curves(curves, found, colours, pitch)
    content = io.BytesIO()
    figure.savefig(content, format=ending[1:].lower())
    return content.getvalue()


def _colours(results: Sequence[Mtf]) -> list[Any]:
    """Return a colour for each result by its MTF50."""
    from matplotlib import colormaps

    known = [result.mtf50 for result in results if np.isfinite(result.mtf50)]
    least, most = (min(known), max(known)) if known else (0.0, 1.0)
    places = [(result.mtf50 - least) / ((most - least) or 1) for result in results]
    return [colormaps["viridis"](place) if np.isfinite(place) else _NO_MTF50 for place in places]


def _draw_regions(axes: Any, image: Any, results: Sequence[Mtf], colours: Sequence[Any]) -> None:
    from matplotlib.patches import Rectangle

    low, high = range_of(image)
    axes.imshow(np.clip((image - low) / ((high - low) or 1), 0, 1), cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
    for number, (result, colour) in enumerate(zip(results, colours, strict=True), 1):
        x, y, width, height = result.region
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec=colour, lw=1.5))
        middle = (x + width / 2, y + height / 2)
        axes.text(*middle, _label(number, result), ha="center", va="center", fontsize=7, color="black", bbox=box)


def _draw_curves(axes: Any, results: Sequence[Mtf], colours: Sequence[Any], pitch: float | None) -> None:
    for number, (result, colour) in enumerate(zip(results, colours, strict=True), 1):
        if result.status != "ok":
            continue
        frequency, mtf, error = result.frequency, result.mtf, result.mtf_error
        axes.plot(frequency, mtf, color=colour, lw=1.2, label=_label(number, result))
        axes.fill_between(frequency, mtf - error, mtf + error, color=colour, alpha=0.2, lw=0)
    axes.axhline(0.5, color="0.5", lw=0.8, ls=":")
    axes.axvline(0.5, color="0.5", lw=0.8, ls=":")
    top = max([1.05, *(1.05 * float(result.mtf.max()) for result in results if result.mtf.size)])
    axes.set(xlabel="cycles per pixel, along the normal of the edge", ylabel="MTF", xlim=(0, 1), ylim=(0, top))
    if pitch is not None:
        above = axes.secondary_xaxis("top", functions=(lambda f: f * 1000 / pitch, lambda f: f * pitch / 1000))
        above.set_xlabel("cycles per millimetre")
    if len(results) <= _NAMED and any(result.status == "ok" for result in results):
        axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


def _label(number: int, result: Mtf) -> str:
    if result.status == "ok":
        return f"{number}: {result.mtf50:.3f}" if np.isfinite(result.mtf50) else f"{number}: above 1.5"
    return f"{number}: {result.status}"
