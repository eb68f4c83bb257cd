"""Reads the container of JPEG XR files (ITU-T T.832, annex A). Standard library only.

jxrlib fills up what is missing in truncated files, does not turn images by a quarter, and may crash where the
container and the image contradict each other. So all of this is checked here.
"""

import struct
from typing import NamedTuple


class JpegXr(NamedTuple):
    """What the container of a JPEG XR file states.

    Attributes
    ----------
    width, height : int
        The size as stored.
    channels : int
        The number of channels with the opacity: 1, 3 or 4.
    premultiplied : bool
        Whether the colours are multiplied by the opacity.
    orientation : int
        The orientation, as a number of EXIF.
    unturned : bytes
        The file without its orientation.
    """

    width: int
    height: int
    channels: int
    premultiplied: bool
    orientation: int
    unturned: bytes

    @property
    def opacity(self) -> bool:
        """Whether the last channel is the opacity."""
        return self.channels == 4


#: The orientation as a number of EXIF, by that of JPEG XR: flips, after a quarter turn clockwise from 4 on.
_ORIENTATIONS = (1, 4, 2, 3, 6, 7, 5, 8)

#: The tags of the container.
_FORMAT, _TRANSFORMATION, _WIDTH, _HEIGHT = 0xBC01, 0xBC02, 0xBC80, 0xBC81
_IMAGE_OFFSET, _IMAGE_BYTES, _OPACITY_OFFSET, _OPACITY_BYTES = 0xBCC0, 0xBCC1, 0xBCC2, 0xBCC3

#: Colour formats of the coded image: gray and RGB.
_GRAY, _RGB = 0, 7

#: Depths of the coded image.
_BITS_1, _BITS_8, _BITS_16, _FIXED_16, _HALF, _FIXED_32, _FLOAT, _INVERTED_1 = 0, 1, 2, 3, 4, 6, 7, 15


class _Format(NamedTuple):
    """A pixel format: what the coded image must be, how many channels there are, whether they are premultiplied."""

    colours: int
    depths: tuple[int, ...]
    channels: int
    premultiplied: bool = False


#: The pixel formats by the last byte of their identifier, where the other ones are these.
_COMMON = bytes.fromhex("24c3dd6f034efe4bb1853d77768dc9")
_FORMATS = {
    0x05: _Format(_GRAY, (_BITS_1, _INVERTED_1), 1), 0x08: _Format(_GRAY, (_BITS_8,), 1),
    0x0B: _Format(_GRAY, (_BITS_16,), 1), 0x11: _Format(_GRAY, (_FLOAT,), 1), 0x13: _Format(_GRAY, (_FIXED_16,), 1),
    0x3E: _Format(_GRAY, (_HALF,), 1), 0x3F: _Format(_GRAY, (_FIXED_32,), 1),
    0x0C: _Format(_RGB, (_BITS_8,), 3), 0x0D: _Format(_RGB, (_BITS_8,), 3), 0x0E: _Format(_RGB, (_BITS_8,), 3),
    0x0F: _Format(_RGB, (_BITS_8,), 4), 0x10: _Format(_RGB, (_BITS_8,), 4, True),
    0x15: _Format(_RGB, (_BITS_16,), 3), 0x16: _Format(_RGB, (_BITS_16,), 4), 0x17: _Format(_RGB, (_BITS_16,), 4, True),
    0x12: _Format(_RGB, (_FIXED_16,), 3), 0x40: _Format(_RGB, (_FIXED_16,), 3), 0x1D: _Format(_RGB, (_FIXED_16,), 4),
    0x18: _Format(_RGB, (_FIXED_32,), 3), 0x41: _Format(_RGB, (_FIXED_32,), 3), 0x1E: _Format(_RGB, (_FIXED_32,), 4),
    0x3B: _Format(_RGB, (_HALF,), 3), 0x42: _Format(_RGB, (_HALF,), 3), 0x3A: _Format(_RGB, (_HALF,), 4),
    0x1B: _Format(_RGB, (_FLOAT,), 3), 0x19: _Format(_RGB, (_FLOAT,), 4), 0x1A: _Format(_RGB, (_FLOAT,), 4, True),
}  # fmt: skip

