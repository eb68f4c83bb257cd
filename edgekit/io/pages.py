"""The pages of a TIFF file, one after the other. May import errors, limits, files, stores and decoders."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit.common.read_limits import DEFAULT, Limits
from edgekit.errors import DecodeError, TooLargeError, UnreadableError
from edgekit.io.decoders import load_tifffile, page_image
from edgekit.io.files import read_bytes, status_of
from edgekit.io.stores import StorePath, path_of

Array = NDArray[Any]


def read_pages(path: str | Path, limits: Limits = DEFAULT) -> Iterator[Array | DecodeError]:
    """Read the pages of a TIFF file, one at a time.

    Parameters
    ----------
    path : path
        The file, or its URL. A file is not loaded as a whole, an object in a store is.
    limits : Limits
        What may be taken on of each page.

    Yields
    ------
    ndarray or DecodeError
        (H, W), or (H, W, 3) in RGB order; the file's own depth. A page that is damaged comes as the error that
        says so, and the next follow.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, or may not be read.
    DecodeError
        If it is not a TIFF.

    Examples
    --------
    >>> import numpy as np, tifffile
    >>> from edgekit.io.pages import read_pages
    >>> tifffile.imwrite("stack.tif", np.zeros((3, 4, 5), np.uint8), photometric="minisblack")
    >>> [page.shape for page in read_pages("stack.tif")]
    [(4, 5), (4, 5), (4, 5)]
    """
    path = path_of(path)
    if status_of(path).st_size == 0:
        raise UnreadableError(f"{path}: the file is empty (0 bytes); copy or export it again")
    source = io.BytesIO(read_bytes(path)) if isinstance(path, StorePath) else path
    try:
        file = load_tifffile().TiffFile(source)
    except PermissionError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # tifffile raises whatever it likes on damaged files.
        raise DecodeError(f"{path}: expected a TIFF file with pages: {error}") from error
    with file:
        for number in range(_count(file, path)):
            try:
                image = page_image(file.pages[number], f"{path}: page {number + 1}", limits)
            except TooLargeError as error:
                yield error
                continue
            except Exception as error:
                yield DecodeError(f"{path}: page {number + 1} cannot be decoded: {error}. Copy or export it again")
                continue
            yield image.astype(image.dtype.newbyteorder("="), copy=False)


def _count(file: Any, path: Path) -> int:
    try:
        count = len(file.pages)
    except Exception as error:
        raise DecodeError(f"{path}: a TIFF file whose pages cannot be counted: {error}") from error
    if not count:
        raise DecodeError(f"{path}: a TIFF file without a page that can be found. Copy or export it again")
    return count
