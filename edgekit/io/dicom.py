"""DICOM files by pydicom.

May import `common` and what is below it.
"""

import io
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import TooLargeError
from edgekit.io.decoders import Content, no_warnings
from edgekit.io.headers import size_by_header
from edgekit.io.imagecodecs_formats import decode_jpeg, load_codec
from edgekit.io.jpeg_headers import jpeg_frame
from edgekit.io.libraries import load_library
from edgekit.io.pixels import Pixels, Range, Spacing

Array = NDArray[Any]

#: The transfer syntax of a deflated file, as it stands in its header.
_DEFLATED = b"1.2.840.10008.1.2.1.99"

#: The bytes per pixel that an inflated file may have, and those that it may have beside its pixels.
_BYTES_PER_PIXEL, _BYTES_OF_HEADER = 8, 2**26


def by_pydicom(content: Content) -> Pixels:
    """Decode the frame with the number `Content.page`: gray values as measured, or RGB.

    The rescale slope and intercept are applied, which makes floating-point numbers unless they are 1 and 0. Inverted
    gray (MONOCHROME1) becomes plain gray. The range is that of the bits stored, if these are less than 16. The pixel
    padding value is returned as `nodata`.

    Raises
    ------
    MissingExtraError
        If pydicom is not installed, or imagecodecs, for some compressed files.
    TooLargeError
        If the header claims more pixels than the limit.
    ValueError
        If there is no such frame, or the file is damaged.
    """
    frame = content.page
    with no_warnings():
        pydicom, data = _open(content.data, content.name, _BYTES_PER_PIXEL * content.read_options.max_pixels)
        count = _frames(data)
        if not 0 <= frame < count:
            raise ValueError(f"it has {count} frames; there is no frame {frame}")
        content.read_options.check_size((int(data.Columns), int(data.Rows)), content.name)
        array = _decoded(pydicom, data, frame, content)
        photometric = str(data.PhotometricInterpretation)
        if photometric == "PALETTE COLOR":
            array = pydicom.pixels.apply_color_lut(array, data)
        pixels = Pixels(
            array,
            rgb=array.ndim == 3,
            spacing=_spacing(data, frame),
        )
        return pixels if pixels.rgb else _as_measured(pixels, data, frame, photometric == "MONOCHROME1")


def count_frames(data: bytes, name: str) -> int:
    """Return the number of frames of a DICOM file.

    Raises
    ------
    MissingExtraError
        If pydicom is not installed.
    """
    with no_warnings():
        return _frames(_open(data, name, _BYTES_PER_PIXEL * 2**27)[1])


