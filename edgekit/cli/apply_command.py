"""``edgekit apply``: carry out a choice of images that was made on the review page or in a table."""

from typing import Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import SORT, options
from edgekit.cli.parameter_types import PathOrUrl


@command(
    "apply", "Sort files as a table says.",
    "edgekit apply choice.csv --move-blurred blurred/",
    "edgekit apply scores.csv --link-sharp sharp/ --dry-run",
)  # fmt: skip
@click.argument("table", type=PathOrUrl(), metavar="TABLE")
@options("apply", {"Sorting": (*SORT, "dry_run"), MESSAGES: ("json", "quiet", "debug")})
def apply(table: str, **values: Any) -> int:
    """Sort files as TABLE says, without scoring them again.

    TABLE is a .csv file: the choice that was saved on the review page of edgekit score --report, or the table of
    edgekit score -o. It has a column path, and a column list (sharp, blurred or undefined) or blurred (true or
    false). Relative paths begin at the current folder.
    """
    from edgekit.batch.choices import read_choice
    from edgekit.cli.sorting import Sorter, rules_of

    rules = rules_of(values)
    if not rules:
        raise click.UsageError(f"say what to do with the files, such as --{SORT[0].replace('_', '-')} DIR.")
    judged = read_choice(table)
    with Sorter(rules, values, names_done=True) as sorter:
        sorter.resume()
        return sorter.sort(judged)
