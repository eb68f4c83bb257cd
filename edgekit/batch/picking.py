"""Picks the best of a clip's frames or of a folder's images: scores all, chooses, writes the chosen."""

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
from edgekit.batch.output_log import NAME, PICKED, Journal
from edgekit.batch.score_cache import Book, Row
from edgekit.batch.scoring import is_clip, score_files
from edgekit.batch.sources import Source, natural
from edgekit.batch.video_frames import score_clip
from edgekit.common.text import unmistakable
from edgekit.errors import OutputError, ParameterError, UnreadableError
from edgekit.focus.selection import Choice, pick
from edgekit.io.files import read_bytes, status_of
from edgekit.io.stores import real
from edgekit.io.video import read_frames
from edgekit.io.writing import encode, place

#: What was chosen and why, beside what was written.
SUMMARY = "picked.json"

#: The scores of what was chosen from.
BOOK = ".edgekit-scores.sqlite"


class Picked(NamedTuple):
    """One that was chosen.

    Attributes
    ----------
    output : Path
        What was written.
    source : Path
        What it was written from.
    frame, time : int and float, or None
        Which frame of a clip, and its seconds from the begin.
    score : float
        NaN where undefined.
    reason : str
        Why it was chosen.
    """

    output: Path
    source: Path
    frame: int | None
    time: float | None
    score: float
    reason: str

    def record(self) -> dict[str, Any]:
        """Return it as a mapping for JSON, null where there is no score."""
        frame = {} if self.frame is None else {"frame": self.frame, "time": self.time}
        score = None if math.isnan(self.score) else self.score
        paths = {"output": unmistakable(str(self.output)), "source": unmistakable(str(self.source))}
        return {**paths, **frame, "score": score, "reason": self.reason}


@dataclass(frozen=True)
class PickJob:
    """How to pick, as a value.

    Attributes
    ----------
    score : ScoreJob
        What the choice goes by: its first measure.
    method, count, window, min_gap
        As for `edgekit.focus.selection.pick`; seconds of a clip, images of a folder.
    ending : str
        Of frames of a clip, with its dot; images of a folder are copied as they are.
    """

    score: ScoreJob = field(default_factory=ScoreJob)
    method: str = "spread"
    count: int | None = None
    window: float | None = None
    min_gap: float = 0.0
    ending: str = ".png"

    def choose(self, positions: Sequence[float], scores: Sequence[float]) -> list[Choice]:
        """Choose by the scores."""
        return pick(
            positions, scores, self.method, count=self.count, window=self.window, min_gap=self.min_gap
        )  # fmt: skip

    def check(self) -> None:
        """Raise what is wrong with the job itself, before anything is read.

        Raises
        ------
        ParameterError
            For the first option that does not fit.
        """
        self.score.check()
        self.choose([], [])


