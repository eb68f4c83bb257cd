"""Raw photographs of cameras: by rawpy, and simple ones by tifffile.

May import `common` and what is below it.
"""

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import TooLargeError, raise_if_out_of_memory
from edgekit.io.decoders import Content, no_warnings
from edgekit.io.libraries import load_library
from edgekit.io.pixels import Pixels, Range, upright
from edgekit.io.raw_headers import CFA, has_signature
from edgekit.io.tiff import load_tifffile, page_pixels

Array = NDArray[Any]

#: How a raw photograph is read: each 2x2 cell of the sensor as one pixel, at full size, or the preview in the file.
RawMode = Literal["half", "full", "preview"]

#: The orientation as a number of EXIF, by that of LibRaw.
_FLIPS = {0: 1, 3: 3, 5: 8, 6: 6}


def by_raw(content: Content) -> Pixels:
    """Decode a raw photograph, as `ReadOptions.raw` says.

    A full-size image that needs no development is read by tifffile. Others are developed by rawpy, or else, if they are
    simple, read at half size by tifffile.

    Raises
    ------
    MissingExtraError
        If rawpy is not installed, and tifffile cannot decode the file either.
    TooLargeError
        If the header claims more pixels than the limit.
    ValueError
        If neither can decode it.
    """
    mode: Any = content.read_options.raw
    if mode != "preview" and (developed := _developed(content)) is not None:
        return developed
    try:
        return by_rawpy(content, mode)
    except TooLargeError:
        raise
    except Exception as error:  # LibRaw reports many kinds of errors, and refuses files without the usual tags.
        raise_if_out_of_memory(error)
        if mode != "preview":
            try:
                return half_by_tifffile(content)
            except TooLargeError:
                raise
            except Exception as second:
                raise_if_out_of_memory(second)
        raise


def _developed(content: Content) -> Pixels | None:
    """Return the full-size image of a TIFF or DNG file that needs no development; None if there is none."""
    try:
        with load_tifffile().TiffFile(io.BytesIO(content.data)) as file:
            page = full_size_page(file)
            return None if page is None else page_pixels(page, content.name, content.read_options)
    except TooLargeError:
        raise
    except Exception as error:  # Another format, or damaged.
        raise_if_out_of_memory(error)
        return None


def by_rawpy(content: Content, mode: RawMode = "half") -> Pixels:
    """Develop a raw photograph with LibRaw: RGB in 16 bits, upright.

    The white balance is that of the camera, the colours are sRGB, with the tone curve of BT.709: a power of 1/2.222
    with a slope of 4.5 in the dark. White is the white level of the sensor, whatever the photograph shows, so that
    the photographs of a series are comparable. Nothing is sharpened, and noise is not reduced.

    Parameters
    ----------
    content : Content
        The file.
    mode : {"half", "full", "preview"}
        ``half``: each 2x2 cell of the sensor is one pixel, without interpolation. ``full``: at full size; two thirds
        of the values are interpolated. ``preview``: the largest preview in the file, which the camera has processed.

    Raises
    ------
    MissingExtraError
        If rawpy is not installed.
    TooLargeError
        If the header claims more pixels than the limit.
    ValueError
        If LibRaw cannot decode the file.
    """
    rawpy: Any = load_library("rawpy", "rawpy", "raw", f"{content.name}: a raw photograph")
    raw = rawpy.RawPy()
    try:
        raw.open_buffer(io.BytesIO(content.data))
        if mode == "preview":
            return _preview(raw, rawpy, content)
        sizes = raw.sizes
        content.read_options.check_size((sizes.raw_width, sizes.raw_height), content.name)
        raw.unpack()
        array = raw.postprocess(
            half_size=mode == "half",
            use_camera_wb=True,
            no_auto_bright=True,
            # The level of white is not lowered to the brightest value of a photograph.
            adjust_maximum_thr=0.0,
            gamma=(2.222, 4.5),
            output_bps=16,
        )
    except rawpy.LibRawError as error:
        raise ValueError(f"LibRaw: {_text(error)}") from error
    finally:
        raw.close()
    gray = array.shape[2] == 1
    half = mode == "half"
    note = "raw photograph developed at half size" if half else "raw photograph developed at full size"
    return Pixels(array[:, :, 0] if gray else array, rgb=not gray, notes=(note,))


def _text(error: Exception) -> str:
    """Return the message of an exception of rawpy, which holds bytes."""
    message = error.args[0] if error.args else error
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)


def _preview(raw: Any, rawpy: Any, content: Content) -> Pixels:
    """Return the largest preview in the file, upright."""
    from PIL import Image

    found = raw.extract_thumb()
    orientation = _FLIPS.get(raw.sizes.flip, 1)
    if found.format == rawpy.ThumbFormat.JPEG:
        with no_warnings():
            image = Image.open(io.BytesIO(found.data), formats=["JPEG"])
            content.read_options.check_size(image.size, content.name)
            # The orientation in the preview counts more than that of the photograph. 274 is the tag.
            orientation = int(image.getexif().get(274, orientation))
            array = np.asarray(image.convert("L" if image.mode == "L" else "RGB"))
    else:
        array = found.data
        content.read_options.check_size((array.shape[1], array.shape[0]), content.name)
    pixels = Pixels(array, rgb=array.ndim == 3).upright(orientation)
    height, width = pixels.array.shape[:2]
    return pixels.with_notes(f"embedded preview of {width}x{height}")


