"""Reads which files of a table are sharp and which are blurred, for ``edgekit apply``.

May import `io` and what is below it.
"""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgekit.batch.path_lists import ListedPath
from edgekit.batch.sorting import VERDICTS, Judged, Verdict, of_file
from edgekit.batch.sources import find
from edgekit.errors import ParameterError
from edgekit.io.files import read_bytes
from edgekit.io.stores import canonical_path


def read_choice(table: str) -> list[Judged]:
    """Read a table of files and their verdicts.

    Parameters
    ----------
    table : str
        A CSV file with a column ``path``, and a column ``list`` (``sharp``, ``blurred``, ``undefined`` or empty) or
        ``blurred`` (``true``, ``false`` or empty). A file may have several rows, as videos do.

    Raises
    ------
    UnreadableError
        If it cannot be read.
    ParameterError
        If it is no such table, or a row cannot be read.
    """
    names: dict[str, ListedPath] = {}
    found: dict[str, set[Verdict | None]] = {}
    for path, verdict in _rows(table):
        # Rows of one file may have different names of its folder.
        file = os.path.join(canonical_path(path.parent), path.name)  # noqa: PTH118 - path objects would be slower
        names.setdefault(file, ListedPath(path))
        found.setdefault(file, set()).add(verdict)
    verdicts = {names[file]: verdict for file, of_rows in found.items() if (verdict := of_file(of_rows)) is not None}
    sources = (source for _, source in find(list(verdicts), lambda path: None))
    return [Judged(s.path, s.relative, v) for s, v in zip(sources, verdicts.values(), strict=True)]


def _rows(table: str) -> Iterator[tuple[Path, Verdict | None]]:
    """Yield the path and the verdict of each row."""
    text = os.fsdecode(read_bytes(table).removeprefix(b"\xef\xbb\xbf"))
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        columns = next(lines, [])
        if "path" not in columns or not {"list", "blurred"} & {*columns}:
            raise ParameterError(
                f"{table}: expected a CSV table with the columns path, and list or blurred; found "
                f"{', '.join(columns)[:80] or 'no columns'}. Save the choice on the review page, or use edgekit score "
                "-o"
            )
        for cells in filter(None, lines):
            if len(cells) != len(columns):
                raise csv.Error(f"expected {len(columns)} cells; found {len(cells)}")
            row = dict(zip(columns, cells, strict=True))
            yield _path(row["path"]), _verdict(row)
    except csv.Error as error:
        raise ParameterError(f"{table}, line {lines.line_num}: {error}; correct this line") from error


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise csv.Error(f"the path {'contains a NUL character' if text else 'is empty'}")
    return Path(text)


def _verdict(row: Mapping[str, str]) -> Verdict | None:
    if "list" in row:
        verdict = row["list"].lower()
        if verdict and verdict not in VERDICTS:
            raise csv.Error(f"list must be sharp, blurred, undefined or empty; found {row['list']!r}")
    else:
        words = {"true": "blurred", "false": "sharp", "": row.get("status", "")}
        if row["blurred"].lower() not in words:
            raise csv.Error(f"blurred must be true, false or empty; found {row['blurred']!r}")
        verdict = words[row["blurred"].lower()]
    return verdict if verdict in VERDICTS else None
