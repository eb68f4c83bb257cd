"""Transfer curves: from the values of a file to linear light. May import `common` and what is below it."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.common.choices import plain_number, shown
from edgekit.errors import ParameterError

Array = NDArray[Any]

#: None: the values are linear. A number: light is this power of the value. ``srgb``: the curve of IEC 61966-2-1. An
#: array: the light of equally spaced values from black to white.
Gamma = float | Literal["srgb"] | Array | None


def check_gamma(gamma: Any) -> None:
    """Raise `ParameterError` unless this is a transfer curve."""
    number = plain_number(gamma)
    good = gamma is None or (isinstance(gamma, str) and gamma == "srgb")
    good = good or (not isinstance(number, bool) and isinstance(number, int | float) and 0 < number <= 10)
    if isinstance(gamma, np.ndarray) and gamma.ndim == 1 and len(gamma) > 1 and gamma.dtype.kind in "iuf":
        good = bool(np.isfinite(gamma).all())
    if not good:
        raise ParameterError(
            f'gamma={shown(gamma)} must be None, a number above 0 such as 2.2, "srgb", or an array (N,) of light'
        )


def to_light(values: Array, gamma: Gamma, limits: tuple[float, float]) -> Array:
    """Return values as linear light, in the same range.

    Parameters
    ----------
    values : ndarray of float
    gamma : float, ndarray, "srgb" or None
    limits : (float, float)
        The values of black and white. Values beyond are continued symmetrically.
    """
    if gamma is None:
        return values
    low, high = limits
    part = (values - low) / (high - low)
    size = np.abs(part)
    gamma = plain_number(gamma)
    if isinstance(gamma, np.ndarray):
        light = np.interp(size, np.linspace(0, 1, len(gamma)), gamma)
    elif gamma == "srgb":
        light = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    else:
        light = size ** float(gamma)
    result: Array = low + (high - low) * np.sign(part) * light
    return result
