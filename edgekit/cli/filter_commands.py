"""The filter commands: one for each operator, and ``filter`` for a kernel from a file."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import BATCH, DIRECTION, ENGINE, IMAGES, OUTPUT, READING, inputs_argument, options
from edgekit.cli.render_commands import render_images
from edgekit.operators.table import Kind, Operator

if TYPE_CHECKING:
    from edgekit.batch.jobs.filtering import FilterJob

#: Options that decide how the response is computed, and how it is displayed.
_RESPONSE = ("border", "channel", "tone", "scale")
_DISPLAY = ("display", "white", "overlay")
_BACKEND = ("backend", "device")

INPUT = "INPUT is an image, a folder, a glob in quotes, a URL, or - for standard input."


def filter_command(operator: Operator | None) -> click.Command:
    """Return the command of an operator, or ``filter`` for None."""
    if operator is None:
        name, summary, reference = "filter", "Apply a kernel from a file.", ""
        # A user's kernel has no scale.
        names = ["kernel", "border", "channel", "tone"]
        examples = ["edgekit filter photo.jpg --kernel sharpen.csv", "edgekit filter photos/ --kernel k.json -o out/"]
    else:
        name, summary = operator.name, f"Apply the {operator.title} filter."
        reference = f"Reference: {operator.reference}."
        direction = {Kind.GRADIENT: DIRECTION, Kind.COMPASS: DIRECTION[:2]}.get(operator.kind, ())
        names = [*direction[:1], *operator.parameters, *_RESPONSE, "spacing", *direction[1:]]
        examples = [f"edgekit {name} photo.jpg", f"edgekit {name} photos/ -o edges/"]
        if direction:
            examples.append(f"edgekit {name} photo.jpg --angle 45 -o photo.png")

    groups = {
        "Input and output": IMAGES,
        "Filter": names,
        "Display": _DISPLAY,
        "Reading": READING,
        "Batch": BATCH,
        MESSAGES: OUTPUT,
        "Engine": (*_BACKEND, *ENGINE),
    }

    @command(name, summary, *examples, help=f"{summary}\n\n{INPUT}\n\n{reference}")
    @options(name, groups)
    @inputs_argument()
    def run(inputs: tuple[str, ...], **values: Any) -> int:
        parameters = tuple(operator.parameters) if operator else ()
        return render_images(inputs, values, lambda ending: _jobs(name, parameters, values, ending))

    return run


def _jobs(name: str, parameters: tuple[str, ...], values: dict[str, Any], ending: str) -> "list[FilterJob]":
    """Return one job for each angle."""
    from edgekit.batch.jobs.filtering import FilterJob
    from edgekit.common.read_options import ReadOptions

    file, kernel = values.get("kernel"), None
    if file is not None:
        from edgekit.io.kernels import read_kernel

        kernel = read_kernel(file)
    shared = ("angle_of", "rotate", *_RESPONSE, "spacing", *_DISPLAY, "depth", *_BACKEND)
    return [
        FilterJob(
            operator=name if file is None else f"{name}-{PurePath(file).stem}",
            parameters=tuple((p, values[p]) for p in parameters if values[p] is not None),
            kernel=kernel,
            angle=angle,
            ending=ending,
            read_options=ReadOptions(**{k: values[k] for k in READING}),
            **{option: values[option] for option in shared if option in values},
        )
        for angle in dict.fromkeys(values.get("angles") or (None,))
    ]
