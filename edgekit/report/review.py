"""A folder with a review page and its pictures, and the record of what edgekit wrote there."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from edgekit.batch.output_log import NAME, Journal
from edgekit.batch.score_cache import Book
from edgekit.focus.blur_threshold import Threshold
from edgekit.io.writing import placing
from edgekit.report.page import Page
from edgekit.report.pictures import Pictures

#: The page's name in its folder.
INDEX = "index.html"


class Review:
    """Makes a review page, in a ``with`` block that keeps others out of its folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    force : bool
        Replace a page that edgekit did not write.

    Attributes
    ----------
    pictures : Pictures
        Draws what the page shows, while the images are scored.
    journal : Journal
        The record of what edgekit wrote there.
    index : Path
        The page.

    Raises
    ------
    MissingExtraError
        If Jinja2 is missing.
    OutputError
        If a page is there that edgekit did not write, or its record cannot be used.
    """

    def __init__(self, folder: Path, *, force: bool = False) -> None:
        self.index = folder / INDEX
        self._page = Page(folder)
        with ExitStack() as opened:
            self.journal = opened.enter_context(Journal(folder / NAME, alone=True))
            self.journal.admit(self.index, force=force)
            self._opened = opened.pop_all()
        self.pictures = Pictures(folder, self.journal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def write(self, book: Book, measures: tuple[str, ...], threshold: Threshold) -> None:
        """Write the page of all rows of a run, in one step.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        rows = (r for r in book.ranked(best_first=True) if r.status != "failed")
        failed = (r for r in book.rows() if r.status == "failed")
        index = self.index
        with placing(index, lambda made: self.journal.enter(index, made, index, made, "page")) as file:
            for piece in self._page.content(rows, failed, measures, threshold):
                file.write(piece)
