"""A plot of how a kernel was learned. Needs Matplotlib, of the extra ``plot``; may import learn and below."""

import io

import numpy as np

from edgekit.learn import KernelFit

_BLUE = "#0072b2"


def draw(fit: KernelFit, title: str, ending: str) -> bytes:
    """Plot the loss over the steps, and the kernel; return the content of the file.

    Parameters
    ----------
    fit : KernelFit
        The learned kernel.
    title : str
        Title of the plot.
    ending : str
        One of `edgekit.report.focus_plot.ENDINGS`.
    """
    # Not pyplot, which would open windows and change global settings.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    figure.suptitle(title)
    curve, table = figure.subplots(1, 2, width_ratios=(3, 2))
    curve.semilogy(np.maximum(fit.history, np.finfo(float).tiny), "o-", color=_BLUE, lw=1, ms=4)
    curve.set(xlabel="step", ylabel="mean squared error")
    curve.grid(alpha=0.3)
    limit = float(np.abs(fit.kernel).max()) or 1.0
    table.imshow(fit.kernel, cmap="RdBu_r", vmin=-limit, vmax=limit)
    table.set(xticks=[], yticks=[], title="kernel")
    if fit.kernel.size <= 49:
        for (i, j), value in np.ndenumerate(fit.kernel):
            text = f"{value + 0.0:.3g}" if fit.determined[i, j] else "?"
            dark = abs(value) > 0.6 * limit
            table.text(j, i, text, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    content = io.BytesIO()
    figure.savefig(content, format=ending[1:].lower())
    return content.getvalue()
