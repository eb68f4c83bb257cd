"""Scores the frames of clips: each frame once, one at a time in memory for each worker."""

import os
from collections.abc import Iterator
from functools import partial

from edgekit.batch.engines import Engine, Known, carry_out
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.score_cache import Book, Row
from edgekit.batch.sources import Source
from edgekit.errors import EdgekitError, let_out_of_memory, said
from edgekit.io.video import Frame, read_frames


def score_clip(
    source: Source, status: os.stat_result, job: ScoreJob, book: Book, engine: Engine, *, anew: bool = False
) -> Iterator[Row]:
    """Give a row for each frame of a clip; if it is damaged, at last a row that says so.

    Frames that the book has are not measured again, nor is a clip decoded that is finished there.
    """
    path, size, mtime = str(source.path), status.st_size, status.st_mtime_ns
    known = {} if anew else {row.frame: row for row in book.met(path, size, mtime)}
    if known and book.finished(path, size, mtime, len(known)):
        yield from known.values()
        return
    blank = Row(path, size, mtime, None, None, (), "", "")
    wrong: list[EdgekitError] = []

    def frames() -> Iterator[Frame | Known[Row]]:
        # An error here must not end what the workers are at.
        try:
            for frame in read_frames(source.path, every=job.every, rate=job.rate, limits=job.limits):
                row = known.get(frame.number)
                yield frame if row is None else Known(row)
        except EdgekitError as error:
            wrong.append(error)

    count = 0
    lost = partial(_lost, blank=blank)
    for turn in carry_out(engine, partial(_measured, job=job, blank=blank), frames(), lost):
        row = turn.result if isinstance(turn, Known) else turn[1]
        if not isinstance(turn, Known):
            book.keep(row)
        count += row.status != "failed"
        yield row
    if wrong:
        failed = blank._replace(status="failed", reason=str(wrong[0]))
        book.keep(failed)
        yield failed
    else:
        book.finish(path, size, mtime, count)


def _measured(frame: Frame, job: ScoreJob, blank: Row) -> Row:
    try:
        scored = job.measure(frame.image, blank.path)
    except Exception as error:  # One frame must not end the run.
        let_out_of_memory(error)
        return _of(frame, blank)._replace(status="failed", reason=said(error, blank.path))
    return _of(frame, blank)._replace(
        width=scored.width, height=scored.height, values=scored.values, status=scored.status
    )  # fmt: skip


def _lost(frame: Frame, reason: str, blank: Row) -> Row:
    return _of(frame, blank)._replace(status="failed", reason=f"{blank.path}: frame {frame.number}: {reason}")


def _of(frame: Frame, blank: Row) -> Row:
    return blank._replace(frame=frame.number, time=frame.time)