#: Pixel formats with other identifiers: RGBA and PRGBA of 8 bits, RGB of 32-bit and PRGBA of 16-bit floating point.
_OTHERS = {
    bytes.fromhex("2dadc7f58d6add43a7a8a29935261ae9"): _Format(_RGB, (_BITS_8,), 4),
    bytes.fromhex("50a6c43c27a5374da9163142c7ebedba"): _Format(_RGB, (_BITS_8,), 4, True),
    bytes.fromhex("8fd7fee3dbe8cf4a84c1e97f6136b327"): _Format(_RGB, (_FLOAT,), 3),
    bytes.fromhex("c226ad5823c69d4db320387e49f8c442"): _Format(_RGB, (_HALF,), 4, True),
}


def jpeg_xr_container(data: bytes) -> JpegXr:
    """Return what the container of a JPEG XR file states.

    Raises
    ------
    ValueError
        If it is damaged or truncated, or the pixels are not gray or RGB.
    """
    try:
        return _container(data)
    except (KeyError, IndexError, struct.error):
        raise ValueError("its container is damaged") from None


def _container(data: bytes) -> JpegXr:
    tags, places = _tags(data)
    pixel_format = _format(data[tags[_FORMAT] : tags[_FORMAT] + 16])
    image, size = tags[_IMAGE_OFFSET], (tags[_WIDTH], tags[_HEIGHT])
    coded = _coded(data, image, image + tags[_IMAGE_BYTES])
    consistent = coded[:3] == (*size, pixel_format.colours) and coded[3] in pixel_format.depths
    if _OPACITY_OFFSET in tags:
        at, length = tags[_OPACITY_OFFSET], tags[_OPACITY_BYTES]
        # jxrlib writes the end of the opacity in place of its length.
        opacity = _coded(data, at, length if length > at else at + length)
        consistent &= opacity == (*size, _GRAY, coded[3]) and pixel_format.channels == 4
    if not consistent:
        raise ValueError("its container contradicts the image in it")
    turn = tags.get(_TRANSFORMATION, data[image + 9] >> 3 & 7)
    unturned = bytearray(data)
    unturned[image + 9] &= ~0x38
    if _TRANSFORMATION in places:
        unturned[places[_TRANSFORMATION] : places[_TRANSFORMATION] + 4] = bytes(4)
    return JpegXr(*size, pixel_format.channels, pixel_format.premultiplied, _ORIENTATIONS[turn], bytes(unturned))


def _tags(data: bytes) -> tuple[dict[int, int], dict[int, int]]:
    """Return the values of the tags that are whole numbers, and where they stand."""
    tags, places = {}, {}
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, _, value = struct.unpack_from("<HHII", data, at)
        tags[tag], places[tag] = value & {1: 0xFF, 3: 0xFFFF}.get(kind, 0xFFFFFFFF), at + 8
    return tags, places


def _format(identifier: bytes) -> _Format:
    found = _FORMATS.get(identifier[-1]) if identifier[:-1] == _COMMON else _OTHERS.get(identifier)
    if found is None:
        raise ValueError("its pixels are not gray or RGB, or packed in a way that is not supported")
    return found


def _coded(data: bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Return width, height, colour format and depth in the header of a coded image."""
    if end > len(data):
        raise ValueError("it is truncated")
    if data[at : at + 8] != b"WMPHOTO\0":
        raise ValueError("its container is damaged")
    short = bool(data[at + 10] & 0x80)
    width, height = struct.unpack_from(">HH" if short else ">II", data, at + 12)
    return width + 1, height + 1, data[at + 11] >> 4, data[at + 11] & 15
