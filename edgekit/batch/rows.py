"""Rows of results: as a table to read, and as CSV, JSON lines or Parquet. A file appears whole or not at all.

May import `io` and what is below it.
"""

import json
import math
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.batch.score_cache import Row
from edgekit.common.escaping import escape_cell, escape_controls, unambiguous_path
from edgekit.errors import ParameterError
from edgekit.focus.version import SCORER
from edgekit.io.stores import StorePath, path_of
from edgekit.io.writing import open_atomic

#: A row by its columns; None where there is no value.
Record = Mapping[str, Any]

#: Writes records that all have the same columns.
Sink = Callable[[Sequence[str], Iterable[Record]], None]

#: Columns of score rows before and after those of the measures.
BEFORE = ("path", "bytes", "mtime", "width", "height")
AFTER = ("blurred", "status", "reason", "scorer")

# A cell with one of these is quoted, since spreadsheets in some countries split lines at semicolons or tabs. The csv
# module quotes only where its own delimiter needs it, or everywhere.
_QUOTED = re.compile('[",;\t\r\n]')


class ScoreTable(NamedTuple):
    """Converts the score rows of a run to records, or to a table to read.

    Attributes
    ----------
    names : tuple of str
        Names of the values.
    threshold : float or None
        An image whose first value is below it is blurred.
    has_frames : bool
        Whether rows may be frames of a video: then there are columns for frame and time.
    moments : mapping, optional
        The number of the moment of each row, by path and frame: then there is a column for it.
    """

    names: tuple[str, ...]
    threshold: float | None
    has_frames: bool = False
    moments: Mapping[tuple[str, int | None], int] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        path, *rest = BEFORE
        frame = ("frame", "time") if self.has_frames else ()
        return (path, "page", *frame, *(() if self.moments is None else ("moment",)), *rest, *self.names, *AFTER)

    def record(self, row: Row) -> dict[str, Any]:
        """Return the record of a row."""
        values = row.values or (math.nan,) * len(self.names)
        measured = {m: None if math.isnan(v) else v for m, v in zip(self.names, values, strict=True)}
        first = measured[self.names[0]]
        blurred = None if self.threshold is None or first is None else first < self.threshold
        number = None if row.page else row.frame
        frame = {"frame": number, "time": row.time} if self.has_frames else {}
        if self.moments is not None:
            frame["moment"] = self.moments.get((row.path, row.frame))
        return {
            "path": unambiguous_path(row.path), "page": row.page, **frame, "bytes": row.bytes, "mtime": row.mtime / 1e9,
            "width": row.width, "height": row.height, **measured,
            "blurred": blurred, "status": row.status, "reason": escape_cell(row.reason), "scorer": SCORER,
        }  # fmt: skip

    def text(self, rows: Iterable[Row]) -> Iterator[str]:
        """Yield the lines of a table to read: the values, whether the image is blurred, the path."""
        widths = [max(8, len(m)) for m in self.names]
        yield "  ".join([*(m.rjust(w) for m, w in zip(self.names, widths, strict=True)), " " * 9, "path"]) + "\n"
        for row in rows:
            record = self.record(row)
            values = ("-" if record[m] is None else f"{record[m]:.4g}" for m in self.names)
            mark = row.status if row.status != "ok" else "blurred" if record["blurred"] else ""
            place = f":{row.page}" if row.page else "" if row.frame is None else f" {row.frame} ({row.time:.3f} s)"
            name = escape_controls(record["path"]) + place
            yield "  ".join([*(v.rjust(w) for v, w in zip(values, widths, strict=True)), mark.ljust(9), name]) + "\n"


def csv_lines(columns: Sequence[str], records: Iterable[Record]) -> Iterator[str]:
    """Yield the lines of a CSV file, the header first; a cell without a value is empty."""
    yield _csv_line(columns)
    for record in records:
        yield _csv_line([_cell(record[name]) for name in columns])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _csv_line(cells: Iterable[str]) -> str:
    quoted = (f'"{c.replace(chr(34), chr(34) * 2)}"' if _QUOTED.search(c) else c for c in cells)
    return ",".join(quoted) + "\n"


def json_lines(records: Iterable[Record]) -> Iterator[str]:
    """Yield a JSON object for each record, each on its own line; null where there is no value."""
    for record in records:
        yield json.dumps(record) + "\n"


def discard_records(_: Sequence[str], records: Iterable[Record]) -> None:
    """Take all records and write none: the sink of a run without ``--rows``."""
    deque(records, maxlen=0)


def sink_of(output: str) -> Sink:
    """Return the sink that writes `output`: a file, its URL, or a folder of parts if it ends in ``.parquet/``.

    Raises
    ------
    ParameterError
        If rows cannot be written in this format.
    MissingExtraError
        If the library for the format is not installed.
    """
    path = path_of(output)
    ending, folder = path.suffix.lower(), output.endswith(("/", os.sep)) or path.is_dir()
    if ending == ".parquet":
        from edgekit.batch import parquet

        parquet.library()
        if folder and isinstance(path, StorePath):
            raise ParameterError(
                f"{path}: a folder of parts must be on this machine; choose such a folder, or a single file"
            )
        return partial(parquet.write_folder if folder else parquet.write_file, path)
    if ending not in _LINES or folder:
        raise ParameterError(
            f"{path}: rows are written as {', '.join(_LINES)} or .parquet, or as a folder .parquet/ of parts; "
            "choose one of these"
        )
    return partial(_write_lines, _LINES[ending], path)


_LINES: dict[str, Callable[[Sequence[str], Iterable[Record]], Iterator[str]]] = {
    ".csv": csv_lines,
    ".jsonl": lambda _, records: json_lines(records),
}


def _write_lines(
    lines: Callable[[Sequence[str], Iterable[Record]], Iterator[str]],
    path: Path,
    columns: Sequence[str],
    records: Iterable[Record],
) -> None:
    with open_atomic(path) as file:
        for line in lines(columns, records):
            # Bytes of a file name that are not valid text are written unchanged.
            file.write(os.fsencode(line))
