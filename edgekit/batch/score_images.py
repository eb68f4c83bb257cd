"""Pictures drawn beside the rows of scores, in a folder with a record of what edgekit wrote there."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.output_log import Journal
from edgekit.batch.sources import Source
from edgekit.display.rendering import to_display
from edgekit.errors import OutputError
from edgekit.focus.composite import sharpness_map
from edgekit.io.reading import decode
from edgekit.io.writing import Draft, encode, fitting, publish


class Drawing(Protocol):
    """What is to be drawn of one file, as a value: any process can draw it."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Where pictures may be drawn."""

    def draw(self, data: bytes) -> Iterator[tuple[Path, bytes]]:
        """Give the pictures of a file with this content, and where they go."""


class Drawer(ABC):
    """Says what is to be drawn of a file, and enters what was drawn.

    Parameters
    ----------
    folder : Path
        Receives the pictures.
    journal : Journal
        The record of what edgekit wrote there.
    """

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder, self._journal = folder, journal

    @abstractmethod
    def key(self, job: ScoreJob) -> str:
        """Return what decides the pictures of a file."""

    @abstractmethod
    def drawing(self, source: Source, job: ScoreJob) -> Drawing:
        """Return what is to be drawn of a file."""

    @abstractmethod
    def wanted(self, source: Source) -> tuple[Path, ...]:
        """Return the pictures that every file has."""

    @abstractmethod
    def claim(self, source: Source) -> None:
        """Raise if the pictures of two files of this run would have the same place."""

    def missing(self, source: Source, status: os.stat_result, job: ScoreJob, *, anew: bool) -> Drawing | None:
        """Return what is to be drawn of a file as it is now; None if the pictures are there.

        Raises
        ------
        OutputError
            If pictures must not be where they would be.
        """
        key = self.key(job)
        if not anew and all(self._journal.current(p, source.path, status, key) for p in self.wanted(source)):
            return None
        drawing = self.drawing(source, job)
        for output in drawing.outputs:
            self._journal.admit(output, force=anew)
        return drawing

    def keep(self, source: Source, status: os.stat_result, job: ScoreJob, drawn: Sequence[Draft]) -> None:
        """Let the drafts of a file's pictures appear, and take away what this drawing has no more.

        Raises
        ------
        OutputError
            If the pictures cannot be entered, or cannot appear.
        """
        key = self.key(job)
        for made in drawn:
            publish(made, partial(self._enter, made.path, source, status, key))
        there = {made.path for made in drawn}
        for output in self.drawing(source, job).outputs:
            if output not in there and self._journal.wrote(output):
                output.unlink()

    def _enter(self, output: Path, source: Source, status: os.stat_result, key: str, made: os.stat_result) -> None:
        self._journal.enter(output, made, source.path, status, key)


@dataclass(frozen=True)
class _Map:
    output: Path
    name: str
    job: ScoreJob

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (self.output,)

    def draw(self, data: bytes) -> Iterator[tuple[Path, bytes]]:
        image = self.job.cut(decode(data, self.name, colour=False, limits=self.job.limits).image, self.name)
        yield self.output, encode(to_display(sharpness_map(image), white=1.0).image, ".png")


class Maps(Drawer):
    """Pictures of where images are sharp; the tree of the inputs is mirrored below the folder."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        super().__init__(folder, journal)
        self._taken: set[Path] = set()

    def place(self, source: Source) -> Path:
        """Return where a file's map lies; two that differ only in their ending have their own."""
        return self._folder / source.relative.parent / fitting(source.relative.name, ".sharpness.png")

    def key(self, job: ScoreJob) -> str:
        return job.key

    def drawing(self, source: Source, job: ScoreJob) -> Drawing:
        return _Map(self.place(source), str(source.path), job)

    def wanted(self, source: Source) -> tuple[Path, ...]:
        return (self.place(source),)

    def claim(self, source: Source) -> None:
        """Raise if another file of this run has the same place."""
        place = self.place(source)
        if place in self._taken:
            raise OutputError(f"{place}: two maps of this run would be written here; run edgekit for each folder")
        self._taken.add(place)
