"""What has been written: a record beside the results, so that a run can be killed and taken up again."""

import os
import threading
from pathlib import Path

from edgekit.batch.database import Kind, Record
from edgekit.errors import OutputError
from edgekit.io.stores import StorePath

#: The journal's name in an output folder.
NAME = ".edgekit.sqlite"

# Paths are bytes: a name need not be text.
KIND = Kind(
    "a record of what edgekit wrote", int.from_bytes(b"EKwr"), 1,
    without="results already there are then replaced only with --force", tables="""
CREATE TABLE jobs (id INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE);
CREATE TABLE written (
    output BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    input BLOB NOT NULL, input_size INTEGER NOT NULL, input_mtime INTEGER NOT NULL,
    job INTEGER NOT NULL REFERENCES jobs (id),
    PRIMARY KEY (output, size, mtime)
) WITHOUT ROWID;
CREATE TABLE announced (output BLOB PRIMARY KEY) WITHOUT ROWID;
""")  # fmt: skip

_ENTRY = """
SELECT input, input_size, input_mtime, jobs.job FROM written JOIN jobs ON jobs.id = written.job
WHERE output = ? AND size = ? AND mtime = ?
"""


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
        super().__init__(path, KIND, alone=alone)

    def wrote(self, output: Path) -> bool:
        """Tell whether the file at `output` is as edgekit wrote it, or was being written to a store."""
        asked = "SELECT 1 FROM announced WHERE output = ?"
        return self._entry(output) is not None or self._announced(asked, output)

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
        return self._entry(output) == (_named(source.absolute()), status.st_size, status.st_mtime_ns, job)

    def enter(self, output: Path, made: os.stat_result, source: Path, status: os.stat_result, job: str) -> None:
        """Enter a finished file that is about to appear at `output`, or an object that is there."""
        origin = (_named(source.absolute()), status.st_size, status.st_mtime_ns)
        with self._lock:
            self._run_sql("INSERT OR IGNORE INTO jobs (job) VALUES (?)", (job,))
            self._run_sql(
                "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?, ?, (SELECT id FROM jobs WHERE job = ?))",
                (*self._key(output, made), *origin, job),
            )
        self.withdraw(output)

    def _holds(self, folder: Path) -> bool:
        """Tell whether a folder lies below the record's, wherever links lead."""
        return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self._folder or Path()))

    def _key(self, output: Path, status: os.stat_result) -> tuple[bytes, int, int]:
        """Name a file by its place below the record, so that an output folder can be moved as a whole."""
        path = output.absolute()
        name = path.relative_to(self._folder) if self._folder and path.is_relative_to(self._folder) else path
        return os.fsencode(name.as_posix()), status.st_size, status.st_mtime_ns

    def _entry(self, output: Path) -> tuple[bytes, int, int, str] | None:
        try:
            key = self._key(output, output.lstat())
        except OSError:
            return None
        with self._lock:
            row: tuple[bytes, int, int, str] | None = self._run_sql(_ENTRY, key).fetchone()
        return row


def _named(path: Path) -> bytes:
    return os.fsencode(str(path))
