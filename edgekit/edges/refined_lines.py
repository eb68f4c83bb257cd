"""Lines that were found in a reduced image, at the place of the edges of the whole image.

May import `backends` and what is below it. The places are computed on NumPy arrays.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.edges.resampling import detached
from edgekit.edges.thinning import thinned_mask

#: Distances from a line at which pixels are read, in pixels, and the standard deviation of their weights.
OFFSETS = np.arange(-3, 3.5, 0.5, dtype=np.float32)
NEAR = 1.5

#: Places along a line whose pixels are averaged, in pixels.
ALONG = (-1, 0, 1)

#: How often the shift of each pixel is averaged with those of its neighbours.
SMOOTHED = 3

#: Pixels of lines that are moved at a time.
CHUNK = 8192

#: Half of the neighbours of a pixel: right, down, and both diagonals.
_FORWARD = ((0, 1), (1, 0), (1, 1), (1, -1))

Points = NDArray[np.float32]


def refined(lines: Array, across: Array, finer: Sequence[Sequence[Array]]) -> tuple[Any, Any, Any]:
    """Move lines to the edges of larger images, each twice as large as the one before.

    Parameters
    ----------
    lines : array of bool
        (rows, columns), one pixel wide.
    across : array
        (rows, columns): the direction across the lines, in radians.
    finer : sequence of sequence of array
        The planes of the images, the largest first.

    Returns
    -------
    rows, columns, source : array of int
        Pixels of the largest image that are on a line, and for each the number of the pixel of `lines`, counted row by
        row, that it belongs to.
    """
    ys, xs = np.nonzero(lines)
    size = finer[0][0].shape
    if not len(ys):
        return ys, xs, ys
    angle = across[ys, xs]
    normal = np.stack([np.sin(angle), np.cos(angle)], 1).astype(np.float32)
    number = np.full(np.add(lines.shape, 2), -1)
    number[ys + 1, xs + 1] = np.arange(len(ys))
    pairs = _pairs(number, ys, xs)
    scale = np.divide(finer[-1][0].shape, lines.shape)
    places = ((np.stack([ys, xs], 1) + 0.5) * scale - 0.5).astype(np.float32)
    for n, planes in enumerate(reversed(finer)):
        if n:
            places = places * 2 + 0.5
        shift = np.concatenate([_shift(planes, places[i : i + CHUNK], normal[i : i + CHUNK])
                                for i in range(0, len(places), CHUNK)])  # fmt: skip
        places += normal * _smoothed(shift, normal, pairs)[:, None]
    return _drawn(places, ys * lines.shape[1] + xs, pairs, size)


def _pairs(number: NDArray[Any], ys: NDArray[Any], xs: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of neighbouring pixels of lines, (pairs, 2). Diagonal ones count where no other pair leads."""
    found = []
    for down, right in _FORWARD:
        other = number[ys + 1 + down, xs + 1 + right]
        good = other >= 0
        if down and right:
            good &= (number[ys + 1 + down, xs + 1] < 0) & (number[ys + 1, xs + 1 + right] < 0)
        found.append(np.stack([np.flatnonzero(good), other[good]], 1))
    return np.concatenate(found)


def _shift(planes: Sequence[Array], places: Points, normal: Points) -> Points:
    """Return how far the steepest change across each place is from it, along the normal."""
    tangent = normal[:, ::-1] * np.array([1, -1], np.float32)
    steps = (
        OFFSETS[None, None, :, None] * normal[:, None, None]
        + np.array(ALONG, np.float32)[:, None, None] * tangent[:, None, None]
    )
    energy: Any = 0
    for profile in _read(planes, places[:, None, None] + steps):
        profile = profile.sum(1)
        energy = energy + (profile[:, 2:] - profile[:, :-2]) ** 2
    middle = OFFSETS[1:-1]
    weighted = energy * np.exp(-(middle**2) / (2 * NEAR**2))
    # Where nothing changes the place is kept.
    best = np.where(weighted.max(1) > 0, weighted.argmax(1), len(middle) // 2)
    best = best.clip(1, len(middle) - 2)
    each = np.arange(len(best))
    before, here, after = (weighted[each, best + k] for k in (-1, 0, 1))
    bend = 2 * here - before - after
    top = np.where(bend > 0, (after - before) / np.where(bend > 0, 2 * bend, 1), 0).clip(-1, 1)
    shift: Points = (middle[best] + top * (OFFSETS[1] - OFFSETS[0])).astype(np.float32)
    return shift


def _read(planes: Sequence[Array], places: Points) -> Iterator[Points]:
    """Return values of each plane between its pixels, by linear interpolation. Invalid pixels are 0."""
    rows, columns = planes[0].shape
    y, x = (places[..., k].clip(0, n - 1) for k, n in ((0, rows), (1, columns)))
    top, left = y.astype(np.int32), x.astype(np.int32)
    bottom, right = np.minimum(top + 1, rows - 1), np.minimum(left + 1, columns - 1)
    down, along = y - top, x - left
    corners = [(top, left), (top, right), (bottom, left), (bottom, right)]
    weights = [(1 - down) * (1 - along), (1 - down) * along, down * (1 - along), down * along]
    backend = backend_of(planes[0])
    device = getattr(planes[0], "device", None)
    chosen = [tuple(backend.from_numpy(n, device) for n in corner) for corner in corners]
    for plane in planes:
        total: Any = 0
        for corner, weight in zip(chosen, weights, strict=True):
            found = plane[corner]
            found = np.asarray(backend.to_numpy(detached(found)))
            if found.dtype.kind == "f" and not np.isfinite(found).all():
                found = np.nan_to_num(found, posinf=0, neginf=0)
            total = total + found * weight
        yield total


def _smoothed(shift: Points, normal: Points, pairs: NDArray[Any]) -> Points:
    """Average shifts along lines. Neighbours whose normals point the other way move the other way."""
    first, second = pairs.T
    sign = np.sign((normal[first] * normal[second]).sum(1))
    for _ in range(SMOOTHED):
        total, count = shift.copy(), np.ones(len(shift), np.float32)
        for here, there in ((first, second), (second, first)):
            total += np.bincount(here, shift[there] * sign, len(shift))
            count += np.bincount(here, None, len(shift))
        shift = (total / count).astype(np.float32)
    return shift


def _drawn(places: Points, sources: NDArray[Any], pairs: NDArray[Any], size: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Connect neighbouring places by straight lines, and thin the result to one pixel."""
    first, second = pairs.T
    length = np.abs(places[second] - places[first]).max(1, initial=0)
    steps = max(2, int(np.ceil(length.max(initial=1))) + 1)
    share = np.linspace(0, 1, steps, dtype=np.float32)
    image = np.full(size, -1, np.int32)
    for i in range(0, max(len(first), 1), CHUNK):
        a, b = first[i : i + CHUNK, None], second[i : i + CHUNK, None]
        line = places[a] * (1 - share[:, None]) + places[b] * share[:, None]
        _set(image, line.reshape(-1, 2), sources[np.where(share < 0.5, a, b)].ravel())
    _set(image, places, sources)
    rows, columns = np.nonzero(thinned_mask(image >= 0))
    return rows, columns, image[rows, columns]


def _set(image: NDArray[Any], places: Points, values: NDArray[Any]) -> None:
    y, x = (np.rint(places[:, k]).astype(np.intp).clip(0, n - 1) for k, n in enumerate(image.shape))
    image[y, x] = values
