"""From arrays to the contents of image files: PNG by ISA-L, other formats by OpenCV and NumPy. Writes no file."""

import importlib.util
import io
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.arrays import as_array
from edgekit.common.load_cv2 import cv2
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.io.conversion import swap_red_and_blue
from edgekit.io.formats import BY_ENDING, FORMATS, Format
from edgekit.io.tiff_tags import Tag

Array = NDArray[Any]

#: Formats that can be written, by ending.
WRITABLE = {ending: f for ending, f in BY_ENDING.items() if f.depths}

# Lossless WebP; JPEG in the quality of cameras.
_OPENCV_PARAMETERS = {
    "WebP": (cv2.IMWRITE_WEBP_QUALITY, 101),
    "JPEG": (cv2.IMWRITE_JPEG_QUALITY, 95),
}


def writable_format(ending: str) -> Format:
    """Return the format of files with this ending.

    Raises
    ------
    ParameterError
        If it cannot be written.
    """
    try:
        return WRITABLE[ending.lower()]
    except KeyError:
        names = ", ".join(f.endings[0] for f in FORMATS if f.depths)
        raise ParameterError(f"cannot write {ending or 'a file without an ending'!r}; choose one of {names}") from None


def encode(image: Array, ending: str, *, bands: bool = False, tags: Sequence[Tag] = ()) -> bytes:
    """Return the content of an image file.

    Parameters
    ----------
    image : ndarray
        (rows, columns), or (rows, columns, channels) in RGB or RGBA order.
    ending : str
        Chooses the format, such as ``.png``.
    bands : bool
        Whether channels after the third are bands, and not the opacity.
    tags : sequence of Tag
        Further tags of a TIFF file.

    Raises
    ------
    ParameterError
        If the format cannot store the type of the image, or its bands.
    ShapeError, DtypeError
        If `image` is not an image.
    """
    kind = writable_format(ending)
    image = as_array(image)
    if not isinstance(image, np.ndarray):
        raise DtypeError(
            f"expected a NumPy array (rows, columns) or (rows, columns, channels) to write; found a tensor of shape "
            f"{tuple(image.shape)}. Convert it with numpy(force=True); move the channels to the end first"
        )
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    if kind.name == "Zarr":
        raise ParameterError("only TIFF and Zarr files can be converted to Zarr; write .tif or .npy instead")
    if kind.name == "NPY":
        if image.dtype.hasobject:
            raise DtypeError(f"expected numbers to write; found an array of {image.dtype}. Convert it first")
        buffer = io.BytesIO()
        np.save(buffer, image, allow_pickle=False)
        return buffer.getvalue()
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    depth = {"uint8": "8", "uint16": "16", "float32": "float", "float64": "float"}.get(image.dtype.name)
    if depth not in kind.depths:
        advice = "write .tif or .npy, or choose another depth"
        if depth is None:
            advice = "write .npy, or convert it to float32 or float64 and write .tif"
        raise ParameterError(f"{kind.name} cannot hold {image.dtype}; {advice}")
    has_bands = bands and image.ndim == 3 and image.shape[2] not in (1, 3)
    if (has_bands or tags) and 0 not in image.shape:
        return _by_tifffile(image[:, :, 0] if image.shape[2:] == (1,) else image, kind.name, tags)
    if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise ShapeError(f"{kind.name} holds (rows, columns) or (rows, columns, 1, 3 or 4); found {image.shape}")
    if kind.name == "PNG" and has_isal():
        return encode_png(image)
    return _by_opencv(image, ending.lower(), kind.name, _OPENCV_PARAMETERS.get(kind.name, ()))


def _by_tifffile(image: Array, format: str, tags: Sequence[Tag]) -> bytes:
    """Return a TIFF file with a channel for each band, and with further tags."""
    if format != "TIFF":
        raise ParameterError(
            f"{format} cannot hold {image.shape[2]} bands; write .tif or .npy, or combine the bands (--channel max)"
        )
    import tifffile

    channels = image.shape[2] if image.ndim == 3 else 1
    photometric, more = ("rgb", channels - 3) if channels == 3 else ("minisblack", channels - 1)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, image, photometric=photometric, planarconfig="contig" if channels > 1 else None,
        extrasamples=["unspecified"] * more, compression="zlib", metadata=None, extratags=tags,
    )  # fmt: skip
    return buffer.getvalue()


