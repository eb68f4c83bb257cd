"""Which files of a folder are results of edgekit's earlier runs, by every record that may know them."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

from edgekit.batch.output_log import Journal, place_of
from edgekit.errors import OutputError
from edgekit.io.stores import StorePath, real


def _no_records(folder: Path) -> Iterable[Path]:
    return ()


class Results:
    """Tells the rendered responses of edgekit's runs from photographs; to be used in a ``with`` block.

    Frames and images that were picked are photographs. So is a response that was changed or renamed since: name, size
    and time of a file must be those of the record. A record that cannot be read is ignored, with one message.

    Parameters
    ----------
    journals : sequence of Journal
        The records of the folders that this run writes into. Results that they know are never inputs.
    records : callable
        Returns the paths of the records that may know files of a folder, by its real name; those that do not exist
        count for nothing.
    target : Path, optional
        A folder of which no file is an input.
    tell : callable
        Called with what is wrong with a record.

    Attributes
    ----------
    left_out : int
        Files that were left out so far; counted by who asks.
    """

    def __init__(
        self,
        journals: Sequence[Journal] = (),
        records: Callable[[Path], Iterable[Path]] = _no_records,
        *,
        target: Path | None = None,
        tell: Callable[[str], object] = lambda message: None,
    ) -> None:
        self.left_out = 0
        self._journals, self._records, self._tell = journals, records, tell
        self._target = None if target is None else Path(real(target))
        self._opened: dict[Path, Journal | None] = {}
        self._folder: Path | None = None
        self._own: list[Journal] = []
        self._others: list[Journal] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(set(self._opened))

    def own(self, path: Path) -> bool:
        """Tell whether a file is a result in a folder that this run writes into."""
        if self._target is not None and Path(real(path)).is_relative_to(self._target):
            return True
        self._enter(path.parent)
        return any(journal.rendered(path) for journal in self._own)

    def earlier(self, path: Path) -> bool:
        """Tell whether a file is a result of an earlier run that wrote into another folder."""
        self._enter(path.parent)
        return any(self._ask(journal, path, Journal.rendered) for journal in self._others)

    def _enter(self, folder: Path) -> None:
        """Find the records that know results in a folder: files of all other folders cost no question."""
        if folder == self._folder:
            return
        self._folder = folder
        place = folder if isinstance(folder, StorePath) else Path(os.path.realpath(folder))
        self._own = [journal for journal in self._journals if journal.holds_rendered(place)]
        in_use = {journal.place for journal in self._journals}
        known = map(place_of, filter(os.path.lexists, self._records(place)))
        paths = [path for path in known if path not in in_use]
        # A tree of many output folders has as many records: few are open at a time.
        self._close({path for path, journal in self._opened.items() if journal and path not in paths})
        opened = [self._open(path) for path in paths]
        self._others = [j for j in opened if j and self._ask(j, place, Journal.holds_rendered)]

    def _open(self, path: Path) -> Journal | None:
        if path not in self._opened:
            self._opened[path] = None
            try:
                self._opened[path] = Journal(path, read_only=True)
            except OutputError as error:
                self._lost(error)
        return self._opened[path]

    def _ask(self, journal: Journal, path: Path, question: Callable[[Journal, Path], bool]) -> bool:
        try:
            return question(journal, path)
        except OutputError as error:
            for place in [place for place, opened in self._opened.items() if opened is journal]:
                self._close({place})
                self._opened[place] = None
            self._others = [other for other in self._others if other is not journal]
            self._lost(error)
            return False

    def _lost(self, error: OutputError) -> None:
        self._tell(f"{error}. Results listed only in this record are treated as images")

    def _close(self, paths: set[Path]) -> None:
        for path in paths:
            journal = self._opened.pop(path)
            if journal is not None:
                journal.close()
