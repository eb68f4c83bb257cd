"""From files to arrays: the content of a file chooses the decoders, and its header is checked before they start."""

import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.common.read_limits import DEFAULT_READ_LIMITS, MAX_PIXELS, ReadLimits
from edgekit.errors import DecodeError, ParameterError, TooLargeError, UnreadableError, raise_if_out_of_memory
from edgekit.io.conversion import swap_red_and_blue
from edgekit.io.decoders import (
    Content,
    Decoder,
    by_farbfeld,
    by_netpbmfile,
    by_numpy,
    by_opencv,
    by_pillow,
    orientation_by_pillow,
    size_by_pillow,
    truncated_by_pillow,
    truncated_jpeg_by_opencv,
)
from edgekit.io.files import read_bytes
from edgekit.io.formats import HEAD, sniff
from edgekit.io.headers import has_colours_and_gamma, has_palette, is_compressed_bmp, size_by_header
from edgekit.io.pages import images_in
from edgekit.io.pixels import Pixels, Range, Spacing
from edgekit.io.stores import StorePath, path_of
from edgekit.io.tiff import Facts, by_tifffile, facts_of

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
        (H, W), or (H, W, channels): red, green, blue and further bands, without opacity.
    size : (int, int)
        Width and height of the original, which is larger if `image` was decoded at reduced size.
    truncated : bool
        Whether the file is truncated, and `image` holds what could be decoded.
    rgb : bool
        Whether the first three channels are red, green and blue.
    range : (float, float) or None
        The values of black and white, if the file states them; else those of the type.
    nodata : float or None
        The value of pixels that were not measured. They are NaN.
    spacing : Spacing or None
        The size of a pixel.
    notes : tuple of str
        What was left out or converted.
    opencv_differs : bool
        Whether `cv2.imread` reads other gray levels.
    opacity : bool
        Whether the file states an opacity.
    stored : str
        The type of the stored pixels.
    limits : (float, float)
        The values of black and white: those that the file states, else those of the type.
    """

    image: Array
    size: tuple[int, int]
    truncated: bool = False
    rgb: bool = False
    range: Range | None = None
    nodata: float | None = None
    spacing: Spacing | None = None
    notes: tuple[str, ...] = ()
    opencv_differs: bool = False
    opacity: bool = False
    stored: str = ""
    limits: Range = (0.0, 1.0)

    @property
    def note(self) -> str:
        """What the user should know about the image; empty if it is complete."""
        truncated = "truncated: only the part that could be decoded was kept" if self.truncated else ""
        return "; ".join(filter(None, (truncated, *self.notes)))


def decode(
    data: bytes,
    name: str,
    *,
    colour: bool = True,
    bands: bool = True,
    limits: ReadLimits = DEFAULT_READ_LIMITS,
    page: int | None = None,
) -> Decoded:
    """Return the image in `data`.

    Parameters
    ----------
    name : str
        The name of the file in messages.
    colour : bool
        If False, the image is converted to gray.
    bands : bool
        If False, bands other than red, green and blue are left out, and bands without colours are averaged.
    page : int, optional
        The number of the image in the file, from 1 on. Default: the first; then the note says that there are more.

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
    count = images_in(data) if page != 1 else 1
    if page is not None and not 1 <= page <= count:
        raise DecodeError(f"{name}: expected an image with the number {page}; found {count} in the file")
    content = Content(data, name, found, colour, limits, (page or 1) - 1)
    facts = facts_of(content) if found.name == "TIFF" else Facts()
    nodata = facts.nodata if limits.nodata is None else limits.nodata
    if nodata is not None:
        # Pixels without data must not be mixed with others.
        content = content._replace(colour=True)
    others = f"image 1 of {count} in the file" if page is None and count > 1 else ""
    reasons: list[str] = []
    pixels = _first(_decoders(content, facts), content, reasons)
    if pixels is not None:
        deep = pixels.array.dtype.itemsize * 8 == facts.bits > 8
        stated = pixels.range or (facts.range if deep else None)
        known = replace(pixels, nodata=nodata, spacing=pixels.spacing or facts.spacing, range=stated)
        return _finished(known.with_notes(others), content, colour, bands)
    part = _first((truncated_jpeg_by_opencv if found.name == "JPEG" else truncated_by_pillow,), content, [])
    if part is None:
        reason = next((r for r in reversed(reasons) if r), "no reader can decode it")
        raise DecodeError(f"{name}: this {found.name} file cannot be decoded: {reason}. Copy or export it again")
    if limits.truncated == "refuse":
        raise DecodeError(
            f"{name}: this {found.name} file is truncated: only a part of it can be decoded. Copy or export it "
            'again, or keep that part (--truncated keep, truncated="keep")'
        )
    return _finished(replace(part, nodata=nodata).with_notes(others), content, colour, bands)._replace(truncated=True)


