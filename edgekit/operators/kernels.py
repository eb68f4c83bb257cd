"""Kernels and the arithmetic of their coefficients. Standard library only.

A kernel is correlated, not flipped: the response at a pixel is the sum of each coefficient times the pixel under it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, reduce
from typing import NamedTuple

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]

#: A weight and two places (row, column): the weight times the first pixel minus the second.
Difference = tuple[float, tuple[int, int], tuple[int, int]]

#: A place (row, column) of a pixel under the kernel.
Place = tuple[int, int]

#: Kernels of more rows or columns than this are computed in double precision.
NARROW = 7

#: More coefficients than 7x7 are not computed one by one, unless they are in one line.
MOST_DIFFERENCES = 49


def row(values: Sequence[float]) -> Matrix:
    """Lay `values` out along x."""
    return (tuple(values),)


def column(values: Sequence[float]) -> Matrix:
    """Lay `values` out along y."""
    return tuple((v,) for v in values)


def shape(coefficients: Matrix) -> tuple[int, int]:
    """Return (rows, columns)."""
    return len(coefficients), len(coefficients[0])


def transpose(coefficients: Matrix) -> Matrix:
    """Swap x and y."""
    return tuple(zip(*coefficients, strict=True))


def compose(first: Matrix, second: Matrix) -> Matrix:
    """Return the kernel that has the response of `first` followed by `second`."""
    (h1, w1), (h2, w2) = shape(first), shape(second)
    out = [[0.0] * (w1 + w2 - 1) for _ in range(h1 + h2 - 1)]
    for i, line in enumerate(first):
        for j, coefficient in enumerate(line):
            for k, other in enumerate(second):
                for m, factor in enumerate(other):
                    out[i + k][j + m] += coefficient * factor
    return tuple(map(tuple, out))


def weighted_sum(weights: Sequence[float], matrices: Sequence[Matrix]) -> Matrix:
    """Add matrices of one shape, each times its weight."""
    pairs = [pair for pair in zip(weights, matrices, strict=True) if pair[0]]
    if len(pairs) == 1:
        # As below, in a fifth of the time; + 0.0 turns -0.0 into 0.0.
        ((weight, matrix),) = pairs
        return tuple(tuple(weight * t + 0.0 for t in line) for line in matrix)
    rows, columns = shape(matrices[0])
    return tuple(
        tuple(math.fsum(w * m[i][j] for w, m in zip(weights, matrices, strict=True)) for j in range(columns))
        for i in range(rows)
    )


def common_factor(coefficients: Matrix) -> float:
    """Return the largest power of two that divides every coefficient."""
    ratios = (float(t).as_integer_ratio() for line in coefficients for t in line if t)
    return min((math.ldexp(n & -n, 1 - d.bit_length()) for n, d in ratios), default=1.0)


def ring(coefficients: Matrix, steps: int) -> Matrix:
    """Shift the outer coefficients of a 3x3 kernel clockwise by `steps` places of 45 degrees."""
    places = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    out = [list(line) for line in coefficients]
    for n, (i, j) in enumerate(places):
        source = places[(n - steps) % 8]
        out[i][j] = coefficients[source[0]][source[1]]
    return tuple(map(tuple, out))


def moment(coefficients: Matrix, power: int, cos: float = 1.0, sin: float = 0.0) -> float:
    """Return the response at the centre to the image ``t ** power``, where t is the distance along (cos, sin)."""
    rows, columns = shape(coefficients)
    cy, cx = (rows - 1) / 2, (columns - 1) / 2
    return math.fsum(
        c * ((j - cx) * cos + (i - cy) * sin) ** power
        for i, line in enumerate(coefficients)
        for j, c in enumerate(line)
    )


def step_peak(coefficients: Matrix, cos: float, sin: float) -> float:
    """Return the largest absolute response to an ideal step of height 1 across (cos, sin)."""
    sums: dict[float, list[float]] = {}
    for i, line in enumerate(coefficients):
        for j, coefficient in enumerate(line):
            # Coefficients on one line across the direction belong together; rounding must not separate them.
            sums.setdefault(round(j * cos + i * sin, 9), []).append(coefficient)
    total, peak = 0.0, 0.0
    for position in sorted(sums, reverse=True):
        total += math.fsum(sums[position])
        peak = max(peak, abs(total))
    return peak


def sums_to_zero(coefficients: Matrix) -> bool:
    """Tell whether the coefficients sum to zero, up to rounding."""
    every = [t for line in coefficients for t in line]
    return abs(math.fsum(every)) <= 1e-12 * math.fsum(map(abs, every))


def factors(coefficients: Matrix) -> tuple[Vector, Vector] | None:
    """Write coefficients as the product of a column and a row, up to their rounding; None where this is not possible.

    Integers become products of integers.
    """
    along_x = max(coefficients, key=lambda line: max(map(abs, line)))
    if all(t.is_integer() for t in along_x):
        along_x = tuple(t / math.gcd(*map(int, along_x)) for t in along_x)
    j = max(range(len(along_x)), key=lambda j: abs(along_x[j]))
    along_y = tuple(line[j] / along_x[j] for line in coefficients)
    rounded = all(
        abs(y * x - c) <= 2**-50 * abs(c)
        for y, line in zip(along_y, coefficients, strict=True)
        for x, c in zip(along_x, line, strict=True)
    )
    return (along_y, along_x) if rounded else None


@lru_cache(maxsize=512)
def differences(coefficients: Matrix) -> tuple[Difference, ...]:
    """Write coefficients that sum to 0 as weighted differences of two pixels each.

    On a flat image a difference is exactly 0, and so is every sum of differences in any order. Only pixels under
    coefficients that are not zero are used.

    Returns
    -------
    tuple of (weight, place, place)
        Empty where the coefficients do not sum to zero, or are too many to be computed one by one.
    """
    rows, columns = shape(coefficients)
    places = {(i, j): t for i, line in enumerate(coefficients) for j, t in enumerate(line) if t}
    if not sums_to_zero(coefficients) or (min(rows, columns) > 1 and len(places) > MOST_DIFFERENCES):
        return ()

    def mirrored(place: tuple[int, int]) -> tuple[int, int]:
        return rows - 1 - place[0], columns - 1 - place[1]

    if all(places.get(mirrored(p)) == -t for p, t in places.items()):
        return tuple((t, p, mirrored(p)) for p, t in places.items() if p > mirrored(p))
    reference = max(places, key=lambda p: abs(places[p]))
    return tuple((t, p, reference) for p, t in places.items() if p != reference)


class Group(NamedTuple):
    """Pixels of one weight: the sum of the pixels `plus`, minus the sum of the pixels `minus`, times the weight."""

    weight: float
    plus: tuple[Place, ...]
    minus: tuple[Place, ...]


class ShiftedSum(NamedTuple):
    """A factor of a kernel, written as a sum of groups of shifted images."""

    coefficients: Matrix
    shape: tuple[int, int]
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, coefficients: Matrix) -> "ShiftedSum":
        """Group coefficients of one absolute value; use `differences` where they sum to zero."""
        sums: dict[float, tuple[list[Place], list[Place]]] = {}
        if pairs := differences(coefficients):
            for weight, *ends in pairs:
                for place, side in zip(
                    ends, sums.setdefault(abs(weight), ([], []))[:: 1 if weight > 0 else -1], strict=True
                ):
                    side.append(place)
        else:
            for i, line in enumerate(coefficients):
                for j, coefficient in enumerate(line):
                    if coefficient:
                        sums.setdefault(abs(coefficient), ([], []))[coefficient < 0].append((i, j))
        groups = (
            Group(weight, tuple(plus), tuple(minus)) if plus else Group(-weight, tuple(minus), ())
            for weight, (plus, minus) in sums.items()
        )
        # The group of weight 1 comes first: it needs no multiplication.
        return cls(coefficients, shape(coefficients), tuple(sorted(groups, key=lambda group: group.weight != 1)))


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel: a sum of chains. Each chain is a few factors that are correlated one after another.

    A separable kernel is one chain of a column and a row. The Laplacian of Gaussian is two such chains. A kernel that
    is not separable is one chain of one factor.
    """

    chains: tuple[tuple[Matrix, ...], ...]

    shifted_sums: tuple[tuple[ShiftedSum, ...], ...] = field(default=(), init=False, repr=False, compare=False)
    """The chains as sums of shifted images, once `prepared`: plain data, which torch.compile can read."""

    def prepared(self) -> "Kernel":
        """Compute `shifted_sums`, and return the kernel."""
        if not self.shifted_sums:
            shifted_sums = tuple(tuple(map(ShiftedSum.of, chain)) for chain in self.rounded.chains)
            object.__setattr__(self, "shifted_sums", shifted_sums)
        return self

    @classmethod
    def dense(cls, coefficients: Iterable[Iterable[float]]) -> "Kernel":
        """Return a kernel of one factor."""
        return cls(((tuple(map(tuple, coefficients)),),))

    @classmethod
    def factored(cls, coefficients: Matrix) -> "Kernel":
        """Return a separable kernel if the coefficients allow it, else a kernel of one factor."""
        lines = factors(coefficients) if min(shape(coefficients)) > 1 else None
        return cls.separable(lines) if lines else cls.dense(coefficients)

    @classmethod
    def separable(cls, *terms: tuple[Sequence[float], Sequence[float]]) -> "Kernel":
        """Return the sum of products of a column (along y) and a row (along x)."""
        return cls(tuple((column(along_y), row(along_x)) for along_y, along_x in terms))

    @cached_property
    def coefficients(self) -> Matrix:
        """The coefficients as one table."""
        return weighted_sum([1] * len(self.chains), [reduce(compose, chain) for chain in self.chains])

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = zip(*map(shape, self.chains[0]), strict=True)
        return sum(rows) - len(rows) + 1, sum(columns) - len(columns) + 1

    @cached_property
    def flipped(self) -> "Kernel":
        """The kernel turned by 180 degrees: it gives the gradient with respect to the pixels."""
        turned = (tuple(tuple(line[::-1] for line in factor[::-1]) for factor in chain) for chain in self.chains)
        return Kernel(tuple(turned)).prepared()

    @cached_property
    def transposed(self) -> "Kernel":
        """The same kernel with x and y swapped."""
        return Kernel(tuple(tuple(map(transpose, reversed(chain))) for chain in self.chains))

    def scaled(self, factor: float) -> "Kernel":
        """The same kernel times `factor`."""
        return Kernel(tuple((weighted_sum([factor], [first]), *rest) for first, *rest in self.chains))

    @cached_property
    def common_factor(self) -> float:
        """A power of two that divides every partial sum over integer pixels; tiny where coefficients are decimal."""
        return min(math.prod(map(common_factor, chain)) for chain in self.chains)

    @cached_property
    def absolute_sum(self) -> float:
        """The sum of absolute products: no partial sum exceeds it times the largest absolute pixel."""
        return sum(math.prod(math.fsum(abs(t) for line in m for t in line) for m in chain) for chain in self.chains)

    @cached_property
    def rounded(self) -> "Kernel":
        """The order to use where sums are rounded: factors that sum to zero come first, on the unrounded pixels."""
        return Kernel(tuple(tuple(sorted(c, key=lambda factor: not sums_to_zero(factor))) for c in self.chains))


def support(kernels: Iterable[Kernel]) -> Matrix:
    """Return 1 where a factor of some chain of some kernel covers a pixel, else 0. The kernels have one shape."""
    factors = [
        [tuple(tuple(float(t != 0) for t in line) for line in coefficients) for coefficients in chain]
        for kernel in kernels
        for chain in kernel.chains
    ]
    reached = [reduce(compose, chain) for chain in factors]
    return tuple(
        tuple(float(any(column)) for column in zip(*lines, strict=True)) for lines in zip(*reached, strict=True)
    )


def combined(weights: Sequence[float], kernels: Sequence[Kernel]) -> Kernel:
    """Return the one kernel that has the weighted sum of the responses of kernels of one shape."""
    if all(len(chain) == 1 for kernel in kernels for chain in kernel.chains):
        return Kernel.dense(weighted_sum(weights, [kernel.coefficients for kernel in kernels]))
    scaled = (kernel.scaled(weight) for weight, kernel in zip(weights, kernels, strict=True))
    return Kernel(tuple(chain for kernel in scaled for chain in kernel.chains))
