"""Finds the slanted edges of a chart. May import `edges` and what is below it."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from edgekit.backends.interface import Array
from edgekit.common.choices import real_number, shown
from edgekit.common.load_cv2 import cv2
from edgekit.common.types import ChannelAxis
from edgekit.errors import ParameterError
from edgekit.filters.inputs import check_image
from edgekit.metrology.edge_contours import contours
from edgekit.metrology.mtf_result import Region
from edgekit.metrology.planes import luminance_plane

#: A contour is straight between two points if it stays within `STRAIGHT` pixels of the line between them, or within
#: `BENT` times the extent of the contour: lens distortion bends edges.
STRAIGHT, BENT = 1.5, 0.015

#: Distance of a region from the ends of its edge, in pixels: corners change the edge spread function.
FROM_ENDS = 8.0

#: Distances from the edge to the sides of a region, in pixels: the first that keeps other edges out is used.
SIDES = (32, 24, 18, 14, 10)

#: An edge must move sideways by this number of pixels: only then do all fractions of a pixel occur.
LEAST_SHIFT = 1.2

#: Largest angle between an edge and the nearest axis in degrees.
STEEPEST = 40.0


def find_edges(
    image: Any,
    *,
    min_length: float = 40.0,
    sigma: float = 1.4,
    low: float | str | None = None,
    high: float | str | None = None,
    channel_axis: ChannelAxis = "auto",
) -> list[Region]:
    """Find regions with one straight slanted edge, such as those of a test chart.

    Parameters
    ----------
    image : ndarray or Tensor
        NumPy: (H, W) or (H, W, C), colour in RGB order. torch: (H, W) or (C, H, W).
    min_length : float
        Least length of an edge in pixels, without its ends.
    sigma, low, high : float or str, optional
        As for `edgekit.contours`.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    list of Region
        x, y, width and height of each region, from the top to the bottom, for `edgekit.mtf`. Each contains one edge, 1
        to 40 degrees from the rows or columns, without its ends, and no other edge.

    Raises
    ------
    ParameterError
        If an option has an invalid value.
    ShapeError, DtypeError
        If the array is not one image.

    Examples
    --------
    >>> import numpy as np, cv2, edgekit as ek
    >>> chart = np.full((200, 200), 200, np.uint8)
    >>> chart = cv2.fillPoly(chart, [np.int32([(50, 60), (140, 50), (150, 140), (60, 150)])], 40)
    >>> regions = ek.find_edges(chart)
    >>> len(regions), regions[0]
    (4, Region(x=58, y=18, width=74, height=74))
    """
    real_number("min_length", min_length, expected := "a number of pixels, at least 20")
    if min_length < 20:
        raise ParameterError(f"min_length={shown(min_length)} must be {expected}")
    pixels, _ = check_image(image, channel_axis)
    plane = luminance_plane(pixels)
    found = contours(plane, sigma=sigma, low=low, high=high, noise=0.0)
    parts = [part for contour in found for part in _straight_parts(contour.points, contour.closed)]
    counts = _counts([contour.points for contour in found], plane.shape)
    regions = [_region(part, plane.shape, counts, min_length) for part in parts]
    return sorted({region for region in regions if region is not None}, key=lambda region: (region.y, region.x))


def _straight_parts(points: Array, closed: bool) -> list[Array]:
    """Return the straight parts of a contour."""
    size = float(np.ptp(points, axis=0).max())
    tolerance = max(STRAIGHT, BENT * size)
    corners = cv2.approxPolyDP(points.astype(np.float32)[:, None], tolerance, closed)[:, 0]
    at = np.sort([int(np.argmin(np.sum((points - corner) ** 2, axis=1))) for corner in corners])
    parts = [points[a : b + 1] for a, b in pairwise(at)]
    if closed and len(at) > 1:
        parts.append(np.concatenate((points[at[-1] :], points[: at[0] + 1])))
    return parts


def _counts(chains: list[Array], shape: tuple[int, ...]) -> Array:
    """Return the sums of the numbers of points over the rows above and the columns on the left of each pixel."""
    places = np.concatenate(chains) if chains else np.zeros((0, 2))
    columns, rows = np.rint(places).astype(int).T
    counts = np.zeros(shape, np.int32)
    np.add.at(counts, (rows, columns), 1)
    return np.pad(counts.cumsum(0).cumsum(1), ((1, 0), (1, 0)))


def _region(points: Array, shape: tuple[int, ...], counts: Array, min_length: float) -> Region | None:
    """Return the region around the middle of a straight part of a contour; None if it is not suitable."""
    start, end = points[0], points[-1]
    chord = end - start
    length = float(np.hypot(*chord))
    if length < min_length + 2 * FROM_ENDS:
        return None
    across, along = np.argsort(np.abs(chord))
    tilt = abs(chord[across] / chord[along])
    if math.degrees(math.atan(tilt)) > STEEPEST or tilt * (length - 2 * FROM_ENDS) < LEAST_SHIFT:
        return None
    inset = FROM_ENDS * abs(chord[along]) / length
    first, last = min(start[along], end[along]) + inset, max(start[along], end[along]) - inset
    inner = (points[:, along] >= first) & (points[:, along] <= last)
    if inner.sum() < min_length / 2:
        return None
    low, high = points[inner, across].min(), points[inner, across].max()
    for side in SIDES:
        box = np.zeros((2, 2), int)
        box[along] = math.ceil(first), math.floor(last) + 1
        box[across] = max(0, math.floor(low - side)), min(shape[1 - across], math.ceil(high + side) + 1)
        (left, right), (top, bottom) = box
        within = counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
        if within <= inner.sum() + 2 and box[across, 0] < low - SIDES[-1] + 1 and box[across, 1] > high + SIDES[-1]:
            return Region(int(left), int(top), int(right - left), int(bottom - top))
    return None
