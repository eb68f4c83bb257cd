"""What has been written: a record beside the results, so that a run can be killed and taken up again."""

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.batch.sqlite_store import Kind, Record
from edgekit.errors import OutputError
from edgekit.io.stores import StorePath

#: The journal's name in an output folder.
NAME = ".edgekit.sqlite"

#: Prefix of the job keys of `pick`. Its outputs are photographs, not rendered responses.
PICKED = "picked"

#: Nothing to say of a result.
_NOTHING: Mapping[str, Any] = {}

# Paths are bytes: a name need not be text.
KIND = Kind(
    "a record of what edgekit wrote", int.from_bytes(b"EKwr"), 2,
    without="results already there are then replaced only with --force", tables="""
CREATE TABLE jobs (id INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE);
CREATE TABLE written (
    output BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    input BLOB NOT NULL, input_size INTEGER NOT NULL, input_mtime INTEGER NOT NULL,
    job INTEGER NOT NULL REFERENCES jobs (id), details TEXT,
    PRIMARY KEY (output, size, mtime)
) WITHOUT ROWID;
CREATE TABLE announced (output BLOB PRIMARY KEY) WITHOUT ROWID;
""", upgrades={1: "ALTER TABLE written ADD COLUMN details TEXT"})  # fmt: skip

