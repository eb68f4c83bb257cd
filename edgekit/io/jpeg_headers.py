"""Reads the headers of JPEG, JPEG-LS and JPEG XL files, before their decoders allocate memory. Standard library only.

These are the fields that the decoders of imagecodecs do not tell, or tell too late.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

#: The frame headers: SOF0 to SOF15 without the markers DHT, JPG and DAC between them, and that of JPEG-LS.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}

_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)

_JPEG_LS = 0xF7


class Frame(NamedTuple):
    """The frame header of a JPEG or JPEG-LS file.

    Attributes
    ----------
    marker : int
        The second byte of its marker: 0xC3 is lossless JPEG, 0xF7 is JPEG-LS.
    bits : int
        The bits of a sample.
    width, height : int
        The size as stored.
    channels : int
        The number of channels.
    exif : bytes
        The EXIF block before it; empty if there is none.
    end : int
        Where it ends.
    """

    marker: int
    bits: int
    width: int
    height: int
    channels: int
    exif: bytes
    end: int

    @property
    def is_jpeg_ls(self) -> bool:
        """Whether it is JPEG-LS."""
        return self.marker == _JPEG_LS

    @property
    def is_lossless(self) -> bool:
        """Whether it is lossless JPEG or JPEG-LS."""
        return self.marker in (*_LOSSLESS, _JPEG_LS)

    @property
    def is_deep(self) -> bool:
        """Whether a sample has more than 8 bits."""
        return self.bits > 8

    @property
    def kind(self) -> str:
        """The format in messages."""
        return "JPEG-LS" if self.is_jpeg_ls else "lossless JPEG" if self.is_lossless else f"JPEG of {self.bits} bits"


def jpeg_frame(data: bytes) -> Frame | None:
    """Return the frame header; None if it cannot be found."""
    exif, at = b"", 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 10 <= len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 4)
            return Frame(marker, bits, width, height, channels, exif, at + 2 + length)
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            exif = data[at + 4 : at + 2 + length]
        # Padding bytes, and markers without a length.
        at += 1 if marker == 0xFF else 2 if marker <= 0x01 or 0xD0 <= marker <= 0xD9 else 2 + length
    return None


def is_whole_jpeg(data: bytes, frame: Frame) -> bool:
    """Tell whether the marker for the end of the image follows the coded data. Decoders fill up what is missing."""
    at, scan = frame.end, -1
    while (at := data.find(b"\xff", at)) >= 0 and at + 2 <= len(data):
        marker = data[at + 1]
        if marker == 0xD9:
            return scan > 0
        # In coded data a byte follows 0xFF that is zero, or has no upper bit in JPEG-LS, or is a restart marker.
        stuffed = marker < 0x80 if frame.is_jpeg_ls else marker == 0
        if stuffed or 0xD0 <= marker <= 0xD7 or marker == 0x01:
            at += 2
        elif marker == 0xFF:
            at += 1
        else:
            scan = at if marker == 0xDA else scan
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


class JpegXl(NamedTuple):
    """The header of a JPEG XL file.

    Attributes
    ----------
    width, height : int
        The size as stored.
    orientation : int
        The orientation, as a number of EXIF. The decoder applies it.
    bits : int
        The bits of a sample.
    floating : bool
        Whether samples are floating-point numbers.
    animated : bool
        Whether there may be several frames.
    extra : tuple of int
        The kinds of the channels beside the colours, as far as they could be read: 0 is opacity.
    premultiplied : bool
        Whether the colours are multiplied by the opacity.
    """

    width: int
    height: int
    orientation: int = 1
    bits: int = 8
    floating: bool = False
    animated: bool = False
    extra: tuple[int, ...] = ()
    premultiplied: bool = False


class _Bits:
    """Reads the numbers of a JPEG XL header, the least significant bit first (ISO/IEC 18181-1, annex B)."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def u(self, count: int) -> int:
        """Return a number of this many bits."""
        if count > self._left:
            raise ValueError("the header is truncated")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def u32(self, *choices: tuple[int, int]) -> int:
        """Return one of four numbers: each an offset, and the bits of what is added to it."""
        offset, count = choices[self.u(2)]
        return offset + self.u(count)


#: The bytes of a codestream that its header is looked for in.
_HEADER = 4096


def jpeg_xl_header(data: bytes) -> JpegXl | None:
    """Return the header of a JPEG XL file, with or without a container; None if it is damaged."""
    stream = data if data[:2] == b"\xff\x0a" else b"".join(_codestream(data))
    if stream[:2] != b"\xff\x0a":
        return None
    try:
        return _header(_Bits(stream[2:_HEADER]))
    except ValueError:
        return None


def _codestream(data: bytes) -> Iterator[bytes]:
    """Give the first bytes of each part of the codestream in a container."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        end = at + length if length else len(data)
        if end <= at:
            return
        if kind == b"jxlc":
            yield data[start : min(end, start + _HEADER)]
        elif kind == b"jxlp":
            # The number of the part stands first.
            yield data[start + 4 : min(end, start + 4 + _HEADER)]
        at = end


#: Width over height, by the number that replaces a width.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.u(1)

    def side() -> int:
        return 8 * (bits.u(5) + 1) if small else bits.u32((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = bits.u(3)
    if not ratio:
        return side(), height
    numerator, denominator = _RATIOS[ratio]
    return height * numerator // denominator, height


def _depth(bits: _Bits) -> tuple[int, bool]:
    floating = bool(bits.u(1))
    if floating:
        count = bits.u32((32, 0), (16, 0), (24, 0), (1, 6))
        # The bits of the exponent.
        bits.u(4)
        return count, True
    return bits.u32((8, 0), (10, 0), (12, 0), (1, 6)), False


def _header(bits: _Bits) -> JpegXl:
    width, height = _size(bits)
    if bits.u(1):
        # All other fields have their default.
        return JpegXl(width, height)
    orientation, animated = 1, False
    if bits.u(1):
        orientation = bits.u(3) + 1
        if bits.u(1):
            # The size at which the image should be shown.
            _size(bits)
        if bits.u(1):
            # Images with a preview are rare, and the fields after it are not needed to refuse a size.
            return JpegXl(width, height, orientation)
        if animated := bool(bits.u(1)):
            bits.u32((100, 0), (1000, 0), (1, 10), (1, 30))
            bits.u32((1, 0), (1001, 0), (1, 8), (1, 10))
            bits.u32((0, 0), (0, 3), (0, 16), (0, 32))
            bits.u(1)
    depth, floating = _depth(bits)
    # Whether 16 bits suffice for the decoder's buffers.
    bits.u(1)
    extra, premultiplied = [], False
    count = bits.u32((0, 0), (1, 0), (2, 4), (1, 12))
    if count:
        if bits.u(1):
            # Opacity with the defaults.
            extra.append(0)
        else:
            kind = bits.u32((0, 0), (1, 0), (2, 4), (18, 6))
            extra.append(kind)
            _depth(bits)
            bits.u32((0, 0), (3, 0), (4, 0), (1, 3))
            # The name.
            bits.u(8 * bits.u32((0, 0), (0, 4), (16, 5), (48, 10)))
            premultiplied = kind == 0 and bool(bits.u(1))
        # The kinds of further channels are not needed: -1.
        extra += [-1] * (count - 1)
    return JpegXl(width, height, orientation, depth, floating, animated, tuple(extra), premultiplied)
