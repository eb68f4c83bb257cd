"""TIFF files by tifffile: the first page as an image, all pages, and the range of values in the tags.

May import `common` and what is below it. `tiff_windows` reads parts of pages.
"""

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.read_options import DEFAULT_READ_OPTIONS, ReadOptions
from edgekit.errors import DecodeError, TooLargeError, UnreadableError
from edgekit.io.decoders import Content, no_warnings
from edgekit.io.files import as_file, open_regular, status_of
from edgekit.io.libraries import hide_messages
from edgekit.io.pages import tiff_images
from edgekit.io.pixels import Pixels, Range, Spacing
from edgekit.io.stores import path_of
from edgekit.io.tiff_tags import Tag, copied_tags, nodata_of, spacing_of

Array = NDArray[Any]

#: Channels per pixel that the limit of pixels allows for.
_CHANNELS = 4

#: TIFF tags for the least and the largest value. Those of the first pair can have every type.
_RANGE_TAGS = (("SMinSampleValue", "SMaxSampleValue"), ("MinSampleValue", "MaxSampleValue"))

#: Lossless compressions by their TIFF numbers: none, LZW, deflate (new and old), PackBits, LZMA and Zstandard. Decoders
#: for the other ones convert colours to RGB.
LOSSLESS = (1, 5, 8, 32946, 32773, 34925, 50000)

#: Photometric interpretations of plain values: WhiteIsZero, BlackIsZero and RGB.
_PLAIN_VALUES = (0, 1, 2)


def load_tifffile() -> Any:
    """Return the library, without its log messages about damaged files unless the user has set up logging for it."""
    import tifffile

    hide_messages("tifffile")
    return tifffile


def by_tifffile(content: Content) -> Pixels:
    """Decode a page of the image, by default the first one."""
    with load_tifffile().TiffFile(as_file(content.data)) as file:
        page = file.pages[image_pages(file)[content.page]]
        return page_pixels(page, content.name, content.read_options)


def image_pages(file: Any) -> list[int]:
    """Return the numbers of the pages that are images, without smaller versions of others and masks."""
    file.filehandle.seek(0)
    return tiff_images(file.filehandle)


class Facts(NamedTuple):
    """What the tags of a TIFF file say about the pixels of an image.

    Attributes
    ----------
    opencv_is_wrong : bool
        Whether OpenCV 5.0 decodes it wrongly, without an error, or leaves something out.
    range : (float, float) or None
        The values of black and white.
    bits : int
        Bits of a value.
    nodata : float or None
        The value of pixels that were not measured.
    spacing : Spacing or None
        The size of a pixel.
    note : str
        What may be meant in another way.
    """

    opencv_is_wrong: bool = False
    range: Range | None = None
    bits: int = 8
    nodata: float | None = None
    spacing: Spacing | None = None
    note: str = ""


def facts_of(content: Content) -> Facts:
    """Return what the tags say; the defaults for a damaged file, of which the decoders report what is wrong."""
    try:
        with load_tifffile().TiffFile(as_file(content.data)) as file:
            number = image_pages(file)[content.page]
            page = file.pages[number]
            wrong = number > 0 or is_wrong_by_opencv(page)
            planes = page.photometric == _RGB and page.planarconfig == _SEPARATE and page.is_shaped
            note = _PLANES if planes else ""
            return Facts(wrong, page_range(page), page.bitspersample, nodata_of(page), spacing_of(page), note)
    except Exception:
        return Facts()


def stack_axes(data: bytes) -> str:
    """Return the axes of the images of a TIFF file, one letter for each; empty if it is not one."""
    try:
        with load_tifffile().TiffFile(as_file(data)) as file:
            return str(file.series[0].axes)
    except Exception:  # Another format, or damaged.
        return ""


def geographic_tags(data: bytes, page: int, left: int, top: int) -> list[Tag]:
    """Return the tags for the result of an image; none if the content is no TIFF file."""
    try:
        with load_tifffile().TiffFile(as_file(data)) as file:
            return copied_tags(file.pages[image_pages(file)[page]], left, top)
    except Exception:  # The image could be decoded by another library.
        return []


def is_wrong_by_opencv(page: Any) -> bool:
    """Tell whether OpenCV decodes a page wrongly.

    It is right for gray and RGB of 8 and 16 bits without further channels, and for photometric interpretations that
    tifffile does not convert.
    """
    bits, channels = page.bitspersample, page.samplesperpixel
    unusual = page.extrasamples or page.photometric == _CMYK or channels not in (1, 3)
    if bits <= 8 or unusual:
        return bool(unusual)
    mixed = channels > 1 and (page.planarconfig == _SEPARATE or page.dtype.kind == "i")
    return bool(mixed or bits not in (16, 32, 64) or page.photometric in (_WHITE_IS_ZERO, _PALETTE))


