"""Arrays in NPY files, without trust in what they claim. Imports NumPy only."""

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def array_of(data: bytes) -> Array:
    """Return the array in an NPY file; it lies in `data`, and takes no memory of its own.

    Raises
    ------
    ValueError
        If the file is damaged, holds no numbers of at most 64 bits, or fewer than it claims.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read(file)
    except Exception as error:  # The header is Python's own syntax, and fails in its ways.
        raise ValueError(f"the header is damaged ({error})") from None
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise ValueError(f"expected numbers of at most 64 bits, found the type {dtype}")
    count, held = math.prod(shape), len(data) - file.tell()
    if min(shape, default=0) < 0 or held < count * dtype.itemsize:
        raise ValueError(f"expected {count * dtype.itemsize:,} bytes of numbers for shape {shape}, found {held:,}")
    return np.frombuffer(data, dtype, count, file.tell()).reshape(shape, order="F" if by_columns else "C")