def _finished(pixels: Pixels, content: Content, colour: bool, bands: bool) -> Decoded:
    """Lay pixels over the background, and leave out channels that are not needed."""
    gamma = content.format.name == "PNG" and has_colours_and_gamma(content.data)
    laid = pixels.over(content.limits.background)
    measured = laid.measured(pixels.nodata)
    shown = measured.gray() if not colour else measured if bands else measured.colours()
    return Decoded(
        shown.array,
        (shown.array.shape[1], shown.array.shape[0]),
        rgb=shown.rgb and shown.array.ndim == 3,
        range=shown.range,
        nodata=shown.nodata,
        spacing=shown.spacing,
        notes=shown.notes,
        opencv_differs=gamma or laid.notes != pixels.notes,
        opacity=pixels.opacity,
        stored=pixels.array.dtype.name,
        limits=pixels.limits(),
    )


def orientation_of(data: bytes, name: str) -> int:
    """Return how the pixels of a file are stored, as a number of EXIF; 1 if they are upright."""
    found = sniff(data[:HEAD])
    return 1 if found is None else orientation_by_pillow(Content(data, name, found, False, DEFAULT_READ_LIMITS))


def _decoders(content: Content, facts: Facts) -> tuple[Decoder, ...]:
    """Return the decoders for a file, in the order in which they are tried."""
    match content.format.name:
        case "NPY":
            return (by_numpy,)
        case "farbfeld":
            return (by_farbfeld,)
        case "netpbm":
            return (by_netpbmfile, by_opencv, by_pillow)
        case "TIFF":
            # Pillow reads colours of 16 bits with 8.
            first, second = (by_tifffile, by_opencv) if facts.opencv_is_wrong else (by_opencv, by_tifffile)
            return (first, second, by_pillow)
    # OpenCV goes astray in rows of run-length encoded BMP files, and returns the indices of palettes of JPEG 2000.
    if content.page or is_compressed_bmp(content.data) or has_palette(content.data, content.format.name):
        return (by_pillow,)
    return (by_opencv, by_pillow)


def _first(decoders: Iterable[Decoder], content: Content, reasons: list[str]) -> Pixels | None:
    """Return the image of the first decoder that succeeds, in native byte order; append why others failed."""
    for decoder in decoders:
        try:
            pixels = decoder(content)
        except TooLargeError:
            raise
        except Exception as error:  # Decoders may raise anything on damaged files.
            raise_if_out_of_memory(error)
            reasons.append(_reason(error))
            continue
        if pixels is not None and pixels.array.ndim in (2, 3) and pixels.array.size:
            native = pixels.array.astype(pixels.array.dtype.newbyteorder("="), copy=False)
            return replace(pixels, array=native)
    return None


def _reason(error: Exception) -> str:
    """Return why a decoder failed, unless its exception is about the decoder's own code."""
    text = str(error).strip().rstrip(".")
    internal = isinstance(error, LookupError | TypeError | AttributeError | AssertionError) or "zip()" in text
    return "" if internal or len(text.split()) < 3 else text


#: The flags with which OpenCV decodes a JPEG file at 1/8, 1/4 or 1/2 of its size, in gray and in colour.
_REDUCED_GRAY = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}
_REDUCED_COLOUR = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


def decode_gray(
    data: bytes,
    name: str,
    *,
    least: int | None = None,
    limits: ReadLimits = DEFAULT_READ_LIMITS,
    page: int | None = None,
) -> Decoded:
    """Return the image in `data` in gray, as `decode` does.

    Parameters
    ----------
    page : int, optional
        As for `decode`.
    least : int, optional
        A JPEG file may be decoded at 1/2, 1/4 or 1/8 of its size, with at least `least` pixels on its longer side.

    Raises
    ------
    DecodeError
        As `decode` does.
    """
    whole = least is None or limits.nodata is not None
    reduced = None if whole else _reduced_jpeg(data, name, least or 0, _REDUCED_GRAY, limits)
    return decode(data, name, colour=False, limits=limits, page=page) if reduced is None else reduced


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
