"""The log of the files that edgekit wrote. It lets a run resume, and keeps other files from being replaced.

May import `io` and what is below it.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.batch.sqlite_store import Schema, SqliteStore
from edgekit.errors import OutputError
from edgekit.io.stores import StorePath, path_of

#: Name of the log in an output folder.
NAME = ".edgekit.sqlite"

#: Prefix of the job keys of ``edgekit pick``. Its outputs are photographs, not rendered responses.
PICKED = "picked"

_NO_DETAILS: Mapping[str, Any] = {}

# Paths are stored as bytes, because a file name need not be valid text.
SCHEMA = Schema(
    "an output log of edgekit", int.from_bytes(b"EKwr"), 2,
    without="existing results are then replaced only with --force", tables="""
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
_IS_STARTED = "SELECT 1 FROM announced WHERE output = ?"


class Origin(NamedTuple):
    """What an output was made from: the input, its size and time then, and the key of the job."""

    path: Path
    size: int
    mtime: int
    job_key: str


class OutputLog(SqliteStore):
    """The files that edgekit wrote, each with its name, size and time.

    A file is added just before it appears under its name. If a run is killed in between, the log has an entry without
    a file, which has no effect. A file that was there before keeps its own entry.

    Parameters
    ----------
    path : Path, optional
        The log; it is created if it does not exist. None is a temporary log.
    alone : bool
        Let no other process use the log at the same time.
    read_only : bool
        Only read. The log must exist, and other processes may write to it at the same time.

    Attributes
    ----------
    path : Path or None
        Its path, with symbolic links in the folder resolved.

    Raises
    ------
    OutputError
        If the log cannot be opened or is damaged.
    """

    def __init__(self, path: Path | None, *, alone: bool = False, read_only: bool = False) -> None:
        self._folder = path.parent.absolute() if path else None
        super().__init__(path, SCHEMA, alone=alone, read_only=read_only)
        self.path = path and resolve_folder(path)

    def is_own(self, output: Path) -> bool:
        """Tell whether edgekit wrote the file at `output`, and it was not changed since; or began to write that
        object.
        """
        return self._select_file("1", output) is not None or self._run_for_object(_IS_STARTED, output)

    def is_rendered(self, path: Path) -> bool:
        """Tell whether a file is a rendered response, unchanged. A picked image is a photograph."""
        row = self._select_file("substr(jobs.job, 1, ?) != ?", path, (len(PICKED), PICKED))
        return bool(row[0]) if row else self._run_for_object(_IS_STARTED, path)

    def has_rendered(self, folder: Path) -> bool:
        """Tell whether rendered responses were written below a folder. They may have been changed or removed since.

        Parameters
        ----------
        folder : Path
            With symbolic links resolved, or a folder in an object store.
        """
        if isinstance(folder, StorePath):
            return True
        sql, values = f"SELECT 1 {_FROM} substr(jobs.job, 1, ?) != ?", [len(PICKED), PICKED]
        if name := self._name(folder).rstrip(b"/"):
            # Names below the folder begin with its name and a slash. The next character after the slash is 0.
            sql, values = f"{sql} AND output > ? AND output < ?", [*values, name + b"/", name + b"0"]
        return self._run_sql(f"{sql} LIMIT 1", tuple(values)).fetchone() is not None

    def check_replaceable(self, output: Path, *, force: bool = False) -> None:
        """Raise if a result must not be written to `output`.

        Parameters
        ----------
        force : bool
            Allow replacing a file that edgekit did not write.

        Raises
        ------
        OutputError
            If there is such a file, or a symbolic link in the path leads out of the folder of the log. A link at
            `output` itself is such a file: it is replaced, and its target stays.
        """
        folder = output.absolute().parent
        if self._folder is not None and folder.is_relative_to(self._folder) and not self._contains(folder):
            raise OutputError(
                f"{output}: a symbolic link leads out of the output folder, to {os.path.realpath(folder)}, and is not "
                "followed; remove the link, or name that folder with -o"
            )
        exists = output.exists() if isinstance(output, StorePath) else os.path.lexists(output)
        if exists and not force and not self.is_own(output):
            raise OutputError(
                f"{output}: there is a file that edgekit did not write, or that is not in its log; choose another "
                "output, or replace the file with --force"
            )

    def outputs(self, job_key: str) -> list[Path]:
        """Return the files written by jobs whose keys begin with `job_key`.

        They may have been changed or removed since. A log from elsewhere may name any file: files outside the folder of
        the log are left out.
        """
        sql = f"SELECT output {_FROM} substr(jobs.job, 1, ?) = ?"
        found = self._run_sql(sql, (len(job_key), job_key)).fetchall()
        paths = ((self._folder or Path()) / os.fsdecode(output) for (output,) in found)
        return [path for path in paths if self._contains(path.parent)]

    def mark_started(self, output: Path) -> None:
        """Log that writing an object begins, since its size and time are known only after it was written.

        If the run is killed before `add`, the next run may replace the object.
        """
        self._run_for_object("INSERT OR IGNORE INTO announced VALUES (?)", output)

    def unmark_started(self, output: Path) -> None:
        """Log that an object is no longer being written."""
        self._run_for_object("DELETE FROM announced WHERE output = ?", output)

    def _run_for_object(self, sql: str, output: Path) -> bool:
        """Run a statement and tell whether it found a row, if `output` is an object in a store; files need none."""
        return isinstance(output, StorePath) and self._run_sql(sql, (_encode(output),)).fetchone() is not None

    def is_current(self, output: Path, source: Path, source_stat: os.stat_result, job_key: str) -> bool:
        """Tell whether `output` is the result of the job for the input in its present state."""
        origin = (_encode(source.absolute()), source_stat.st_size, source_stat.st_mtime_ns, job_key)
        return self._select_file("input, input_size, input_mtime, jobs.job", output) == origin

    def origin(self, output: Path) -> Origin | None:
        """Return the input of a file that edgekit wrote and that was not changed since; None for other files."""
        row = self._select_file("input, input_size, input_mtime, jobs.job", output)
        return None if row is None else Origin(path_of(os.fsdecode(row[0])), *row[1:])

    def details(self, output: Path) -> Mapping[str, Any]:
        """Return the details that were added with `output`; none if version 1 of the log added it.

        A log from elsewhere may contain anything.
        """
        row = self._select_file("details", output)
        try:
            details = json.loads(row[0]) if row and row[0] else None
        except (TypeError, ValueError):
            return _NO_DETAILS
        return details if isinstance(details, dict) else _NO_DETAILS

    def add(
        self,
        output: Path,
        output_stat: os.stat_result,
        source: Path,
        source_stat: os.stat_result,
        job_key: str,
        details: Mapping[str, Any] = _NO_DETAILS,
    ) -> None:
        """Add a file that is about to appear at `output`, or an object that is there.

        Parameters
        ----------
        output_stat, source_stat : os.stat_result
            Status of the output, and of the input before it was read.
        job_key : str
            Key of the job.
        details : mapping
            More about the result: names, and values that JSON can hold.
        """
        origin = (_encode(source.absolute()), source_stat.st_size, source_stat.st_mtime_ns)
        self._run_sql("INSERT OR IGNORE INTO jobs (job) VALUES (?)", (job_key,))
        self._run_sql(
            "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?, ?, (SELECT id FROM jobs WHERE job = ?), ?)",
            (*self._key(output, output_stat), *origin, job_key, json.dumps(dict(details)) if details else None),
        )
        self.unmark_started(output)

    def adder(self, output: Path, job_key: str) -> Callable[[os.stat_result], None]:
        """Return a function that adds a file without an input, such as a summary or a plot, by its status."""
        return lambda stat: self.add(output, stat, output, stat, job_key)

    def _contains(self, folder: Path) -> bool:
        """Tell whether a folder is below the folder of the log, with symbolic links resolved."""
        return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self._folder or Path()))

    def _key(self, output: Path, stat: os.stat_result) -> tuple[bytes, int, int]:
        return self._name(output), stat.st_size, stat.st_mtime_ns

    def _name(self, output: Path) -> bytes:
        """Return the name of a file relative to the log, so that an output folder can be moved.

        Symbolic links in the folder are resolved: a result is found under any of its names.
        """
        if isinstance(output, StorePath):
            return _encode(output)
        path, home = resolve_folder(output), self.path and self.path.parent
        name = path.relative_to(home).as_posix() if home and path.is_relative_to(home) else path.as_posix()
        return b"" if name == "." else os.fsencode(name)

    def _select_file(self, columns: str, output: Path, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """Return columns of the entry of a file in its present state; None if there is no entry."""
        try:
            key = self._key(output, output.lstat())
        except OSError:
            return None
        row: tuple[Any, ...] | None = self._run_sql(f"SELECT {columns} {_FROM} {_FILE}", (*values, *key)).fetchone()
        return row


def resolve_folder(path: Path) -> Path:
    """Return a path with symbolic links in its folder resolved, but not a link at the path itself."""
    return Path(os.path.realpath(path.parent), path.name)


def _encode(path: Path) -> bytes:
    return os.fsencode(str(path))
