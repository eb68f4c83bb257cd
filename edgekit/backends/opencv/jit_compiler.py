"""Compiles functions by Numba. Imports nothing else."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any], *, any_order: bool = False) -> Any:
    """Compile a function at its first call. With `any_order` it may sum in another order, which takes less time."""
    options: dict[str, Any] = {
        "nogil": True, "error_model": "numpy", "fastmath": {"reassoc"} if any_order else False,
    }  # fmt: skip
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # Nowhere to write.
        return numba.njit(**options)(function)
