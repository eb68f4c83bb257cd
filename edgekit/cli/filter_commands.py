"""The filter commands: one for each operator's row, made of the options that apply to it."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.options import BATCH, PICTURE, SPEECH, Place, options
from edgekit.cli.render_commands import make_pictures
from edgekit.operators.table import Kind, Operator

if TYPE_CHECKING:
    from edgekit.batch.jobs.filtering import FilterJob

_DIRECTIONS = {Kind.GRADIENT: ("angle", "angle_of", "rotate"), Kind.COMPASS: ("angle", "angle_of")}


def filter_command(operator: Operator | None) -> click.Command:
    """Make the command of an operator; None makes ``filter``, which takes a kernel from a file."""
    own: tuple[str, ...] = ("kernel",)
    name, summary, details = "filter", "Filter images with a kernel of your own.", ""
    if operator is not None:
        name, summary = operator.name, f"Filter images: {operator.title}."
        own = (*_DIRECTIONS.get(operator.kind, ()), *operator.parameters)
        details = f"Reference: {operator.reference}."

    # A kernel of one's own has no unit.
    picture = PICTURE if operator else [p for p in PICTURE if p != "scale"]

    @options((*own, *picture, *BATCH, *SPEECH))
    @click.argument("inputs", type=Place(), nargs=-1, required=True, metavar="INPUT...")
    def run(inputs: tuple[str, ...], **values: Any) -> int:
        parameters = tuple(operator.parameters) if operator else ()
        return make_pictures(inputs, values, lambda ending: _jobs(name, parameters, values, ending))

    text = f"{summary}\n\nINPUT is an image, a folder, a glob in quotes, a URL, or - for standard input.\n\n{details}"
    return click.command(name, help=text, short_help=summary)(run)


def _jobs(name: str, parameters: tuple[str, ...], values: dict[str, Any], ending: str) -> "list[FilterJob]":
    """Make one job for each angle."""
    from edgekit.batch.jobs.filtering import FilterJob
    from edgekit.common.read_limits import Limits

    kernel, taps = values.get("kernel"), None
    if kernel is not None:
        from edgekit.io.kernels import read_kernel

        taps = read_kernel(kernel)
    return [
        FilterJob(
            operator=name if kernel is None else f"{name}-{PurePath(kernel).stem}",
            parameters=tuple((p, values[p]) for p in parameters if values[p] is not None),
            taps=taps,
            angle=angle,
            ending=ending,
            limits=Limits(values["max_pixels"], values["truncated"]),
            **{k: values[k] for k in ("angle_of", "rotate", *PICTURE) if k in values},
        )
        for angle in dict.fromkeys(values.get("angles") or (None,))
    ]
