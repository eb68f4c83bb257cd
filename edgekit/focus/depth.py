"""The depth of each pixel of a stack: the position where it is sharpest. May import `display` and what is below it."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.common.choices import shown
from edgekit.common.load_cv2 import cv2
from edgekit.common.types import ChannelAxis
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.focus.sharpest_planes import SharpestPlanes, each_strip, strip_with_halo
from edgekit.focus.stack_images import StackImages, search

Array = NDArray[Any]

#: The guided filter of the depth: its radius in pixels, and its regularization for a guide in [0, 1].
RADIUS, EPS = 8, 0.01

#: Added to the weights of depths: where no pixel has any, the depth is the mean of the surroundings.
LEAST = 1e-5


class DepthMap(NamedTuple):
    """The position where each pixel of a stack is sharpest, as returned by `depth_map`.

    Attributes
    ----------
    depth : ndarray or Tensor
        (H, W), in units of the positions. NaN where no image has a finite pixel. float32, or float64 if float32 would
        round the positions by more than a hundredth of a step.
    confidence : ndarray or Tensor
        (H, W) of float32, in [0, 1): 1 − m / b, where b is the local gradient in the sharpest image, and m its mean in
        the other images. About 0.2 where there is only noise; 0 where all images are flat.
    """

    depth: Any
    confidence: Any


def depth_map(
    images: Sequence[Any], positions: ArrayLike | None = None, *, channel_axis: ChannelAxis = "auto"
) -> DepthMap:
    """Find the depth of each pixel of a focus stack: the position where it is sharpest.

    Parameters
    ----------
    images : sequence of ndarray or Tensor
        As for `edgekit.fuse`, at least two. Each is used once.
    positions : array_like, optional
        (N,), where the images were taken, in any unit, ascending or descending. Default: 0, 1, 2 and so on.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    DepthMap
        Its `depth` is in units of the positions; its `confidence` tells where the depth was measured, and where it
        comes from the surroundings.

    Raises
    ------
    ParameterError
        If `images` is no sequence, or has fewer than two images, or the positions are neither ascending nor descending.
    ShapeError, DtypeError
        If an image does not fit, or differs from the first one, or the numbers of images and positions differ.

    Warns
    -----
    UserWarning
        As for `edgekit.fuse`.

    Notes
    -----
    The local gradient is that of `edgekit.fuse`. A parabola through the logarithms of its values in the sharpest image
    and in the two beside it gives the depth between the images. A guided filter smooths the depth inside objects. Each
    pixel is weighted by its confidence and by the square of its local gradient: the blur of strong edges gives weak
    gradients beside them, which have little weight. The first and the last image have only one neighbour: depths
    between them and the next image are less exact.

    Examples
    --------
    >>> import numpy as np, cv2, edgekit as ek
    >>> scene = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    >>> stack = [cv2.GaussianBlur(scene, (0, 0), 0.5 + abs(z - 2.3)) for z in range(6)]
    >>> found = ek.depth_map(stack, positions=[0, 10, 20, 30, 40, 50])
    >>> bool(abs(np.median(found.depth) - 23) < 2), found.depth.shape
    (True, (64, 64))
    """
    stack = StackImages(images, channel_axis)
    places = checked_positions(positions, len(stack))
    found = depth_of(search(stack, surroundings=True), places)
    return DepthMap(*map(stack.like, found))


def checked_positions(positions: ArrayLike | None, count: int) -> Array:
    """Return the positions of the images of a depth map.

    Raises
    ------
    ParameterError, ShapeError, DtypeError
        If they do not fit.
    """
    if count < 2:
        raise ParameterError(f"a depth map needs at least 2 images; found {count}")
    if positions is None:
        return np.arange(count, dtype=np.float64)
    try:
        places = np.asarray(positions)
        if places.dtype.kind not in "iuf":
            raise TypeError
        places = places.astype(np.float64)
    except (TypeError, ValueError):
        raise DtypeError(f"positions={shown(positions)} must be a sequence of numbers") from None
    if places.shape != (count,):
        raise ShapeError(f"expected one position for each of {count} images; found shape {places.shape}")
    steps = np.diff(places)
    if not np.isfinite(places).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise ParameterError(
            f"positions={shown(positions)} must be finite, and ascending or descending; sort the images by position"
        )
    return places


def depth_of(planes: SharpestPlanes, positions: Array) -> DepthMap:
    """Return the depth map, after all images were added.

    Parameters
    ----------
    planes : SharpestPlanes
        With the surroundings of the maximum.
    positions : ndarray
        (N,), ascending or descending.
    """
    index = planes.without_islands()
    around = planes.surroundings()
    low, high = float(positions.min()), float(positions.max())
    depth, confidence = np.empty(index.shape, _type_of(positions)), np.empty(index.shape, np.float32)
    black, white = planes.guide_range()
    halo = 2 * RADIUS
    strength = max(float(around.best.mean()), np.finfo(np.float32).tiny)

    def compute(start: int, stop: int) -> None:
        read, inner = strip_with_halo(len(index), start, stop, halo)
        best, before, after, mean = (array[read] for array in around)
        certain = _confidence(best, mean, planes.count)
        # The lowest position is added at the end: float32 would round large positions.
        found = _peak(planes.index[read], best, before, after, positions - low)
        # The depth of an island comes from its surroundings.
        certain[index[read] != planes.index[read]] = 0
        guide = (planes.sharp[read].astype(np.float32) - black) / (white - black)
        smooth = _weighted_guided_filter(guide, found, certain * (best / strength) ** 2 + LEAST)
        depth[start:stop] = np.clip(smooth[inner] + depth.dtype.type(low), low, high)
        confidence[start:stop] = certain[inner]
        unknown = ~np.isfinite(best[inner]) | (best[inner] < 0)
        depth[start:stop][unknown], confidence[start:stop][unknown] = math.nan, 0

    each_strip(index.shape, compute)
    return DepthMap(depth, confidence)


def _type_of(positions: Array) -> type[np.floating[Any]]:
    """Return float32 if it holds the positions to a hundredth of a step, otherwise float64."""
    step = float(np.abs(np.diff(positions)).min())
    return np.float32 if float(np.spacing(np.float32(np.abs(positions).max()))) <= step / 100 else np.float64


def _confidence(best: Array, mean: Array, count: int) -> Array:
    """Return 1 minus the mean measure of the other images over that of the sharpest."""
    others = (mean * count - best) / max(count - 1, 1)
    certain = 1 - others / np.where(best > 0, best, 1)
    certain[best <= 0] = 0
    return np.clip(certain, 0, 1).astype(np.float32)


def _peak(index: Array, best: Array, before: Array, after: Array, positions: Array) -> Array:
    """Return the vertex of the parabola through the logarithms of three measures, and positions at the ends."""
    steps = np.diff(positions)
    left = np.concatenate([[0], -steps])[index]
    right = np.concatenate([steps, [0]])[index]
    inside = (before > 0) & (after > 0) & (best > 0)
    safe = np.where(inside, best, 1)
    lower, upper = (np.log(np.where(inside, side, 1) / safe) for side in (before, after))
    bend = right * lower - left * upper
    shift = (right**2 * lower - left**2 * upper) / (2 * np.where(bend != 0, bend, 1))
    shift = np.where(inside & (bend != 0), shift, 0)
    # Half a step is the largest distance to the nearest image.
    ends = np.sort(np.stack([left, right]) / 2, axis=0)
    peak: Array = (positions[index] + np.clip(shift, ends[0], ends[1])).astype(np.float32)
    return peak


def _weighted_guided_filter(guide: Array, values: Array, weights: Array) -> Array:
    """Smooth values by the guided filter, where each pixel counts with its weight."""
    window = (2 * RADIUS + 1,) * 2

    def mean(array: Array) -> Array:
        averaged: Array = cv2.blur(array, window)
        return averaged

    total = mean(weights)
    middle = float(values.mean())
    values = values - np.float32(middle)
    guided = weights * guide
    mean_guide, mean_values = mean(guided) / total, mean(weights * values) / total
    slope = (mean(guided * values) / total - mean_guide * mean_values) / (
        mean(guided * guide) / total - mean_guide**2 + EPS
    )
    offset = mean_values - slope * mean_guide
    smooth: Array = (mean(weights * slope) * guide + mean(weights * offset)) / total + middle
    return smooth
