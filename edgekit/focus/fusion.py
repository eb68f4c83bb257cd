"""The all-in-focus image of a stack. May import `display` and what is below it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.focus.sharpest_planes import (
    GUIDE_EPS,
    GUIDE_RADIUS,
    SharpestPlanes,
    each_strip,
    strip_with_halo,
)
from edgekit.focus.stack_images import StackImages, search

Array = NDArray[Any]

#: Smaller weights are 0: most pixels are those of one image, unchanged.
PURE = 0.02

#: Types and channels that OpenCV copies.
OPENCV_TYPES = {np.dtype(t) for t in (np.uint8, np.int8, np.uint16, np.int16, np.int32, np.float32, np.float64)}
MOST_CHANNELS = 4


def fuse(images: Sequence[ImageT], *, channel_axis: ChannelAxis = "auto") -> ImageT:
    """Make the all-in-focus image of a focus stack.

    Parameters
    ----------
    images : sequence of ndarray or Tensor
        The images of one scene in the order of their focus, at least one. All have one shape and type: NumPy (H, W) or
        (H, W, C), torch (C, H, W) or (H, W); colours in RGB order. They must be aligned. Each is used twice,
        one at a time, so that a sequence may read its images when they are needed: the memory does not depend on their
        number.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor
        An image like each of `images`, of the same type, range and axes. A pixel is NaN if it is NaN in all images.

    Raises
    ------
    ParameterError
        If `images` is no sequence, or empty.
    ShapeError, DtypeError
        If an image does not fit, or differs from the first one in shape or type.

    Warns
    -----
    UserWarning
        If the images are shifted, or their magnification moves the corners, by more than a pixel.

    Notes
    -----
    1. In each pixel the image with the largest local gradient is chosen: the mean gradient in windows of 3 and 5
       pixels, plus half the root mean square of the gradient in a window of a 25th of the longer side, which decides
       where there is no texture. Gradients are divided by the mean level of the image, so that changes of the light do
       not count.
    2. Islands of up to 250 pixels get the median of the numbers around them.
    3. A guided filter [1]_ moves the borders between images to the edges of the scene, and blends two images there.

    Tensors are fused by NumPy on the CPU, and have no gradient.

    References
    ----------
    .. [1] He, Sun and Tang 2013, Guided image filtering, 10.1109/TPAMI.2012.213

    Examples
    --------
    >>> import numpy as np, cv2, edgekit as ek
    >>> scene = np.random.default_rng(0).integers(0, 256, (64, 128), dtype=np.uint8)
    >>> near, far = scene.copy(), scene.copy()
    >>> near[:, 64:] = cv2.GaussianBlur(scene, (0, 0), 3)[:, 64:]
    >>> far[:, :64] = cv2.GaussianBlur(scene, (0, 0), 3)[:, :64]
    >>> fused = ek.fuse([near, far])
    >>> bool((fused[:, 16:48] == scene[:, 16:48]).all() and (fused[:, 80:112] == scene[:, 80:112]).all())
    True
    """
    stack = StackImages(images, channel_axis)
    blend = Blend(search(stack, surroundings=False))
    for image in stack:
        blend.add(image)
    fused: ImageT = stack.restore(blend.result())
    return fused


class Mixed(NamedTuple):
    """The pixels of a strip that are mixed from two images.

    Attributes
    ----------
    at : ndarray
        Their places in the strip, counted row by row.
    second : ndarray
        The number of the second image.
    weight : ndarray
        Its weight.
    """

    at: Array
    second: Array
    weight: Array


class Blend:
    """Makes the all-in-focus image of one image after another.

    Parameters
    ----------
    planes : SharpestPlanes
        After all images were added.
    """

    def __init__(self, planes: SharpestPlanes) -> None:
        self._image: Array | None = None
        self._next = 0
        self._first = planes.without_islands()
        self._mixed: dict[int, Mixed] = {}
        index = self._first.copy()
        black, white = planes.guide_range()

        def compute(start: int, stop: int) -> None:
            read, inner = strip_with_halo(len(index), start, stop, 2 * GUIDE_RADIUS)
            guide = planes.sharp[read].astype(np.float32)
            guide -= black
            guide /= white - black
            at, first, second, weight = _weights(index[read], guide, inner)
            self._first[start:stop].ravel()[at] = first
            self._mixed[start] = Mixed(at, second, weight)

        each_strip(index.shape, compute)

    def add(self, image: Array) -> None:
        """Add the next image, (H, W) or (H, W, C); all images in the same order as before."""
        number = self._next
        self._next += 1
        if self._image is None:
            self._image = np.empty(image.shape, image.dtype)
        result = self._image

        def compute(start: int, stop: int) -> None:
            here, there = image[start:stop], result[start:stop]
            _copy(here, self._first[start:stop] == number, there)
            mixed = self._mixed[start]
            chosen = np.flatnonzero(mixed.second == number)
            if not len(chosen):
                return
            # The first image of a pixel has a smaller number, so that it is there already.
            at, channels = mixed.at[chosen], image.shape[2:]
            work = np.result_type(image.dtype, np.float32)
            before, after = (np.take(a.reshape(-1, *channels), at, 0).astype(work) for a in (there, here))
            if image.dtype.kind == "f":
                # A pixel that is not finite is not mixed.
                np.copyto(after, before, where=~np.isfinite(after))
                np.copyto(before, after, where=~np.isfinite(before))
            after -= before
            after *= mixed.weight[chosen].reshape(-1, *[1] * len(channels))
            after += before
            there.reshape(-1, *channels)[at] = np.rint(after, out=after) if image.dtype.kind in "biu" else after

        each_strip(image.shape[:2], compute)

    def result(self) -> Array:
        """Return the all-in-focus image, after all images were added again."""
        assert self._image is not None
        return self._image


def _copy(source: Array, mask: Array, target: Array) -> None:
    """Copy the pixels of a mask."""
    if source.dtype in OPENCV_TYPES and source[0, 0].size <= MOST_CHANNELS:
        cv2.copyTo(source, mask.view(np.uint8), target)
    else:
        target[mask] = source[mask]


def _weights(index: Array, guide: Array, rows: slice) -> tuple[Array, Array, Array, Array]:
    """Return which pixels of some rows are mixed, the numbers of the two images, and the weight of the second."""
    window = np.ones((4 * GUIDE_RADIUS + 1,) * 2, np.uint8)
    low, high = cv2.erode(index, window)[rows], cv2.dilate(index, window)[rows]
    smooth = guided_filter(guide, index.astype(np.float32), GUIDE_RADIUS, GUIDE_EPS)[rows]
    shift = np.clip(smooth, low, high) - index[rows]
    at = np.flatnonzero(np.abs(shift) > PURE)
    shift, own, lowest, highest = (a.ravel()[at] for a in (shift, index[rows].astype(np.int32), low, high))
    # On a slope the next image is mixed in. At the outline of an object it is the one on the other side, since those
    # between them are sharp on neither.
    up = shift > 0
    other = np.where(np.abs(shift) < 1, np.where(up, own + 1, own - 1), np.where(up, highest, lowest))
    part = np.abs(shift) / np.abs(other - own)
    return at, np.minimum(own, other), np.maximum(own, other), np.where(up, part, 1 - part).astype(np.float32)


def guided_filter(guide: Array, values: Array, radius: int, eps: float) -> Array:
    """Smooth values where the guide is smooth, and keep their steps at the edges of the guide.

    Parameters
    ----------
    guide, values : ndarray
        (H, W) of float32; the guide in [0, 1].
    radius : int
        Of the windows, in pixels.
    eps : float
        Variance of the guide in a window with half the effect.

    References
    ----------
    He, Sun and Tang 2013, Guided image filtering, 10.1109/TPAMI.2012.213.
    """
    window = (2 * radius + 1,) * 2
    # Few arrays, used again: fresh memory takes longer than the arithmetic.
    product = guide * values
    covariance, mean_guide, mean_values = (cv2.blur(a, window) for a in (product, guide, values))
    covariance -= np.multiply(mean_guide, mean_values, out=product)
    variance = cv2.blur(np.multiply(guide, guide, out=product), window)
    variance -= np.multiply(mean_guide, mean_guide, out=product)
    variance += eps
    slope = np.divide(covariance, variance, out=covariance)
    offset = np.subtract(mean_values, np.multiply(slope, mean_guide, out=product), out=mean_values)
    smooth: Array = cv2.blur(slope, window, variance)
    smooth *= guide
    smooth += cv2.blur(offset, window, product)
    return smooth