def _open(content: bytes, name: str, most: int) -> tuple[Any, Any]:
    """Return the library, and the data set of a file, whose pixels are not decoded."""
    pydicom: Any = load_library("pydicom", "pydicom", "dicom", f"{name}: DICOM")
    # pydicom inflates the whole file, however long that becomes.
    header = 144 + int.from_bytes(content[140:144], "little")
    if _DEFLATED in content[144:header]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflater.decompress(content[header:], most + _BYTES_OF_HEADER)
        if inflater.unconsumed_tail:
            raise TooLargeError(f"{name}: more than {most + _BYTES_OF_HEADER:,} bytes when it is inflated")
    data = pydicom.dcmread(io.BytesIO(content))
    if not any(element in data for element in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise ValueError("this DICOM file holds no image")
    return pydicom, data


def _frames(data: Any) -> int:
    return int(data.get("NumberOfFrames") or 1)


def _decoded(pydicom: Any, data: Any, frame: int, content: Content) -> Array:
    """Return the stored values of a frame; colours are RGB, unless they are numbers in a palette."""
    syntax = data.file_meta.TransferSyntaxUID
    try:
        array: Array = pydicom.pixels.pixel_array(data, index=frame)
    except Exception:
        # Most decoders for compressed files are separate packages.
        if not syntax.is_compressed or syntax.is_deflated:
            raise
        return _by_imagecodecs(pydicom, data, frame, content)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _by_imagecodecs(pydicom: Any, data: Any, frame: int, content: Content) -> Array:
    """Decode a compressed frame that pydicom cannot decode."""
    coded = pydicom.encaps.get_frame(data.PixelData, frame, number_of_frames=_frames(data))
    size = (int(data.Columns), int(data.Rows))
    header = jpeg_frame(coded)
    if coded[:2] == b"\xff\xd8" and header is not None:
        found: tuple[int, int] | None = (header.width, header.height)
    else:
        found = size_by_header(coded, "JPEG 2000")
    if found is None:
        raise ValueError(f"its compression cannot be decoded: {data.file_meta.TransferSyntaxUID.name}")
    if found != size:
        raise ValueError(f"the header states {size[0]} x {size[1]} pixels; the coded image has {found[0]} x {found[1]}")
    if coded[:2] == b"\xff\xd8" and header is not None:
        array = decode_jpeg(coded, header, content.name)
    else:
        array = load_codec("jpeg2k_decode", f"{content.name}: JPEG 2000 in DICOM")(coded)
    if int(data.get("SamplesPerPixel", 1)) != (array.shape[2] if array.ndim == 3 else 1):
        raise ValueError(f"the header states {data.SamplesPerPixel} samples per pixel; found {array.shape}")
    if "YBR_FULL" in str(data.PhotometricInterpretation) and header is not None and header.is_lossless:
        array = pydicom.pixels.convert_color_space(array, "YBR_FULL", "RGB")
    if int(data.PixelRepresentation) and array.dtype.kind == "u":
        # The sign is the uppermost of the bits stored.
        unused = 8 * array.dtype.itemsize - int(data.BitsStored)
        signed = array.astype(np.dtype(f"i{array.dtype.itemsize}"))
        array = (signed << unused) >> unused
    return array


def _as_measured(pixels: Pixels, data: Any, frame: int, inverted: bool) -> Pixels:
    """Return gray pixels in the units of the file, with their range, and bright where the file means bright."""
    array, ends = pixels.array, _stored_range(data, pixels.array.dtype)
    slope, intercept = _rescale(data, frame)
    if (slope, intercept) != (1.0, 0.0):
        exact = array.dtype.itemsize <= 2 or array.dtype.kind == "f"
        array = (slope * array.astype(np.float64) + intercept).astype(np.float32 if exact else np.float64)
    padding = data.get("PixelPaddingValue")
    nodata = None if padding is None else float(padding) * slope + intercept
    if ends is not None:
        first, second = (end * slope + intercept for end in ends)
        ends = (min(first, second), max(first, second))
    if inverted and ends is not None:
        total = ends[0] + ends[1]
        array = _subtracted(total, array)
        nodata = None if nodata is None else total - nodata
    # Few files use all values of 16 bits or more, so that these say nothing about black and white.
    full = int(data.BitsStored) == 8 * pixels.array.dtype.itemsize
    told = ends is not None and not (full and (array.dtype.kind in "iu" or int(data.BitsStored) > 8))
    return replace(pixels, array=array, range=ends if told else None, nodata=nodata)


def _stored_range(data: Any, dtype: np.dtype[Any]) -> Range | None:
    """Return the range of the bits stored; None for floating-point numbers."""
    if dtype.kind not in "iu":
        return None
    bits = int(data.BitsStored)
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if dtype.kind == "i" else (0.0, 2.0**bits - 1)


def _subtracted(total: float, array: Array) -> Array:
    """Return the difference in the type of the array; values beyond the type become its limits."""
    if array.dtype.kind == "f":
        return np.asarray(array.dtype.type(total) - array)
    limits = np.iinfo(array.dtype)
    return np.clip(int(total) - array.astype(np.int64), limits.min, limits.max).astype(array.dtype)


def _rescale(data: Any, frame: int) -> tuple[float, float]:
    """Return slope and intercept."""
    for group in (data, *_groups(data, frame, "PixelValueTransformationSequence")):
        if group.get("RescaleSlope") is not None:
            return float(group.RescaleSlope), float(group.get("RescaleIntercept") or 0)
    return 1.0, 0.0


def _spacing(data: Any, frame: int) -> Spacing | None:
    """Return the distance of pixels in the patient, else that on the detector; None if there is none."""
    for group in (*_groups(data, frame, "PixelMeasuresSequence"), data):
        for name in ("PixelSpacing", "ImagerPixelSpacing"):
            stated = group.get(name)
            if stated is not None and len(stated) == 2 and min(stated) > 0:
                # The distance of rows stands first.
                return Spacing(float(stated[0]), float(stated[1]), "mm")
    return None


def _groups(data: Any, frame: int, name: str) -> Iterator[Any]:
    """Give the items of a sequence that hold for this frame, in files of several frames."""
    own = data.get("PerFrameFunctionalGroupsSequence") or ()
    for group in (*own[frame : frame + 1], *(data.get("SharedFunctionalGroupsSequence") or ())):
        yield from group.get(name) or ()
