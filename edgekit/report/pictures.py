"""The pictures of the review page: of each image a thumbnail, where it is sharp, and a preview if browsers need one."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.score_images import Drawer, Drawing
from edgekit.batch.sources import Source
from edgekit.display.rendering import OVERLAY_COLOUR
from edgekit.focus.composite import SIZE, sharpness_map
from edgekit.io.formats import HEAD, sniff
from edgekit.io.thumbnails import decode_reduced, encode_jpeg, fitted
from edgekit.io.writing import encode

Array = NDArray[Any]

#: Raised when the pictures change, so that old ones count as stale.
REVISION = 1

#: Where they lie below the page.
FOLDER = "pictures"

#: Pixels on the longer side. A thumbnail is shown half as large on a screen of twice the density. The map is smooth:
#: it shows no more than an eighth of the image's side. A preview stands for an original that browsers cannot show.
THUMBNAIL, MAP, PREVIEW = 320, 128, 2048

#: Of JPEG: thumbnails are many, previews are looked at closely.
THUMBNAIL_QUALITY, PREVIEW_QUALITY = 80, 92

#: What browsers show, by the first bytes, if it has 8 bits.
SHOWN = ("PNG", "JPEG", "WebP", "GIF", "BMP", "AVIF")


class Names:
    """Where an image's pictures lie below the page.

    The names are made of the image's path, and hold nothing of it: no two share a picture, and no
    letter of a path needs care in a link or in a file system.

    Parameters
    ----------
    path : Path
        The image.
    """

    def __init__(self, path: Path) -> None:
        digest = hashlib.blake2b(os.fsencode(path.absolute()), digest_size=10).hexdigest()
        self.stem = f"{digest[:2]}/{digest[2:]}"

    @property
    def thumbnail(self) -> PurePosixPath:
        """What the grid shows."""
        return PurePosixPath(FOLDER, f"{self.stem}.jpg")

    @property
    def map(self) -> PurePosixPath:
        """Where the image is sharp, as colour on nothing."""
        return PurePosixPath(FOLDER, f"{self.stem}.map.png")

    @property
    def preview(self) -> PurePosixPath:
        """What stands for the original; there only where browsers cannot show that one."""
        return PurePosixPath(FOLDER, f"{self.stem}.view.jpg")


@dataclass(frozen=True)
class _Pictures:
    """The pictures to be drawn of one image."""

    folder: Path
    path: Path
    job: ScoreJob

    @property
    def outputs(self) -> tuple[Path, ...]:
        names = Names(self.path)
        return tuple(self.folder / name for name in (names.map, names.preview, names.thumbnail))

    def draw(self, data: bytes) -> Iterator[tuple[Path, bytes]]:
        name, job = str(self.path), self.job
        map_place, preview, thumbnail = self.outputs
        # A region is given in pixels of the whole; a preview wants them, too.
        shown = _shown(data)
        image = decode_reduced(data, name, least=2 * SIZE if shown and job.roi is None else None, limits=job.limits)
        yield map_place, encode(_map(image, job, name), ".png")
        levels = _bytes(image)
        if not shown or image.dtype != np.uint8:
            yield preview, encode_jpeg(fitted(levels, PREVIEW), PREVIEW_QUALITY)
        # Last, so that a preview that is needed is there by then.
        yield thumbnail, encode_jpeg(fitted(levels, THUMBNAIL), THUMBNAIL_QUALITY)


class Pictures(Drawer):
    """Draws the pictures of a review page, each once for a file as it is."""

    def key(self, job: ScoreJob) -> str:
        """Return what decides the pictures of a file; they are the same for all measures."""
        return f"pictures {REVISION} {job.roi}"

    def claim(self, source: Source) -> None:
        """Do nothing: no two images share a place."""

    def drawing(self, source: Source, job: ScoreJob) -> Drawing:
        return _Pictures(self._folder, source.path, job)

    def wanted(self, source: Source) -> tuple[Path, ...]:
        names = Names(source.path)
        return self._folder / names.thumbnail, self._folder / names.map


def _shown(data: bytes) -> bool:
    found = sniff(data[:HEAD])
    return found is not None and found.name in SHOWN


def _map(image: Array, job: ScoreJob, name: str) -> Array:
    """Return (H, W, 4): the colour of edges, the more opaque the sharper; nothing where nothing was measured."""
    rows, columns = image.shape[:2]
    part = sharpness_map(job.cut(image, name))
    if job.roi is not None:
        x, y, width, height = job.roi
        whole = np.zeros((rows, columns), np.float32)
        whole[y : y + height, x : x + width] = part
        part = whole
    small = fitted(np.nan_to_num(part, nan=0.0), MAP)
    drawn = np.empty((*small.shape, 4), np.uint8)
    drawn[:, :, :3] = OVERLAY_COLOUR
    drawn[:, :, 3] = np.rint(255 * np.clip(small, 0, 1))
    return drawn


def _bytes(image: Array) -> Array:
    """Return (H, W) or (H, W, 3) in 8 bits, to be looked at: other types from their least value to their largest."""
    if image.ndim == 3:
        image = image[:, :, :3] if image.shape[2] >= 3 else image[:, :, 0]
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    values = fitted(np.ascontiguousarray(image).astype(np.float64), PREVIEW)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        levels = (values - low) * (255 / ((high - low) or 1.0))
    return np.rint(np.clip(np.nan_to_num(levels, nan=0.0), 0, 255)).astype(np.uint8)
