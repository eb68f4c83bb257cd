"""``edgekit contours``: edges placed between pixels, linked to lines, as a table or a drawing."""

import json
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.one_image import read_one
from edgekit.cli.options import OUTPUT, READING, options
from edgekit.cli.parameter_types import PathOrUrl
from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.metrology.edge_contours import Contour


@command(
    "contours", "Locate edges with subpixel accuracy, and link them into contours.",
    "edgekit contours photo.png -o edges.csv",
    "edgekit contours part.tif --min-length 50 --noise 1.5 -o edges.geojson",
)  # fmt: skip
@click.argument("name", type=PathOrUrl(), metavar="INPUT")
@options(
    "contours",
    {
        "Input and output": ("output", "page", "force"),
        "Edges": ("sigma", "low", "high", "min_length", "noise"),
        "Reading": READING,
        MESSAGES: OUTPUT,
    },
)
def contours(name: str, **values: Any) -> int:
    """Locate edges with subpixel accuracy, and link them into contours.

    INPUT is an image. Each point of a contour has x and y, where the centre of the upper left pixel is (0, 0), the
    strength and direction of the gradient, the width of the edge (the standard deviation of its blur in pixels), and
    the standard error of its position across the edge. Contours end at junctions. The output says which contours are
    closed.

    -o writes a table (.csv), objects (.json), a drawing (.svg) or features (.geojson). Without -o the command prints a
    line for each contour.
    """
    from edgekit.cli.state_paths import new_file, write_logged
    from edgekit.errors import ImageError
    from edgekit.io.stores import path_of
    from edgekit.metrology.contour_files import WRITERS, contour_record
    from edgekit.metrology.edge_contours import contours

    output = None
    if values["output"] is not None:
        output = new_file(path_of(values["output"]), WRITERS, force=values["force"])
    try:
        image, _ = read_one(name, values)
    except ImageError as error:
        complain(error)
        return 1
    found = contours(image, **{option: values[option] for option in ("sigma", "low", "high", "min_length", "noise")})
    if values["as_json"]:
        for contour in found:
            click.echo(json.dumps(contour_record(contour)))
    elif output is None:
        _print(found)
    if output is not None:
        text = WRITERS[output.suffix.lower()](found, (image.shape[1], image.shape[0]))
        write_logged(text.encode(), output, "contours")
        if not values["as_json"]:
            click.echo(str(output))
    if not values["quiet"] and not found:
        complain(f"{name}: no contour has a length of {values['min_length']:g} pixels or more; see --low and --high")
    return 0


def _print(found: "list[Contour]") -> None:
    import numpy as np

    click.echo("  points    length   width   error")
    for contour in found:
        known = contour.width[np.isfinite(contour.width)]
        width = f"{np.median(known):.2f}" if known.size else "-"
        kind = "  closed" if contour.closed else ""
        click.echo(f"{len(contour):8} {contour.length:9.1f} {width:>7} {np.median(contour.error):7.4f}{kind}")
