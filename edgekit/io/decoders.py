"""The decoders by OpenCV, Pillow, netpbmfile and NumPy, each with the same signature; `tiff` has one more.

May import `common` and what is below it.
"""

import io
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.common.read_options import ReadOptions
from edgekit.io.conversion import swap_red_and_blue
from edgekit.io.formats import Format
from edgekit.io.headers import clear_level, has_opacity, plain_png, png_header, range_by_header, size_by_header
from edgekit.io.libraries import hide_messages
from edgekit.io.pixels import Pixels

Array = NDArray[Any]


class Content(NamedTuple):
    """The content of an image file, and how to decode it.

    Attributes
    ----------
    data : bytes
        The content.
    name : str
        The name of the file in messages.
    format : Format
        Its format.
    colour : bool
        False if only gray is needed.
    read_options : ReadOptions
        Options for reading it.
    page : int
        The number of the image in the file, from 0 on.
    """

    data: bytes
    name: str
    format: Format
    colour: bool
    read_options: ReadOptions
    page: int = 0


#: Returns the pixels of the image; None, or any exception, if it cannot decode the content.
Decoder = Callable[[Content], Pixels | None]

#: Formats whose orientation OpenCV does not apply. Pillow reads it.
_TURNED_LATER = ("WebP", "AVIF")


def by_opencv(content: Content) -> Pixels | None:
    """Decode with OpenCV, if the header tells the size of the image."""
    data = plain_png(content.data) if content.format.name == "PNG" else content.data
    return None if data is None else _by_opencv(content, data)


def _by_opencv(content: Content, data: bytes) -> Pixels | None:
    name = content.format.name
    size = size_by_header(data, name)
    if size is None:
        return None
    content.read_options.check_size(size, content.name)
    transparent = has_opacity(data, name)
    later = transparent or name in _TURNED_LATER
    flags = (cv2.IMREAD_ANYCOLOR if content.colour else cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_ANYDEPTH
    flags |= cv2.IMREAD_IGNORE_ORIENTATION if later else 0
    with _QUIET_OPENCV:
        image: Array | None = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED if transparent else flags
        )
    if image is None:
        return None
    if transparent and image.ndim == 2 and name == "PNG":
        # It drops the transparent level of gray images.
        opaque = (image != clear_level(data)) * image.dtype.type(np.iinfo(image.dtype).max)
        array = np.dstack([image, opaque])
    else:
        array = image if image.ndim == 2 else swap_red_and_blue(image)
    pixels = Pixels(
        array,
        rgb=image.ndim == 3,
        opacity=array.ndim == 3 and array.shape[2] in (2, 4),
        range=range_by_header(data, name, image.dtype),
    )
    return pixels.upright(orientation_by_pillow(content)) if later else pixels


class _QuietOpenCV:
    """OpenCV without log messages, as long as a thread decodes: edgekit reports what is wrong with a file."""

    def __init__(self) -> None:
        self._lock, self._threads, self._level = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._threads:
                self._level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._threads += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                cv2.utils.logging.setLogLevel(self._level)


_QUIET_OPENCV = _QuietOpenCV()


def gray_by_opencv(data: bytes) -> Array | None:
    """Return what `cv2.imread` reads as a gray image, in the depth of the file."""
    with _QUIET_OPENCV:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)


#: The marker at the end of a JPEG file.
_END_OF_IMAGE = b"\xff\xd9"


def truncated_jpeg_by_opencv(content: Content) -> Pixels | None:
    """Decode a truncated JPEG file as `cv2.imread` does: missing parts are gray or coarse."""
    pixels = _by_opencv(content, content.data.removesuffix(b"\xff") + _END_OF_IMAGE)
    return pixels if pixels is not None and pixels.array.min() != pixels.array.max() else None


def by_pillow(content: Content) -> Pixels | None:
    """Decode with the Pillow plugin of the format."""
    with no_warnings():
        image = _open_pillow(content)
        if image is None:
            return None
        pixels = _pillow_pixels(image)
        deep = content.format.name == "PNG" and png_header(content.data).bits > 8 * pixels.array.itemsize
        return pixels.with_notes("read with 8 of its 16 bits" if deep else "")


def truncated_by_pillow(content: Content) -> Pixels | None:
    """Decode the first part of a file that Pillow reports as truncated."""
    with no_warnings():
        image = _open_pillow(content)
        if image is None:
            return None
        try:
            image.load()
        except OSError as error:
            if "truncated" not in str(error):
                return None
        # Keeps the decoded part; Pillow would start again otherwise.
        image.tile = []
        pixels = _pillow_pixels(image)
        return pixels if pixels.array.any() else None


def size_by_pillow(content: Content) -> tuple[int, int]:
    """Return width and height of the upright image, from its header; zeros if Pillow cannot tell."""
    try:
        with no_warnings():
            image = _open_pillow(content)
            if image is None:
                return 0, 0
            width, height = image.size
            # Values from 5 on exchange width and height.
            return (height, width) if image.getexif().get(_ORIENTATION, 1) >= 5 else (width, height)
    except Exception:  # The decoders report what is wrong with the file.
        return 0, 0


#: The EXIF tag Orientation.
_ORIENTATION = 0x0112

