"""The work of moving, copying and linking files into a folder, and of putting them back.

Each step can be repeated: a run that was killed at any moment is completed by the same steps from the log. May import
`io` and what is below it.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from edgekit.batch.copies import is_equal, reason_to_keep
from edgekit.batch.engines import Engine
from edgekit.batch.move_log import NAME, MoveLog
from edgekit.batch.runner import Failure, Known, Status, Work, run
from edgekit.batch.score_cache import NAME as SCORES
from edgekit.batch.sorting import Plan, Transfer, Verb
from edgekit.batch.sqlite_store import remove_store
from edgekit.errors import EdgekitError, OutputError, UnreadableError
from edgekit.io.writing import discard_draft, open_atomic


class MoveOutcome(NamedTuple):
    """What happened to the files of a photograph.

    Attributes
    ----------
    plan : Plan
    status : Status
        ``done``, ``current`` if there was nothing to do, or ``failed``.
    reason : str
        Why it failed.
    """

    plan: Plan
    status: Status
    reason: str = ""


class _MoveWork(Work[Plan, Plan, bool, MoveOutcome]):
    """Carries out plans, or takes them back. `on_done` is called with each plan that is done.

    The task tells whether it had anything to do.
    """

    def __init__(self, task: Callable[[Plan], bool], on_done: Callable[[Plan], None] = lambda plan: None) -> None:
        self.task, self._on_done = task, on_done

    def name(self, item: Plan) -> str:
        return item.name

    def prepare(self, item: Plan) -> Plan | Known[MoveOutcome]:
        return Known(MoveOutcome(item, Status.FAILED, item.reason)) if item.reason else item

    def finish(self, prepared: Plan, result: bool) -> MoveOutcome:
        self._on_done(prepared)
        return MoveOutcome(prepared, Status.DONE if result else Status.CURRENT)

    def fail(self, item: Plan, prepared: Plan | None, failure: Failure) -> MoveOutcome:
        return MoveOutcome(item, Status.FAILED, failure.reason)


def carry_out(plans: list[Plan], log: MoveLog, engine: Engine) -> Iterator[MoveOutcome]:
    """Log the plans, move, copy or link their files, and yield what happened to each."""
    log.begin(plans)
    yield from _complete(plans, log, engine)


def resume(log: MoveLog, engine: Engine) -> Iterator[MoveOutcome]:
    """Complete what an interrupted run had planned, and yield what happened to each plan."""
    pending = log.pending()
    if pending:
        yield from _complete(pending, log, engine)


def _complete(plans: list[Plan], log: MoveLog, engine: Engine) -> Iterator[MoveOutcome]:
    yield from run(_MoveWork(_carry_out, log.renew), plans, engine)
    log.end()


def undo(log: MoveLog, engine: Engine) -> Iterator[MoveOutcome]:
    """Put files back that were moved, remove copies and links, and yield what happened to each plan.

    Afterwards folders that were made and are empty are removed, and the log if nothing is left to undo.
    """
    yield from run(_MoveWork(_undo, log.remove), log.plans(), engine)
    made, empty = log.made(), log.is_empty()
    inner = [folder for folder in made if log.folder in folder.parents]
    _remove_empty(inner)
    log.end_undo()
    log.close()
    if empty:
        if log.folder in made:
            remove_store(log.folder / SCORES)
        # After this nobody knows which folders were made: only the folder itself and its parents are left then.
        remove_store(log.folder / NAME)
    _remove_empty(folder for folder in made if folder not in inner)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        # A folder with other files in it stays.
        with contextlib.suppress(OSError):
            folder.rmdir()


def remaining(plan: Plan) -> tuple[Transfer, ...]:
    """Return the transfers of an interrupted run that are not done yet."""
    return tuple(one for one in plan.transfers if not _DONE[one.verb](one))


def _carry_out(plan: Plan) -> bool:
    for one in plan.transfers:
        try:
            {"move": _move, "copy": _copy, "link": _link}[one.verb](one)
        except OSError as error:
            raise _failed(one.source, f"cannot be {_PAST[one.verb]} to {one.target}", error) from error
    return True


def _undo(plan: Plan) -> bool:
    found = any(os.path.lexists(one.target) for one in plan.transfers)
    for one in reversed(plan.transfers):
        for path in (one.source, one.target):
            discard_draft(path)
        try:
            _move_back(one) if one.verb == "move" else _remove(one)
        except OSError as error:
            raise _failed(one.target, f"cannot be put back to {one.source}", error) from error
    return found


#: The verbs in messages.
_PAST = {"move": "moved", "copy": "copied", "link": "linked"}


def _failed(path: Path, what: str, error: OSError) -> EdgekitError:
    return error if isinstance(error, EdgekitError) else OutputError(f"{path}: {what}: {error.strerror or error}")


def _move(one: Transfer) -> None:
    here, there = _status(one.source), _status(one.target)
    if here is None and there is not None:
        return  # It was moved before the run was interrupted.
    _check_unchanged(one, here)
    _rename(one.source, one.target, there)


def _move_back(one: Transfer) -> None:
    here, there = _status(one.source), _status(one.target)
    if there is None:
        if here is None:
            raise UnreadableError(f"{one.target}: the file is gone; it came from {one.source}")
        return  # It was put back, or was never moved.
    one.source.parent.mkdir(parents=True, exist_ok=True)
    _rename(one.target, one.source, here)


def _rename(source: Path, target: Path, there: os.stat_result | None) -> None:
    """Rename a file, or copy and remove it if the target is on another file system; never replace another file."""
    if there is not None:
        # A run was killed after the copy was complete and before the original was removed.
        if os.path.samestat(source.lstat(), there) or not is_equal(source, target):
            raise OutputError(f"{target}: there is another file; rename it, and run the same command again")
        _copy_status(source, target)
        source.unlink()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_whole(source, target)
        _force_to_disk(target.parent)
        source.unlink()


def _copy(one: Transfer) -> None:
    # What a link leads to is copied.
    here, there = _status(one.source, follow_symlinks=True), _status(one.target)
    _check_unchanged(one, here)
    if _is_copied(one):
        return
    if there is not None:
        if one.replaces is None:
            raise OutputError(f"{one.target}: there is another file; rename it, and run the same command again")
        if (there.st_size, there.st_mtime_ns) != one.replaces:
            raise OutputError(
                f"{one.target}: changed since it was made, and kept; delete it to copy {one.source} again"
            )
    _copy_whole(one.source, one.target)


def _link(one: Transfer) -> None:
    if _is_linked(one):
        return
    one.target.parent.mkdir(parents=True, exist_ok=True)
    one.target.symlink_to(_content_of_link(one))


def _is_linked(one: Transfer) -> bool:
    return one.target.is_symlink() and one.target.readlink() == _content_of_link(one)


def _is_copied(one: Transfer) -> bool:
    there = _status(one.target)
    return there is not None and (there.st_size, there.st_mtime_ns) == (one.size, one.mtime)


#: How it is seen that a transfer is done.
_DONE: dict[Verb, Callable[[Transfer], bool]] = {
    "move": lambda one: _status(one.source) is None,
    "copy": _is_copied,
    "link": _is_linked,
}


def _content_of_link(one: Transfer) -> Path:
    """Return what the link contains: a relative path, so that both folders can be moved together."""
    return Path(os.path.relpath(one.source, os.path.realpath(one.target.parent)))


def _remove(one: Transfer) -> None:
    """Remove a link that nobody changed, or a copy whose original still has its content."""
    if _status(one.target) is None:
        return
    if one.verb == "link":
        changed, only = not _is_linked(one), ""
    else:
        only = reason_to_keep(one.target, one.source)
        changed = bool(only) and not _is_copied(one)
    if changed:
        raise OutputError(f"{one.target}: changed since it was made, and kept; delete it if you do not need it")
    if only:
        raise OutputError(f"{one.target}: may be the only copy, and is kept: {only}; delete it if you do not need it")
    one.target.unlink()


def _status(path: Path, *, follow_symlinks: bool = False) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=follow_symlinks)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _check_unchanged(one: Transfer, here: os.stat_result | None) -> None:
    if here is None:
        raise UnreadableError(f"{one.source}: the file is gone since it was scored; run the same command again")
    if (here.st_size, here.st_mtime_ns) != (one.size, one.mtime):
        raise UnreadableError(f"{one.source}: the file was changed since it was scored; run the same command again")


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a file with its times and permissions. It appears at the target when it is complete and on the disk."""
    with source.open("rb") as original, open_atomic(target) as copy:
        shutil.copyfileobj(original, copy, 1 << 20)
        copy.flush()
        stat = os.fstat(original.fileno())
        # Before it appears: the size and the time tell that a copy is complete.
        os.utime(copy.fileno() if os.utime in os.supports_fd else copy.name, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        os.fsync(copy.fileno())
    _copy_status(source, target)


def _copy_status(source: Path, target: Path) -> None:
    """Copy times, permissions and attributes, as far as the file system of the target has them."""
    with contextlib.suppress(OSError):
        shutil.copystat(source, target)


def _force_to_disk(folder: Path) -> None:
    """Force the names in a folder to the disk, where the system can do this."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
