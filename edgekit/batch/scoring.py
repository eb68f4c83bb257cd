"""Scores many images: each file once, whatever happens in between."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from edgekit.batch.book import Book, Row
from edgekit.batch.clips import score_clip
from edgekit.batch.inputs import Source
from edgekit.batch.journal import Journal
from edgekit.batch.runner import in_order
from edgekit.batch.score_job import ScoreJob
from edgekit.display import to_display
from edgekit.errors import EdgekitError, OutputError, ParameterError
from edgekit.io.formats import BY_ENDING
from edgekit.io.reading import decode, read_bytes, status_of
from edgekit.io.video import is_video
from edgekit.io.writing import encode, fitting, place
from edgekit.scores import sharpness_map


class Drawer(Protocol):
    """Draws pictures beside the rows, in a folder of its own."""

    def claim(self, source: Source) -> None:
        """Raise if the pictures of two files of this run would have the same place."""

    def drawn(self, source: Source, status: os.stat_result, job: ScoreJob) -> bool:
        """Tell whether the pictures are there, of the file as it is now."""

    def draw(self, source: Source, status: os.stat_result, job: ScoreJob, data: bytes, *, anew: bool) -> None:
        """Draw a file's pictures; raise if a file is there that edgekit did not write."""


def score_files(
    sources: Iterable[Source],
    job: ScoreJob,
    book: Book,
    *,
    workers: int = 1,
    drawers: Sequence[Drawer] = (),
    anew: bool = False,
) -> Iterator[Row]:
    """Give a row for each image and for each frame of a clip, from the book if it was measured before as it is now.

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
    drawers : sequence of Drawer
        Each draws pictures of every image that has none of the file as it is now.
    anew : bool
        Measure everything, whatever the book says.
    """
    for clips, group in itertools.groupby(sources, is_clip):
        if clips:
            for source in group:
                yield from _clip(source, job, book, workers, drawers, anew)
        else:
            yield from _images(group, job, book, workers, drawers, anew)


def is_clip(source: Source) -> bool:
    """Tell whether a file is a clip; what has an image's ending is taken for one."""
    return source.path.suffix.lower() not in BY_ENDING and is_video(source.path)


def _clip(
    source: Source, job: ScoreJob, book: Book, workers: int, drawers: Sequence[Drawer], anew: bool
) -> Iterator[Row]:
    path = str(source.path)
    if not book.begin(path):
        return
    try:
        if drawers:
            raise ParameterError(f"{path}: pictures are drawn of images; pick frames of the clip, and score those")
        yield from score_clip(source, status_of(source.path), job, book, workers=workers, anew=anew)
    except EdgekitError as error:
        row = Row(path, 0, 0, None, None, (), "failed", str(error))
        book.keep(row)
        yield row


def _images(
    sources: Iterable[Source], job: ScoreJob, book: Book, workers: int, drawers: Sequence[Drawer], anew: bool
) -> Iterator[Row]:
    begun = _begun(sources, job, book, drawers, anew)
    for row, fresh in in_order(partial(_done, job=job, drawers=drawers, anew=anew), begun, workers):
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
        return self._folder / source.relative.parent / fitting(source.relative.name, ".sharpness.png")

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
        self._journal.admit(output, force=anew)
        name = str(source.path)
        shown = to_display(sharpness_map(job.cut(decode(data, name, colour=False), name)), white=1.0)
        place(
            encode(shown.image, ".png"),
            output,
            lambda made: self._journal.enter(output, made, source.path, status, job.key),
        )


#: A source to be measured or drawn with its status and its row so far, or a finished row.
_Begun = tuple[Source | None, os.stat_result | None, Row]


def _begun(
    sources: Iterable[Source], job: ScoreJob, book: Book, drawers: Sequence[Drawer], anew: bool
) -> Iterator[_Begun]:
    for source in sources:
        path = str(source.path)
        if not book.begin(path):
            continue
        try:
            status = status_of(source.path)
            for drawer in drawers:
                drawer.claim(source)
        except EdgekitError as error:
            yield None, None, Row(path, 0, 0, None, None, (), "failed", str(error))
            continue
        known = [] if anew else book.met(path, status.st_size, status.st_mtime_ns)
        if known and all(d.drawn(source, status, job) for d in drawers):
            yield None, None, known[0]
        else:
            blank = Row(path, status.st_size, status.st_mtime_ns, None, None, (), "", "")
            yield source, status, known[0] if known else blank


def _done(begun: _Begun, job: ScoreJob, drawers: Sequence[Drawer], anew: bool) -> tuple[Row, bool]:
    """Measure and draw what is to be measured and drawn; tell whether the row is new."""
    source, status, row = begun
    if source is None or status is None:
        return row, row.status == "failed"
    try:
        data = read_bytes(source.path)
        # What was measured before, and only lacks its pictures, keeps its row.
        if not row.status:
            width, height, values = scored = job.run(data, row.path)
            row = row._replace(width=width, height=height, values=values, status=scored.status)
        for drawer in drawers:
            if anew or not drawer.drawn(source, status, job):
                drawer.draw(source, status, job, data, anew=anew)
    except EdgekitError as error:
        said = str(error)
        return _failed(row, said if row.path in said else f"{row.path}: {said}"), True
    except Exception as error:  # One file must not end the run.
        return _failed(row, f"{row.path}: {type(error).__name__}: {error}"), True
    return row, True


def _failed(row: Row, reason: str) -> Row:
    return row._replace(width=None, height=None, values=(), status="failed", reason=reason)
