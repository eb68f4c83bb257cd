"""Reads size, opacity and range of values from the headers of image files, before memory is allocated.

Standard library only.

This is for the formats that OpenCV decodes, since OpenCV does not tell the size before it decodes. Opening each file
with Pillow first would take longer than decoding a small one. Each function reads the fields that OpenCV reads.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

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
    except (KeyError, struct.error, ValueError, OverflowError):  # Another format, or truncated.
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
    return max(_extents(data), key=lambda size: size[0] * size[1], default=None)


def _extents(data: bytes) -> Iterator[Size]:
    for kind, begin, _ in _properties(data, 0, len(data)):
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", data, begin + 4)
            yield width, height


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


def has_opacity(data: bytes, format: str) -> bool:
    """Tell whether a PNG, WebP, GIF or AVIF file has transparent pixels, or may have some."""
    match format:
        case "PNG":
            # The color types with alpha; a tRNS chunk stands before the pixels.
            return data[25:26] in (b"\x04", b"\x06") or any(kind == b"tRNS" for kind, _, _ in _png_chunks(data))
        case "WebP":
            return bool(data[12:16] == b"VP8X" and data[20] & 0x10) or (
                data[12:16] == b"VP8L" and len(data) > 24 and bool(data[24] & 0x10)
            )
        case "GIF":
            # A graphic control extension that states a transparent colour.
            at = data.find(b"\x21\xf9\x04")
            return 0 <= at < len(data) - 3 and bool(data[at + 3] & 1)
        case "JPEG 2000":
            return b"cdef" in data[:4096]
        case "AVIF":
            return any(kind == b"auxC" for kind, _, _ in _properties(data, 0, len(data)))
    return False


class PngHeader(NamedTuple):
    """Width and height of a PNG file, its bits per value, and how many frames it states, 1 if it is not animated."""

    width: int
    height: int
    bits: int
    frames: int


def png_header(data: bytes) -> PngHeader:
    """Return what the header of a PNG file states."""
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    frames = (int.from_bytes(data[at : at + 4], "big") for kind, at, _ in _png_chunks(data) if kind == b"acTL")
    return PngHeader(width, height, bits, next(frames, 1))


def clear_level(data: bytes) -> int:
    """Return the gray level that is transparent in a PNG file, as decoders scale it: to 8 bits, or in 16."""
    level = next(int.from_bytes(data[start:end], "big") for kind, start, end in _png_chunks(data) if kind == b"tRNS")
    bits = data[24]
    return level if bits == 16 else level % 2**bits * 255 // (2**bits - 1)


def has_colours_and_gamma(data: bytes) -> bool:
    """Tell whether a PNG file has colours and states a gamma: then OpenCV weighs them in another way."""
    return bool(data[25] & 2) and any(kind == b"gAMA" for kind, _, _ in _png_chunks(data))


def is_unusual_bmp(data: bytes) -> bool:
    """Tell whether this is a BMP file that OpenCV 5.0 may read wrongly: with an old header, 16 bits or compression."""
    if data[:2] != b"BM" or len(data) < 34:
        return False
    size, bits, compression = struct.unpack_from("<I10xHI", data, 14)
    return size not in (40, 108, 124) or bits == 16 or compression != 0


def has_palette(data: bytes, format: str) -> bool:
    """Tell whether this is a JPEG 2000 file whose pixels are indices of colours."""
    return format == "JPEG 2000" and b"pclr" in data[:4096]


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of the content of each chunk of a PNG file before its pixels."""
    at = 8
    while at + 12 <= len(data) and (kind := data[at + 4 : at + 8]) != b"IDAT":
        length = int.from_bytes(data[at : at + 4], "big")
        yield kind, at + 8, at + 8 + length
        at += 12 + length


def range_by_header(data: bytes, format: str, dtype: Any) -> tuple[float, float] | None:
    """Return the values of black and white of a file whose pixels have fewer bits than their type; None for others.

    Parameters
    ----------
    dtype : dtype
        The type of the decoded pixels.
    """
    bits = None
    if format == "AVIF":
        boxes = {kind: data[begin : begin + 24] for kind, begin, _ in _properties(data, 0, len(data))}
        found, colours = boxes.get(b"av1C", b""), boxes.get(b"colr", b"")
        if len(found) > 2:
            bits = 8 if not found[2] & 0x40 else 12 if found[2] & 0x20 else 10
            full = colours[10] & 0x80 if colours[:4] == b"nclx" else _is_full_range(found)
            if found[2] & 0x10 and not full:
                # OpenCV returns the luma of gray images as it is. Its limited range is that of video.
                return 16.0 * 2 ** (bits - 8), 235.0 * 2 ** (bits - 8)
    elif format == "JPEG 2000" and (start := data.find(b"\xff\x51")) > 0 and len(data) > start + 40:
        bits = 1 + (data[start + 40] & 0x7F)
    return None if bits is None or bits >= 8 * dtype.itemsize else (0.0, 2.0**bits - 1)


def _is_full_range(configuration: bytes) -> bool:
    """Tell whether a gray AV1 image has its full range, by the short header of still pictures; True for other headers.

    Parameters
    ----------
    configuration : bytes
        The box `av1C`, which ends with the sequence header.

    References
    ----------
    AV1 Bitstream & Decoding Process Specification, 5.5.
    """
    header = f"{int.from_bytes(configuration[6:24], 'big'):0{8 * len(configuration[6:24])}b}"
    # A unit of the type sequence header with its length, and the flag of the short form.
    if len(configuration) < 18 or configuration[4] != 0x0A or header[4] != "1":
        return True
    # Profile, flags, level, the lengths of width and height, width and height, six flags of tools.
    depth = 18 + sum(1 + int(header[at : at + 4], 2) for at in (10, 14)) + 6
    # High depth, 12 bits in the professional profile, gray.
    described = depth + 2 + (header[:3] == "010" and header[depth] == "1")
    return header[described + (25 if header[described] == "1" else 1)] == "1"


def _properties(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes of item properties of an AVIF file."""
    for kind, begin, after in _boxes(data, start, end):
        if kind in (b"meta", b"iprp", b"ipco"):
            yield from _properties(data, begin + (4 if kind == b"meta" else 0), after)
        else:
            yield kind, begin, after


#: The depths of each color type of PNG.
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

#: The chunks of a PNG file that its pixels depend on, and the orientation.
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND")


def plain_png(data: bytes) -> bytes | None:
    """Return a PNG file without animation, gamma, profile and text; None if it is damaged.

    `cv2.imdecode` of OpenCV 5.0 blends the frames of an animation into the first image, `cv2.imread` does not. With a
    gamma it weighs colours in another way when it converts to gray, and it prints warnings about profiles. For a
    truncated chunk it would allocate the length that the chunk states, up to 4 GiB. libpng prints what is wrong with a
    damaged file.
    """
    if len(data) < 33 or data[24] not in _PNG_DEPTHS.get(data[25], ()):
        return None
    view = memoryview(data)
    kept, start, at, kind = [], 0, 8, b""
    while kind != b"IEND":
        after = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if after > len(data):
            return None
        kind = data[at + 4 : at + 8]
        if kind not in _PNG_CHUNKS:
            kept.append(data[start:at])
            start = after
        elif zlib.crc32(view[at + 4 : after - 4]) != int.from_bytes(view[after - 4 : after], "big"):
            return None
        at = after
    return b"".join((*kept, data[start:])) if kept else data
