"""A caliper: the distance of two edges along a line. May import `filters` and what is below it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.backends.interface import Array
from edgekit.common.choices import real_number, shown
from edgekit.common.types import ChannelAxis
from edgekit.errors import ParameterError
from edgekit.filters.inputs import check_image
from edgekit.metrology.planes import luminance_plane

#: Standard deviation of the Gaussian derivative that finds the edges of a profile, in pixels.
SIGMA = 1.0

#: A third edge with more than this part of the contrast of the second one makes the answer ambiguous.
THIRD = 0.5

#: Least contrast of an edge in standard errors of the mean of a row of the strip.
LEAST = 6.0

#: Least length of the line in pixels.
SHORTEST = 6.0


@dataclass(frozen=True)
class EdgeDistance:
    """The distance of two edges along a line from p to q.

    Attributes
    ----------
    distance : float
        In pixels, along the line.
    error : float
        Its standard error, for white noise.
    first, second : (float, float)
        x and y where the line crosses the edges.
    widths : (float, float)
        Standard deviation of the blur of each edge along the line, in pixels, with that of the pixel.
    contrasts : (float, float)
        Gray levels after each edge minus those before it.
    slants : (float, float)
        The direction of each edge's normal minus that of the line, in degrees. The shortest distance of two parallel
        edges is `distance` times the cosine of this angle. NaN if the strip is only one pixel thick: the edges are then
        taken as perpendicular to the line.
    """

    distance: float
    error: float
    first: tuple[float, float]
    second: tuple[float, float]
    widths: tuple[float, float]
    contrasts: tuple[float, float]
    slants: tuple[float, float]


def edge_distance(
    image: Any,
    p: tuple[float, float],
    q: tuple[float, float],
    *,
    thickness: float = 5.0,
    channel_axis: ChannelAxis = "auto",
) -> EdgeDistance:
    """Measure the distance of two edges along a line, to a fraction of a pixel.

    Parameters
    ----------
    image : ndarray or Tensor
        NumPy: (H, W) or (H, W, C), colour in RGB order. torch: (H, W) or (C, H, W). Colours are converted to
        luminance.
    p, q : (float, float)
        x and y of the ends of the line, on both sides of the two edges.
    thickness : float
        The pixels within half of this distance from the line are used, in pixels.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    EdgeDistance
        The distance with its standard error, and both edges.

    Raises
    ------
    ParameterError
        If the line does not cross exactly two edges, is not within the image or has no valid pixels, or an option has
        an invalid value.
    ShapeError, DtypeError
        If the array is not one image.

    Notes
    -----
    Two Gaussian-blurred edges, each with its position, slant, width and contrast, are fitted to the pixels of the strip
    by least squares. Edges that are so near that their blurs overlap do not move each other.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> x = np.tile(np.arange(60.0), (20, 1))
    >>> bar = 100 * (np.tanh(x - 20.25) - np.tanh(x - 33.75))
    >>> round(ek.edge_distance(bar, (10, 10), (45, 10)).distance, 2)
    13.5
    """
    pixels, _ = check_image(image, channel_axis)
    plane = luminance_plane(pixels)
    real_number("thickness", thickness, expected := "a number of pixels, at least 1")
    if thickness < 1:
        raise ParameterError(f"thickness={shown(thickness)} must be {expected}")
    start, end = (_place(name, place, plane.shape) for name, place in (("p", p), ("q", q)))
    length = float(np.hypot(*(end - start)))
    if length < SHORTEST:
        raise ParameterError(f"the line from p={shown(p)} to q={shown(q)} must be at least {SHORTEST:g} pixels long")
    along = (end - start) / length
    levels, u, v = _strip(plane, start, along, length, thickness)
    if not levels.size:
        raise ParameterError(f"the line from p={shown(p)} to q={shown(q)} has no valid pixels")
    size = float(np.abs(levels).max()) or 1.0
    guess = _two_edges(levels / size, u, length)
    # One row of pixels does not determine a slant.
    slanted = float(np.ptp(v)) >= 1
    fitted, errors = _fitted(levels / size, u, v if slanted else np.zeros_like(v), guess)
    first, second = sorted((fitted[0], fitted[1]), key=lambda edge: edge[0])
    if not 0 <= first[0] <= second[0] <= length:
        raise ParameterError(
            f"no two edges fit the pixels along the line from p={shown(p)} to q={shown(q)}; move p and q, or choose a "
            "larger thickness"
        )
    places = [tuple(map(float, start + edge[0] * along)) for edge in (first, second)]
    return EdgeDistance(
        float(second[0] - first[0]), errors, (places[0][0], places[0][1]), (places[1][0], places[1][1]),
        (math.exp(first[2]), math.exp(second[2])), (size * float(first[3]), size * float(second[3])),
        (_slant(first) if slanted else math.nan, _slant(second) if slanted else math.nan),
    )  # fmt: skip


def _slant(edge: Array) -> float:
    return -math.degrees(math.atan(edge[1]))


def _place(name: str, place: Any, shape: tuple[int, ...]) -> Array:
    """Return a place in the image as an array; raise if it is none."""
    try:
        x, y = (real_number(name, n) for n in place)
    except (TypeError, ValueError):
        raise ParameterError(f"{name}={shown(place)} must be two numbers, x and y") from None
    if not (0 <= x <= shape[1] - 1 and 0 <= y <= shape[0] - 1):
        raise ParameterError(f"{name}={shown(place)} must be within the image of {shape[1]}x{shape[0]} pixels")
    return np.array((x, y))


def _strip(plane: Array, start: Array, along: Array, length: float, thickness: float) -> tuple[Array, Array, Array]:
    """Return gray levels near the line, and their coordinates along and across it."""
    end, half = start + length * along, thickness / 2 + 1
    (left, top), (right, bottom) = np.minimum(start, end) - half, np.maximum(start, end) + half
    rows = np.arange(max(0, math.floor(top)), min(plane.shape[0], math.ceil(bottom) + 1))
    columns = np.arange(max(0, math.floor(left)), min(plane.shape[1], math.ceil(right) + 1))
    x, y = columns[None] - start[0], rows[:, None] - start[1]
    u, v = x * along[0] + y * along[1], y * along[0] - x * along[1]
    levels = plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)
    chosen = (u >= 0) & (u <= length) & (np.abs(v) <= thickness / 2) & np.isfinite(levels)
    return levels[chosen], u[chosen], v[chosen]


def _two_edges(levels: Array, u: Array, length: float) -> list[Array]:
    """Return first guesses of position, slant, logarithm of the width, and contrast of both edges."""
    at = np.arange(0.0, length + 0.5, 0.5)
    weights = np.exp(-((at[:, None] - u) ** 2) / (2 * SIGMA**2))
    total, moment = weights.sum(1), weights @ u
    # The slope of a weighted straight line around each position.
    spread = weights @ u**2 - moment**2 / np.maximum(total, 1e-12)
    slopes = (weights @ (u * levels) - moment * (weights @ levels) / np.maximum(total, 1e-12)) / np.maximum(
        spread, 1e-12
    )
    size = np.abs(np.where((total > 1) & (spread > 0), slopes, 0))
    peaks = np.flatnonzero((size >= np.append(0, size[:-1])) & (size > np.append(size[1:], 0)))
    peaks = peaks[np.argsort(-size[peaks], kind="stable")]
    # White noise of the pixels, from the differences to their neighbours along the line.
    order = np.argsort(u, kind="stable")
    noise = float(np.median(np.abs(np.diff(levels[order], 2)))) / 0.6745 / 6**0.5
    clear = LEAST * noise / np.sqrt(np.maximum(np.median(spread), 1e-12))
    peaks = peaks[size[peaks] > max(clear, 1e-9 * float(np.ptp(levels)))] if np.ptp(levels) > 0 else peaks[:0]
    found = int(len(peaks) >= 1) if len(peaks) < 2 else 2 + int((size[peaks[2:]] > THIRD * size[peaks[1]]).sum())
    if found != 2:
        raise ParameterError(
            f"the line must cross two edges; found {found or 'none'}. Move p and q so that two clear edges lie between"
        )
    width = math.log(SIGMA)
    return [np.array((at[n], 0.0, width, slopes[n] * SIGMA * math.sqrt(4 * math.pi))) for n in sorted(peaks[:2])]


def _fitted(levels: Array, u: Array, v: Array, guess: list[Array]) -> tuple[tuple[Array, Array], float]:
    """Return position, slant, logarithm of the width and contrast of both edges, and the error of the distance."""
    from scipy.optimize import least_squares
    from scipy.special import ndtr

    def residuals(parameters: Array) -> Array:
        total = parameters[8] - levels
        for at in (0, 4):
            place, slant, width, contrast = parameters[at : at + 4]
            total = total + contrast * ndtr((u - place - slant * v) / np.exp(np.clip(width, -4, 6)))
        return total

    start = np.concatenate((*guess, [np.mean(levels[u <= np.quantile(u, 0.1)])]))
    found = least_squares(residuals, start, x_scale="jac", method="trf", max_nfev=200)
    free = max(1, len(levels) - len(start))
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * (found.fun @ found.fun / free)
    error = math.sqrt(max(0.0, covariance[0, 0] + covariance[4, 4] - 2 * covariance[0, 4]))
    return (found.x[:4], found.x[4:8]), error
