"""Records as lines: comma-separated values, or JSON. Standard library only."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

# What parts cells and lines in any country's spreadsheet, whatever Python's csv takes for special.
_SPECIAL = re.compile('[",;\t\r\n]')

#: A row as a mapping from all of its columns; None where there is no value.
Record = Mapping[str, Any]


def csv_lines(columns: Sequence[str], records: Iterable[Record]) -> Iterator[str]:
    """Give lines of comma-separated values, the heading first; an empty cell where there is no value."""
    yield _csv_line(columns)
    for record in records:
        yield _csv_line([_cell(record[n]) for n in columns])


def json_lines(records: Iterable[Record]) -> Iterator[str]:
    """Give a JSON object a line; null where there is no value."""
    for record in records:
        yield json.dumps(record) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _csv_line(cells: Iterable[str]) -> str:
    quoted = (f'"{c.replace(chr(34), chr(34) * 2)}"' if _SPECIAL.search(c) else c for c in cells)
    return ",".join(quoted) + "\n"
