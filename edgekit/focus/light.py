"""Light that changes between the images of a focus stack. May import `display` and what is below it.

A focus measure that grows with a power of the light is divided by this power of the mean level.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.common.load_cv2 import cv2
from edgekit.focus.measures import MEASURES, sharpness
from edgekit.focus.planes import planes_of

Array = NDArray[Any]


def mean_level(image: Array, mask: Array | None = None) -> float:
    """Return the mean luminance of the finite pixels that are not masked; NaN if there are none."""
    if isinstance(image, np.ndarray) and image.ndim == 2 and image.dtype in (np.uint8, np.uint16):
        counted = None if mask is None else (~mask).view(np.uint8)
        return float(cv2.mean(image, counted)[0]) if counted is None or counted.any() else math.nan
    plane = backend_of(image).to_numpy(planes_of(image))
    chosen = plane if mask is None else plane[~mask]
    mean = float(np.mean(chosen)) if chosen.size else math.nan
    if not math.isfinite(mean):
        chosen = chosen[np.isfinite(chosen)]
        mean = float(np.mean(chosen)) if chosen.size else math.nan
    return mean


def normalised(scores: Sequence[float], levels: Sequence[float], power: int) -> list[float]:
    """Return scores as they would be at the median level; unchanged if a level is not above 0.

    Parameters
    ----------
    scores, levels : sequence of float
        Scores that are not finite stay.
    power : int
        The power of the contrast that the measure is proportional to.
    """
    known = [level for score, level in zip(scores, levels, strict=True) if math.isfinite(score)]
    if power == 0 or not known or not all(math.isfinite(level) and level > 0 for level in known):
        return list(scores)
    middle = float(np.median(known))
    return [s * (middle / v) ** power if math.isfinite(s) else s for s, v in zip(scores, levels, strict=True)]


class ImageScore:
    """Measures images one after another, as if the light were that of the first one.

    Parameters
    ----------
    measure : str
        A name in `edgekit.MEASURES`.
    """

    def __init__(self, measure: str) -> None:
        self._measure, self._first = measure, math.nan

    def __call__(self, image: Any) -> float:
        """Return the score of an image (H, W) or (H, W, C), or of a tensor of one image."""
        score = float(sharpness(image, self._measure))
        level = mean_level(image)
        if not level > 0:
            return score
        self._first = level if math.isnan(self._first) else self._first
        return score * (self._first / level) ** MEASURES[self._measure].contrast
