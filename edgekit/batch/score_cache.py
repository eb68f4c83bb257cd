"""The score cache: the rows of a run on disk, so that a run that was stopped can be resumed.

May import `io` and what is below it.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from edgekit.batch.sqlite_store import Schema, SqliteStore
from edgekit.io.stores import canonical_path

#: A row has a field of the name ``bytes``.
Bytes = bytes

#: Name of the cache in an output folder.
NAME = ".edgekit-scores.sqlite"

# Paths, and reasons that contain paths, are stored as bytes, because a file name need not be valid text.
SCHEMA = Schema("a score cache of edgekit", int.from_bytes(b"EKsc"), 2, without="the images are then scored again",
                tables="""
CREATE TABLE scored (
    path BLOB NOT NULL, frame INTEGER NOT NULL, time REAL, bytes INTEGER NOT NULL, mtime INTEGER NOT NULL,
    job TEXT NOT NULL, run TEXT NOT NULL, width INTEGER, height INTEGER, measured TEXT NOT NULL,
    status TEXT NOT NULL, reason BLOB NOT NULL, fingerprint BLOB NOT NULL DEFAULT x'', PRIMARY KEY (path, frame)
) WITHOUT ROWID;
CREATE TABLE clips (
    path BLOB PRIMARY KEY, bytes INTEGER NOT NULL, mtime INTEGER NOT NULL, job TEXT NOT NULL, frames INTEGER NOT NULL
) WITHOUT ROWID;
""", upgrades={1: "ALTER TABLE scored ADD COLUMN fingerprint BLOB NOT NULL DEFAULT x''"})  # fmt: skip

#: The files of the present run; the table is removed with the process.
_VISITED = "CREATE TEMP TABLE visited (path BLOB PRIMARY KEY) WITHOUT ROWID"

_COLUMNS = "path, frame, time, bytes, mtime, width, height, measured, status, reason, fingerprint"

#: The frame number in the table for an image, which has no frames.
NO_FRAME = -1


class Row(NamedTuple):
    """The scores of one image, or of one frame of a video.

    Attributes
    ----------
    path : str
        As it was found.
    bytes, mtime : int
        Size of the file, and time of its last change in nanoseconds.
    width, height : int or None
        In pixels; None if the image failed.
    values : tuple of float
        In the order of the job's measures. NaN where undefined; empty if the image failed.
    status : str
        ``ok``, ``undefined``, ``truncated`` or ``failed``.
    reason : str
        Why it failed, or a note about the image.
    frame : int or None
        Number of the frame in a video, or of the image in a file with several, from 0.
    time : float or None
        Seconds from the start of the video; None for images.
    fingerprint : bytes
        That of `edgekit.focus.likeness`; empty if the job does not compare images.
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
    fingerprint: Bytes = b""

    @property
    def page(self) -> int | None:
        """The number of the image in a file with several, from 1 on."""
        return None if self.frame is None or self.time is not None else self.frame + 1

    @property
    def score(self) -> float | None:
        """The first value; NaN if it is undefined, None if the image failed."""
        return self.values[0] if self.values else None

    def failed(self, reason: str) -> "Row":
        """Return the row of the same image if it failed."""
        return self._replace(width=None, height=None, values=(), fingerprint=b"", status="failed", reason=reason)


