"""Opens the records that runs keep, or says why it cannot."""

import sqlite3
from pathlib import Path
from typing import Self

from edgekit.errors import OutputError

#: Seconds that a process waits for another's entry in a record that they share.
PATIENCE = 10


def connect(path: Path | None, tables: str, *, alone: bool, without: str) -> sqlite3.Connection:
    """Open a record, making it where there is none.

    A record outlives the process; after a power cut its last entries may be missing.

    Parameters
    ----------
    path : Path, optional
        Where it is; None is a temporary file that goes with the process.
    tables : str
        SQL that makes the tables that are not there.
    alone : bool
        Let no other process use it meanwhile.
    without : str
        What follows if a damaged record is deleted.

    Raises
    ------
    OutputError
        If it is damaged, cannot be written, or another process uses it.
    """
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        # The runner's threads enter one at a time. An empty name is a temporary file: a million rows need memory.
        database = sqlite3.connect(path or "", 0 if alone else PATIENCE, check_same_thread=False, isolation_level=None)
        database.execute("PRAGMA synchronous = OFF")
        if alone:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("COMMIT")
        database.executescript(tables)
    except (OSError, sqlite3.Error) as error:
        if "locked" in str(error):
            raise OutputError(
                f"{path}: another edgekit is writing there; wait until it is done, or name another output"
            ) from error
        raise OutputError(
            f"{path}: edgekit's record cannot be used: {error}. If it is damaged, delete it; {without}"
        ) from error
    return database


class Record:
    """A record that is closed at the end of a ``with`` block.

    Parameters
    ----------
    path, tables, alone, without
        As for `connect`.
    """

    def __init__(self, path: Path | None, tables: str, *, alone: bool, without: str) -> None:
        self._db = connect(path, tables, alone=alone, without=without)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
