"""The slanted-edge MTF of regions of an image. May import `focus` and what is below it.

Reference for terms: ISO 12233:2023, e-SFR. `edgekit.metrology.edge_spread` describes how the edge spread function is
fitted; here regions are read and checked.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeGuard

import numpy as np

from edgekit.backends.interface import Array
from edgekit.common.choices import check_choice, number_range, shown
from edgekit.common.load_cv2 import cv2
from edgekit.common.types import ChannelAxis
from edgekit.edges.working_size import filled_from_nearest
from edgekit.errors import ParameterError, ShapeError
from edgekit.filters.inputs import check_image
from edgekit.filters.luminance import luminance
from edgekit.focus.edge_widths import checked_region
from edgekit.focus.planes import scaling
from edgekit.metrology.edge_line import SIDE, EdgeLine, find_line, has_second_edge
from edgekit.metrology.edge_spread import EdgeSpread, fit_edge_spread
from edgekit.metrology.mtf_result import Mtf, Region, measured, no_measurement
from edgekit.metrology.noise import noise_of, noise_of_regions
from edgekit.metrology.planes import numpy_image
from edgekit.metrology.transfer import Gamma, check_gamma, to_light

#: The channels that can be measured.
MTF_CHANNELS = ("luminance", "red", "green", "blue")

#: Least number of rows (or columns) that an edge crosses.
LEAST_ROWS = 20

#: Largest distance between the nearest distances from the edge that occur, in pixels: the MTF needs samples that close.
WIDEST_GAP = 0.5

#: An edge is clipped if this part of the pixels of one side are at the end of the range. Fewer give a warning.
MOST_CLIPPED, FEW_CLIPPED = 0.1, 0.001

#: The levels of a side are those of pixels at this distance from the edge or more.
PLATEAU = 3.0

#: Least contrast of an edge as a multiple of the noise, and largest relative standard error of MTF50.
LEAST_CONTRAST, MOST_ERROR = 1.5, 0.1

#: Residuals above these multiples of the noise and of the contrast are no noise: the region has more than one edge.
MOST_RESIDUAL, MOST_OF_CONTRAST = 3.0, 0.03

#: Limits of warnings: contrast over noise, contrast of Michelson, and maximum of the MTF.
NOISY, LOW_CONTRAST, SHARPENED = 20.0, 0.2, 1.1

#: The wording of each status.
REASONS = {
    "no edge": "the region has no edge across it that stands out from the noise",
    "two edges": "the region has more than one edge, or an edge with a corner; choose a smaller region",
    "clipped": "one side of the edge is at the end of the range of values; change the exposure",
    "too short": f"the edge must cross at least {LEAST_ROWS} rows or columns, with {SIDE:g} pixels on both sides",
    "too steep": "the edge is so near to a diagonal that too few distances from it occur; turn the chart",
    "not slanted": "the edge is parallel to the rows or columns; turn the chart by about 5 degrees",
    "too noisy": f"the standard error of MTF50 is more than {MOST_ERROR:.0%}; use a longer edge, or less noise",
}


class _Part(NamedTuple):
    """A region: linear light of one channel, and which pixels are at the end of the range."""

    levels: Array
    ends: Array


def mtf(
    image: Any,
    roi: Sequence[int] | Sequence[Sequence[int]] | None = None,
    *,
    gamma: Gamma = None,
    channel: Literal["luminance", "red", "green", "blue"] = "luminance",
    limits: tuple[float, float] | None = None,
    channel_axis: ChannelAxis = "auto",
) -> Any:
    """Measure the modulation transfer function across a slanted edge.

    Parameters
    ----------
    image : ndarray or Tensor
        NumPy: (H, W) or (H, W, C), colour in RGB order. torch: (H, W) or (C, H, W).
    roi : sequence of int, or of several such sequences, optional
        x, y, width and height of a region with one straight edge, 3 to 40 degrees from the rows or columns, such as
        those of `edgekit.find_edges`. Default: the whole image.
    gamma : float, ndarray, "srgb" or None
        How values become linear light: None: they are linear. A number: by this power. ``srgb``: by the curve of sRGB.
        An array (N,): the light from 0 to 1 of equally spaced values from black to white.
    channel : {"luminance", "red", "green", "blue"}
        The channel of a colour image. Luminance is computed in linear light.
    limits : (float, float), optional
        The values of black and white, for `gamma` and to find clipped pixels. Default: the range of an integer type; 0
        and 1 for floats, which are then not checked for clipped pixels.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    Mtf, or list of Mtf
        For several regions a list. If a region cannot be measured, the status says why, and the numbers are NaN.

    Raises
    ------
    ParameterError
        If the region is not within the image, or an option has an invalid value.
    ShapeError, DtypeError
        If the array is not one image, or has no such channel.

    Notes
    -----
    Frequencies are along the normal of the edge. The MTF is that of lens, sensor and processing together, including the
    pixels' own area. No correction for a derivative or a window is needed, because none is used: the edge spread
    function is fitted to the pixels by functions with known transforms.

    References
    ----------
    ISO 12233:2023, Photography, Electronic still picture imaging, Resolution and spatial frequency responses.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> y, x = np.mgrid[:80, :60]
    >>> image = 50 + 100 / (1 + np.exp(-2 * ((x - 29.5) + np.tan(np.deg2rad(5)) * (y - 39.5))))
    >>> found = ek.mtf(image)
    >>> found.status, round(found.mtf50, 2), round(found.angle, 1)
    ('ok', 0.22, 5.0)
    """
    check_choice("channel", channel, MTF_CHANNELS)
    check_gamma(gamma)
    if limits is not None and (limits := number_range("limits", limits))[0] == limits[1]:
        raise ParameterError(f"limits={shown(limits)} must be black and white, which differ")
    pixels, _ = check_image(image, channel_axis)
    array = numpy_image(pixels)
    several = _is_sequence(roi) and all(_is_sequence(one) for one in roi)
    whole = (0, 0, array.shape[1], array.shape[0])
    regions: Any = roi if several else [whole if roi is None else roi]
    found = []
    for one in regions:
        region = Region(*checked_region(one, array))
        found.append(_scaled(_part(array, region, gamma, channel, limits), region, channel))
    return found if several else found[0]


def _is_sequence(value: Any) -> TypeGuard[Sequence[Any]]:
    """Return whether a value has items: an array without axes has none."""
    return isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _part(array: Array, region: Region, gamma: Gamma, channel: str, limits: tuple[float, float] | None) -> _Part:
    """Return one channel of a region in linear light."""
    x, y, width, height = region
    values = array[y : y + height, x : x + width]
    integers = values.dtype.kind in "biu"
    known = limits if limits is not None else (_range(values.dtype) if integers else None)
    channels = [values] if values.ndim == 2 else [values[:, :, n] for n in range(values.shape[2])]
    if len(channels) not in (1, 3, 4) or (len(channels) == 1 and channel != "luminance"):
        raise ShapeError(f"channel={shown(channel)} needs an image with red, green and blue; found shape {array.shape}")
    channels = channels[:3]
    if channel != "luminance":
        channels = [channels[MTF_CHANNELS.index(channel) - 1]]
    ends = np.zeros(values.shape[:2], bool)
    if known is not None:
        for one in channels:
            ends |= (one <= known[0]) | (one >= known[1])
    light = [to_light(one.astype(float), gamma, known or (0.0, 1.0)) for one in channels]
    return _Part(light[0] if len(light) == 1 else luminance(light), ends)


def _range(dtype: Any) -> tuple[float, float]:
    return (0.0, 1.0) if dtype.kind == "b" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))


def _scaled(part: _Part, region: Region, channel: str) -> Mtf:
    """Measure a region at a scale at which squares of its levels neither overflow nor underflow."""
    finite = part.levels[np.isfinite(part.levels)]
    exponent = int(scaling(np.abs(finite).max(initial=0), part.levels))
    result = _measure(part._replace(levels=np.ldexp(part.levels, -exponent)), region, channel)
    dark, bright, noise = (math.ldexp(n, exponent) for n in (result.dark, result.bright, result.noise))
    return replace(result, dark=dark, bright=bright, noise=noise)


def _measure(part: _Part, region: Region, channel: str) -> Mtf:
    """Measure a region, or say why it cannot be measured."""
    levels, ends = part
    known = np.isfinite(levels)
    whole = filled_from_nearest(levels, known)
    turned = _is_horizontal(whole)
    if turned:
        levels, ends, whole = levels.T, ends.T, np.ascontiguousarray(whole.T)

    def without(status: str) -> Mtf:
        return no_measurement(status, REASONS[status], region, channel, float(ends.mean()))

    if min(levels.shape) < 2 * SIDE + 2 or max(levels.shape) < LEAST_ROWS:
        return without("too short")
    line = find_line(whole)
    if line is None:
        return without("no edge")
    noise = max(noise_of(whole), noise_of_regions(whole, _sides(whole, line)))
    if status := _of_line(whole, ends, line, noise):
        return without(status)
    fit = fit_edge_spread(np.where(np.isfinite(levels), levels, np.nan), line)
    if status := _of_fit(fit, noise, levels.shape[1]):
        return without(status)
    direction, angle = _directions(fit, turned)
    result = measured(fit, region, channel, direction, angle, float(ends.mean()))
    if result.mtf50_error > MOST_ERROR * result.mtf50:
        return without("too noisy")
    return replace(result, warnings=tuple(_warnings(result)))


def _is_horizontal(levels: Array) -> bool:
    """Tell whether the edge of a region is nearer to the rows than to the columns."""
    smooth = cv2.GaussianBlur(levels, (0, 0), 1.5)
    across, down = (cv2.norm(np.diff(smooth, axis=axis), cv2.NORM_L2SQR) for axis in (1, 0))
    return bool(down > across)


def _sides(levels: Array, line: EdgeLine) -> list[Array]:
    """Return where both sides of an edge are, beyond its blur."""
    far = np.zeros(levels.shape)
    far[line.rows] = line.distances(levels.shape[1])
    return [far <= -PLATEAU, far >= PLATEAU]


def _of_line(levels: Array, ends: Array, line: EdgeLine, noise: float) -> str:
    """Return why an edge with this line cannot be measured; empty if it can."""
    far = line.distances(levels.shape[1])
    region, at_end = levels[line.rows], ends[line.rows]
    sides = [far <= -PLATEAU, far >= PLATEAU]
    near = [side & (np.abs(far) <= PLATEAU + SIDE) for side in sides]
    contrast = float(np.ptp([np.median(region[side]) for side in near])) if all(map(np.any, near)) else 0.0
    if has_second_edge(levels, line, noise):
        return "two edges"
    if contrast <= LEAST_CONTRAST * noise or contrast <= 0:
        return "no edge"
    if line.size < LEAST_ROWS:
        return "too short"
    if np.diff(np.sort(far[np.abs(far) <= 2])).max(initial=0) > WIDEST_GAP:
        return "not slanted" if abs(line.slope()) < 0.5 else "too steep"
    return "clipped" if max(float(at_end[side].mean()) for side in sides) > MOST_CLIPPED else ""


def _of_fit(fit: EdgeSpread, noise: float, width: int) -> str:
    """Return why a fitted edge is no measurement; empty if it is one."""
    contrast = abs(float(fit.weights @ fit.otf(np.zeros(1)).real[:, 0]))
    if not contrast > LEAST_CONTRAST * fit.noise or fit.parts[-1][0] > width / 4:
        return "no edge"
    return "two edges" if fit.noise > max(MOST_RESIDUAL * noise, MOST_OF_CONTRAST * contrast) else ""


def _directions(fit: EdgeSpread, turned: bool) -> tuple[float, float]:
    """Return the direction towards the bright side, and the angle between the edge and the nearest axis, in degrees."""
    sign = 1 if float(fit.weights @ fit.otf(np.zeros(1)).real[:, 0]) >= 0 else -1
    slope = fit.line.slope()
    x, y = (-slope, 1.0) if turned else (1.0, -slope)
    tilt = math.degrees(math.atan(abs(slope)))
    return math.degrees(math.atan2(sign * y, sign * x)) % 360, min(tilt, 90 - tilt)


def _warnings(result: Mtf) -> list[str]:
    """Return what may make the numbers of a result wrong."""
    ratio = (result.bright - result.dark) / result.noise if result.noise else math.inf
    found = []
    if result.clipped > FEW_CLIPPED:
        found.append(f"{result.clipped:.1%} of the pixels are at the end of the range")
    if ratio < NOISY:
        found.append(f"noisy: the contrast is only {ratio:.0f} times the noise")
    if result.bright > 0 and 0 <= result.contrast < LOW_CONTRAST:
        found.append(f"low contrast: {result.contrast:.2f}")
    if result.mtf.max() > SHARPENED:
        found.append(f"sharpened: the MTF rises to {result.mtf.max():.2f}; see mtf50p")
    if not math.isfinite(result.mtf50):
        found.append("the MTF does not fall to a half below 1.5 cycles per pixel")
    return found
