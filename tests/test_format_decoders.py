"""The decoders for HEIF, JPEG XL, JPEG XR, JPEG-LS, deep JPEG and OpenEXR."""

import contextlib
import io
import sys

import imagecodecs
import Imath
import numpy as np
import OpenEXR
import pillow_heif
import pytest
from format_files import DEEP, GRAY, LA, RGB, RGBA, STORED, content, dng, exif, exr, heif, heif_of, jpeg, jpeg_xr
from hostile_files import damaged
from PIL import Image, ImageOps

from edgekit.errors import MissingExtraError, TooLargeError
from edgekit.io.dicom import by_pydicom
from edgekit.io.exr import by_openexr
from edgekit.io.formats import HEAD, sniff
from edgekit.io.heif import by_pillow_heif, count_images
from edgekit.io.imagecodecs_formats import by_deep_jpeg, by_jpeg_xl, by_jpeg_xr
from edgekit.io.jpeg_headers import jpeg_xl_header
from edgekit.io.raw_photographs import by_rawpy

FLOATS = (RGBA / 255).astype(np.float32)
HALVES = FLOATS.astype(np.float16)


@pytest.mark.parametrize(("mode", "array", "bits"), [
    ("RGB", RGB, 8), ("RGBA", RGBA, 8), ("RGBa", RGBA, 8), ("L", GRAY, 8), ("RGB;10", DEEP[:, :, :3] // 4, 10),
    ("RGB;12", DEEP[:, :, :3], 12), ("RGBA;12", DEEP, 12), ("L;12", DEEP[:, :, 0], 12),
])  # fmt: skip
def test_heif_modes(mode, array, bits):
    pixels = by_pillow_heif(content(heif(mode, array)))
    np.testing.assert_array_equal(pixels.array, array)
    assert pixels.array.dtype == array.dtype
    assert (pixels.rgb, pixels.opacity) == (array.ndim == 3, mode.upper().startswith("RGBA"))
    assert pixels.premultiplied == ("a" in mode)
    assert pixels.range == ((0, 2**bits - 1) if bits > 8 else None)


@pytest.mark.parametrize("orientation", STORED)
def test_orientation_of_heif_is_applied_once(orientation):
    """pillow-heif writes it to the EXIF block and to the properties that libheif applies."""
    upright = np.repeat(np.repeat(RGB[::4, ::6], 8, 0), 8, 1)
    stored = np.ascontiguousarray(STORED[orientation](upright))
    file = io.BytesIO()
    image = pillow_heif.from_pillow(Image.fromarray(stored))
    image.save(file, quality=-1, chroma=444, matrix_coefficients=0, exif=exif(orientation))
    np.testing.assert_array_equal(by_pillow_heif(content(file.getvalue())).array, upright)
    assert exif(orientation)[6:] in file.getvalue()


def test_heif_files_with_two_images():
    data = heif_of(RGB, 255 - RGB, primary=1)
    # The primary image is page 0, wherever it is in the file.
    for page, array in enumerate((255 - RGB, RGB)):
        found = by_pillow_heif(content(data)._replace(page=page)).array
        assert np.abs(found.astype(int) - array).max() <= 2 * page
    with pytest.raises(IndexError):
        by_pillow_heif(content(data)._replace(page=2))
    assert (count_images(data, "photo"), count_images(heif("RGB", RGB), "photo")) == (2, 1)


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize(("array", "bits"), [
    (RGB, 8), (RGBA, 8), (GRAY, 8), (LA, 8), (DEEP[:, :, 0] // 4, 10), (DEEP[:, :, :3], 12), (DEEP, 12),
    (DEEP[:, :, :3] * 16, 16), (FLOATS[:, :, :3], 0), (HALVES[:, :, 0], 0),
])  # fmt: skip
def test_jpeg_xl_modes(array, bits, container):
    depth = bits if bits not in (0, 8, 16) else None
    data = imagecodecs.jpegxl_encode(
        np.ascontiguousarray(array), lossless=True, bitspersample=depth, usecontainer=container
    )
    header = jpeg_xl_header(data)
    assert (header.width, header.height, header.animated) == (24, 16, False)
    pixels = by_jpeg_xl(content(data))
    np.testing.assert_array_equal(pixels.array, array)
    channels = array.shape[2] if array.ndim == 3 else 1
    assert (pixels.rgb, pixels.opacity, pixels.premultiplied) == (channels > 2, channels in (2, 4), False)
    assert pixels.range == ((0, 1) if not bits else (0, 2**bits - 1) if depth else None)
    assert pixels.array.dtype != np.float16


@pytest.mark.parametrize(("width", "height"), [
    (8, 8), (256, 256), (320, 200), (3000, 2), (2, 700), (9, 13), (12, 10), (40, 30), (15, 10), (160, 90), (5, 4),
    (6, 3),
])  # fmt: skip
def test_sizes_of_jpeg_xl(width, height):
    """The header has short codes for multiples of 8 and for some ratios of width and height."""
    data = imagecodecs.jpegxl_encode(np.zeros((height, width), np.uint8), usecontainer=False)
    header = jpeg_xl_header(data)
    assert (header.width, header.height) == (width, height)
    assert jpeg_xl_header(data[:3]) is None


@pytest.mark.parametrize("associated", [0, 1])
def test_premultiplied_jpeg_xl(associated):
    """The header of ISO/IEC 18181-1, field by field: value and number of bits, least significant bit first."""
    fields = [
        (1, 1), (1, 5), (1, 3),  # Multiples of 8: a height of 16, and the width the same.
        (0, 1), (0, 1),  # Other fields follow, without the ones for orientation and animation.
        (0, 1), (0, 2), (1, 1),  # Whole numbers of 8 bits; buffers of 16 bits suffice.
        (1, 2), (0, 1), (0, 2), (0, 1), (1, 2), (0, 2), (1, 2), (1, 4), (0x41, 8),  # Opacity of 10 bits, called "A".
        (associated, 1),
    ]  # fmt: skip
    value = at = 0
    for number, bits in fields:
        value |= number << at
        at += bits
    header = jpeg_xl_header(b"\xff\x0a" + value.to_bytes(at // 8 + 1, "little"))
    assert (header.width, header.height, header.bits, header.extra) == (16, 16, 8, (0,))
    assert header.premultiplied == bool(associated)


@pytest.mark.parametrize("orientation", STORED)
def test_orientation_of_jpeg_xl_is_applied_once(orientation):
    smooth = np.dstack([np.add.outer(np.arange(16) * 9, np.arange(24) * 4)] * 3).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(smooth).save(file, "JPEG", exif=exif(orientation), quality=95, subsampling=0)
    data = imagecodecs.jpegxl_encode_jpeg(file.getvalue())
    assert jpeg_xl_header(data).orientation == orientation
    expected = np.asarray(ImageOps.exif_transpose(Image.open(file))).astype(int)
    found = by_jpeg_xl(content(data)).array
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 2


def test_frames_and_further_channels_of_jpeg_xl():
    frames = np.stack((RGB, 255 - RGB))
    pixels = by_jpeg_xl(content(imagecodecs.jpegxl_encode(frames, lossless=True, photometric="rgb")))
    np.testing.assert_array_equal(pixels.array, RGB)
    assert pixels.notes == ("the frames after the first one were not read",)
    planes = np.ascontiguousarray(np.moveaxis(RGB, -1, 0))
    pixels = by_jpeg_xl(content(imagecodecs.jpegxl_encode(planes, lossless=True, photometric="gray", planar=True)))
    np.testing.assert_array_equal(pixels.array, RGB)
    assert (pixels.rgb, pixels.bands) == (False, 3)


@pytest.mark.parametrize("array", [
    RGB, RGBA, GRAY, DEEP[:, :, 0] * 16, DEEP[:, :, :3] * 16, DEEP * 16, HALVES[:, :, :3], FLOATS, FLOATS[:, :, 0],
])  # fmt: skip
def test_jpeg_xr_modes(array):
    pixels = by_jpeg_xr(content(jpeg_xr(np.ascontiguousarray(array))))
    # jxrlib keeps 15 bits of a fraction.
    np.testing.assert_allclose(pixels.array, array, rtol=0, atol=2**-15 if array.dtype == np.float32 else 0)
    assert (pixels.rgb, pixels.opacity) == (array.ndim == 3, array.shape[2:] == (4,))
    assert pixels.array.dtype == (np.float32 if array.dtype.kind == "f" else array.dtype)


def test_jpeg_xr_of_one_bit():
    np.testing.assert_array_equal(by_jpeg_xr(content(jpeg_xr(GRAY > 99))).array, np.where(GRAY > 99, 255, 0))


@pytest.mark.parametrize(("turn", "expected"), [
    (0, RGB), (1, RGB[::-1]), (2, RGB[:, ::-1]), (3, RGB[::-1, ::-1]), (4, np.rot90(RGB, -1)),
    (5, np.rot90(RGB, -1)[::-1]), (6, np.rot90(RGB, -1)[:, ::-1]), (7, np.rot90(RGB, -1)[::-1, ::-1]),
])  # fmt: skip
def test_orientation_of_jpeg_xr(turn, expected):
    """ITU-T T.832, annex A: flips, from 4 on after a quarter turn clockwise."""
    data = jpeg_xr(RGB, turn)
    np.testing.assert_array_equal(by_jpeg_xr(content(data)).array, expected)
    if turn < 4:
        np.testing.assert_array_equal(imagecodecs.jpegxr_decode(data), expected)


def test_contradictory_jpeg_xr_files_are_refused():
    """jxrlib would crash on some of these."""
    data = jpeg_xr(RGBA)
    image, opacity = data.index(b"WMPHOTO"), data.rindex(b"WMPHOTO")
    for at, value in ((image + 11, 0x11), (image + 13, 30), (opacity + 13, 30), (opacity + 15, 1)):
        with pytest.raises(ValueError, match="contradicts"):
            by_jpeg_xr(content(data[:at] + bytes((value,)) + data[at + 1 :]))


@pytest.mark.parametrize("array", [RGB, GRAY, DEEP[:, :, 0] * 16])
def test_jpeg_ls(array):
    data = imagecodecs.jpegls_encode(np.ascontiguousarray(array))
    assert sniff(data[:HEAD]).name == "JPEG-LS"
    pixels = by_deep_jpeg(content(data))
    np.testing.assert_array_equal(pixels.array, array)
    assert (pixels.rgb, pixels.range) == (array.ndim == 3, None)


@pytest.mark.parametrize("orientation", STORED)
def test_jpeg_of_12_bits(orientation):
    upright = np.repeat(np.repeat(DEEP[::8, ::8, 0], 8, 0), 8, 1)
    data = jpeg(np.ascontiguousarray(STORED[orientation](upright)), orientation, level=100, bitspersample=12)
    pixels = by_deep_jpeg(content(data))
    assert np.abs(pixels.array.astype(int) - upright).max() <= 2
    assert (pixels.range, pixels.array.dtype) == ((0, 4095), np.uint16)


@pytest.mark.parametrize(("array", "bits"), [(RGB, 8), (DEEP[:, :, 0], 12), (DEEP[:, :, :3] * 16, 16)])
def test_lossless_jpeg(array, bits):
    data = jpeg(np.ascontiguousarray(array), lossless=True, bitspersample=bits)
    pixels = by_deep_jpeg(content(data))
    np.testing.assert_array_equal(pixels.array, array)
    np.testing.assert_array_equal(pixels.array, imagecodecs.jpegsof3_decode(data))
    assert pixels.range == ((0, 4095) if bits == 12 else None)


def test_deep_jpeg_decoder_ignores_8_bit_jpeg():
    assert by_deep_jpeg(content(jpeg(RGB))) is None
    assert by_deep_jpeg(content(jpeg(RGB)[:30])) is None


@pytest.mark.parametrize(("channels", "rgb", "opacity", "note"), [
    ({"RGB": HALVES[:, :, :3]}, True, False, ""), ({"RGB": FLOATS[:, :, :3]}, True, False, ""),
    ({"RGBA": FLOATS}, True, True, ""), ({"Y": FLOATS[:, :, 0], "A": FLOATS[:, :, 1]}, False, True, ""),
    ({"R": FLOATS[:, :, 0], "G": HALVES[:, :, 1], "B": FLOATS[:, :, 2]}, True, False, ""),
    ({"a.R": FLOATS[:, :, 0], "a.G": FLOATS[:, :, 1], "a.B": FLOATS[:, :, 2]}, True, False, "channels a.R, a.G, a.B"),
    ({"nir": FLOATS[:, :, 1], "U": FLOATS[:, :, 0]}, False, False, "channels U, nir"),
    ({"Z": DEEP[:, :, 0].astype(np.uint32)}, False, False, "channels Z"),
])  # fmt: skip
@pytest.mark.parametrize("window", [(0, 0), (-5, 7)])
def test_openexr_channels(channels, rgb, opacity, note, window):
    corner = np.array(window, np.int32)
    channels = {name: np.ascontiguousarray(array) for name, array in channels.items()}
    data = exr(dict(channels), dataWindow=(corner, corner + np.int32((23, 15))))
    pixels = by_openexr(content(data))
    arrays = list(channels.values())
    if rgb and len(arrays) == 3:
        expected = np.dstack(arrays)
    else:
        expected = np.dstack([channels[name] for name in ("U", "nir")]) if "nir" in channels else np.dstack(arrays)
    np.testing.assert_array_equal(pixels.array.reshape(expected.shape), expected)
    assert pixels.array.dtype in (np.float32, np.uint32)
    assert (pixels.rgb, pixels.opacity, pixels.premultiplied, "; ".join(pixels.notes)) == (
        rgb,
        opacity,
        opacity,
        note,
    )


def test_notes_list_unread_parts_and_channels_of_openexr():
    parts = [
        OpenEXR.Part({}, {"RGB": FLOATS[:, :, :3].copy(), "depth.Z": FLOATS[:, :, 3].copy()}, "first"),
        OpenEXR.Part({}, {"Z": HALVES[:, :, 0].copy()}, "second"),
    ]
    file = io.BytesIO()
    OpenEXR.File(parts).write(file)
    pixels = by_openexr(content(file.getvalue()))
    np.testing.assert_array_equal(pixels.array, FLOATS[:, :, :3])
    assert pixels.notes == ("channels not read: depth.Z", "further parts not read: 1")


@pytest.mark.parametrize("whole", ["Y", "U"])
def test_channels_of_openexr_at_half_size_are_not_read(whole, tmp_path):
    half = Imath.PixelType(Imath.PixelType.HALF)
    header = OpenEXR.Header(24, 16)
    header["channels"] = {n: Imath.Channel(half, *([1, 1] if n == whole else [2, 2])) for n in (whole, "RY", "BY")}
    file = OpenEXR.OutputFile(str(tmp_path / "a.exr"), header)
    file.writePixels({whole: HALVES[:, :, 0].tobytes(), "RY": bytes(192), "BY": bytes(192)})
    file.close()
    pixels = by_openexr(content((tmp_path / "a.exr").read_bytes()))
    np.testing.assert_array_equal(pixels.array, HALVES[:, :, 0])
    assert pixels.notes[-1] == "channels not read: BY, RY"


#: A file of each format, and its decoder.
FILES = {
    "HEIF": (by_pillow_heif, heif("RGBA", RGBA)), "JPEG XL": (by_jpeg_xl, imagecodecs.jpegxl_encode(RGBA)),
    "JPEG XR": (by_jpeg_xr, jpeg_xr(RGBA)), "JPEG-LS": (by_deep_jpeg, imagecodecs.jpegls_encode(RGB)),
    "JPEG of 12 bits": (by_deep_jpeg, jpeg(DEEP[:, :, 0].copy(), bitspersample=12)),
    "lossless JPEG": (by_deep_jpeg, jpeg(RGB, lossless=True)), "OpenEXR": (by_openexr, exr({"RGBA": FLOATS})),
    "tiled OpenEXR": (by_openexr, exr({"RGB": HALVES[:, :, :3].copy()}, type=OpenEXR.tiledimage,
                                      tiles=OpenEXR.TileDescription())),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_sizes_above_the_limit_are_refused_before_decoding(name, monkeypatch):
    decode, data = FILES[name]
    assert decode(content(data, 16 * 24)).array.shape[:2] == (16, 24)
    for codec in ("jpegxl_decode", "jpegxr_decode", "jpegls_decode", "jpeg8_decode"):
        monkeypatch.setattr(imagecodecs, codec, None)
    monkeypatch.setattr(OpenEXR, "InputFile", None)
    monkeypatch.setattr(pillow_heif.HeifImage, "load", None)
    with pytest.raises(TooLargeError, match=r"^photo: claims 24 x 16 pixels; at most 383 are read"):
        decode(content(data, 16 * 24 - 1))


def test_many_channels_of_openexr_are_refused():
    data = exr({f"band{n:02}": FLOATS[:, :, 0].copy() for n in range(9)})
    assert by_openexr(content(data, 24 * 16 * 3)).bands == 9
    with pytest.raises(TooLargeError, match="claims 9 channels of 24 x 16"):
        by_openexr(content(data, 24 * 16 * 2))


@pytest.mark.parametrize("name", FILES)
def test_truncated_and_damaged_files(name, capfd):
    decode, data = FILES[name]
    for end in {1, 2, 12, len(data) // 10, len(data) // 2, 2 * len(data) // 3}:
        with pytest.raises((ValueError, RuntimeError, OSError, SyntaxError)):
            decode(content(data[:-end]))
    for seed in range(60):
        with contextlib.suppress(ValueError, RuntimeError, OSError, SyntaxError, EOFError, IndexError):
            pixels = decode(content(data)._replace(data=damaged(data, seed)))
            assert pixels is None or pixels.array.size
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(("decode", "data", "module", "said"), [
    (by_pillow_heif, FILES["HEIF"][1], "pillow_heif", "photo: HEIF needs pillow-heif: .*heif"),
    (by_jpeg_xl, FILES["JPEG XL"][1], "imagecodecs", "photo: JPEG XL needs imagecodecs: .*formats"),
    (by_jpeg_xr, FILES["JPEG XR"][1], "imagecodecs", "photo: JPEG XR needs imagecodecs: .*formats"),
    (by_deep_jpeg, FILES["JPEG-LS"][1], "imagecodecs", "photo: JPEG-LS needs imagecodecs: .*formats"),
    (by_deep_jpeg, FILES["JPEG of 12 bits"][1], "imagecodecs", "photo: JPEG of 12 bits needs imagecodecs: .*formats"),
    (by_openexr, FILES["OpenEXR"][1], "OpenEXR", "photo: OpenEXR needs OpenEXR: .*exr"),
    (by_pydicom, bytes(128) + b"DICM", "pydicom", "photo: DICOM needs pydicom: .*dicom"),
    (by_rawpy, dng(), "rawpy", "photo: a raw photograph needs rawpy: .*raw"),
])  # fmt: skip
def test_missing_packages_name_the_extra(decode, data, module, said, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=said) as raised:
        decode(content(data))
    assert "install" in str(raised.value)
