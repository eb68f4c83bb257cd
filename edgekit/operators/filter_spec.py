"""From options to what must be computed: validated once, remembered. Standard library only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from edgekit.common.names import unknown
from edgekit.errors import ParameterError
from edgekit.operators.borders import BORDERS
from edgekit.operators.kernels import NARROW, Kernel, Matrix, Vector, step_peak, touched, transpose, weighted_sum
from edgekit.operators.table import OPERATORS, Kind, Operator, cos_sin

CHANNELS = ("each", "luminance", "max", "dizenzo")
TONES = ("linear", "log")
SCALES = ("unit", "raw")
ROTATIONS = ("steer", "ring")
ANGLE_REFERENCES = ("gradient", "edge")


class Component(NamedTuple):
    """One linear response: a weight for each kernel of the plan, and the taps that come of them."""

    weights: tuple[float, ...]
    taps: Matrix

    footprint: Kernel
    """1 where a tap is not zero: where an invalid pixel spoils the response."""

    cancels: bool
    """Whether the kernels touch more than that: some of their taps cancel."""


class Pair(NamedTuple):
    """A gradient by [[-corner, 0, corner], [-middle, 0, middle], [-corner, 0, corner]] and the same along y.

    There is a weight for each of the two for every response.
    """

    corner: float
    middle: float
    weights: tuple[Vector, ...]


class Even(NamedTuple):
    """A kernel [[corner, edge, corner], [edge, centre, edge], [corner, edge, corner]] and its weight."""

    corner: float
    edge: float
    centre: float
    weight: float


@dataclass(frozen=True, eq=False)
class Plan:
    """What to compute: linear components of a few kernels, and how to reduce them to the result.

    All that is needed on the way to a response is plain data, which torch.compile can read.

    Attributes
    ----------
    kernels : tuple of Kernel
        All of one shape.
    components : tuple of Component
        Linear responses, scaled.
    reduce : str
        ``single`` (there is one component), ``stack`` (on a new first axis), ``magnitude``,
        ``maximum``, or ``gradient`` (as ``stack``, but channels are joined as vectors).
    """

    kernels: tuple[Kernel, ...]
    components: tuple[Component, ...]
    reduce: str
    direction: float | None
    border: str
    channel: str
    tone: str

    shape: tuple[int, int] = field(init=False)
    """(rows, columns) of the kernels."""
    halo: tuple[int, int, int, int] = field(init=False)
    """Pixels needed above, below, left and right of the response's window."""
    wide: bool = field(init=False)
    """Whether so many taps add up that single precision would lose digits."""
    finest: float = field(init=False)
    """Arithmetic of n binary digits rounds nothing up to this times 2ⁿ, as the largest absolute pixel."""
    reach: float = field(init=False)
    """No sum on the way is larger than this times the largest absolute pixel."""

    def __post_init__(self) -> None:
        rows, columns = size = self.kernels[0].shape
        halo = (rows - 1) // 2, rows // 2, (columns - 1) // 2, columns // 2
        finest = min(k.grain / k.reach for k in self.kernels)
        # What is weighted less than 1 is subtracted before.
        weight = max(abs(w) for c in self.components for w in c.weights)
        reach = max(1.0, *(k.reach for k in self.kernels)) * max(1.0, weight)
        for name, value in (
            ("shape", size), ("halo", halo), ("wide", max(size) > NARROW), ("finest", finest), ("reach", reach),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @cached_property
    def pair(self) -> Pair | None:
        """The components as those of a 3x3 gradient smoothed by a, b, a; None where they are something else."""
        first = self.kernels[0].taps
        if self.shape != (3, 3) or len(self.kernels) > 2 or self.reduce == "maximum":
            return None
        along = first if first[1][2] else transpose(first)
        a, b = along[0][2], along[1][2]
        if along != ((-a, 0, a), (-b, 0, b), (-a, 0, a)):
            return None
        weights = tuple(c.weights for c in self.components)
        if len(self.kernels) == 1:
            return Pair(a, b, tuple((w, 0.0) if along is first else (0.0, w) for (w,) in weights))
        return Pair(a, b, weights) if self.kernels[1].taps == transpose(first) and along is first else None

    @cached_property
    def even(self) -> Even | None:
        """The one response as that of a 3x3 kernel with the symmetries of the square; else None."""
        if self.shape != (3, 3) or self.reduce != "single" or len(self.kernels) > 1:
            return None
        taps = self.kernels[0].taps
        (a, b, _), (_, c, _), _ = taps
        return Even(a, b, c, *self.components[0].weights) if taps == ((a, b, a), (b, c, b), (a, b, a)) else None

    @cached_property
    def step(self) -> float:
        """The largest absolute response to an ideal step of height 1 across the operator's direction.

        Without a direction the step runs across x or y; of a bank only the first response counts. Of kernels
        that do not respond to either, such as a mixed derivative, it is the largest response to any image
        of values from 0 to 1.
        """
        across = (0.0, 90.0) if self.direction is None else (self.direction,)
        counted = self.components[:1] if self.reduce == "stack" else self.components
        peaks = [[step_peak(c.taps, *cos_sin(a)) for c in counted] for a in across]
        found = max(math.hypot(*p) if self.reduce == "magnitude" else max(p) for p in peaks)
        signs = [[sum(max(s * t, 0.0) for line in c.taps for t in line) for s in (1, -1)] for c in counted]
        most = max(map(max, signs))
        return found if found > 1e-12 * most else most


class Unscaled(NamedTuple):
    """Responses as the references print them: each is a weighted sum of `kernels`.

    There is an angle (None where there is no direction), a line of weights and a divisor for each
    response. The raw response over the divisor is that of the unit scale.
    """

    kernels: tuple[Kernel, ...]
    angles: tuple[float | None, ...]
    weights: tuple[Vector, ...]
    divisors: tuple[float, ...]

    @property
    def tables(self) -> list[Matrix]:
        """The kernel coefficients of each response."""
        return [weighted_sum(line, [k.taps for k in self.kernels]) for line in self.weights]


def unscaled(
    operator: Operator, kernels: tuple[Kernel, ...], directions: Sequence[float] | None, rotate: str = "steer"
) -> Unscaled:
    """Return the raw responses of an operator, one for each of `directions`.

    Without directions a gradient operator has those of its two kernels, a compass operator all eight.
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
        return Unscaled(turned, turns, weights, divisors)
    divisor = operator.divisor(kernels[0], operator.axis)
    if operator.kind is not Kind.GRADIENT:
        return Unscaled(kernels, (None,), ((1.0,),), (divisor,))
    turns = (operator.axis, operator.axis + 90.0) if directions is None else tuple(directions)
    weights = tuple(cos_sin(a - operator.axis) for a in turns)
    return Unscaled(kernels, turns, weights, (divisor,) * len(turns))


# No method: torch.compile does not call those of a plan.
def exact(plan: Plan, largest: float, digits: int) -> bool:
    """Tell whether arithmetic of so many binary digits rounds nothing, for absolute pixels up to `largest`."""
    return largest <= plan.finest * 2.0**digits


@lru_cache(maxsize=256)
def plan(
    operator: Operator,
    parameters: tuple[tuple[str, Any], ...] = (),
    angles: tuple[float, ...] | None = None,
    *,
    many: bool = False,
    components: bool = False,
    angle_of: str = "gradient",
    rotate: str = "steer",
    scale: str = "unit",
    border: str = "reflect",
    channel: str = "each",
    tone: str = "linear",
) -> Plan:
    """Check the options of one filtering and work out what it must compute.

    Parameters
    ----------
    operator : Operator
        The row.
    parameters : tuple of (name, value)
        Values for the operator's own parameters.
    angles : tuple of float, optional
        Directions in degrees. Without them a gradient or compass operator gives its magnitude.
    many : bool
        Stack the responses, one for each angle, on a new first axis.
    components : bool
        Give the gradient's two components instead of its magnitude.

    Raises
    ------
    ParameterError
        For the first option that is not known or does not fit the operator.
    """
    for name, value, known in (
        ("border", border, BORDERS),
        ("channel", channel, CHANNELS),
        ("tone", tone, TONES),
        ("scale", scale, SCALES),
        ("rotate", rotate, ROTATIONS),
        ("angle_of", angle_of, ANGLE_REFERENCES),
    ):
        if value not in known:
            raise ParameterError(unknown(name, value, known))
    if channel == "dizenzo" and operator.kind is not Kind.GRADIENT:
        raise ParameterError(f'channel="dizenzo" joins gradients, and {operator.name} is not a gradient operator')
    if components and operator.kind is not Kind.GRADIENT:
        names = ", ".join(op.name for op in OPERATORS.values() if op.kind is Kind.GRADIENT)
        raise ParameterError(f"{operator.name} has no gradient vector; choose one of {names}")
    if angles is not None and not operator.directed:
        raise ParameterError(f"{operator.name} has no direction: it does not take an angle")
    if angles is None and (rotate, angle_of) != ("steer", "gradient"):
        raise ParameterError(f"rotate={rotate!r} and angle_of={angle_of!r} say how to read an angle; give one")
    kernels = operator.kernels(**dict(parameters))
    directions = None if angles is None else tuple(_direction(a, angle_of) for a in angles)
    if components:
        directions = (0.0, 90.0)

    raw = unscaled(operator, kernels, directions, rotate)
    units = [1.0 if scale == "raw" else 1.0 / d for d in raw.divisors]
    weights = [tuple(w * unit for w in line) for line, unit in zip(raw.weights, units, strict=True)]

    if components:
        reduce = "gradient"
    elif directions is not None:
        reduce = "stack" if many else "single"
    else:
        reduce = {Kind.GRADIENT: "magnitude", Kind.COMPASS: "maximum"}.get(operator.kind, "single")
    kernels, weights = _absorbed(raw.kernels, weights)
    return Plan(
        kernels=tuple(k.prepared() for k in kernels),
        components=tuple(_component(w, kernels) for w in weights),
        reduce=reduce,
        direction=None if directions is None or components else directions[0],
        border=border,
        channel=channel,
        tone=tone,
    )


def _component(weights: Vector, kernels: Sequence[Kernel]) -> Component:
    taps = weighted_sum(weights, [k.taps for k in kernels])
    largest = max(abs(t) for line in taps for t in line)
    support = tuple(tuple(float(abs(t) > 1e-12 * largest) for t in line) for line in taps)
    counted = [k for k, w in zip(kernels, weights, strict=True) if w]
    # A kernel that is one product has no taps that cancel; those of several may.
    product = len(counted) == 1 and len(counted[0].chains) == 1
    cancels = not product and support != touched(counted)
    return Component(weights, taps, Kernel.factored(support).prepared(), cancels)


def _absorbed(kernels: Sequence[Kernel], weights: list[Vector]) -> tuple[tuple[Kernel, ...], list[Vector]]:
    """Leave out kernels without weight, and scale those by a power of two that only one response has a part in.

    Scaling so rounds nothing, and saves a pass over the response.
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
