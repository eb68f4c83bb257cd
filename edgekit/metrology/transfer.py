"""Transfer curves: from the values of a file to linear light. May import `common`."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.common.choices import plain_number, shown
from edgekit.errors import ParameterError

Array = NDArray[Any]

#: None: the values are linear. A number: light is this power of the value. ``srgb``: the curve of IEC 61966-2-1. Or any
#: function from values in [0, 1] to light in [0, 1].
Gamma = float | Literal["srgb"] | Callable[[Array], Array] | None


def check_gamma(gamma: Any) -> None:
    """Raise `ParameterError` unless this is a transfer curve."""
    number = plain_number(gamma)
    good = not isinstance(number, bool) and isinstance(number, int | float) and 0 < number <= 10
    if not (gamma is None or good or (isinstance(gamma, str) and gamma == "srgb") or callable(gamma)):
        raise ParameterError(f'gamma={shown(gamma)} must be None, a number above 0 such as 2.2, or "srgb"')


def to_light(values: Array, gamma: Gamma, limits: tuple[float, float]) -> Array:
    """Return values as linear light, in the same range.

    Parameters
    ----------
    values : ndarray of float
    gamma : float, callable, "srgb" or None
    limits : (float, float)
        The values of black and white. Values beyond are continued symmetrically.
    """
    if gamma is None:
        return values
    low, high = limits
    part = (values - low) / (high - low)
    size = np.abs(part)
    if callable(gamma):
        light = gamma(size)
    elif gamma == "srgb":
        light = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    else:
        light = size ** float(gamma)
    result: Array = low + (high - low) * np.sign(part) * light
    return result
