"""From bytes to arrays: OpenCV first, behind it Pillow, then tifffile."""

import io
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends._cv2 import cv2
from edgekit.errors import DecodeError, UnreadableError, let_out_of_memory
from edgekit.io.channels import swap_red_and_blue, to_grey
from edgekit.io.formats import HEAD, sniff
from edgekit.io.stores import path_of

Array = NDArray[Any]


def read_image(source: str | Path | bytes, *, colour: bool = True) -> Array:
    """Read an image file, whatever its ending says it is.

    Parameters
    ----------
    source : path or bytes
        A file, its URL, or the content of one.
    colour : bool
        Without colour, decoders that can do so give grey at once, in whole levels; types that OpenCV
        does not turn grey keep their colour.

    Returns
    -------
    ndarray
        (H, W), or (H, W, 3) in RGB order; the file's own depth. The camera's orientation is
        applied, palettes are looked up, transparency is dropped.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, or may not be read.
    DecodeError
        If the content is not an image that can be read.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.write_image("grey.png", np.uint8([[1, 2], [3, 4]]))
    >>> ek.read_image("grey.png")
    array([[1, 2],
           [3, 4]], dtype=uint8)
    """
    if isinstance(source, bytes):
        return decode(source, "the given bytes", colour=colour)
    path = path_of(source)
    return decode(read_bytes(path), str(path), colour=colour)


def read_bytes(path: str | Path) -> bytes:
    """Return a file's content, or say why there is none.

    Raises
    ------
    UnreadableError
        If the file is missing, no regular file, empty, or may not be read.
    """
    path = path_of(path)
    status_of(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data:
        raise UnreadableError(f"{path}: the file is empty (0 bytes); copy or export it again")
    return data


def status_of(path: Path) -> os.stat_result:
    """Return a file's status, or say why it is no file to read.

    Raises
    ------
    UnreadableError
        If the file is missing, no regular file, or may not be looked at.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnreadableError(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(status.st_mode):
        found = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise UnreadableError(f"{path}: expected an image file; found {found}")
    return status


def decode(data: bytes, name: str, *, colour: bool = True) -> Array:
    """Return the image in `data`; `name` is what messages call it.

    Raises
    ------
    DecodeError
        If no reader can make an image of it.
    """
    found = sniff(data[:HEAD])
    readers = [_by_opencv, _by_pillow]
    if found is not None and found.name == "TIFF":
        readers.insert(0 if _beyond_opencv(data) else 2, _by_tifffile)
    if found is not None and found.name == "NPY":
        readers = [_by_numpy]
    reasons = []
    for reader in readers:
        try:
            image = reader(data, colour)
        except Exception as error:  # Decoders raise whatever they like on damaged files.
            let_out_of_memory(error)
            reasons.append(str(error).strip().rstrip("."))
            continue
        if image is not None and image.ndim in (2, 3) and image.size:
            native = image.astype(image.dtype.newbyteorder("="), copy=False)
            return native if colour else to_grey(native)
    if found is None:
        raise DecodeError(
            f"{name}: expected an image; found {len(data)} bytes that begin with {data[:8]!r}, which is no format "
            "that can be read. Convert it to PNG, JPEG or TIFF"
        )
    reason = next((r for r in reversed(reasons) if r), "no reader can decode it")
    raise DecodeError(f"{name}: a {found.name} file that cannot be decoded: {reason}. Copy or export it again")


def decode_grey(data: bytes, name: str, *, least: int | None = None) -> tuple[Array, tuple[int, int]]:
    """Return the image in `data`, in grey where `decode` can, and its whole width and height.

    Parameters
    ----------
    least : int, optional
        A JPEG may come reduced by 2, 4 or 8, with at least so many pixels on its longer side.

    Raises
    ------
    DecodeError
        If no reader can make an image of it.
    """
    reduced = None if least is None else reduced_jpeg(data, least, _REDUCED)
    if reduced is not None:
        return reduced, size_of(data)
    image = decode(data, name, colour=False)
    return image, (image.shape[1], image.shape[0])


def reduced_jpeg(data: bytes, least: int, flags: Mapping[int, int]) -> Array | None:
    """Let the JPEG decoder reduce by the first factor of `flags` that leaves `least` pixels on the longer side.

    None where there is none, or the content is no JPEG file that can be read.
    """
    found = sniff(data[:HEAD])
    if found is None or found.name != "JPEG":
        return None
    longer = max(size_of(data))
    flag = next((flag for factor, flag in flags.items() if longer >= factor * least), None)
    image: Array | None = None if flag is None else cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    return image


#: How OpenCV is asked to let the JPEG decoder reduce, the most first.
_REDUCED = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height of the upright image by its header; zeros where Pillow cannot tell."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            # The tag Orientation: from 5 on the image lies on its side.
            return (height, width) if image.getexif().get(0x0112, 1) >= 5 else (width, height)
    except Exception:  # The readers say what is wrong with it.
        return 0, 0


def _by_opencv(data: bytes, colour: bool) -> Array | None:
    flags = (cv2.IMREAD_ANYCOLOR if colour else cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_ANYDEPTH
    image: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None or image.ndim == 2:
        return image
    return swap_red_and_blue(image)


def _by_pillow(data: bytes, colour: bool) -> Array:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        # Its message is about a Python object in memory.
        raise ValueError("") from None
    with image:
        whole = ImageOps.exif_transpose(image)
        if whole.mode in ("LA", "1"):
            whole = whole.convert("L")
        elif whole.mode not in ("L", "RGB", "F", "I") and not whole.mode.startswith("I;16"):
            whole = whole.convert("RGB")
        array = np.asarray(whole)
    return array


def _beyond_opencv(data: bytes) -> bool:
    """Tell whether a TIFF has a layout that OpenCV 5.0 takes for another: it scrambles deep planes, halves the depth
    of two samples, and leaves deep inverted grey inverted, without a word.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            planes = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1
            inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
            return page.bitspersample > 8 and (planes or inverted or page.samplesperpixel not in (1, 3, 4))
    except Exception:  # A damaged file: the readers say what is wrong with it.
        return False


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


def _by_tifffile(data: bytes, colour: bool) -> Array:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return page_image(file.pages.first)


def page_image(page: Any) -> Array:
    """Return the image of one of tifffile's pages: upright, white bright, (H, W) or (H, W, 3)."""
    import tifffile

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


def _by_numpy(data: bytes, colour: bool) -> Array:
    array: Array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.ndim not in (2, 3):
        raise ValueError(f"expected an array of shape (rows, columns[, channels]), found {array.shape}")
    return array