#: Warning filters belong to the whole process, so only one thread may change them at a time.
_WARNINGS = threading.Lock()


@contextmanager
def no_warnings() -> Iterator[None]:
    """Hide the warnings of a library: edgekit reports what matters."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open_pillow(content: Content) -> Any:
    """Open an image without decoding it; None if Pillow has no plugin for the format."""
    image = _by_plugin(io.BytesIO(content.data), content.format)
    if image is not None:
        content.read_options.check_size(image.size, content.name)
        if content.page:
            image.seek(content.page)
    return image


def _by_plugin(file: BinaryIO, format: Format) -> Any:
    """Open an image of Pillow.

    `Image.open` would try all plugins, some of which start other programs, and has its own limit of pixels.
    """
    from PIL import Image

    if not format.pillow:
        return None
    hide_messages("PIL")
    Image.preinit()
    if format.pillow not in Image.OPEN:
        Image.init()
    return Image.OPEN[format.pillow][0](file, "")


def frames_by_pillow(file: BinaryIO, format: Format) -> int:
    """Return the number of frames in an open file; 1 if Pillow cannot open it."""
    with no_warnings():
        image = _by_plugin(file, format)
        return getattr(image, "n_frames", 1)


def orientation_by_pillow(content: Content) -> int:
    """Return the orientation that the file states, as a number of EXIF; 1, upright, if Pillow finds none."""
    try:
        with no_warnings():
            image = _open_pillow(content)
            return 1 if image is None else int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # The decoders report what is wrong with the file.
        return 1


def _pillow_pixels(image: Any) -> Pixels:
    """Decode an image of Pillow: upright, gray or RGB, with its opacity."""
    from PIL import ImageOps

    image.load()
    with suppress(Exception):  # The EXIF block is damaged: the orientation is not known.
        image = ImageOps.exif_transpose(image)
    opacity = image.has_transparency_data
    if image.mode in ("LA", "La", "1") or (image.mode == "L" and opacity):
        image = image.convert("LA" if opacity else "L")
    elif opacity:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB", "F", "I") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    array = np.asarray(image)
    return Pixels(array, rgb=array.ndim == 3 and array.shape[2] > 2, opacity=opacity)


#: The kinds of netpbm files that netpbmfile reads. OpenCV reads those of floats.
_NETPBM_KINDS = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7")


def by_netpbmfile(content: Content) -> Pixels | None:
    """Decode PBM, PGM, PPM and PAM files with netpbmfile, in the values of the file."""
    size = size_by_header(content.data, content.format.name)
    if size is None or content.data[:2] not in _NETPBM_KINDS:
        return None
    content.read_options.check_size(size, content.name)
    from netpbmfile import NetpbmFile

    with NetpbmFile(io.BytesIO(content.data)) as file:
        array, kind, top = file.asarray(), file.tupltype, file.maxval
        first = array[0] if file.axes.startswith("I") else array
        # In PBM files 1 is black.
        inverted = content.data[:2] in (b"P1", b"P4")
    if top < 256 and first.dtype.kind == "b":
        first = np.where(first ^ inverted, np.uint8(255), np.uint8(0))
        top = 255
    channels = first.shape[2] if first.ndim == 3 else 1
    usual = np.iinfo(first.dtype).max
    return Pixels(
        first,
        rgb=channels >= 3,
        opacity=kind.endswith("ALPHA") or (not kind and channels in (2, 4)),
        range=(0.0, float(top)) if 0 < top != usual else None,
        notes=("the images after the first one were not read",) if first is not array else (),
    )


def by_numpy(content: Content) -> Pixels:
    """Return the array in an NPY file."""
    array = npy_array(content.data)
    if array.ndim not in (2, 3):
        raise ValueError(f"expected an array of shape (rows, columns[, channels]), found {array.shape}")
    content.read_options.check_size((array.shape[1], array.shape[0]), content.name)
    channels = array.shape[2] if array.ndim == 3 else 1
    return Pixels(array, rgb=channels in (3, 4))


def npy_array(data: bytes) -> Array:
    """Return the array in an NPY file, as a view of `data`. The header is checked, not trusted.

    Raises
    ------
    ValueError
        If the file is damaged, or holds other types than numbers of at most 64 bits.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(file)
    except Exception as error:  # The header is parsed as Python code, and may raise anything.
        raise ValueError(f"the header is damaged ({error})") from None
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise ValueError(f"expected numbers of at most 64 bits, found the type {dtype}")
    count, held = math.prod(shape), len(data) - file.tell()
    if min(shape, default=0) < 0 or held < count * dtype.itemsize:
        raise ValueError(f"expected {count * dtype.itemsize:,} bytes of numbers for shape {shape}, found {held:,}")
    return np.frombuffer(data, dtype, count, file.tell()).reshape(shape, order="F" if fortran_order else "C")


def by_farbfeld(content: Content) -> Pixels:
    """Decode farbfeld (https://tools.suckless.org/farbfeld): RGBA with 16 bits per channel."""
    width, height = (int.from_bytes(content.data[at : at + 4], "big") for at in (8, 12))
    content.read_options.check_size((width, height), content.name)
    pixels = np.frombuffer(content.data, ">u2", 4 * width * height, 16)
    return Pixels(pixels.reshape(height, width, 4), rgb=True, opacity=True)
