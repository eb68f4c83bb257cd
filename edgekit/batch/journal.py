"""What has been written: a record beside the results, so that a run can be killed and taken up again."""

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from edgekit.batch.database import Record
from edgekit.errors import OutputError
from edgekit.io.stores import StorePath

#: The journal's name in an output folder.
NAME = ".edgekit.sqlite"

# Paths are bytes: a name need not be text.
_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS written (
    output BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    input BLOB NOT NULL, input_size INTEGER NOT NULL, input_mtime INTEGER NOT NULL,
    job INTEGER NOT NULL REFERENCES jobs (id),
    PRIMARY KEY (output, size, mtime)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS announced (output BLOB PRIMARY KEY) WITHOUT ROWID;
"""

_ENTRY = """
SELECT input, input_size, input_mtime, jobs.job FROM written JOIN jobs ON jobs.id = written.job
WHERE output = ? AND size = ? AND mtime = ?
"""

_ENTER = "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?, ?, (SELECT id FROM jobs WHERE job = ?))"


class Journal(Record):
    """A record of the files that edgekit wrote, each by name, size and time.

    A file is entered just before it appears under its name. A run killed in between leaves an
    entry for a file that is not there, which counts for nothing; the file that was there before
    keeps its own entry.

    Parameters
    ----------
    path : Path, optional
        The record; made if it is not there. None is one that goes with the process.
    alone : bool
        Let no other process use it meanwhile.

    Raises
    ------
    OutputError
        If it cannot be opened or is damaged.
    """

    def __init__(self, path: Path | None, *, alone: bool = False) -> None:
        self._folder = path.parent.absolute() if path else None
        self._lock = threading.Lock()
        super().__init__(
            path, _TABLES, alone=alone, without="results already there are then replaced only with --force"
        )

    def wrote(self, output: Path) -> bool:
        """Tell whether the file at `output` is as edgekit wrote it, or was being written to a store."""
        return self._entry(output) is not None or (isinstance(output, StorePath) and self._announced(output))

    def outputs(self, job: str) -> list[Path]:
        """Return the files that jobs wrote whose keys begin with `job`; they may have been changed or be gone."""
        with self._lock:
            found = self._db.execute(
                "SELECT output FROM written JOIN jobs ON jobs.id = written.job WHERE substr(jobs.job, 1, ?) = ?",
                (len(job), job),
            ).fetchall()
        return [(self._folder or Path()) / os.fsdecode(output) for (output,) in found]

    def announce(self, output: Path) -> None:
        """Enter that an object is about to be written: its status is known only when it is there.

        A run that is killed before it can enter that leaves an object which the next run may replace.
        """
        if isinstance(output, StorePath):
            self._write(output, ("INSERT OR IGNORE INTO announced VALUES (?)", (_named(output),)))

    def withdraw(self, output: Path) -> None:
        """Enter that an object was not written after all."""
        if isinstance(output, StorePath):
            self._write(output, ("DELETE FROM announced WHERE output = ?", (_named(output),)))

    def _announced(self, output: Path) -> bool:
        with self._lock:
            found = self._db.execute("SELECT 1 FROM announced WHERE output = ?", (_named(output),))
            return found.fetchone() is not None

    def current(self, output: Path, source: Path, status: os.stat_result, job: str) -> bool:
        """Tell whether `output` is what `job` makes of the input as it is now."""
        return self._entry(output) == (_named(source.absolute()), status.st_size, status.st_mtime_ns, job)

    def enter(self, output: Path, made: os.stat_result, source: Path, status: os.stat_result, job: str) -> None:
        """Enter a finished file that is about to appear at `output`, or an object that is there."""
        origin = (_named(source.absolute()), status.st_size, status.st_mtime_ns)
        self._write(
            output,
            ("INSERT OR IGNORE INTO jobs (job) VALUES (?)", (job,)),
            (_ENTER, (*self._key(output, made), *origin, job)),
        )
        self.withdraw(output)

    def _write(self, output: Path, *entries: tuple[str, tuple[Any, ...]]) -> None:
        with self._lock:
            try:
                for sql, values in entries:
                    self._db.execute(sql, values)
            except sqlite3.Error as error:
                raise OutputError(f"{output}: cannot be recorded: {error}. Is the disk full?") from error

    def _key(self, output: Path, status: os.stat_result) -> tuple[bytes, int, int]:
        """Name a file by its place below the record, so that an output folder can be moved as a whole."""
        path = output.absolute()
        name = path.relative_to(self._folder) if self._folder and path.is_relative_to(self._folder) else path
        return os.fsencode(name.as_posix()), status.st_size, status.st_mtime_ns

    def _entry(self, output: Path) -> tuple[bytes, int, int, str] | None:
        try:
            key = self._key(output, output.stat())
        except OSError:
            return None
        with self._lock:
            row: tuple[bytes, int, int, str] | None = self._db.execute(_ENTRY, key).fetchone()
        return row


def _named(path: Path) -> bytes:
    return os.fsencode(str(path))
