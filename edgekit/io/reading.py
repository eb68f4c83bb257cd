"""From files to arrays: the content of a file chooses the decoders, and its header is checked before they start."""

import importlib
import io
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any, BinaryIO, NamedTuple

from numpy.typing import NDArray

from edgekit.common.choices import check_flag, shown
from edgekit.common.read_options import DEFAULT_READ_OPTIONS, MAX_PIXELS, ReadOptions
from edgekit.errors import (
    DecodeError,
    MissingExtraError,
    ParameterError,
    TooLargeError,
    UnreadableError,
    raise_if_out_of_memory,
)
from edgekit.io.decoders import (
    Content,
    Decoder,
    by_farbfeld,
    by_netpbmfile,
    by_numpy,
    by_opencv,
    by_pillow,
    orientation_by_pillow,
    truncated_by_pillow,
    truncated_jpeg_by_opencv,
)
from edgekit.io.files import read_bytes
from edgekit.io.formats import HEAD, RAW_FORMAT, sniff
from edgekit.io.headers import has_colours_and_gamma, has_palette, is_unusual_bmp
from edgekit.io.pages import images_in
from edgekit.io.pixels import Pixels, Range
from edgekit.io.raw_headers import is_raw
from edgekit.io.stores import StorePath, path_of
from edgekit.io.tiff import Facts, by_tifffile, facts_of

Array = NDArray[Any]


def read_image(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
    *,
    colour: bool = True,
    page: int | None = None,
    max_pixels: int = MAX_PIXELS,
    truncated: str = "refuse",
    background: str = "auto",
    raw: str = "half",
    nodata: float | None = None,
) -> Array:
    """Read an image file. Its content decides the format, not the ending of its name.

    `edgekit.open_image` tells what else a file holds.

    Parameters
    ----------
    source : path, bytes or file object
        A file, its URL, the content of a file, or a file object, which is read from its current position to the end.
    colour : bool
        If False, the image is converted to gray, by the decoder itself where it can. Types that OpenCV does not
        convert keep their colour.
    page : int, optional
        The number of the image in a file with several, from 1 on. Default: the first one, with a warning if there are
        more.
    max_pixels : int
        An image whose header states more pixels is refused before memory is allocated.
    truncated : {"refuse", "keep"}
        Whether a truncated file is refused, or the part that can be decoded is kept.
    background : str
        What transparent images are laid over: ``white``, ``black``, a colour ``#rrggbb``, or ``auto``: black if the
        opaque pixels are bright, else white.
    raw : {"half", "full", "preview"}
        How raw photographs of cameras are read: each 2x2 cell of the sensor as one pixel, at full size, or the largest
        preview in the file.
    nodata : float, optional
        The value of pixels that were not measured, which become NaN. Default: the value that a TIFF file states.

    Returns
    -------
    ndarray
        (H, W), or (H, W, channels): red, green and blue, then further bands; in the depth of the file. The orientation
        of the camera is applied, palettes are converted to colours. Images with pixels without data are floats.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, or access is denied.
    TooLargeError
        If its header states more pixels than `max_pixels`.
    DecodeError
        If the content is not an image that can be decoded, or is truncated.
    ParameterError
        If an option has an invalid value.

    Warns
    -----
    UserWarning
        If the file has several images, and `page` is not given.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.write_image("gray.png", np.uint8([[1, 2], [3, 4]]))
    >>> ek.read_image("gray.png")
    array([[1, 2],
           [3, 4]], dtype=uint8)
    """
    read_options = ReadOptions(max_pixels, truncated, background, raw, nodata)
    read_options.check()
    check_flag("colour", colour)
    if page is not None:
        check_page(page)
    if isinstance(source, str | os.PathLike | StorePath):
        path = path_of(source)
        data, name = read_bytes(path), str(path)
    else:
        data, name = _content(source)
    decoded = decode(data, name, colour=colour, read_options=read_options, page=page)
    if decoded.others:
        warnings.warn(f"{name}: {decoded.others}; pass page= or use open_image", UserWarning, stacklevel=2)
    return decoded.image


