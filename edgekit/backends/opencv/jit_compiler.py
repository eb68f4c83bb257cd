"""Compiles functions by Numba. Imports nothing else."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call."""
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # Nowhere to write.
        return numba.njit(nogil=True, error_model="numpy")(function)