#: Photometric interpretations.
_WHITE_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 2, 3, 5, 6

#: The weights of red, green and blue in luma, unless a file states others (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)

#: The planar configuration with a plane for each channel.
_SEPARATE = 2

#: tifffile stores an array (3, H, W) in this way by default.
_PLANES = "its 3 planes are red, green and blue; if they are a stack, store it with photometric='minisblack'"

#: Kinds of extra channels: associated (premultiplied) and unassociated opacity.
_ASSOCIATED, _UNASSOCIATED = 1, 2


def page_pixels(page: Any, name: str, read_options: ReadOptions) -> Pixels:
    """Return a page of tifffile: upright, not inverted, palettes and CMYK converted to RGB.

    Raises
    ------
    TooLargeError
        If it has more pixels than the limit allows, or too many channels.
    ValueError
        If the page is damaged.
    """
    read_options.check_size((page.imagewidth, page.imagelength), name)
    if math.prod(page.shape) > _CHANNELS * read_options.max_pixels:
        raise TooLargeError(f"{name}: claims an array of {' x '.join(map(str, page.shape))}, too many for an image")
    # Where tifffile finds no data it returns zeros.
    if any(length <= 0 or offset + length > page.parent.filehandle.size
           for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True)):  # fmt: skip
        raise ValueError("its image data lies beyond the end of the file")
    # If tifffile cannot read the tag of the depth, it assumes one bit.
    if page.bitspersample == 1 and page.samplesperpixel > 1:
        raise ValueError("its depth cannot be read")
    with no_warnings():
        array: Array = page.asarray()
    if page.planarconfig == _SEPARATE and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    if array.ndim not in (2, 3):
        raise ValueError(f"expected rows, columns and channels; found an array of shape {array.shape}")
    pixels = interpret(page, array)
    orientation = page.tags.get("Orientation")
    return pixels if orientation is None else pixels.upright(orientation.value)


def interpret(page: Any, array: Array) -> Pixels:
    """Return what the stored values of a page, or of a window of it, mean.

    Parameters
    ----------
    page : TiffPage
        The page of tifffile.
    array : ndarray
        (H, W) or (H, W, channels), as stored.
    """
    bits, photometric = page.bitspersample, int(page.photometric)
    stated = page_range(page) if array.dtype.itemsize > 1 else None
    if array.dtype.kind == "u" and bits < 8 * array.dtype.itemsize:
        stated = stated or (0.0, 2.0**bits - 1)
    if photometric == _WHITE_IS_ZERO and array.dtype.kind in "bu":
        array = ~array if array.dtype.kind == "b" else array.dtype.type(2**bits - 1) - array
    elif photometric == _PALETTE and page.colormap is not None:
        array, stated = _through_palette(array, page.colormap, bits), None
    elif photometric == _YCBCR and page.compression in LOSSLESS and array.dtype == np.uint8:
        array = _ycbcr_to_rgb(page, array)
    colours = {_RGB: 3, _YCBCR: 3, _PALETTE: 3, _CMYK: 4}.get(photometric, 1)
    channels = array.shape[2] if array.ndim == 3 else 1
    kinds = tuple(map(int, page.extrasamples))[: max(0, channels - colours)]
    if photometric == _CMYK and channels >= 4:
        array, colours = _cmyk_to_rgb(array, 2**bits - 1 if array.dtype.kind == "u" else 1), 3
        channels = array.shape[2]
    alpha = next((n for n, kind in enumerate(kinds) if kind in (_ASSOCIATED, _UNASSOCIATED)), None)
    if alpha is not None and array.ndim == 3 and colours + alpha < channels:
        order = [n for n in range(channels) if n != colours + alpha]
        array = array[:, :, [*order, colours + alpha]] if colours + alpha < channels - 1 else array
    elif array.ndim == 3 and channels == 1:
        array = array[:, :, 0]
    return Pixels(
        array,
        rgb=colours == 3 and channels >= 3,
        opacity=alpha is not None,
        premultiplied=alpha is not None and kinds[alpha] == _ASSOCIATED,
        range=stated,
        nodata=nodata_of(page),
        spacing=spacing_of(page),
    )


def _through_palette(array: Array, colormap: Array, bits: int) -> Array:
    """Return the colours (H, W, 3) of the indices of a palette."""
    colours = np.asarray(colormap).T[np.minimum(array, len(colormap[0]) - 1)]
    # Some programs write 8 bits into the 16 of the palette.
    shift = 0 if bits > 8 or colormap.max() < 256 else 8
    return (colours >> shift).astype(np.uint16 if bits > 8 else np.uint8)


