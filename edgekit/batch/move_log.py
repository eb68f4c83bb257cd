"""The log of the files that were sorted into a folder, so that an interrupted run is resumed and all can be undone.

May import `io` and what is below it.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from edgekit.batch.sorting import Earlier, Plan, Rule, Transfer, Verb
from edgekit.batch.sqlite_store import Schema, SqliteStore
from edgekit.errors import OutputError

#: Name of the log in a folder.
NAME = ".edgekit-moves.sqlite"

# Targets are stored relative to the folder, which can be renamed; sources are absolute. All are bytes, because a file
# name need not be valid text.
SCHEMA = Schema("a log of moved files of edgekit", int.from_bytes(b"EKmv"), 1,
                without="the files that it lists can then not be put back by edgekit undo", tables="""
CREATE TABLE transfers (
    target BLOB PRIMARY KEY, verb TEXT NOT NULL, source BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    path BLOB NOT NULL, photograph INTEGER NOT NULL, pending INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE made (folder BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE undo (started INTEGER NOT NULL);
""")  # fmt: skip

_COLUMNS = "verb, source, target, size, mtime, path"


class MoveLog(SqliteStore):
    """The transfers into a folder. A run writes all of its transfers to the log before it touches the first file.

    The log says what was planned; whether a transfer is done is seen in the two places of the file. So nothing has to
    be written between two files, and a run that was killed at any moment is resumed from the log alone. The log is
    forced to the disk, so that this is also true after a power failure.

    Parameters
    ----------
    folder : Path
        The folder that receives files; it is created if it does not exist.
    undoing : bool
        Whether the log is opened by ``edgekit undo``.
    read_only : bool
        Only read. The log must exist.

    Raises
    ------
    OutputError
        If the log cannot be opened, is damaged, or an undo of the folder was interrupted.
    """

    def __init__(self, folder: Path, *, undoing: bool = False, read_only: bool = False) -> None:
        self.folder = folder.absolute()
        made = [*_missing(self.folder)] or ([self.folder] if _was_just_made(self.folder) else [])
        super().__init__(self.folder / NAME, SCHEMA, alone=not read_only, read_only=read_only)
        if not read_only:
            self._run_sql("PRAGMA synchronous = FULL")
            self._add_made(made)
        if undoing:
            self._run_sql("INSERT INTO undo VALUES (1)")
        elif self._run_sql("SELECT 1 FROM undo").fetchone():
            self.close()
            raise OutputError(f"{folder}: an undo was interrupted here; run it again: edgekit undo {folder}")

    def begin(self, plans: Iterable[Plan]) -> None:
        """Log all transfers of a run, in one step. Those that replace an earlier copy have their entry already."""
        first = 1 + (self._run_sql("SELECT max(photograph) FROM transfers").fetchone()[0] or 0)
        self._run_sql("BEGIN")
        folders: dict[Path, None] = {}
        for number, plan in enumerate(plans, first):
            for one in (one for one in plan.transfers if one.replaces is None):
                target = one.target.relative_to(self.folder).as_posix()
                values = (one.verb, os.fsencode(one.source), os.fsencode(target), one.size, one.mtime)
                into = f"INSERT OR REPLACE INTO transfers ({_COLUMNS}, photograph, pending)"
                self._run_sql(f"{into} VALUES (?, ?, ?, ?, ?, ?, ?, 1)", (*values, os.fsencode(one.path), number))
                folders[one.target.parent] = None
        self._add_made([path for folder in folders for path in _missing(folder)])
        self._run_sql("COMMIT")

    def renew(self, plan: Plan) -> None:
        """Log the copies of a plan that replaced earlier ones.

        If the run is killed before this, the next one finds the copy complete, and logs it.
        """
        for one in (one for one in plan.transfers if one.replaces is not None):
            target = one.target.relative_to(self.folder).as_posix()
            values = (one.size, one.mtime, os.fsencode(target))
            self._run_sql("UPDATE transfers SET size = ?, mtime = ? WHERE target = ?", values)

    def end(self) -> None:
        """Log that the run did all it could. What failed is reported, and stays where it is."""
        self._run_sql("UPDATE transfers SET pending = 0 WHERE pending")

    def pending(self) -> list[Plan]:
        """Return the plans of a run that was interrupted."""
        return list(self._plans("WHERE pending"))

    def plans(self) -> list[Plan]:
        """Return all plans, the last one first."""
        return list(self._plans(""))[::-1]

    def find(self, rule: Rule, source: Path, stat: os.stat_result | None) -> Earlier | None:
        """Return what an earlier run made of a file by this rule, if that still exists.

        Parameters
        ----------
        stat : os.stat_result or None
            Status of the file; None if the file is no longer at the source. What was made of its present state is
            preferred to what was made last.
        """
        sql = "SELECT target, size, mtime FROM transfers WHERE verb = ? AND source = ? ORDER BY photograph DESC"
        rows = self._run_sql(sql, (rule.verb, os.fsencode(source.absolute()))).fetchall()
        made = [Earlier(self._target(name), *state) for name, *state in rows]
        found = [earlier for earlier in made if os.path.lexists(earlier.target)]
        now = stat and (stat.st_size, stat.st_mtime_ns)
        return next((earlier for earlier in found if earlier[1:] == now), found[0] if found else None)

    def remove(self, plan: Plan) -> None:
        """Remove the transfers of a plan from the log, after they were undone."""
        for one in plan.transfers:
            target = one.target.relative_to(self.folder).as_posix()
            self._run_sql("DELETE FROM transfers WHERE target = ?", (os.fsencode(target),))

    def made(self) -> list[Path]:
        """Return the folders that were created, the innermost first."""
        found = []
        for (name,) in self._run_sql("SELECT folder FROM made").fetchall():
            folder = self.folder
            for part in Path(os.fsdecode(name)).parts:
                # With .. in its path a parent would not be found after the folder is removed.
                folder = folder.parent if part == ".." else folder / part
            found.append(folder)
        return sorted(found, key=lambda folder: len(folder.parts), reverse=True)

    def is_empty(self) -> bool:
        """Tell whether no transfer is left."""
        return self._run_sql("SELECT 1 FROM transfers").fetchone() is None

    def end_undo(self) -> None:
        """Log that the undo did all it could."""
        self._run_sql("DELETE FROM undo")

    def _plans(self, condition: str) -> Iterator[Plan]:
        sql = f"SELECT photograph, {_COLUMNS} FROM transfers {condition} ORDER BY photograph, target"
        found = self._run_sql(sql).fetchall()
        for _, rows in groupby(found, key=lambda row: row[0]):
            transfers = tuple(self._transfer(*row[1:]) for row in rows)
            yield Plan(transfers[0].path, self.folder, transfers)

    def _transfer(self, verb: Verb, source: bytes, target: bytes, size: int, mtime: int, path: bytes) -> Transfer:
        return Transfer(verb, Path(os.fsdecode(source)), self._target(target), size, mtime, os.fsdecode(path))

    def _target(self, name: bytes) -> Path:
        return self.folder / os.fsdecode(name)

    def _add_made(self, folders: Iterable[Path]) -> None:
        for folder in folders:
            name = os.path.relpath(folder, self.folder)
            self._run_sql("INSERT OR IGNORE INTO made VALUES (?)", (os.fsencode(name),))


def _was_just_made(folder: Path) -> bool:
    """Tell whether a folder holds nothing but a log: the run that made the folder was killed before it logged this."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return bool(names) and all(NAME in name for name in names)


def _missing(folder: Path) -> Iterator[Path]:
    """Yield the folder and those of its parents that do not exist."""
    while not os.path.lexists(folder):
        yield folder
        folder = folder.parent
