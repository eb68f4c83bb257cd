"""Picks the best frames of a video, or images of a folder: scores all, selects some, writes the selected ones.

May import `io` and what is below it.
"""

import itertools
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple

from edgekit.batch.bursts import Shot, group_rows, rank
from edgekit.batch.copies import reason_to_keep
from edgekit.batch.engines import Engine
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.output_log import NAME, PICKED, OutputLog
from edgekit.batch.score_cache import NAME as SCORES
from edgekit.batch.score_cache import Row, ScoreCache
from edgekit.batch.scoring import is_video_source, score_sources, score_video
from edgekit.batch.sources import Source, natural
from edgekit.common.escaping import unambiguous_path
from edgekit.errors import OutputError, ParameterError, UnreadableError
from edgekit.focus.likeness import Fingerprint, path_travelled
from edgekit.focus.selection import Choice, pick
from edgekit.io.encoding import encode
from edgekit.io.files import read_bytes, status_of
from edgekit.io.stores import StorePath, canonical_path
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
        Why it was picked, and what was lost when it was written.
    depth : int
        Bits of a frame.
    """

    output: Path
    source: Path
    frame: int | None
    time: float | None
    score: float
    reason: str
    depth: int = 8

    def record(self) -> dict[str, Any]:
        """Return a mapping for JSON, with null for an undefined score."""
        frame = {} if self.frame is None else {"frame": self.frame, "time": self.time}
        score = None if math.isnan(self.score) else self.score
        paths = {"output": unambiguous_path(str(self.output)), "source": unambiguous_path(str(self.source))}
        return {**paths, **frame, "score": score, "reason": self.reason}

    @property
    def key(self) -> str:
        """The key of the output in the output log."""
        deep = f" {self.depth} bits" if self.depth != 8 else ""
        return PICKED if self.frame is None else f"{PICKED} frame {self.frame}{deep}"


def _shot_record(shot: Shot, *, picked: bool, reason: str) -> dict[str, Any]:
    """Return a mapping for JSON about an image of a group, with null for an undefined number."""
    row = shot.row
    frame = {} if row.time is None else {"frame": row.frame, "time": row.time}
    numbers = {"taken": shot.taken, "score": row.values[0], "sharpness": shot.sharpness}
    known = {name: None if math.isnan(value) else value for name, value in numbers.items()}
    return {"source": unambiguous_path(row.path), **frame, **known, "picked": picked, "reason": reason}


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
    burst : float, optional
        Pick the `count` sharpest of each moment: images of the same scene, taken at most this number of seconds after
        one another. It takes the place of `method`.
    above : float, optional
        Pick only images with at least this score.
    depth : {8, 16}
        Bits of the frames of a video with more than 8.
    """

    score: ScoreJob = field(default_factory=ScoreJob)
    method: str = "spread"
    count: int | None = None
    window: float | None = None
    min_gap: float = 0.0
    ending: str = ".png"
    burst: float | None = None
    above: float | None = None
    depth: Literal[8, 16] = 8

    @property
    def compares(self) -> bool:
        """Whether images are compared with one another."""
        return self.score.fingerprints != "none"

    def choose(
        self, positions: Sequence[float], scores: Sequence[float], places: Sequence[float] | None = None
    ) -> list[Choice]:
        """Select by the scores."""
        limits = {"count": self.count, "window": self.window, "min_gap": self.min_gap}
        return pick(positions, scores, self.method, places=places, **limits)  # type: ignore[arg-type]  # of two types

    def choose_rows(self, rows: Sequence[Row], *, video: bool) -> list[Choice]:
        """Select by the rows. Frames of a camera that rests are one moment, of which one frame is a candidate."""
        positions = [float(n if row.time is None else row.time) for n, row in enumerate(rows)]
        candidates = [n for n, row in enumerate(rows) if self._is_above(row)]
        places = positions
        if video and self.compares:
            places = path_travelled([Fingerprint.from_bytes(row.fingerprint) for row in rows])
            moments: dict[float, int] = {}
            for n in candidates:
                best = moments.setdefault(places[n], n)
                # A comparison with NaN is false, so that a frame with a score takes the place of one without.
                if not rows[n].values[0] <= rows[best].values[0] and not math.isnan(rows[n].values[0]):
                    moments[places[n]] = n
            candidates = sorted(moments.values())
        chosen = self.choose(
            *([along[n] for n in candidates] for along in (positions, [row.values[0] for row in rows], places))
        )
        return [choice._replace(number=candidates[choice.number]) for choice in chosen]

    def choose_bursts(self, rows: Sequence[Row]) -> tuple[list[Choice], list[dict[str, Any]]]:
        """Select the sharpest of each moment; return also a record of each group with the reasons."""
        index = {(row.path, row.frame): n for n, row in enumerate(rows)}
        chosen, records = [], []
        shots = group_rows(rows, self.burst or 0.0, self.score.measures[0])
        for number, members in itertools.groupby(shots, lambda shot: shot.group):
            group = list(members)
            seconds = group[-1].taken - group[0].taken
            ranked = rank([shot for shot in group if self._is_above(shot.row)])
            images = []
            for place, shot in enumerate(ranked, 1):
                kept = place <= (self.count or 1)
                reason = f"less sharp than {ranked[0].row.path}"
                if kept:
                    reason = f"rank {place} of {len(ranked)} of moment {number}, taken within {seconds:.3g} s"
                    chosen.append(Choice(index[shot.row.path, shot.row.frame], reason))
                images.append(_shot_record(shot, picked=kept, reason=reason))
            others = rank([shot for shot in group if not self._is_above(shot.row)])
            images += [_shot_record(s, picked=False, reason=f"no score of {self.above:g} or more") for s in others]
            records.append({"moment": number, "images": images})
        return chosen, records

    def _is_above(self, row: Row) -> bool:
        return self.above is None or row.values[0] >= self.above

    def check(self) -> None:
        """Check the job itself, before anything is read.

        Raises
        ------
        ParameterError
            For the first invalid option.
        """
        self.score.check()
        if self.burst is None:
            self.choose([], [])
        elif not 0 <= self.burst < math.inf:
            raise ParameterError(f"burst={self.burst:g} must be seconds, 0 or more")


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
        Score all images, and replace files that edgekit did not write or that may be the only copy.

    Attributes
    ----------
    kept : list of str
        Messages about files of an earlier pick that may be the only copies, and are not removed.
    """

    def __init__(self, folder: Path, job: PickJob, engine: Engine, *, force: bool = False) -> None:
        self._folder, self._job, self._engine, self._force = folder, job, engine, force
        self.kept: list[str] = []

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
            groups: list[dict[str, Any]] | None = None
            if job.burst is None:
                chosen = job.choose_rows(rows, video=video)
            else:
                chosen, groups = job.choose_bursts(rows)
            if not chosen:
                above = "" if job.above is None or not rows else f" with a score of {job.above:g} or more"
                raise UnreadableError(f"there is nothing{above} to pick from; the files of an earlier pick are kept")
            by_path = {str(s.path): s for s in sources}
            picked = [self._picked(rows[c.number], by_path[rows[c.number].path], c) for c in chosen]
            missing = self._missing(picked, log)
            yield from (p for p in picked if p not in missing)
            write = self._write_frames if video else self._write_images
            yield from write(missing, log)
            self._remove_others(picked, sources, log)
            method = job.method if job.burst is None else "bursts"
            records: dict[str, Any] = {"method": method, "of": len(rows), "picked": [p.record() for p in picked]}
            if groups is not None:
                records["moments"] = groups
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
        # Frames are measured with 8 bits; what was lost then is lost in a frame of 8 bits as well.
        lost = [part for part in row.reason.split("; ") if part.startswith("8 bits of")] if self._job.depth == 8 else []
        reason = "; ".join((choice.reason, *lost))
        return Picked(
            self._folder / name, source.path, row.frame, row.time, row.values[0], reason, self._job.depth
        )  # fmt: skip

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
            if not self._force and (reason := _reason_to_keep(output, log)):
                raise OutputError(
                    f"{output}: an earlier pick, which may be the only copy: {reason}; move it away, choose another "
                    "folder, or replace it with --force"
                )
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
        options = self._job.score.read_options
        for frame in read_frames(path, colour=True, depth=self._job.depth, only=numbers, read_options=options):
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
        """Remove the files of earlier picks that are not picked now and whose originals still exist."""
        now = (*(p.output for p in picked), *(s.path for s in sources), self._folder / SUMMARY)
        kept = set(map(canonical_path, now))
        for path in log.outputs(PICKED):
            if canonical_path(path) in kept or not log.is_own(path):
                continue
            if reason := _reason_to_keep(path, log):
                self.kept.append(f"{path}: an earlier pick, which is kept: {reason}")
            else:
                path.unlink()


def _reason_to_keep(path: Path, log: OutputLog) -> str:
    """Return why a file of an earlier pick may be the only copy; an empty text if its original still exists."""
    origin = log.origin(path)
    if origin is None:
        return ""
    is_copy = origin.job_key == PICKED and not isinstance(origin.path, StorePath)
    return reason_to_keep(path, origin.path, None if is_copy else (origin.size, origin.mtime))


def _write(picked: Picked, data: bytes, stat: os.stat_result, log: OutputLog) -> None:
    write_atomic(data, picked.output, lambda made: log.add(picked.output, made, picked.source, stat, picked.key))
