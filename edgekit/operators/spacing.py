"""The spacing of pixels: its check, and its factors for the kernels of an operator. Standard library only."""

import math
from numbers import Real
from typing import Any

from edgekit.common.choices import shown
from edgekit.errors import ParameterError
from edgekit.operators.kernels import Kernel, Vector, combined
from edgekit.operators.table import Kind, Operator

#: The distance of neighbouring pixels: one number, or (dy, dx).
Spacing = float | tuple[float, float]

#: The spacing of responses per pixel.
PIXELS = (1.0, 1.0)

#: Least and largest distance. Single precision holds responses divided by their squares.
LEAST, LARGEST = 1e-12, 1e12

#: Largest ratio of the two distances.
LARGEST_RATIO = 1e5


def pixel_spacing(spacing: Any) -> tuple[float, float]:
    """Check a spacing and return it as (dy, dx).

    Raises
    ------
    ParameterError
        If it is neither a positive, finite number nor a tuple of two.
    """
    pair = spacing if isinstance(spacing, tuple) else (spacing, spacing)
    distances = [_as_float(distance) for distance in pair]
    if len(pair) != 2 or not all(0 < d < math.inf for d in distances):
        raise ParameterError(
            "spacing must be the distance of neighbouring pixels: a positive, finite number, or a tuple (dy, dx) of "
            f"two; found {shown(spacing)}"
        )
    least, largest = sorted(distances)
    if least < LEAST or largest > LARGEST or largest > LARGEST_RATIO * least:
        raise ParameterError(
            f"spacing must be from {LEAST:g} to {LARGEST:g}, and its two distances within a factor of "
            f"{LARGEST_RATIO:g}; found {shown(spacing)}. Choose another unit of length"
        )
    dy, dx = distances
    return dy, dx


def _as_float(value: Any) -> float:
    """Return a real number as a float; NaN for all other objects."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check_operator(
    operator: Operator, parameters: dict[str, Any], rotate: str, scale: str, dy: float, dx: float
) -> None:
    """Raise if responses of the operator cannot be given for this spacing.

    Raises
    ------
    ParameterError
        The message names the spacing, and what to use instead.
    """
    if (dy, dx) == PIXELS:
        return
    found = f"found spacing={dx:g}" if dy == dx else f"found spacing=({dy:g}, {dx:g})"
    if operator.order == 0:
        raise ParameterError(f"a kernel of your own is not a derivative and has no unit: it takes no spacing; {found}")
    if scale == "raw":
        raise ParameterError(f'raw responses have no unit, and take no spacing; {found}. Use scale="unit"')
    if dy == dx:
        return
    if operator.kind is Kind.COMPASS:
        reason, advice = "its kernels are rotated versions of one", "a gradient operator, such as sobel"
    elif operator.kind is Kind.GRADIENT and rotate == "ring":
        reason, advice = "kernels are rotated", 'rotate="steer"'
    elif operator.kind is Kind.GRADIENT and operator.axis:
        reason, advice = "its kernels are diagonal", "another gradient operator, such as central"
    elif operator.kind is Kind.LAPLACIAN and operator.second_derivatives(**parameters) is None:
        reason = "its kernel is not the sum of a derivative along x and one along y"
        advice = "laplacian with stencil 4 or with sigma"
    else:
        return
    raise ParameterError(
        f"{operator.name} needs the same spacing along x and y, because {reason}; {found}. Use {advice}"
    )


def spaced(
    operator: Operator, parameters: dict[str, Any], kernels: tuple[Kernel, ...], dy: float, dx: float
) -> tuple[tuple[Kernel, ...], Vector]:
    """Return the kernels for pixels of this spacing, and the factor of the response of each.

    The factors of a spacing of 1 are exactly 1.
    """
    if operator.order < 2:
        # Unequal distances pass the check above only with two kernels, along x and y.
        return kernels, (1 / dx, 1 / dy) if dy != dx else (1 / dx,) * len(kernels)
    longest = max(dy, dx)
    pair = operator.second_derivatives(**parameters) if dy != dx else None
    if pair is not None:
        # Relative to the longer distance: integers stay integers if its ratio to the shorter one is an integer.
        kernels = (combined(((longest / dx) ** 2, (longest / dy) ** 2), pair),)
    return kernels, (1 / longest**2,) * len(kernels)
