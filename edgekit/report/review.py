"""A folder with a review page, its images and an output log. May import `batch` and what is below it."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from edgekit.batch.output_log import NAME, OutputLog
from edgekit.batch.score_cache import ScoreCache
from edgekit.focus.blur_threshold import Threshold
from edgekit.io.writing import open_atomic
from edgekit.report.images import ReviewImages
from edgekit.report.page import Page

#: Name of the page in its folder.
INDEX = "index.html"


class Review:
    """Makes a review page. A context manager that lets no other process write to the folder.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    force : bool
        Replace a page that edgekit did not write.

    Attributes
    ----------
    images : ReviewImages
        Makes the images of the page, while the inputs are scored.
    log : OutputLog
        The output log of the folder.
    index : Path
        The page.

    Raises
    ------
    MissingExtraError
        If Jinja2 is missing.
    OutputError
        If there is a page that edgekit did not write, or the log cannot be used.
    """

    def __init__(self, folder: Path, *, force: bool = False) -> None:
        self.index = folder / INDEX
        self._page = Page(folder)
        with ExitStack() as opened:
            self.log = opened.enter_context(OutputLog(folder / NAME, alone=True))
            self.log.check_replaceable(self.index, force=force)
            self._opened = opened.pop_all()
        self.images = ReviewImages(folder, self.log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def write(
        self,
        cache: ScoreCache,
        measures: tuple[str, ...],
        threshold: Threshold,
        moments: Mapping[tuple[str, int | None], int],
    ) -> None:
        """Write the page with all rows of a run, in one step.

        Parameters
        ----------
        moments : mapping
            The number of the moment of each row, by path and frame; empty if images were not compared.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        rows = (r for r in cache.ranked(best_first=True) if r.status != "failed")
        failed = (r for r in cache.rows() if r.status == "failed")
        with open_atomic(self.index, self.log.adder(self.index, "page")) as file:
            for piece in self._page.content(rows, failed, measures, threshold, moments):
                file.write(piece)
