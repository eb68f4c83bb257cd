"""Messages for users on standard error, and paths for programs on standard output. Standard library and click only."""

import io
import os
import sys

import click

from edgekit.common.escaping import escape_controls, unambiguous_path


def complain(message: object) -> None:
    """Print a message on standard error, as one line even if it contains file names with control characters."""
    click.echo(f"edgekit: {escape_controls(str(message))}", err=True)


def name_file(path: object) -> None:
    """Print a path on standard output: unchanged bytes for a program, with control characters escaped on a terminal."""
    name = unambiguous_path(str(path))
    click.echo(os.fsencode(escape_controls(name) if sys.stdout.isatty() else name))


def show_traceback(error: BaseException) -> None:
    """Print the traceback of an error on standard error."""
    import traceback

    show_lines("".join(traceback.format_exception(error)))


def show_usage(error: click.ClickException) -> None:
    """Print on standard error what is wrong with the command line."""
    text = io.StringIO()
    error.show(text)
    show_lines(text.getvalue())


def show_lines(text: str) -> None:
    """Print several lines on standard error."""
    for line in text.splitlines():
        click.echo(escape_controls(line), err=True)
