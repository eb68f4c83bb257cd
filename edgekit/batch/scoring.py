"""Scores many images: each file once, whatever happens in between."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from edgekit.batch.engines import Engine, Known, carry_out
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.large import USUAL, Means
from edgekit.batch.large_files import check_whole, score_file
from edgekit.batch.score_cache import Book, Row
from edgekit.batch.score_images import Drawer, Drawing
from edgekit.batch.sources import Source
from edgekit.batch.video_frames import score_clip
from edgekit.errors import EdgekitError, ParameterError, let_out_of_memory, said
from edgekit.io.files import read_bytes, status_of
from edgekit.io.formats import BY_ENDING
from edgekit.io.stores import ahead
from edgekit.io.video import is_video
from edgekit.io.writing import Draft, discard, draft


def score_files(
    sources: Iterable[Source],
    job: ScoreJob,
    book: Book,
    engine: Engine,
    *,
    drawers: Sequence[Drawer] = (),
    anew: bool = False,
    means: Means = USUAL,
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
    engine : Engine
        Decodes and measures.
    drawers : sequence of Drawer
        Each draws pictures of every image that has none of the file as it is now.
    anew : bool
        Measure everything, whatever the book says.
    means : Means
        For images that are done window by window.
    """
    for clips, group in itertools.groupby(ahead(sources, lambda source: (source.path,)), is_clip):
        if clips:
            for source in group:
                yield from _clip(source, job, book, engine, drawers, anew)
        else:
            yield from _Images(job, book, drawers, means, anew=anew).run(group, engine)


def is_clip(source: Source) -> bool:
    """Tell whether a file is a clip; what has an image's ending is taken for one."""
    return source.path.suffix.lower() not in BY_ENDING and is_video(source.path)


def _clip(
    source: Source, job: ScoreJob, book: Book, engine: Engine, drawers: Sequence[Drawer], anew: bool
) -> Iterator[Row]:
    path = str(source.path)
    if not book.begin(path):
        return
    try:
        if drawers:
            raise ParameterError(f"{path}: pictures are drawn of images; pick frames of the clip, and score those")
        yield from score_clip(source, status_of(source.path), job, book, engine, anew=anew)
    except EdgekitError as error:
        row = Row(path, 0, 0, None, None, (), "failed", str(error))
        book.keep(row)
        yield row


class _Todo(NamedTuple):
    """A file to be measured or drawn: its status before it was read, its row so far, and what each drawer wants."""

    source: Source
    status: os.stat_result
    row: Row
    drawings: tuple[Drawing | None, ...]


class _Done(NamedTuple):
    """A file's row, and the pictures that were drawn of it, by the drawers."""

    row: Row
    drawn: tuple[tuple[Draft, ...], ...] = ()


class _Images:
    """Scores images: what is to be done is decided here, an engine measures and draws, and here it is entered."""

    def __init__(self, job: ScoreJob, book: Book, drawers: Sequence[Drawer], means: Means, *, anew: bool) -> None:
        self._job, self._book, self._drawers, self._means, self._anew = job, book, drawers, means, anew
        self._under_way: dict[Path, _Todo] = {}

    def run(self, sources: Iterable[Source], engine: Engine) -> Iterator[Row]:
        try:
            for turn in carry_out(engine, partial(_do, job=self._job, means=self._means), self._begun(sources), _lost):
                yield turn.result if isinstance(turn, Known) else self._finish(*turn)
        finally:
            for todo in self._under_way.values():
                _discard(todo)

    def _begun(self, sources: Iterable[Source]) -> Iterator[_Todo | Known[Row]]:
        for source in sources:
            path = str(source.path)
            if not self._book.begin(path):
                continue
            try:
                turn = self._begin(source)
            except EdgekitError as error:
                failed = Row(path, 0, 0, None, None, (), "failed", str(error))
                self._book.keep(failed)
                turn = Known(failed)
            yield turn

    def _begin(self, source: Source) -> _Todo | Known[Row]:
        path, status = str(source.path), status_of(source.path)
        for drawer in self._drawers:
            drawer.claim(source)
        drawings = tuple(drawer.missing(source, status, self._job, anew=self._anew) for drawer in self._drawers)
        known = [] if self._anew else self._book.met(path, status.st_size, status.st_mtime_ns)
        if known and not any(drawings):
            return Known(known[0])
        blank = Row(path, status.st_size, status.st_mtime_ns, None, None, (), "", "")
        todo = _Todo(source, status, known[0] if known else blank, drawings)
        self._under_way[source.path] = todo
        return todo

    def _finish(self, todo: _Todo, done: _Done) -> Row:
        """Let the pictures appear, and keep the row."""
        del self._under_way[todo.source.path]
        row = done.row
        try:
            if row.status != "failed":
                for drawer, drawing, drawn in zip(self._drawers, todo.drawings, done.drawn, strict=True):
                    if drawing is not None:
                        drawer.keep(todo.source, todo.status, self._job, drawn)
        except EdgekitError as error:
            row = _failed(row, str(error))
        if row.status == "failed":
            _discard(todo)
        self._book.keep(row)
        return row


def _do(todo: _Todo, job: ScoreJob, means: Means) -> _Done:
    """Measure and draw what is to be measured and drawn."""
    row = todo.row
    try:
        # What was measured before, and only lacks its pictures, keeps its row.
        drawings = any(d is not None for d in todo.drawings)
        if drawings:
            check_whole(todo.source.path, job.limits)
        scored = None if row.status else score_file(todo.source.path, job, means)
        data = read_bytes(todo.source.path) if drawings or not (row.status or scored) else b""
        if not row.status:
            width, height, values, reason = scored = scored or job.run(data, row.path)
            row = row._replace(width=width, height=height, values=values, status=scored.status, reason=reason)
        return _Done(row, tuple(_drafts(drawing, data) for drawing in todo.drawings))
    except Exception as error:  # One file must not end the run.
        let_out_of_memory(error)
        return _lost(todo, said(error, row.path))


def _drafts(drawing: Drawing | None, data: bytes) -> tuple[Draft, ...]:
    drawn = []
    for output, content in () if drawing is None else drawing.draw(data):
        drawn.append(draft(content, output))
    return tuple(drawn)


def _discard(todo: _Todo) -> None:
    """Take away the drafts of a file's pictures."""
    for output in (o for drawing in todo.drawings if drawing is not None for o in drawing.outputs):
        discard(output)


def _lost(todo: _Todo, reason: str) -> _Done:
    path = todo.row.path
    return _Done(_failed(todo.row, reason if path in reason else f"{path}: {reason}"))


def _failed(row: Row, reason: str) -> Row:
    return row._replace(width=None, height=None, values=(), status="failed", reason=reason)
