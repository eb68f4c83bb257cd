"""The decoders: OpenCV, Pillow, tifffile and NumPy, each behind the same signature. May import errors and limits."""

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
from edgekit.common.read_limits import Limits
from edgekit.errors import TooLargeError
from edgekit.io.channels import swap_red_and_blue
from edgekit.io.formats import Format
from edgekit.io.headers import size_by_header, without_animation
from edgekit.io.npy import array_of

Array = NDArray[Any]


class Content(NamedTuple):
    """What is to be decoded.

    Attributes
    ----------
    data : bytes
        The content of the file.
    name : str
        What messages call it.
    format : Format
        What it is.
    colour : bool
        Whether colour is wanted.
    limits : Limits
        What may be taken on.
    """

    data: bytes
    name: str
    format: Format
    colour: bool
    limits: Limits


Decoder = Callable[[Content], Array | None]


def decoders_for(content: Content) -> tuple[Decoder, ...]:
    """Return the decoders to try, the best first; each gives the whole image, or raises or gives None."""
    match content.format.name:
        case "NPY":
            return (by_numpy,)
        case "farbfeld":
            return (by_farbfeld,)
        case "TIFF":
            return (
                (by_tifffile, by_opencv, by_pillow) if _beyond_opencv(content) else (by_opencv, by_pillow, by_tifffile)
            )
    return (by_opencv, by_pillow)


def salvagers_for(content: Content) -> tuple[Decoder, ...]:
    """Return the decoders that give what there is of a file that breaks off, and zeros or grey below."""
    return (jpeg_in_part,) if content.format.name == "JPEG" else (pillow_in_part,)


def by_opencv(content: Content) -> Array | None:
    """Decode what OpenCV can, if the header tells how much memory that takes."""
    data = without_animation(content.data) if content.format.name == "PNG" else content.data
    return None if data is None else _opencv(content, data)


