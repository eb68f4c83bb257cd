"""The commands that find edges: canny, threshold and detect."""

from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.options import BATCH, SPEECH, Place, options
from edgekit.cli.render_commands import make_pictures

if TYPE_CHECKING:
    from edgekit.batch.jobs.edges import EdgeJob

#: What each command is told beside the shared options, and what it says of itself.
_COMMANDS = {
    "canny": (
        ("sigma", "low", "high", "threshold_scale", "border", "channel", "tone"),
        "Find edges with Canny's detector: thin lines, white on black.",
        "Reference: Canny 1986, 10.1109/TPAMI.1986.4767851.",
    ),
    "threshold": (
        ("method", "size", "channel", "outlined"),
        "Separate bright from dark, or draw the outline of that.",
        "Levels are found by scikit-image.",
    ),
    "detect": (
        ("above",),
        "Find the edges that people would draw, and how sure they are.",
        "Grey is the share of such lines that people drew; above 0.4 they agree best with people's.",
    ),
}

#: Parameters whose option has another name in `options`.
_PARAMETERS = {"threshold_scale": "scale"}

#: What the functions take for granted is not passed on, nor named in the output.
_DEFAULTS = {
    "scale": "unit",
    "border": "reflect",
    "channel": "luminance",
    "tone": "linear",
    "method": "otsu",
    "outlined": False,
}

_SHARED = ("depth", "overlay", "backend", "device")


def edge_command(name: str) -> click.Command:
    """Make the command of that name."""
    own, summary, details = _COMMANDS[name]

    @options((*own, *_SHARED, *BATCH, *SPEECH))
    @click.argument("inputs", type=Place(), nargs=-1, required=True, metavar="INPUT...")
    def run(inputs: tuple[str, ...], **values: Any) -> int:
        return make_pictures(inputs, values, lambda ending: [_job(name, values, ending)])

    text = f"{summary}\n\nINPUT is an image, a folder, a glob in quotes, a URL, or - for standard input.\n\n{details}"
    return click.command(name, help=text, short_help=summary)(run)


def _job(name: str, values: dict[str, Any], ending: str) -> "EdgeJob":
    from edgekit.batch.jobs.edges import EdgeJob
    from edgekit.common.read_limits import Limits

    parameters = [_PARAMETERS.get(option, option) for option in _COMMANDS[name][0]]
    given = {n: values[n] for n in parameters if values[n] is not None and values[n] != _DEFAULTS.get(n)}
    limits = Limits(values["max_pixels"], values["truncated"])
    shared = {n: values[n] for n in _SHARED}
    return EdgeJob(method=name, parameters=tuple(given.items()), ending=ending, limits=limits, **shared)
