"""What `edgekit focus` prints: the measured images, the peak, the tiles."""

import math
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.terminal import complain
from edgekit.common.escaping import escape_controls, unambiguous_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.batch.stack import Stack
    from edgekit.focus.field import TilePeaks
    from edgekit.focus.search import Peak


def describe(peak: "Peak", unit: str) -> str:
    """Return the peak as a sentence."""
    confidence = f"confidence {peak.confidence:.2f}"
    place, of_unit = ("z = ", f" {escape_controls(unit)}") if unit else ("", "")
    match peak.status:
        case "none":
            return "no peak: the scores are flat, are noise, or have several peaks"
        case "start":
            return f"peak at the start or before it, {peak.position:.6g}{of_unit}, {confidence}: continue below it"
        case "end":
            return f"peak at the end or beyond it, {peak.position:.6g}{of_unit}, {confidence}: continue above it"
    if not peak.error:
        return f"peak at {place}{peak.position:.6g}{of_unit}, {confidence}"
    # As many digits as the error.
    digits = min(max(0, 1 - math.floor(math.log10(peak.error))), 9)
    return f"peak at {place}{peak.position:.{digits}f}{of_unit} ± {peak.error:.{digits}f}, {confidence}"


def describe_tiles(tiles: "TilePeaks", stack: "Stack") -> str:
    """Return the peaks of the tiles as a sentence."""
    found = sum(not math.isnan(p) for p in tiles.positions)
    said = f"tiles: {found} of {len(tiles.peaks)} have a peak"
    surface, unit = tiles.surface, stack.planes.unit
    if surface is None:
        return f"{said}, too few for a plane"
    places = [image.position for image in stack.images]
    # Four digits of the range of positions.
    digits = min(max(0, 3 - math.floor(math.log10(max(places) - min(places)))), 9)

    def shown(value: float) -> str:
        return f"{value:+.{digits}f}" + (f" {escape_controls(unit)}" if unit else "")

    curved = f", {shown(surface.curvature)} from the middle to the corners" if surface.curvature else ""
    return (
        f"{said}; tilt {shown(surface.tilt_x)} over the width, {shown(surface.tilt_y)} over the height{curved}; "
        f"residual {shown(surface.residual)[1:]}"
    )


def print_table(stack: "Stack", sentences: "Sequence[str]") -> None:
    """Print the images of a stack, and below them what was found."""
    label, measure = escape_controls(stack.planes.name), stack.request.measure
    width = max(10, len(measure))
    if label:
        click.echo(f"{label}:")
    click.echo(f"{'position':>10}  {measure:>{width}}  file")
    for image in stack.images:
        score = "-" if math.isnan(image.score) else f"{image.score:.6g}"
        mark = "" if image.status == "ok" else f"  {image.status}"
        click.echo(f"{image.position:>10.6g}  {score:>{width}}  {escape_controls(unambiguous_path(image.name))}{mark}")
    for sentence in sentences:
        click.echo(f"{label}: {sentence}" if label else sentence)


def print_json(stack: "Stack", peak: "Peak | None", tiles: "TilePeaks | None") -> None:
    """Print a stack as a JSON object on one line."""
    import json
    from dataclasses import asdict

    record = {
        "select": dict(stack.planes.label),
        "measure": stack.request.measure,
        "unit": stack.planes.unit,
        "images": [_without_nan(image._asdict()) for image in stack.images],
        "saturated": stack.saturated,
        "peak": None if peak is None else _without_nan(asdict(peak)),
    }
    if tiles is not None:
        surface = tiles.surface
        record["tiles"] = [_without_nan(asdict(tile)) for tile in tiles.peaks]
        record["surface"] = None if surface is None else surface._asdict()
    click.echo(json.dumps(record))


def _without_nan(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record for JSON, which has no NaN."""
    return {key: _plain(value) for key, value in record.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_messages(stack: "Stack", *, quiet: bool) -> None:
    """Print which images failed, what the file does not state, and the share of excluded pixels."""
    # A file that cannot be opened is the reason of all its images.
    for reason in dict.fromkeys(image.reason for image in stack.images if image.status == "failed"):
        complain(reason)
    if stack.planes.note and not quiet:
        complain(stack.planes.named(stack.planes.note))
    if stack.saturated and not quiet:
        filled = "are saturated in one of the images; they were filled from their surroundings"
        complain(f"{stack.saturated:.0%} of the pixels {filled}")
