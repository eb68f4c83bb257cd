"""Small files of formats that need extras, written by the libraries of the formats."""

import io

import imagecodecs
import numpy as np
import OpenEXR
import pillow_heif
import tifffile
from PIL import Image

from edgekit.common.read_options import ReadOptions
from edgekit.io.decoders import Content
from edgekit.io.formats import HEAD, sniff

_RANDOM = np.random.default_rng(3)

#: Noise of 16 rows and 24 columns.
RGBA = _RANDOM.integers(0, 256, (16, 24, 4), np.uint8)
RGB, LA, GRAY = RGBA[:, :, :3].copy(), RGBA[:, :, :2].copy(), RGBA[:, :, 0].copy()
DEEP = _RANDOM.integers(0, 4096, (16, 24, 4), np.uint16)

#: The stored pixels of an upright image for each value of the EXIF tag Orientation.
STORED = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}  # fmt: skip


def content(data: bytes, pixels: int = 2**27) -> Content:
    found = sniff(data[:HEAD])
    assert found is not None
    return Content(data, "photo", found, True, ReadOptions(pixels))


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[274] = orientation
    return block.tobytes()


def heif(mode: str, array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    image = pillow_heif.from_bytes(mode, array.shape[1::-1], np.ascontiguousarray(array).tobytes())
    image.save(file, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return file.getvalue()


def heif_of(*arrays: np.ndarray, primary: int = 0) -> bytes:
    """Return a file with several images in RGB. Only the primary one is stored without loss."""
    file = io.BytesIO()
    first, *rest = arrays
    images = pillow_heif.from_bytes("RGB", first.shape[1::-1], first.tobytes())
    for array in rest:
        images.add_frombytes("RGB", array.shape[1::-1], array.tobytes())
    images.save(file, quality=-1, chroma=444, matrix_coefficients=0, primary_index=primary)
    return file.getvalue()


def exr(channels: dict, **header: object) -> bytes:
    file = io.BytesIO()
    usual = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(usual | header, channels).write(file)
    return file.getvalue()


def jpeg(array: np.ndarray, orientation: int = 1, **options: object) -> bytes:
    """Return a JPEG file by imagecodecs with an EXIF block."""
    data = imagecodecs.jpeg8_encode(array, **options)
    block = exif(orientation)
    return data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:]


def jpeg_xr(array: np.ndarray, turn: int = 0) -> bytes:
    """Return a JPEG XR file with a value of the tag for its orientation."""
    data = bytearray(imagecodecs.jpegxr_encode(array, level=1.0))
    at = data.index(b"\x02\xbc\x04\x00")
    data[at + 8] = turn
    return bytes(data)


#: The values of a sensor with 96 rows and 128 columns; neighbours differ.
SENSOR = (np.add.outer(np.arange(96) * 14, np.arange(128) * 17) + 500).astype(np.uint16)

#: Tags of the first image of a DNG file with one kind of light, and no correction of colours.
_CAMERA = [
    (50706, "B", 4, (1, 4, 0, 0), True), (50707, "B", 4, (1, 1, 0, 0), True), (271, "s", 0, "Acme", True),
    (272, "s", 0, "One", True), (50708, "s", 0, "Acme One", True),
    (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
    (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True), (50778, "H", 1, 21, True),
]  # fmt: skip


def dng(
    sensor: np.ndarray = SENSOR,
    *,
    orientation: int = 1,
    pattern: tuple[int, ...] = (0, 1, 1, 2),
    preview: np.ndarray | None = None,
    more: tuple = (),
    packed: str | None = None,
    **options: object,
) -> bytes:
    """Return a DNG file: a preview, and the sensor in a SubIFD with black at 64 and white at 4095."""
    file = io.BytesIO()
    preview = np.full((24, 32, 3), 99, np.uint8) if preview is None else preview
    camera = [*_CAMERA, (274, "H", 1, orientation, True)]
    tags = [
        (33421, "H", 2, (2, 2), True), (33422, "B", 4, pattern, True), (50714, "H", 1, 64, True),
        (50717, "I", 1, 4095, True), *more,
    ]  # fmt: skip
    with tifffile.TiffWriter(file) as writer:
        first = {"subfiletype": 1, "subifds": 1, "metadata": None, "extratags": camera}
        writer.write(preview, photometric="rgb", compression=packed, **first)
        writer.write(sensor, photometric=32803, subfiletype=0, metadata=None, extratags=tags, **options)
    return file.getvalue()
