"""The base of the SQLite files that runs keep. Its errors say what is wrong with a file and what to do.

May import `io` and what is below it.
"""

import contextlib
import os
import platform
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from edgekit.errors import OutputError
from edgekit.io.writing import discard_draft, write_atomic

#: Seconds that a process waits while another one writes to a shared file.
WAIT = 10

#: The same if the file is only read. A process that writes a folder of results locks its file until it ends.
READING_WAIT = 1

# SQLite's messages about some damage are not valid text.
_ERRORS = (sqlite3.Error, UnicodeDecodeError)

#: The suffix of the file that names the process that uses a store.
HOLDER = "-holder"


class Schema(NamedTuple):
    """The contents of a file, and how it is distinguished from other SQLite files.

    Attributes
    ----------
    name : str
        What messages call it.
    number : int
        SQLite's ``application_id``: four letters.
    version : int
        SQLite's ``user_version``; increased when the tables change.
    tables : str
        SQL that creates the tables.
    without : str
        The consequence of deleting the file.
    upgrades : mapping of int to str
        SQL that upgrades the file from an older version to the next one.
    """

    name: str
    number: int
    version: int
    tables: str
    without: str
    upgrades: Mapping[int, str] = {}


class SqliteStore:
    """An SQLite file, closed at the end of a ``with`` block.

    A change is kept even if the process dies immediately after it. It is not forced to the disk: a power failure may
    lose the last changes or damage the file, which the next run reports. SQLite lets one of two processes write, by
    locks of the file system. On network shares without such locks, two processes are not kept apart.

    Parameters
    ----------
    path : Path, optional
        The file; it is created if it does not exist. None is a temporary file.
    schema : Schema
        Its contents.
    alone : bool
        Let no other process use the file at the same time.
    read_only : bool
        Only read. The file must exist, other processes may write to it at the same time, and an older version is not
        upgraded.
    temporary : str
        SQL that creates tables that are removed with the process.

    Raises
    ------
    OutputError
        If the file is damaged, of another version, something else, cannot be written, or another process uses it. It
        stays unchanged.
    """

    def __init__(
        self, path: Path | None, schema: Schema, *, alone: bool, read_only: bool = False, temporary: str = ""
    ) -> None:
        self._path, self._schema, self._read_only = path, schema, read_only
        self._holder = None if path is None else path.with_name(path.name + HOLDER)
        self._alone = alone
        try:
            self._db = self._open(alone, temporary)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"{path}: {schema.name} cannot be opened: {error.strerror or error}") from error

    def _open(self, alone: bool, temporary: str) -> sqlite3.Connection:
        db = self._connect(alone)
        signing = False
        try:
            db.execute("PRAGMA synchronous = OFF")
            if alone:
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute(f"BEGIN {'DEFERRED' if self._read_only else 'EXCLUSIVE' if alone else 'IMMEDIATE'}")
            self._check(db)
            db.execute("COMMIT")
            db.execute(temporary)
            if alone and self._holder is not None:
                signing = True
                self._sign(self._holder)
        except BaseException as error:
            # Includes Ctrl-C, which may come before there is a `with` block to close the file.
            if signing and self._holder is not None:
                self._holder.unlink(missing_ok=True)
            db.close()
            if isinstance(error, _ERRORS):
                raise self._unusable(error) from error
            raise
        return db

    def _connect(self, alone: bool) -> sqlite3.Connection:
        path = self._path
        if path is not None:
            if path.is_symlink():
                raise OutputError(
                    f"{path}: expected {self._schema.name}; found a symbolic link, which is not followed; remove it"
                )
            if not self._read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            elif not path.is_file():
                # Opening a pipe could block forever.
                raise OutputError(f"{path}: expected {self._schema.name}; found no regular file")
        # An empty name is a temporary file, since the rows of a large run do not fit in memory.
        name = f"{path.absolute().as_uri()}?mode=ro" if path is not None and self._read_only else path or ""
        wait = READING_WAIT if self._read_only else 0 if alone else WAIT
        try:
            # A thread may read logs while it lists files; SQLite itself lets one thread in at a time.
            return sqlite3.connect(name, wait, uri=self._read_only, isolation_level=None, check_same_thread=False)
        except _ERRORS as error:
            raise self._unusable(error) from error

    def _check(self, db: sqlite3.Connection) -> None:
        """Create or upgrade the tables if needed; raise unless the file has this schema and is undamaged."""
        schema = self._schema
        number, version = (db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("application_id", "user_version"))
        empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty and not self._read_only:
            for table in schema.tables.split(";"):
                db.execute(table)
            db.execute(f"PRAGMA application_id = {schema.number}")
            db.execute(f"PRAGMA user_version = {schema.version}")
        elif number != schema.number:
            raise OutputError(
                f"{self._path}: expected {schema.name}; found another program's database, or one of an edgekit before "
                f"its first release. Choose another output, or move the file away; {schema.without}"
            )
        elif version not in (schema.version, *schema.upgrades):
            raise OutputError(
                f"{self._path}: expected {schema.name} of version {schema.version}; found version {version}, of "
                f"another edgekit. Use that one, choose another output, or delete the file; {schema.without}"
            )
        elif self._alone and (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            # Not for shared files: they are opened for single images, and the check takes longer the larger they are.
            raise sqlite3.DatabaseError(found)
        elif not self._read_only:
            for number in range(version, schema.version):
                db.execute(schema.upgrades[number])
                db.execute(f"PRAGMA user_version = {number + 1}")

    def _unusable(self, error: Exception) -> OutputError:
        """Return the error that says why the file cannot be used, and what to do."""
        schema, code = self._schema, getattr(error, "sqlite_errorcode", 0) & 0xFF
        busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if self._read_only:
            cause = f"another edgekit{self._who()} is writing there" if busy else error
            return OutputError(f"{self._path}: {schema.name} cannot be read: {cause}")
        if busy:
            return OutputError(
                f"{self._path}: another edgekit{self._who()} is writing there; wait until it is done, or choose "
                "another output"
            )
        name = self._path or "a temporary file"
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return OutputError(
                f"{name}: {schema.name} cannot be written: {error}. Is the disk full, or the folder read-only? What "
                "was written is kept; run the same command again"
            )
        return OutputError(
            f"{name}: {schema.name} cannot be used: {error}. The file is damaged, or something else: delete it; "
            f"{schema.without}"
        )

    def _run_sql(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except _ERRORS as error:
            raise self._unusable(error) from error

    def _sign(self, holder: Path) -> None:
        """Write which process uses the file, for messages. SQLite's lock decides whether it is in use."""
        with contextlib.suppress(OutputError):
            write_atomic(f"process {os.getpid()} on {platform.node()}\n".encode(), holder)

    def _who(self) -> str:
        """Return the process that uses the file, if it is known."""
        if self._holder is None or self._holder.is_symlink():
            return ""
        try:
            return f" ({self._holder.read_bytes()[:200].decode(errors='replace').strip()})"
        except OSError:
            return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, as the end of a ``with`` block does."""
        if self._alone and self._holder is not None:
            self._holder.unlink(missing_ok=True)
        self._db.close()


def remove_store(path: Path) -> None:
    """Remove a closed file, and what a process that was killed may have left beside it."""
    discard_draft(path.with_name(path.name + HOLDER))
    # The file itself is the last: while it is there, what belongs to it can be completed.
    for suffix in ("-journal", HOLDER, ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
