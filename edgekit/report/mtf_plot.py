"""A plot of slanted-edge measurements over their chart. Needs Matplotlib, of the extra ``plot``.

May import `batch` and what is below it.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.display.value_range import range_of
from edgekit.metrology.mtf_result import Mtf

_GRAY = "#b00020"

#: Largest number of regions whose curves are named in the legend one by one.
_NAMED = 12


def draw(image: Any, results: Sequence[Mtf], pitch: float | None, title: str, ending: str) -> bytes:
    """Draw the regions over the chart with their MTF50, and their MTF by frequency; return the content of the file.

    Parameters
    ----------
    image : ndarray
        The chart, (H, W) or (H, W, 3).
    results : sequence of Mtf
        Of one channel.
    pitch : float, optional
        Distance of neighbouring pixels in micrometres, for a second axis in cycles per millimetre.
    title : str
        Title of the plot.
    ending : str
        One of `edgekit.report.focus_plot.ENDINGS`.
    """
    # Not pyplot, which would open windows and change global settings.
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(13, 5.5), dpi=120, layout="constrained")
    figure.suptitle(title)
    chart, curves = figure.subplots(1, 2, width_ratios=(6, 5))
    low, high = range_of(image)
    chart.imshow(np.clip((image - low) / ((high - low) or 1), 0, 1), cmap="gray", vmin=0, vmax=1)
    chart.set(xticks=[], yticks=[])
    known = [result.mtf50 for result in results if np.isfinite(result.mtf50)]
    least, most = (min(known), max(known)) if known else (0.0, 1.0)
    for number, result in enumerate(results, 1):
        x, y, width, height = result.region
        share = (result.mtf50 - least) / ((most - least) or 1)
        good = result.status == "ok" and np.isfinite(share)
        colour = colormaps["viridis"](share) if good else _GRAY
        chart.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec=colour, lw=1.5))
        label = f"{number}: {result.mtf50:.3f}" if good else f"{number}: {result.status}"
        box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
        chart.text(x + width / 2, y + height / 2, label, ha="center", va="center", fontsize=7, color="black", bbox=box)
        if good:
            name = label if len(results) <= _NAMED else None
            curves.plot(result.frequency, result.mtf, color=colour, lw=1.2, label=name)
            error = result.mtf_error
            curves.fill_between(result.frequency, result.mtf - error, result.mtf + error, color=colour, alpha=0.2, lw=0)
    chart.set_title("MTF50 in cycles per pixel", fontsize=10)
    curves.axhline(0.5, color="0.5", lw=0.8, ls=":")
    curves.axvline(0.5, color="0.5", lw=0.8, ls=":")
    top = max([1.05, *(1.05 * float(result.mtf.max()) for result in results if result.mtf.size)])
    curves.set(xlabel="cycles per pixel, along the normal of the edge", ylabel="MTF", xlim=(0, 1), ylim=(0, top))
    if pitch is not None:
        above = curves.secondary_xaxis("top", functions=(lambda f: f * 1000 / pitch, lambda f: f * pitch / 1000))
        above.set_xlabel("cycles per millimetre")
    if known and len(results) <= _NAMED:
        curves.legend(fontsize=8)
    curves.grid(alpha=0.3)
    content = io.BytesIO()
    figure.savefig(content, format=ending[1:].lower())
    return content.getvalue()
