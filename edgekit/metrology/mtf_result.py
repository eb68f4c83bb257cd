"""The result of a slanted-edge measurement, computed from a fitted edge spread function. May import `common`."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.metrology.edge_spread import EdgeSpread

Array = NDArray[Any]

#: Frequencies of the result, in cycles per pixel, and the finer steps in which its crossings are searched.
FREQUENCIES = np.linspace(0, 1, 101)
_FINE = np.linspace(0, 1.5, 3001)

#: Positions of the edge spread function, as a multiple of the scale of the edge, and at least in pixels.
_REACH, _LEAST_REACH, _STEP = 6.0, 8.0, 0.05


class Region(NamedTuple):
    """A rectangle of an image: column and row of its upper left pixel, width and height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Mtf:
    """The modulation transfer function across an edge.

    Attributes
    ----------
    status : str
        ``ok``, or why there is no measurement: ``no edge``, ``two edges``, ``clipped``, ``too short``, ``too steep``,
        ``not slanted`` or ``too noisy``. All numbers are then NaN, and all arrays are empty.
    reason : str
        The same as a sentence; empty if the status is ``ok``.
    warnings : tuple of str
        What may make the numbers wrong.
    region : Region
        x, y, width and height of the region.
    channel : str
        The channel that was measured.
    mtf50, mtf50p, mtf10 : float
        Frequency where the MTF falls to a half, to a half of its maximum, and to a tenth, in cycles per pixel along the
        normal of the edge. NaN if it does not fall so far.
    mtf50_error : float
        Standard error of `mtf50`.
    nyquist : float
        The MTF at 0.5 cycles per pixel.
    rise : float
        Distance along the normal in which the edge rises from 10 to 90 %, in pixels.
    angle : float
        Angle between the edge and the nearest axis of the image, in degrees from 0 to 45.
    direction : float
        Direction across the edge towards the bright side, in degrees clockwise from +x.
    dark, bright : float
        Levels of both sides in linear light, in gray levels.
    noise : float
        Standard deviation of the pixels around the edge spread function, in the same unit.
    clipped : float
        The part of the pixels that are at an end of the range.
    frequency, mtf, mtf_error : ndarray
        Frequencies from 0 to 1 cycle per pixel, the MTF, and its standard error.
    position, esf, lsf : ndarray
        Distances from the edge in pixels, the edge spread function from 0 to 1, and its derivative.
    """

    status: str
    reason: str
    warnings: tuple[str, ...]
    region: Region
    channel: str
    mtf50: float
    mtf50_error: float
    mtf50p: float
    mtf10: float
    nyquist: float
    rise: float
    angle: float
    direction: float
    dark: float
    bright: float
    noise: float
    clipped: float
    frequency: Array
    mtf: Array
    mtf_error: Array
    position: Array
    esf: Array
    lsf: Array

    @property
    def contrast(self) -> float:
        """The contrast of Michelson: the difference of both sides over their sum."""
        return (self.bright - self.dark) / (self.bright + self.dark) if self.bright + self.dark else math.nan

    def __repr__(self) -> str:
        place = f"{self.channel}, region {tuple(self.region)}"
        if self.status != "ok":
            return f"<Mtf {self.status}, {place}>"
        return f"<Mtf mtf50={self.mtf50:.4f} ± {self.mtf50_error:.4f}, {place}>"


def no_measurement(status: str, reason: str, region: Region, channel: str, clipped: float = math.nan) -> Mtf:
    """Return a result without numbers."""
    nothing = np.zeros(0)
    return Mtf(status, reason, (), region, channel, *(math.nan,) * 11, clipped, *(nothing,) * 6)


class Curve(NamedTuple):
    """An MTF at some frequencies with its standard errors."""

    values: Array
    errors: Array


def curve(fit: EdgeSpread, frequency: Array) -> Curve:
    """Return the MTF of a fit."""
    functions, whole = fit.otf(frequency), fit.otf(np.zeros(1)).real[:, 0]
    transfer, total = fit.weights @ functions, float(fit.weights @ whole)
    size = np.abs(transfer)
    values = size / abs(total)
    # The derivatives of the MTF with respect to the weights.
    phase = np.conj(transfer) / np.where(size > 0, size, 1)
    slopes = (phase * functions).real / abs(total) - values * whole[:, None] / total
    errors = np.sqrt(np.maximum(np.einsum("kf,kl,lf->f", slopes, fit.weights_covariance, slopes), 0))
    return Curve(values, errors)


def measured(fit: EdgeSpread, region: Region, channel: str, direction: float, angle: float, clipped: float) -> Mtf:
    """Return the result of a fit."""
    fine = curve(fit, _FINE)
    mtf50 = _falls_to(fine.values, 0.5)
    slope = float(np.interp(mtf50, _FINE, np.abs(np.gradient(fine.values, _FINE)))) if mtf50 == mtf50 else 0.0
    error = float(np.interp(mtf50, _FINE, fine.errors)) / slope if slope else math.nan
    peak = int(fine.values.argmax())
    coarse = curve(fit, FREQUENCIES)
    scale = fit.parts[-1][0]
    reach = max(_LEAST_REACH, _REACH * scale)
    position = np.arange(-round(reach / _STEP), round(reach / _STEP) + 1) * _STEP
    total = float(fit.weights @ fit.otf(np.zeros(1)).real[:, 0])
    esf, lsf = fit.weights @ fit.esf(position) / total, fit.weights @ fit.lsf(position) / total
    if total < 0:
        # The dark side is on the left of the result.
        esf, lsf = 1 - esf[::-1], lsf[::-1]
    left = float(fit.coefficients[0])
    return Mtf(
        "ok", "", (), region, channel, mtf50, error,
        _falls_to(fine.values, fine.values[peak] / 2, peak), _falls_to(fine.values, 0.1),
        float(np.interp(0.5, _FINE, fine.values)), _rise(position, esf), angle, direction,
        min(left, left + total), max(left, left + total), fit.noise, clipped,
        FREQUENCIES.copy(), coarse.values, coarse.errors, position, esf, lsf,
    )  # fmt: skip


def _falls_to(values: Array, level: float, first: int = 0) -> float:
    """Return the first frequency at which the MTF falls to a level, from an index on; NaN if it does not."""
    below = np.flatnonzero(values[first:] < level)
    if not len(below) or below[0] + first == 0:
        return math.nan
    n = int(below[0]) + first
    part = (values[n - 1] - level) / (values[n - 1] - values[n])
    return float(_FINE[n - 1] + part * (_FINE[n] - _FINE[n - 1]))


def _rise(position: Array, esf: Array) -> float:
    """Return the distance in which an edge rises from 0.1 to 0.9, from the crossings nearest to its middle."""
    middle = int(np.argmin(np.abs(esf - 0.5)))
    low, high = np.flatnonzero(esf[: middle + 1] <= 0.1), np.flatnonzero(esf[middle:] >= 0.9)
    if not len(low) or not len(high) or high[0] == 0:
        return math.nan
    a, b = int(low[-1]), middle + int(high[0])
    start = np.interp(0.1, esf[a : a + 2], position[a : a + 2])
    end = np.interp(0.9, esf[b - 1 : b + 1], position[b - 1 : b + 1])
    return float(end - start)
