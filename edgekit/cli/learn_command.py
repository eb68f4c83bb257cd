"""``edgekit learn``: the kernel that turns one picture into another."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.options import READING, options
from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.learn import KernelFit


@click.command(short_help="Learn a kernel from a picture before and after.")
@options((
    "before", "after", *READING, "kernel_size", "border", "steps", "device", "kernel_file", "loss_plot",
    "force", "json", "quiet", "debug",
))  # fmt: skip
def learn(inputs: tuple[str, ...], targets: tuple[str, ...], **values: Any) -> int:
    """Learn the kernel that filters one picture into another, by gradient descent.

    \b
      edgekit sobel a.png --angle 0 --depth float -o b.tif
      edgekit learn --input a.png --target b.tif -o kernel.json
      edgekit filter c.png --kernel kernel.json

    Colour counts by its luminance. Each tap is printed with its standard error; a question mark stands where the
    pictures do not determine it, as on flat ground. The share of the target that the kernel explains tells whether
    any kernel can do what was done. Needs torch.
    """
    from edgekit.cli.progress import open_bar
    from edgekit.errors import ImageError, ParameterError
    from edgekit.io import read_image
    from edgekit.io.stores import path_of
    from edgekit.learn import fit_kernel

    if len(inputs) != len(targets):
        raise ParameterError(f"each --input needs its --target; found {len(inputs)} and {len(targets)}")
    kernel = _place_of(path_of(values["output"]), ".json", force=values["force"])
    plot = None if values["plot"] is None else path_of(values["plot"])
    if plot is not None:
        from edgekit.report.focus_plot import check

        check(plot.suffix)
        plot = _place_of(plot, plot.suffix, force=values["force"])
    limits = {name: values[name] for name in READING}
    try:
        before, after = ([read_image(name, **limits) for name in names] for names in (inputs, targets))
    except ImageError as error:
        complain(error)
        return 1
    bar = open_bar(values["steps"], quiet=values["quiet"] or values["as_json"], unit="step")
    fit = fit_kernel(
        before, after, size=values["size"], border=values["border"], steps=values["steps"], device=values["device"],
        progress=None if bar is None else lambda step, loss: bar.update(),
    )  # fmt: skip
    if bar is not None:
        bar.close()

    from edgekit.cli.state_paths import write_recorded
    from edgekit.io.writing import place

    place(json.dumps(_record(fit)).encode(), kernel)
    click.echo(json.dumps(_record(fit)) if values["as_json"] else _table(fit))
    if plot is not None:
        from edgekit.report.learning_plot import draw

        write_recorded(draw(fit, _sentence(fit), plot.suffix), plot, "plot")
    if not values["quiet"]:
        _complain(fit, values["steps"])
    return 0


def _place_of(path: Path, ending: str, *, force: bool) -> Path:
    """Return where a file goes, or raise what stands in its way."""
    from edgekit.errors import OutputError, ParameterError

    if path.suffix.lower() != ending.lower():
        raise ParameterError(f"cannot write {path.suffix or 'a file without an ending'!r}; name a {ending} file")
    if path.exists() and not force:
        raise OutputError(f"{path}: there is a file already; name another, or use --force")
    return path


def _sentence(fit: "KernelFit") -> str:
    return f"{fit.explained:.2%} of the target explained, by {len(fit.history) - 1} steps"


def _table(fit: "KernelFit") -> str:
    cells = [
        [f"{t + 0.0:.6g} ± {e:.1g}" if d else "?" for t, e, d in zip(*lines, strict=True)]
        for lines in zip(fit.taps, fit.errors, fit.determined, strict=True)
    ]
    width = max(len(c) for line in cells for c in line)
    table = "\n".join("  " + "  ".join(c.rjust(width) for c in line) for line in cells)
    return f"{table}\n{_sentence(fit)}; condition {fit.condition:.3g}"


def _record(fit: "KernelFit") -> dict[str, Any]:
    """Return what JSON can hold; `edgekit filter` reads the taps."""
    return {
        "taps": fit.taps.tolist(),
        "errors": [[float(e) if math.isfinite(e) else None for e in line] for line in fit.errors],
        "explained": fit.explained if math.isfinite(fit.explained) else None,
        "condition": fit.condition if math.isfinite(fit.condition) else None,
        "status": fit.status,
        "steps": len(fit.history) - 1,
        "loss": fit.history[-1],
        "pixels": fit.pixels,
    }


def _complain(fit: "KernelFit", steps: int) -> None:
    """Say where the result is not to be relied on."""
    lost = int((~fit.determined).sum())
    if lost:
        complain(
            f"{lost} of {fit.taps.size} taps are not determined by these pictures: other kernels do as well. "
            "Give pictures with more texture, or a smaller --size"
        )
    if fit.explained < 0.9:
        complain(
            "no kernel of this size does what was done: absolute values, magnitudes and clipping are no "
            "kernel's work (write targets by --angle and --depth float), or --size is too small"
        )
    if fit.status == "limit":
        complain(f"the loss was still falling after {steps} steps; give more --steps")