def check_page(page: Any) -> None:
    """Raise `ParameterError` unless this is the number of an image."""
    if isinstance(page, bool) or not isinstance(page, Integral) or page < 1:
        raise ParameterError(f"page={shown(page)} must be an integer, from 1 on")


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
    pixels : Pixels
        The image, without opacity. Pixels that were not measured are NaN.
    size : (int, int)
        Width and height of the original, which is larger if the image was decoded at reduced size.
    truncated : bool
        Whether the file is truncated, and the image is the part that could be decoded.
    others : str
        Which image of several this is, if none was chosen; otherwise empty.
    opencv_differs : bool
        Whether `cv2.imread` reads other gray levels.
    opacity : bool
        Whether the file states an opacity.
    stored : str
        The type of the stored pixels.
    format : str
        The name of the format.
    limits : (float, float)
        The values of black and white: those that the file states, else those of the stored type.
    """

    pixels: Pixels
    size: tuple[int, int]
    truncated: bool = False
    others: str = ""
    opencv_differs: bool = False
    opacity: bool = False
    stored: str = ""
    format: str = ""
    limits: Range = (0.0, 1.0)

    @property
    def image(self) -> Array:
        """The array: (H, W), or (H, W, channels) with red, green, blue and further bands."""
        return self.pixels.array

    @property
    def note(self) -> str:
        """What the user should know about the image; empty if it is complete."""
        truncated = "truncated: only the part that could be decoded was kept" if self.truncated else ""
        return "; ".join(filter(None, (truncated, self.others, *self.pixels.notes)))


def decode(
    data: bytes,
    name: str,
    *,
    colour: bool = True,
    bands: bool = True,
    read_options: ReadOptions = DEFAULT_READ_OPTIONS,
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
        If its header states more pixels than `read_options` allows.
    DecodeError
        If no decoder can decode it, or it is truncated and `read_options` refuses that.
    """
    found = sniff(data[:HEAD])
    if found is None:
        raise DecodeError(
            f"{name}: expected an image; found {len(data)} bytes that begin with {data[:8]!r}, which is no format "
            "that can be read. Convert it to PNG, JPEG or TIFF"
        )
    count = images_in(data, name) if page != 1 else 1
    if page is not None and not 1 <= page <= count:
        raise DecodeError(f"{name}: expected an image with the number {page}; found {count} in the file")
    if found.name == "TIFF" and is_raw(data):
        found = RAW_FORMAT
    content = Content(data, name, found, colour, read_options, (page or 1) - 1)
    facts = facts_of(content) if found.name == "TIFF" else Facts()
    nodata = facts.nodata if read_options.nodata is None else read_options.nodata
    if nodata is not None:
        # Pixels without data must not be mixed with others.
        content = content._replace(colour=True)
    others = f"image 1 of {count} in the file" if page is None and count > 1 else ""
    reasons: list[str] = []
    missing: list[MissingExtraError] = []
    pixels = _first(_decoders(content, facts), content, reasons, missing)
    if pixels is not None:
        deep = pixels.array.dtype.itemsize * 8 == facts.bits > 8
        stated = pixels.range or (facts.range if deep else None)
        known = replace(pixels, nodata=nodata, spacing=pixels.spacing or facts.spacing, range=stated)
        known = known.with_notes(facts.note)
        return _finished(known, content, colour, bands)._replace(others=others)
    part = _first((truncated_jpeg_by_opencv if found.name == "JPEG" else truncated_by_pillow,), content, [], [])
    if part is None and missing:
        raise missing[0]
    if part is None:
        reason = next((r for r in reversed(reasons) if r), "no reader can decode it")
        raise DecodeError(f"{name}: this {found.name} file cannot be decoded: {reason}. Copy or export it again")
    if read_options.truncated == "refuse":
        raise DecodeError(
            f"{name}: this {found.name} file is truncated: only a part of it can be decoded. Copy or export it "
            'again, or keep that part (--truncated keep, truncated="keep")'
        )
    kept = _finished(replace(part, nodata=nodata), content, colour, bands)
    return kept._replace(others=others, truncated=True)


