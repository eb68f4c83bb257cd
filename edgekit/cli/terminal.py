"""What is said to people, and what is handed to programs. Standard library and click only."""

import io
import os
import sys

import click

from edgekit.common.text import printable, unmistakable


def complain(message: object) -> None:
    """Say something on standard error, on a line of its own whatever names are in it."""
    click.echo(f"edgekit: {printable(str(message))}", err=True)


def name_file(path: object) -> None:
    """Print a path on standard output: byte for byte for a program, legible on a terminal."""
    name = unmistakable(str(path))
    click.echo(os.fsencode(printable(name) if sys.stdout.isatty() else name))


def show_traceback(error: BaseException) -> None:
    """Say on standard error where an error came from."""
    import traceback

    show_lines("".join(traceback.format_exception(error)))


def show_usage(error: click.ClickException) -> None:
    """Say on standard error what was wrong on the command line."""
    said = io.StringIO()
    error.show(said)
    show_lines(said.getvalue())


def show_lines(text: str) -> None:
    """Say several lines on standard error."""
    for line in text.splitlines():
        click.echo(printable(line), err=True)
