"""Reads kernels from JSON, CSV and NPY files."""

import json
import re
from pathlib import Path
from typing import Any

from edgekit.errors import KernelError
from edgekit.io.decoders import npy_array
from edgekit.operators.kernels import Matrix
from edgekit.operators.table import own_operator


def read_kernel(path: str | Path) -> Matrix:
    """Read the coefficients of a kernel.

    Parameters
    ----------
    path : path
        ``.json``: rows of numbers, or an object with them under "taps". ``.npy``: an array. Other endings: text with
        one row on each line, numbers separated by commas, semicolons or spaces.

    Returns
    -------
    tuple of tuple of float
        The coefficients, checked as `edgekit.correlate` does.

    Raises
    ------
    KernelError
        If the file cannot be read, or does not contain a kernel.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("kernel.csv").write_text("-1, 0, 1")
    >>> read_kernel("kernel.csv")
    ((-1.0, 0.0, 1.0),)
    """
    path = Path(path)
    try:
        coefficients = _read(path)
    except OSError as error:
        raise KernelError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # Parsers may raise anything, such as RecursionError for deep nesting.
        raise KernelError(
            f"{path}: expected a kernel as rows of numbers in JSON, CSV or NPY; found something else ({error})"
        ) from None
    try:
        return own_operator(coefficients).kernels()[0].coefficients
    except KernelError as error:
        raise KernelError(f"{path}: {error}") from None


def _read(path: Path) -> Any:
    match path.suffix.lower():
        case ".npy":
            array = npy_array(path.read_bytes())
            return (array if array.ndim else array[None]).tolist()
        case ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            return content["taps"] if isinstance(content, dict) else content
    rows = (re.split(r"[,;\s]+", line.strip(" \t,;")) for line in path.read_text(encoding="utf-8-sig").splitlines())
    return [[float(number) for number in row] for row in rows if row != [""]]
