"""Counts the images of a file, without decoding them: pages of TIFF files, frames of animations.

May import `common` and what is below it.
"""

import io
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edgekit.errors import MissingExtraError, UnreadableError
from edgekit.io.decoders import frames_by_pillow
from edgekit.io.files import as_file, map_bytes
from edgekit.io.formats import BY_ENDING, HEAD, Format, sniff
from edgekit.io.raw_headers import is_raw
from edgekit.io.stores import StorePath

#: Formats that can hold several images.
SEVERAL = ("TIFF", "PNG", "GIF", "WebP", "AVIF", "HEIF", "DICOM")

#: More pages are not counted: their list may be a circle.
MOST_PAGES = 2**20

#: The TIFF tag NewSubfileType. Bit 0 is a smaller version of another image, bit 2 a transparency mask.
_SUBFILE, _NO_IMAGE = 254, 5


def image_count(path: Path) -> int:
    """Return the number of images in a local file; 1 if it cannot be told, and for objects in stores."""
    known = BY_ENDING.get(path.suffix.lower())
    if isinstance(path, StorePath) or (known is not None and known.name not in SEVERAL):
        return 1
    try:
        return images_in(map_bytes(path), str(path))
    except (UnreadableError, MissingExtraError):  # Reading the file gives the error.
        return 1


def images_in(data: bytes | mmap.mmap, name: str) -> int:
    """Return the number of images in the content of a file; 1 if it is damaged.

    Parameters
    ----------
    data : bytes
        The content.
    name : str
        The name of the file in messages.

    Raises
    ------
    MissingExtraError
        If the library that can count them is not installed.
    """
    found = sniff(data[:HEAD])
    if found is None or found.name not in SEVERAL or (found.name == "TIFF" and is_raw(data)):
        return 1
    try:
        return max(1, _count(as_file(data), found, name))
    except MissingExtraError:
        raise
    except Exception:  # The decoders report how the file is damaged.
        return 1


def _count(file: BinaryIO, found: Format, name: str) -> int:
    match found.name:
        case "TIFF":
            return len(tiff_images(file))
        case "PNG" if not _is_animated(file):
            return 1
        case "DICOM":
            from edgekit.io.dicom import count_frames

            return count_frames(file.read(), name)
        case "HEIF":
            from edgekit.io.heif import count_images as count_heif

            return count_heif(file.read(), name)
    file.seek(0)
    return frames_by_pillow(file, found)


def tiff_images(file: BinaryIO) -> list[int]:
    """Return the numbers of the pages that are images, without smaller versions of others and masks.

    Only the lists of tags are read, which takes less time than to open each page.
    """
    kinds = list(_tiff_kinds(file))
    return [n for n, kind in enumerate(kinds) if not kind & _NO_IMAGE] or list(range(len(kinds)))


def _tiff_kinds(file: BinaryIO) -> Iterator[int]:
    """Yield NewSubfileType of each page of a TIFF file, 0 where it is not stated."""
    order = "<" if file.read(2) == b"II" else ">"
    big = file.read(2) in (b"+\0", b"\0+")
    length, count, word = (20, "Q", "Q") if big else (12, "H", "I")
    file.seek(8 if big else 4)
    (offset,) = struct.unpack(order + word, file.read(struct.calcsize(word)))
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < MOST_PAGES:
        seen.add(offset)
        file.seek(offset)
        (entries,) = struct.unpack(order + count, file.read(struct.calcsize(count)))
        data = file.read(entries * length)
        tags = (data[at : at + length] for at in range(0, len(data), length))
        kinds = (int.from_bytes(t[8:12] if not big else t[12:16], "little" if order == "<" else "big")
                 for t in tags if struct.unpack_from(order + "H", t)[0] == _SUBFILE)  # fmt: skip
        yield next(kinds, 0)
        (offset,) = struct.unpack(order + word, file.read(struct.calcsize(word)))


def _is_animated(file: BinaryIO) -> bool:
    """Tell whether the header of a PNG file states frames. Pillow counts an image that is none of them as well."""
    file.seek(8)
    while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"acTL":
            return True
        file.seek(length + 4, io.SEEK_CUR)
    return False
