"""The work of scoring images and frames of videos. Each file is scored once, even if a run is interrupted.

May import `io` and what is below it.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from edgekit.batch.engines import Engine
from edgekit.batch.image_makers import ImageMaker, ImageTask
from edgekit.batch.jobs.scoring import Scored, ScoreJob
from edgekit.batch.large import ONE_THREAD, WindowOptions
from edgekit.batch.large_scoring import check_whole, score_file
from edgekit.batch.outputs import each_image
from edgekit.batch.runner import Failure, Known, Status, Work, run
from edgekit.batch.score_cache import Row, ScoreCache
from edgekit.batch.sources import Source
from edgekit.common.choices import SCORE
from edgekit.errors import EdgekitError, ParameterError
from edgekit.focus.blur_threshold import DEFAULT, Threshold, automatic, relative
from edgekit.io.files import map_bytes, read_bytes, status_of
from edgekit.io.formats import BY_ENDING
from edgekit.io.stores import prefetch_status
from edgekit.io.video import Frame, bits_lost, is_video, read_frames
from edgekit.io.writing import Draft, discard_draft, write_draft


def score_sources(
    sources: Iterable[Source],
    job: ScoreJob,
    cache: ScoreCache,
    engine: Engine,
    *,
    image_makers: Sequence[ImageMaker] = (),
    force: bool = False,
    page: int | None = None,
    window_options: WindowOptions = ONE_THREAD,
) -> Iterator[Row]:
    """Yield a row for each image and for each frame of a video, from the cache if the file is unchanged.

    Parameters
    ----------
    sources : iterable of Source
        Taken a few ahead; the rows are in their order. A file that occurs again is left out.
    job : ScoreJob
        What to measure.
    cache : ScoreCache
        Each row is stored as soon as it is measured.
    engine : Engine
        Decodes and measures.
    image_makers : sequence of ImageMaker
        Each makes images of every scored image, such as sharpness maps.
    force : bool
        Measure all images, and do not use the cache.
    page : int, optional
        Measure only the image with this number, from 1 on, of files with several.
    window_options : WindowOptions
        For images that are measured window by window.
    """
    work = _ImageWork(job, cache, image_makers, force, window_options)
    new = (
        one
        for source in prefetch_status(sources, lambda source: (source.path,))
        if cache.visit(str(source.path))
        # Images of a file are made of its first page.
        for one in ([source] if image_makers else each_image(source, page))
    )
    for are_videos, group in itertools.groupby(new, is_video_source):
        if not are_videos:
            yield from run(work, group, engine)
            continue
        for source in group:
            try:
                if not all(maker.takes_frames for maker in image_makers):
                    raise ParameterError(
                        f"{source.path}: --map needs images; pick frames of the video, and score those"
                    )
                frames = []
                for row in score_video(source, job, cache, engine, force=force):
                    frames += [row.frame] if row.values and row.frame is not None else []
                    yield row
                for maker in image_makers:
                    maker.make_of_frames(source, job, frames, force=force)
            except EdgekitError as error:
                row = _blank(source).failed(str(error))
                cache.store(row)
                yield row


def threshold_of(wanted: float | str | None, job: ScoreJob, cache: ScoreCache) -> Threshold:
    """Return the threshold between blurred and sharp images of a run.

    Parameters
    ----------
    wanted : float, {"auto", "relative"} or None
        The threshold, or how it is found. None is 0.5 for the score, and no threshold for other measures.
    """
    is_score = job.measures[0] == SCORE
    match wanted:
        case "auto":
            return automatic(cache.scores(), probabilities=is_score)
        case "relative":
            return relative(cache.scores())
        case None:
            return Threshold(DEFAULT if is_score else None)
    return Threshold(float(wanted))


def is_video_source(source: Source) -> bool:
    """Tell whether a file is a video. A file with the extension of an image is an image."""
    return source.path.suffix.lower() not in BY_ENDING and is_video(source.path)


def score_video(
    source: Source, job: ScoreJob, cache: ScoreCache, engine: Engine, *, force: bool = False
) -> Iterator[Row]:
    """Yield a row for each frame of a video, and then a failed row if the video is damaged.

    Frames in the cache are not measured again. A video with all of its frames in the cache is not decoded.
    """
    stat = status_of(source.path)
    blank = _blank(source, stat)
    file = blank.path, blank.bytes, blank.mtime
    known = {} if force else {row.frame: row for row in cache.reuse(*file, frame="all")}
    if known and cache.has_all_frames(*file, len(known)):
        yield from known.values()
        return
    errors: list[EdgekitError] = []

    def frames() -> Iterator[Frame]:
        # An error must not interrupt the frames in progress.
        try:
            yield from read_frames(
                source.path, every=job.every, rate=job.rate, start=job.start, end=job.end, read_options=job.read_options
            )
        except EdgekitError as error:
            errors.append(error)

    count = 0
    for row in run(_FrameWork(job, cache, blank, known), frames(), engine):
        count += row.status != Status.FAILED
        yield row
    if errors:
        failed = blank.failed(str(errors[0]))
        cache.store(failed)
        yield failed
    else:
        cache.store_frame_count(*file, count)


def _blank(source: Source, stat: os.stat_result | None = None) -> Row:
    """Return the row of an image that is not measured yet."""
    size, mtime = (0, 0) if stat is None else (stat.st_size, stat.st_mtime_ns)
    return Row(str(source.path), size, mtime, None, None, (), "", "", source.page and source.page - 1)


class _FrameWork(Work[Frame, Frame, Row, Row]):
    """Scores the frames of one video."""

    def __init__(self, job: ScoreJob, cache: ScoreCache, blank: Row, known: dict[int | None, Row]) -> None:
        self.task = partial(_score_frame, job=job, blank=blank)
        self._cache, self._blank, self._known_rows = cache, blank, known

    def name(self, item: Frame) -> str:
        return _frame_name(item, self._blank)

    def prepare(self, item: Frame) -> Frame | Known[Row]:
        row = self._known_rows.get(item.number)
        return item if row is None else Known(row)

    def finish(self, prepared: Frame, result: Row) -> Row:
        self._cache.store(result)
        return result

    def fail(self, item: Frame, prepared: Frame | None, failure: Failure) -> Row:
        row = self._blank._replace(frame=item.number, time=item.time).failed(failure.reason)
        self._cache.store(row)
        return row


def _frame_name(frame: Frame, blank: Row) -> str:
    return f"{blank.path}: frame {frame.number}"


def _score_frame(frame: Frame, job: ScoreJob, blank: Row) -> Row:
    scored = job.measure(frame.image, _frame_name(frame, blank))
    if lost := bits_lost(frame.bits, 8):
        scored = scored._replace(reason="; ".join(filter(None, (scored.reason, lost))))
    return _scored_row(blank._replace(frame=frame.number, time=frame.time), scored)


def _scored_row(row: Row, scored: Scored) -> Row:
    return row._replace(
        width=scored.width,
        height=scored.height,
        values=scored.values,
        status=scored.status,
        reason=scored.reason,
        fingerprint=scored.fingerprint,
    )


class _Prepared(NamedTuple):
    """A file to be scored: its status before it was read, its row so far, and a task for each image maker."""

    source: Source
    stat: os.stat_result
    row: Row
    image_tasks: tuple[ImageTask | None, ...]


class _Result(NamedTuple):
    """The row of a file, and the drafts of the images for each image maker."""

    row: Row
    drafts: tuple[tuple[Draft, ...], ...]


class _ImageWork(Work[Source, _Prepared, _Result, Row]):
    """Scores images. The task measures, and writes drafts of images; here they are published and the row is stored."""

    def __init__(
        self,
        job: ScoreJob,
        cache: ScoreCache,
        image_makers: Sequence[ImageMaker],
        force: bool,
        window_options: WindowOptions,
    ) -> None:
        self.task = partial(_score_image, job=job, window_options=window_options)
        self._job, self._cache, self._image_makers, self._force = job, cache, image_makers, force

    def name(self, item: Source) -> str:
        return item.name

    def prepare(self, item: Source) -> _Prepared | Known[Row]:
        stat = status_of(item.path)
        blank = _blank(item, stat)
        for maker in self._image_makers:
            maker.reserve(item)
        tasks = tuple(maker.task_if_stale(item, stat, self._job, force=self._force) for maker in self._image_makers)
        known = [] if self._force else self._cache.reuse(blank.path, blank.bytes, blank.mtime, frame=blank.frame)
        if known and not any(tasks):
            return Known(known[0])
        return _Prepared(item, stat, known[0] if known else blank, tasks)

    def finish(self, prepared: _Prepared, result: _Result) -> Row:
        for maker, task, drafts in zip(self._image_makers, prepared.image_tasks, result.drafts, strict=True):
            if task is not None:
                maker.publish(prepared.source, prepared.stat, self._job, drafts)
        self._cache.store(result.row)
        return result.row

    def fail(self, item: Source, prepared: _Prepared | None, failure: Failure) -> Row:
        if prepared is not None:
            self.discard(prepared)
        row = (_blank(item) if prepared is None else prepared.row).failed(failure.reason)
        self._cache.store(row)
        return row

    def discard(self, prepared: _Prepared) -> None:
        for output in (o for task in prepared.image_tasks if task is not None for o in task.outputs):
            discard_draft(output)


def _score_image(prepared: _Prepared, job: ScoreJob, window_options: WindowOptions) -> _Result:
    """Measure an image and make images of it, as far as they are missing; in a worker."""
    path, row = prepared.source.path, prepared.row
    makes_images = any(task is not None for task in prepared.image_tasks)
    # A row from the cache has a status, and only its images are missing.
    is_scored = bool(row.status)
    if makes_images:
        check_whole(path, job.read_options)
    page = prepared.source.page
    scored = None if is_scored or page is not None else score_file(path, job, window_options)
    read = read_bytes if page is None else map_bytes
    data: Any = read(path) if makes_images or not (is_scored or scored) else b""
    if not is_scored:
        row = _scored_row(row, scored or job.run(data, prepared.source.name, page))
    return _Result(row, tuple(_make_images(task, data) for task in prepared.image_tasks))


def _make_images(task: ImageTask | None, data: bytes) -> tuple[Draft, ...]:
    return () if task is None else tuple(write_draft(content, output) for output, content in task.make(data))
