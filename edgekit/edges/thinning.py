"""Thins edges to lines of one pixel, plane by plane. A plane is one channel of one image.

May import `filters` and what is below it.
"""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, Result
from edgekit.backends.opencv import fused
from edgekit.common.load_cv2 import cv2
from edgekit.edges.localization import locate

#: A bit for each neighbour.
_NEIGHBOURS = np.array([[8, 4, 2], [16, 0, 1], [32, 64, 128]], np.float32)

#: The tangent of 22.5 degrees: steeper directions are nearer to the diagonal.
SECTOR = 2**0.5 - 1


def suppress(strength: Array, gx: Array, gy: Array, *, interpolate: bool) -> Array:
    """Return `strength` where no neighbour across the edge is stronger, 0 elsewhere.

    Parameters
    ----------
    strength, gx, gy : ndarray or Tensor
        Of one shape and floating type; (gx, gy) is across the edge, with any length and sign. A strength of NaN is
        unknown: neither the pixel nor its neighbours across the edge are kept.
    interpolate : bool
        Compare with strengths that are interpolated between two neighbours; else with the nearest neighbour.
    """
    return by_plane(partial(_suppress, interpolate=interpolate), strength, gx, gy)


def thinned(strength: Array) -> Array:
    """Return edges one pixel wide: corners of staircases and spurs of one pixel become 0.

    Pixels that were connected, also diagonally, stay connected.
    """
    return backend_of(strength).keep(strength, thinned_mask(strength > 0), 0)


def thinned_mask(edges: Array) -> Array:
    """Return a mask of edges one pixel wide, as `thinned` does for strengths."""
    return by_numpy_plane(_thin, edges)


def _thin(mask: Array) -> Array:
    """Thin a NumPy plane of bool (Lam, Lee and Suen 1992, 10.1109/34.161346) until nothing changes."""
    if (compiled := fused.loops(mask.size, counts=False)) is not None:
        padded = np.pad(np.ascontiguousarray(mask).view(np.uint8), 1)
        compiled.thin(padded, np.stack(_kept_neighbourhoods()))
        return padded[1:-1, 1:-1].astype(bool)
    left = mask.astype(np.uint8)
    before, after = -1, cv2.countNonZero(left)
    while after != before:
        for keep in _kept_neighbourhoods():
            left &= cv2.LUT(cv2.filter2D(left, -1, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT), keep)
        before, after = after, cv2.countNonZero(left)
    return left.view(bool)


@cache
def _kept_neighbourhoods() -> tuple[Array, Array]:
    """Return, for each pattern of neighbours, 0 where a pixel is removed: at the lower right, then at the upper left.

    Bit n is the neighbour at n times 45 degrees, counter-clockwise from the right.
    """
    keep = np.ones((2, 256), np.uint8)
    for code in range(256):
        x = [bool(code >> n & 1) for n in range(8)] * 2
        crossings = sum(not x[n] and (x[n + 1] or x[n + 2]) for n in range(0, 8, 2))
        pairs = min(sum(x[n] or x[n + 1] for n in range(first, 8 + first, 2)) for first in (0, 1))
        if crossings == 1 and 2 <= pairs <= 3:
            for side in (0, 1):
                east, north_east, north, south_east = (x[n + 4 * side] for n in (0, 1, 2, 7))
                keep[side, code] = (north_east or north or not south_east) and east
    return keep[0], keep[1]


def offsets(strength: Array, gx: Array, gy: Array, edges: Array) -> Array:
    """Return the distance of each edge from the centre of its pixel along (gx, gy), in pixels; NaN elsewhere."""

    def plane(strength: Array, gx: Array, gy: Array, edges: Array) -> Array:
        offset = np.full_like(strength, np.nan)
        rows, columns = np.nonzero(edges)
        x, y = gx[rows, columns], gy[rows, columns]
        length = np.hypot(x, y)
        offset[rows, columns] = locate(strength, rows, columns, x / length, y / length).offset
        return offset

    return by_numpy_plane(plane, strength, gx, gy, edges)


