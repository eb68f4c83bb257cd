"""Scores many images: each file once, whatever happens in between."""

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from edgekit.batch.book import Book, Row
from edgekit.batch.inputs import Source
from edgekit.batch.journal import Journal
from edgekit.batch.runner import in_order
from edgekit.batch.score_job import ScoreJob
from edgekit.display import to_display
from edgekit.errors import EdgekitError, OutputError
from edgekit.io.reading import decode, read_bytes, status_of
from edgekit.io.writing import encode, place
from edgekit.scores import sharpness_map


def score_files(
    sources: Iterable[Source],
    job: ScoreJob,
    book: Book,
    *,
    workers: int = 1,
    maps: "Maps | None" = None,
    anew: bool = False,
) -> Iterator[Row]:
    """Give a row for each file, from the book if it was measured before as it is now.

    Parameters
    ----------
    sources : iterable of Source
        Taken as they come; the rows keep their order. A file that comes again is left out.
    job : ScoreJob
        What to measure.
    book : Book
        Keeps each row as soon as it is measured.
    workers : int
        Threads that decode and measure.
    maps : Maps, optional
        Draws where each image is sharp.
    anew : bool
        Measure everything, whatever the book says.
    """
    begun = _begun(sources, job, book, maps, anew)
    for row, fresh in in_order(partial(_done, job=job, maps=maps, anew=anew), begun, workers):
        if fresh:
            book.keep(row)
        yield row


class Maps:
    """Pictures of where images are sharp, in a folder with a record of what edgekit wrote there.

    Parameters
    ----------
    folder : Path
        The tree of the inputs is mirrored below it.
    journal : Journal
        The record.
    """

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder, self._journal = folder, journal
        self._taken: set[Path] = set()

    def place(self, source: Source) -> Path:
        """Return where a file's map lies; two that differ only in their ending have their own."""
        return self._folder / source.relative.parent / f"{source.relative.name}.sharpness.png"

    def claim(self, source: Source) -> None:
        """Raise if another file of this run has the same place."""
        place = self.place(source)
        if place in self._taken:
            raise OutputError(f"{place}: two maps of this run would be written here; run edgekit for each folder")
        self._taken.add(place)

    def drawn(self, source: Source, status: os.stat_result, job: ScoreJob) -> bool:
        """Tell whether the map is there, of the file as it is now."""
        return self._journal.current(self.place(source), source.path, status, job.key)

    def draw(self, source: Source, status: os.stat_result, job: ScoreJob, data: bytes, *, anew: bool) -> None:
        """Draw a file's map; raise if a file is there that edgekit did not write."""
        output = self.place(source)
        if output.exists() and not anew and not self._journal.wrote(output):
            raise OutputError(
                f"{output}: there is a file that edgekit did not write; name another folder, or use --force"
            )
        name = str(source.path)
        shown = to_display(sharpness_map(job.cut(decode(data, name, colour=False), name)), white=1.0)
        place(
            encode(shown.image, ".png"),
            output,
            lambda made: self._journal.enter(output, made, source.path, status, job.key),
        )


#: A source to be measured with its status and its row so far, or a finished row.
_Begun = tuple[Source | None, os.stat_result | None, Row]


def _begun(sources: Iterable[Source], job: ScoreJob, book: Book, maps: Maps | None, anew: bool) -> Iterator[_Begun]:
    for source in sources:
        path = str(source.path)
        if not book.begin(path):
            continue
        try:
            status = status_of(source.path)
            if maps is not None:
                maps.claim(source)
        except EdgekitError as error:
            yield None, None, Row(path, 0, 0, None, None, (), "failed", str(error))
            continue
        drawn = maps is None or maps.drawn(source, status, job)
        known = book.met(path, status.st_size, status.st_mtime_ns) if drawn and not anew else None
        if known is not None:
            yield None, None, known
        else:
            yield source, status, Row(path, status.st_size, status.st_mtime_ns, None, None, (), "", "")


def _done(begun: _Begun, job: ScoreJob, maps: Maps | None, anew: bool) -> tuple[Row, bool]:
    """Measure what is to be measured; tell whether the row is new."""
    source, status, row = begun
    if source is None or status is None:
        return row, row.status == "failed"
    try:
        data = read_bytes(source.path)
        scored = job.run(data, row.path)
        if maps is not None:
            maps.draw(source, status, job, data, anew=anew)
    except EdgekitError as error:
        said = str(error)
        return row._replace(status="failed", reason=said if row.path in said else f"{row.path}: {said}"), True
    except Exception as error:  # One file must not end the run.
        return row._replace(status="failed", reason=f"{row.path}: {type(error).__name__}: {error}"), True
    width, height, values = scored
    return row._replace(width=width, height=height, values=values, status=scored.status), True
