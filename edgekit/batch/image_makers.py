"""Images made of each scored image, such as sharpness maps, in a folder with an output log.

May import `io` and what is below it.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.output_log import OutputLog
from edgekit.batch.sources import Source
from edgekit.display.rendering import to_display
from edgekit.errors import OutputError
from edgekit.focus.blur_score import sharpness_map
from edgekit.io.encoding import encode
from edgekit.io.reading import decode
from edgekit.io.writing import Draft, fit_name, publish_draft


class ImageTask(Protocol):
    """The images to be made of one file, as a value: any process can make them."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All paths that images may be written to."""

    def make(self, data: bytes) -> Iterator[tuple[Path, bytes]]:
        """Yield the path and the content of each image, for a file with the content `data`."""


class ImageMaker(ABC):
    """Decides which images are made of a file, and publishes and logs them.

    Parameters
    ----------
    folder : Path
        The folder of the images.
    log : OutputLog
        The output log of the folder.
    """

    #: Whether images are also made of the frames of videos.
    takes_frames = False

    def __init__(self, folder: Path, log: OutputLog) -> None:
        self._folder, self._log = folder, log

    def make_of_frames(self, source: Source, job: ScoreJob, frames: Sequence[int], *, force: bool) -> None:
        """Make images of frames of a video, as far as they are missing; in this process."""
        raise NotImplementedError

    @abstractmethod
    def key(self, job: ScoreJob) -> str:
        """Return a text that contains everything the images of a file depend on."""

    @abstractmethod
    def task(self, source: Source, job: ScoreJob) -> ImageTask:
        """Return the images to be made of a file."""

    @abstractmethod
    def required(self, source: Source) -> tuple[Path, ...]:
        """Return the images that every file has."""

    @abstractmethod
    def reserve(self, source: Source) -> None:
        """Raise if another file of this run has the same images."""

    def task_if_stale(self, source: Source, stat: os.stat_result, job: ScoreJob, *, force: bool) -> ImageTask | None:
        """Return the images to be made of a file in its present state; None if they exist.

        Raises
        ------
        OutputError
            If an image must not be written to its path.
        """
        key = self.key(job)
        if not force and all(self._log.is_current(path, source.path, stat, key) for path in self.required(source)):
            return None
        task = self.task(source, job)
        for output in task.outputs:
            self._log.check_replaceable(output, force=force)
        return task

    def publish(self, source: Source, stat: os.stat_result, job: ScoreJob, drafts: Sequence[Draft]) -> None:
        """Publish and log the images of a file, and remove images of earlier runs that it no longer has.

        Raises
        ------
        OutputError
            If an image cannot be logged or published.
        """
        key = self.key(job)
        for made in drafts:
            publish_draft(made, partial(self._add, made.path, source, stat, key))
        published = {made.path for made in drafts}
        for output in self.task(source, job).outputs:
            if output not in published and self._log.is_own(output):
                output.unlink()

    def _add(self, output: Path, source: Source, stat: os.stat_result, key: str, output_stat: os.stat_result) -> None:
        self._log.add(output, output_stat, source.path, stat, key)


@dataclass(frozen=True)
class _MapTask:
    output: Path
    name: str
    job: ScoreJob

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (self.output,)

    def make(self, data: bytes) -> Iterator[tuple[Path, bytes]]:
        image = self.job.crop(
            decode(data, self.name, colour=False, read_options=self.job.read_options).image, self.name
        )
        yield self.output, encode(to_display(sharpness_map(image, at=self.job.at), white=1.0).image, ".png")


class SharpnessMaps(ImageMaker):
    """Makes an image of the sharpness at each pixel, in a folder that mirrors the tree of the inputs."""

    def __init__(self, folder: Path, log: OutputLog) -> None:
        super().__init__(folder, log)
        self._reserved: set[Path] = set()

    def _output(self, source: Source) -> Path:
        # The full name of the source: files that differ only in their extension have different maps.
        return self._folder / source.relative.parent / fit_name(source.relative.name, ".sharpness.png")

    def key(self, job: ScoreJob) -> str:
        return job.key

    def task(self, source: Source, job: ScoreJob) -> ImageTask:
        return _MapTask(self._output(source), str(source.path), job)

    def required(self, source: Source) -> tuple[Path, ...]:
        return (self._output(source),)

    def reserve(self, source: Source) -> None:
        output = self._output(source)
        if output in self._reserved:
            raise OutputError(f"{output}: two maps of this run would be written here; run edgekit for each folder")
        self._reserved.add(output)
