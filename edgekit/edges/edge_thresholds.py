"""The thresholds of Canny's detector: numbers, percentiles, or found from the image. May import `backends` and what is
below it.
"""

import math
from numbers import Real
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.choices import shown
from edgekit.edges.thinning import by_numpy_plane
from edgekit.errors import ParameterError

#: The low threshold as a part of the high one, if only one is given. Canny recommends a half to a third.
LOW = 0.4

#: The high threshold if none is given: this quantile of the local maxima, within these shares of the largest. Chosen on
#: training images of the Berkeley boundaries and on ten pictures of UDED. The least share is for images with few edges,
#: such as a test chart, in which most maxima are due to rounding.
AUTOMATIC, FEWEST, MOST = 0.92, 0.03, 0.25

#: The least low and high threshold if none is given, as multiples of the noise. White noise exceeds the second in one
#: pixel of 300,000.
NOISE, LEAST = 3.0, 5.0

#: The share of gradients that is due to noise alone, and their magnitude relative to the standard deviation.
QUANTILE = 0.2
RAYLEIGH = math.sqrt(-2 * math.log(1 - QUANTILE))

#: Values in the sample of an image from which a quantile is estimated before it is computed.
SAMPLE = 2**14

#: The response of OpenCV's 3x3 Sobel operator to a ramp of one gray level per pixel.
OPENCV = 8


def thresholds(low: Any, high: Any, magnitude: Array, thin: Array) -> tuple[Any, Any]:
    """Return both thresholds; one of each for every plane if they depend on the image.

    Parameters
    ----------
    low, high : float, str or None
        As for `edgekit.canny`.
    magnitude, thin : array
        The magnitude of the gradient, and its local maxima.
    """
    if low is None and high is None:
        backend, dtype = backend_of(magnitude), magnitude.dtype
        high = by_numpy_plane(_automatic, thin)
        noise = by_numpy_plane(_noise, magnitude)
        high = backend.xp.maximum(high, noise * LEAST)
        low = backend.xp.maximum(high * LOW, noise * NOISE)
        # Comparing arrays of two types takes four times as long.
        return backend.cast(low, dtype), backend.cast(high, dtype)
    strong: Any = None if high is None else _level(high, magnitude)
    weak: Any = strong * LOW if low is None else _level(low, magnitude)
    if strong is None:
        strong = weak / LOW
    if isinstance(low, str) != isinstance(high, str):
        # A number has precedence over a percentile: on a flat image every percentile is 0.
        strong = backend_of(magnitude).xp.where(weak > strong, weak, strong)
    return weak, strong


def _automatic(thin: Array) -> float:
    """Return the high threshold of a NumPy plane."""
    maxima = _finite(thin.ravel()[np.flatnonzero(thin > 0)])
    if not maxima.size:
        return 0.0
    largest = float(maxima.max())
    return min(max(quantile(maxima, AUTOMATIC), FEWEST * largest), MOST * largest)


def _noise(magnitude: Array) -> float:
    """Return the standard deviation of the components of the gradient that is due to noise."""
    return quantile(magnitude, QUANTILE) / RAYLEIGH


def _level(level: float | str, magnitude: Array) -> Any:
    """Return a threshold in the unit of the magnitude."""
    if not isinstance(level, str):
        if isinstance(level, bool) or not isinstance(level, Real):
            raise ParameterError(f"threshold {shown(level)} must be a number, or a percentile such as '95%'")
        return float(level)
    number = level.removesuffix("%")
    try:
        fraction = float(number) / 100
    except ValueError:
        fraction = math.nan
    if not level.endswith("%") or not 0 <= fraction <= 1:
        raise ParameterError(f"threshold {shown(level)} must be a number, or a percentile such as '95%'")
    return by_numpy_plane(lambda plane: quantile(plane, fraction), magnitude)


def quantile(values: Array, fraction: float) -> float:
    """Return a quantile of the finite values of a NumPy array, interpolated linearly; 0 if there are none.

    It is that of `numpy.quantile` except for rounding, in a small part of the time.
    """
    known = _finite(values)
    if not known.size:
        return 0.0
    position: float = fraction * (known.size - 1)
    place = int(position)
    near, below = _near(known, place)
    near = np.partition(near, place - below, axis=None)
    low = float(near[place - below])
    high = float(near[place - below + 1 :].min()) if place < position else low
    return low + (high - low) * (position - place)


def _near(values: Array, place: int) -> tuple[Array, int]:
    """Return the values around the one that has this place in their order, and how many are less than all of these.

    They lie between two values of a sample: the others need not be ordered.
    """
    step = values.size // SAMPLE
    if step < 2:
        return values, 0
    sample = np.sort(values.ravel()[::step])
    first, last = (place // step + side * math.isqrt(SAMPLE) * 2 for side in (-1, 1))
    low = sample[first] if first > 0 else -math.inf
    high = sample[last] if last < len(sample) else math.inf
    # In half the time of an index of bool.
    near = np.take(values, np.flatnonzero((values >= low) & (values <= high)))
    below = int(np.count_nonzero(values < low))
    # The next value is needed as well.
    found = below <= place and min(place + 1, values.size - 1) < below + near.size
    return (near, below) if found else (values, 0)


def _finite(values: Array) -> Array:
    """Return the finite values, or the array itself if all are finite."""
    known = np.isfinite(values)
    return values if known.all() else values[known]
