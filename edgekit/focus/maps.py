"""The values that focus measures average: squared derivatives, differences, products.

May import `filters` and what is below it.
"""

import math
from collections.abc import Sequence

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.filters.apply import apply, apply_bank
from edgekit.focus.moments import Map, Values, in_floats, product, square
from edgekit.operators.filter_spec import Nan
from edgekit.operators.kernels import column, compose, row, transpose
from edgekit.operators.table import Operator, own_operator

_SECOND_DIFFERENCES = own_operator([[-1, 2, -1]]), own_operator([[-1], [2], [-1]])

#: Length of the mean of the blur effect.
BOX = 11

#: A difference along a line, and that of two means of `BOX` pixels, times `BOX`. The pixels that both means contain
#: cancel: an invalid one among them does not count.
_DIFFERENCE, _DIFFERENCE_OF_MEANS = (-1, 0, 1), (-1, -1, *(0,) * (BOX - 2), 1, 1)


def _sobel(line: Sequence[float]) -> tuple[Operator, Operator]:
    """Return the operators that smooth by [1, 2, 1] and take the difference `line` across it: along x and along y."""
    along_x = compose(column([1, 2, 1]), row(line))
    return own_operator(along_x), own_operator(transpose(along_x))


_BEFORE_AND_AFTER = tuple(zip(_sobel(_DIFFERENCE), _sobel(_DIFFERENCE_OF_MEANS), strict=True))


def _levels(planes: Array, nan: Nan) -> Sequence[Values]:
    return [Values(planes)]


def _laplacian(planes: Array, nan: Nan) -> Sequence[Values]:
    return [Values(apply(planes, "laplacian", {}, nan=nan))]


def _gradient_energy(planes: Array, nan: Nan) -> Sequence[Values]:
    gx, gy = apply_bank(planes, "sobel", {}, scale="raw", nan=nan)
    return [Values(square(gx) + square(gy))]


def _second_differences(planes: Array, nan: Nan) -> Sequence[Values]:
    xp = backend_of(planes).xp
    along_x, along_y = (xp.abs(apply(planes, kernel, {}, nan=nan)) for kernel in _SECOND_DIFFERENCES)
    return [Values(along_x + along_y)]


def _squared_differences(step: int) -> Map:
    """Return the squared differences of pixels that are `step` apart, along x and along y."""

    def compute(planes: Array, nan: Nan) -> Sequence[Values]:
        planes = in_floats(planes)
        along_x = planes[..., step:] - planes[..., :-step]
        along_y = planes[..., step:, :] - planes[..., :-step, :]
        return [Values(square(along_x)), Values(square(along_y))]

    return Map(compute, step)


def _products(step: int) -> Map:
    """Return the products of pixels that are `step` apart along x."""

    def compute(planes: Array, nan: Nan) -> Sequence[Values]:
        planes = in_floats(planes)
        return [Values(product(planes[..., :-step], planes[..., step:]))]

    return Map(compute, step)


def _blur_effect(planes: Array, nan: Nan) -> Sequence[Values]:
    """Return the size of the derivative along x, and the part of it that remains after blurring; then along y.

    Both are multiplied by the length of the mean, so that they are integers for an image of integers.
    """
    xp = backend_of(planes).xp
    found = []
    for operators in _BEFORE_AND_AFTER:
        responses = (apply(planes, o, {}, border="symmetric", scale="raw", nan=nan) for o in operators)
        # The reference leaves out the outermost pixels.
        before, after = (xp.abs(response)[..., 2:-1, 2:-1] for response in responses)
        # Both means are over the same pixels.
        before = xp.where(xp.isnan(after), math.nan, before * BOX)
        found += [Values(before, first=2), Values(xp.minimum(before, after), first=2)]
    return found


def _haar(planes: Array, nan: Nan) -> Sequence[Values]:
    """Return the energy of the details of blocks of 2x2 pixels, and the sums of these blocks."""
    planes = in_floats(planes)
    rows, columns = (n // 2 * 2 for n in planes.shape[-2:])
    a, b = planes[..., :rows:2, :columns:2], planes[..., :rows:2, 1:columns:2]
    c, d = planes[..., 1:rows:2, :columns:2], planes[..., 1:rows:2, 1:columns:2]
    first, second = a - b, c - d
    along_x, along_y = first + second, (a - c) + (b - d)
    details = square(along_x) + square(along_y) + square(first - second)
    return [Values(details, step=2), Values(a + b + c + d, step=2)]


LEVELS = Map(_levels, 0)
LAPLACIAN = Map(_laplacian, 1)
GRADIENT_ENERGY = Map(_gradient_energy, 1)
SECOND_DIFFERENCES = Map(_second_differences, 1)
DIFFERENCES_OF_ONE, DIFFERENCES_OF_TWO = _squared_differences(1), _squared_differences(2)
PRODUCTS_OF_ONE, PRODUCTS_OF_TWO = _products(1), _products(2)
BLUR_EFFECT = Map(_blur_effect, BOX // 2 + 1)
HAAR = Map(_haar, 1)
