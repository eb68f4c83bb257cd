"""From files to arrays: the content says which decoders are asked, and the header how much that would take."""

import io
import os
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.common.read_limits import DEFAULT, MAX_PIXELS, Limits
from edgekit.errors import DecodeError, ParameterError, TooLargeError, UnreadableError, let_out_of_memory
from edgekit.io.channels import to_grey
from edgekit.io.decoders import Content, Decoder, decoders_for, salvagers_for, size_by_pillow
from edgekit.io.files import read_bytes
from edgekit.io.formats import HEAD, sniff
from edgekit.io.headers import size_by_header
from edgekit.io.stores import StorePath, path_of

Array = NDArray[Any]


def read_image(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
    *,
    colour: bool = True,
    max_pixels: int = MAX_PIXELS,
    truncated: str = "refuse",
) -> Array:
    """Read an image file, whatever its ending says it is.

    Parameters
    ----------
    source : path, bytes or file object
        A file, its URL, the content of a file, or an object with ``read()`` that gives it, read from where it is to
        its end.
    colour : bool
        Without colour, decoders that can do so give grey at once, in whole levels; types that OpenCV
        does not turn grey keep their colour.
    max_pixels : int
        An image whose header claims more is refused before its pixels have memory.
    truncated : {"refuse", "keep"}
        Whether a file that breaks off is refused, or as much of it kept as can be decoded.

    Returns
    -------
    ndarray
        (H, W), or (H, W, 3) in RGB order; the file's own depth. The camera's orientation is
        applied, palettes are looked up, transparency is dropped.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, or may not be read.
    TooLargeError
        If its header claims more than `max_pixels`.
    DecodeError
        If the content is not an image that can be read, or breaks off.
    ParameterError
        If `max_pixels` or `truncated` has a value that it cannot take.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.write_image("grey.png", np.uint8([[1, 2], [3, 4]]))
    >>> ek.read_image("grey.png")
    array([[1, 2],
           [3, 4]], dtype=uint8)
    """
    limits = Limits(max_pixels, truncated)
    limits.check()
    if not isinstance(source, str | os.PathLike | StorePath):
        data, name = _content(source)
        return decode(data, name, colour=colour, limits=limits).image
    path = path_of(source)
    return decode(read_bytes(path), str(path), colour=colour, limits=limits).image


def _content(source: Any) -> tuple[bytes, str]:
    """Return the content that was given instead of a file's name, and what messages call it."""
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "the given file object"
        if isinstance(source, io.TextIOBase):
            raise ParameterError(f"{name}: opened as text; open it as bytes: open(path, 'rb')")
        try:
            source = source.read()
        except Exception as error:  # The object's own code may raise anything.
            raise UnreadableError(f"{name}: cannot be read: {error}") from error
    else:
        name = "the given bytes"
    if not isinstance(source, bytes | bytearray | memoryview):
        raise ParameterError(f"expected a path, bytes or a file object; found {type(source).__name__}")
    if not source:
        raise UnreadableError(f"{name}: empty (0 bytes)")
    return bytes(source), name


class Decoded(NamedTuple):
    """An image, and what there is to say of it.

    Attributes
    ----------
    image : ndarray
        (H, W), or (H, W, 3) in RGB order.
    size : (int, int)
        Width and height of the whole image, of which `image` may be reduced.
    truncated : bool
        Whether the file breaks off, and `image` holds what there is.
    """

    image: Array
    size: tuple[int, int]
    truncated: bool = False

    @property
    def note(self) -> str:
        """What the user should know of it; nothing where it is whole."""
        return "truncated: the file breaks off, and what could be decoded was kept" if self.truncated else ""


def decode(data: bytes, name: str, *, colour: bool = True, limits: Limits = DEFAULT) -> Decoded:
    """Return the image in `data`; `name` is what messages call it.

    Raises
    ------
    TooLargeError
        If its header claims more pixels than `limits` allow.
    DecodeError
        If no decoder can make an image of it, or it breaks off and `limits` do not keep such.
    """
    found = sniff(data[:HEAD])
    if found is None:
        raise DecodeError(
            f"{name}: expected an image; found {len(data)} bytes that begin with {data[:8]!r}, which is no format "
            "that can be read. Convert it to PNG, JPEG or TIFF"
        )
    content = Content(data, name, found, colour, limits)
    reasons: list[str] = []
    image = _first(decoders_for(content), content, reasons)
    if image is not None:
        return Decoded(image, (image.shape[1], image.shape[0]))
    part = _first(salvagers_for(content), content, [])
    if part is None:
        reason = next((r for r in reversed(reasons) if r), "no reader can decode it")
        raise DecodeError(f"{name}: a {found.name} file that cannot be decoded: {reason}. Copy or export it again")
    if limits.truncated == "refuse":
        raise DecodeError(
            f"{name}: a {found.name} file that is truncated: only a part of it can be decoded. Copy or export it "
            'again, or keep that part (--truncated keep, truncated="keep")'
        )
    return Decoded(part, (part.shape[1], part.shape[0]), truncated=True)


def _first(decoders: Iterable[Decoder], content: Content, reasons: list[str]) -> Array | None:
    """Return the first image that one of the decoders gives, in the machine's byte order; else why there is none."""
    for decoder in decoders:
        try:
            image = decoder(content)
        except TooLargeError:
            raise
        except Exception as error:  # Decoders raise whatever they like on damaged files.
            let_out_of_memory(error)
            reasons.append(str(error).strip().rstrip("."))
            continue
        if image is not None and image.ndim in (2, 3) and image.size:
            native = image.astype(image.dtype.newbyteorder("="), copy=False)
            return native if content.colour else to_grey(native)
    return None


def decode_grey(data: bytes, name: str, *, least: int | None = None, limits: Limits = DEFAULT) -> Decoded:
    """Return the image in `data`, in grey where `decode` can.

    Parameters
    ----------
    least : int, optional
        A JPEG may come reduced by 2, 4 or 8, with at least so many pixels on its longer side.

    Raises
    ------
    DecodeError
        As `decode` does.
    """
    reduced = None if least is None else decode_reduced_jpeg(data, name, least, _REDUCED, limits)
    return decode(data, name, colour=False, limits=limits) if reduced is None else reduced


def decode_reduced_jpeg(data: bytes, name: str, least: int, flags: Mapping[int, int], limits: Limits) -> Decoded | None:
    """Let the JPEG decoder reduce by the first factor of `flags` that leaves `least` pixels on the longer side.

    None where there is none, or the content is no JPEG file that can be read.
    """
    found = sniff(data[:HEAD])
    stored = size_by_header(data, found.name) if found is not None and found.name == "JPEG" else None
    if found is None or stored is None:
        return None
    limits.admit(stored, name)
    flag = next((flag for factor, flag in flags.items() if max(stored) >= factor * least), None)
    image: Array | None = None if flag is None else cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if image is None:
        return None
    return Decoded(image, size_by_pillow(Content(data, name, found, False, limits)))


#: How OpenCV is asked to let the JPEG decoder reduce, the most first.
_REDUCED = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}
