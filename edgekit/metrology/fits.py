"""Lines, circles and ellipses through the points of contours. May import `edges` and what is below it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.arrays import as_array
from edgekit.errors import ParameterError, ShapeError
from edgekit.metrology.edge_contours import Contour
from edgekit.metrology.robust import RobustFit, robust_fit


@dataclass(frozen=True, eq=False)
class Line:
    """A straight line: the points (x, y) with x·cos(normal) + y·sin(normal) = distance.

    Attributes
    ----------
    x, y : float
        The mean of the inliers, which is on the line.
    angle : float
        Direction of the line in degrees, clockwise from +x, in [0, 180).
    angle_error : float
        Its standard error.
    distance_error : float
        Standard error of the position across the line at (x, y), in pixels.
    rms : float
        Root mean square distance of the inliers.
    inliers : ndarray of bool
        Which points were fitted.
    """

    x: float
    y: float
    angle: float
    angle_error: float
    distance_error: float
    rms: float
    inliers: Array

    @property
    def normal(self) -> float:
        """Direction of the line's normal in degrees, in [90, 270)."""
        return self.angle + 90

    @property
    def distance(self) -> float:
        """Distance of the line from (0, 0) along its normal, in pixels."""
        turn = math.radians(self.normal)
        return self.x * math.cos(turn) + self.y * math.sin(turn)


@dataclass(frozen=True, eq=False)
class Circle:
    """A circle.

    Attributes
    ----------
    x, y, radius : float
        Centre and radius in pixels.
    x_error, y_error, radius_error : float
        Their standard errors.
    rms : float
        Root mean square distance of the inliers.
    inliers : ndarray of bool
        Which points were fitted.
    """

    x: float
    y: float
    radius: float
    x_error: float
    y_error: float
    radius_error: float
    rms: float
    inliers: Array


@dataclass(frozen=True, eq=False)
class Ellipse:
    """An ellipse.

    Attributes
    ----------
    x, y : float
        Centre in pixels.
    major, minor : float
        Half of the longer and of the shorter axis in pixels.
    angle : float
        Direction of the longer axis in degrees, clockwise from +x, in [0, 180).
    x_error, y_error, major_error, minor_error, angle_error : float
        Standard errors.
    rms : float
        Root mean square distance of the inliers.
    inliers : ndarray of bool
        Which points were fitted.
    """

    x: float
    y: float
    major: float
    minor: float
    angle: float
    x_error: float
    y_error: float
    major_error: float
    minor_error: float
    angle_error: float
    rms: float
    inliers: Array


def fit_line(points: Any) -> Line:
    """Fit a straight line to points. Up to half of them may be outliers.

    Parameters
    ----------
    points : Contour, sequence of Contour, or ndarray or Tensor
        (N, 2), x and y, at least 2.

    Returns
    -------
    Line
        With standard errors, which take into account that errors of neighbouring points are correlated.

    Raises
    ------
    ParameterError
        If the points are too few, are not finite, or coincide.
    ShapeError, DtypeError
        If this is not an array of points.

    References
    ----------
    Rousseeuw, Least median of squares regression, 1984, 10.1080/01621459.1984.10477105.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> x = np.arange(50.0)
    >>> y = 3 + 0.1 * x
    >>> y[7] = 40
    >>> line = ek.fit_line(np.stack((x, y), axis=1))
    >>> round(line.angle, 3), int((~line.inliers).sum())
    (5.711, 1)
    """
    found, middle, size = _fit("line", points, _line_distances, _lines, 2)
    angle = (found.parameters[0] + math.pi / 2) % math.pi
    places = _places(points)[found.inliers]
    x, y = (places.mean(axis=0) - middle) / size
    # The mean of the inliers, moved across the line on it.
    cos, sin = math.cos(found.parameters[0]), math.sin(found.parameters[0])
    off = x * cos + y * sin - found.parameters[1]
    x, y = middle + size * np.array([x - off * cos, y - off * sin])
    spread = places - places.mean(axis=0)
    along = float(np.sqrt(np.sum((spread @ (-sin, cos)) ** 2)))
    angle_error = found.errors[0]
    # At the mean, position and direction are independent.
    distance_error = angle_error * along / math.sqrt(len(places))
    return Line(
        float(x), float(y), math.degrees(angle), math.degrees(angle_error), distance_error, found.rms * size,
        found.inliers,
    )  # fmt: skip


