"""Help pages: options in groups, each with its choices and its default, then examples. Imports click only."""

from collections.abc import Callable
from functools import partial
from typing import Any

import click

#: The heading of the group that ``--help`` belongs to.
MESSAGES = "Messages"

#: Columns for the names of the options.
_NAMES_WIDTH = 20


class Option(click.Option):
    """An option whose help text ends with its choices and its default.

    Parameters
    ----------
    group : str
        The heading below which the help page lists the option.
    """

    def __init__(self, *args: Any, group: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.group = group

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the left and right column of the help page."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        sentences = [self.help or ""]
        if isinstance(self.type, click.Choice) and self.show_choices:
            sentences.append(f"Choices: {', '.join(self.type.choices)}.")
        if isinstance(self.show_default, str):
            sentences.append(f"Default: {self.show_default}.")
        elif self.show_default:
            sentences.append(f"Default: {self.default}.")
        elif self.required:
            sentences.append("Required.")
        return record[0], " ".join(sentences)


def option(*names: str, **attributes: Any) -> Callable[..., Callable[[Any], Any]]:
    """Return a function that takes the group of an option, and returns the decorator that adds the option."""
    return partial(click.option, *names, cls=Option, **attributes)


class SortOption(Option):
    """One of a family of options, such as ``--move-blurred`` and ``--copy-sharp``; the first one explains all."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the left and right column of the help page for the first option of the family."""
        first = next(option for option in ctx.command.params if isinstance(option, SortOption))
        return super().get_help_record(ctx) if self is first else None


class Command(click.Command):
    """A command whose help page lists the options in groups."""

    def option_groups(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Return the headings of the help page, with the names and the texts of the options below each."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and not isinstance(parameter, click.Argument):
                groups.setdefault(getattr(parameter, "group", MESSAGES), []).append(record)
        return groups

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, records in self.option_groups(ctx).items():
            with formatter.section(heading):
                formatter.write_dl([(names.ljust(_NAMES_WIDTH), text) for names, text in records])


def command(name: str, summary: str, *examples: str, **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """Return a decorator that makes a command.

    Parameters
    ----------
    name : str
        What users type.
    summary : str
        One sentence for the list of commands.
    *examples : str
        Command lines for the end of the help page.
    **attributes
        Passed on to click, such as ``help``. Without it the docstring of the function is the help text.
    """
    epilog = "\n".join(("\b", "Examples:", *(f"  {line}" for line in examples)))
    return click.command(name, cls=Command, short_help=summary, epilog=epilog, **attributes)
