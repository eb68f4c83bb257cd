"""The arithmetic of taps: what a linear filter is, before any image is seen. Standard library only.

Taps are correlated, never flipped: the response at a pixel is the sum of each tap times the pixel
under it.
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

#: More taps than 7x7 are not run one by one, unless they are in one line.
MOST_DIFFERENCES = 49


def row(values: Sequence[float]) -> Matrix:
    """Lay `values` out along x."""
    return (tuple(values),)


def column(values: Sequence[float]) -> Matrix:
    """Lay `values` out along y."""
    return tuple((v,) for v in values)


def shape(taps: Matrix) -> tuple[int, int]:
    """Return (rows, columns)."""
    return len(taps), len(taps[0])


def transpose(taps: Matrix) -> Matrix:
    """Swap x and y."""
    return tuple(zip(*taps, strict=True))


def compose(first: Matrix, second: Matrix) -> Matrix:
    """Return the taps that do in one pass what `first` and then `second` do in two."""
    (h1, w1), (h2, w2) = shape(first), shape(second)
    out = [[0.0] * (w1 + w2 - 1) for _ in range(h1 + h2 - 1)]
    for i, line in enumerate(first):
        for j, tap in enumerate(line):
            for k, other in enumerate(second):
                for m, factor in enumerate(other):
                    out[i + k][j + m] += tap * factor
    return tuple(map(tuple, out))


def weighted_sum(weights: Sequence[float], matrices: Sequence[Matrix]) -> Matrix:
    """Add matrices of one shape, each times its weight."""
    pairs = [pair for pair in zip(weights, matrices, strict=True) if pair[0]]
    if len(pairs) == 1:
        # The same in a fifth of the time; + 0.0 makes 0.0 of -0.0.
        ((weight, matrix),) = pairs
        return tuple(tuple(weight * t + 0.0 for t in line) for line in matrix)
    rows, columns = shape(matrices[0])
    return tuple(
        tuple(math.fsum(w * m[i][j] for w, m in zip(weights, matrices, strict=True)) for j in range(columns))
        for i in range(rows)
    )


def grain(taps: Matrix) -> float:
    """Return the largest power of two of which every tap is a multiple."""
    ratios = (float(t).as_integer_ratio() for line in taps for t in line if t)
    return min((math.ldexp(n & -n, 1 - d.bit_length()) for n, d in ratios), default=1.0)


def ring(taps: Matrix, steps: int) -> Matrix:
    """Shift the outer taps of a 3x3 kernel clockwise by `steps` places of 45 degrees."""
    places = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    out = [list(line) for line in taps]
    for n, (i, j) in enumerate(places):
        source = places[(n - steps) % 8]
        out[i][j] = taps[source[0]][source[1]]
    return tuple(map(tuple, out))


def moment(taps: Matrix, power: int, cos: float = 1.0, sin: float = 0.0) -> float:
    """Return the response at the centre to ``t ** power``, t the distance along (cos, sin)."""
    rows, columns = shape(taps)
    cy, cx = (rows - 1) / 2, (columns - 1) / 2
    return math.fsum(
        tap * ((j - cx) * cos + (i - cy) * sin) ** power for i, line in enumerate(taps) for j, tap in enumerate(line)
    )


def step_peak(taps: Matrix, cos: float, sin: float) -> float:
    """Return the largest absolute response to an ideal step of height 1 across (cos, sin)."""
    sums: dict[float, list[float]] = {}
    for i, line in enumerate(taps):
        for j, tap in enumerate(line):
            # Taps on one line across the direction change sides together; rounding must not part them.
            sums.setdefault(round(j * cos + i * sin, 9), []).append(tap)
    total, peak = 0.0, 0.0
    for position in sorted(sums, reverse=True):
        total += math.fsum(sums[position])
        peak = max(peak, abs(total))
    return peak


def sums_to_zero(taps: Matrix) -> bool:
    """Tell whether the taps sum to zero but for rounding."""
    every = [t for line in taps for t in line]
    return abs(math.fsum(every)) <= 1e-12 * math.fsum(map(abs, every))


def factors(taps: Matrix) -> tuple[Vector, Vector] | None:
    """Write taps as the products of a column and a row; None where they are none, even but for their rounding.

    Whole numbers are products of whole numbers.
    """
    along_x = max(taps, key=lambda line: max(map(abs, line)))
    if all(t.is_integer() for t in along_x):
        along_x = tuple(t / math.gcd(*map(int, along_x)) for t in along_x)
    j = max(range(len(along_x)), key=lambda j: abs(along_x[j]))
    along_y = tuple(line[j] / along_x[j] for line in taps)
    pairs = ((y * x, t) for y, line in zip(along_y, taps, strict=True) for x, t in zip(along_x, line, strict=True))
    return (along_y, along_x) if all(abs(product - t) <= 2**-50 * abs(t) for product, t in pairs) else None


@lru_cache(maxsize=512)
def differences(taps: Matrix) -> tuple[Difference, ...]:
    """Write taps that sum to 0 as weighted differences of two pixels each.

    A difference is exactly 0 on flat ground, and so is whatever is summed of differences in any
    order: no rounding can leave a false edge there. Only pixels under taps that are not zero take
    part, so that rounding stays in proportion to them.

    Returns
    -------
    tuple of (weight, place, place)
        Empty where the taps do not sum to zero, or are too many to be run one by one.
    """
    rows, columns = shape(taps)
    places = {(i, j): t for i, line in enumerate(taps) for j, t in enumerate(line) if t}
    if not sums_to_zero(taps) or (min(rows, columns) > 1 and len(places) > MOST_DIFFERENCES):
        return ()

    def mirrored(place: tuple[int, int]) -> tuple[int, int]:
        return rows - 1 - place[0], columns - 1 - place[1]

    if all(places.get(mirrored(p)) == -t for p, t in places.items()):
        return tuple((t, p, mirrored(p)) for p, t in places.items() if p > mirrored(p))
    reference = max(places, key=lambda p: abs(places[p]))
    return tuple((t, p, reference) for p, t in places.items() if p != reference)


class Group(NamedTuple):
    """Pixels of one weight: the sum of some, less the sum of others, times the weight."""

    weight: float
    plus: tuple[Place, ...]
    minus: tuple[Place, ...]


class Pass(NamedTuple):
    """One tap array, written as a sum of groups."""

    taps: Matrix
    shape: tuple[int, int]
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, taps: Matrix) -> "Pass":
        """Gather taps of one absolute value; `differences` where they sum to zero."""
        sums: dict[float, tuple[list[Place], list[Place]]] = {}
        if pairs := differences(taps):
            for weight, *ends in pairs:
                for place, side in zip(
                    ends, sums.setdefault(abs(weight), ([], []))[:: 1 if weight > 0 else -1], strict=True
                ):
                    side.append(place)
        else:
            for i, line in enumerate(taps):
                for j, tap in enumerate(line):
                    if tap:
                        sums.setdefault(abs(tap), ([], []))[tap < 0].append((i, j))
        groups = (
            Group(weight, tuple(plus), tuple(minus)) if plus else Group(-weight, tuple(minus), ())
            for weight, (plus, minus) in sums.items()
        )
        # What needs no multiplication comes first.
        return cls(taps, shape(taps), tuple(sorted(groups, key=lambda group: group.weight != 1)))


@dataclass(frozen=True, eq=False)
class Kernel:
    """A linear filter: a sum of chains, each a few small tap arrays applied one after another.

    A separable kernel is one chain of a column and a row, the Laplacian of Gaussian two such
    chains, a kernel that is no product one chain of one array.
    """

    chains: tuple[tuple[Matrix, ...], ...]

    passes: tuple[tuple[Pass, ...], ...] = field(default=(), init=False, repr=False, compare=False)
    """The form to run by adding shifted images, once `prepared`: plain data, which torch.compile can read."""

    def prepared(self) -> "Kernel":
        """Work out `passes`, and return the kernel itself."""
        if not self.passes:
            passes = tuple(tuple(map(Pass.of, chain)) for chain in self.rounded.chains)
            object.__setattr__(self, "passes", passes)
        return self

    @classmethod
    def dense(cls, taps: Iterable[Iterable[float]]) -> "Kernel":
        """Make a kernel of one array."""
        return cls(((tuple(map(tuple, taps)),),))

    @classmethod
    def factored(cls, taps: Matrix) -> "Kernel":
        """Make a kernel of a column and a row, whose product the taps are, or of one array where they are none."""
        lines = factors(taps) if min(shape(taps)) > 1 else None
        return cls.separable(lines) if lines else cls.dense(taps)

    @classmethod
    def separable(cls, *terms: tuple[Sequence[float], Sequence[float]]) -> "Kernel":
        """Make the sum of products of a column (along y) and a row (along x)."""
        return cls(tuple((column(along_y), row(along_x)) for along_y, along_x in terms))

    @cached_property
    def taps(self) -> Matrix:
        """The kernel as one array."""
        return weighted_sum([1] * len(self.chains), [reduce(compose, chain) for chain in self.chains])

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the kernel as one array."""
        rows, columns = zip(*map(shape, self.chains[0]), strict=True)
        return sum(rows) - len(rows) + 1, sum(columns) - len(columns) + 1

    @cached_property
    def flipped(self) -> "Kernel":
        """The kernel turned by 180 degrees: it takes slopes back to the pixels that they came from."""
        turned = (tuple(tuple(line[::-1] for line in taps[::-1]) for taps in chain) for chain in self.chains)
        return Kernel(tuple(turned)).prepared()

    @cached_property
    def transposed(self) -> "Kernel":
        """The same kernel with x and y swapped."""
        return Kernel(tuple(tuple(map(transpose, reversed(chain))) for chain in self.chains))

    def scaled(self, factor: float) -> "Kernel":
        """The same kernel times `factor`."""
        return Kernel(tuple((weighted_sum([factor], [first]), *rest) for first, *rest in self.chains))

    @cached_property
    def grain(self) -> float:
        """A power of two of which every partial sum over whole pixels is a multiple; tiny where taps are decimal."""
        return min(math.prod(map(grain, chain)) for chain in self.chains)

    @cached_property
    def reach(self) -> float:
        """The most that any partial sum can be, over the largest absolute pixel."""
        return sum(math.prod(math.fsum(abs(t) for line in m for t in line) for m in chain) for chain in self.chains)

    @cached_property
    def rounded(self) -> "Kernel":
        """The form to run where arithmetic rounds: what sums to zero comes first, and sees the pixels as they are."""
        return Kernel(tuple(tuple(sorted(c, key=lambda taps: not sums_to_zero(taps))) for c in self.chains))


def touched(kernels: Iterable[Kernel]) -> Matrix:
    """Return 1 where a factor of any chain of any of the kernels, all of one shape, looks at a pixel, else 0."""
    factors = [
        [tuple(tuple(float(t != 0) for t in line) for line in taps) for taps in chain]
        for kernel in kernels
        for chain in kernel.chains
    ]
    reached = [reduce(compose, chain) for chain in factors]
    return tuple(
        tuple(float(any(column)) for column in zip(*lines, strict=True)) for lines in zip(*reached, strict=True)
    )
