"""Compiled loops where they pay. May import NumPy, plans and, once it is worth while, loops.

Loading them takes as long as filtering a thousand megapixels without: they are loaded when a process has
done as much, or at once if Numba is there already. ``EDGEKIT_FAST=1`` loads them at the first image,
``EDGEKIT_FAST=0`` never.
"""

import math
import os
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError
from edgekit.operators.borders import index_map
from edgekit.operators.filter_spec import Plan, exact

Array = NDArray[Any]

MODE = os.environ.get("EDGEKIT_FAST", "")

#: Pixels whose filtering without takes as long as loading: half a second, at the half of a millisecond that the
#: magnitude of one megapixel costs more on one core.
PAYS = 10**9

#: Smaller images are not counted, and not worth it.
LEAST = 2**16

#: Images of these types, with values no larger, are taken where no order of summing rounds: compiled or not, the bits
#: are the same.
_LARGEST = {np.dtype(np.uint8): 255, np.dtype(np.int8): 128, np.dtype(np.uint16): 65535, np.dtype(np.int16): 32768}

#: Binary digits of single precision.
SINGLE = 24

#: Factors beyond this, or its inverse, may leave the range of single precision on the way.
_MOST = 2.0**100

_met = 0


def loops(pixels: int, *, counts: bool = True) -> ModuleType | None:
    """Return the compiled loops if they are to be used for so many pixels.

    Parameters
    ----------
    pixels : int
        How many.
    counts : bool
        Whether what is to be done with them brings their loading nearer. It should save as much as `PAYS` says.

    Raises
    ------
    MissingExtraError
        If they are asked for and Numba is not installed, or does not load.
    """
    global _met
    if _never(pixels):
        return None
    if MODE == "1":
        return _load(asked=True)
    _met += pixels if counts else 0
    return _load(asked=False) if _met >= PAYS or "numba" in sys.modules else None


def _never(pixels: int) -> bool:
    return MODE == "0" or (MODE != "1" and pixels < LEAST)


@cache
def _load(*, asked: bool) -> ModuleType | None:
    try:
        from edgekit.backends.opencv import jit_loops
    except Exception as error:  # A Numba older than NumPy fails in many ways.
        if asked:
            raise MissingExtraError(f"EDGEKIT_FAST=1 needs Numba ({error}): {install_command('fast')}") from error
        return None
    return jit_loops


def response(image: Array, plan: Plan) -> Callable[[int, Array], Array] | None:
    """Return a function that computes ``response(start, into)``, or None where no loop fits.

    It fills `into`, rows from `start` on of what `plan` says.
    """
    if _never(image.size) or plan.border == "valid" or min(image.shape) < 2 or not image.flags.c_contiguous:
        return None
    if not exact(plan, _LARGEST.get(image.dtype, math.inf), SINGLE):
        return None
    planes = _planes(plan)
    compiled = loops(image.size) if planes else None
    if planes is None or compiled is None:
        return None
    name, taps, weights = planes
    # The taps are all multiples of this power of two: they become whole numbers, and no weight is rounded by it.
    grain = min(k.grain for k in plan.kernels)
    factors = (grain, *(w * grain for plane in weights for w in plane if w))
    if not all(1 / _MOST < abs(factor) < _MOST for factor in factors):
        return None
    whole = tuple(np.int32(t / grain) for t in taps)
    each = [tuple(np.float32(w * grain) for w in plane) for plane in weights]
    beyond = tuple(i for n in image.shape for end in (-1, n) for i in index_map(end, end + 1, n, plan.border))
    loop = getattr(compiled, name)

    def compute(start: int, into: Array) -> Array:
        for factor, plane in zip(each, into.reshape(-1, *into.shape[-2:]), strict=True):
            loop(image, start, beyond, whole, factor, plane)
        return into

    return compute


def _planes(plan: Plan) -> tuple[str, tuple[float, ...], list[tuple[float, ...]]] | None:
    """Return the loop that computes a response, the taps it is given, and the weights for each plane."""
    if plan.even is not None:
        *taps, weight = plan.even
        return "even", tuple(taps), [(weight,)]
    if plan.pair is None:
        return None
    corner, middle, weights = plan.pair
    if plan.reduce != "magnitude":
        return "gradient_along", (corner, middle), list(weights)
    unit = weights[0][0]
    return ("gradient_magnitude", (corner, middle), [(unit,)]) if weights == ((unit, 0), (0, unit)) else None
