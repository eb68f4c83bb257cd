"""``edgekit learn``: fits the kernel that turns one image into another."""

import json
import math
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import OUTPUT, options
from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.learn import KernelFit

_READ_OPTIONS = ("max_pixels", "truncated")

_GROUPS = {
    "Input and output": ("input", "target", "output", "plot", "force", *_READ_OPTIONS),
    "Filter": ("size", "border"),
    "Optimization": ("steps", "device"),
    MESSAGES: OUTPUT,
}


@command(
    "learn", "Learn a kernel from an image before and after filtering.",
    "edgekit sobel a.png --angle 0 --depth float -o b.tif",
    "edgekit learn --input a.png --target b.tif -o kernel.json",
    "edgekit filter c.png --kernel kernel.json",
)  # fmt: skip
@options("learn", _GROUPS)
def learn(inputs: tuple[str, ...], targets: tuple[str, ...], **values: Any) -> int:
    """Learn the kernel that filters one image into another, by minimizing the squared error. Needs PyTorch.

    The command prints each coefficient with its standard error. A question mark means that the images do not determine
    the coefficient, because they have too little texture. It also prints how much of the target the kernel explains: a
    low value means that no kernel of this size computes the target from the input. Colour images are converted to
    luminance.
    """
    from edgekit.batch.progress import Progress, is_terminal
    from edgekit.cli.state_paths import new_file, write_logged
    from edgekit.errors import ImageError, ParameterError
    from edgekit.io import read_image
    from edgekit.io.stores import path_of
    from edgekit.learn import fit_kernel

    if len(inputs) != len(targets):
        raise ParameterError(f"each --input needs its --target; found {len(inputs)} and {len(targets)}")
    kernel = new_file(path_of(values["output"]), (".json",), force=values["force"])
    plot = None if values["plot"] is None else path_of(values["plot"])
    if plot is not None:
        from edgekit.report.focus_plot import ENDINGS, check

        check(plot.suffix)
        plot = new_file(plot, ENDINGS, force=values["force"])
    read_options = {name: values[name] for name in _READ_OPTIONS}
    try:
        before, after = ([read_image(name, **read_options) for name in names] for names in (inputs, targets))
    except ImageError as error:
        complain(error)
        return 1
    bar = Progress(shown=is_terminal() and not (values["quiet"] or values["as_json"]), unit="step")
    bar.listed(values["steps"], complete=True)
    fit = fit_kernel(
        before, after, size=values["size"], border=values["border"], steps=values["steps"], device=values["device"],
        progress=lambda step, loss: bar.advance(),
    )  # fmt: skip
    bar.close()

    from edgekit.io.writing import write_atomic

    content = json.dumps(_as_json(fit))
    write_atomic(content.encode(), kernel)
    click.echo(content if values["as_json"] else _as_text(fit))
    if plot is not None:
        from edgekit.report.learning_plot import draw

        write_logged(draw(fit, _summary(fit), plot.suffix), plot, "plot")
    if not values["quiet"]:
        _warn(fit, values["steps"])
    return 0


def _summary(fit: "KernelFit") -> str:
    return f"{fit.explained:.2%} of the target explained, by {len(fit.history) - 1} steps"


def _as_text(fit: "KernelFit") -> str:
    cells = [
        [f"{value + 0.0:.6g} ± {error:.1g}" if known else "?" for value, error, known in zip(*rows, strict=True)]
        for rows in zip(fit.kernel, fit.errors, fit.determined, strict=True)
    ]
    width = max(len(cell) for row in cells for cell in row)
    table = "\n".join("  " + "  ".join(cell.rjust(width) for cell in row) for row in cells)
    return f"{table}\n{_summary(fit)}; condition {fit.condition:.3g}"


def _as_json(fit: "KernelFit") -> dict[str, Any]:
    """Return the fit for JSON, which has no NaN or infinity. `edgekit filter` reads "taps"."""
    return {
        "taps": fit.kernel.tolist(),
        "errors": [[float(e) if math.isfinite(e) else None for e in row] for row in fit.errors],
        "explained": fit.explained if math.isfinite(fit.explained) else None,
        "condition": fit.condition if math.isfinite(fit.condition) else None,
        "status": fit.status,
        "steps": len(fit.history) - 1,
        "loss": fit.history[-1],
        "pixels": fit.pixels,
    }


def _warn(fit: "KernelFit", steps: int) -> None:
    """Print why the result may not be reliable."""
    unknown = int((~fit.determined).sum())
    if unknown:
        complain(
            f"the images do not determine {unknown} of {fit.kernel.size} coefficients: other values fit as well. "
            "Use images with more texture, or a smaller --size"
        )
    if fit.explained < 0.9:
        complain(
            "no kernel of this size explains the target. Absolute values, magnitudes and clipping cannot be learned: "
            "write the target with --angle and --depth float. Or the --size is too small"
        )
    if fit.status == "limit":
        complain(f"the loss was still falling after {steps} steps; use more --steps")
