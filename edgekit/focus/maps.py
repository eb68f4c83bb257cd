"""The values that focus measures average: squared derivatives, differences, products.

May import `filters` and what is below it.
"""

import math
from collections.abc import Sequence

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.filters.apply import apply, apply_bank
from edgekit.focus.moments import Map, Values, square
from edgekit.operators.filter_spec import Nan
from edgekit.operators.table import own_operator

_SECOND_DIFFERENCES = own_operator([[-1, 2, -1]]), own_operator([[-1], [2], [-1]])

#: Length of the mean of the blur effect.
BOX = 11
_BOXES = own_operator([[1 / BOX] * BOX]), own_operator([[1 / BOX]] * BOX)


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
        along_x = planes[..., step:] - planes[..., :-step]
        along_y = planes[..., step:, :] - planes[..., :-step, :]
        return [Values(square(along_x)), Values(square(along_y))]

    return Map(compute, step)


def _products(step: int) -> Map:
    """Return the products of pixels that are `step` apart along x."""

    def compute(planes: Array, nan: Nan) -> Sequence[Values]:
        near, far = planes[..., :-step], planes[..., step:]
        # The product of two numbers is the difference of two squares.
        return [Values(square((near + far) / 2) - square((near - far) / 2))]

    return Map(compute, step)


def _blur_effect(planes: Array, nan: Nan) -> Sequence[Values]:
    """Return the size of the derivative along x, and the part of it that remains after blurring; then along y."""
    xp = backend_of(planes).xp
    found = []
    for angle, box in zip((0.0, 90.0), _BOXES, strict=True):
        smooth = apply(planes, box, {}, border="symmetric", nan=nan)
        # The reference leaves out the outermost pixels.
        before, after = (xp.abs(apply(p, "sobel", {}, angle=angle, nan=nan))[..., 2:-1, 2:-1] for p in (planes, smooth))
        # Both means are over the same pixels.
        before = xp.where(xp.isnan(after), math.nan, before)
        found += [Values(before, first=2), Values(xp.minimum(before, after), first=2)]
    return found


def _haar(planes: Array, nan: Nan) -> Sequence[Values]:
    """Return the energy of the details of blocks of 2x2 pixels, and the sums of these blocks."""
    rows, columns = (n // 2 * 2 for n in planes.shape[-2:])
    a, b = planes[..., :rows:2, :columns:2], planes[..., :rows:2, 1:columns:2]
    c, d = planes[..., 1:rows:2, :columns:2], planes[..., 1:rows:2, 1:columns:2]
    along_x, along_y = (a - b) + (c - d), (a - c) + (b - d)
    details = square(along_x) + square(along_y) + square((a - b) - (c - d))
    return [Values(details, step=2), Values(a + b + c + d, step=2)]


LEVELS = Map(_levels, 0)
LAPLACIAN = Map(_laplacian, 1)
GRADIENT_ENERGY = Map(_gradient_energy, 1)
SECOND_DIFFERENCES = Map(_second_differences, 1)
DIFFERENCES_OF_ONE, DIFFERENCES_OF_TWO = _squared_differences(1), _squared_differences(2)
PRODUCTS_OF_ONE, PRODUCTS_OF_TWO = _products(1), _products(2)
BLUR_EFFECT = Map(_blur_effect, BOX // 2 + 1, exact=False)
HAAR = Map(_haar, 1)
