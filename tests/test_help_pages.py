"""Help pages: every option is explained below a heading, and the examples at the end are valid command lines."""

import re
import shlex

import click
import pytest
from command_line import run

from edgekit.cli import main
from edgekit.cli.help_pages import SortOption

COMMANDS = main.list_commands(click.Context(main))


def command(name):
    return main.get_command(click.Context(main), name)


def headings(page):
    return re.findall(r"^(\S.*):$", page, re.MULTILINE)


def test_commands_are_listed_in_groups():
    page = run("--help").stdout
    assert headings(page)[-7:] == [
        "First derivatives", "Second derivatives", "Kernels", "Edges and regions", "Sharpness and focus",
        "Measurements", "Files",
    ]  # fmt: skip
    assert re.findall(r"^  ([a-z]+)  +[A-Z]", page, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_listed_once_below_a_heading(name):
    page = run(name, "--help").stdout
    for option in command(name).params:
        if isinstance(option, SortOption) and option.opts != ["--move-blurred"]:
            # Only the first of these options is explained; its help names the other verbs and verdicts.
            _, verb, verdict = re.split("-+", option.opts[0])
            assert verb in f"move, {option.help}"
            assert verdict in option.help
        elif isinstance(option, click.Option):
            assert option.group in headings(page)
            assert len(re.findall(rf"^  (?:-\w, )?{option.opts[-1]}\b(?!-)", page, re.MULTILINE)) == 1, option.opts
            assert re.match(r"^[A-Z\da-z][^:]+", option.help)
            assert option.help.endswith(".")
            assert "[default" not in option.help
    assert "default:" not in page


@pytest.mark.parametrize("name", COMMANDS)
def test_nan_is_refused_for_options_with_numbers(name):
    for option in command(name).params:
        if option.type.name in ("float", "float range", "number"):
            with pytest.raises(click.BadParameter, match="is not a number"):
                option.type.convert("nan", option, None)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_valid(name):
    examples = re.findall(r"^    (edgekit .*)$", run(name, "--help").stdout, re.MULTILINE)
    assert any(example.split()[1] == name for example in examples)
    for example in examples:
        _, other, *arguments = shlex.split(example)
        command(other).make_context(other, arguments)


def test_pick_explains_its_own_measure():
    page = " ".join(run("pick", "--help").stdout.split())
    assert "--measure NAME Select by this measure, the highest values first." in page
    assert "--threshold" not in page
    assert "--fail-below" not in page


def test_help_shows_choices_and_defaults():
    page = " ".join(run("canny", "--help").stdout.split())
    assert "Lower hysteresis threshold, in gray levels per pixel or as a percentile such as 95%. Default: 0.4" in page
    assert "Choices: reflect, symmetric, edge, constant, wrap, valid. Default: reflect." in page
