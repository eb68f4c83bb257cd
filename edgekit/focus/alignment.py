"""How the images of a stack are shifted and magnified against each other. May import `display` and what is below it.

Images are only measured here, and not moved.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2

Array = NDArray[Any]

#: Longer side of the reduced images that are compared, the coarse one first, and the steps at each size. The fine one
#: has at most a third of the side of the image, unless that is less than the last number.
SIDES, STEPS, LEAST_SIDE = (96, 512), (5, 2), 128

#: Standard deviation of the Gaussian before the comparison, in pixels of the reduced image: it hides the difference
#: between a sharp image and a blurred one.
SIGMA = 2.0

#: Border that is left out, as a fraction of the width: pixels come in from outside.
MARGIN = 0.03

#: A displacement is kept if the mean difference of the images is below this fraction of that without it. Otherwise
#: it may come from the blur, which differs.
IMPROVED = 0.998

#: Displacements below this are not reported, in pixels.
ALLOWED = 1.0


class Displacement(NamedTuple):
    """By how much an image is moved against another one.

    Attributes
    ----------
    x, y : float
        The shift in the middle of the image, as fractions of its longer side.
    magnification : float
        Relative change of size.
    """

    x: float = 0.0
    y: float = 0.0
    magnification: float = 0.0


class Alignment:
    """Measures the displacement of each image of a stack against the one before.

    Attributes
    ----------
    shift : float
        Largest distance between the middles of two images, in pixels.
    breathing : float
        Largest displacement of a corner by a change of magnification, in pixels.
    """

    def __init__(self) -> None:
        self.shift = self.breathing = 0.0
        self._previous: tuple[Array, ...] = ()
        self._places = [(0.0, 0.0, 0.0)]

    def add(self, gray: Array) -> None:
        """Add the next image, (H, W) of uint8, uint16 or float32."""
        coarse, fine = (min(side, max(max(gray.shape) // 3, LEAST_SIDE)) for side in SIDES)
        small = _resized(gray, fine)
        reduced = _smoothed(_resized(small, coarse)), _smoothed(small)
        if self._previous:
            moved = Displacement()
            for before, after, steps in zip(self._previous, reduced, STEPS, strict=True):
                moved = _refined(before, after, moved, steps)
            before, after = self._previous[-1], reduced[-1]
            if not _difference(before, after, moved) < IMPROVED * _difference(before, after, Displacement()):
                moved = Displacement()
            place = tuple(p + m for p, m in zip(self._places[-1], moved, strict=True))
            self._places.append((place[0], place[1], place[2]))
            side, corner = max(gray.shape), math.hypot(*gray.shape) / 2
            x, y, size = (np.asarray(values) for values in zip(*self._places, strict=True))
            self.shift = side * math.hypot(np.ptp(x), np.ptp(y))
            self.breathing = corner * float(np.ptp(size))
        self._previous = reduced

    @property
    def message(self) -> str:
        """Warning message; empty if the images are aligned."""
        if max(self.shift, self.breathing) <= ALLOWED:
            return ""
        return (
            f"the images are not aligned: they are shifted by up to {self.shift:.1f} pixels, and their magnification "
            f"moves the corners by up to {self.breathing:.1f} pixels; align them first"
        )


def _resized(gray: Array, side: int) -> Array:
    """Return an image of this size as float32, with 0 for pixels that are not finite."""
    factor = max(1.0, max(gray.shape) / max(side, 1))
    size = tuple(max(1, round(n / factor)) for n in reversed(gray.shape))
    small: Array = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.nan_to_num(small, copy=False, posinf=0, neginf=0)


def _smoothed(small: Array) -> Array:
    """Return an image smoothed, with mean 0 and standard deviation 1."""
    small = cv2.GaussianBlur(small, (0, 0), SIGMA)
    mean, deviation = (float(v[0, 0]) for v in cv2.meanStdDev(small))
    scaled: Array = (small - np.float32(mean)) / np.float32(deviation if deviation > 0 else math.inf)
    return scaled


def _refined(before: Array, after: Array, start: Displacement, steps: int) -> Displacement:
    """Improve a displacement by Gauss-Newton steps on the difference of two images.

    Large differences have little weight: they are objects that come into focus or go out of it.
    """
    side = max(before.shape)
    inner = _inner(before.shape)
    gx, gy = (cv2.Sobel(before, cv2.CV_32F, *order, scale=side / 8)[inner] for order in ((1, 0), (0, 1)))
    if not gx.size:
        return start
    rows, columns = (((np.arange(n) - (n - 1) / 2) / side).astype(np.float32) for n in before.shape)
    growth = gx * columns[inner[1]] + gy * rows[inner[0]][:, None]
    slopes = np.stack([gx.ravel(), gy.ravel(), growth.ravel()])
    place = np.array(start)
    for _ in range(steps):
        moved = _moved(after, Displacement(*place))
        difference = (moved[inner] - before[inner]).ravel()
        spread = 1.5 * float(np.median(np.abs(difference[::7])))
        if spread == 0:
            break
        weighted = slopes / (1 + (difference / spread) ** 2) ** 2
        matrix = weighted @ slopes.T
        matrix += np.eye(3) * (1e-6 * np.trace(matrix) + 1e-12)
        place = place - np.linalg.solve(matrix.astype(np.float64), (weighted @ difference).astype(np.float64))
    # The steps may diverge where the images have nothing in common.
    return Displacement(*map(float, place)) if np.isfinite(place).all() and np.abs(place).max() < 0.5 else start


def _inner(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of an image without its border."""
    margin = math.ceil(MARGIN * max(shape))
    return slice(margin, max(margin, shape[0] - margin)), slice(margin, max(margin, shape[1] - margin))


def _moved(image: Array, by: Displacement) -> Array:
    """Return an image moved back by a displacement."""
    rows, columns = image.shape
    side, size = max(image.shape), 1 + by.magnification
    x, y = ((shift * side - by.magnification * (n - 1) / 2) for shift, n in ((by.x, columns), (by.y, rows)))
    moved: Array = cv2.warpAffine(
        image, np.array([[size, 0, x], [0, size, y]]), (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return moved


def _difference(before: Array, after: Array, by: Displacement) -> float:
    """Return the sum of the absolute differences of two images, one of them moved."""
    inner = _inner(before.shape)
    return float(np.abs(_moved(after, by)[inner] - before[inner]).sum())
