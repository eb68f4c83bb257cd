"""Reads width and height from the headers of image files, before memory is allocated. Standard library only.

This is for the formats that OpenCV decodes, since OpenCV does not tell the size before it decodes. Opening each file
with Pillow first would take longer than decoding a small one. Each function reads the fields that OpenCV reads.
"""

import re
import struct
from collections.abc import Callable, Iterator

Size = tuple[int, int]


def size_by_header(data: bytes, format: str) -> Size | None:
    """Return width and height as stored, before the orientation is applied; None if the header does not state them.

    Parameters
    ----------
    data : bytes
        The content of the file.
    format : str
        A name in `edgekit.io.formats.FORMATS`.
    """
    try:
        return _READERS[format](data)
    except (KeyError, struct.error, ValueError):  # Another format, or truncated.
        return None


def _png(data: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else None


def _jpeg(data: bytes) -> Size | None:
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 9 <= len(data):
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xDA:
            return None
        # Padding bytes, and markers without a length.
        at += 1 if marker == 0xFF else 2 if marker <= 0x01 or 0xD0 <= marker <= 0xD8 else 2 + _u16(data, at + 2)
    return None


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _bmp(data: bytes) -> Size:
    old = data[14:18] == b"\x0c\0\0\0"
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return abs(width), abs(height)


def _gif(data: bytes) -> Size:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp(data: bytes) -> Size | None:
    match data[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None


#: The TIFF tags ImageWidth and ImageLength.
_WIDTH, _LENGTH = 256, 257


def _tiff(data: bytes) -> Size | None:
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    length, value = (20, 12) if big else (12, 8)
    first = start + (8 if big else 2)
    found = {}
    for at in range(first, min(first + count * length, len(data)), length):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        code = {3: "H", 4: "I", 16: "Q"}.get(kind)
        if tag in (_WIDTH, _LENGTH) and code and tag not in found:
            (found[tag],) = struct.unpack_from(order + code, data, at + value)
    return (found[_WIDTH], found[_LENGTH]) if len(found) == 2 else None


def _netpbm(data: bytes) -> Size | None:
    # No header is longer than this.
    head = re.sub(rb"#[^\r\n]*", b"", data[:4096])
    if data[:2] == b"P7":
        sides = [re.search(rb"\b%s\s+(\d+)" % name, head) for name in (b"WIDTH", b"HEIGHT")]
        return (int(sides[0][1]), int(sides[1][1])) if sides[0] and sides[1] else None
    found = re.match(rb"P[1-6fF]\s+(\d+)\s+(\d+)\s", head)
    return (int(found[1]), int(found[2])) if found else None


def _hdr(data: bytes) -> Size | None:
    found = re.search(rb"\n-Y\s+(\d+)\s+\+X\s+(\d+)", data[:65536])
    return (int(found[2]), int(found[1])) if found else None


def _sun(data: bytes) -> Size:
    width, height = struct.unpack_from(">II", data, 4)
    return width, height


def _jpeg_2000(data: bytes) -> Size | None:
    start = 0
    if data[:2] != b"\xff\x4f":
        start = next((begin for kind, begin, _ in _boxes(data, 0, len(data)) if kind == b"jp2c"), len(data))
    right, bottom, left, top = struct.unpack_from(">IIII", data, start + 8)
    return (right - left, bottom - top) if right > left and bottom > top else None


def _avif(data: bytes) -> Size | None:
    # An image of several tiles states its own size and that of a tile.
    return max(_extents(data, 0, len(data)), key=lambda size: size[0] * size[1], default=None)


def _extents(data: bytes, start: int, end: int) -> Iterator[Size]:
    for kind, begin, after in _boxes(data, start, end):
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", data, begin + 4)
            yield width, height
        elif kind in (b"meta", b"iprp", b"ipco"):
            yield from _extents(data, begin + (4 if kind == b"meta" else 0), after)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give type, start and end of the content of each box (ISO/IEC 14496-12) of a JPEG 2000 or AVIF file."""
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if length == 1:
            (length,), header = struct.unpack_from(">Q", data, start + 8), 16
        after = end if length == 0 else min(start + length, end)
        if after < start + header:
            return
        yield kind, start + header, after
        start = after


_READERS: dict[str, Callable[[bytes], Size | None]] = {
    "PNG": _png, "JPEG": _jpeg, "BMP": _bmp, "GIF": _gif, "WebP": _webp, "TIFF": _tiff, "netpbm": _netpbm,
    "Radiance HDR": _hdr, "Sun raster": _sun, "JPEG 2000": _jpeg_2000, "AVIF": _avif,
}  # fmt: skip


def without_animation(data: bytes) -> bytes | None:
    """Return a PNG file without its animation; None if a chunk goes beyond the end of the file.

    `cv2.imdecode` of OpenCV 5.0 blends the frames of an animation into the first image, `cv2.imread` does not. The
    chunks IHDR and IDAT alone are a complete image. For a truncated chunk both would allocate the length that the
    chunk states, up to 4 GiB.
    """
    kept, start, at, kind = [], 0, 8, b""
    while kind != b"IEND":
        after = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if after > len(data):
            return None
        kind = data[at + 4 : at + 8]
        if kind in (b"acTL", b"fcTL", b"fdAT"):
            kept.append(data[start:at])
            start = after
        at = after
    return b"".join((*kept, data[start:])) if kept else data
