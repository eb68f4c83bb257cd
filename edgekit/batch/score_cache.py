"""Rows of scores on disk: what a run has measured, so that it can be killed and taken up again."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.batch.sqlite_store import Kind, Record
from edgekit.io.stores import real

# Paths, and reasons that name them, are bytes: a name need not be text.
KIND = Kind("a record of scores", int.from_bytes(b"EKsc"), 1, without="the images are then scored again", tables="""
CREATE TABLE scored (
    path BLOB NOT NULL, frame INTEGER NOT NULL, time REAL, bytes INTEGER NOT NULL, mtime INTEGER NOT NULL,
    job TEXT NOT NULL, run TEXT NOT NULL, width INTEGER, height INTEGER, measured TEXT NOT NULL,
    status TEXT NOT NULL, reason BLOB NOT NULL, PRIMARY KEY (path, frame)
) WITHOUT ROWID;
CREATE TABLE clips (
    path BLOB PRIMARY KEY, bytes INTEGER NOT NULL, mtime INTEGER NOT NULL, job TEXT NOT NULL, frames INTEGER NOT NULL
) WITHOUT ROWID;
""")  # fmt: skip

#: What this run has met already; it goes with the process.
_BEGUN = "CREATE TEMP TABLE begun (path BLOB PRIMARY KEY) WITHOUT ROWID"

_COLUMNS = "path, frame, time, bytes, mtime, width, height, measured, status, reason"

#: Stands in the record for no frame: the file as a whole.
WHOLE = -1


class Row(NamedTuple):
    """One image's row, or that of one frame of a clip.

    Attributes
    ----------
    path : str
        As it was found.
    bytes, mtime : int
        Size, and time of the last change in nanoseconds.
    width, height : int or None
        In pixels; None where the image failed.
    values : tuple of float
        In the order of the job's measures; NaN where undefined, none where the image failed.
    status : str
        ``ok``, ``undefined`` or ``failed``.
    reason : str
        Why it failed.
    frame : int or None
        Of a clip: which frame, from 0 on.
    time : float or None
        Of a clip: seconds from its begin.
    """

    path: str
    bytes: int
    mtime: int
    width: int | None
    height: int | None
    values: tuple[float, ...]
    status: str
    reason: str
    frame: int | None = None
    time: float | None = None


class Book(Record):
    """The rows of a run, and of those before it with the same output.

    Every row is kept as soon as it is measured. Rows of files that the present run did not meet stay
    in the book, and out of its results.

    Parameters
    ----------
    path : Path, optional
        Where to keep it; None is a file that goes with the process.
    job : str
        The job's key; rows of another are stale.

    Raises
    ------
    OutputError
        If the book cannot be opened or is damaged.
    """

    def __init__(self, path: Path | None, job: str) -> None:
        self._job = job
        self._run = f"{os.getpid()}-{os.urandom(8).hex()}"
        super().__init__(path, KIND, alone=True, temporary=_BEGUN)

    def begin(self, path: str) -> bool:
        """Tell whether this run meets a file for the first time, by whatever name."""
        claimed = (os.fsencode(real(path)),)
        return self._run_sql("INSERT OR IGNORE INTO temp.begun VALUES (?)", claimed).rowcount == 1

    def met(self, path: str, size: int, mtime: int) -> list[Row]:
        """Take the rows of a file into this run if it was measured as it is now: one, or a clip's frames in order."""
        found = self._run_sql(
            "UPDATE scored SET run = ? WHERE path = ? AND bytes = ? AND mtime = ? AND job = ? AND status != 'failed' "
            f"RETURNING {_COLUMNS}",
            (self._run, os.fsencode(path), size, mtime, self._job),
        ).fetchall()
        return sorted(map(_row, found), key=lambda row: row.frame or 0)

    def keep(self, row: Row) -> None:
        """Keep a row that was just measured."""
        measured = json.dumps([None if math.isnan(v) else v for v in row.values])
        self._run_sql(
            f"INSERT OR REPLACE INTO scored ({_COLUMNS}, job, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (os.fsencode(row.path), WHOLE if row.frame is None else row.frame, row.time, row.bytes, row.mtime,
             row.width, row.height, measured, row.status, os.fsencode(row.reason), self._job, self._run),
        )  # fmt: skip

    def finish(self, path: str, size: int, mtime: int, frames: int) -> None:
        """Keep that all frames of a clip were measured, and how many there are."""
        self._run_sql(
            "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?)", (os.fsencode(path), size, mtime, self._job, frames)
        )

    def finished(self, path: str, size: int, mtime: int, frames: int) -> bool:
        """Tell whether `frames` are all of a clip as it is now; rows may have given way to those of another job."""
        known = (os.fsencode(path), size, mtime, self._job, frames)
        sql = "SELECT 1 FROM clips WHERE path = ? AND bytes = ? AND mtime = ? AND job = ? AND frames = ?"
        return self._run_sql(sql, known).fetchone() is not None

    def rows(self) -> Iterator[Row]:
        """Give the rows of this run by path and frame."""
        return self._select("ORDER BY path, frame")

    def ranked(self, *, best_first: bool, most: int | None = None) -> Iterator[Row]:
        """Give the rows of this run by their first measure, those without one last."""
        value = "json_extract(measured, '$[0]')"
        limit = "" if most is None else f" LIMIT {most:d}"
        return self._select(f"ORDER BY {value} IS NULL, {value} {'DESC' if best_first else 'ASC'}, path, frame{limit}")

    def values(self) -> Sequence[float]:
        """Return the first measure of every row that has one."""
        found = self._run_sql(
            "SELECT json_extract(measured, '$[0]') AS v FROM scored WHERE run = ? AND v IS NOT NULL", (self._run,)
        )
        return [v for (v,) in found]

    def _select(self, order: str) -> Iterator[Row]:
        cursor = self._run_sql(f"SELECT {_COLUMNS} FROM scored WHERE run = ? {order}", (self._run,))
        return map(_row, cursor)


def _row(found: tuple[Any, ...]) -> Row:
    path, frame, time, size, mtime, width, height, measured, status, reason = found
    values = tuple(math.nan if v is None else float(v) for v in json.loads(measured))
    number = None if frame == WHOLE else frame
    return Row(os.fsdecode(path), size, mtime, width, height, values, status, os.fsdecode(reason), number, time)