def _finished(pixels: Pixels, content: Content, colour: bool, bands: bool) -> Decoded:
    """Lay pixels over the background, and leave out channels that are not needed."""
    gamma = content.format.name == "PNG" and has_colours_and_gamma(content.data)
    laid = pixels.over(content.read_options.background)
    measured = laid.measured(pixels.nodata)
    shown = measured.gray() if not colour else measured if bands else measured.colours()
    return Decoded(
        shown,
        (shown.array.shape[1], shown.array.shape[0]),
        opencv_differs=gamma or laid.notes != pixels.notes,
        opacity=pixels.opacity,
        stored=pixels.array.dtype.name,
        format=content.format.name,
        limits=pixels.limits(),
    )


def orientation_of(data: bytes, name: str) -> int:
    """Return how the pixels of a file are stored, as a number of EXIF; 1 if they are upright."""
    found = sniff(data[:HEAD])
    return 1 if found is None else orientation_by_pillow(Content(data, name, found, False, DEFAULT_READ_OPTIONS))


def _decoders(content: Content, facts: Facts) -> tuple[Decoder, ...]:
    """Return the decoders for a file, in the order in which they are tried."""
    name = content.format.name
    if name in _DECODERS:
        return _DECODERS[name]
    if name == "TIFF":
        # Pillow reads colours of 16 bits with 8.
        first, second = (by_tifffile, by_opencv) if facts.opencv_is_wrong else (by_opencv, by_tifffile)
        return (first, second, by_pillow)
    if name == "PNG" and content.page:
        return (_loaded("imagecodecs_formats", "by_deep_png"), by_pillow)
    # OpenCV returns the indices of palettes of JPEG 2000.
    if content.page or is_unusual_bmp(content.data) or has_palette(content.data, content.format.name):
        return (by_pillow,)
    return (by_opencv, by_pillow)


def _loaded(module: str, function: str) -> Decoder:
    """Return a decoder whose module is imported when it decodes: most runs need none of them."""

    def decode(content: Content) -> Pixels | None:
        pixels: Pixels | None = getattr(importlib.import_module(f"edgekit.io.{module}"), function)(content)
        return pixels

    return decode


#: The decoders of formats that OpenCV or Pillow do not decode, or not all files.
_DECODERS: Mapping[str, tuple[Decoder, ...]] = {
    "NPY": (by_numpy,),
    "farbfeld": (by_farbfeld,),
    "netpbm": (by_netpbmfile, by_opencv, by_pillow),
    "JPEG": (by_opencv, _loaded("imagecodecs_formats", "by_deep_jpeg"), by_pillow),
    "JPEG-LS": (_loaded("imagecodecs_formats", "by_deep_jpeg"),),
    "JPEG XL": (_loaded("imagecodecs_formats", "by_jpeg_xl"),),
    "JPEG XR": (_loaded("imagecodecs_formats", "by_jpeg_xr"),),
    "HEIF": (_loaded("heif", "by_pillow_heif"),),
    "OpenEXR": (_loaded("exr", "by_openexr"),),
    "DICOM": (_loaded("dicom", "by_pydicom"),),
    "raw": (_loaded("raw_photographs", "by_raw"),),
}


def _first(
    decoders: Iterable[Decoder], content: Content, reasons: list[str], missing: list[MissingExtraError]
) -> Pixels | None:
    """Return the image of the first decoder that succeeds, in native byte order; append why others failed."""
    for decoder in decoders:
        try:
            pixels = decoder(content)
        except TooLargeError:
            raise
        except MissingExtraError as error:
            missing.append(error)
            continue
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
