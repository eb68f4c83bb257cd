"""8 bits whose sums round nothing: filtered as they are, with OpenCV's own borders, instead of padded and cut off.

May import plans, taps, what serves the backend here, and cv2.
"""

import math
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import Frame, Rounding
from edgekit.backends.opencv import tiling
from edgekit.backends.opencv.arithmetic import magnitude, mix
from edgekit.backends.opencv.correlation import Call, program
from edgekit.backends.opencv.jit import SINGLE
from edgekit.backends.opencv.padding import BORDERS, apart, window
from edgekit.common.load_cv2 import cv2
from edgekit.operators.filter_spec import Plan, exact
from edgekit.operators.kernels import Vector

Array = NDArray[Any]


class _Way(NamedTuple):
    """How to filter, and what to make of it."""

    filter: Callable[[Array, int], Array]
    """Given pixels (H, W) and a border in OpenCV's words, returns N linear responses (N, H, W)."""
    borders: Collection[str]
    """Those it knows."""
    join: Callable[[Array, Array], None]
    """Given those responses where they are wanted, fills the result."""


def response(image: Array, plan: Plan) -> Callable[[int, Array], Array] | None:
    """Return a function that computes ``response(start, into)``, or None where there is no such way.

    It fills `into`, rows from `start` on of what `plan` says.
    """
    if image.dtype != np.uint8 or plan.border == "valid" or not exact(plan, 255, SINGLE):
        return None
    way = _way(plan)
    if way is None:
        return None
    rows, columns = image.shape
    top, bottom, left, _ = plan.halo
    bare = plan.border in way.borders
    if bare:
        image = apart(image)

    def compute(start: int, into: Array) -> Array:
        stop = start + into.shape[-2]
        if bare:
            first, last = max(start - top, 0), min(stop + bottom, rows)
            responses = way.filter(image[first:last], BORDERS[plan.border])
            wanted = responses[:, start - first : stop - first]
        else:
            layout = Frame(rows, columns, None, (), channel_axis=-1)
            seen = window(image, layout, start, stop, plan.halo, plan.border, image.dtype, 0)
            responses = way.filter(seen, cv2.BORDER_REPLICATE)
            wanted = responses[:, top : top + stop - start, left : left + columns]
        way.join(wanted, into)
        return into

    return compute


@lru_cache(maxsize=256)
def _way(plan: Plan) -> _Way | None:
    weights = [component.weights for component in plan.components]
    if plan.reduce == "maximum" or any(side % 2 == 0 for side in plan.shape):
        return None
    # Sums of so many taps are joined in double precision, and rounded once, where there is something to join.
    if plan.wide and weights != [(1,)]:
        return None
    if sobel := _sobel(plan):
        return sobel
    programs = [program(kernel, np.dtype(np.float32), Rounding.NONE) for kernel in plan.kernels]
    runs = [run for chains in programs for chain in chains for run in chain]
    calls = [run for run in runs if isinstance(run, Call)]
    kinds = {call.of_bytes for call in calls}
    if len(calls) < len(runs) or len(runs) > len(programs) or len(kinds) > 1:
        return None

    def filtered(image: Array, border: int) -> Array:
        responses = tiling.empty((len(calls), *image.shape), calls[0].of_bytes)
        for call, response in zip(calls, responses, strict=True):
            call.fill(image, border, response)
        return responses

    return _Way(filtered, BORDERS, _joined(plan, weights))


def _sobel(plan: Plan) -> _Way | None:
    """Use OpenCV's one function for both components, where there are both."""
    if plan.pair is None:
        return None
    corner, middle, weights = plan.pair
    both = all(any(w) for w in zip(*weights, strict=True))
    # Another factor would round in other places than where it multiplies the components.
    if not both or middle != 2 * corner or abs(math.frexp(corner)[0]) != 0.5:
        return None

    def root_of_squares(components: Array, into: Array) -> None:
        gx, gy = floats = tiling.empty(components.shape, np.float32)
        np.copyto(floats, components)
        # Squares and sum are whole numbers below 2^24: none of this rounds but the root. Beside a power of two the
        # only factor of both components is 1: the plan has put it into the taps.
        gx *= gx
        cv2.accumulateSquare(gy, gx)
        gx *= corner * corner
        cv2.sqrt(gx, into)

    weighted = [tuple(corner * w for w in plane) for plane in weights]
    join = root_of_squares if plan.reduce == "magnitude" else _joined(plan, weighted)
    return _Way(_spatial_gradient, ("reflect", "edge"), join)


def _spatial_gradient(image: Array, border: int) -> Array:
    gx, gy = components = tiling.empty((2, *image.shape), np.int16)
    cv2.spatialGradient(image, gx, gy, borderType=border)
    return components


def _joined(plan: Plan, weights: Sequence[Vector]) -> Callable[[Array, Array], None]:
    """Return what mixes responses with weights for each component, and joins those."""

    def planes(responses: Array, into: Array) -> None:
        for weight, plane in zip(weights, into.reshape(-1, *into.shape[-2:]), strict=True):
            _put(mix(responses, weight, plane), plane)

    def root(responses: Array, into: Array) -> None:
        gx, gy = (mix(responses, weight) for weight in weights)
        _put(magnitude(gx, gy, into, overwrite=True), into)

    return root if plan.reduce == "magnitude" else planes


def _put(made: Array, into: Array) -> None:
    if made is not into:
        np.copyto(into, made)
