"""``edgekit mtf``: the modulation transfer function from the slanted edges of a chart."""

import json
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.one_image import read_one
from edgekit.cli.options import OUTPUT, READING, options
from edgekit.cli.parameter_types import PathOrUrl
from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.metrology.mtf_result import Mtf


@command(
    "mtf", "Measure the MTF from the slanted edges of a chart.",
    "edgekit mtf chart.png",
    "edgekit mtf chart.tif --roi 120,80,60,100 --json",
    "edgekit mtf chart.jpg --pitch 3.45 -o mtf.csv --plot mtf.png",
)  # fmt: skip
@click.argument("name", type=PathOrUrl(), metavar="CHART")
@options(
    "mtf",
    {
        "Input and output": ("output", "plot", "page", "force"),
        "Measurement": ("roi", "channel", "gamma", "pitch"),
        "Reading": READING,
        MESSAGES: OUTPUT,
    },
)
def mtf(name: str, regions: tuple[tuple[int, ...], ...], channels: str, pitch: float | None, **values: Any) -> int:
    """Measure the modulation transfer function (MTF) from the slanted edges of a chart.

    CHART is an image with straight edges, 3 to 40 degrees from the rows or columns. The command finds them, and prints
    four numbers for each of them: MTF50 (the frequency at which the MTF is a half) with its standard error, the
    10-90 % rise in pixels, the angle between the edge and the nearest axis, and the direction across the edge, both in
    degrees. Frequencies are in cycles per pixel along the normal of the edge. The status of a region that cannot be
    measured says why: no edge, two edges, clipped, too short, too steep, not slanted, too noisy. --json prints all
    numbers and curves.

    The terms are those of ISO 12233:2023 (e-SFR). docs/measuring.md describes the method.
    """
    from edgekit.cli.state_paths import new_file, write_logged
    from edgekit.errors import ImageError
    from edgekit.io.files import read_bytes
    from edgekit.io.stores import path_of
    from edgekit.metrology.chart import find_edges
    from edgekit.metrology.mtf_files import mtf_arrays, mtf_csv, mtf_record
    from edgekit.metrology.slanted_edge import MTF_CHANNELS
    from edgekit.metrology.slanted_edge import mtf as measure
    from edgekit.report.focus_plot import ENDINGS, check

    output, plot = (None if values[n] is None else path_of(values[n]) for n in ("output", "plot"))
    if output is not None:
        output = new_file(output, (".csv",), force=values["force"])
    if plot is not None:
        check(plot.suffix)
        plot = new_file(plot, ENDINGS, force=values["force"])
    try:
        image, info = read_one(name, values)
        gamma, source = _gamma(values["gamma"], read_bytes(path_of(name)))
    except ImageError as error:
        complain(error)
        return 1
    image = image[:, :, :3] if image.ndim == 3 and image.shape[2] > 3 else image
    white, black = info.white, info.black
    limits = None if white is None or black is None or image.dtype.kind == "f" else (black, white)
    chosen = regions or tuple(find_edges(image))
    wanted = (
        MTF_CHANNELS if channels == "all" and image.ndim == 3 else ("luminance" if channels == "all" else channels,)
    )
    results = [
        result
        for channel in wanted
        for result in measure(image, list(chosen), gamma=gamma, channel=channel, limits=limits)  # type: ignore[arg-type]
    ] if chosen else []  # fmt: skip
    if values["as_json"]:
        for result in results:
            click.echo(json.dumps({"path": name, **mtf_record(result, pitch), **mtf_arrays(result)}))
    elif output is None:
        _print(results, pitch)
    if output is not None and results:
        write_logged(mtf_csv(results, pitch).encode(), output, "mtf")
        if not values["as_json"]:
            click.echo(str(output))
    if plot is not None and results:
        from edgekit.report.mtf_plot import draw

        write_logged(draw(image, results, pitch, name, plot.suffix), plot, "plot")
    if not chosen:
        complain(f"{name}: no slanted edge was found; choose a region with --roi")
    elif not values["quiet"]:
        complain(
            f"values were converted to light: {source}" if gamma is not None else f"values are taken as light: {source}"
        )
    return 0 if any(result.status == "ok" for result in results) else 1


def _gamma(wanted: Any, data: bytes) -> tuple[Any, str]:
    """Return the transfer curve that is wanted, and where it comes from."""
    from edgekit.io.transfer_curves import transfer_curve

    if wanted == "linear":
        return None, "--gamma linear"
    if wanted != "auto":
        return wanted, f"--gamma {wanted}"
    stated = transfer_curve(data)
    return stated.gamma, stated.source or "the file does not state its curve; see --gamma"


def _print(results: "list[Mtf]", pitch: float | None) -> None:
    unit = "" if pitch is None else "  per mm"
    click.echo(
        f"{'region':<20} {'channel':<9} {'MTF50':>7} {'error':>7}{unit} {'10-90 %':>8} {'angle':>6} {'across':>7}"
    )
    for result in results:
        place = ",".join(map(str, result.region))
        if result.status != "ok":
            click.echo(f"{place:<20} {result.channel:<9} {result.status}: {result.reason}")
            continue
        per_mm = "" if pitch is None else f"{result.mtf50 * 1000 / pitch:8.1f}"
        click.echo(
            f"{place:<20} {result.channel:<9} {result.mtf50:7.4f} {result.mtf50_error:7.4f}{per_mm} {result.rise:8.3f} "
            f"{result.angle:6.2f} {result.direction:7.2f}" + "".join(f"  {warning}" for warning in result.warnings)
        )
