"""A drawing of how a kernel was learned. Needs Matplotlib, of the extra ``plot``; may import learn and below."""

import io

import numpy as np

from edgekit.learn import KernelFit

_BLUE = "#0072b2"


def draw(fit: KernelFit, said: str, ending: str) -> bytes:
    """Draw the loss over the steps, and the taps; return the file's content.

    Parameters
    ----------
    fit : KernelFit
        What was learned.
    said : str
        The title.
    ending : str
        As `edgekit.report.focus_plot.check` knows it.
    """
    # Without pyplot: no window, and the host's settings stay as they are.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    figure.suptitle(said)
    curve, table = figure.subplots(1, 2, width_ratios=(3, 2))
    curve.semilogy(np.maximum(fit.history, np.finfo(float).tiny), "o-", color=_BLUE, lw=1, ms=4)
    curve.set(xlabel="step", ylabel="mean squared error")
    curve.grid(alpha=0.3)
    reach = float(np.abs(fit.taps).max()) or 1.0
    table.imshow(fit.taps, cmap="RdBu_r", vmin=-reach, vmax=reach)
    table.set(xticks=[], yticks=[], title="taps")
    if fit.taps.size <= 49:
        for (i, j), tap in np.ndenumerate(fit.taps):
            said_tap = f"{tap + 0.0:.3g}" if fit.determined[i, j] else "?"
            dark = abs(tap) > 0.6 * reach
            table.text(j, i, said_tap, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    content = io.BytesIO()
    figure.savefig(content, format=ending[1:].lower())
    return content.getvalue()
