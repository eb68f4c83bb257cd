"""Picks the best of a clip's frames or of a folder's images: scores all, chooses, writes the chosen."""

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from edgekit.batch.book import Book, Row
from edgekit.batch.clips import score_clip
from edgekit.batch.inputs import Source, natural
from edgekit.batch.journal import Journal
from edgekit.batch.score_job import ScoreJob
from edgekit.batch.scoring import score_files
from edgekit.errors import OutputError, ParameterError
from edgekit.io.reading import read_bytes, status_of
from edgekit.io.video import is_video, read_frames
from edgekit.io.writing import encode, place
from edgekit.selection import Choice, pick

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
        return {
            "output": str(self.output), "source": str(self.source), **frame, "score": score, "reason": self.reason
        }  # fmt: skip


@dataclass(frozen=True)
class PickJob:
    """How to pick, as a value.

    Attributes
    ----------
    score : ScoreJob
        What the choice goes by: its first measure.
    method, count, window, min_gap
        As for `edgekit.selection.pick`; seconds of a clip, images of a folder.
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
    force : bool
        Score all anew; replace files that edgekit did not write.
    """

    def __init__(self, folder: Path, job: PickJob, *, workers: int = 1, force: bool = False) -> None:
        self._folder, self._job, self._workers, self._force = folder, job, workers, force

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
        clip = len(sources) == 1 and is_video(sources[0].path)
        if not clip and any(is_video(s.path) for s in sources):
            raise ParameterError("pick takes one clip at a time, or images; name one clip")
        with Book(self._folder / BOOK, job.score.key) as book, Journal(self._folder / ".edgekit.sqlite") as journal:
            rows = list(
                self._rows(
                    sources if clip else sorted(sources, key=lambda source: natural(str(source.relative))),
                    book,
                    tell,
                    clip,
                )
            )
            positions = [float(n if row.time is None else row.time) for n, row in enumerate(rows)]
            chosen = job.choose(positions, [row.values[0] for row in rows])
            if clip:
                picked = [self._frame(sources[0], rows[c.number], c) for c in chosen]
            else:
                places = {str(s.path): s.relative for s in sources}
                picked = [self._image(rows[c.number], places[rows[c.number].path], c) for c in chosen]
            self._clear(picked, journal)
            write = self._write_frames if clip else self._write_images
            yield from write(picked, journal)
            records = {"method": job.method, "of": len(rows), "picked": [p.record() for p in picked]}
            place((json.dumps(records, indent=1) + "\n").encode(), self._folder / SUMMARY)

    def _rows(self, sources: Sequence[Source], book: Book, tell: Callable[[Row], object], clip: bool) -> Iterator[Row]:
        job, workers, anew = self._job.score, self._workers, self._force
        if clip:
            rows = score_clip(sources[0], status_of(sources[0].path), job, book, workers=workers, anew=anew)
        else:
            rows = score_files(sources, job, book, workers=workers, anew=anew)
        for row in rows:
            tell(row)
            if row.values:
                yield row

    def _frame(self, source: Source, row: Row, choice: Choice) -> Picked:
        name = f"{source.path.stem}-{row.time:09.3f}s-{row.frame:06d}{self._job.ending}"
        return Picked(self._folder / name, source.path, row.frame, row.time, row.values[0], choice.reason)

    def _image(self, row: Row, relative: PurePath, choice: Choice) -> Picked:
        return Picked(self._folder / relative, Path(row.path), None, None, row.values[0], choice.reason)

    def _write_frames(self, picked: Sequence[Picked], journal: Journal) -> Iterator[Picked]:
        """Decode the clip once more for the frames that are not there."""
        missing = {p.frame: p for p in picked if not self._there(p, journal)}
        yield from (p for p in picked if p.frame not in missing)
        if not missing:
            return
        status = status_of(picked[0].source)
        for frame in read_frames(picked[0].source, colour=True, only=frozenset(n for n in missing if n is not None)):
            made = missing.pop(frame.number)
            self._place(made, encode(frame.image, self._job.ending), status, journal)
            yield made
            if not missing:
                return

    def _write_images(self, picked: Sequence[Picked], journal: Journal) -> Iterator[Picked]:
        """Copy the images that are not there."""
        for one in picked:
            if not self._there(one, journal):
                self._place(one, read_bytes(one.source), status_of(one.source), journal)
            yield one

    def _there(self, picked: Picked, journal: Journal) -> bool:
        """Tell whether a result is there, of the source as it is now; raise if something else is."""
        if os.path.realpath(picked.output) == os.path.realpath(picked.source):
            raise OutputError(f"{picked.output}: what is picked would be written over itself; name another folder")
        if self._force or not picked.output.exists():
            return False
        if journal.current(picked.output, picked.source, status_of(picked.source), self._key(picked)):
            return True
        if not journal.wrote(picked.output):
            raise OutputError(
                f"{picked.output}: there is a file that edgekit did not write; name another folder, or use --force"
            )
        return False

    def _place(self, picked: Picked, data: bytes, status: os.stat_result, journal: Journal) -> None:
        key = self._key(picked)
        place(data, picked.output, lambda made: journal.enter(picked.output, made, picked.source, status, key))

    @staticmethod
    def _key(picked: Picked) -> str:
        return "picked" if picked.frame is None else f"picked frame {picked.frame}"

    def _clear(self, picked: Sequence[Picked], journal: Journal) -> None:
        """Take away what an earlier pick wrote and this one does not want: the folder holds one choice."""
        try:
            before = json.loads((self._folder / SUMMARY).read_text("utf-8"))["picked"]
        except (OSError, ValueError, KeyError):
            return
        wanted = {p.output for p in picked}
        for path in (Path(p["output"]) for p in before):
            if path not in wanted and path.is_relative_to(self._folder) and journal.wrote(path):
                path.unlink()