#: NewSubfileType: a reduced version, a transparency mask, a depth map.
_OTHER_IMAGES = 1 | 4 | 8


def full_size_page(file: Any) -> Any:
    """Return the page of a TIFF or DNG file with the image at full size, to be read by `edgekit.io.tiff.page_pixels`.

    Parameters
    ----------
    file : tifffile.TiffFile
        The file.

    Returns
    -------
    tifffile.TiffPage or None
        The largest page or SubIFD that is not a reduced version. None if that one holds the values of a sensor, which
        must be developed.
    """
    file.filehandle.seek(0)
    if has_signature(file.filehandle.read(16)):
        return None
    page = _largest(file)
    return None if page is None or page.photometric == CFA else page


def _largest(file: Any) -> Any:
    """Return the largest page or SubIFD that is not a reduced version, a mask or a depth map; None if there is none."""
    tifffile = load_tifffile()
    pages = [sub for page in file.pages for sub in (page, *(getattr(page, "pages", None) or ()))]
    whole = [p for p in pages if isinstance(p, tifffile.TiffPage) and not p.subfiletype & _OTHER_IMAGES]
    # Sensor values are preferred over images of the same size that were computed from them.
    return max(whole, key=lambda p: (p.imagewidth * p.imagelength, p.photometric == CFA), default=None)


def half_by_tifffile(content: Content) -> Pixels:
    """Decode a DNG file whose sensor has a 2x2 pattern, at half size: each cell of the pattern is one pixel.

    Green is the mean of the two green values, rounded. The values are those of the sensor: linear, without white
    balance.

    Raises
    ------
    TooLargeError
        If the header claims more pixels than the limit.
    ValueError
        If there is no such sensor, or the file is damaged.
    """
    with load_tifffile().TiffFile(io.BytesIO(content.data)) as file:
        page = _largest(file)
        if page is None or page.photometric != CFA:
            raise ValueError("tifffile finds no values of a sensor in this raw photograph")
        pattern = _pattern(page)
        content.read_options.check_size((page.imagewidth, page.imagelength), content.name)
        # Where tifffile finds no data it returns zeros.
        if any(length <= 0 or offset + length > file.filehandle.size
               for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True)):  # fmt: skip
            raise ValueError("its image data lies beyond the end of the file")
        with no_warnings():
            mosaic = page.asarray()
        if mosaic.ndim != 2 or mosaic.dtype.kind != "u":
            raise ValueError(f"expected a sensor of unsigned integers; found {mosaic.dtype} of shape {mosaic.shape}")
        levels = _levels(page)
        table = page.tags.valueof(50712)
        if table is not None:
            # LinearizationTable: the values that the stored ones stand for.
            mosaic = np.asarray(table, np.uint16)[np.minimum(mosaic, len(table) - 1)]
        orientation = page.tags.valueof(274) or file.pages.first.tags.valueof(274) or 1
        array = _unmixed(_active(mosaic, page), pattern)
    return Pixels(
        upright(array, int(orientation)),
        rgb=True,
        range=levels,
        notes=("raw values of the sensor at half size, without white balance",),
    )


def _pattern(page: Any) -> tuple[int, ...]:
    """Return the colours of the four places of the pattern: 0 is red, 1 green, 2 blue.

    Raises
    ------
    ValueError
        If the pattern is another one.
    """
    # CFARepeatPatternDim and CFAPattern.
    size, pattern = page.tags.valueof(33421), page.tags.valueof(33422)
    colours = tuple(pattern) if pattern is not None else ()
    if tuple(size or ()) != (2, 2) or sorted(colours) != [0, 1, 1, 2]:
        raise ValueError("tifffile reads only sensors with a 2x2 pattern of red, green and blue")
    return colours


def _levels(page: Any) -> Range:
    """Return the levels that the tags BlackLevel and WhiteLevel state, else those of the depth."""

    def values(code: int) -> Array:
        tag = page.tags.get(code)
        if tag is None:
            return np.zeros(0)
        numbers = np.atleast_1d(np.asarray(tag.value, float))
        # Fractions are pairs of numbers.
        return numbers[::2] / numbers[1::2] if tag.dtype in (5, 10) else numbers

    black, white = values(50714), values(50717)
    low = float(black.mean()) if black.size else 0.0
    high = float(white.max()) if white.size else 2.0**page.bitspersample - 1
    return (low, high) if low < high else (0.0, 2.0**page.bitspersample - 1)


def _active(mosaic: Array, page: Any) -> Array:
    """Return the part of a sensor that the tag ActiveArea names; the pattern begins at its corner."""
    area = page.tags.valueof(50829)
    if area is None:
        return mosaic
    top, left, bottom, right = (int(side) for side in area)
    return mosaic[top:bottom, left:right] if 0 <= top < bottom and 0 <= left < right else mosaic


def _unmixed(mosaic: Array, pattern: tuple[int, ...]) -> Array:
    """Return (H/2, W/2, 3): the values of each 2x2 cell. An odd row or column at the end is left out."""
    rows, columns = (length // 2 * 2 for length in mosaic.shape)
    places = [mosaic[y:rows:2, x:columns:2] for y in (0, 1) for x in (0, 1)]
    red, blue = places[pattern.index(0)], places[pattern.index(2)]
    first, second = (place for place, colour in zip(places, pattern, strict=True) if colour == 1)
    green = (first.astype(np.uint64) + second + 1) // 2
    return np.stack((red, green.astype(mosaic.dtype), blue), -1)