def _suppress(strength: Array, gx: Array, gy: Array, *, interpolate: bool) -> Array:
    """Suppress strengths that are no maxima, in planes, tile by tile."""
    backend = backend_of(strength)
    layout, xp = backend.image_layout(strength), backend.xp

    def compute(start: int, stop: int, into: Array | None) -> Array:
        # The loop is compiled for contiguous planes only.
        if isinstance(into, np.ndarray) and all(a.flags.c_contiguous for a in (strength, gx, gy, into)):
            compiled = fused.loops(into.size)
            if compiled is not None:
                sector = strength.dtype.type(0 if interpolate else SECTOR)
                compiled.local_maxima(strength, gx, gy, sector, start, into)
                return into
        padded = backend.pad(strength, layout, start, stop, (1, 1, 1, 1), "constant", strength.dtype, 0)
        x, y = gx[..., start:stop, :], gy[..., start:stop, :]
        wide, high = xp.abs(x), xp.abs(y)
        flat = high > wide
        longer = xp.maximum(wide, high)
        diagonal = xp.minimum(wide, high) / xp.where(longer > 0, longer, 1)
        if not interpolate:
            diagonal = backend.cast(diagonal > SECTOR, strength.dtype)
        falling = (x < 0) != (y < 0)
        sides = []
        for side in (-1, 1):
            near = xp.where(flat, shifted(padded, side, 0), shifted(padded, 0, side))
            rising = xp.where(flat, shifted(padded, side, -side), shifted(padded, -side, side))
            far = xp.where(falling, rising, shifted(padded, side, side))
            sides.append(near + (far - near) * diagonal if interpolate else xp.where(diagonal > 0, far, near))
        here, (behind, ahead) = shifted(padded, 0, 0), sides
        # Of two equal strengths the first is kept.
        kept = (here > behind) & (here >= ahead)
        if not interpolate:
            # As in OpenCV: on a diagonal neither is kept.
            kept &= (here > ahead) | (diagonal == 0)
        return xp.where(kept, here, 0)

    result = Result(tuple(strength.shape), strength.dtype, 0, None)
    return backend.run_tiles(compute, layout, layout.rows, 2, result, ())


def shifted(padded: Array, down: int, right: int) -> Array:
    """Return the neighbours `down` and `right` of each pixel, of planes padded by one pixel."""
    rows, columns = padded.shape[-2:]
    return padded[..., 1 + down : rows - 1 + down, 1 + right : columns - 1 + right]


def label(mask: Array) -> tuple[int, Array]:
    """Number the connected components of a NumPy plane of bool, with 8 neighbours.

    Returns
    -------
    count, labels
        The number of components plus one, and the label of each pixel, 0 where the mask is False.
    """
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return count, labels


def as_single(image: Array) -> Array:
    """Return half precision as single: its squares would overflow."""
    backend = backend_of(image)
    types = backend.array_types(image)
    return backend.cast(image, types.work) if types.floating else image


def by_plane(function: Callable[..., Array], *images: Array) -> Array:
    """Apply a function of planes (..., rows, columns) to images of one shape; the result has their axis order."""
    if backend_of(images[0]).name == "torch":
        return function(*images)
    if images[0].ndim == 2:
        return np.asarray(function(*images))
    channels = range(images[0].shape[-1])
    return np.stack([function(*(np.ascontiguousarray(i[..., c]) for i in images)) for c in channels], -1)


def by_numpy_plane(function: Callable[..., Any], *images: Array) -> Array:
    """Apply a function of NumPy planes (rows, columns) to each plane of images of one shape.

    The function returns a plane or a number. Planes are returned in the images' axis order, numbers in an array that
    broadcasts against the images.
    """
    backend = backend_of(images[0])
    if backend.name != "torch":
        return by_plane(function, *images)
    arrays = [backend.to_numpy(i) for i in images]
    leading, size = arrays[0].shape[:-2], arrays[0].shape[-2:]
    count = math.prod(leading)
    planes = list(zip(*(a.reshape(count, *size) for a in arrays), strict=True))
    # Of an empty batch one plane of zeros is computed: it gives the shape and the type of the result.
    planes = planes or [tuple(np.zeros(size, a.dtype) for a in arrays)]
    results = np.stack([np.asarray(function(*p)) for p in planes])[:count]
    shape = (*leading, *size) if results.ndim > 1 else (*leading, 1, 1)
    return backend.from_numpy(results.reshape(shape), images[0].device)
