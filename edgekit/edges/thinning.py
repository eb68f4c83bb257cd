"""Thin edges: of a strength, keep what is greatest across the edge. May import backends."""

from functools import cache
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, Result
from edgekit.common.load_cv2 import cv2

#: A bit for each neighbour.
_NEIGHBOURS = np.array([[8, 4, 2], [16, 0, 1], [32, 64, 128]], np.float32)

#: Where the nearest of four directions changes from straight to diagonal: the tangent of 22.5 degrees.
SECTOR = 2**0.5 - 1


def suppress(strength: Array, gx: Array, gy: Array, *, interpolate: bool) -> Array:
    """Return `strength` where no neighbour across the edge is stronger, 0 elsewhere.

    Parameters
    ----------
    strength, gx, gy : ndarray or Tensor
        Of one shape and floating type; (gx, gy) points across the edge, its length and sign do not
        matter. A strength that is NaN is unknown: neither it nor what it is compared with stays.
    interpolate : bool
        Compare with the strength interpolated between the two neighbours that the direction passes
        between; else with the nearest neighbour.
    """
    backend = backend_of(strength)

    def plane(strength: Array, gx: Array, gy: Array) -> Array:
        def keep(here: Array, behind: Array, ahead: Array, diagonal: Array, straight: Array) -> Array:
            # Of equals the first stays.
            kept = (here > behind) & (here >= ahead)
            if not interpolate:
                # As OpenCV does: on a diagonal none stays.
                kept &= (here > ahead) | (diagonal == 0)
            return backend.xp.where(kept, here, 0)

        return _across(keep, strength, gx, gy, interpolate=interpolate)

    return backend.by_plane(plane, strength, gx, gy)


def thinned(edges: Array) -> Array:
    """Return edges one pixel wide: corners of staircases and one-pixel spurs become 0 or False.

    What was connected, diagonally too, stays connected.
    """
    backend = backend_of(edges)
    kept = backend.by_plane_in_numpy(_thin, edges > 0)
    return backend.cast(backend.xp.where(kept, edges, 0), edges.dtype)


def _thin(mask: Array) -> Array:
    """Thin a NumPy plane of bool (Lam, Lee and Suen 1992, 10.1109/34.161346): what can go goes, until nothing can."""
    left = mask.astype(np.uint8)
    before, after = -1, cv2.countNonZero(left)
    while after != before:
        for keep in _neighbourhoods_that_stay():
            left &= cv2.LUT(cv2.filter2D(left, -1, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT), keep)
        before, after = after, cv2.countNonZero(left)
    return left.view(bool)


@cache
def _neighbourhoods_that_stay() -> tuple[Array, Array]:
    """Return, for each pattern of neighbours, 0 where a pixel goes: first from the lower right, then the upper left.

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


def offsets(strength: Array, gx: Array, gy: Array) -> Array:
    """Return how far ahead along (gx, gy) a parabola through three strengths has its top, in pixels."""
    backend = backend_of(strength)
    xp = backend.xp

    def top(here: Array, behind: Array, ahead: Array, diagonal: Array, straight: Array) -> Array:
        # Halves, since the sum of the largest numbers is none.
        bend = behind / 2 + ahead / 2 - here
        shift = (behind / 2 - ahead / 2) / xp.where(bend < 0, bend, 1) / 2
        # The samples are further apart on a slant; ahead is towards the right, or down where the edge lies flat.
        return xp.where(bend < 0, shift, 0) * xp.sqrt(1 + diagonal * diagonal) * straight

    return backend.by_plane(lambda *planes: _across(top, *planes, interpolate=True), strength, gx, gy)


def _across(function: Any, strength: Array, gx: Array, gy: Array, *, interpolate: bool) -> Array:
    """Apply a function to each strength of planes and to those on either side of it, strip by strip.

    It is given the strength, that behind and ahead, how far ahead is on the diagonal in [0, 1], and
    whether ahead is along (gx, gy), 1, or against it, -1.
    """
    backend = backend_of(strength)
    frame, xp = backend.frame(strength), backend.xp

    def compute(start: int, stop: int, into: Array | None) -> Array:
        padded = backend.window(strength, frame, start, stop, (1, 1, 1, 1), "constant", strength.dtype, 0)
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
            # The diagonal neighbour is on the same side as the near one.
            rising = xp.where(flat, shifted(padded, side, -side), shifted(padded, -side, side))
            far = xp.where(falling, rising, shifted(padded, side, side))
            sides.append(near + (far - near) * diagonal if interpolate else xp.where(diagonal > 0, far, near))
        along = xp.where(xp.where(flat, y, x) < 0, -1, xp.ones_like(x))
        return function(shifted(padded, 0, 0), *sides, diagonal, along)

    result = Result(tuple(strength.shape), strength.dtype, 0, None)
    return backend.assemble(compute, frame, frame.rows, 2, result, ())


def shifted(padded: Array, down: int, right: int) -> Array:
    """Return the neighbours `down` and `right` of each pixel, of planes that are one pixel wider all around."""
    rows, columns = padded.shape[-2:]
    return padded[..., 1 + down : rows - 1 + down, 1 + right : columns - 1 + right]


def label(mask: Array) -> tuple[int, Array]:
    """Number the connected parts of a NumPy plane of bool, diagonals included.

    Returns
    -------
    count, labels
        One more than there are parts; 0 where the mask is False.
    """
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return count, labels
