"""PNG files by ISA-L's deflate, which takes a third of the time of libpng's at the same size. May import NumPy."""

import importlib.util
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: Colour types by the number of channels.
_COLOURS = {1: 0, 3: 2, 4: 6}

#: Each byte less that of the pixel before: filter 1, "Sub". On edge maps it packs best of those that cost one pass.
_SUB = 1

#: Bytes that are filtered and packed at a time, while they are in the cache.
_BLOCK = 2**18

_NUMBER = struct.Struct(">I")

#: ISA-L's levels above take longer and save nothing on edge maps.
_LEVEL = 1

#: Binary digits of how far back repeats are looked for: the fewest there are. On edge maps of photographs nothing
#: repeats but by chance, and to refer to afar costs more than it saves: 15 digits take a tenth longer, for a fiftieth
#: more bytes. Only pictures whose lines are like those above, of lettering for one, are larger so, by a seventh.
_WINDOW = 9

#: Bytes at the start that are packed apart, for ten bytes more. Where ISA-L's loop for long input begins a stream, it
#: takes the hash of the third byte of a register that was never set (``write_first_byte`` in its
#: igzip_icf_body_h1_gr_bt.asm, release 2.32.1), which holds an address: the same picture had other bytes once in
#: thousands of times. A stream that its code for short input has begun is not hit.
_START = 8


@cache
def available() -> bool:
    """Tell whether ISA-L is there; it is not built for every machine."""
    return importlib.util.find_spec("isal") is not None


def encode_png(image: Array) -> bytes:
    """Return the content of a PNG file.

    Parameters
    ----------
    image : ndarray of uint8 or uint16
        (H, W) or (H, W, 1) grey, (H, W, 3) RGB, (H, W, 4) RGBA.

    References
    ----------
    Portable Network Graphics (PNG) Specification, third edition, W3C.
    """
    from isal import isal_zlib

    packer = isal_zlib.compressobj(_LEVEL, wbits=_WINDOW)
    blocks = _filtered(image)
    first = next(blocks)
    packed = [packer.compress(first[:_START]), packer.flush(isal_zlib.Z_SYNC_FLUSH), packer.compress(first[_START:])]
    packed = [b"".join(packed), *map(packer.compress, blocks), packer.flush()]
    rows, columns, channels = (*image.shape, 1)[:3]
    header = struct.pack(">IIBBBBB", columns, rows, 8 * image.itemsize, _COLOURS[channels], 0, 0, 0)
    made = [_SIGNATURE, *_chunk(b"IHDR", header)]
    for data in filter(None, packed):
        made += _chunk(b"IDAT", data)
    return b"".join((*made, *_chunk(b"IEND", b"")))


def _filtered(image: Array) -> Iterator[Array]:
    """Give a picture's filtered lines, some at a time, in one buffer."""
    rows, columns, channels = (*image.shape, 1)[:3]
    pixel = channels * image.itemsize
    height = min(max(1, _BLOCK // (columns * pixel)), rows)
    filtered = np.empty((height, 1 + columns * pixel), np.uint8)
    filtered[:, 0] = _SUB
    for start in range(0, rows, height):
        # The most significant byte comes first.
        part = np.ascontiguousarray(image[start : start + height], image.dtype.newbyteorder(">"))
        lines = part.view(np.uint8).reshape(len(part), columns * pixel)
        into = filtered[: len(part)]
        into[:, 1 : 1 + pixel] = lines[:, :pixel]
        np.subtract(lines[:, pixel:], lines[:, :-pixel], out=into[:, 1 + pixel :])
        yield into.reshape(-1)


def _chunk(name: bytes, data: bytes) -> tuple[bytes, ...]:
    from isal import isal_zlib

    return _NUMBER.pack(len(data)), name, data, _NUMBER.pack(isal_zlib.crc32(data, isal_zlib.crc32(name)))
