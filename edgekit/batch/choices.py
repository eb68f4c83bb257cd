"""Reads which files of a table are sharp and which are blurred, for ``edgekit apply``.

May import `io` and what is below it.
"""

import csv
import itertools
import os
from collections.abc import Mapping

from edgekit.batch.path_lists import ListedPath
from edgekit.batch.sorting import VERDICTS, Judged, Verdict, of_file
from edgekit.batch.sources import find
from edgekit.errors import ParameterError
from edgekit.io.files import read_bytes


def read_choice(table: str) -> list[Judged]:
    """Read a table of files and their verdicts.

    Parameters
    ----------
    table : str
        A CSV file with a column ``path``, and a column ``list`` (``sharp``, ``blurred``, ``undefined`` or empty) or
        ``blurred`` (``true``, ``false`` or empty). The rows of one file follow one another, as those of frames do.

    Raises
    ------
    UnreadableError
        If it cannot be read.
    ParameterError
        If it is no such table.
    """
    lines = csv.DictReader(os.fsdecode(read_bytes(table).removeprefix(b"\xef\xbb\xbf")).splitlines(keepends=True))
    columns = lines.fieldnames or ()
    if "path" not in columns or not {"list", "blurred"} & {*columns}:
        raise ParameterError(
            f"{table}: expected a CSV table with the columns path, and list or blurred; found "
            f"{', '.join(columns)[:80] or 'no columns'}. Save the choice on the review page, or use edgekit score -o"
        )
    found: dict[str, Verdict] = {}
    for path, rows in itertools.groupby(lines, lambda line: line["path"]):
        verdict = of_file({_verdict(row, table) for row in rows})
        if verdict is not None:
            found[ListedPath(path)] = verdict
    sources = (source for _, source in find(list(found), lambda path: None))
    return [Judged(s.path, s.relative, v) for s, v in zip(sources, found.values(), strict=True)]


def _verdict(row: Mapping[str, str | None], table: str) -> Verdict | None:
    text = row.get("list")
    if text is None:
        text = {"true": "blurred", "false": "sharp"}.get(row["blurred"] or "", row.get("status") or "")
        return text if text in VERDICTS else None
    if text and text not in VERDICTS:
        raise ParameterError(f"{table}: list must be sharp, blurred, undefined or empty; found {text!r}")
    return text if text else None
