"""Writes a page for each command from its click options, and the manual page.

python scripts/documentation/command_pages.py FOLDER       # pages for the site
python scripts/documentation/command_pages.py --man        # docs/edgekit.1
python scripts/documentation/command_pages.py --check      # checks that docs/edgekit.1 is up to date
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.paths import ROOT
from edgekit.cli import main as program
from edgekit.cli.help_pages import Command

MAN_PAGE = ROOT / "docs" / "edgekit.1"

#: Characters that mean something in reStructuredText.
_MARKUP = re.compile(r"([\\*`|_])")

EXIT_STATUS = (
    ("0", "Everything is done."),
    ("1", "An item failed; the others are done."),
    ("2", "Wrong usage."),
    ("3", "Everything is done, but an image scored below --fail-below, or has no score."),
    ("130, 143, 129", "Interrupted by Ctrl-C, SIGTERM or SIGHUP. The same command resumes the run."),
)

ENVIRONMENT = (
    ("EDGEKIT_FAST", "1 loads the compiled loops of the extra fast at once, 0 never."),
    ("NO_COLOR", "If set, messages have no colour."),
    ("RAY_ADDRESS", "The Ray cluster of --engine ray, unless --address is given."),
)


def commands() -> dict[str, Command]:
    """Return all commands by name, in the order of the help page."""
    context = _context()
    found = {name: program.get_command(context, name) for name in program.list_commands(context)}
    return {name: command for name, command in found.items() if isinstance(command, Command)}


def page(name: str, command: Command) -> str:
    """Return the page of a command in reStructuredText."""
    title = f"edgekit {name}"
    return "\n".join([title, "=" * len(title), "", *_body(name, command, "-")])


def index(names: Sequence[str]) -> str:
    """Return the page that lists the commands."""
    lines = [
        "Commands",
        "========",
        "",
        "Generated from the command line.",
        "",
        ".. list-table::",
        "   :widths: 20 80",
        "",
    ]
    for name, command in commands().items():
        lines += [f"   * - :doc:`{name}`", f"     - {_escaped(command.short_help or '')}"]
    toctree = ["", ".. toctree::", "   :hidden:", "", *(f"   {name}" for name in names)]
    status = ["", "Exit status", "-----------", "", *_definitions(EXIT_STATUS)]
    variables = ["Environment", "-----------", "", *_definitions(ENVIRONMENT)]
    return "\n".join([*lines, *status, *variables, *toctree, ""])


def manual() -> str:
    """Return the manual page of the program, with a section for each command, in reStructuredText."""
    lines = ["edgekit", "=======", "", "image gradients, edges and sharpness", "^" * 36, "", ":Manual section: 1", ""]
    lines += ["SYNOPSIS", "--------", "", "**edgekit** *COMMAND* [*OPTIONS*] *INPUT*...", ""]
    lines += [
        "DESCRIPTION",
        "-----------",
        "",
        "An input is an image, a folder, a glob in quotes, a video, a URL, or -.",
    ]
    lines += [""]
    for name, command in commands().items():
        heading = f"EDGEKIT {name.upper()}"
        lines += [heading, "-" * len(heading), "", *_body(name, command, "~")]
    lines += ["EXIT STATUS", "-----------", "", *_definitions(EXIT_STATUS)]
    lines += ["ENVIRONMENT", "-----------", "", *_definitions(ENVIRONMENT)]
    return "\n".join(lines)


def man_page() -> str:
    """Return the manual page in the format of man."""
    from docutils.core import publish_string

    settings = {"output_encoding": "unicode", "report_level": 2, "halt_level": 2}
    roff: str = publish_string(manual(), writer="manpage", settings_overrides=settings)
    # The first lines name the version of docutils.
    return re.sub(r'^\.\\" (Generated|by) .*\n', "", roff, flags=re.MULTILINE)


def _context() -> click.Context:
    """Return the context of the program, from which commands take the names of their option --help."""
    return click.Context(program, info_name="edgekit", **program.context_settings)


def _body(name: str, command: Command, underline: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=_context())
    yield from _text(command.help or "")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("::", "", f"    edgekit {name} {usage}", "")
    for heading, records in command.option_groups(context).items():
        yield from (heading, underline * len(heading), "", *_definitions(records))
    if command.epilog:
        yield from _text(command.epilog)


def _definitions(records: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Give a list of terms and their descriptions."""
    for term, text in records:
        yield from (f"``{term}``", f"    {_escaped(text)}", "")


def _text(text: str) -> Iterator[str]:
    """Give the paragraphs of a help text; one that starts with ``\\b`` is a list of command lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if paragraph.startswith("\b"):
            title, *lines = paragraph.splitlines()[1:]
            yield from (title.rstrip(":"), "", "::", "", *(f"    {line.strip()}" for line in lines), "")
        else:
            yield from (_escaped(" ".join(paragraph.split())), "")


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def write_pages(folder: Path) -> None:
    """Write the page of each command, and the one that lists them, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {name: page(name, command) for name, command in commands().items()}
    for name, text in {**pages, "index": index(list(pages))}.items():
        path = folder / f"{name}.rst"
        # Sphinx reads again what has changed.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write pages, or check the manual page."""
    parser = argparse.ArgumentParser(description="Write the pages of the commands, and the manual page.")
    parser.add_argument("folder", type=Path, nargs="?", help="write the pages of the site into this folder")
    parser.add_argument("--man", action="store_true", help="write docs/edgekit.1")
    parser.add_argument("--check", action="store_true", help="exit with status 1 if docs/edgekit.1 is out of date")
    options = parser.parse_args(arguments)
    if options.folder:
        write_pages(options.folder)
    if options.man:
        MAN_PAGE.write_text(man_page(), encoding="utf-8")
    if options.check and MAN_PAGE.read_text(encoding="utf-8") != man_page():
        sys.exit(f"docs/edgekit.1 is out of date; run python scripts/documentation/{Path(__file__).name} --man")


if __name__ == "__main__":
    main()
