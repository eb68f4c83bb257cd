"""The sharpest image of a stack for each pixel. May import `display` and what is below it.

Images are added one at a time, so that the memory does not depend on their number. Each is filtered in strips of rows,
which stay in the cache.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.opencv.tiling import each_tile
from edgekit.common.load_cv2 import cv2

Array = NDArray[Any]

#: The measure is the mean gradient in small windows, which follow the outlines of objects, plus a fraction of the root
#: mean square of the gradient in a wide window. The wide one decides where there is no texture, and beside strong
#: edges, whose blur spreads over their surroundings. Its radius is a fraction of the longer side of the image. These
#: numbers were chosen on five pairs of photographs with different focus.
RADII = (1, 2)
WIDE, WIDE_WEIGHT = 1 / 50, 0.5

#: The wide window has this radius in pixels of a reduced image, or more: its mean is smooth.
REDUCED_RADIUS = 8

#: Rows above and below a strip that its measure depends on.
HALO = max(RADII) + 1

#: Pixels of a strip, which stays in the cache.
STRIP = 2**16

#: Width of the neighbourhood whose median replaces islands, and the largest island, in pixels.
MEDIAN, ISLAND = 25, 250

#: The median of more values than this is not computed by OpenCV.
MOST_VALUES = 256

#: Pixels of a guide and an index: the radius of the guided filter, and its regularization for a guide in [0, 1].
GUIDE_RADIUS, GUIDE_EPS = 5, 0.01


class Surroundings(NamedTuple):
    """The measure of each pixel around its maximum, for the depth map.

    Attributes
    ----------
    best, before, after : ndarray
        In the sharpest image, and in those before and after it; 0 where there is none.
    mean : ndarray
        In all images.
    """

    best: Array
    before: Array
    after: Array
    mean: Array


class SharpestPlanes:
    """Finds for each pixel the image with the largest local gradient.

    Parameters
    ----------
    surroundings : bool
        Keep what the depth map needs.
    """

    def __init__(self, *, surroundings: bool) -> None:
        self.count = 0
        self._surroundings = surroundings

    def add(self, gray: Array) -> None:
        """Add the next image.

        Parameters
        ----------
        gray : ndarray
            (H, W) of uint8, uint16 or float32. Pixels that are not finite are never the sharpest.
        """
        if self.count == 0:
            self._begin(gray)
        known = np.isfinite(gray) if gray.dtype.kind == "f" else None
        if known is not None and known.all():
            known = None
        if known is not None:
            gray = np.where(known, gray, np.float32(0))
            self._partly_known |= ~known
        # Light that changes between images does not make one of them sharper.
        level = float(cv2.mean(gray)[0])
        gain = 1 / level if level > 0 else 1.0

        self._fill_energy(gray, known, gain)
        wide = self._wide_window(gray.shape)

        def compute(start: int, stop: int) -> None:
            read, inner = strip_with_halo(len(gray), start, stop, HALO)
            magnitude = cv2.sqrt(self._energy[read])
            total = wide[start:stop]
            for radius in RADII:
                total += cv2.blur(magnitude, (2 * radius + 1,) * 2)[inner]
            if known is not None:
                total[~known[start:stop]] = -1
            self._update(slice(start, stop), gray, total)

        each_strip(gray.shape, compute)
        self.count += 1

    def _fill_energy(self, gray: Array, known: Array | None, gain: float) -> None:
        """Compute the squared gradient of an image; 0 beside pixels that are not known."""

        def compute(start: int, stop: int) -> None:
            read, inner = strip_with_halo(len(gray), start, stop, 1)
            gx, gy = (cv2.Sobel(gray[read], cv2.CV_32F, *order, scale=gain / 8)[inner] for order in ((1, 0), (0, 1)))
            energy = self._energy[start:stop]
            np.multiply(gx, gx, out=energy)
            energy += np.multiply(gy, gy, out=gy)
            if known is not None:
                unknown = (~known[read]).view(np.uint8)
                energy[cv2.dilate(unknown, np.ones((3, 3), np.uint8))[inner] > 0] = 0

        each_strip(gray.shape, compute)

    def _wide_window(self, shape: tuple[int, int]) -> Array:
        """Return the weighted root mean square of the gradient in a wide window around each pixel."""
        rows, columns = shape
        radius = max(WIDE * max(shape), REDUCED_RADIUS)
        factor = radius / REDUCED_RADIUS
        # An image of the size of the window is not reduced further.
        size = max(1, round(columns / factor)), max(1, round(rows / factor))
        reduced = cv2.resize(self._energy, size, interpolation=cv2.INTER_AREA)
        mean: Array = cv2.sqrt(cv2.blur(reduced, (2 * REDUCED_RADIUS + 1,) * 2))
        wide: Array = cv2.resize(mean * WIDE_WEIGHT, (columns, rows), self._wide, interpolation=cv2.INTER_LINEAR)
        return wide

    def _begin(self, gray: Array) -> None:
        self.index = np.zeros(gray.shape, np.uint16)
        self.sharp = gray.copy()
        self._best = np.full(gray.shape, -np.inf, np.float32)
        self._partly_known = np.zeros(gray.shape, bool)
        # These arrays are used for every image.
        self._energy, self._wide = (np.empty(gray.shape, np.float32) for _ in range(2))
        if self._surroundings:
            self._previous, self._before, self._after, self._sum = (np.zeros(gray.shape, np.float32) for _ in range(4))

    def _update(self, rows: slice, gray: Array, energy: Array) -> None:
        """Compare the measure of the next image in some rows with that of the images before."""
        best, index = self._best[rows], self.index[rows]
        better = cv2.compare(energy, best, cv2.CMP_GT)
        if self._surroundings:
            previous, before, after = self._previous[rows], self._before[rows], self._after[rows]
            if self.count:
                cv2.copyTo(energy, (index == self.count - 1).view(np.uint8), after)
                cv2.copyTo(previous, better, before)
                after[better > 0] = 0
            self._sum[rows] += energy
            previous[...] = energy
        cv2.copyTo(energy, better, best)
        cv2.copyTo(gray[rows], better, self.sharp[rows])
        if self.count:
            index[better > 0] = self.count

    def guide_range(self) -> tuple[float, float]:
        """Return gray levels between which most pixels are, as black and white of a guide."""
        mean, deviation = (float(v[0, 0]) for v in cv2.meanStdDev(self.sharp))
        return mean - 2 * deviation, mean + 2 * deviation if deviation > 0 else mean + 1

    def surroundings(self) -> Surroundings:
        """Return the measure around the maximum."""
        return Surroundings(self._best, self._before, self._after, self._sum / self.count)

    def without_islands(self) -> Array:
        """Return the numbers of the sharpest images, with small islands replaced by the median around them."""
        # The median filter has 8 bits: in longer stacks it counts in steps of several images.
        step = -(-self.count // MOST_VALUES)
        coarse = (self.index // step).astype(np.uint8)
        median = cv2.medianBlur(coarse, MEDIAN)
        # The median may be an image in which the pixel is not known.
        odd = ((coarse != median) & ~self._partly_known).view(np.uint8)
        islands = cv2.connectedComponents(odd, connectivity=4)[1].ravel()
        at = np.flatnonzero(odd)
        at = at[(np.bincount(islands) <= ISLAND)[islands[at]]]
        index = self.index.copy()
        index.ravel()[at] = median.ravel()[at].astype(np.uint16) * step
        return index


def each_strip(shape: tuple[int, ...], compute: Callable[[int, int], None]) -> None:
    """Call ``compute(start, stop)`` for strips of rows, on several threads."""
    each_tile(shape[0], max(STRIP // shape[1], 64), cv2.getNumThreads(), compute, 1)


def strip_with_halo(rows: int, start: int, stop: int, halo: int) -> tuple[slice, slice]:
    """Return the rows of a strip and its halo, and the rows of the strip among them."""
    top, bottom = max(start - halo, 0), min(stop + halo, rows)
    return slice(top, bottom), slice(start - top, stop - top)