def fit_circle(points: Any) -> Circle:
    """Fit a circle to points. Up to half of them may be outliers.

    Parameters
    ----------
    points : Contour, sequence of Contour, or ndarray or Tensor
        (N, 2), x and y, at least 3.

    Returns
    -------
    Circle
        With standard errors, which take into account that errors of neighbouring points are correlated.

    Raises
    ------
    ParameterError
        If the points are too few, are not finite, or are on one line.
    ShapeError, DtypeError
        If this is not an array of points.

    References
    ----------
    Rousseeuw, Least median of squares regression, 1984, 10.1080/01621459.1984.10477105.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> turn = np.linspace(0, 4, 60)
    >>> circle = ek.fit_circle(np.stack((30 + 9 * np.cos(turn), 20 + 9 * np.sin(turn)), axis=1))
    >>> round(circle.x, 6), round(circle.y, 6), round(circle.radius, 6)
    (30.0, 20.0, 9.0)
    """
    found, middle, size = _fit("circle", points, _circle_distances, _circles, 3)
    x, y = (middle + size * found.parameters[:2]).tolist()
    radius, (x_error, y_error, radius_error) = float(size * found.parameters[2]), (size * found.errors).tolist()
    return Circle(x, y, radius, x_error, y_error, radius_error, size * found.rms, found.inliers)


def fit_ellipse(points: Any) -> Ellipse:
    """Fit an ellipse to points. Up to a third of them may be outliers, if the others are all round the ellipse.

    Parameters
    ----------
    points : Contour, sequence of Contour, or ndarray or Tensor
        (N, 2), x and y, at least 5.

    Returns
    -------
    Ellipse
        With standard errors, which take into account that errors of neighbouring points are correlated.

    Raises
    ------
    ParameterError
        If the points are too few, are not finite, or are on no ellipse.
    ShapeError, DtypeError
        If this is not an array of points.

    Notes
    -----
    Distances are those of Sampson, to first order in the distance over the radius of curvature.

    References
    ----------
    Rousseeuw, Least median of squares regression, 1984, 10.1080/01621459.1984.10477105; Sampson, Fitting conic sections
    to very scattered data, 1982, 10.1016/0146-664X(82)90101-0.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> turn = np.linspace(0, 6, 80)
    >>> ellipse = ek.fit_ellipse(np.stack((30 + 20 * np.cos(turn), 20 + 9 * np.sin(turn)), axis=1))
    >>> round(ellipse.major, 6), round(ellipse.minor, 6), round(ellipse.angle, 6) % 180
    (20.0, 9.0, 0.0)
    """
    found, middle, size = _fit("ellipse", points, _ellipse_distances, _ellipses, 5)
    (x, y, first, second, turn), errors = found.parameters.tolist(), found.errors.tolist()
    x, y = middle[0] + size * x, middle[1] + size * y
    axes = [(size * abs(first), size * errors[2]), (size * abs(second), size * errors[3])]
    if abs(first) < abs(second):
        axes.reverse()
        turn += math.pi / 2
    (major, major_error), (minor, minor_error) = axes
    return Ellipse(
        float(x), float(y), major, minor, math.degrees(turn) % 180, size * errors[0], size * errors[1], major_error,
        minor_error, math.degrees(errors[4]), size * found.rms, found.inliers,
    )  # fmt: skip


def _places(points: Any) -> Array:
    """Return the points of contours, or an array of points, as (N, 2) in double precision."""
    if isinstance(points, Contour):
        points = points.points
    elif isinstance(points, Sequence) and points and all(isinstance(one, Contour) for one in points):
        return np.concatenate([_places(one) for one in points])
    array = as_array(points)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ShapeError(f"expected points of shape (N, 2), x and y; found {tuple(array.shape)}")
    places = np.asarray(backend_of(array).to_numpy(array))
    if places.dtype.kind not in "iuf":
        raise ParameterError(f"expected points that are real numbers; found {places.dtype}")
    return places.astype(float)