class ScoreCache(SqliteStore):
    """The rows of a run, and of earlier runs with the same output.

    Each row is stored as soon as it is measured. Rows of files that are not part of the present run stay in the cache,
    but not in its results.

    Parameters
    ----------
    path : Path, optional
        The file; None is a temporary file.
    job_key : str
        Key of the job; rows of other jobs are stale.

    Raises
    ------
    OutputError
        If the cache cannot be opened or is damaged.
    """

    def __init__(self, path: Path | None, job_key: str) -> None:
        self._job_key = job_key
        self._run = f"{os.getpid()}-{os.urandom(8).hex()}"
        super().__init__(path, SCHEMA, alone=True, temporary=_VISITED)

    def visit(self, path: str) -> bool:
        """Tell whether this run visits a file for the first time, under any of its names."""
        name = (os.fsencode(canonical_path(path)),)
        return self._run_sql("INSERT OR IGNORE INTO temp.visited VALUES (?)", name).rowcount == 1

    def reuse(self, path: str, size: int, mtime: int, *, frame: int | Literal["all"] | None = None) -> list[Row]:
        """Make stored rows of an unchanged file part of this run: that of one frame or page, or all in order.

        Rows that failed are not reused.
        """
        one = () if frame == "all" else (NO_FRAME if frame is None else frame,)
        found = self._run_sql(
            "UPDATE scored SET run = ? WHERE path = ? AND bytes = ? AND mtime = ? AND job = ? AND status != 'failed' "
            f"{'AND frame = ? ' * len(one)}RETURNING {_COLUMNS}",
            (self._run, os.fsencode(path), size, mtime, self._job_key, *one),
        ).fetchall()
        return sorted(map(_row, found), key=lambda row: row.frame or 0)

    def store(self, row: Row) -> None:
        """Store a row that was just measured."""
        measured = json.dumps([None if math.isnan(v) else v for v in row.values])
        self._run_sql(
            f"INSERT OR REPLACE INTO scored ({_COLUMNS}, job, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (os.fsencode(row.path), NO_FRAME if row.frame is None else row.frame, row.time, row.bytes, row.mtime,
             row.width, row.height, measured, row.status, os.fsencode(row.reason), row.fingerprint, self._job_key,
             self._run),
        )  # fmt: skip

    def store_frame_count(self, path: str, size: int, mtime: int, frames: int) -> None:
        """Store that all frames of a video were measured, and their number."""
        self._run_sql(
            "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?)",
            (os.fsencode(path), size, mtime, self._job_key, frames),
        )

    def has_all_frames(self, path: str, size: int, mtime: int, frames: int) -> bool:
        """Tell whether `frames` is the number of all frames of an unchanged video.

        A run of another job may have replaced some of the rows since they were stored.
        """
        known = (os.fsencode(path), size, mtime, self._job_key, frames)
        sql = "SELECT 1 FROM clips WHERE path = ? AND bytes = ? AND mtime = ? AND job = ? AND frames = ?"
        return self._run_sql(sql, known).fetchone() is not None

    def rows(self) -> Iterator[Row]:
        """Yield the rows of this run, sorted by path and frame."""
        return self._select("ORDER BY path, frame")

    def ranked(self, *, best_first: bool, count: int | None = None) -> Iterator[Row]:
        """Yield the rows of this run, or the first `count`, sorted by their first measure; undefined ones last."""
        value = "json_extract(measured, '$[0]')"
        limit = "" if count is None else f" LIMIT {count:d}"
        return self._select(f"ORDER BY {value} IS NULL, {value} {'DESC' if best_first else 'ASC'}, path, frame{limit}")

    def scores(self) -> Sequence[float]:
        """Return the first measure of each row of this run, where it is defined."""
        found = self._run_sql(
            "SELECT json_extract(measured, '$[0]') AS v FROM scored WHERE run = ? AND v IS NOT NULL", (self._run,)
        )
        return [v for (v,) in found]

    def _select(self, order: str) -> Iterator[Row]:
        cursor = self._run_sql(f"SELECT {_COLUMNS} FROM scored WHERE run = ? {order}", (self._run,))
        return map(_row, cursor)


def _row(found: tuple[Any, ...]) -> Row:
    path, frame, time, size, mtime, width, height, measured, status, reason, fingerprint = found
    values = tuple(math.nan if v is None else float(v) for v in json.loads(measured))
    number = None if frame == NO_FRAME else frame
    return Row(
        os.fsdecode(path), size, mtime, width, height, values, status, os.fsdecode(reason), number, time, fingerprint
    )