def encode_jpeg(image: Array, quality: int) -> bytes:
    """Return the content of a JPEG file of a given quality, for thumbnails.

    Parameters
    ----------
    image : ndarray of uint8
        (rows, columns), or (rows, columns, 3) in RGB order.

    Raises
    ------
    ParameterError
        If JPEG cannot store the image.
    """
    return _by_opencv(image, ".jpg", "JPEG", (cv2.IMWRITE_JPEG_QUALITY, quality))


def _by_opencv(image: Array, ending: str, name: str, parameters: tuple[int, ...]) -> bytes:
    if image.ndim == 3 and image.shape[2] > 1:
        image = swap_red_and_blue(image)
    done, data = cv2.imencode(ending, image, parameters)
    if not done:
        raise ParameterError(f"{name} cannot hold an image of shape {image.shape} and type {image.dtype}")
    return data.tobytes()


_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: PNG color types by the number of channels.
_COLOR_TYPES = {1: 0, 3: 2, 4: 6}

#: PNG filter type 1, "Sub": each byte minus that of the pixel before. Of the filters that need a single pass it
#: compresses edge maps best.
_SUB = 1

#: Bytes that are filtered and compressed at a time, so that they stay in the cache.
_BLOCK = 2**18

_UINT32 = struct.Struct(">I")

#: Higher levels of ISA-L take longer and save nothing on edge maps.
_LEVEL = 1

#: Base-2 logarithm of the window in which deflate looks for repetitions; 9 is the least. Edge maps of photographs
#: have few repetitions: 15 takes a tenth longer and saves a fiftieth of the bytes. Images whose rows repeat those
#: above, such as text, get larger by a seventh.
_WINDOW_BITS = 9

#: Bytes at the start that are compressed separately, which takes ten bytes more. This avoids a bug in ISA-L 2.32.1:
#: its loop for long input hashes a register that was never set (``write_first_byte`` in
#: igzip_icf_body_h1_gr_bt.asm), so that the same image gave other bytes once in thousands of times. A stream that
#: starts with short input does not run that code.
_START = 8


@cache
def has_isal() -> bool:
    """Tell whether ISA-L is installed; there is no build for some machines."""
    return importlib.util.find_spec("isal") is not None


def encode_png(image: Array) -> bytes:
    """Return the content of a PNG file. With ISA-L's deflate it takes a third of libpng's time, for the same size.

    Parameters
    ----------
    image : ndarray of uint8 or uint16
        (H, W) or (H, W, 1) gray, (H, W, 3) RGB, (H, W, 4) RGBA.

    References
    ----------
    Portable Network Graphics (PNG) Specification, third edition, W3C.
    """
    from isal import isal_zlib

    deflate = isal_zlib.compressobj(_LEVEL, wbits=_WINDOW_BITS)
    blocks = _filtered(image)
    first = next(blocks)
    start = deflate.compress(first[:_START]), deflate.flush(isal_zlib.Z_SYNC_FLUSH), deflate.compress(first[_START:])
    compressed = [b"".join(start), *map(deflate.compress, blocks), deflate.flush()]
    rows, columns, channels = (*image.shape, 1)[:3]
    header = struct.pack(">IIBBBBB", columns, rows, 8 * image.itemsize, _COLOR_TYPES[channels], 0, 0, 0)
    chunks = [_PNG_SIGNATURE, *_chunk(b"IHDR", header)]
    for data in filter(None, compressed):
        chunks += _chunk(b"IDAT", data)
    return b"".join((*chunks, *_chunk(b"IEND", b"")))


def _filtered(image: Array) -> Iterator[Array]:
    """Give the filtered rows of an image, several at a time, all in the same buffer."""
    rows, columns, channels = (*image.shape, 1)[:3]
    pixel = channels * image.itemsize
    height = min(max(1, _BLOCK // (columns * pixel)), rows)
    filtered = np.empty((height, 1 + columns * pixel), np.uint8)
    filtered[:, 0] = _SUB
    for top in range(0, rows, height):
        # PNG is big-endian.
        block = np.ascontiguousarray(image[top : top + height], image.dtype.newbyteorder(">"))
        source = block.view(np.uint8).reshape(len(block), columns * pixel)
        target = filtered[: len(block)]
        target[:, 1 : 1 + pixel] = source[:, :pixel]
        np.subtract(source[:, pixel:], source[:, :-pixel], out=target[:, 1 + pixel :])
        yield target.reshape(-1)


def _chunk(name: bytes, data: bytes) -> tuple[bytes, ...]:
    from isal import isal_zlib

    return _UINT32.pack(len(data)), name, data, _UINT32.pack(isal_zlib.crc32(data, isal_zlib.crc32(name)))