def _fit(
    name: str, points: Any, distances: Callable[[Array, Array], Array], solve: Callable[[Array], Array], few: int
) -> tuple[RobustFit, Array, float]:
    """Return the fit to points around 0 with a size of 1, and the middle and the size of the given points."""
    places = _places(points)
    if len(places) < few:
        raise ParameterError(f"fit_{name} needs at least {few} points; found {len(places)}")
    if not np.isfinite(places).all():
        raise ParameterError(f"fit_{name} needs finite points; found nan or inf among them")
    middle = np.median(places, axis=0)
    size = float(np.median(np.abs(places - middle).max(axis=1)))
    found = None if size == 0 else robust_fit((places - middle) / size, distances, solve, few)
    if found is None:
        raise ParameterError(f"fit_{name}: no {name} is determined by these {len(places)} points")
    return found, middle, size


def _line_distances(lines: Array, points: Array) -> Array:
    turn, distance = lines[:, :1], lines[:, 1:]
    result: Array = points[:, 0] * np.cos(turn) + points[:, 1] * np.sin(turn) - distance
    return result


def _lines(sets: Array) -> Array:
    dx, dy = (sets[:, 1] - sets[:, 0]).T
    turn = np.where((dx == 0) & (dy == 0), np.nan, np.arctan2(dx, -dy))
    return np.stack((turn, sets[:, 0, 0] * np.cos(turn) + sets[:, 0, 1] * np.sin(turn)), axis=1)


def _circle_distances(circles: Array, points: Array) -> Array:
    x, y, radius = (circles[:, n : n + 1] for n in range(3))
    result: Array = np.hypot(points[:, 0] - x, points[:, 1] - y) - radius
    return result


def _circles(sets: Array) -> Array:
    origin = sets[:, 0]
    (ax, ay), (bx, by) = (sets[:, 1] - origin).T, (sets[:, 2] - origin).T
    area = 2 * (ax * by - ay * bx)
    # Points on one line have no circle.
    area = np.where(np.abs(area) < 1e-9 * (ax**2 + ay**2 + bx**2 + by**2), np.nan, area)
    a, b = ax**2 + ay**2, bx**2 + by**2
    x, y = (by * a - ay * b) / area, (ax * b - bx * a) / area
    return np.stack((origin[:, 0] + x, origin[:, 1] + y, np.hypot(x, y)), axis=1)


def _ellipse_distances(ellipses: Array, points: Array) -> Array:
    x, y, first, second, turn = (ellipses[:, n : n + 1] for n in range(5))
    u, v = points[:, 0] - x, points[:, 1] - y
    cos, sin = np.cos(turn), np.sin(turn)
    u, v = (u * cos + v * sin) / first, (v * cos - u * sin) / second
    ratio = np.hypot(u, v)
    steepness = np.hypot(u / first, v / second)
    # (ratio² − 1) / 2 over its gradient; at the centre the distance is the shorter axis.
    far = np.minimum(np.abs(first), np.abs(second))
    result: Array = np.where(steepness > 0, (ratio - 1) * (ratio + 1) / 2 / np.where(steepness > 0, steepness, 1), -far)
    return result


def _ellipses(sets: Array) -> Array:
    x, y = sets[..., 0], sets[..., 1]
    # The conic a x² + b x y + c y² + d x + e y = f through five points.
    *_, spaces = np.linalg.svd(np.stack((x * x, x * y, y * y, x, y, np.ones_like(x)), axis=-1))
    a, b, c, d, e, f = spaces[:, -1].T
    matrix = np.stack((np.stack((a, b / 2), -1), np.stack((b / 2, c), -1)), -2)
    size = 4 * a * c - b * b
    size = np.where(size > 1e-9, size, np.nan)
    middle_x, middle_y = (b * e - 2 * c * d) / size, (b * d - 2 * a * e) / size
    level = -(f + (d * middle_x + e * middle_y) / 2)
    values, axes = np.linalg.eigh(matrix)
    halves = np.sqrt(level[:, None] / values)
    return np.stack((middle_x, middle_y, *halves.T, np.arctan2(axes[:, 1, 0], axes[:, 0, 0])), axis=1)
