"""The decoders by OpenCV, Pillow and NumPy, each with the same signature; `tiff` has one more.

May import errors, read limits, formats and headers.
"""

import io
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.common.read_limits import ReadLimits
from edgekit.io.conversion import swap_red_and_blue
from edgekit.io.formats import Format
from edgekit.io.headers import size_by_header, without_animation

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
    limits : ReadLimits
        Limits for reading it.
    """

    data: bytes
    name: str
    format: Format
    colour: bool
    limits: ReadLimits


#: Returns the whole image; None, or any exception, if it cannot decode the content.
Decoder = Callable[[Content], Array | None]


def by_opencv(content: Content) -> Array | None:
    """Decode with OpenCV, if the header tells the size of the image."""
    data = without_animation(content.data) if content.format.name == "PNG" else content.data
    return None if data is None else _by_opencv(content, data)


def _by_opencv(content: Content, data: bytes) -> Array | None:
    size = size_by_header(data, content.format.name)
    if size is None:
        return None
    content.limits.check_size(size, content.name)
    flags = (cv2.IMREAD_ANYCOLOR if content.colour else cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_ANYDEPTH
    image: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None or image.ndim == 2:
        return image
    return swap_red_and_blue(image)


#: The marker at the end of a JPEG file.
_END_OF_IMAGE = b"\xff\xd9"


def truncated_jpeg_by_opencv(content: Content) -> Array | None:
    """Decode a truncated JPEG file as `cv2.imread` does: missing parts are gray or coarse."""
    image = _by_opencv(content, content.data.removesuffix(b"\xff") + _END_OF_IMAGE)
    return image if image is not None and image.min() != image.max() else None


def by_pillow(content: Content) -> Array | None:
    """Decode with the Pillow plugin of the format."""
    with no_warnings():
        image = _open_pillow(content)
        return None if image is None else _pillow_array(image)


def truncated_by_pillow(content: Content) -> Array | None:
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
        array = _pillow_array(image)
        return array if array.any() else None


def size_by_pillow(content: Content) -> tuple[int, int]:
    """Return width and height of the upright image, from its header; zeros if Pillow cannot tell."""
    try:
        with no_warnings():
            image = _open_pillow(content)
            if image is None:
                return 0, 0
            width, height = image.size
            # The EXIF tag Orientation: values from 5 on exchange width and height.
            return (height, width) if image.getexif().get(0x0112, 1) >= 5 else (width, height)
    except Exception:  # The decoders report what is wrong with the file.
        return 0, 0


#: Warning filters belong to the whole process, so only one thread may change them at a time.
_WARNINGS = threading.Lock()


@contextmanager
def no_warnings() -> Iterator[None]:
    """Hide the warnings of a library: edgekit reports what matters."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open_pillow(content: Content) -> Any:
    """Open an image without decoding it; None if Pillow has no plugin for the format.

    `Image.open` would try all plugins, some of which start other programs, and has its own limit of pixels.
    """
    from PIL import Image

    if not content.format.pillow:
        return None
    Image.preinit()
    if content.format.pillow not in Image.OPEN:
        Image.init()
    image = Image.OPEN[content.format.pillow][0](io.BytesIO(content.data), "")
    content.limits.check_size(image.size, content.name)
    return image


def _pillow_array(image: Any) -> Array:
    """Decode an image of Pillow: upright, gray or RGB."""
    from PIL import ImageOps

    image.load()
    with suppress(Exception):  # The EXIF block is damaged: the orientation is not known.
        image = ImageOps.exif_transpose(image)
    if image.mode in ("LA", "1"):
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "F", "I") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    return np.asarray(image)


def by_numpy(content: Content) -> Array:
    """Return the array in an NPY file."""
    array = npy_array(content.data)
    if array.ndim not in (2, 3):
        raise ValueError(f"expected an array of shape (rows, columns[, channels]), found {array.shape}")
    content.limits.check_size((array.shape[1], array.shape[0]), content.name)
    return array


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


def by_farbfeld(content: Content) -> Array:
    """Decode farbfeld (https://tools.suckless.org/farbfeld): RGBA with 16 bits per channel."""
    width, height = (int.from_bytes(content.data[at : at + 4], "big") for at in (8, 12))
    content.limits.check_size((width, height), content.name)
    pixels = np.frombuffer(content.data, ">u2", 4 * width * height, 16)
    return pixels.reshape(height, width, 4)[:, :, :3]
