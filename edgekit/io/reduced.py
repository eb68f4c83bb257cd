"""Decodes JPEG files at reduced size, which takes less time, and all files in gray.

May import `common` and what is below it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.common.read_options import DEFAULT_READ_OPTIONS, ReadOptions
from edgekit.io.conversion import swap_red_and_blue
from edgekit.io.decoders import Content, size_by_pillow
from edgekit.io.formats import HEAD, sniff
from edgekit.io.headers import size_by_header
from edgekit.io.pixels import Pixels
from edgekit.io.reading import Decoded, decode

Array = NDArray[Any]

#: The flags with which OpenCV decodes a JPEG file at 1/8, 1/4 or 1/2 of its size, in gray and in colour.
_REDUCED_GRAY = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}
_REDUCED_COLOUR = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


def decode_gray(
    data: bytes,
    name: str,
    *,
    least: int | None = None,
    read_options: ReadOptions = DEFAULT_READ_OPTIONS,
    page: int | None = None,
) -> Decoded:
    """Return the image in `data` in gray, as `decode` does.

    Parameters
    ----------
    page : int, optional
        As for `decode`.
    least : int, optional
        A JPEG file may be decoded at 1/2, 1/4 or 1/8 of its size, with at least `least` pixels on its longer side.

    Raises
    ------
    DecodeError
        As `decode` does.
    """
    whole = least is None or read_options.nodata is not None
    reduced = None if whole else _reduced_jpeg(data, name, least or 0, _REDUCED_GRAY, read_options)
    return decode(data, name, colour=False, read_options=read_options, page=page) if reduced is None else reduced


def decode_reduced(
    data: bytes, name: str, *, least: int | None = None, read_options: ReadOptions = DEFAULT_READ_OPTIONS
) -> Array:
    """Return the image in `data` in colour, as `decode` does; `least` is that of `decode_gray`.

    Raises
    ------
    DecodeError
        As `decode` does.
    """
    reduced = None if least is None else _reduced_jpeg(data, name, least, _REDUCED_COLOUR, read_options)
    return decode(data, name, read_options=read_options).image if reduced is None else swap_red_and_blue(reduced.image)


def _reduced_jpeg(
    data: bytes, name: str, least: int, flags: Mapping[int, int], read_options: ReadOptions
) -> Decoded | None:
    """Decode a JPEG file by the first flag that leaves `least` pixels on the longer side.

    Returns None if there is none, or if the content is not a JPEG file that can be decoded.
    """
    found = sniff(data[:HEAD])
    stored = size_by_header(data, found.name) if found is not None and found.name == "JPEG" else None
    if found is None or stored is None:
        return None
    read_options.check_size(stored, name)
    flag = next((flag for factor, flag in flags.items() if max(stored) >= factor * least), None)
    image: Array | None = None if flag is None else cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if image is None:
        return None
    return Decoded(Pixels(image), size_by_pillow(Content(data, name, found, False, read_options)))
