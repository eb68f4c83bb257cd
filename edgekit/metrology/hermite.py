"""Hermite functions, their integrals and their Fourier transforms. May import `common`.

Sums of Hermite functions of one scale describe the line spread function of any lens: the first one is a Gaussian, the
next ones make it wider, asymmetric, flat or oscillating. All formulas are recurrences between neighbouring orders.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def hermite(t: Array, orders: int) -> Array:
    """Return the Hermite functions of the orders 0 to `orders` - 1, (orders, N)."""
    values = np.empty((orders, *t.shape))
    values[0] = math.pi**-0.25 * np.exp(-t * t / 2)
    if orders > 1:
        values[1] = math.sqrt(2) * t * values[0]
    for k in range(1, orders - 1):
        values[k + 1] = math.sqrt(2 / (k + 1)) * t * values[k] - math.sqrt(k / (k + 1)) * values[k - 1]
    return values


def hermite_integrals(t: Array, orders: int) -> Array:
    """Return the integrals of the Hermite functions from minus infinity to `t`, (orders, N)."""
    from scipy.special import ndtr

    functions = hermite(t, orders)
    values = np.empty_like(functions)
    values[0] = math.pi**-0.25 * math.sqrt(2 * math.pi) * ndtr(t)
    if orders > 1:
        values[1] = -math.sqrt(2) * functions[0]
    for k in range(1, orders - 1):
        values[k + 1] = math.sqrt(2 / (k + 1)) * (math.sqrt(k / 2) * values[k - 1] - functions[k])
    return values


def hermite_transforms(frequency: Array, orders: int) -> Array:
    """Return the Fourier transforms of the Hermite functions at frequencies in cycles per unit, complex, (orders, N).

    The Hermite functions are their own transforms, apart from a factor.
    """
    phases = np.array([(1, -1j, -1, 1j)[k % 4] for k in range(orders)])
    result: Array = math.sqrt(2 * math.pi) * phases[:, None] * hermite(2 * math.pi * frequency, orders)
    return result
