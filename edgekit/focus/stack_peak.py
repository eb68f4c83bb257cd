"""The peak of a focus stack whose light may change. May import `display` and what is below it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekit.focus.light import normalised
from edgekit.focus.search import Peak, find_peak

#: The part of the correction that is taken as uncertain: the mean level contains the black level of the camera, which
#: does not change with the light.
UNCERTAIN = 1 / 3

#: The part of a step that is taken as uncertain: no curve has exactly the shape of a focus measure.
SHAPE = 0.01


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
