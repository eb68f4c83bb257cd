"""Opens the records that runs keep, or says why it cannot."""

import contextlib
import os
import platform
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from edgekit.errors import OutputError
from edgekit.io.writing import place

#: Seconds that a process waits for another's entry in a record that they share.
PATIENCE = 10

#: The same for a record that is only read: a process that writes a folder of results holds its record until its end.
READING_PATIENCE = 1

# Of some damage SQLite's words are no text either.
_WRONG = (sqlite3.Error, UnicodeDecodeError)

#: What a record of its own is followed by in the name of the file that tells who has it open.
HOLDER = "-holder"


class Kind(NamedTuple):
    """A kind of record, as its file tells it from others.

    Attributes
    ----------
    name : str
        What messages call it.
    number : int
        SQLite's ``application_id``: four letters.
    version : int
        SQLite's ``user_version``; raised when the tables change.
    tables : str
        SQL that makes them.
    without : str
        What follows if it is deleted.
    upgrades : mapping of int to str
        By an older version: SQL that makes the next version of it.
    """

    name: str
    number: int
    version: int
    tables: str
    without: str
    upgrades: Mapping[int, str] = {}


class Record:
    """A record on disk, closed at the end of a ``with`` block.

    What is entered is there when the process dies the moment after. It is not forced to the disk: a power cut may cost
    the last entries, or damage the record, which is said at the next run. Of two processes SQLite lets in one, by locks
    of the file system; on network shares without such locks nothing keeps two apart.

    Parameters
    ----------
    path : Path, optional
        Where it is, made if it is not there; None is a temporary file that goes with the process.
    kind : Kind
        What it holds.
    alone : bool
        Let no other process use it meanwhile.
    read_only : bool
        Read it only: it must exist, other processes may write it meanwhile, and an older version is not upgraded.
    temporary : str
        SQL that makes the tables that end with the process.

    Raises
    ------
    OutputError
        If it is damaged, of another version, no record at all, cannot be written, or another process uses it. What is
        there stays as it is.
    """

    def __init__(
        self, path: Path | None, kind: Kind, *, alone: bool, read_only: bool = False, temporary: str = ""
    ) -> None:
        self._path, self._kind, self._read_only = path, kind, read_only
        self._holder = None if path is None else path.with_name(path.name + HOLDER)
        self._alone = alone
        try:
            self._db = self._open(alone, temporary)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"{path}: {kind.name} cannot be opened: {error.strerror or error}") from error

    def _open(self, alone: bool, temporary: str) -> sqlite3.Connection:
        path = self._path
        if path is not None:
            if path.is_symlink():
                raise OutputError(f"{path}: expected {self._kind.name}; found a link, which is not followed; remove it")
            if not self._read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            elif not path.is_file():
                # Who opens a pipe to read it may wait for ever.
                raise OutputError(f"{path}: expected {self._kind.name}; found no regular file")
        # An empty name is a temporary file: a million rows need memory.
        name = f"{path.absolute().as_uri()}?mode=ro" if path is not None and self._read_only else path or ""
        patience = READING_PATIENCE if self._read_only else 0 if alone else PATIENCE
        try:
            # The runner's threads enter one at a time.
            db = sqlite3.connect(name, patience, uri=self._read_only, check_same_thread=False, isolation_level=None)
        except _WRONG as error:
            raise self._unusable(error) from error
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
            # Ctrl-C may come here, too: before there is a `with` block that would close the record.
            if signing and self._holder is not None:
                self._holder.unlink(missing_ok=True)
            db.close()
            if isinstance(error, _WRONG):
                raise self._unusable(error) from error
            raise
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        """Make or upgrade the tables where that is needed; raise unless what is there is such a record, and whole."""
        kind = self._kind
        number, version = (db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("application_id", "user_version"))
        empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty and not self._read_only:
            for table in kind.tables.split(";"):
                db.execute(table)
            db.execute(f"PRAGMA application_id = {kind.number}")
            db.execute(f"PRAGMA user_version = {kind.version}")
        elif number != kind.number:
            raise OutputError(
                f"{self._path}: expected {kind.name}; found another program's database, or that of an edgekit before "
                f"its first release. Name another output, or move it away; {kind.without}"
            )
        elif version not in (kind.version, *kind.upgrades):
            raise OutputError(
                f"{self._path}: expected {kind.name} of version {kind.version}; found version {version}, of another "
                f"edgekit. Use that one, name another output, or delete it; {kind.without}"
            )
        elif self._alone and (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            # Not of what is shared: that is opened for single images, and must not cost more the larger it is.
            raise sqlite3.DatabaseError(found)
        elif not self._read_only:
            for number in range(version, kind.version):
                db.execute(kind.upgrades[number])
                db.execute(f"PRAGMA user_version = {number + 1}")

    def _unusable(self, error: Exception) -> OutputError:
        kind, code = self._kind, getattr(error, "sqlite_errorcode", 0) & 0xFF
        busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if self._read_only:
            cause = f"another edgekit{self._who()} is writing there" if busy else error
            return OutputError(f"{self._path}: {kind.name} cannot be read: {cause}")
        if busy:
            return OutputError(
                f"{self._path}: another edgekit{self._who()} is writing there; wait until it is done, or name another "
                "output"
            )
        place = self._path or "a temporary file"
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return OutputError(
                f"{place}: nothing can be recorded: {error}. Is the disk full, or the folder read-only? What was "
                "recorded is kept; run the same command again"
            )
        return OutputError(
            f"{place}: {kind.name} cannot be used: {error}. It is damaged, or none at all: delete it; {kind.without}"
        )

    def _run_sql(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except _WRONG as error:
            raise self._unusable(error) from error

    def _sign(self, holder: Path) -> None:
        """Leave word of who has the record open: that it is open, and until when, is SQLite's to say."""
        with contextlib.suppress(OutputError):
            place(f"process {os.getpid()} on {platform.node()}\n".encode(), holder)

    def _who(self) -> str:
        """Return who has it open, as far as they said."""
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
        """Close it, as the end of a ``with`` block does."""
        if self._alone and self._holder is not None:
            self._holder.unlink(missing_ok=True)
        self._db.close()
