"""``edgekit focus``: which image of a focus stack is sharpest, and where between them the peak is."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import BATCH, ENGINE, OUTPUT, READING, inputs_argument, options
from edgekit.cli.terminal import complain
from edgekit.common.escaping import escape_controls, unambiguous_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.batch.stack import Stack
    from edgekit.focus.search import Peak


@command(
    "focus", "Find the position of best focus in a focus stack.",
    "edgekit focus stack/",
    "edgekit focus stack.tif --positions z.txt --plot focus.png",
)  # fmt: skip
@inputs_argument("STACK...")
@options(
    "focus",
    {
        "Input and output": ("files_from", "positions", "plot", "force"),
        "Measurement": ("measure",),
        "Reading": READING,
        "Batch": BATCH,
        MESSAGES: OUTPUT,
        "Engine": ENGINE,
    },
)
def focus(inputs: tuple[str, ...], **values: Any) -> int:
    """Find the position of best focus in a focus stack, to a fraction of a step.

    STACK is a folder, several images or a glob in quotes, in natural order (2 before 10), a TIFF file with several
    pages, or URLs of these.

    The command prints the measure of each image, then the peak: its position, standard error and confidence. If the
    peak is at the first or last image, the best focus may lie beyond it. tenengrad, the energy of the gradient, is
    less sensitive to noise than measures that use the Laplacian. Pixels that are saturated in any image are left out.
    """
    from edgekit.batch.stack import Positions, images_of, measure_stack
    from edgekit.cli.engines import engine_for
    from edgekit.cli.output import skipped_counts
    from edgekit.cli.state_paths import open_results, write_logged
    from edgekit.common.read_options import ReadOptions
    from edgekit.errors import ParameterError
    from edgekit.io.stores import path_of

    plot = None if values["plot"] is None else _plot_path(path_of(values["plot"]), force=values["force"])
    skipped: list[Path] = []
    with open_results(quiet=values["quiet"]) as results:
        paths, pages = images_of(inputs, skipped.append, results)
    positions = Positions(values["positions"])
    measure = values["measure"]
    engine, _ = engine_for(paths, values, paths=inputs)
    read_options = ReadOptions(**{k: values[k] for k in READING})
    stack = measure_stack(paths, pages, measure, positions, engine, read_options)
    peak = None
    try:
        peak = stack.peak()
        result = _describe(peak)
    except ParameterError as error:
        result = f"no peak: {error}"
    if values["as_json"]:
        _print_json(stack, measure, peak)
    else:
        _print(stack, measure, result)
    _print_messages(stack, skipped_counts(len(skipped), results.left_out), quiet=values["quiet"])
    if plot is not None:
        from edgekit.report.focus_plot import draw

        write_logged(draw(stack.images, measure, peak, result, plot.suffix), plot, "plot")
    return 1 if peak is None or any(image.status == "failed" for image in stack.images) else 0


def _plot_path(path: Path, *, force: bool) -> Path:
    """Return the path of the plot; raise if it cannot be drawn or must not be written."""
    from edgekit.errors import OutputError
    from edgekit.report.focus_plot import check

    check(path.suffix)
    if path.exists() and not force:
        raise OutputError(f"{path}: the file exists already; choose another name, or use --force")
    return path


def _describe(peak: "Peak") -> str:
    """Return the peak as a sentence."""
    confidence = f"confidence {peak.confidence:.2f}"
    match peak.status:
        case "none":
            return "no peak: the scores are flat, noise, or several peaks"
        case "start":
            return f"peak at the start or before it, {peak.position:.6g}, {confidence}: continue below it"
        case "end":
            return f"peak at the end or beyond it, {peak.position:.6g}, {confidence}: continue above it"
    if not peak.error:
        return f"peak at {peak.position:.6g}, {confidence}"
    # As many digits as the error.
    digits = min(max(0, 1 - math.floor(math.log10(peak.error))), 9)
    return f"peak at {peak.position:.{digits}f} ± {peak.error:.{digits}f}, {confidence}"


def _print(stack: "Stack", measure: str, result: str) -> None:
    width = max(10, len(measure))
    click.echo(f"{'position':>10}  {measure:>{width}}  file")
    for image in stack.images:
        score = "-" if math.isnan(image.score) else f"{image.score:.6g}"
        mark = "" if image.status == "ok" else f"  {image.status}"
        click.echo(f"{image.position:>10.6g}  {score:>{width}}  {escape_controls(unambiguous_path(image.name))}{mark}")
    click.echo(result)


def _print_json(stack: "Stack", measure: str, peak: "Peak | None") -> None:
    import json
    from dataclasses import asdict

    record = {
        "measure": measure,
        "images": [_without_nan(image._asdict()) for image in stack.images],
        "left_out": stack.left_out,
        "peak": None if peak is None else _without_nan(asdict(peak)),
    }
    click.echo(json.dumps(record))


def _without_nan(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record for JSON, which has no NaN."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}


def _print_messages(stack: "Stack", skipped: "Sequence[tuple[int, str]]", *, quiet: bool) -> None:
    """Print which images failed, which files were skipped, and the share of excluded pixels."""
    for image in stack.images:
        if image.status == "failed":
            complain(image.reason)
    if not stack.images:
        complain("no images found")
    if quiet:
        return
    for n, what in skipped:
        complain(f"{n} {what}")
    if stack.left_out:
        complain(f"{stack.left_out:.0%} of the pixels were left out: they are saturated in one of the images")
