"""Checks of rows of floats, for compiled loops. They do nothing for images of integers. Imports nothing of the package.

Floats without a sign, read as integers, have the order of their values, then infinity, then NaN. Numba computes the
largest of integers several at a time, and that of floats one by one.

Each function has one version for integers and one for floats. Numba chooses by the type of the image's row when it
compiles a loop. Python itself never calls them. Numba keeps compiled loops until their own file changes: after a change
of this file, change `jit_loops.py` too.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

Array = NDArray[Any]

#: The integer type for floats of this number of bits.
_INTEGERS: dict[int, Any] = {32: np.int32, 64: np.int64}


def not_finite(row: Array, line: Array) -> Any:
    """Tell whether some value of `line` is not finite. `row`, of the image, chooses the version."""
    raise NotImplementedError


@overload(not_finite, strict=False)
def _(row: Any, line: Any) -> Callable[..., Any]:
    integer = _INTEGERS[line.dtype.bitwidth]
    without_sign = integer(np.iinfo(integer).max)
    infinite = np.full(1, np.inf, f"f{without_sign.itemsize}").view(integer)[0]

    def of_floats(row: Array, line: Array) -> Any:
        bits, most = line.view(integer), integer(0)
        for j in range(bits.size):
            most = max(most, integer(bits[j] & without_sign))
        return most >= infinite

    def of_integers(row: Array, line: Array) -> Any:
        return False

    return of_floats if isinstance(row.dtype, numba.types.Float) else of_integers


def as_integer(row: Array, value: Any) -> Any:
    """Return a float as the integer with the same bits. For a row of integers it is not needed."""
    raise NotImplementedError


@overload(as_integer, strict=False)
def _(row: Any, value: Any) -> Callable[..., Any]:
    integer = _INTEGERS[value.bitwidth]

    def of_floats(row: Array, value: Any) -> Any:
        return np.full(1, value).view(integer)[0]

    def of_integers(row: Array, value: Any) -> Any:
        return integer(0)

    return of_floats if isinstance(row.dtype, numba.types.Float) else of_integers


def all_above(row: Array, line: Array, limit: Any) -> Any:
    """Tell whether all floats of a line, which have no sign, are above a limit that `as_integer` returned."""
    raise NotImplementedError


@overload(all_above, strict=False)
def _(row: Any, line: Any, limit: Any) -> Callable[..., Any]:
    integer = _INTEGERS[line.dtype.bitwidth]
    most = integer(np.iinfo(integer).max)

    def of_floats(row: Array, line: Array, limit: Any) -> Any:
        bits, least = line.view(integer), most
        for j in range(bits.size):
            least = min(least, bits[j])
        return least > limit

    def of_integers(row: Array, line: Array, limit: Any) -> Any:
        return True

    return of_floats if isinstance(row.dtype, numba.types.Float) else of_integers
