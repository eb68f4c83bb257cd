"""Light that changes between the images of a focus stack. May import `display` and what is below it.

A focus measure that grows with a power of the light is divided by this power of the mean level.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.focus.measures import planes_of
from edgekit.focus.search import Peak, find_peak

Array = NDArray[Any]

#: The part of the correction that is taken as uncertain: the mean level contains the black level of the camera, which
#: does not change with the light.
UNCERTAIN = 1 / 3

#: The part of a step that is taken as uncertain: no curve has exactly the shape of a focus measure.
SHAPE = 0.01


def mean_level(image: Array, mask: Array | None = None) -> float:
    """Return the mean luminance of the finite pixels that are not masked; NaN if there are none."""
    plane = planes_of(image)
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


def find_peak_in_light(
    positions: Sequence[float], scores: Sequence[float], levels: Sequence[float], power: int
) -> Peak:
    """Find the peak of scores that were measured in changing light; see `edgekit.find_peak`.

    Its error contains a part of the distance to the peak of the scores as they are.

    Raises
    ------
    ParameterError
        As `find_peak`.
    """
    peak, plain = (find_peak(positions, each) for each in (normalised(scores, levels, power), scores))
    if peak.error is None:
        return peak
    step = float(np.median(np.diff(np.unique(positions))))
    moved = peak.position - plain.position if plain.status == "peak" else 0.0
    return replace(peak, error=math.hypot(peak.error, UNCERTAIN * moved, SHAPE * step))
