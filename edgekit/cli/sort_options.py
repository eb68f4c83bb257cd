"""The options that sort files: ``--move-blurred``, ``--copy-sharp`` and so on. Imports no library but click."""

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from edgekit.cli.help_pages import SortOption
from edgekit.cli.parameter_types import PathOrUrl

#: An action and the verdict that it applies to: move_blurred and so on.
SORT = tuple(f"{verb}_{verdict}" for verb in ("move", "copy", "link") for verdict in ("blurred", "sharp", "undefined"))

#: The verdicts whose paths are printed.
PATHS = ("sharp", "blurred", "undefined", "failed")


def sort_option(name: str) -> Callable[..., Callable[[Any], Any]]:
    """Return the decorator of one of the options `SORT`."""
    return partial(
        click.option, f"--{name.replace('_', '-')}", cls=SortOption, type=PathOrUrl("dir"), metavar="DIR",
        help="Move the blurred images into DIR, with their sidecar files. In the same way: copy or link in place of "
             "move, and sharp or undefined in place of blurred.")  # fmt: skip
