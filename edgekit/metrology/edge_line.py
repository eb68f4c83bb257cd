"""Finds the one edge of a region: its line, and the gray levels of pixels by their distance from it.

May import `common`. The edge is nearly vertical here: regions with a nearly horizontal one are transposed before.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.metrology.robust import robust_fit

Array = NDArray[Any]

#: Standard deviation of the Gaussian derivative along the rows, and half its size, in pixels.
SIGMA, HALF = 1.5, 5

#: Pixels that a row needs on both sides of the edge.
SIDE = 5.0

#: A second edge is one with this part of the slope of the first one, at this distance in pixels or more.
SECOND, APART = 0.2, 8.0


class EdgeLine(NamedTuple):
    """The position of an edge in each row: a polynomial of the row.

    Attributes
    ----------
    rows : slice
        The rows in which the edge is far enough from both sides of the region.
    coefficients : ndarray
        (4,), of the polynomial in v, which is -1 in the first of these rows and 1 in the last one; the lowest power
        first.
    """

    rows: slice
    coefficients: Array

    @property
    def size(self) -> int:
        """The number of rows."""
        return int(self.rows.stop - self.rows.start)

    def v(self) -> Array:
        """Return the coordinate along the edge of each row, from -1 to 1."""
        return np.linspace(-1, 1, self.size)

    def columns(self) -> Array:
        """Return the position of the edge in each row."""
        return np.polynomial.polynomial.polyval(self.v(), self.coefficients)

    def slopes(self) -> Array:
        """Return by how many columns the edge moves from row to row, in each row."""
        derivative = np.polynomial.polynomial.polyder(self.coefficients)
        values: Array = np.polynomial.polynomial.polyval(self.v(), derivative) * 2 / max(1, self.size - 1)
        return values

    def slope(self) -> float:
        """Return by how many columns the edge moves from row to row, in the middle."""
        return float(self.coefficients[1] * 2 / max(1, self.size - 1))

    def distances(self, width: int) -> Array:
        """Return the signed distance of each pixel from the edge along its normal, (rows, width)."""
        normal = 1 / np.hypot(1, self.slopes())
        far: Array = (np.arange(width) - self.columns()[:, None]) * normal[:, None]
        return far


def find_line(levels: Array) -> EdgeLine | None:
    """Return the line of the strongest edge of a region; None if there is none."""
    slopes = _slopes(levels)
    if slopes is None:
        return None
    height, width = levels.shape
    steepest = np.abs(slopes).argmax(axis=1)
    sign = np.sign(np.sum(np.sign(np.take_along_axis(slopes, steepest[:, None], 1))))
    rising = np.maximum(slopes * (sign or 1), 0)
    steepest = rising.argmax(axis=1)
    known = np.flatnonzero(rising[np.arange(height), steepest] > 0)
    if len(known) < 3:
        return None
    middle = (height - 1) / 2

    def distances(lines: Array, points: Array) -> Array:
        far: Array = points[:, 1] - lines[:, :1] - lines[:, 1:] * points[:, 0]
        return far

    def through(sets: Array) -> Array:
        first, second = sets[:, 0], sets[:, 1]
        tilt = (second[:, 1] - first[:, 1]) / (second[:, 0] - first[:, 0])
        return np.stack((first[:, 1] - tilt * first[:, 0], tilt), axis=1)

    places = _centres(rising, known, steepest[known])
    found = robust_fit(np.stack((known - middle, places), axis=1), distances, through, 2)
    if found is None:
        return None
    at, tilt = found.parameters
    columns = at + tilt * (np.arange(height) - middle)
    inside = np.flatnonzero((columns >= SIDE) & (columns <= width - 1 - SIDE))
    if not len(inside):
        return None
    rows = slice(int(inside[0]), int(inside[-1]) + 1)
    centre = (rows.start + rows.stop - 1) / 2
    return EdgeLine(rows, np.array((at + tilt * (centre - middle), tilt * (rows.stop - rows.start - 1) / 2, 0, 0)))


def _slopes(levels: Array) -> Array | None:
    """Return the derivative along the rows; None if the region is too narrow or has the same level everywhere."""
    if levels.shape[1] <= 2 * HALF + 2 or not np.ptp(levels) > 0:
        return None
    slopes: Array = cv2.filter2D(levels, cv2.CV_64F, _kernel()[None], borderType=cv2.BORDER_REPLICATE)
    return slopes


def _kernel() -> Array:
    """Return the kernel of a Gaussian derivative, which is 1 on a ramp of one level per pixel."""
    steps = np.arange(-HALF, HALF + 1)
    kernel = steps * np.exp(-(steps**2) / (2 * SIGMA**2))
    result: Array = kernel / np.sum(kernel * steps)
    return result


def _centres(rising: Array, rows: Array, columns: Array) -> Array:
    """Return the columns of maxima to a fraction of a pixel, by a parabola."""
    inner = columns.clip(1, rising.shape[1] - 2)
    before, here, after = (rising[rows, inner + k] for k in (-1, 0, 1))
    bend = 2 * here - before - after
    moved = np.where(bend > 0, (after - before) / (2 * np.where(bend > 0, bend, 1)), 0)
    result: Array = columns + np.where(inner == columns, moved, 0).clip(-0.5, 0.5)
    return result


def has_second_edge(levels: Array, line: EdgeLine, noise: float) -> bool:
    """Tell whether a region has a second edge, parallel to the first one."""
    far = line.distances(levels.shape[1])
    least, most = math.ceil(far.min()), math.floor(far.max())
    bins = np.rint(far).astype(int).ravel() - least
    chosen = (bins >= 0) & (bins <= most - least)
    counts = np.bincount(bins[chosen], minlength=most - least + 1)
    sums = np.bincount(bins[chosen], levels[line.rows].ravel()[chosen], minlength=most - least + 1)
    # Bins at the ends of a slanted strip contain pixels of few rows.
    full = counts >= 0.5 * np.median(counts)
    first, last = int(full.argmax()), len(full) - int(full[::-1].argmax())
    profile = (sums / np.maximum(counts, 1))[first:last]
    slopes = _slopes(profile[None]) if len(profile) else None
    if slopes is None:
        return False
    size, at = np.abs(slopes[0]), np.arange(least, most + 1)[first:last]
    main = float(size[np.abs(at) <= 2].max(initial=0))
    # The noise of the slope of a mean profile.
    clear = 5 * noise / math.sqrt(max(1.0, float(np.median(counts)))) * _slope_of_noise()
    # The profile ends HALF pixels before the ends of the region: the kernel would cover pixels beyond.
    inner = slice(HALF, -HALF)
    sides = size[inner][at[inner] >= 0], size[inner][at[inner] <= 0][::-1]
    return any(_rises_again(side, max(SECOND * main, clear)) for side in sides)


def _rises_again(slopes: Array, least: float) -> bool:
    """Tell whether slopes from the edge outward fall, and rise again to a value of at least `least`."""
    lowest = np.minimum.accumulate(slopes)
    again = (slopes > least) & (slopes > 2 * lowest)
    return bool(again[math.ceil(APART) :].any())


def _slope_of_noise() -> float:
    """Return the standard deviation of `_slopes` in white noise of 1."""
    return float(np.sqrt(np.sum(_kernel() ** 2)))
