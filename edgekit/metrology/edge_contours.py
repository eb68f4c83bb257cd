"""Contours: edges placed between pixels, linked, with the width of each and a standard error.

May import `focus` and what is below it. The edges are those of `edgekit.canny`; `edgekit.edges.localization` places
them. A Gaussian moves curved edges inward, which is corrected here.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.choices import real_number, shown
from edgekit.common.types import ChannelAxis
from edgekit.edges.canny_edges import find_edges
from edgekit.edges.localization import Located, locate
from edgekit.errors import ParameterError
from edgekit.filters.inputs import check_image
from edgekit.focus.planes import mask_of
from edgekit.metrology.curvature import Joined, curvature, join
from edgekit.metrology.linking import Chain, link
from edgekit.metrology.noise import noise_of
from edgekit.metrology.planes import numpy_image, single_plane

#: Edges are not placed nearer to the border than this multiple of sigma: their kernels would cover pixels beyond.
MARGIN = 3.0

#: Largest curvature that is corrected, times the standard deviation of the strength across the edge. Corners have more.
MOST_CURVED = 0.5

#: The error of an edge without noise, in pixels: the root mean square over blurs of 0.35 to 2 pixels.
SYSTEMATIC = 5e-4


@dataclass(frozen=True, eq=False)
class Contour:
    """A contour: the points of one edge in order. The brighter side is to the right of the direction of the points.

    Attributes
    ----------
    points : ndarray or Tensor
        (N, 2), x and y in pixels; the centre of the upper left pixel is (0, 0). The first point of a closed contour
        is not repeated at its end.
    strength : ndarray or Tensor
        (N,), the gradient magnitude in gray levels per pixel, at the Gaussian scale `sigma`.
    direction : ndarray or Tensor
        (N,), degrees of the gradient, clockwise from +x, in [0, 360).
    width : ndarray or Tensor
        (N,), the standard deviation of the blur across the edge in pixels, with that of the pixel itself, without that
        of `sigma`; infinite where the strength has no maximum.
    error : ndarray or Tensor
        (N,), the standard error of the position across the edge in pixels, for white noise.
    closed : bool
        Whether the last point is connected to the first one.
    junctions : (bool, bool)
        Whether the first and the last point are junctions, where contours meet.
    """

    points: Any
    strength: Any
    direction: Any
    width: Any
    error: Any
    closed: bool
    junctions: tuple[bool, bool]

    @property
    def length(self) -> float:
        """The length in pixels."""
        points = backend_of(self.points).to_numpy(self.points)
        steps = np.diff(points, axis=0, append=points[:1] if self.closed else points[-1:])
        return float(np.hypot(*steps.T).sum())

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        kind = "closed" if self.closed else "open"
        return f"<Contour of {len(self)} points, {self.length:.1f} pixels, {kind}>"


@np.errstate(all="ignore")
def contours(
    image: Any,
    *,
    sigma: float = 1.4,
    low: float | str | None = None,
    high: float | str | None = None,
    min_length: float = 5.0,
    noise: float | None = None,
    mask: Any = None,
    channel_axis: ChannelAxis = "auto",
) -> list[Contour]:
    """Find edges with subpixel accuracy, and link them into contours.

    Parameters
    ----------
    image : ndarray or Tensor
        NumPy: (H, W) or (H, W, C), colour in RGB order. torch: (H, W) or (C, H, W). Colours are converted to
        luminance.
    sigma : float
        Standard deviation of the Gaussian in pixels, at least 1.
    low, high : float or str, optional
        Lower and upper hysteresis threshold, as for `edgekit.canny`.
    min_length : float
        Shorter contours are left out, in pixels.
    noise : float, optional
        Standard deviation of the noise of a pixel in gray levels, for the standard errors. Default: it is estimated
        from the image.
    mask : array of bool, optional
        (H, W), True where the image is valid.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    list of Contour
        The longest first, with NumPy arrays or tensors as the image is. No point is nearer than 3 sigma to the border
        of the image, since it would depend on pixels beyond; none depends on an invalid pixel.

    Raises
    ------
    ParameterError
        If an option has an invalid value.
    ShapeError, DtypeError
        If the array is not one image.

    Notes
    -----
    The logarithm of the gradient across a Gaussian edge is a parabola. A parabola through three samples on the line of
    the gradient has its maximum on the edge, also for blurs that are as wide as those of lenses.

    The maximum of a curved edge with a standard deviation T across it (blur and `sigma`) is nearer to the centre of
    curvature than the edge: on a disc of radius R it has the radius r with R = r + T²/(2r) − 3T⁴/(8r²R). The points
    are moved outward by this amount, with the curvature of the contour around each point.

    References
    ----------
    Canny, A computational approach to edge detection, 1986, 10.1109/TPAMI.1986.4767851; Mendonça, Padfield, Miller and
    Turek, Bias in the localization of curved edges, ECCV 2004.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> y, x = np.mgrid[:64, :64]
    >>> image = 200 / (1 + np.exp(4 * (np.hypot(x - 31.3, y - 30.8) - 20)))
    >>> (rim,) = ek.contours(image)
    >>> rim.closed, round(ek.fit_circle(rim).radius, 2)
    (True, 20.0)
    """
    real_number("sigma", sigma, expected := "a number of pixels, at least 1")
    if sigma < 1:
        raise ParameterError(f"sigma={shown(sigma)} must be {expected}")
    real_number("min_length", min_length, "a number of pixels")
    if noise is not None and real_number("noise", noise, "a number of gray levels, at least 0") < 0:
        raise ParameterError(f"noise={shown(noise)} must be a number of gray levels, at least 0")
    pixels, order = check_image(image, channel_axis)
    options = {"border": "reflect", "channel": "luminance", "tone": "linear", "mask": order.apply_to_mask(mask)}
    gx, gy, strength, edges = map(single_plane, find_edges(pixels, sigma, low, high, True, "unit", options))
    edges = _without_border(edges, math.ceil(MARGIN * sigma))
    rows, columns = np.nonzero(edges)
    across = np.stack((gx[rows, columns], gy[rows, columns]), axis=1).astype(float)
    across /= np.hypot(*across.T)[:, None]
    found = locate(np.nan_to_num(strength), rows, columns, *across.T)
    points = np.stack((columns, rows), axis=1) + found.offset[:, None] * across
    chains, meeting = link(edges)
    joined = _chosen(chains, points, across, min_length)
    if noise is None:
        valid = mask_of(options["mask"], pixels)
        noise = noise_of(numpy_image(pixels), None if valid is None else backend_of(pixels).to_numpy(valid))
    found = Located(*(values[joined.nodes].astype(float) for values in found))
    points, across, meeting = points[joined.nodes], across[joined.nodes], meeting[joined.nodes]
    shift, variance = _inward(curvature(points, joined), found)
    kind, device = backend_of(pixels), getattr(pixels, "device", None)
    values = (
        points - shift[:, None] * across,
        found.strength,
        np.rad2deg(np.arctan2(across[:, 1], across[:, 0])) % 360,
        np.sqrt(np.maximum(variance - sigma**2, 0)),
        np.hypot(position_error(found, sigma, noise), SYSTEMATIC),
    )
    places, *others = (kind.from_numpy(column, device) for column in values)

    def contour(start: int, stop: int, closed: bool) -> Contour:
        strength, direction, width, error = (column[start:stop] for column in others)
        ends = bool(meeting[start]), bool(meeting[stop - 1])
        return Contour(places[start:stop], strength, direction, width, error, bool(closed), ends)

    return list(map(contour, joined.starts[:-1], joined.starts[1:], joined.closed))


def _chosen(chains: list[Chain], points: Array, across: Array, min_length: float) -> Joined:
    """Return the chains that are long enough, the longest first, with the brighter side on the right."""
    joined = join(chains)
    steps = joined.steps(points[joined.nodes])
    gradient = across[joined.nodes]
    right = joined.sums(steps[:, 0] * gradient[:, 1] - steps[:, 1] * gradient[:, 0]) >= 0
    lengths = joined.sums(np.hypot(*steps.T))
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] >= min_length]
    return joined.chosen(order, ~right[order])


def _inward(curved: Array, found: Located) -> tuple[Array, Array]:
    """Return how far a Gaussian moved each point towards the centre of its curvature, and its corrected variance.

    The logarithm of the gradient of a disc of radius R, blurred by a Gaussian of variance T², is at the radius r
    nearly −(r − R)² / 2T² − log(r) / 2 − 3T² / 8rR. The place where it has equal values a step outward and inward is
    that of `locate`.
    """
    step, limit = found.step, MOST_CURVED / np.sqrt(found.variance)
    curved = curved.clip(-limit, limit)
    bent = (step * curved) ** 2
    variance = 1 / (1 / found.variance - np.log1p(-bent) / (2 * step**2))
    moved = variance * np.arctanh(step * curved) / (2 * step) - 3 / 8 * variance**2 * curved**3 / (1 - bent)
    return np.where(np.isfinite(variance), moved, 0), variance


def _without_border(edges: Array, margin: int) -> Array:
    kept = np.zeros_like(edges)
    inner = (slice(margin, -margin),) * 2
    kept[inner] = edges[inner]
    return kept


def position_error(found: Located, sigma: float, noise: float) -> Array:
    """Return the standard error of positions across the edge that white noise of an image causes.

    The parabola has its maximum where the logarithms of the samples at both sides, a step away, are equal. The noise
    of a Gaussian derivative has the variance noise² / (8π sigma⁴), and the correlation `alike` between both samples.
    """
    variance, step = found.variance, found.step
    apart = (step / sigma) ** 2
    alike = (1 - 2 * apart) * np.exp(-apart)
    side = found.strength * np.exp(-step * step / (2 * variance))
    relative = noise / (math.sqrt(8 * math.pi) * sigma**2) / side
    result: Array = variance / (2 * step) * np.sqrt(2 * (1 - alike)) * relative
    return result
