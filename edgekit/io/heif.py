"""HEIF and HEIC files by pillow-heif.

May import `common` and what is below it.
"""

from typing import Any

import numpy as np

from edgekit.io.decoders import Content, no_warnings
from edgekit.io.libraries import load_library
from edgekit.io.pixels import Pixels


def by_pillow_heif(content: Content) -> Pixels:
    """Decode an image of the file. The primary one is the first; the others follow in the order of the file.

    Images of 10 and 12 bits keep their values, in 16 bits. libheif turns the image upright as the properties `irot`
    and `imir` say. The orientation in the EXIF block repeats them (ISO/IEC 23008-12), so that it is not applied.

    Raises
    ------
    MissingExtraError
        If pillow-heif is not installed.
    TooLargeError
        If the header claims more pixels than the limit.
    IndexError
        If there is no such image.
    """
    with no_warnings():
        file = _open(content.data, content.name)
        first = file.primary_index
        image = file[[first, *(n for n in range(len(file)) if n != first)][content.page]]
        content.read_options.check_size(image.size, content.name)
        array = np.asarray(image)
    # The header states the size of the image, the coded picture its own.
    content.read_options.check_size((array.shape[1], array.shape[0]), content.name)
    bits = int(image.info["bit_depth"])
    return Pixels(
        array,
        rgb=array.ndim == 3 and array.shape[2] >= 3,
        opacity=bool(image.has_alpha),
        premultiplied=bool(image.premultiplied_alpha),
        range=(0.0, 2.0**bits - 1) if bits > 8 else None,
    )


def count_images(data: bytes, name: str) -> int:
    """Return the number of images in a file. Thumbnails, depth maps and tiles do not count.

    Raises
    ------
    MissingExtraError
        If pillow-heif is not installed.
    """
    with no_warnings():
        return len(_open(data, name))


def _open(data: bytes, name: str) -> Any:
    """Open a file without decoding it."""
    pillow_heif: Any = load_library("pillow_heif", "pillow-heif", "heif", f"{name}: HEIF")
    return pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
