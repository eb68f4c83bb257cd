"""The range of an image's values: that of the type for 8 bits, else the 0.1 to 99.9 percentiles.

The white level of a rendered response depends on it. May import `filters` and what is below it.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.filters.inputs import broadcast_mask
from edgekit.filters.luminance import luminance

Range = tuple[float, float]

#: At most 1 of this many valid values is below the range, and at most 1 above it.
OUTSIDE = 1000

#: Bits of a value that are counted in one pass.
BITS = 16

#: Values that are counted at a time.
BLOCK = 2**20

#: Counts the values of a part of an image.
Count = Callable[[Array], NDArray[np.int64]]


def range_of(image: Array, mask: Array | None = None, channel: str = "each") -> Range:
    """Return the range of an image's values.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sobel`.
    mask : ndarray or Tensor of bool, optional
        True where the image is valid.
    channel : str
        With ``luminance`` the range of a colour image is that of its luminance.

    Returns
    -------
    float, float
        The type's range for bool and 8 bits; else the percentiles of `percentiles`.
    """
    backend = backend_of(image)
    types = backend.array_types(image)
    if types.high - types.low <= 255:
        return types.low, types.high
    layout = backend.image_layout(image)
    arrays = [backend.to_numpy(image)]
    if mask is not None:
        arrays.append(backend.to_numpy(broadcast_mask(mask, image, layout)))
    if layout.channels is not None:
        arrays = [np.moveaxis(a, layout.channel_axis, -1) for a in arrays]
    sample = filtered_values(arrays[0][:0], channel)

    def total(count: Count) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = np.zeros((1, 1), np.int64)
        for part, *valid in _parts(arrays, len(layout.leading)):
            values = filtered_values(part, channel)
            for each in valid:
                values = values[each if each.ndim == values.ndim else each[..., :3].all(axis=-1)]
            counts = counts + count(values)
        return counts

    return percentiles(sample.dtype, total)


def score_range(image: Array) -> tuple[float, float]:
    """Return the range of an image that scores use: that of the type, or [0, 1] for floating images within it.

    `range_of` returns the range of rendered images.
    """
    backend = backend_of(image)
    xp, types = backend.xp, backend.array_types(image)
    if not types.floating:
        return types.low, types.high
    finite = image[xp.isfinite(image)]
    if 0 in finite.shape:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _parts(arrays: list[Array], leading: int) -> Iterator[list[Array]]:
    """Yield blocks of rows of arrays of one layout."""
    shape = arrays[0].shape
    height = max(1, BLOCK // max(1, math.prod(shape[leading + 1 :])))
    for index in np.ndindex(shape[:leading]):
        for top in range(0, shape[leading], height):
            yield [a[index][top : top + height] for a in arrays]


def filtered_values(image: Array, channel: str) -> Array:
    """Return the values that are filtered: with ``luminance`` that of (..., red, green, blue[, opacity])."""
    if channel != "luminance" or image.ndim < 3 or image.shape[-1] < 3:
        return image
    work = np.result_type(image.dtype, np.float32).type
    with np.errstate(all="ignore"):
        return luminance([image[..., i].astype(work, copy=False) for i in range(3)])


def passes(dtype: np.dtype[Any]) -> int:
    """Return how many times `percentiles` counts all values."""
    return math.ceil(8 * dtype.itemsize / BITS)


def percentiles(dtype: np.dtype[Any], total: Callable[[Count], NDArray[np.int64]]) -> Range:
    """Return the exact 0.1 and 99.9 percentiles of finite values that are counted in parts, in any order.

    They are values of the image, as by the methods ``lower`` and ``higher`` of `numpy.percentile`. If both are equal
    the least and the largest value are returned, and zeros if no value is finite.

    Parameters
    ----------
    dtype : dtype
        Of the values.
    total : callable
        ``total(count)`` returns the sum of ``count(part)`` over all parts.
    """
    found = [0] * 4
    ranks: list[int] = []
    for shift in reversed(range(0, BITS * passes(dtype), BITS)):
        known = sorted(set(found))
        counts = np.cumsum(total(partial(_histograms, known=known, shift=shift)), axis=1)
        if not ranks:
            last = int(counts[0, -1]) - 1
            if last < 0:
                return 0.0, 0.0
            ranks = [0, last // OUTSIDE, last - last // OUTSIDE, last]
        for i, (bits, rank) in enumerate(zip(found, ranks, strict=True)):
            line = counts[known.index(bits)]
            digit = int(np.searchsorted(line, rank, side="right"))
            ranks[i] -= int(line[digit - 1]) if digit else 0
            found[i] = bits << BITS | digit
    least, low, high, most = (float(_value(bits, dtype)) for bits in found)
    return (low, high) if low < high else (least, most)


def _histograms(values: Array, known: list[int], shift: int) -> NDArray[np.int64]:
    """Count the finite values by their next 16 bits, once for each bit prefix in `known`."""
    finite = np.isfinite(values) if values.dtype.kind == "f" else None
    values = values.reshape(-1) if finite is None or finite.all() else values[finite]
    keys = _keys(values.astype(values.dtype.newbyteorder("="), copy=False))
    above = shift + BITS
    lines = []
    for bits in known:
        chosen = keys if above >= 8 * keys.itemsize else keys[keys >> above == bits]
        lines.append(np.bincount((chosen >> shift).astype(np.uint16), minlength=2**BITS))
    return np.stack(lines)


def _sign(dtype: np.dtype[Any]) -> Any:
    return np.dtype(f"u{dtype.itemsize}").type(1 << (8 * dtype.itemsize - 1))


def _keys(values: Array) -> Array:
    """Return unsigned integers that have the order of the values."""
    if values.dtype.kind == "u":
        return values
    sign = _sign(values.dtype)
    bits = values.view(sign.dtype)
    if values.dtype.kind == "i":
        return bits ^ sign
    # All bits of negative numbers are inverted, of others the first.
    negative = values.view(f"i{values.dtype.itemsize}") >> (8 * values.dtype.itemsize - 1)
    return bits ^ (negative.view(sign.dtype) | sign)


def _value(key: int, dtype: np.dtype[Any]) -> Any:
    """Return the value that has a key."""
    sign = _sign(dtype)
    bits = sign.dtype.type(key)
    if dtype.kind != "u":
        bits = bits ^ sign if dtype.kind == "i" or bits & sign else ~bits
    return bits.view(dtype.newbyteorder("="))
