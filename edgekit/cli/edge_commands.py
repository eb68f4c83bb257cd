"""The commands that find edges or regions: canny, detect and threshold."""

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from edgekit.cli.filter_commands import INPUT
from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import BATCH, ENGINE, IMAGES, OUTPUT, READING, inputs_argument, options
from edgekit.cli.render_commands import render_images

if TYPE_CHECKING:
    from edgekit.batch.jobs.edges import EdgeJob


class _Page(NamedTuple):
    """The help page of a command.

    Attributes
    ----------
    group : str
        The heading of the command's own options.
    names : tuple of str
        Its own options.
    summary, details : str
        The first sentence of the page, and the sentences after it.
    examples : tuple of str
        Arguments for the examples at the end.
    """

    group: str
    names: tuple[str, ...]
    summary: str
    details: str
    examples: tuple[str, ...]


_PAGES = {
    "canny": _Page(
        "Edges",
        ("sigma", "low", "high", "scale", "border", "channel", "tone"),
        "Find edges with the Canny detector.",
        "The output has thin white lines on black. Reference: Canny 1986, 10.1109/TPAMI.1986.4767851.",
        ("photo.jpg", "photo.jpg --sigma 2 --low 2 --high 95%"),
    ),
    "detect": _Page(
        "Edges",
        ("what", "model", "detail", "above"),
        "Find the boundaries that people would draw.",
        "The gray level of a line is the probability that a person drew a boundary there, as measured on many "
        "photographs. The lines above 0.4 agree best with the drawn boundaries.",
        ("photo.jpg", "drawing.png --what edges", "photos/ --model learned --above 0.4 -o boundaries/"),
    ),
    "threshold": _Page(
        "Threshold",
        ("method", "size", "channel", "outline"),
        "Separate bright regions from dark ones.",
        "The output is white where the image is brighter than the threshold. The methods are those of scikit-image.",
        ("photo.jpg", "photo.jpg --method adaptive --outline"),
    ),
}

#: Where options and parameters of a function have different names.
_PARAMETERS = {"outline": "outlined"}

#: Default values, which are neither passed on nor part of the output's name.
_DEFAULTS = {
    "scale": "unit",
    "border": "reflect",
    "channel": "luminance",
    "tone": "linear",
    "method": "otsu",
    "outlined": False,
    "what": "boundaries",
    "model": "gradients",
    "detail": 0,
}


def edge_command(name: str) -> click.Command:
    """Return the command of that name."""
    page = _PAGES[name]
    groups = {
        "Input and output": IMAGES,
        page.group: page.names,
        "Display": ("overlay",),
        "Reading": READING,
        "Batch": BATCH,
        MESSAGES: OUTPUT,
        "Engine": ("backend", "device", *ENGINE),
    }
    examples = (f"edgekit {name} {arguments}" for arguments in page.examples)

    @command(name, page.summary, *examples, help=f"{page.summary}\n\n{INPUT}\n\n{page.details}")
    @options(name, groups)
    @inputs_argument()
    def run(inputs: tuple[str, ...], **values: Any) -> int:
        return render_images(inputs, values, lambda ending: [_job(name, values, ending)])

    return run


def _job(name: str, values: dict[str, Any], ending: str) -> "EdgeJob":
    from edgekit.batch.jobs.edges import EdgeJob
    from edgekit.common.read_options import ReadOptions

    parameters = [_PARAMETERS.get(option, option) for option in _PAGES[name].names]
    given = {p: values[p] for p in parameters if values[p] is not None and values[p] != _DEFAULTS.get(p)}
    return EdgeJob(
        method=name,
        parameters=tuple(given.items()),
        ending=ending,
        read_options=ReadOptions(**{k: values[k] for k in READING}),
        **{option: values[option] for option in ("depth", "overlay", "backend", "device")},
    )