_FROM = "FROM written JOIN jobs ON jobs.id = written.job WHERE"
_FILE = "output = ? AND size = ? AND mtime = ?"


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
    read_only : bool
        Read it only: it must exist, and other processes may write it meanwhile.

    Attributes
    ----------
    place : Path or None
        Where it is, by the real name of its folder.

    Raises
    ------
    OutputError
        If it cannot be opened or is damaged.
    """

    def __init__(self, path: Path | None, *, alone: bool = False, read_only: bool = False) -> None:
        self._folder = path.parent.absolute() if path else None
        self._lock = threading.Lock()
        super().__init__(path, KIND, alone=alone, read_only=read_only)
        self.place = path and place_of(path)

    def wrote(self, output: Path) -> bool:
        """Tell whether the file at `output` is as edgekit wrote it, or was being written to a store."""
        asked = "SELECT 1 FROM announced WHERE output = ?"
        return self._entry("1", output) is not None or self._announced(asked, output)

    def rendered(self, path: Path) -> bool:
        """Tell whether a file is a response as edgekit wrote it; what was picked is a photograph."""
        row = self._entry("substr(jobs.job, 1, ?) != ?", path, (len(PICKED), PICKED))
        return bool(row[0]) if row else self._announced("SELECT 1 FROM announced WHERE output = ?", path)

    def holds_rendered(self, folder: Path) -> bool:
        """Tell whether responses were written below a folder; they may be changed or gone.

        Parameters
        ----------
        folder : Path
            By its real name, or a folder in a store.
        """
        if isinstance(folder, StorePath):
            return True
        sql, values = f"SELECT 1 {_FROM} substr(jobs.job, 1, ?) != ?", [len(PICKED), PICKED]
        if name := self._name(folder).rstrip(b"/"):
            # All names below begin with the folder's and a slash, which 0 follows.
            sql, values = f"{sql} AND output > ? AND output < ?", [*values, name + b"/", name + b"0"]
        with self._lock:
            return self._run_sql(f"{sql} LIMIT 1", tuple(values)).fetchone() is not None

    def admit(self, output: Path, *, force: bool = False) -> None:
        """Raise if a result must not go to `output`.

        Parameters
        ----------
        force : bool
            Allow a file that edgekit did not write to be replaced.

        Raises
        ------
        OutputError
            If there is such a file, or a link on the way leads out of the record's folder. A link at `output` itself
            is such a file: what replaces it is no link, and what it led to stays.
        """
        folder = output.absolute().parent
        if self._folder is not None and folder.is_relative_to(self._folder) and not self._holds(folder):
            raise OutputError(
                f"{output}: a link leads out of the output folder, to {os.path.realpath(folder)}, and is not followed; "
                "remove it, or name that folder with -o"
            )
        there = output.exists() if isinstance(output, StorePath) else os.path.lexists(output)
        if not force and there and not self.wrote(output):
            raise OutputError(
                f"{output}: there is a file that edgekit did not write, or has no record of; name another, or replace "
                "it with --force"
            )

    def outputs(self, job: str) -> list[Path]:
        """Return the files that jobs wrote whose keys begin with `job`; they may have been changed or be gone.

        A record that came from elsewhere may name any file; those that are not in its own folder are left out.
        """
        with self._lock:
            found = self._run_sql(
                "SELECT output FROM written JOIN jobs ON jobs.id = written.job WHERE substr(jobs.job, 1, ?) = ?",
                (len(job), job),
            ).fetchall()
        paths = ((self._folder or Path()) / os.fsdecode(output) for (output,) in found)
        return [path for path in paths if self._holds(path.parent)]

    def announce(self, output: Path) -> None:
        """Enter that an object is about to be written: its status is known only when it is there.

        A run that is killed before it can enter that leaves an object which the next run may replace.
        """
        self._announced("INSERT OR IGNORE INTO announced VALUES (?)", output)

    def withdraw(self, output: Path) -> None:
        """Enter that an object is not being written any more."""
        self._announced("DELETE FROM announced WHERE output = ?", output)

    def _announced(self, sql: str, output: Path) -> bool:
        """Look or enter what is being written: of files that is never said, of objects only."""
        if not isinstance(output, StorePath):
            return False
        with self._lock:
            return self._run_sql(sql, (_named(output),)).fetchone() is not None

    def current(self, output: Path, source: Path, status: os.stat_result, job: str) -> bool:
        """Tell whether `output` is what `job` makes of the input as it is now."""
        origin = (_named(source.absolute()), status.st_size, status.st_mtime_ns, job)
        return self._entry("input, input_size, input_mtime, jobs.job", output) == origin

    def details(self, output: Path) -> Mapping[str, Any]:
        """Return the details that were entered with `output`; none where version 1 of the record entered it.

        A record that came from elsewhere may hold anything.
        """
        row = self._entry("details", output)
        try:
            details = json.loads(row[0]) if row and row[0] else None
        except (TypeError, ValueError):
            return _NOTHING
        return details if isinstance(details, dict) else _NOTHING

    def enter(
        self,
        output: Path,
        made: os.stat_result,
        source: Path,
        status: os.stat_result,
        job: str,
        details: Mapping[str, Any] = _NOTHING,
    ) -> None:
        """Enter a finished file that is about to appear at `output`, or an object that is there.

        Parameters
        ----------
        details : mapping
            What else there is to say of the result: names and values that JSON can hold.
        """
        origin = (_named(source.absolute()), status.st_size, status.st_mtime_ns)
        with self._lock:
            self._run_sql("INSERT OR IGNORE INTO jobs (job) VALUES (?)", (job,))
            self._run_sql(
                "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?, ?, (SELECT id FROM jobs WHERE job = ?), ?)",
                (*self._key(output, made), *origin, job, json.dumps(dict(details)) if details else None),
            )
        self.withdraw(output)

    def _holds(self, folder: Path) -> bool:
        """Tell whether a folder lies below the record's, wherever links lead."""
        return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self._folder or Path()))

    def _key(self, output: Path, status: os.stat_result) -> tuple[bytes, int, int]:
        return self._name(output), status.st_size, status.st_mtime_ns

    def _name(self, output: Path) -> bytes:
        """Name a file by its place below the record, so that an output folder can be moved as a whole.

        A folder on the way counts by its real name: a result is found again by whatever name.
        """
        if isinstance(output, StorePath):
            return _named(output)
        path, home = place_of(output), self.place and self.place.parent
        name = path.relative_to(home).as_posix() if home and path.is_relative_to(home) else path.as_posix()
        return b"" if name == "." else os.fsencode(name)

    def _entry(self, columns: str, output: Path, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """Return some columns of the entry of a file as it is now."""
        try:
            key = self._key(output, output.lstat())
        except OSError:
            return None
        with self._lock:
            row: tuple[Any, ...] | None = self._run_sql(f"SELECT {columns} {_FROM} {_FILE}", (*values, *key)).fetchone()
        return row


def place_of(path: Path) -> Path:
    """Return a file's place by the real name of its folder; a link in its own place stays one."""
    return Path(os.path.realpath(path.parent), path.name)


def _named(path: Path) -> bytes:
    return os.fsencode(str(path))
