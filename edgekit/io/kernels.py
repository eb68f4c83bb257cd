"""Kernels from files: JSON, CSV or NPY."""

import json
import re
from pathlib import Path
from typing import Any

from edgekit.errors import KernelError
from edgekit.io.npy import array_of
from edgekit.operators.kernels import Matrix
from edgekit.operators.table import own


def read_kernel(path: str | Path) -> Matrix:
    """Read a kernel's taps.

    Parameters
    ----------
    path : path
        ``.json``: rows of numbers, or an object with them under "taps"; ``.npy``: an array;
        anything else: text, a row a line, numbers parted by commas, semicolons or spaces.

    Returns
    -------
    tuple of tuple of float
        The taps, checked as `edgekit.correlate` does.

    Raises
    ------
    KernelError
        If the file cannot be read or does not hold a kernel.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("kernel.csv").write_text("-1, 0, 1")
    >>> read_kernel("kernel.csv")
    ((-1.0, 0.0, 1.0),)
    """
    path = Path(path)
    try:
        taps = _read(path)
    except OSError as error:
        raise KernelError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # Parsers raise whatever they like, on deep nesting for one.
        raise KernelError(
            f"{path}: expected a kernel as rows of numbers in JSON, CSV or NPY; found something else ({error})"
        ) from None
    try:
        return own(taps).kernels()[0].taps
    except KernelError as error:
        raise KernelError(f"{path}: {error}") from None


def _read(path: Path) -> Any:
    match path.suffix.lower():
        case ".npy":
            array = array_of(path.read_bytes())
            return (array if array.ndim else array[None]).tolist()
        case ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            return content["taps"] if isinstance(content, dict) else content
    lines = (re.split(r"[,;\s]+", line.strip(" \t,;")) for line in path.read_text(encoding="utf-8-sig").splitlines())
    return [[float(t) for t in line] for line in lines if line != [""]]
