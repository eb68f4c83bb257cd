"""``edgekit focus``: which image of a focus stack is sharpest, and where between them the peak is."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.options import ENGINE, READING, Place, options
from edgekit.cli.terminal import complain
from edgekit.common.text import printable, unmistakable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.batch.stack import Stack
    from edgekit.focus.search import Peak


@click.command(short_help="Find the peak of a focus stack.")
@click.argument("inputs", type=Place(), nargs=-1, required=True, metavar="STACK...")
@options(("positions", "focus_measure", "plot", *READING, *ENGINE, "force", "json", "quiet", "debug"))
def focus(inputs: tuple[str, ...], **values: Any) -> int:
    """Find the peak of a focus stack, to a fraction of a step.

    STACK is a folder, several images or a glob in quotes, in natural order (2 before 10), a TIFF file with pages, or
    URLs of these. A row for each image is printed, then the peak: its position, and how sure it is. At the first or
    last image it may lie beyond; then go on in that direction. Measures compare images of one scene; tenengrad, the
    energy of the gradient, counts less noise as sharpness than Laplacians do.
    """
    from edgekit.batch.stack import Positions, images_of, measure_stack
    from edgekit.cli.engines import engine_for
    from edgekit.cli.progress import skips
    from edgekit.cli.state_paths import results_of, write_recorded
    from edgekit.common.read_limits import Limits
    from edgekit.errors import ParameterError
    from edgekit.io.stores import path_of

    plot = None if values["plot"] is None else _place_of(path_of(values["plot"]), force=values["force"])
    passed_over: list[Path] = []
    with results_of(quiet=values["quiet"]) as results:
        paths, pages = images_of(inputs, passed_over.append, results)
    positions = Positions(values["positions"])
    measure = values["measure"]
    engine, _ = engine_for(paths, values, named=inputs)
    limits = Limits(values["max_pixels"], values["truncated"])
    stack = measure_stack(paths, pages, measure, positions, engine, limits)
    peak, said = None, ""
    try:
        peak = stack.peak()
        said = _sentence(peak)
    except ParameterError as error:
        said = f"no peak: {error}"
    if values["as_json"]:
        _print_json(stack, measure, peak)
    else:
        _print(stack, measure, said)
    _complain(stack, skips(len(passed_over), results.left_out), quiet=values["quiet"])
    if plot is not None:
        from edgekit.report.focus_plot import draw

        write_recorded(draw(stack.rows, measure, peak, said, plot.suffix), plot, "plot")
    return 1 if peak is None or any(r.status == "failed" for r in stack.rows) else 0


def _place_of(path: Path, *, force: bool) -> Path:
    """Return where the drawing goes, or raise what stands in its way."""
    from edgekit.errors import OutputError
    from edgekit.report.focus_plot import check

    check(path.suffix)
    if path.exists() and not force:
        raise OutputError(f"{path}: there is a file already; name another, or use --force")
    return path


def _sentence(peak: "Peak") -> str:
    sure = f"confidence {peak.confidence:.2f}"
    match peak.status:
        case "none":
            return "no peak: the scores are flat, noise, or several peaks"
        case "start":
            return f"peak at the start or before it, {peak.position:.6g}, {sure}: go on below"
        case "end":
            return f"peak at the end or beyond it, {peak.position:.6g}, {sure}: go on above"
    if not peak.error:
        return f"peak at {peak.position:.6g}, {sure}"
    # As many digits as the error has.
    places = min(max(0, 1 - math.floor(math.log10(peak.error))), 9)
    return f"peak at {peak.position:.{places}f} ± {peak.error:.{places}f}, {sure}"


def _print(stack: "Stack", measure: str, said: str) -> None:
    width = max(10, len(measure))
    click.echo(f"{'position':>10}  {measure:>{width}}  file")
    for row in stack.rows:
        score = "-" if math.isnan(row.score) else f"{row.score:.6g}"
        mark = "" if row.status == "ok" else f"  {row.status}"
        click.echo(f"{row.position:>10.6g}  {score:>{width}}  {printable(unmistakable(row.name))}{mark}")
    click.echo(said)


def _print_json(stack: "Stack", measure: str, peak: "Peak | None") -> None:
    import json
    from dataclasses import asdict

    record = {
        "measure": measure,
        "images": [_without_nan(row._asdict()) for row in stack.rows],
        "left_out": stack.left_out,
        "peak": None if peak is None else _without_nan(asdict(peak)),
    }
    click.echo(json.dumps(record))


def _without_nan(record: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}


def _complain(stack: "Stack", skipped: "Sequence[tuple[int, str]]", *, quiet: bool) -> None:
    """Name what failed; say what was skipped, and what of the images did not count."""
    for row in stack.rows:
        if row.status == "failed":
            complain(row.reason)
    if not stack.rows:
        complain("no images found")
    if quiet:
        return
    for n, what in skipped:
        complain(f"{n} {what}")
    if stack.left_out:
        complain(f"{stack.left_out:.0%} of the picture left out: burnt in one of the images")
