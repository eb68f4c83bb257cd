"""Turns the options of a filter into a specification of what to compute. Standard library only.

Options are checked once and specifications are cached.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple, get_args

from edgekit.common.choices import check_choice
from edgekit.errors import ParameterError
from edgekit.operators.borders import BORDERS, OTHER_NAMES
from edgekit.operators.kernels import (
    NARROW,
    Kernel,
    Matrix,
    Vector,
    step_peak,
    sums_to_zero,
    support,
    transpose,
    weighted_sum,
)
from edgekit.operators.spacing import PIXELS, check_operator, spaced
from edgekit.operators.table import OPERATORS, Kind, Operator, cos_sin

Channel = Literal["each", "luminance", "max", "dizenzo"]
Tone = Literal["linear", "log"]
Scale = Literal["unit", "raw"]
Rotate = Literal["steer", "ring"]
AngleOf = Literal["gradient", "edge"]

Nan = Literal["ignore", "propagate"]

CHANNELS = get_args(Channel)
TONES = get_args(Tone)
SCALES = get_args(Scale)
ROTATIONS = get_args(Rotate)
ANGLE_REFERENCES = get_args(AngleOf)
NAN_HANDLING = get_args(Nan)


class Component(NamedTuple):
    """One linear response: the weighted sum of the responses of the kernels.

    Attributes
    ----------
    weights : tuple of float
        One for each kernel.
    coefficients : tuple of tuple of float
        The one kernel that has this response.
    support : Kernel
        1 where a coefficient is not zero. An invalid pixel there makes the response invalid.
    cancels : bool
        Whether coefficients of the kernels cancel, so that the support is smaller than that of the kernels.
    """

    weights: tuple[float, ...]
    coefficients: Matrix
    support: Kernel
    cancels: bool


class GradientPair(NamedTuple):
    """The kernels [[-corner, 0, corner], [-middle, 0, middle], [-corner, 0, corner]] and its transpose.

    There are two weights for each component.
    """

    corner: float
    middle: float
    weights: tuple[Vector, ...]


class SymmetricKernel(NamedTuple):
    """The kernel [[corner, edge, corner], [edge, centre, edge], [corner, edge, corner]] and its weight."""

    corner: float
    edge: float
    centre: float
    weight: float


Reduction = Literal["single", "stack", "magnitude", "maximum", "gradient"]


@dataclass(frozen=True, eq=False)
class FilterSpec:
    """A specification: the linear responses of a few kernels, and how they are reduced to the result.

    Everything that a response depends on is plain data, which torch.compile can read.

    Attributes
    ----------
    kernels : tuple of Kernel
        All of one shape.
    components : tuple of Component
        The linear responses.
    reduce : str
        ``single`` (one component), ``stack`` (on a new first axis), ``magnitude``, ``maximum``, or ``gradient`` (as
        ``stack``, but channels are combined as vectors).
    direction : float or None
        Of the first response, in degrees.
    border, channel, tone : str
        As for `edgekit.sobel`.
    spacing : tuple of float
        Distances (dy, dx) of neighbouring pixels.
    nan : str
        ``propagate`` or ``ignore``: what an exported graph does with pixels that are not finite.
    double : bool
        Whether large kernels are computed in double precision.
    shape : tuple of int
        Rows and columns of the kernels.
    halo : tuple of int
        Pixels above, below, left and right of an output pixel that the kernels cover.
    wide : bool
        Whether the kernels are so large that single precision would lose digits, and `double` is set.
    exact_factor : float
        Sums of n binary digits are exact for pixels up to this times 2ⁿ.
    largest_sum : float
        No partial sum exceeds this times the largest absolute pixel.
    """

    kernels: tuple[Kernel, ...]
    components: tuple[Component, ...]
    reduce: Reduction
    direction: float | None
    border: str
    channel: str
    tone: str
    spacing: tuple[float, float]
    nan: str
    double: bool

    shape: tuple[int, int] = field(init=False)
    halo: tuple[int, int, int, int] = field(init=False)
    wide: bool = field(init=False)
    exact_factor: float = field(init=False)
    largest_sum: float = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = shape = self.kernels[0].shape
        sums = [kernel.absolute_sum for kernel in self.kernels]
        # A weight below 1 is applied after the sum.
        weight = max(abs(w) for c in self.components for w in c.weights)
        for name, value in (
            ("shape", shape),
            ("halo", ((rows - 1) // 2, rows // 2, (columns - 1) // 2, columns // 2)),
            ("wide", self.double and max(shape) > NARROW),
            ("exact_factor", min(k.common_factor / total for k, total in zip(self.kernels, sums, strict=True))),
            ("largest_sum", max(1.0, *sums) * max(1.0, weight)),
        ):
            object.__setattr__(self, name, value)

    @cached_property
    def pair(self) -> GradientPair | None:
        """The components as those of a 3x3 gradient operator; None for other specifications."""
        first = self.kernels[0].coefficients
        if self.shape != (3, 3) or len(self.kernels) > 2 or self.reduce == "maximum":
            return None
        along_x = first if first[1][2] else transpose(first)
        corner, middle = along_x[0][2], along_x[1][2]
        if along_x != ((-corner, 0, corner), (-middle, 0, middle), (-corner, 0, corner)):
            return None
        weights = tuple(c.weights for c in self.components)
        if len(self.kernels) == 1:
            # Only one of the two directions is computed.
            both = tuple((w, 0.0) if along_x is first else (0.0, w) for (w,) in weights)
            return GradientPair(corner, middle, both)
        if self.kernels[1].coefficients != transpose(first) or along_x is not first:
            return None
        return GradientPair(corner, middle, weights)

    @cached_property
    def symmetric(self) -> SymmetricKernel | None:
        """The response as that of a 3x3 kernel with the symmetries of the square; None for other specifications."""
        if self.shape != (3, 3) or self.reduce != "single" or len(self.kernels) > 1:
            return None
        coefficients = self.kernels[0].coefficients
        (a, b, _), (_, c, _), _ = coefficients
        if coefficients != ((a, b, a), (b, c, b), (a, b, a)):
            return None
        return SymmetricKernel(a, b, c, *self.components[0].weights)

    @cached_property
    def step_response(self) -> float:
        """The largest absolute response to an ideal step of height 1 across the operator's direction.

        Without a direction the step runs across x or y. Of a bank only the first response counts. Kernels that do not
        respond to either step, such as a mixed derivative, have their largest response to any image of values from 0
        to 1 instead.
        """
        directions = map(cos_sin, (0.0, 90.0) if self.direction is None else (self.direction,))
        dy, dx = (distance / max(self.spacing) for distance in self.spacing)
        counted = self.components[:1] if self.reduce == "stack" else self.components
        peaks = [[step_peak(c.coefficients, cos * dx, sin * dy) for c in counted] for cos, sin in directions]
        found = max(math.hypot(*p) if self.reduce == "magnitude" else max(p) for p in peaks)
        signs = [[sum(max(s * t, 0.0) for line in c.coefficients for t in line) for s in (1, -1)] for c in counted]
        most = max(map(max, signs))
        return found if found > 1e-12 * most else most

    @property
    def keeps_level(self) -> bool:
        """Whether the coefficients do not sum to zero: a flat image has a response."""
        return not sums_to_zero(self.components[0].coefficients)


class RawResponses(NamedTuple):
    """Responses as the references print them: weighted sums of the responses of `kernels`.

    Attributes
    ----------
    kernels : tuple of Kernel
    angles : tuple of float or None
        One for each response; None without a direction.
    weights : tuple of tuple of float
        For each response one weight for each kernel.
    divisors : tuple of float
        The raw response divided by the divisor is the response at unit scale.
    """

    kernels: tuple[Kernel, ...]
    angles: tuple[float | None, ...]
    weights: tuple[Vector, ...]
    divisors: tuple[float, ...]

    @property
    def coefficients(self) -> list[Matrix]:
        """The kernel coefficients of each response."""
        return [weighted_sum(line, [k.coefficients for k in self.kernels]) for line in self.weights]


def raw_responses(
    operator: Operator, kernels: tuple[Kernel, ...], directions: Sequence[float] | None, rotate: str = "steer"
) -> RawResponses:
    """Return the raw responses of an operator, one for each of `directions`.

    Without directions a gradient operator has those of its two kernels, and a compass operator all eight.
    """
    if operator.kind is Kind.COMPASS or (rotate == "ring" and directions is not None):
        turns = tuple(a * 45.0 for a in range(8)) if directions is None else tuple(directions)
        turned = tuple(operator.turned(kernels[0], a) for a in turns)
        if operator.kind is Kind.COMPASS:
            # A compass operator has one divisor for all directions.
            divisors = (operator.divisor(kernels[0]),) * len(turns)
        else:
            divisors = tuple(operator.divisor(k, a) for k, a in zip(turned, turns, strict=True))
        weights = tuple(tuple(float(i == j) for j in range(len(turns))) for i in range(len(turns)))
        return RawResponses(turned, turns, weights, divisors)
    divisor = operator.divisor(kernels[0], operator.axis)
    if operator.kind is not Kind.GRADIENT:
        return RawResponses(kernels, (None,), ((1.0,),), (divisor,))
    turns = (operator.axis, operator.axis + 90.0) if directions is None else tuple(directions)
    weights = tuple(cos_sin(a - operator.axis) for a in turns)
    return RawResponses(kernels, turns, weights, (divisor,) * len(turns))


# typed: True must not find the specification of 1.
@lru_cache(maxsize=256, typed=True)
def filter_spec(
    operator: Operator,
    angles: tuple[float, ...] | None = None,
    *,
    result: Literal["reduced", "stack", "gradient"] = "reduced",
    angle_of: str = "gradient",
    rotate: str = "steer",
    scale: str = "unit",
    border: str = "reflect",
    channel: str = "each",
    tone: str = "linear",
    spacing: tuple[float, float] = PIXELS,
    nan: str = "propagate",
    double: bool = True,
    **parameters: Any,
) -> FilterSpec:
    """Check the options of a filter and return its specification.

    Parameters
    ----------
    operator : Operator
    angles : tuple of float, optional
        Directions in degrees. Without them a gradient operator gives its magnitude, a compass
        operator the maximum of its eight responses.
    result : str
        ``reduced``: one response. ``stack``: the responses of all angles on a new first axis. ``gradient``: the two
        components of the gradient.
    angle_of, rotate, scale, border, channel, tone : str
        As for `edgekit.sobel`.
    spacing : tuple of float
        Distances (dy, dx) of neighbouring pixels, as `edgekit.operators.spacing.pixel_spacing` returns them.
    nan : str
        As for the modules of `edgekit.nn`.
    double : bool
        Whether kernels of more than 7 rows or columns are computed in double precision.
    **parameters
        Values of the operator's own parameters.

    Raises
    ------
    ParameterError
        If an option is unknown or does not fit the operator.
    """
    check_choice("border", border, BORDERS, OTHER_NAMES)
    for name, value, known in (
        ("channel", channel, CHANNELS),
        ("tone", tone, TONES),
        ("scale", scale, SCALES),
        ("rotate", rotate, ROTATIONS),
        ("angle_of", angle_of, ANGLE_REFERENCES),
        ("nan", nan, NAN_HANDLING),
    ):
        check_choice(name, value, known)
    if channel == "dizenzo" and operator.kind is not Kind.GRADIENT:
        raise ParameterError(f'channel="dizenzo" combines gradients, and {operator.name} is not a gradient operator')
    if result == "gradient" and operator.kind is not Kind.GRADIENT:
        names = ", ".join(op.name for op in OPERATORS.values() if op.kind is Kind.GRADIENT)
        raise ParameterError(f"{operator.name} has no gradient vector; choose one of {names}")
    if angles is not None and not operator.directed:
        raise ParameterError(f"{operator.name} has no direction: it does not take an angle")
    if angles is None and (rotate, angle_of) != ("steer", "gradient"):
        option = f"angle_of={angle_of!r}" if rotate == "steer" else f"rotate={rotate!r}"
        raise ParameterError(f"{option} needs an angle; pass angle= (--angle)")
    kernels = operator.kernels(**parameters)
    directions = None if angles is None else tuple(_direction(a, angle_of) for a in angles)
    raw = raw_responses(operator, kernels, (0.0, 90.0) if result == "gradient" else directions, rotate)
    check_operator(operator, parameters, rotate, scale, *spacing)
    kernels, factors = spaced(operator, parameters, raw.kernels, *spacing)
    units = [1.0 if scale == "raw" else 1.0 / d for d in raw.divisors]
    weights = [
        tuple(w * unit * f for w, f in zip(line, factors, strict=True))
        for line, unit in zip(raw.weights, units, strict=True)
    ]

    reduce: Reduction = "single"
    if result == "gradient":
        reduce = "gradient"
    elif directions is not None:
        reduce = "stack" if result == "stack" else "single"
    elif operator.directed:
        reduce = "magnitude" if operator.kind is Kind.GRADIENT else "maximum"
    kernels, weights = _simplified(kernels, weights)
    return FilterSpec(
        kernels=tuple(k.prepared() for k in kernels),
        components=tuple(_component(w, kernels) for w in weights),
        reduce=reduce,
        direction=directions[0] if directions else None,
        border=border,
        channel=channel,
        tone=tone,
        spacing=spacing,
        nan=nan,
        double=double,
    )


def _component(weights: Vector, kernels: Sequence[Kernel]) -> Component:
    coefficients = weighted_sum(weights, [k.coefficients for k in kernels])
    largest = max(abs(c) for line in coefficients for c in line)
    not_zero = tuple(tuple(float(abs(c) > 1e-12 * largest) for c in line) for line in coefficients)
    used = [k for k, w in zip(kernels, weights, strict=True) if w]
    # In a kernel that is one product no coefficients cancel; in those of several they may.
    product = len(used) == 1 and len(used[0].chains) == 1
    cancels = not product and not_zero != support(used)
    return Component(weights, coefficients, Kernel.factored(not_zero).prepared(), cancels)


def _simplified(kernels: Sequence[Kernel], weights: list[Vector]) -> tuple[tuple[Kernel, ...], list[Vector]]:
    """Leave out kernels of weight 0. Multiply kernels by their weight where it is a power of two in one response.

    Such a product is exact, and saves a pass over the response.
    """
    kept, columns = [], []
    for kernel, column in zip(kernels, zip(*weights, strict=True), strict=True):
        parts = [w for w in column if w]
        if len(parts) == 1 and abs(math.frexp(parts[0])[0]) == 0.5:
            kept.append(kernel.scaled(parts[0]))
            columns.append([w / parts[0] for w in column])
        elif parts:
            kept.append(kernel)
            columns.append(list(column))
    return tuple(kept), list(zip(*columns, strict=True))


def _direction(angle: float, angle_of: str) -> float:
    if not math.isfinite(angle):
        raise ParameterError(f"angle={angle} must be finite; directions are degrees clockwise from +x")
    return (angle - 90.0 if angle_of == "edge" else float(angle)) % 360.0
