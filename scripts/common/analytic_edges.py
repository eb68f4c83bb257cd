"""Images of edges that are known exactly: a Gaussian blur, integrated over the area of each pixel by formulas."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.special import ive, ndtr

Array = npt.NDArray[Any]

#: With a smaller cosine of the normal an edge is taken as parallel to the axis.
_PARALLEL = 1e-6


def distances(shape: tuple[int, int], angle: float, offset: float) -> Array:
    """Return the distance of each pixel's centre from a line, positive towards `angle`.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    angle : float
        Direction of the normal in degrees, clockwise from +x.
    offset : float
        Distance of the line from the middle of the image along its normal, in pixels.
    """
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    turn = np.deg2rad(angle)
    far: Array = (x - (shape[1] - 1) / 2) * np.cos(turn) + (y - (shape[0] - 1) / 2) * np.sin(turn) - offset
    return far


def edge_of(far: Array, angle: float, blur: float) -> Array:
    """Return the levels of an edge from 0 to 1 at pixels with these distances from it.

    Parameters
    ----------
    far : ndarray
        Distances, from `distances`.
    angle : float
        Direction of the normal in degrees: it decides the shape of a pixel's area across the edge.
    blur : float
        Standard deviation of the Gaussian in pixels.
    """
    a, b = sorted((abs(np.cos(np.deg2rad(angle))), abs(np.sin(np.deg2rad(angle)))))
    if a < _PARALLEL:
        return _integral(far + 0.5, blur) - _integral(far - 0.5, blur)
    wide, narrow = (a + b) / 2, (b - a) / 2
    outer = _second_integral(far + wide, blur) + _second_integral(far - wide, blur)
    inner = _second_integral(far + narrow, blur) + _second_integral(far - narrow, blur)
    levels: Array = (outer - inner) / (a * b)
    return levels


def half_plane(shape: tuple[int, int], angle: float, offset: float, blur: float) -> Array:
    """Return an image of a half-plane: 0 on one side, 1 on the side towards `angle`."""
    return edge_of(distances(shape, angle, offset), angle, blur)


def disc(shape: tuple[int, int], x: float, y: float, radius: float, blur: float) -> Array:
    """Return an image of a disc of level 1 on 0.

    The profile of the blurred disc is an integral of Bessel functions. Its mean over each pixel is computed by Gauss's
    rule with 6x6 points.
    """
    far = np.linspace(max(0.0, radius - 9 * blur), radius + 9 * blur, 4001)
    slope = radius / blur**2 * np.exp(-((far - radius) ** 2) / (2 * blur**2)) * ive(1, far * radius / blur**2)
    rising = CubicSpline(far, slope).antiderivative()
    points, weights = np.polynomial.legendre.leggauss(6)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    levels = np.zeros(shape)
    for dy, by_y in zip(points / 2, weights / 2, strict=True):
        for dx, by_x in zip(points / 2, weights / 2, strict=True):
            distance = np.hypot(columns + dx - x, rows + dy - y).clip(far[0], far[-1])
            levels += by_y * by_x * (rising(far[-1]) - rising(distance))
    return levels


def true_mtf(frequency: Array, angle: float, blur: float) -> Array:
    """Return the MTF across such an edge: that of the Gaussian times that of the pixel's area."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    area = np.sinc(frequency * cos) * np.sinc(frequency * sin)
    result: Array = np.abs(np.exp(-2 * (np.pi * blur * frequency) ** 2) * area)
    return result


def true_frequency(level: float, angle: float, blur: float) -> float:
    """Return the frequency in cycles per pixel at which the MTF falls to a level."""
    frequency = np.linspace(0, 1, 20001)
    mtf = true_mtf(frequency, angle, blur)
    after = int(np.argmax(mtf < level))
    return float(np.interp(-level, -mtf[after - 1 : after + 1], frequency[after - 1 : after + 1]))


def _integral(u: Array, blur: float) -> Array:
    z = u / blur
    result: Array = blur * (z * ndtr(z) + np.exp(-z * z / 2) / np.sqrt(2 * np.pi))
    return result


def _second_integral(u: Array, blur: float) -> Array:
    z = u / blur
    result: Array = blur**2 * ((z * z + 1) / 2 * ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(8 * np.pi))
    return result
