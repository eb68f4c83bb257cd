"""Frames of PNG, JPEG XL, JPEG XR, JPEG-LS, lossless JPEG, and JPEG of more than 8 bits by imagecodecs.

May import `common` and what is below it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.io.decoders import Content, orientation_by_pillow
from edgekit.io.headers import png_header
from edgekit.io.jpeg_headers import Frame, is_whole_jpeg, jpeg_frame, jpeg_xl_header
from edgekit.io.jpeg_xr import jpeg_xr_container
from edgekit.io.libraries import load_library
from edgekit.io.pixels import Pixels, Range

Array = NDArray[Any]

#: The EXIF tag Orientation.
_ORIENTATION = 0x0112


def load_codec(name: str, needed_by: str) -> Callable[..., Array]:
    """Return a decoder of imagecodecs, such as ``jpegxl_decode``.

    Raises
    ------
    MissingExtraError
        If imagecodecs is not installed.
    """
    library: Any = load_library("imagecodecs", "imagecodecs", "formats", needed_by)
    decoder: Callable[..., Array] = getattr(library, name)
    return decoder


def by_deep_png(content: Content) -> Pixels | None:
    """Decode a frame of an animated PNG of 16 bits per value, of which Pillow reads 8.

    Returns None for other PNG files, and if all frames, which are decoded together, have more pixels than the limit.

    Raises
    ------
    MissingExtraError
        If imagecodecs is not installed.
    """
    header = png_header(content.data)
    if header.bits != 16 or header.width * header.height * header.frames > content.read_options.max_pixels:
        return None
    array = load_codec("apng_decode", f"{content.name}: an animated PNG of 16 bits")(content.data)[content.page]
    channels = array.shape[2] if array.ndim == 3 else 1
    pixels = Pixels(array, rgb=channels > 2, opacity=channels in (2, 4))
    return pixels.upright(orientation_by_pillow(content))


def by_jpeg_xl(content: Content) -> Pixels:
    """Decode JPEG XL: the first frame, upright. libjxl applies the orientation.

    Samples of less than 8 or 16 bits keep their values. White is 1.0 in floating-point samples.

    Raises
    ------
    MissingExtraError
        If imagecodecs is not installed.
    TooLargeError
        If the header claims more pixels than the limit.
    ValueError
        If the header is damaged, or the image has channels other than colours and opacity.
    """
    decode = load_codec("jpegxl_decode", f"{content.name}: JPEG XL")
    header = jpeg_xl_header(content.data)
    if header is None:
        raise ValueError("the header is damaged")
    content.read_options.check_size((header.width, header.height), content.name)
    array = _single(decode(content.data, index=0 if header.animated else None))
    sides = (array.shape[1:], array.shape[:0:-1])
    if array.ndim == 3 and array.shape[0] == 1 + len(header.extra) and (header.height, header.width) in sides:
        # Gray with channels of other kinds comes as planes.
        return Pixels(np.moveaxis(array, 0, -1), range=_range(header.bits, array), notes=(_BANDS,))
    opacity = header.extra[:1] == (0,)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels - opacity not in (1, 3):
        raise ValueError(f"expected gray or colours with or without opacity; found an array of shape {array.shape}")
    return Pixels(
        array,
        rgb=channels >= 3,
        opacity=opacity,
        premultiplied=header.premultiplied,
        range=(0.0, 1.0) if header.floating else _range(header.bits, array),
        notes=("the frames after the first one were not read",) if header.animated else (),
    )


_BANDS = "gray and further channels as bands"


def _single(array: Array) -> Array:
    """Return floating-point numbers of 16 bits as float32, which OpenCV supports; other arrays as they are."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _range(bits: int, array: Array) -> Range | None:
    """Return the range of unsigned samples; None if it is that of their type."""
    return None if bits == 8 * array.dtype.itemsize else (0.0, 2.0**bits - 1)


def by_jpeg_xr(content: Content) -> Pixels:
    """Decode JPEG XR: gray or RGB, with or without opacity, upright.

    Raises
    ------
    MissingExtraError
        If imagecodecs is not installed.
    TooLargeError
        If the header claims more pixels than the limit.
    ValueError
        If the container is damaged or truncated, or the pixels are not gray or RGB.
    """
    decode = load_codec("jpegxr_decode", f"{content.name}: JPEG XR")
    container = jpeg_xr_container(content.data)
    content.read_options.check_size((container.width, container.height), content.name)
    array = _single(decode(container.unturned))
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if container.channels != (array.shape[2] if array.ndim == 3 else 1):
        raise ValueError(f"expected {container.channels} channels; found an array of shape {array.shape}")
    pixels = Pixels(
        array,
        rgb=container.channels > 1,
        opacity=container.opacity,
        premultiplied=container.premultiplied,
    )
    return pixels.upright(container.orientation)


def by_deep_jpeg(content: Content) -> Pixels | None:
    """Decode JPEG-LS, lossless JPEG, and JPEG of 9 to 16 bits, upright; None for other files.

    Raises
    ------
    MissingExtraError
        If imagecodecs is not installed.
    TooLargeError
        If the header claims more pixels than the limit.
    ValueError
        If the file is truncated, or its channels are not gray or RGB.
    """
    frame = jpeg_frame(content.data) if content.data[:2] == b"\xff\xd8" else None
    if frame is None or not (frame.is_deep or frame.is_lossless):
        return None
    content.read_options.check_size((frame.width, frame.height), content.name)
    array = decode_jpeg(content.data, frame, content.name)
    if frame.channels not in (1, 3):
        raise ValueError(f"expected gray or RGB; found {frame.channels} channels")
    pixels = Pixels(array, rgb=frame.channels == 3, range=_range(frame.bits, array))
    return pixels.upright(_orientation(frame.exif))


def decode_jpeg(data: bytes, frame: Frame, needed_by: str) -> Array:
    """Return the stored samples of a JPEG or JPEG-LS file with this frame header. Its size must have been checked.

    Raises
    ------
    MissingExtraError
        If imagecodecs is not installed.
    ValueError
        If the file is truncated.
    """
    codec = load_codec("jpegls_decode" if frame.is_jpeg_ls else "jpeg8_decode", f"{needed_by}: {frame.kind}")
    if not is_whole_jpeg(data, frame):
        raise ValueError("it is truncated: the end of the image is missing")
    return codec(data)


def _orientation(exif: bytes) -> int:
    """Return the orientation in an EXIF block; 1 if there is none, or it is damaged."""
    from PIL import Image

    if not exif:
        return 1
    block = Image.Exif()
    try:
        block.load(exif)
        return int(block.get(_ORIENTATION, 1))
    except Exception:  # Pillow may raise anything for a damaged block.
        return 1
