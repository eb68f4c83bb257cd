"""Planes (..., rows, columns) at other sizes, of both kinds of arrays. May import `backends` and what is below it."""

from functools import lru_cache
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array


def detached(array: Array) -> Array:
    """Return an array without its history of gradients."""
    return array.detach() if hasattr(array, "detach") else array


def padded(plane: Array, unit: int) -> Array:
    """Pad planes to a multiple of `unit` rows and columns by reflection."""
    backend = backend_of(plane)
    layout = backend.image_layout(plane)
    padding = (0, -layout.rows % unit, 0, -layout.columns % unit)
    return backend.pad(plane, layout, 0, layout.rows, padding, "reflect", plane.dtype, 0)


def halved(planes: Array) -> Array:
    """Return the means of two by two pixels."""
    upper, lower = planes[..., ::2, :], planes[..., 1::2, :]
    return (upper[..., ::2] + upper[..., 1::2] + lower[..., ::2] + lower[..., 1::2]) / 4


def doubled(planes: Array) -> Array:
    """Return planes of twice the size, by linear interpolation between the centres of pixels."""
    xp = backend_of(planes).xp
    rows, columns = planes.shape[-2:]
    for axis, shape in ((-1, (rows, 2 * columns)), (-2, (2 * rows, 2 * columns))):
        first, last = ((..., s) if axis == -1 else (..., s, slice(None)) for s in (slice(1), slice(-1, None)))
        inner = [(..., s) if axis == -1 else (..., s, slice(None)) for s in (slice(None, -1), slice(1, None))]
        before = xp.concatenate([planes[first], planes[inner[0]]], axis)
        after = xp.concatenate([planes[inner[1]], planes[last]], axis)
        parts = [planes * 0.75 + neighbour * 0.25 for neighbour in (before, after)]
        planes = xp.stack(parts, axis).reshape(*planes.shape[:-2], *shape)
    return planes


def at_size(plane: Array, rows: int, columns: int) -> Array:
    """Return a plane (rows, columns) at another size: means of pixels if it is smaller, else linear interpolation."""
    backend = backend_of(plane)
    device = getattr(plane, "device", None)
    for axis, size in enumerate((rows, columns)):
        before = plane.shape[axis]
        if size == before:
            continue
        total: Any = 0
        for places, shares in _shares(before, size):
            shares = shares[:, None] if axis == 0 else shares
            weight = backend.cast(backend.from_numpy(shares, device), plane.dtype)
            number = backend.from_numpy(places, device)
            total = total + weight * (plane[number] if axis == 0 else plane[:, number])
        plane = total
    return plane


@lru_cache(maxsize=64)
def _shares(before: int, after: int) -> list[tuple[Any, Any]]:
    """Return which pixels of a line of `before` pixels make those of one of `after`, and the share of each.

    The first element holds the first pixel of each sum, the second one the next, and so on.
    """
    step = before / after
    start = np.arange(after) * step
    if step <= 1:
        start = (start + step / 2 - 0.5).clip(0, before - 1)
    first = start.astype(np.intp)
    found = []
    for place in (first + k for k in range(int(np.ceil(step)) + 1)):
        if step > 1:
            share = np.minimum(start + step, place + 1) - np.maximum(start, place)
            found.append((place.clip(0, before - 1), (share.clip(0) / step).astype(np.float32)))
        else:
            found.append((place.clip(0, before - 1), (1 - np.abs(start - place)).clip(0).astype(np.float32)))
    return found
