"""TIFF files by tifffile: the first page as an image, all pages, and the range of values in the tags.

May import errors, read limits, decoders, files and stores. `tiff_windows` reads parts of pages.
"""

import contextlib
import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.read_limits import DEFAULT_READ_LIMITS, ReadLimits
from edgekit.errors import DecodeError, TooLargeError, UnreadableError
from edgekit.io.decoders import Content, no_warnings
from edgekit.io.files import open_regular, status_of
from edgekit.io.stores import path_of

Array = NDArray[Any]

Range = tuple[float, float]

#: Channels per pixel that the limit of pixels allows for.
_CHANNELS = 4

#: TIFF tags for the least and the largest value. Those of the first pair can have every type.
_RANGE_TAGS = (("SMinSampleValue", "SMaxSampleValue"), ("MinSampleValue", "MaxSampleValue"))

#: Photometric interpretations of plain values: WhiteIsZero, BlackIsZero and RGB.
_PLAIN_VALUES = (0, 1, 2)

#: How to turn an image upright, by the TIFF tag Orientation.
_UPRIGHT: dict[int, Callable[[Array], Array]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def load_tifffile() -> Any:
    """Return the library, without its log messages about damaged files unless the user has set up logging for it."""
    import logging

    import tifffile

    logger = logging.getLogger("tifffile")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return tifffile


def by_tifffile(content: Content) -> Array:
    """Decode the first page."""
    with load_tifffile().TiffFile(io.BytesIO(content.data)) as file:
        return page_image(file.pages.first, content.name, content.limits)


def opencv_is_wrong(content: Content) -> bool:
    """Tell whether OpenCV 5.0 decodes this TIFF file wrongly, without an error.

    With more than 8 bits it mixes up separate planes, halves the depth of two channels, and does not invert inverted
    gray.
    """
    tifffile = load_tifffile()
    try:
        with tifffile.TiffFile(io.BytesIO(content.data)) as file:
            page = file.pages.first
            planes = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1
            inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
            return bool(page.bitspersample > 8 and (planes or inverted or page.samplesperpixel not in (1, 3, 4)))
    except Exception:  # The file is damaged: the decoders report how.
        return False


def page_image(page: Any, name: str, limits: ReadLimits) -> Array:
    """Return a page of tifffile as an image: upright, not inverted, (H, W) or (H, W, 3).

    Raises
    ------
    TooLargeError
        If it has more pixels than the limit allows, or too many channels.
    ValueError
        If the page is damaged.
    """
    tifffile = load_tifffile()
    limits.check_size((page.imagewidth, page.imagelength), name)
    if math.prod(page.shape) > _CHANNELS * limits.max_pixels:
        raise TooLargeError(f"{name}: claims an array of {' x '.join(map(str, page.shape))}, too many for an image")
    # Where tifffile finds no data it returns zeros.
    if any(length <= 0 or offset + length > page.parent.filehandle.size
           for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True)):  # fmt: skip
        raise ValueError("its image data lies beyond the end of the file")
    # If tifffile cannot read the tag of the depth, it assumes one bit.
    if page.bitspersample == 1 and page.samplesperpixel > 1:
        raise ValueError("its depth cannot be read")
    with no_warnings():
        array: Array = page.asarray()
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind in "bu":
        array = ~array
    orientation = page.tags.get("Orientation")
    if orientation is not None and orientation.value in _UPRIGHT:
        array = _UPRIGHT[orientation.value](array)
    if array.ndim == 3 and array.shape[2] < 3:
        array = array[:, :, 0]
    array = array[:, :, :3] if array.ndim == 3 else array
    return array


def read_pages(path: str | Path, limits: ReadLimits = DEFAULT_READ_LIMITS) -> Iterator[Array | DecodeError]:
    """Read the pages of a TIFF file, one at a time.

    Parameters
    ----------
    path : path
        The file, or its URL. Only objects in stores are loaded as a whole.
    limits : ReadLimits
        Limits for each page.

    Yields
    ------
    ndarray or DecodeError
        (H, W), or (H, W, 3) in RGB order; in the depth of the file. For a damaged page the error; the next pages
        follow.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, or access is denied.
    DecodeError
        If it is not a TIFF file.

    Examples
    --------
    >>> import numpy as np, tifffile
    >>> from edgekit.io.tiff import read_pages
    >>> tifffile.imwrite("stack.tif", np.zeros((3, 4, 5), np.uint8), photometric="minisblack")
    >>> [page.shape for page in read_pages("stack.tif")]
    [(4, 5), (4, 5), (4, 5)]
    """
    path = path_of(path)
    if status_of(path).st_size == 0:
        raise UnreadableError(f"{path}: the file is empty (0 bytes); copy or export it again")
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(open_regular(path))
        except OSError as error:
            raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            file = stack.enter_context(load_tifffile().TiffFile(source, name=path.name))
        except Exception as error:  # tifffile may raise anything on damaged files.
            raise DecodeError(f"{path}: expected a TIFF file with pages: {error}") from error
        for number in range(_page_count(file, path)):
            try:
                image = page_image(file.pages[number], f"{path}: page {number + 1}", limits)
            except TooLargeError as error:
                yield error
                continue
            except Exception as error:
                yield DecodeError(f"{path}: page {number + 1} cannot be decoded: {error}. Copy or export it again")
                continue
            yield image.astype(image.dtype.newbyteorder("="), copy=False)


def _page_count(file: Any, path: Path) -> int:
    try:
        count = len(file.pages)
    except Exception as error:
        raise DecodeError(f"{path}: a TIFF file whose pages cannot be counted: {error}") from error
    if not count:
        raise DecodeError(f"{path}: a TIFF file without a page that can be found. Copy or export it again")
    return count


def first_page_range(data: bytes, dtype: np.dtype[Any]) -> Range | None:
    """Return the range of values that the tags of the first page state; None if there is none."""
    try:
        with load_tifffile().TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            # If the depth is not that of the decoded image, the decoders scale the values differently.
            return page_range(page) if page.bitspersample == 8 * dtype.itemsize else None
    except Exception:  # The pixels could be decoded; if other parts are damaged, no range is stated.
        return None


def page_range(page: Any) -> Range | None:
    """Return the range of values that the tags of a tifffile page state; None if there is none."""
    if page.photometric not in _PLAIN_VALUES:
        return None
    for tags in _RANGE_TAGS:
        stated = [page.tags.valueof(tag) for tag in tags]
        if None in stated:
            continue
        # One value for each channel, or one for all.
        low, high = float(np.min(stated[0])), float(np.max(stated[1]))
        if math.isfinite(high - low) and low < high:
            if page.photometric == 0 and page.dtype.kind == "u":
                # The pixels are inverted when they are read.
                top = float(np.iinfo(page.dtype).max)
                low, high = top - high, top - low
            return low, high
    return None
