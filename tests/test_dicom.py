"""DICOM files: values, range, spacing, frames, colours and compressed files."""

import contextlib
import io
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from format_files import DEEP, GRAY, RGB, content
from hostile_files import damaged
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import convert_color_space
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from edgekit.errors import MissingExtraError, TooLargeError
from edgekit.io.dicom import by_pydicom, count_frames
from edgekit.io.formats import HEAD, sniff
from edgekit.io.pixels import Spacing

SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"

SIGNED = (DEEP[:, :, 0].astype(np.int16) - 2048).copy()


def dicom(array, *, frames=None, syntax=ExplicitVRLittleEndian, coded=None, **elements):
    """Return a DICOM file of an array (rows, columns[, 3]), or of `coded` frames."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    one = array[0] if frames else array
    data.Rows, data.Columns = one.shape[:2]
    data.SamplesPerPixel = one.shape[2] if one.ndim == 3 else 1
    data.PhotometricInterpretation = "RGB" if one.ndim == 3 else "MONOCHROME2"
    if one.ndim == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8 * array.dtype.itemsize
    data.PixelRepresentation = int(array.dtype.kind == "i")
    if frames:
        data.NumberOfFrames = frames
    for name, value in elements.items():
        setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    data.PixelData = array.tobytes() if coded is None else encapsulate(coded)
    data["PixelData"].VR = "OB" if coded is not None or data.BitsAllocated <= 8 else "OW"
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def decode(data, frame=0):
    return by_pydicom(content(data)._replace(page=frame))


def read(*arguments, frame=0, **options):
    return decode(dicom(*arguments, **options), frame)


def test_gray_values_and_their_range():
    for array, bits, expected in (
        (GRAY, 8, None), (GRAY // 16, 4, (0, 15)), (DEEP[:, :, 0].copy(), 12, (0, 4095)), (SIGNED, 12, (-2048, 2047)),
        (DEEP[:, :, 0] * 16, 16, None), (SIGNED * 16, 16, None), (DEEP[:, :, 0].astype(np.uint32), 32, None),
    ):  # fmt: skip
        pixels = read(array, BitsStored=bits)
        np.testing.assert_array_equal(pixels.array, array)
        assert (pixels.array.dtype, pixels.range, pixels.rgb) == (array.dtype, expected, False), (array.dtype, bits)


def test_rescale_slope_and_intercept():
    """DICOM PS3.3, C.11.1: output = slope x stored + intercept."""
    pixels = read(SIGNED, BitsStored=12, RescaleSlope=0.5, RescaleIntercept=-10, PixelPaddingValue=-2000)
    np.testing.assert_array_equal(pixels.array, 0.5 * SIGNED - 10)
    assert (pixels.array.dtype, pixels.range, pixels.nodata) == (np.float32, (-1034, 1013.5), -1010)
    falling = read(GRAY, RescaleSlope=-2, RescaleIntercept=100)
    np.testing.assert_array_equal(falling.array, 100 - 2.0 * GRAY)
    assert falling.range == (-410, 100)
    same = read(SIGNED, RescaleSlope=1, RescaleIntercept=0)
    assert same.array.dtype == np.int16
    wide = read(DEEP[:, :, 0].astype(np.uint32) * 999_983, RescaleSlope=1e-3, RescaleIntercept=0)
    assert (wide.array.dtype, wide.range) == (np.float64, None)


def test_monochrome1_is_inverted():
    """MONOCHROME1: the least value is white."""
    for array, bits in ((GRAY, 8), (DEEP[:, :, 0].copy(), 12), (SIGNED, 12), (DEEP[:, :, 0] * 16, 16)):
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if array.dtype.kind == "i" else (0, 2**bits - 1)
        pixels = read(array, BitsStored=bits, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=5)
        np.testing.assert_array_equal(pixels.array, low + high - array.astype(int))
        assert (pixels.array.dtype, pixels.nodata) == (array.dtype, low + high - 5)
        assert pixels.range == ((low, high) if bits == 12 else None)
    measured = read(GRAY, PhotometricInterpretation="MONOCHROME1", RescaleSlope=2, RescaleIntercept=1)
    np.testing.assert_array_equal(measured.array, 2.0 * (255 - GRAY.astype(int)) + 1)
    assert measured.range == (1, 511)
    # A compressed image may have values that need more than the stored bits.
    large = DEEP[:, :, 0] * 16
    coded = {"syntax": JPEGLSLossless, "coded": [bytes(imagecodecs.jpegls_encode(large))]}
    beyond = read(large, BitsStored=12, PhotometricInterpretation="MONOCHROME1", **coded)
    np.testing.assert_array_equal(beyond.array, np.clip(4095 - large.astype(int), 0, None))


def test_colour_spaces_and_palettes():
    pixels = read(RGB)
    np.testing.assert_array_equal(pixels.array, RGB)
    assert (pixels.rgb, pixels.range, pixels.nodata) == (True, None, None)
    full = convert_color_space(RGB, "RGB", "YBR_FULL")
    changed = read(full, PhotometricInterpretation="YBR_FULL").array
    assert np.abs(changed.astype(int) - RGB).max() <= 2
    coded = {"syntax": JPEGLSLossless, "coded": [bytes(imagecodecs.jpegls_encode(full))]}
    np.testing.assert_array_equal(read(full, PhotometricInterpretation="YBR_FULL", **coded).array, changed)
    table = np.stack((np.arange(256), np.arange(256)[::-1], np.arange(256) // 2), 1).astype(np.uint8)
    names = ("Red", "Green", "Blue")
    lut = {f"{n}PaletteColorLookupTableDescriptor": [256, 0, 8] for n in names}
    lut |= {f"{n}PaletteColorLookupTableData": table[:, k].tobytes() for k, n in enumerate(names)}
    pixels = read(GRAY, PhotometricInterpretation="PALETTE COLOR", **lut)
    np.testing.assert_array_equal(pixels.array, table[GRAY])
    assert pixels.rgb


def test_frames_are_read_by_number():
    stack = np.stack((GRAY, 255 - GRAY, GRAY // 2))
    data = dicom(stack, frames=3)
    assert (count_frames(data, "scan"), count_frames(dicom(GRAY), "scan")) == (3, 1)
    for number, plane in enumerate(stack):
        np.testing.assert_array_equal(decode(data, number).array, plane)
    for number in (-1, 3):
        with pytest.raises(ValueError, match=f"it has 3 frames; there is no frame {number}"):
            decode(data, number)


def group(**elements):
    """Return a data set with one sequence of one item for each name."""
    data = Dataset()
    for name, values in elements.items():
        item = Dataset()
        for key, value in values.items():
            setattr(item, key, value)
        setattr(data, name, [item])
    return data


def test_spacing():
    assert read(GRAY).spacing is None
    # The spacing of rows is first (PS3.3, 10.7.1.3).
    assert read(GRAY, PixelSpacing=[0.5, 0.25]).spacing == Spacing(0.5, 0.25, "mm")
    assert read(GRAY, ImagerPixelSpacing=[0.1, 0.2]).spacing == Spacing(0.1, 0.2, "mm")
    assert read(GRAY, PixelSpacing=[3, 4], ImagerPixelSpacing=[1, 2]).spacing == Spacing(3, 4, "mm")
    assert read(GRAY, PixelSpacing=[0, 0]).spacing is None


def test_spacing_and_rescaling_of_frames():
    stack = np.stack((GRAY, GRAY))
    shared = [group(PixelMeasuresSequence={"PixelSpacing": [2, 3]})]
    own = [group(PixelValueTransformationSequence={"RescaleSlope": s, "RescaleIntercept": 1}) for s in (2, 3)]
    elements = {"SharedFunctionalGroupsSequence": shared, "PerFrameFunctionalGroupsSequence": own}
    for number, slope in enumerate((2, 3)):
        pixels = read(stack, frames=2, frame=number, **elements)
        assert pixels.spacing == Spacing(2, 3, "mm")
        np.testing.assert_array_equal(pixels.array, slope * GRAY.astype(float) + 1)


@pytest.mark.parametrize(("array", "syntax", "encode", "elements"), [
    (GRAY, JPEGLSLossless, imagecodecs.jpegls_encode, {}),
    (RGB, JPEGLSLossless, imagecodecs.jpegls_encode, {}),
    (SIGNED, JPEGLSLossless, lambda a: imagecodecs.jpegls_encode(a.view(np.uint16) & 4095), {"BitsStored": 12}),
    (DEEP[:, :, 0].copy(), JPEGLosslessSV1,
     lambda a: imagecodecs.jpeg8_encode(a, lossless=True, bitspersample=12), {"BitsStored": 12}),
    (np.full((16, 24), 3000, np.uint16), JPEGExtended12Bit,
     lambda a: imagecodecs.jpeg8_encode(a, level=100, bitspersample=12), {"BitsStored": 12}),
])  # fmt: skip
def test_compressed_files_that_imagecodecs_decodes(array, syntax, encode, elements, monkeypatch):
    stack = np.stack((array, array[::-1]))
    coded = [bytes(encode(np.ascontiguousarray(plane))) for plane in stack]
    data = dicom(stack, frames=2, syntax=syntax, coded=coded, **elements)
    for number, plane in enumerate(stack):
        np.testing.assert_array_equal(decode(data, number).array, plane)
    # A frame of another size than the header states is not decoded.
    other = dicom(stack[:, :8], frames=2, syntax=syntax, coded=coded, **elements)
    with pytest.raises(ValueError, match="states 24 x 8 pixels; the coded image has 24 x 16"):
        by_pydicom(content(other))
    unknown = dicom(stack, frames=2, syntax=syntax, coded=[b"unknown "] * 2, **elements)
    with pytest.raises(ValueError, match="its compression cannot be decoded: JPEG"):
        by_pydicom(content(unknown))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingExtraError, match=r"photo: .*JPEG.* needs imagecodecs: .*install.*formats"):
        by_pydicom(content(data))


@pytest.mark.parametrize(("name", "same"), [
    ("MR_small_jpeg_ls_lossless", "MR_small"), ("MR_small_jp2klossless", "MR_small"), ("MR_small_RLE", "MR_small"),
    ("MR_small_bigendian", "MR_small"), ("SC_rgb_jpeg_gdcm", "SC_rgb_rle"), ("SC_rgb_gdcm_KY", "SC_rgb_rle"),
])  # fmt: skip
def test_encodings_of_the_same_image_have_equal_pixels(name, same):
    """Sample files of pydicom. Some begin like TIFF files."""
    first, second = (by_pydicom(content((SAMPLES / f"{n}.dcm").read_bytes())) for n in (name, same))
    assert first.array.dtype.isnative
    np.testing.assert_array_equal(first.array, second.array)
    assert first.spacing == second.spacing


def test_files_without_an_image():
    with pytest.raises(ValueError, match="this DICOM file holds no image"):
        by_pydicom(content((SAMPLES / "rtplan.dcm").read_bytes()))
    assert sniff((SAMPLES / "CT_small.dcm").read_bytes()[:HEAD]).name == "DICOM"


def test_large_files_are_refused_before_decoding(monkeypatch):
    data = dicom(GRAY)
    assert by_pydicom(content(data, 16 * 24)).array.shape == (16, 24)
    monkeypatch.setattr(pydicom.pixels, "pixel_array", None)
    with pytest.raises(TooLargeError, match="claims 24 x 16 pixels; at most 383 are read"):
        by_pydicom(content(data, 16 * 24 - 1))


def test_deflated_files_are_inflated_up_to_a_limit(monkeypatch):
    sample = (SAMPLES / "image_dfl.dcm").read_bytes()
    assert by_pydicom(content(sample)).array.shape == (512, 512)
    start = 144 + int.from_bytes(sample[140:144], "little")
    packer = zlib.compressobj(wbits=-15)
    bomb = sample[:start] + b"".join(packer.compress(bytes(2**20)) for _ in range(80)) + packer.flush()
    monkeypatch.setattr(pydicom, "dcmread", lambda _: pytest.fail("inflated"))
    with pytest.raises(TooLargeError, match="bytes when it is inflated"):
        by_pydicom(content(bomb, 2**10))


def test_truncated_and_damaged_files(capfd):
    coded = [bytes(imagecodecs.jpegls_encode(GRAY))]
    packed = pydicom.dcmread(io.BytesIO(dicom(RGB)))
    packed.compress(RLELossless)
    file = io.BytesIO()
    packed.save_as(file)
    for data in (dicom(DEEP[:, :, 0].copy()), dicom(GRAY, syntax=JPEGLSLossless, coded=coded), file.getvalue()):
        assert by_pydicom(content(data)).array.shape[:2] == (16, 24)
        for end in {12, len(data) // 10, len(data) // 2, len(data) - 140}:
            with pytest.raises((ValueError, RuntimeError, AttributeError, EOFError, KeyError, OSError)):
                by_pydicom(content(data[:-end]))
        for seed in range(60):
            with contextlib.suppress(Exception):
                assert by_pydicom(content(data)._replace(data=damaged(data, seed))).array.size
    assert capfd.readouterr() == ("", "")
