"""A chart of slanted squares as a camera sees it: with the blur of a lens that grows outward, and its distortion."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common.analytic_edges import edge_of, true_frequency

Array = npt.NDArray[Any]

#: Linear light of the paper and of the squares, from 0 to 1.
PAPER, INK = 0.75, 0.06

#: Side of the squares and distance of their centres in pixels, and how far they are turned in degrees.
SIDE, PITCH, TILT = 100.0, 170, 5.0


class Square(NamedTuple):
    """A square of the chart: its centre, and the standard deviation of the blur there, in pixels."""

    x: float
    y: float
    blur: float


def slanted_chart(
    columns: int, rows: int, *, middle: float = 0.5, corner: float = 0.9, distortion: float = 0.0
) -> tuple[Array, list[Square]]:
    """Return an image in linear light, and its squares.

    Parameters
    ----------
    columns, rows : int
        Number of squares.
    middle, corner : float
        Blur in the middle and in the corners in pixels. It grows with the square of the distance.
    distortion : float
        By which part the corners are moved outward.
    """
    height, width = rows * PITCH, columns * PITCH
    y, x = np.mgrid[:height, :width].astype(float)
    half = math.hypot(height, width) / 2
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    outward = 1 + distortion * (x**2 + y**2) / half**2
    x, y = x * outward, y * outward
    image, squares = np.full((height, width), PAPER), []
    for row in range(rows):
        for column in range(columns):
            centre_x, centre_y = ((n - (count - 1) / 2) * PITCH for n, count in ((column, columns), (row, rows)))
            share = (centre_x**2 + centre_y**2) / half**2
            blur = middle + (corner - middle) * share
            inside: Any = 1.0
            part = slice(row * PITCH, (row + 1) * PITCH), slice(column * PITCH, (column + 1) * PITCH)
            for angle in (TILT, TILT + 90, TILT + 180, TILT + 270):
                turn = np.deg2rad(angle)
                far = (x[part] - centre_x) * np.cos(turn) + (y[part] - centre_y) * np.sin(turn)
                inside = inside * edge_of(SIDE / 2 - far, angle, blur)
            image[part] += (INK - PAPER) * inside
            moved = 1 / (1 + distortion * share)
            squares.append(Square((width - 1) / 2 + centre_x * moved, (height - 1) / 2 + centre_y * moved, blur))
    return image, squares


def true_mtf50(
    squares: list[Square],
    region: tuple[int, int, int, int],
    direction: float,
    shape: tuple[int, ...],
    distortion: float,
) -> float:
    """Return the true MTF50 of an edge of the chart.

    Parameters
    ----------
    squares : list of Square
    region : tuple of int
        x, y, width and height around the edge.
    direction : float
        Direction across the edge in degrees.
    shape : tuple of int
        Rows and columns of the image.
    distortion : float
        That of the chart: it makes the image smaller, and its frequencies higher.
    """
    x, y = region[0] + region[2] / 2, region[1] + region[3] / 2
    nearest = min(squares, key=lambda square: (square.x - x) ** 2 + (square.y - y) ** 2)
    dx, dy = x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2
    share = distortion * (dx**2 + dy**2) / (math.hypot(*shape[:2]) / 2) ** 2
    turn = math.radians(direction)
    far = math.hypot(dx, dy) or 1.0
    radial = (math.cos(turn) * dx + math.sin(turn) * dy) / far
    smaller = math.hypot((1 + 3 * share) * radial, (1 + share) * math.sqrt(max(0.0, 1 - radial**2)))
    return true_frequency(0.5, TILT, nearest.blur) * smaller


def to_srgb(light: Array) -> Array:
    """Return values of sRGB from 0 to 1 for linear light from 0 to 1."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