def _opencv(content: Content, data: bytes) -> Array | None:
    size = size_by_header(data, content.format.name)
    if size is None:
        return None
    content.limits.admit(size, content.name)
    flags = (cv2.IMREAD_ANYCOLOR if content.colour else cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_ANYDEPTH
    image: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None or image.ndim == 2:
        return image
    return swap_red_and_blue(image)


#: The marker that ends a JPEG file.
_END = b"\xff\xd9"


def jpeg_in_part(content: Content) -> Array | None:
    """Decode a JPEG that breaks off as `cv2.imread` does: what is missing is grey, or coarse."""
    image = _opencv(content, content.data.removesuffix(b"\xff") + _END)
    return image if image is not None and image.min() != image.max() else None


def by_pillow(content: Content) -> Array | None:
    """Decode with the plugin of Pillow that is for the format."""
    with _quiet():
        image = _opened_by_pillow(content)
        return None if image is None else _upright_by_pillow(image)


def pillow_in_part(content: Content) -> Array | None:
    """Decode as far as Pillow gets in a file of which it says that it breaks off."""
    with _quiet():
        image = _opened_by_pillow(content)
        if image is None:
            return None
        try:
            image.load()
        except OSError as error:
            if "truncated" not in str(error):
                return None
        # What was decoded stays, and nothing is decoded again.
        image.tile = []
        array = _upright_by_pillow(image)
        return array if array.any() else None


def size_by_pillow(content: Content) -> tuple[int, int]:
    """Return width and height of the upright image by its header; zeros where Pillow cannot tell."""
    try:
        with _quiet():
            image = _opened_by_pillow(content)
            if image is None:
                return 0, 0
            width, height = image.size
            # The tag Orientation: from 5 on the image lies on its side.
            return (height, width) if image.getexif().get(0x0112, 1) >= 5 else (width, height)
    except Exception:  # The decoders say what is wrong with it.
        return 0, 0


#: One at a time is quiet: Python's filters of warnings belong to all threads.
_ALONE = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings of libraries from the user, and from being taken for errors: what matters is said once, by us."""
    with _ALONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened_by_pillow(content: Content) -> Any:
    """Open an image without its pixels; None where Pillow has no plugin for the format.

    `Image.open` would try all its plugins, some of which start other programs, and has a limit of its own.
    """
    from PIL import Image

    if not content.format.pillow:
        return None
    Image.preinit()
    if content.format.pillow not in Image.OPEN:
        Image.init()
    image = Image.OPEN[content.format.pillow][0](io.BytesIO(content.data), "")
    content.limits.admit(image.size, content.name)
    return image


def _upright_by_pillow(image: Any) -> Array:
    from PIL import ImageOps

    image.load()
    with suppress(Exception):  # A damaged EXIF block does not tell where up is.
        image = ImageOps.exif_transpose(image)
    if image.mode in ("LA", "1"):
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "F", "I") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    return np.asarray(image)


def _beyond_opencv(content: Content) -> bool:
    """Tell whether a TIFF has a layout that OpenCV 5.0 takes for another: it scrambles deep planes, halves the depth
    of two samples, and leaves deep inverted grey inverted, without a word.
    """
    tifffile = load_tifffile()
    try:
        with tifffile.TiffFile(io.BytesIO(content.data)) as file:
            page = file.pages.first
            planes = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1
            inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
            return bool(page.bitspersample > 8 and (planes or inverted or page.samplesperpixel not in (1, 3, 4)))
    except Exception:  # A damaged file: the readers say what is wrong with it.
        return False


def load_tifffile() -> Any:
    """Return the library; what it would log of a damaged file goes nowhere unless the host has asked for it."""
    import logging

    import tifffile

    logger = logging.getLogger("tifffile")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return tifffile


#: How to turn an image upright, by the TIFF tag Orientation.
_UPRIGHT: dict[int, Callable[[Array], Array]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def by_tifffile(content: Content) -> Array:
    """Decode the first page of a TIFF."""
    with load_tifffile().TiffFile(io.BytesIO(content.data)) as file:
        return page_image(file.pages.first, content.name, content.limits)


#: Samples of a pixel that count as one: what is kept of them, and opacity.
_SAMPLES = 4


def page_image(page: Any, name: str, limits: Limits) -> Array:
    """Return the image of one of tifffile's pages: upright, white bright, (H, W) or (H, W, 3).

    Raises
    ------
    TooLargeError
        If it claims more than the limits allow, or many samples for each pixel.
    """
    tifffile = load_tifffile()
    limits.admit((page.imagewidth, page.imagelength), name)
    if math.prod(page.shape) > _SAMPLES * limits.max_pixels:
        raise TooLargeError(f"{name}: claims an array of {' x '.join(map(str, page.shape))}, too many for an image")
    # Where tifffile finds no data it would give zeros.
    if any(length <= 0 or offset + length > page.parent.filehandle.size
           for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True)):  # fmt: skip
        raise ValueError("its image data lies beyond the end of the file")
    # For a tag that it cannot read tifffile takes a default: one bit, for the depth.
    if page.bitspersample == 1 and page.samplesperpixel > 1:
        raise ValueError("its depth cannot be read")
    with _quiet():
        array: Array = page.asarray()
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind in "bu":
        array = ~array
    orientation = page.tags.get("Orientation")
    if orientation is not None and orientation.value in _UPRIGHT:
        array = _UPRIGHT[orientation.value](array)
    if array.ndim == 3 and array.shape[2] < 3:
        array = array[:, :, 0]
    array = array[:, :, :3] if array.ndim == 3 else array
    return array


def by_numpy(content: Content) -> Array:
    """Take an array as it lies in an NPY file."""
    array = array_of(content.data)
    if array.ndim not in (2, 3):
        raise ValueError(f"expected an array of shape (rows, columns[, channels]), found {array.shape}")
    content.limits.admit((array.shape[1], array.shape[0]), content.name)
    return array


def by_farbfeld(content: Content) -> Array:
    """Decode farbfeld (https://tools.suckless.org/farbfeld): 16 bits of red, green, blue and opacity."""
    width, height = (int.from_bytes(content.data[at : at + 4], "big") for at in (8, 12))
    content.limits.admit((width, height), content.name)
    pixels = np.frombuffer(content.data, ">u2", 4 * width * height, 16)
    return pixels.reshape(height, width, 4)[:, :, :3]
