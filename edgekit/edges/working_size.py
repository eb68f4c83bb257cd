"""The size at which boundaries are searched: the same for all large images.

May import `backends` and what is below it.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.load_cv2 import cv2
from edgekit.edges.resampling import at_size, detached, halved

#: Images that are larger by less than this factor are not resampled.
ALIKE = 1.02

#: Rows of an image that are reduced at a time.
STRIP = 256

#: Distance in pixels at which an invalid pixel affects a gradient of the finest octave.
REACH = 3

#: Largest range of levels in a frame, relative to the brightest pixel.
FRAME_RANGE = 6 / 255

#: Greatest width of a frame, as a share of the image's width or height.
WIDEST_FRAME = 0.25

#: Least share of the pixels beside a frame that differ from it. Fewer are an object on a uniform ground.
OTHER = 0.75


class Working(NamedTuple):
    """An image at the size at which edges are searched.

    Attributes
    ----------
    planes : list of array
        (rows, columns) each, floating. Invalid pixels have the values of the nearest valid ones.
    known : array of bool
        False outside the picture, and where invalid pixels have an influence.
    finer : list of list of array
        The planes of the whole image, and those of each halving, the largest first; empty if the image has the
        working size already.
    """

    planes: list[Array]
    known: Array
    finer: list[list[Array]]


def working(planes: Sequence[Array], area: float) -> Working:
    """Reduce the planes of one image to at most `area` pixels, in proportion."""
    backend = backend_of(planes[0])
    rows, columns = planes[0].shape
    ratio = math.sqrt(rows * columns / area)
    finer = []
    if ratio > ALIKE:
        finer.append(list(planes))
        for _ in range(int(math.log2(ratio))):
            finer.append([_halved_in_strips(p) for p in finer[-1]])
        size = max(1, round(rows / ratio)), max(1, round(columns / ratio))
        planes = [_resized(_floating(p), *size) for p in finer[-1]]
    planes = [_floating(p) for p in planes]
    finite = reduce(lambda a, b: a & b, (backend.xp.isfinite(p) for p in planes))
    arrays = [backend.to_numpy(detached(p)) for p in planes]
    inside = _known(arrays, np.asarray(backend.to_numpy(finite)))
    if not inside.all():
        planes = [filled_from_nearest(p, inside) for p in planes]
        inside = cv2.erode(inside.astype(np.uint8), np.ones((2 * REACH + 1,) * 2, np.uint8)) > 0
    return Working(planes, backend.from_numpy(inside, getattr(planes[0], "device", None)), finer)


def _floating(plane: Array) -> Array:
    backend = backend_of(plane)
    return backend.cast(plane, backend.array_types(plane).work)


def _halved_in_strips(plane: Array) -> Array:
    """Return the means of the valid pixels of each two by two; NaN where none is valid."""
    xp = backend_of(plane).xp
    parts = []
    for start in range(0, plane.shape[0], STRIP):
        part = _floating(plane[start : start + STRIP])
        for axis in (0, 1):
            if part.shape[axis] % 2:
                part = xp.concatenate([part, part[-1:] if axis == 0 else part[:, -1:]], axis)
        parts.append(_over_valid(part, halved))
    return xp.concatenate(parts, 0)


def _resized(plane: Array, rows: int, columns: int) -> Array:
    return _over_valid(plane, lambda p: at_size(p, rows, columns))


def _over_valid(plane: Array, mean: Callable[[Array], Array]) -> Array:
    """Apply a function that computes means to the valid pixels; NaN where none is valid."""
    backend = backend_of(plane)
    xp = backend.xp
    finite = xp.isfinite(plane)
    if bool(finite.all()):
        return mean(plane)
    share = mean(backend.cast(finite, plane.dtype))
    total = mean(xp.where(finite, plane, 0))
    return xp.where(share > 0, total / xp.where(share > 0, share, 1), math.nan)


def _known(planes: Sequence[Array], finite: Array) -> Array:
    """Return which pixels of NumPy planes are valid and not in a frame."""
    rows, columns = _picture(planes, finite)
    inside = np.zeros(finite.shape, bool)
    inside[rows, columns] = finite[rows, columns]
    return inside


def _picture(planes: Sequence[Array], finite: Array) -> tuple[slice, slice]:
    """Return the rows and columns without a uniform frame; all of them if there is none."""
    high, wide = finite.shape
    everything = slice(0, high), slice(0, wide)
    peak = max((float(np.abs(p[finite]).max()) for p in planes if finite.any()), default=0.0)
    if min(high, wide) < 16 or not 0 < peak < math.inf:
        return everything
    for corner in ((0, 0), (-1, -1)):
        if not finite[corner]:
            continue
        other = reduce(np.logical_or, (np.abs(p - p[corner]) > FRAME_RANGE / 2 * peak for p in planes)) & finite
        rows, columns = np.flatnonzero(other.any(1)), np.flatnonzero(other.any(0))
        if not rows.size:
            return everything
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        if _is_picture(planes, other, (top, bottom, left, right), peak):
            return slice(top, bottom), slice(left, right)
    return everything


def _is_picture(planes: Sequence[Array], other: Array, box: tuple[int, int, int, int], peak: float) -> bool:
    """Tell whether a box is a picture in a frame: a frame is narrow, and what begins beside it is not uniform."""
    high, wide = other.shape
    top, bottom, left, right = box
    sides = [(top, high), (high - bottom, high), (left, wide), (wide - right, wide)]
    if not any(width for width, _ in sides) or any(width > WIDEST_FRAME * size for width, size in sides):
        return False
    inner = (slice(top, bottom), slice(left, right))
    lines = [(0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)]
    for (width, _), line in zip(sides, lines, strict=True):
        if not width:
            continue
        varies = any(np.ptp(np.quantile(p[inner][line], (0.05, 0.95))) > FRAME_RANGE * peak for p in planes)
        if other[inner][line].mean() < OTHER or not varies:
            return False
    return True


def filled_from_nearest(plane: Array, inside: Array) -> Array:
    """Return a plane in which each pixel outside has the value of the nearest pixel inside."""
    backend = backend_of(plane)
    if not inside.any():
        return backend.xp.zeros_like(plane)
    from scipy import ndimage

    rows, columns = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    device = getattr(plane, "device", None)
    filled: Array = plane[backend.from_numpy(rows, device), backend.from_numpy(columns, device)]
    return filled
