"""From files to arrays: the content of a file chooses the decoders, and its header is checked before they start."""

import io
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.common.read_limits import DEFAULT_READ_LIMITS, MAX_PIXELS, ReadLimits
from edgekit.errors import DecodeError, ParameterError, TooLargeError, UnreadableError, raise_if_out_of_memory
from edgekit.io.conversion import swap_red_and_blue, to_gray
from edgekit.io.decoders import (
    Content,
    Decoder,
    by_farbfeld,
    by_numpy,
    by_opencv,
    by_pillow,
    size_by_pillow,
    truncated_by_pillow,
    truncated_jpeg_by_opencv,
)
from edgekit.io.files import read_bytes
from edgekit.io.formats import HEAD, sniff
from edgekit.io.headers import size_by_header
from edgekit.io.stores import StorePath, path_of
from edgekit.io.tiff import Range, by_tifffile, first_page_range, opencv_is_wrong

Array = NDArray[Any]


def read_image(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
    *,
    colour: bool = True,
    max_pixels: int = MAX_PIXELS,
    truncated: str = "refuse",
) -> Array:
    """Read an image file. Its content decides the format, not the ending of its name.

    Parameters
    ----------
    source : path, bytes or file object
        A file, its URL, the content of a file, or a file object, which is read from its current position to the end.
    colour : bool
        If False, the image is converted to gray, by the decoder itself where it can. Types that OpenCV does not
        convert keep their colour.
    max_pixels : int
        An image whose header states more pixels is refused before memory is allocated.
    truncated : {"refuse", "keep"}
        Whether a truncated file is refused, or the part that can be decoded is kept.

    Returns
    -------
    ndarray
        (H, W), or (H, W, 3) in RGB order, in the depth of the file. The orientation of the camera is applied, palettes
        are converted to colours, transparency is dropped.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, or access is denied.
    TooLargeError
        If its header states more pixels than `max_pixels`.
    DecodeError
        If the content is not an image that can be decoded, or is truncated.
    ParameterError
        If `max_pixels` or `truncated` has an invalid value.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.write_image("gray.png", np.uint8([[1, 2], [3, 4]]))
    >>> ek.read_image("gray.png")
    array([[1, 2],
           [3, 4]], dtype=uint8)
    """
    limits = ReadLimits(max_pixels, truncated)
    limits.check()
    if not isinstance(source, str | os.PathLike | StorePath):
        data, name = _content(source)
        return decode(data, name, colour=colour, limits=limits).image
    path = path_of(source)
    return decode(read_bytes(path), str(path), colour=colour, limits=limits).image


def _content(source: Any) -> tuple[bytes, str]:
    """Return the content of bytes or a file object, and its name for messages."""
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "the given file object"
        if isinstance(source, io.TextIOBase):
            raise ParameterError(f"{name}: opened as text; open it as bytes: open(path, 'rb')")
        try:
            source = source.read()
        except Exception as error:  # The object may raise anything.
            raise UnreadableError(f"{name}: cannot be read: {error}") from error
    else:
        name = "the given bytes"
    if not isinstance(source, bytes | bytearray | memoryview):
        raise ParameterError(f"expected a path, bytes or a file object; found {type(source).__name__}")
    if not source:
        raise UnreadableError(f"{name}: empty (0 bytes)")
    return bytes(source), name


class Decoded(NamedTuple):
    """A decoded image.

    Attributes
    ----------
    image : ndarray
        (H, W), or (H, W, 3) in RGB order.
    size : (int, int)
        Width and height of the original, which is larger if `image` was decoded at reduced size.
    truncated : bool
        Whether the file is truncated, and `image` holds what could be decoded.
    """

    image: Array
    size: tuple[int, int]
    truncated: bool = False

    @property
    def note(self) -> str:
        """What the user should know about the image; empty if it is complete."""
        return "truncated: only the part that could be decoded was kept" if self.truncated else ""


def decode(data: bytes, name: str, *, colour: bool = True, limits: ReadLimits = DEFAULT_READ_LIMITS) -> Decoded:
    """Return the image in `data`; `name` is the name of the file in messages.

    Raises
    ------
    TooLargeError
        If its header states more pixels than `limits` allow.
    DecodeError
        If no decoder can decode it, or it is truncated and `limits` refuse that.
    """
    found = sniff(data[:HEAD])
    if found is None:
        raise DecodeError(
            f"{name}: expected an image; found {len(data)} bytes that begin with {data[:8]!r}, which is no format "
            "that can be read. Convert it to PNG, JPEG or TIFF"
        )
    content = Content(data, name, found, colour, limits)
    reasons: list[str] = []
    image = _first(_decoders(content), content, reasons)
    if image is not None:
        return Decoded(image, (image.shape[1], image.shape[0]))
    part = _first((truncated_jpeg_by_opencv if found.name == "JPEG" else truncated_by_pillow,), content, [])
    if part is None:
        reason = next((r for r in reversed(reasons) if r), "no reader can decode it")
        raise DecodeError(f"{name}: this {found.name} file cannot be decoded: {reason}. Copy or export it again")
    if limits.truncated == "refuse":
        raise DecodeError(
            f"{name}: this {found.name} file is truncated: only a part of it can be decoded. Copy or export it "
            'again, or keep that part (--truncated keep, truncated="keep")'
        )
    return Decoded(part, (part.shape[1], part.shape[0]), truncated=True)


