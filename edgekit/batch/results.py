"""Finds out which files are results of earlier runs of edgekit, by all output logs that may list them.

May import `io` and what is below it.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

from edgekit.batch.output_log import OutputLog, resolve_folder
from edgekit.errors import OutputError
from edgekit.io.stores import StorePath, canonical_path


def _no_logs(folder: Path) -> Iterable[Path]:
    return ()


class Results:
    """Tells rendered responses of edgekit's runs from other images; a context manager.

    Picked frames and images are not results. A rendered response that was changed or renamed is not a result either:
    the name, the size and the time of a file must be those in the log. A log that cannot be read is ignored, with one
    message.

    Parameters
    ----------
    logs : sequence of OutputLog
        The logs of the folders that this run writes to. Results that they list are never inputs.
    find_logs : callable
        Takes a folder with symbolic links resolved. Returns the paths of other logs that may list files of the folder;
        they need not exist.
    targets : sequence of Path
        Folders of which no file is an input.
    complain : callable
        Called with a message about a log that cannot be read.

    Attributes
    ----------
    left_out : int
        Number of results that were left out; `edgekit.batch.sources.find` counts them.
    """

    def __init__(
        self,
        logs: Sequence[OutputLog] = (),
        find_logs: Callable[[Path], Iterable[Path]] = _no_logs,
        *,
        targets: Sequence[Path] = (),
        complain: Callable[[str], object] = lambda message: None,
    ) -> None:
        self.left_out = 0
        self._logs, self._find_logs, self._complain = logs, find_logs, complain
        self._targets = [Path(canonical_path(target)) for target in targets]
        self._opened: dict[Path, OutputLog | None] = {}
        self._folder: Path | None = None
        self._own: list[OutputLog] = []
        self._others: list[OutputLog] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(set(self._opened))

    def is_own(self, path: Path) -> bool:
        """Tell whether a file is a result in a folder that this run writes to."""
        if self._targets and any(map(Path(canonical_path(path)).is_relative_to, self._targets)):
            return True
        self._enter(path.parent)
        return any(log.is_rendered(path) for log in self._own)

    def is_earlier(self, path: Path) -> bool:
        """Tell whether a file is a result of an earlier run that wrote to another folder."""
        self._enter(path.parent)
        return any(self._ask(log, path, OutputLog.is_rendered) for log in self._others)

    def _enter(self, folder: Path) -> None:
        """Find the logs that list results in a folder, so that files of other folders need no query."""
        if folder == self._folder:
            return
        self._folder = folder
        resolved = folder if isinstance(folder, StorePath) else Path(os.path.realpath(folder))
        self._own = [log for log in self._logs if log.has_rendered(resolved)]
        in_use = {log.path for log in self._logs}
        known = map(resolve_folder, filter(os.path.lexists, self._find_logs(resolved)))
        paths = [path for path in known if path not in in_use]
        # A tree with many output folders has as many logs; only a few are kept open.
        self._close({path for path, log in self._opened.items() if log and path not in paths})
        opened = [self._open(path) for path in paths]
        self._others = [log for log in opened if log and self._ask(log, resolved, OutputLog.has_rendered)]

    def _open(self, path: Path) -> OutputLog | None:
        if path not in self._opened:
            self._opened[path] = None
            try:
                self._opened[path] = OutputLog(path, read_only=True)
            except OutputError as error:
                self._report(error)
        return self._opened[path]

    def _ask(self, log: OutputLog, path: Path, question: Callable[[OutputLog, Path], bool]) -> bool:
        """Return the answer of a log; False if it cannot be read, and then it is not asked again."""
        try:
            return question(log, path)
        except OutputError as error:
            for log_path in [log_path for log_path, opened in self._opened.items() if opened is log]:
                self._close({log_path})
                self._opened[log_path] = None
            self._others = [other for other in self._others if other is not log]
            self._report(error)
            return False

    def _report(self, error: OutputError) -> None:
        self._complain(f"{error}. Results listed only in this log are treated as images")

    def _close(self, paths: set[Path]) -> None:
        for path in paths:
            log = self._opened.pop(path)
            if log is not None:
                log.close()
