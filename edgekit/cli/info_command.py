"""``edgekit info``: what image files hold, and how they are read."""

import dataclasses
import json

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import READING, inputs_argument, options
from edgekit.cli.terminal import complain
from edgekit.common.escaping import escape_controls


@command(
    "info", "Show what image files hold, and how they are read.",
    "edgekit info photo.jpg",
    "edgekit info stack.tif --json",
)  # fmt: skip
@inputs_argument("FILE...")
@options("info", {"Input and output": ("files_from",), "Reading": READING, MESSAGES: ("json", "debug")})
def info(inputs: tuple[str, ...], as_json: bool, debug: bool, **values: object) -> int:
    """Show what image files hold, and how they are read: axes, channels, type, orientation, pixel size."""
    from edgekit.errors import EdgekitError
    from edgekit.io.image_file import open_image

    status = 0
    for name in inputs:
        try:
            found = dataclasses.asdict(open_image(name, **values).info)  # type: ignore[arg-type]  # click has no types for values
        except EdgekitError as error:
            if debug:
                raise
            status = 1
            complain(str(error))
            continue
        if as_json:
            click.echo(json.dumps({"path": name, **found}))
            continue
        click.echo(f"{escape_controls(name)}:")
        for label, value in _lines(found):
            click.echo(f"  {label:<12} {value}")
    return status


def _lines(found: dict[str, object]) -> list[tuple[str, str]]:
    """Return the lines to print, without those that say nothing."""
    spacing, channels, names = found["spacing"], found["channels"], found["names"]
    assert isinstance(channels, tuple)
    assert isinstance(names, tuple)
    size = f"{found['width']} x {found['height']} pixels"
    lines = [
        ("format", str(found["format"])),
        ("size", size if found["pages"] == 1 else f"{found['pages']} images of {size}"),
        ("axes", str(found["axes"])),
        ("channels", ", ".join(channels)),
        ("names", ", ".join(names)),
        ("type", str(found["dtype"])),
        ("levels", "" if found["white"] is None else f"black {found['black']:g}, white {found['white']:g}"),
        ("orientation", "" if found["orientation"] == 1 else f"{found['orientation']}, applied"),
        ("pixel size", _size(spacing, str(found["unit"])) if isinstance(spacing, tuple) else ""),
        ("no data", "" if found["nodata"] is None else f"{found['nodata']:g}"),
        ("note", str(found["note"])),
    ]
    return [(label, value) for label, value in lines if value]


def _size(spacing: tuple[float, float], unit: str) -> str:
    dy, dx = spacing
    return f"{dx:g} x {dy:g} {unit}".rstrip()
