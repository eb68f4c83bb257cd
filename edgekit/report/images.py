"""The images of the review page: a thumbnail and a sharpness map of each input, and a preview if browsers need one.

May import `batch` and what is below it.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.batch.image_makers import ImageMaker, ImageTask
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.sources import Source
from edgekit.display.overlays import OVERLAY_COLOUR
from edgekit.focus.blur_score import VIEW, sharpness_map
from edgekit.io.conversion import shrink
from edgekit.io.encoding import encode, encode_jpeg
from edgekit.io.files import status_of
from edgekit.io.formats import HEAD, sniff
from edgekit.io.reduced import decode_reduced
from edgekit.io.video import read_frames
from edgekit.io.writing import write_atomic

Array = NDArray[Any]

#: Increased when the images change, so that old ones are stale.
REVISION = 2

#: Folder of the images, beside the page.
FOLDER = "pictures"

#: Pixels of the longer side. A thumbnail is shown at half its size, for screens of twice the density. The map is
#: smooth, with details of at least an eighth of the side. A preview replaces an original that browsers cannot show.
THUMBNAIL, MAP, PREVIEW = 320, 128, 2048

#: Quality of JPEG: there are many thumbnails, and previews are inspected closely.
THUMBNAIL_QUALITY, PREVIEW_QUALITY = 80, 92

#: Formats with 8 bits that browsers show.
SHOWN = ("PNG", "JPEG", "WebP", "GIF", "BMP", "AVIF")


class Names:
    """The paths of an input's images, relative to the page.

    A name is a hash of the input's path. Names are unique, and have no characters that need escaping in links or file
    systems.

    Parameters
    ----------
    path : Path
        The input.
    frame : int, optional
        The number of the frame of a video.
    """

    def __init__(self, path: Path, frame: int | None = None) -> None:
        # No path contains a NUL character.
        text = os.fsencode(path.absolute()) + (b"" if frame is None else f"\0{frame}".encode())
        digest = hashlib.blake2b(text, digest_size=10).hexdigest()
        self.stem = f"{digest[:2]}/{digest[2:]}"

    @property
    def thumbnail(self) -> PurePosixPath:
        """The image in the grid."""
        return PurePosixPath(FOLDER, f"{self.stem}.jpg")

    @property
    def map(self) -> PurePosixPath:
        """The sharpness map, as colour on a transparent background."""
        return PurePosixPath(FOLDER, f"{self.stem}.map.png")

    @property
    def preview(self) -> PurePosixPath:
        """The replacement of an original that browsers cannot show; otherwise it does not exist."""
        return PurePosixPath(FOLDER, f"{self.stem}.view.jpg")


@dataclass(frozen=True)
class _ReviewTask:
    """The images to be made of one input."""

    folder: Path
    path: Path
    job: ScoreJob

    @property
    def outputs(self) -> tuple[Path, ...]:
        names = Names(self.path)
        return tuple(self.folder / name for name in (names.map, names.preview, names.thumbnail))

    def make(self, data: bytes) -> Iterator[tuple[Path, bytes]]:
        name, job = str(self.path), self.job
        map_output, preview, thumbnail = self.outputs
        # A region in pixels, and a preview, need the image at full size.
        shown = _shown_by_browsers(data)
        image = decode_reduced(
            data, name, least=VIEW if shown and job.roi is None else None, read_options=job.read_options
        )
        yield map_output, encode(_map(image, job, name), ".png")
        levels = _bytes(image)
        if not shown or image.dtype != np.uint8:
            yield preview, encode_jpeg(shrink(levels, PREVIEW), PREVIEW_QUALITY)
        # Last, so that a thumbnail on disk means that a needed preview is there.
        yield thumbnail, encode_jpeg(shrink(levels, THUMBNAIL), THUMBNAIL_QUALITY)


class ReviewImages(ImageMaker):
    """Makes the images of a review page, once for each unchanged input."""

    def key(self, job: ScoreJob) -> str:
        """Return a text that contains everything the images depend on; they are the same for all measures."""
        return f"pictures {REVISION} {job.roi} {job.at}"

    def reserve(self, source: Source) -> None:
        """Do nothing: names are unique."""

    def task(self, source: Source, job: ScoreJob) -> ImageTask:
        return _ReviewTask(self._folder, source.path, job)

    def required(self, source: Source) -> tuple[Path, ...]:
        names = Names(source.path)
        return self._folder / names.thumbnail, self._folder / names.map

    takes_frames = True

    def make_of_frames(self, source: Source, job: ScoreJob, frames: Sequence[int], *, force: bool) -> None:
        stat, key = status_of(source.path), f"{self.key(job)} frames"
        names = {frame: Names(source.path, frame) for frame in frames}
        # The thumbnail is written last.
        missing = [
            frame for frame in frames
            if force or not self._log.is_current(self._folder / names[frame].thumbnail, source.path, stat, key)
        ]  # fmt: skip
        if not missing:
            return
        for frame in read_frames(source.path, colour=True, only=frozenset(missing), read_options=job.read_options):
            made = names[frame.number]
            for place, content in (
                (made.map, encode(_map(frame.image, job, f"{source.path}: frame {frame.number}"), ".png")),
                (made.preview, encode_jpeg(shrink(frame.image, PREVIEW), PREVIEW_QUALITY)),
                (made.thumbnail, encode_jpeg(shrink(frame.image, THUMBNAIL), THUMBNAIL_QUALITY)),
            ):
                output = self._folder / place
                write_atomic(content, output, partial(self._add, output, source, stat, key))


def _shown_by_browsers(data: bytes) -> bool:
    found = sniff(data[:HEAD])
    return found is not None and found.name in SHOWN


def _map(image: Array, job: ScoreJob, name: str) -> Array:
    """Return (H, W, 4): the colour of overlays, more opaque where sharper, transparent outside the region."""
    rows, columns = image.shape[:2]
    part = sharpness_map(job.crop(image, name), at=job.at)
    if job.roi is not None:
        x, y, width, height = job.roi
        whole = np.zeros((rows, columns), np.float32)
        whole[y : y + height, x : x + width] = part
        part = whole
    small = shrink(np.nan_to_num(part, nan=0.0), MAP)
    coloured = np.empty((*small.shape, 4), np.uint8)
    coloured[:, :, :3] = OVERLAY_COLOUR
    coloured[:, :, 3] = np.rint(255 * np.clip(small, 0, 1))
    return coloured


def _bytes(image: Array) -> Array:
    """Return (H, W) or (H, W, 3) in 8 bits for display; other types are stretched from least to largest value."""
    if image.ndim == 3:
        image = image[:, :, :3] if image.shape[2] >= 3 else image[:, :, 0]
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    values = shrink(np.ascontiguousarray(image).astype(np.float64), PREVIEW)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        levels = (values - low) * (255 / ((high - low) or 1.0))
    return np.rint(np.clip(np.nan_to_num(levels, nan=0.0), 0, 255)).astype(np.uint8)