def _decoders(content: Content) -> tuple[Decoder, ...]:
    """Return the decoders for a file, in the order in which they are tried."""
    match content.format.name:
        case "NPY":
            return (by_numpy,)
        case "farbfeld":
            return (by_farbfeld,)
        case "TIFF":
            wrong = opencv_is_wrong(content)
            return (by_tifffile, by_opencv, by_pillow) if wrong else (by_opencv, by_pillow, by_tifffile)
    return (by_opencv, by_pillow)


def _first(decoders: Iterable[Decoder], content: Content, reasons: list[str]) -> Array | None:
    """Return the image of the first decoder that succeeds, in native byte order; append why others failed."""
    for decoder in decoders:
        try:
            image = decoder(content)
        except TooLargeError:
            raise
        except Exception as error:  # Decoders may raise anything on damaged files.
            raise_if_out_of_memory(error)
            reasons.append(str(error).strip().rstrip("."))
            continue
        if image is not None and image.ndim in (2, 3) and image.size:
            native = image.astype(image.dtype.newbyteorder("="), copy=False)
            return native if content.colour else to_gray(native)
    return None


#: The flags with which OpenCV decodes a JPEG file at 1/8, 1/4 or 1/2 of its size, in gray and in colour.
_REDUCED_GRAY = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}
_REDUCED_COLOUR = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


def decode_gray(
    data: bytes, name: str, *, least: int | None = None, limits: ReadLimits = DEFAULT_READ_LIMITS
) -> Decoded:
    """Return the image in `data` in gray, as `decode` does.

    Parameters
    ----------
    least : int, optional
        A JPEG file may be decoded at 1/2, 1/4 or 1/8 of its size, with at least `least` pixels on its longer side.

    Raises
    ------
    DecodeError
        As `decode` does.
    """
    reduced = None if least is None else _reduced_jpeg(data, name, least, _REDUCED_GRAY, limits)
    return decode(data, name, colour=False, limits=limits) if reduced is None else reduced


def decode_reduced(
    data: bytes, name: str, *, least: int | None = None, limits: ReadLimits = DEFAULT_READ_LIMITS
) -> Array:
    """Return the image in `data` in colour, as `decode` does; `least` is that of `decode_gray`.

    Raises
    ------
    DecodeError
        As `decode` does.
    """
    reduced = None if least is None else _reduced_jpeg(data, name, least, _REDUCED_COLOUR, limits)
    return decode(data, name, limits=limits).image if reduced is None else swap_red_and_blue(reduced.image)


def _reduced_jpeg(data: bytes, name: str, least: int, flags: Mapping[int, int], limits: ReadLimits) -> Decoded | None:
    """Decode a JPEG file by the first flag that leaves `least` pixels on the longer side.

    Returns None if there is none, or if the content is not a JPEG file that can be decoded.
    """
    found = sniff(data[:HEAD])
    stored = size_by_header(data, found.name) if found is not None and found.name == "JPEG" else None
    if found is None or stored is None:
        return None
    limits.check_size(stored, name)
    flag = next((flag for factor, flag in flags.items() if max(stored) >= factor * least), None)
    image: Array | None = None if flag is None else cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if image is None:
        return None
    return Decoded(image, size_by_pillow(Content(data, name, found, False, limits)))


def stated_range(data: bytes, dtype: np.dtype[Any]) -> Range | None:
    """Return the range of values that a file states, such as 0 to 4095 for 12 bits stored in 16.

    Parameters
    ----------
    data : bytes
        The content of the file.
    dtype : dtype
        The type of the decoded pixels.

    Returns
    -------
    (float, float) or None
        None for images of 8 bits, and for files that state no range.
    """
    found = sniff(data[:HEAD]) if dtype.itemsize > 1 else None
    if found is not None and found.name == "TIFF":
        return first_page_range(data, dtype)
    if found is None or found.name != "netpbm" or dtype != np.uint16:
        # Netpbm files of other types are decoded by Pillow, which scales the values.
        return None
    head = re.sub(rb"#[^\r\n]*", b"", data[:4096])
    largest = re.search(rb"\bMAXVAL\s+(\d+)", head) or re.match(rb"P[2356]\s+\d+\s+\d+\s+(\d+)\s", head)
    return (0.0, float(largest[1])) if largest and int(largest[1]) else None
