"""The shape of the focal surface over the field: tilt and curvature. May import `display` and what is below it."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from edgekit.focus.search import Peak

#: A surface needs this many peaks more than it has parameters.
SPARE = 2

#: The paraboloid is chosen if its mean squared residual is below this fraction of that of the plane.
BETTER = 0.5


class Surface(NamedTuple):
    """A plane or a paraboloid that is fitted to the peaks of tiles.

    Attributes
    ----------
    centre : float
        The position in the middle of the image.
    tilt_x, tilt_y : float
        The change of the position over the width and over the height of the image.
    curvature : float
        The change from the middle to the corners beside the tilt; 0 for a plane.
    residual : float
        Root mean square distance of the peaks from the surface.
    """

    centre: float
    tilt_x: float
    tilt_y: float
    curvature: float
    residual: float

    def at(self, x: Any, y: Any) -> Any:
        """Return the position at places; x and y run from -0.5 to 0.5 over the image."""
        return self.centre + self.tilt_x * x + self.tilt_y * y + self.curvature * 2 * (x * x + y * y)


class TilePeaks(NamedTuple):
    """The peaks of the tiles of an image.

    Attributes
    ----------
    peaks : tuple of Peak
        Row by row.
    side : int
        The number of rows and of columns of tiles.
    shape : tuple of int
        Rows and columns of the image in pixels.
    surface : Surface or None
        None if too few tiles have a peak.
    """

    peaks: tuple[Peak, ...]
    side: int
    shape: tuple[int, int]
    surface: Surface | None

    @property
    def positions(self) -> list[float]:
        """The position of each peak; NaN where a tile has none inside the stack."""
        return [peak.position if peak.status == "peak" else math.nan for peak in self.peaks]


def fitted_surface(peaks: Sequence[Peak], side: int) -> Surface | None:
    """Fit a plane, or a paraboloid where that is much better, to peaks of tiles; weighted by their errors.

    Parameters
    ----------
    peaks : sequence of Peak
        Row by row.
    side : int
        The number of rows and of columns of tiles.
    """
    middle = (np.arange(side) + 0.5) / side - 0.5
    rows = [
        (middle[n % side], middle[n // side], peak.position, peak.error)
        for n, peak in enumerate(peaks)
        if peak.status == "peak" and peak.error is not None
    ]
    if len(rows) < 3 + SPARE:
        return None
    x, y, z, error = np.array(rows, np.float64).T
    # No peak has all the weight.
    weight = 1 / np.maximum(error, np.median(error))
    columns = np.stack([np.ones_like(x), x, y, 2 * (x * x + y * y)], axis=1)
    fits = []
    for parameters in (3, 4):
        if len(rows) >= parameters + SPARE:
            solution = np.linalg.lstsq(columns[:, :parameters] * weight[:, None], z * weight, rcond=None)[0]
            squares = ((columns[:, :parameters] @ solution - z) ** 2).sum() / (len(rows) - parameters)
            fits.append((float(squares), [*map(float, solution), 0.0][:4]))
    squares, found = fits[-1] if fits[-1][0] < BETTER * fits[0][0] else fits[0]
    return Surface(found[0], found[1], found[2], found[3], math.sqrt(squares))
