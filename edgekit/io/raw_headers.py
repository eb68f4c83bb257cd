"""Tells raw photographs of cameras from other TIFF files. May import `common` and what is below it.

Most raw formats are TIFF files whose first image is a preview of the photograph.
"""

import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from edgekit.io.files import open_regular
from edgekit.io.formats import RAW

#: Photometric interpretations of the values of a sensor: CFA and LinearRaw.
CFA, LINEAR_RAW = 32803, 34892

#: The TIFF tags NewSubfileType, PhotometricInterpretation, SubIFDs and DNGVersion.
_SUBFILE, _PHOTOMETRIC, _SUBIFDS, _DNG = 254, 262, 330, 50706

#: Largest number of directories that are read, and of tags in each.
_DIRECTORIES, _TAGS = 32, 512


def is_raw(data: bytes | mmap.mmap) -> bool:
    """Tell whether a file is a raw photograph of a camera.

    It is one if it begins like one; or if it is a TIFF file with the tag DNGVersion, with the values of a sensor, or
    whose first image is a reduced version of one in a SubIFD.

    Parameters
    ----------
    data : bytes
        The content of the file.
    """
    if has_signature(data):
        return True
    for number, tags in enumerate(_directories(data)):
        if _DNG in tags or {CFA, LINEAR_RAW} & set(tags.get(_PHOTOMETRIC, ())):
            return True
        if number == 0 and _SUBIFDS in tags and tags.get(_SUBFILE, (0,))[0] & 1:
            return True
    return False


def is_raw_file(path: Path) -> bool:
    """Tell the same for a local file, of which only the parts that matter are read."""
    try:
        with open_regular(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return is_raw(data)
    except (OSError, ValueError):  # Missing or empty.
        return False


def has_signature(data: bytes | mmap.mmap) -> bool:
    """Tell whether a file begins like a raw photograph, beyond what other TIFF files begin with."""
    return re.match(RAW, data[:16]) is not None


def _directories(data: bytes | mmap.mmap) -> Iterator[dict[int, tuple[int, ...]]]:
    """Give the tags that matter here of each directory of a TIFF file, those of SubIFDs included."""
    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]
    try:
        waiting = list(struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4))
        seen: set[int] = set()
        while waiting and len(seen) < _DIRECTORIES:
            at = waiting.pop(0)
            if at in seen or not at:
                continue
            seen.add(at)
            tags, following = _directory(data, at, order, big)
            yield tags
            waiting += [*tags.get(_SUBIFDS, ()), following]
    except (struct.error, OverflowError):
        # Truncated, or a place beyond what a file can have.
        return


def _directory(data: bytes | mmap.mmap, at: int, order: str, big: bool) -> tuple[dict[int, tuple[int, ...]], int]:
    """Return the tags of the directory at `at`, and where the next one is; 0 if there is none."""
    pointer, length, inside = ("Q", 20, 8) if big else ("I", 12, 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    first = at + (8 if big else 2)
    tags = {}
    for entry in range(first, first + min(count, _TAGS) * length, length):
        tag, kind, number = struct.unpack_from(order + "HH" + pointer, data, entry)
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)
        if tag not in (_SUBFILE, _PHOTOMETRIC, _SUBIFDS, _DNG) or not code or not number:
            continue
        layout = f"{order}{min(number, _DIRECTORIES)}{code}"
        place = entry + length - inside
        if struct.calcsize(layout) > inside:
            (place,) = struct.unpack_from(order + pointer, data, place)
        tags[tag] = struct.unpack_from(layout, data, place)
    (following,) = struct.unpack_from(order + pointer, data, first + count * length)
    return tags, following
