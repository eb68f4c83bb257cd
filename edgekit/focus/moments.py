"""Means and variances of the values that focus measures are made of, computed part by part and merged.

May import `filters` and what is below it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.load_cv2 import cv2
from edgekit.operators.filter_spec import Nan


class Values(NamedTuple):
    """Values of pixels or of blocks of pixels; NaN where an invalid pixel affects them.

    Attributes
    ----------
    array : ndarray or Tensor
        (..., rows, columns).
    first : int
        Row and column of the pixel of the first value.
    step : int
        Distance of the pixels of neighbouring values.
    """

    array: Array
    first: int = 0
    step: int = 1

    def within(self, rows: slice, columns: slice) -> Array:
        """Return the values of the pixels in some rows and columns."""

        def inside(pixels: slice) -> slice:
            start, stop = (max(0, -(-(n - self.first) // self.step)) for n in (pixels.start, pixels.stop))
            return slice(start, stop)

        return self.array[..., inside(rows), inside(columns)]


class Map(NamedTuple):
    """A function of an image whose values are averaged.

    Attributes
    ----------
    compute : callable
        Takes planes (..., rows, columns) of floating type, NaN where invalid, and the option `nan` of the filters.
        Planes of NumPy can also have 8 bits. Their values are then integers, exact in single precision.
    halo : int
        Largest distance of a pixel that affects a value from the pixel of the value.
    """

    compute: Callable[[Array, Nan], Sequence[Values]]
    halo: int


class Moments(NamedTuple):
    """Number, mean and variance of values that are not NaN: numbers, or tensors with one for each image."""

    count: Any
    mean: Any
    variance: Any

    @property
    def mean_square(self) -> Any:
        """The mean of the squares."""
        return self.variance + self.mean**2


def moments(values: Array) -> Moments:
    """Return the moments of values (..., rows, columns) over the last two axes; for NumPy there must be no others."""
    if isinstance(values, np.ndarray):
        return _moments_of_array(values)
    xp = backend_of(values).xp
    if 0 in values.shape[-2:]:
        nothing = xp.sum(values, axis=(-2, -1)) + math.nan
        return Moments(nothing, nothing, nothing)
    unknown = xp.isnan(values)
    # Relative to one of the values, so that the variance of equal values is exactly 0.
    least = xp.amin(xp.where(unknown, math.inf, values), (-2, -1)).detach()
    rest = values - least[..., None, None]
    mean = xp.nanmean(rest, (-2, -1))
    variance = xp.nanmean(square(rest - mean[..., None, None]), (-2, -1))
    return Moments((~unknown).sum((-2, -1)), least + mean, variance)


def finite_moments(values: Array) -> Moments:
    """Return the moments of values (..., rows, columns) without NaN: in an exported graph, a mean and a variance."""
    mean = values.mean((-2, -1))
    rest = values - mean[..., None, None]
    return Moments(values.shape[-2] * values.shape[-1], mean, (rest * rest).mean((-2, -1)))


def _moments_of_array(values: Array) -> Moments:
    if not values.size:
        return Moments(0, math.nan, math.nan)
    # In single precision they are those of an image of 8 bits.
    if values.dtype in (np.uint8, np.float32) and (found := _moments_of_integers(values)):
        return found
    # As above.
    first = float(values.flat[0])
    rest = np.subtract(values, first, dtype=np.float64)
    offset = float(rest.mean())
    if math.isnan(offset):
        known = values[~np.isnan(values)]
        return _moments_of_array(known) if known.size < values.size else Moments(values.size, math.nan, math.nan)
    rest -= offset
    np.square(rest, out=rest)
    return Moments(values.size, first + offset, float(rest.mean()))


def _moments_of_integers(values: Array) -> Moments | None:
    """Return the moments of integers below 2^24, from their sum and that of their squares.

    None if one of them is NaN, or if the variance would lose digits.
    """
    sums = cv2.sumElems(values)[0], cv2.norm(values, cv2.NORM_L2SQR)
    if any(map(math.isnan, sums)):
        return None
    # OpenCV may compute the norm from its root: the last digit is rounded away. Sums up to 2^53 are exact.
    (total, squares), count = map(round, sums), values.size
    mean, variance = total / count, (count * squares - total * total) / count**2
    return Moments(count, mean, variance) if squares < 2**53 or variance > mean**2 / 2**16 else None


def merged(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all values, from those of disjoint parts."""
    parts = [part for part in parts if part.count]
    count = sum(part.count for part in parts)
    if not count:
        return Moments(0, math.nan, math.nan)
    first = parts[0].mean
    mean = first + sum(part.count * (part.mean - first) for part in parts) / count
    return Moments(count, mean, sum(part.count * (part.variance + (part.mean - mean) ** 2) for part in parts) / count)


def product(first: Array, second: Array) -> Array:
    """Return the products, NaN where a factor is NaN."""
    backend = backend_of(first)
    # Exported graphs are not made for training.
    if isinstance(first, np.ndarray) or backend.exporting():
        return first * second
    # The gradient of torch would be NaN elsewhere too.
    xp = backend.xp
    valid = ~(xp.isnan(first) | xp.isnan(second))
    return xp.where(valid, xp.where(valid, first, 0) * xp.where(valid, second, 0), math.nan)


def square(values: Array) -> Array:
    """Return the squares."""
    return product(values, values)


def in_floats(planes: Array) -> Array:
    """Return planes in which differences can be computed: of single precision in place of 8 bits of NumPy."""
    # torch.compile compares no type of a tensor with one of NumPy.
    return planes.astype(np.float32) if isinstance(planes, np.ndarray) and planes.dtype == np.uint8 else planes
