"""Picks the best frames of a video, or images of a folder: scores all, selects some, writes the selected ones.

May import `io` and what is below it.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from edgekit.batch.engines import Engine
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.output_log import NAME, PICKED, OutputLog
from edgekit.batch.score_cache import NAME as SCORES
from edgekit.batch.score_cache import Row, ScoreCache
from edgekit.batch.scoring import is_video_source, score_sources, score_video
from edgekit.batch.sources import Source, natural
from edgekit.common.escaping import unambiguous_path
from edgekit.errors import OutputError, ParameterError, UnreadableError
from edgekit.focus.selection import Choice, pick
from edgekit.io.encoding import encode
from edgekit.io.files import read_bytes, status_of
from edgekit.io.stores import canonical_path
from edgekit.io.video import read_frames
from edgekit.io.writing import write_atomic

#: What was picked and why, in the output folder.
SUMMARY = "picked.json"


class Picked(NamedTuple):
    """A frame or an image that was picked.

    Attributes
    ----------
    output : Path
        The file that is written.
    source : Path
        The video, or the image.
    frame, time : int and float, or None
        Number of the frame in the video, and its time in seconds.
    score : float
        NaN where undefined.
    reason : str
        Why it was picked.
    """

    output: Path
    source: Path
    frame: int | None
    time: float | None
    score: float
    reason: str

    def record(self) -> dict[str, Any]:
        """Return a mapping for JSON, with null for an undefined score."""
        frame = {} if self.frame is None else {"frame": self.frame, "time": self.time}
        score = None if math.isnan(self.score) else self.score
        paths = {"output": unambiguous_path(str(self.output)), "source": unambiguous_path(str(self.source))}
        return {**paths, **frame, "score": score, "reason": self.reason}

    @property
    def key(self) -> str:
        """The key of the output in the output log."""
        return PICKED if self.frame is None else f"{PICKED} frame {self.frame}"


@dataclass(frozen=True)
class PickJob:
    """How to pick, as a value.

    Attributes
    ----------
    score : ScoreJob
        What is measured; its first measure decides.
    method, count, window, min_gap
        As for `edgekit.focus.selection.pick`, in seconds of a video or images of a folder.
    ending : str
        Extension of the frames of a video, with its dot. Images of a folder are copied.
    """

    score: ScoreJob = field(default_factory=ScoreJob)
    method: str = "spread"
    count: int | None = None
    window: float | None = None
    min_gap: float = 0.0
    ending: str = ".png"

    def choose(self, positions: Sequence[float], scores: Sequence[float]) -> list[Choice]:
        """Select by the scores."""
        return pick(
            positions, scores, self.method, count=self.count, window=self.window, min_gap=self.min_gap
        )  # fmt: skip

    def check(self) -> None:
        """Check the job itself, before anything is read.

        Raises
        ------
        ParameterError
            For the first invalid option.
        """
        self.score.check()
        self.choose([], [])


class Picker:
    """Picks into one folder, with a score cache and an output log there.

    Parameters
    ----------
    folder : Path
        Receives what is picked, and `SUMMARY`.
    job : PickJob
        How to pick.
    engine : Engine
        Decodes and measures.
    force : bool
        Score all images, and replace files that edgekit did not write.
    """

    def __init__(self, folder: Path, job: PickJob, engine: Engine, *, force: bool = False) -> None:
        self._folder, self._job, self._engine, self._force = folder, job, engine, force

    def run(self, sources: Sequence[Source], on_scored: Callable[[Row], object]) -> Iterator[Picked]:
        """Score all, select, and yield each one that is picked as soon as its file exists.

        Parameters
        ----------
        sources : sequence of Source
            One video, or images.
        on_scored : callable
            Called with each row, including failed ones.
        """
        job = self._job
        video = len(sources) == 1 and is_video_source(sources[0])
        if not video and any(map(is_video_source, sources)):
            raise ParameterError("pick takes one video at a time, or images; name one video")
        summary = self._folder / SUMMARY
        with ScoreCache(self._folder / SCORES, job.score.key) as cache, OutputLog(self._folder / NAME) as log:
            log.check_replaceable(summary, force=self._force)
            rows = list(self._score(sources, cache, on_scored, video))
            positions = [float(n if row.time is None else row.time) for n, row in enumerate(rows)]
            chosen = job.choose(positions, [row.values[0] for row in rows])
            if not chosen:
                raise UnreadableError("there is nothing to pick from; the files of an earlier pick are kept")
            by_path = {str(s.path): s for s in sources}
            picked = [self._picked(rows[c.number], by_path[rows[c.number].path], c) for c in chosen]
            missing = self._missing(picked, log)
            yield from (p for p in picked if p not in missing)
            write = self._write_frames if video else self._write_images
            yield from write(missing, log)
            self._remove_others(picked, sources, log)
            records = {"method": job.method, "of": len(rows), "picked": [p.record() for p in picked]}
            text = (json.dumps(records, indent=1) + "\n").encode()
            write_atomic(text, summary, log.adder(summary, SUMMARY))

    def _score(
        self, sources: Sequence[Source], cache: ScoreCache, on_scored: Callable[[Row], object], video: bool
    ) -> Iterator[Row]:
        """Yield the rows that did not fail, in natural order of the paths."""
        job, engine, force = self._job.score, self._engine, self._force
        if video:
            rows = score_video(sources[0], job, cache, engine, force=force)
        else:
            ordered = sorted(sources, key=lambda source: natural(str(source.relative)))
            rows = score_sources(ordered, job, cache, engine, force=force)
        for row in rows:
            on_scored(row)
            if row.values:
                yield row

    def _picked(self, row: Row, source: Source, choice: Choice) -> Picked:
        name = relative = source.relative
        if row.frame is not None:
            name = PurePath(f"{relative.stem}-{row.time:09.3f}s-{row.frame:06d}{self._job.ending}")
        return Picked(self._folder / name, source.path, row.frame, row.time, row.values[0], choice.reason)

    def _missing(self, picked: Sequence[Picked], log: OutputLog) -> list[Picked]:
        """Return those whose file does not exist or is stale; raise if one of them must not be written."""
        twice = [path for path, n in Counter(os.path.normcase(p.output) for p in picked).items() if n > 1]
        if twice:
            raise OutputError(f"{twice[0]}: two picked images have this output; pick from their common folder")
        missing = []
        for one in picked:
            output, source = one.output, one.source
            if output in (self._folder / name for name in (SUMMARY, SCORES, NAME)):
                raise OutputError(f"{output}: edgekit itself uses this name here; rename {source}, or --exclude it")
            if canonical_path(output) == canonical_path(source):
                raise OutputError(f"{output}: the picked image would replace itself; choose another folder")
            if not self._force and log.is_current(output, source, status_of(source), one.key):
                continue
            log.check_replaceable(output, force=self._force)
            missing.append(one)
        return missing

    def _write_frames(self, missing: Sequence[Picked], log: OutputLog) -> Iterator[Picked]:
        """Decode the video once more and write frames of it."""
        remaining = {p.frame: p for p in missing}
        if not remaining:
            return
        path = missing[0].source
        stat = status_of(path)
        numbers = frozenset(n for n in remaining if n is not None)
        for frame in read_frames(path, colour=True, only=numbers, read_options=self._job.score.read_options):
            one = remaining.pop(frame.number)
            _write(one, encode(frame.image, self._job.ending), stat, log)
            yield one
            if not remaining:
                return

    def _write_images(self, missing: Sequence[Picked], log: OutputLog) -> Iterator[Picked]:
        """Copy images."""
        for one in missing:
            _write(one, read_bytes(one.source), status_of(one.source), log)
            yield one

    def _remove_others(self, picked: Sequence[Picked], sources: Sequence[Source], log: OutputLog) -> None:
        """Remove the files of earlier picks that are not picked now."""
        kept = {canonical_path(p) for p in (*(p.output for p in picked), *(s.path for s in sources))}
        for path in log.outputs(PICKED):
            if canonical_path(path) not in kept and log.is_own(path):
                path.unlink()


def _write(picked: Picked, data: bytes, stat: os.stat_result, log: OutputLog) -> None:
    write_atomic(data, picked.output, lambda made: log.add(picked.output, made, picked.source, stat, picked.key))