def _ycbcr_to_rgb(page: Any, array: Array) -> Array:
    """Convert luma and chroma to red, green and blue (TIFF 6.0, section 21); further channels stay."""
    stated = page.tags.valueof("YCbCrCoefficients") or ()
    found = [n / d for n, d in zip(stated[::2], stated[1::2], strict=True) if d]
    red, green, blue = found if len(found) == 3 and min(found) > 0 else _LUMA
    ends = page.tags.valueof("ReferenceBlackWhite") or ()
    black = [n / d for n, d in zip(ends[::2], ends[1::2], strict=True) if d]
    low = black if len(black) == 6 and all(np.diff(black)[::2]) else [0, 255, 128, 255, 128, 255]
    y, cb, cr = (
        (array[:, :, n].astype(np.float64) - low[2 * n]) * full / (low[2 * n + 1] - low[2 * n])
        for n, full in enumerate((255, 127, 127))
    )
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    rgb = np.stack([r, (y - blue * b - red * r) / green, b], axis=2)
    return np.concatenate([np.rint(rgb).clip(0, 255).astype(np.uint8), array[:, :, 3:]], axis=2)


def _cmyk_to_rgb(array: Array, top: float) -> Array:
    """Convert inks to red, green and blue without a colour profile; further channels stay."""
    inks = array[:, :, :4].astype(np.float64) / top
    rgb = (1 - inks[:, :, :3]) * (1 - inks[:, :, 3:]) * top
    colours = np.rint(rgb).astype(array.dtype) if array.dtype.kind in "iu" else rgb.astype(array.dtype)
    return np.concatenate([colours, array[:, :, 4:]], axis=2)


def read_pages(
    path: str | Path,
    read_options: ReadOptions = DEFAULT_READ_OPTIONS,
    numbers: Iterable[int | None] | None = None,
) -> Iterator[Pixels | DecodeError]:
    """Read pages of a TIFF file, one at a time.

    Parameters
    ----------
    path : path
        The file, or its URL. Only objects in stores are loaded as a whole.
    read_options : ReadOptions
        Options for each page.
    numbers : iterable of int or None, optional
        Which pages, counted from 0; None for one that the file does not have. Default: all that are images, without
        smaller versions of others and masks.

    Yields
    ------
    Pixels or DecodeError
        In the depth of the file. For a damaged page the error; the next pages follow.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, or access is denied.
    DecodeError
        If it is not a TIFF file.

    Examples
    --------
    >>> import numpy as np, tifffile
    >>> from edgekit.io.tiff import read_pages
    >>> tifffile.imwrite("stack.tif", np.zeros((3, 4, 5), np.uint8), photometric="minisblack")
    >>> [page.array.shape for page in read_pages("stack.tif")]
    [(4, 5), (4, 5), (4, 5)]
    """
    path = path_of(path)
    if status_of(path).st_size == 0:
        raise UnreadableError(f"{path}: the file is empty (0 bytes); copy or export it again")
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(open_regular(path))
        except OSError as error:
            raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            file = stack.enter_context(load_tifffile().TiffFile(source, name=path.name))
        except Exception as error:  # tifffile may raise anything on damaged files.
            raise DecodeError(f"{path}: expected a TIFF file with pages: {error}") from error
        for number in _numbers(file, path) if numbers is None else numbers:
            if number is None:
                yield DecodeError(f"{path}: an image is stated that is not in the file. Copy or export it again")
                continue
            try:
                pixels = page_pixels(file.pages[number], f"{path}: page {number + 1}", read_options)
            except TooLargeError as error:
                yield error
                continue
            except Exception as error:
                yield DecodeError(f"{path}: page {number + 1} cannot be decoded: {error}. Copy or export it again")
                continue
            yield pixels


def _numbers(file: Any, path: Path) -> list[int]:
    try:
        numbers = image_pages(file)
    except Exception as error:
        raise DecodeError(f"{path}: a TIFF file whose pages cannot be counted: {error}") from error
    if not numbers:
        raise DecodeError(f"{path}: a TIFF file without a page that can be found. Copy or export it again")
    return numbers


def page_range(page: Any) -> Range | None:
    """Return the range of values that the tags of a tifffile page state; None if there is none."""
    if page.photometric not in _PLAIN_VALUES:
        return None
    for tags in _RANGE_TAGS:
        stated = [page.tags.valueof(tag) for tag in tags]
        if None in stated:
            continue
        # One value for each channel, or one for all.
        low, high = float(np.min(stated[0])), float(np.max(stated[1]))
        if math.isfinite(high - low) and low < high:
            if page.photometric == 0 and page.dtype.kind == "u":
                # The pixels are inverted when they are read.
                top = 2.0**page.bitspersample - 1
                low, high = top - high, top - low
            return low, high
    return None
