"""Which images show the same moment: their likeness, and the motion between them.

A fingerprint is all that is kept of an image, so that images are compared long after they were decoded. May import
`display` and what is below it.
"""

import math
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2

#: Pixels of the longer side of the image that is compared, and of the image whose detail is measured.
SIDE, VIEW = 64, 1024

#: Images are compared at shifts up to this fraction of the longer side.
REACH = 0.19

#: A camera rests while the image shifts by less than this fraction of the longer side.
STILL = 0.006

#: Two images show the same moment if the shift is at most this fraction, and the likeness at least `ALIKE`. Blur alone
#: leaves the likeness of images of this size above 0.9.
NEAR, ALIKE = 0.12, 0.7

#: Of equal likeness the smaller shift is taken: a shift as far as `REACH` loses this much.
PREFERENCE = 0.02

#: Standard deviation in gray levels below which an image has no structure that could be compared.
FLAT = 1.0

_HEADER = struct.Struct("<ddBB")


class Fingerprint(NamedTuple):
    """The features of an image that are compared.

    Attributes
    ----------
    image : ndarray of float32
        (H, W), at most `SIDE` pixels wide and high.
    detail : float
        How sharp the image is in comparison with others of the same scene; NaN if it has no structure.
    taken : float
        When it was taken, in seconds; NaN if unknown.
    """

    image: NDArray[np.float32]
    detail: float
    taken: float = math.nan

    def to_bytes(self) -> bytes:
        """Return the fingerprint as bytes."""
        levels = np.rint(self.image).clip(0, 255).astype(np.uint8)
        return _HEADER.pack(self.detail, self.taken, *levels.shape) + levels.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Fingerprint":
        """Return the fingerprint that `to_bytes` wrote."""
        detail, taken, rows, columns = _HEADER.unpack_from(data)
        levels = np.frombuffer(data, np.uint8, rows * columns, _HEADER.size)
        return cls(levels.reshape(rows, columns).astype(np.float32), detail, taken)


def fingerprint(gray: NDArray[Any], taken: float = math.nan, *, detail: bool = True) -> Fingerprint:
    """Return the fingerprint of a gray image (H, W); values of other types than uint8 are stretched.

    Measuring the detail takes thirty times as long as the rest; without it, it is NaN.
    """
    image = np.asarray(gray, np.float32)
    if gray.dtype != np.uint8:
        finite = image[np.isfinite(image)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        image = np.nan_to_num(image, nan=low, posinf=high, neginf=low)
        image = (image - low) * (255 / ((high - low) or 1.0))
    return Fingerprint(_shrunk(image, SIDE), _detail(_shrunk(image, VIEW)) if detail else math.nan, taken)


def _shrunk(image: NDArray[np.float32], longer: int) -> NDArray[np.float32]:
    rows, columns = image.shape
    scale = longer / max(rows, columns)
    if scale >= 1:
        return image
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _detail(image: NDArray[np.float32]) -> float:
    """Return how sharp an image is: E1 E2 / (E3 V), which does not depend on contrast and exposure, but on the scene.

    E1, E2 and E3 are the variances of the Laplacian after Gaussians of 1, 2 and 4 pixels, V is that of the levels.
    """
    variance = float(image.var())
    if variance < FLAT**2:
        return math.nan
    energies = [float(cv2.Laplacian(cv2.GaussianBlur(image, (0, 0), s), cv2.CV_32F).var()) for s in (1.0, 2.0, 4.0)]
    return energies[0] / variance * energies[1] / energies[2] if energies[2] > 0 else math.nan


class Motion(NamedTuple):
    """From one image to another: the shift as a fraction of the longer side, and the likeness after it.

    The likeness is a correlation coefficient: 1 is equal up to contrast and brightness.
    """

    shift: float
    likeness: float

    @property
    def is_same_moment(self) -> bool:
        """Whether the images show the same moment."""
        return self.shift <= NEAR and self.likeness >= ALIKE

    @property
    def is_rest(self) -> bool:
        """Whether the camera rests."""
        return self.shift < STILL and self.likeness >= ALIKE


def motion(first: Fingerprint, second: Fingerprint) -> Motion:
    """Return the motion between two images. Images of different sizes are not alike."""
    a, b = first.image, second.image
    if a.shape != b.shape:
        return Motion(1.0, 0.0)
    longer = max(a.shape)
    margins = [min(max(1, round(REACH * longer)), (side - 1) // 3) for side in a.shape]
    (top, left), (rows, columns) = margins, a.shape
    inner = b[top : rows - top, left : columns - left]
    if a.std() < FLAT or inner.std() < FLAT:
        return Motion(0.0, 1.0) if a.std() < FLAT and b.std() < FLAT else Motion(1.0, 0.0)
    found = cv2.matchTemplate(a, np.ascontiguousarray(inner), cv2.TM_CCOEFF_NORMED)
    y, x = np.ogrid[-top : top + 1, -left : left + 1]
    preferred = found - PREFERENCE * np.hypot(y, x) / (REACH * longer)
    row, column = np.unravel_index(int(np.argmax(preferred)), found.shape)
    dy = row - top + _vertex(found[:, column], int(row))
    dx = column - left + _vertex(found[row], int(column))
    return Motion(min(1.0, math.hypot(dx, dy) / longer), float(np.clip(found[row, column], 0, 1)))


def _vertex(values: NDArray[Any], at: int) -> float:
    """Return the place of the maximum of the parabola through three neighbours, relative to the middle one."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = map(float, values[at - 1 : at + 2])
    curvature = before - 2 * here + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0


def path_travelled(frames: Sequence[Fingerprint]) -> list[float]:
    """Return how far the image has moved up to each frame of a video, in lengths of its longer side.

    The value does not change while the camera rests: such frames show one moment. Each frame is compared with the last
    one that moved, so that slow motion adds up, and noise does not.
    """
    travelled, anchor, path = 0.0, 0, []
    for number, frame in enumerate(frames):
        found = motion(frames[anchor], frame)
        if not found.is_rest:
            # At a cut to another scene there is no shift to be found.
            travelled += found.shift if found.likeness >= ALIKE else max(found.shift, 1 - found.likeness)
            anchor = number
        path.append(travelled)
    return path


def group_bursts(times: Sequence[float], images: Sequence[Fingerprint | None], gap: float) -> list[int]:
    """Return the number of the group of each image, from 0 on.

    Parameters
    ----------
    times : sequence of float
        When each image was taken, ascending, in seconds.
    images : sequence of Fingerprint or None
        An image without a fingerprint is a group by itself.
    gap : float
        An image that was taken this number of seconds after the one before, or later, begins a group. So does an image
        that does not show the same moment as the first one of the group.
    """
    groups: list[int] = []
    first: Fingerprint | None = None
    distances = [math.inf, *(b - a for a, b in pairwise(times))]
    for distance, image in zip(distances, images, strict=False):
        same = distance <= gap and first is not None and image is not None and motion(first, image).is_same_moment
        if not same:
            first = image
        groups.append((groups[-1] if groups else -1) + (not same))
    return groups
