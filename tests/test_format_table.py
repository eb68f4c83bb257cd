"""The table of formats in the docs equals the results of reading files."""

import re

import pytest
from format_table import FILES, HEAD, PAGE, row

ROWS = re.findall(
    r"^\| .* \|$", re.findall(r"<!-- formats -->(.*)<!-- /formats -->", PAGE.read_text("utf-8"), re.DOTALL)[0], re.M
)


def test_every_format_has_its_row():
    assert [line.split(" | ")[0].removeprefix("| ") for line in ROWS[1:]] == list(FILES)
    assert HEAD.splitlines()[0] == ROWS[0]


@pytest.mark.parametrize("name", FILES)
def test_rows_equal_the_results_of_reading(name):
    assert row(name) in ROWS
