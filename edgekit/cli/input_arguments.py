"""The inputs of a command: its arguments, and the list of ``--files-from``. Imports no library but click."""

from collections.abc import Callable
from typing import Any

import click

from edgekit.cli.parameter_types import PathOrUrl

#: The key of the paths in the list of ``--files-from``, among what click keeps for a command.
_LISTED = "edgekit.listed"


def read_list_option(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    """Keep the paths of ``--files-from`` for the argument, which is processed later."""
    if name is not None and not ctx.resilient_parsing:
        from edgekit.batch.path_lists import read_list

        ctx.meta[_LISTED] = read_list(name)


def _with_listed(ctx: click.Context, argument: click.Parameter, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the inputs on the command line and in the list of ``--files-from``."""
    inputs = (*inputs, *ctx.meta.get(_LISTED, ()))
    if not inputs:
        raise click.MissingParameter(ctx=ctx, param=argument)
    return inputs


def inputs_argument(metavar: str = "INPUT...") -> Callable[[Any], Any]:
    """Return a decorator that adds the inputs to a command, which should have the option ``files_from``."""
    return click.argument("inputs", type=PathOrUrl(), nargs=-1, callback=_with_listed, metavar=metavar)