class Picker:
    """Picks into one folder, with a record of what was scored and written there.

    Parameters
    ----------
    folder : Path
        Receives what is chosen, and `SUMMARY`.
    job : PickJob
        How to pick.
    engine : Engine
        Decodes and measures.
    force : bool
        Score all anew; replace files that edgekit did not write.
    """

    def __init__(self, folder: Path, job: PickJob, engine: Engine, *, force: bool = False) -> None:
        self._folder, self._job, self._engine, self._force = folder, job, engine, force

    def run(self, sources: Sequence[Source], tell: Callable[[Row], object]) -> Iterator[Picked]:
        """Score, choose, and give each that was chosen when it is there.

        Parameters
        ----------
        sources : sequence of Source
            One clip, or images.
        tell : callable
            Called with each row that is scored, failed ones included.
        """
        job = self._job
        clip = len(sources) == 1 and is_clip(sources[0])
        if not clip and any(map(is_clip, sources)):
            raise ParameterError("pick takes one clip at a time, or images; name one clip")
        with Book(self._folder / BOOK, job.score.key) as book, Journal(self._folder / NAME) as journal:
            journal.admit(self._folder / SUMMARY, force=self._force)
            ordered = sorted(sources, key=lambda source: natural(str(source.relative)))
            rows = list(self._rows(ordered, book, tell, clip))
            positions = [float(n if row.time is None else row.time) for n, row in enumerate(rows)]
            chosen = job.choose(positions, [row.values[0] for row in rows])
            if not chosen:
                raise UnreadableError("there is nothing to pick from; what an earlier pick left stays as it is")
            by_name = {str(s.path): s for s in sources}
            picked = [self._picked(rows[c.number], by_name[rows[c.number].path], c) for c in chosen]
            missing = self._missing(picked, journal)
            yield from (p for p in picked if p not in missing)
            write = self._write_frames if clip else self._write_images
            yield from write(missing, journal)
            self._clear(picked, sources, journal)
            records = {"method": job.method, "of": len(rows), "picked": [p.record() for p in picked]}
            summary = self._folder / SUMMARY
            text = (json.dumps(records, indent=1) + "\n").encode()
            place(text, summary, lambda made: journal.enter(summary, made, summary, made, SUMMARY))

    def _rows(self, sources: Sequence[Source], book: Book, tell: Callable[[Row], object], clip: bool) -> Iterator[Row]:
        job, engine, anew = self._job.score, self._engine, self._force
        if clip:
            rows = score_clip(sources[0], status_of(sources[0].path), job, book, engine, anew=anew)
        else:
            rows = score_files(sources, job, book, engine, anew=anew)
        for row in rows:
            tell(row)
            if row.values:
                yield row

    def _picked(self, row: Row, source: Source, choice: Choice) -> Picked:
        name = relative = source.relative
        if row.frame is not None:
            name = PurePath(f"{relative.stem}-{row.time:09.3f}s-{row.frame:06d}{self._job.ending}")
        return Picked(self._folder / name, source.path, row.frame, row.time, row.values[0], choice.reason)

    def _missing(self, picked: Sequence[Picked], journal: Journal) -> list[Picked]:
        """Return what is not there yet, of the source as it is now; raise if something else is in its place."""
        twice = [path for path, n in Counter(os.path.normcase(p.output) for p in picked).items() if n > 1]
        if twice:
            raise OutputError(f"{twice[0]}: two that were picked would be written here; pick from their common folder")
        missing = []
        for one in picked:
            output, source = one.output, one.source
            if output in (self._folder / name for name in (SUMMARY, BOOK, NAME)):
                raise OutputError(f"{output}: this name is edgekit's own here; rename {source}, or --exclude it")
            if real(output) == real(source):
                raise OutputError(f"{output}: what is picked would be written over itself; name another folder")
            if not self._force and journal.current(output, source, status_of(source), _key(one)):
                continue
            journal.admit(output, force=self._force)
            missing.append(one)
        return missing

    def _write_frames(self, missing: Sequence[Picked], journal: Journal) -> Iterator[Picked]:
        """Decode the clip once more for the frames that are not there."""
        todo = {p.frame: p for p in missing}
        if not todo:
            return
        path = missing[0].source
        status = status_of(path)
        wanted = frozenset(n for n in todo if n is not None)
        for frame in read_frames(path, colour=True, only=wanted, limits=self._job.score.limits):
            made = todo.pop(frame.number)
            _place(made, encode(frame.image, self._job.ending), status, journal)
            yield made
            if not todo:
                return

    def _write_images(self, missing: Sequence[Picked], journal: Journal) -> Iterator[Picked]:
        """Copy the images that are not there."""
        for one in missing:
            _place(one, read_bytes(one.source), status_of(one.source), journal)
            yield one

    def _clear(self, picked: Sequence[Picked], sources: Sequence[Source], journal: Journal) -> None:
        """Take away what earlier picks wrote and this one does not want: the folder holds one choice."""
        kept = {real(p) for p in (*(p.output for p in picked), *(s.path for s in sources))}
        for path in journal.outputs(PICKED):
            if real(path) not in kept and journal.wrote(path):
                path.unlink()


def _place(picked: Picked, data: bytes, status: os.stat_result, journal: Journal) -> None:
    place(data, picked.output, lambda made: journal.enter(picked.output, made, picked.source, status, _key(picked)))


def _key(picked: Picked) -> str:
    return PICKED if picked.frame is None else f"{PICKED} frame {picked.frame}"
