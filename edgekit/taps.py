"""The arithmetic of taps: what a linear filter is, before any image is seen. Standard library only.

Taps are correlated, never flipped: the response at a pixel is the sum of each tap times the pixel
under it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]

#: The difference of neighbours to the right, and below.
ALONG_X: Matrix = ((-1, 1),)
ALONG_Y: Matrix = ((-1,), (1,))


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
    rows, columns = shape(matrices[0])
    return tuple(
        tuple(math.fsum(w * m[i][j] for w, m in zip(weights, matrices, strict=True)) for j in range(columns))
        for i in range(rows)
    )


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


def step_peak(taps: Matrix, cos: float = 1.0, sin: float = 0.0) -> float:
    """Return the largest absolute response to an ideal step of height 1 across (cos, sin)."""
    rows, columns = shape(taps)
    cy, cx = (rows - 1) / 2, (columns - 1) / 2
    sums: dict[float, list[float]] = {}
    for i, line in enumerate(taps):
        for j, tap in enumerate(line):
            # Taps on one line across the direction change sides together; rounding must not part them.
            sums.setdefault(round((j - cx) * cos + (i - cy) * sin, 9), []).append(tap)
    total, peak = 0.0, 0.0
    for position in sorted(sums, reverse=True):
        total += math.fsum(sums[position])
        peak = max(peak, abs(total))
    return peak


def _cumulative(values: Iterable[float]) -> Vector:
    """Return c with ``correlate(values) == correlate(c)`` on neighbour differences (values sum to 0)."""
    out, total = [], 0.0
    for value in values:
        total -= value
        out.append(total)
    return tuple(out[:-1])


def _is_zero(total: float, values: Iterable[float]) -> bool:
    """Tell whether `total`, the sum of `values`, is zero but for rounding."""
    return abs(total) <= 1e-12 * math.fsum(map(abs, values))


@dataclass(frozen=True)
class Kernel:
    """A linear filter: a sum of chains, each a few small tap arrays applied one after another.

    A separable kernel is one chain of a column and a row, the Laplacian of Gaussian two such
    chains, a kernel that is no product one chain of one array.
    """

    chains: tuple[tuple[Matrix, ...], ...]

    @classmethod
    def dense(cls, taps: Iterable[Iterable[float]]) -> "Kernel":
        """Make a kernel of one array."""
        return cls(((tuple(map(tuple, taps)),),))

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
    def transposed(self) -> "Kernel":
        """The same kernel with x and y swapped."""
        return Kernel(tuple(tuple(map(transpose, reversed(chain))) for chain in self.chains))

    @cached_property
    def integer(self) -> bool:
        """Whether every tap of every chain is a whole number."""
        return all(float(t).is_integer() for chain in self.chains for m in chain for line in m for t in line)

    @cached_property
    def reach(self) -> float:
        """The most that any partial sum can be, over the largest absolute pixel."""
        return sum(math.prod(math.fsum(abs(t) for line in m for t in line) for m in chain) for chain in self.chains)

    @cached_property
    def direct(self) -> "Kernel":
        """The form to run where arithmetic is exact: nine taps in one pass beat two passes of three."""
        return Kernel.dense(self.taps) if max(self.shape) <= 3 else self

    @cached_property
    def differences(self) -> "Kernel":
        """The form to run where arithmetic rounds: on differences of neighbours.

        They are exactly 0 on flat ground, and so is whatever is summed of them in any order: no
        rounding can leave a false edge there. A kernel whose taps do not sum to 0 stays as it is.
        """
        chains: list[tuple[Matrix, ...]] = []
        for chain in self.chains:
            split = _split_separable(chain) if len(chain) == 2 else _split_dense(chain[0])
            if split is None:
                return self
            chains.extend(split)
        return Kernel(tuple(chains))


def _split_separable(chain: tuple[Matrix, ...]) -> list[tuple[Matrix, ...]] | None:
    along_y, along_x = [line[0] for line in chain[0]], chain[1][0]
    small = max(len(along_y), len(along_x)) <= 3
    for values, other, step, lay, lay_other in (
        (along_x, along_y, ALONG_X, row, column),
        (along_y, along_x, ALONG_Y, column, row),
    ):
        if _is_zero(math.fsum(values), values):
            rest = (lay_other(other), lay(_cumulative(values)))
            return [(step, compose(*rest)) if small else (step, *rest)]
    return None


def _split_dense(taps: Matrix) -> list[tuple[Matrix, ...]] | None:
    """Split taps that sum to 0 into a part on differences along x and a part on those along y."""
    sums = [math.fsum(line) for line in taps]
    if not _is_zero(math.fsum(sums), (t for line in taps for t in line)):
        return None
    if all(_is_zero(s, line) for s, line in zip(sums, taps, strict=True)):
        return [(ALONG_X, tuple(map(_cumulative, taps)))]
    turned = transpose(taps)
    if all(_is_zero(math.fsum(line), line) for line in turned):
        return [(ALONG_Y, transpose(tuple(map(_cumulative, turned))))]
    # Each row without its sum is run along x; the sums, gathered in the middle column, along y.
    rows, columns = shape(taps)
    middle = columns // 2
    balanced = [
        tuple(t - (s if j == middle else 0) for j, t in enumerate(line)) for s, line in zip(sums, taps, strict=True)
    ]
    pole = tuple(tuple(s if j == middle else 0.0 for j in range(columns)) for s in _cumulative(sums))
    parts: list[tuple[Matrix, ...]] = [(ALONG_X, tuple(map(_cumulative, balanced)))]
    if rows > 1:
        parts.append((ALONG_Y, pole))
    return parts
