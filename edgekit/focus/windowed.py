"""Focus measures of an image that is read window by window: those that are functions of sums of the Laplacian.

May import `display` and what is below it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.opencv import fused
from edgekit.filters.apply import apply
from edgekit.focus.measures import MEASURES, planes_of

#: Names of the measures that can be computed window by window.
WINDOWED = tuple(name for name, measure in MEASURES.items() if measure.by_moments is not None)


class Sums(NamedTuple):
    """The sum of the Laplacian of a window, the sum of its squares, and the number of valid values."""

    total: float
    squares: float
    pixels: int


def laplacian_sums(image: NDArray[Any], rows: slice, columns: slice) -> Sums:
    """Return the sums of the Laplacian over a window, without values that are not finite; exact for 8 bits.

    Parameters
    ----------
    image : ndarray
        The window with a halo of one pixel, where the image does not end.
    rows, columns : slice
        The window without its halo.
    """
    if image.dtype == np.uint8 and image.ndim == 2:
        count = (rows.stop - rows.start) * (columns.stop - columns.start)
        return Sums(*fused.laplacian_sums(image, rows, columns), count)
    with np.errstate(all="ignore"):
        planes = planes_of(image)
        planes = np.where(np.isfinite(planes), planes, math.nan)
        response = np.asarray(apply(planes, "laplacian", {})[rows, columns], np.float64)
        response = response[~np.isnan(response)]
        return Sums(float(response.sum()), float(np.vdot(response, response)), response.size)


def from_sums(measures: Iterable[str], sums: Sequence[Sums]) -> tuple[float, ...]:
    """Return measures of an image from `laplacian_sums` of its windows; NaN where undefined.

    Parameters
    ----------
    measures : iterable of str
        Names in `WINDOWED`.
    sums : sequence of Sums
        Those of all windows.
    """
    with np.errstate(all="ignore"):
        # Exact sums, divided once. With a reflected border the sum of the Laplacian is nearly zero, so that the
        # difference of the two moments loses no digits.
        totals, squares, pixels = zip(*sums, strict=True)
        count = sum(pixels) or math.nan
        mean, square = _sum(totals) / count, _sum(squares) / count
        functions = (MEASURES[name].by_moments for name in measures)
        values = [float(function(mean, square)) for function in functions if function is not None]
    return tuple(v if math.isfinite(v) else math.nan for v in values)


def _sum(parts: Sequence[float]) -> float:
    return math.fsum(parts) if all(map(math.isfinite, parts)) else math.nan
