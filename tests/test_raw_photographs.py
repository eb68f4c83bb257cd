"""Raw photographs: recognition, full-size image and decoders."""

import contextlib
import dataclasses
import io
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import rawpy
import tifffile
from format_files import SENSOR, STORED, content, dng, exif
from hostile_files import FILES, damaged
from PIL import Image

from edgekit.common.read_options import DEFAULT_READ_OPTIONS
from edgekit.errors import MissingExtraError, TooLargeError
from edgekit.io import raw_photographs
from edgekit.io.formats import HEAD, sniff
from edgekit.io.raw_headers import is_raw
from edgekit.io.raw_photographs import by_raw, by_rawpy, full_size_page, half_by_tifffile
from edgekit.io.tiff import page_pixels

PLAIN = np.arange(60 * 80, dtype=np.uint16).reshape(60, 80)


def in_mode(content, mode):
    """Return the content with another value of the option raw."""
    return content._replace(read_options=dataclasses.replace(content.read_options, raw=mode))


def tiff(*images, bigtiff=False, byteorder="<"):
    """Return a TIFF file. Images are arrays with options of tifffile."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=bigtiff, byteorder=byteorder) as writer:
        for array, options in images:
            writer.write(array, metadata=None, **{"photometric": "minisblack"} | options)
    return file.getvalue()


@pytest.mark.parametrize("head", [
    b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", b"IIRO\x08\0\0\0", b"IIRS\x08\0\0\0",
    b"IIU\0\x18\0\0\0", b"FUJIFILMCCD-RAW 0201", b"FOVb\0\0", b"\0MRM\0\0",
])  # fmt: skip
def test_raw_files_are_recognized_by_first_bytes(head):
    assert is_raw(head)
    assert sniff(head + bytes(HEAD)).name == "raw"


@pytest.mark.parametrize("form", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}])
def test_raw_files_are_recognized_by_tags(form):
    version = (50706, "B", 4, (1, 4, 0, 0), True)
    small, large = (PLAIN[::4, ::4].copy(), PLAIN)
    for raw, images in (
        (True, [(large, {"extratags": [version]})]),
        (True, [(large, {"photometric": 32803})]),
        (True, [(np.dstack((large, large, large)), {"photometric": 34892})]),
        (True, [(small, {}), (large, {"photometric": 32803})]),
        (True, [(small, {"subifds": 1}), (large, {"photometric": 32803})]),
        (True, [(small, {"subifds": 1, "subfiletype": 1}), (large, {})]),
        (False, [(large, {})]),
        (False, [(large, {"subifds": 1}), (small, {"subfiletype": 1})]),
        (False, [(large, {}), (small, {"subfiletype": 1})]),
        (False, [(small, {"subfiletype": 1}), (large, {})]),
    ):
        data = tiff(*images, **form)
        assert is_raw(data) == raw, images
        # The search also ends for truncated files.
        assert {is_raw(data[:end]) for end in range(0, len(data), 7)} <= {False, raw}


def test_other_files_are_not_raw():
    assert not [name for name, data in FILES.items() if is_raw(data)]


def test_search_for_raw_tags_ends():
    """For directories that refer to themselves, offsets beyond the end of the file, and damaged files."""
    loop = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 330, 4, 1, 8, 8)
    assert not is_raw(loop)
    assert not is_raw(b"II+\0\x08\0\0\0" + b"\xff" * 8)
    many = b"II*\0" + struct.pack("<IH", 8, 65535) + bytes(12 * 65535)
    assert not is_raw(many)
    for seed in range(120):
        is_raw(damaged(dng(), seed))


def test_full_size_page():
    small, large = np.zeros((15, 20), np.uint16), PLAIN
    for expected, images in (
        (large, [(small, {"subfiletype": 1, "subifds": 1}), (large, {})]),
        (large, [(small, {"subfiletype": 1}), (large, {})]),
        (large, [(large, {}), (small, {"subfiletype": 1})]),
        (large, [(large, {}), (np.zeros((90, 90), bool), {"subfiletype": 4})]),
        (None, [(small, {"subfiletype": 1, "subifds": 1}), (large, {"photometric": 32803})]),
        (None, [(large, {}), (large, {"photometric": 32803})]),
        (None, [(large, {"subfiletype": 1})]),
    ):
        with tifffile.TiffFile(io.BytesIO(tiff(*images))) as file:
            page = full_size_page(file)
            found = None if page is None else page_pixels(page, "photo", DEFAULT_READ_OPTIONS)
            np.testing.assert_array_equal(getattr(found, "array", found), expected)


def test_first_image_of_canon_files_is_a_preview():
    tags = ((256, 20), (257, 10), (258, 8), (259, 1), (262, 1), (273, 120), (278, 10), (279, 200))
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data = b"II*\0\x10\0\0\0CR\2\0\0\0\0\0" + body + bytes(320)
    for maker, found in ((b"CR", False), (b"  ", True)):
        with tifffile.TiffFile(io.BytesIO(data.replace(b"CR", maker))) as file:
            assert (full_size_page(file) is not None) == found


@pytest.mark.parametrize("compression", [None, "jpeg", "deflate"])
@pytest.mark.parametrize("pattern", [(0, 1, 1, 2), (1, 0, 2, 1), (1, 2, 0, 1), (2, 1, 1, 0)])
def test_half_size_pixels_are_means_of_sensor_cells(pattern, compression):
    lossless = {"lossless": True} if compression == "jpeg" else None
    data = dng(pattern=pattern, compression=compression, compressionargs=lossless)
    pixels = half_by_tifffile(content(data))
    cells = SENSOR.reshape(48, 2, 64, 2).swapaxes(1, 2).reshape(48, 64, 4).astype(float)
    colours = np.array(pattern)
    expected = np.dstack([cells[:, :, colours == colour].mean(2) for colour in range(3)])
    np.testing.assert_array_equal(pixels.array, np.floor(expected + 0.5))
    assert (pixels.range, pixels.rgb, pixels.array.dtype) == ((64, 4095), True, np.uint16)
    assert pixels.notes == ("raw values of the sensor at half size, without white balance",)


@pytest.mark.parametrize("orientation", STORED)
def test_orientation_of_raw_photographs(orientation):
    """Compare with the same photograph stored upright; blocks of 8x8 sensor pixels are equal."""
    upright = np.repeat(np.repeat(SENSOR[::8, ::8], 8, 0), 8, 1)
    preview = np.repeat(np.repeat(np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3), 4, 0), 4, 1)
    stored = np.ascontiguousarray(STORED[orientation](upright))
    # The preview has the orientation of the sensor.
    turned = np.ascontiguousarray(STORED[orientation](preview))
    data = dng(stored, orientation=orientation, preview=turned)
    whole = dng(upright, preview=preview)
    np.testing.assert_array_equal(half_by_tifffile(content(data)).array, half_by_tifffile(content(whole)).array)
    # LibRaw rotates, but does not mirror.
    if orientation in (1, 3, 6, 8):
        np.testing.assert_array_equal(by_rawpy(content(data)).array, by_rawpy(content(whole)).array)
        np.testing.assert_array_equal(by_rawpy(content(data), "preview").array, preview)
        jpeg = dng(stored, orientation=orientation, preview=turned, packed="jpeg")
        found = by_rawpy(content(jpeg), "preview").array
        assert found.shape == preview.shape
        assert np.abs(found.astype(int) - preview).max() <= 24


def test_exif_orientation_of_previews_has_priority(monkeypatch):
    flat = np.repeat(np.repeat(np.uint8([[10, 200]]), 16, 0), 16, 1)
    # 6 is a quarter turn clockwise.
    for block, expected in ((b"", np.rot90(flat, -1)), (exif(3), flat[::-1, ::-1])):
        file = io.BytesIO()
        Image.fromarray(flat).save(file, "JPEG", exif=block)
        found = SimpleNamespace(format=rawpy.ThumbFormat.JPEG, data=file.getvalue())
        raw = SimpleNamespace(
            open_buffer=bool, close=list, extract_thumb=lambda found=found: found, sizes=SimpleNamespace(flip=6)
        )
        monkeypatch.setattr(rawpy, "RawPy", lambda raw=raw: raw)
        np.testing.assert_allclose(by_rawpy(content(dng()), "preview").array, expected, atol=2)


def test_active_area_and_linearization_table():
    sensor, table = SENSOR % 256, np.arange(256)[::-1] * 3
    more = ((50829, "H", 4, (2, 4, 92, 120), True), (50712, "H", 256, tuple(table), True))
    pixels = half_by_tifffile(content(dng(sensor, more=more)))
    assert pixels.array.shape == (45, 58, 3)
    np.testing.assert_array_equal(pixels.array[:, :, 0], table[sensor[2:92:2, 4:120:2]])


def test_modes_of_by_rawpy():
    half, full, preview = (by_rawpy(content(dng()), mode) for mode in ("half", "full", "preview"))
    assert (half.array.shape, full.array.shape, preview.array.shape) == ((48, 64, 3), (96, 128, 3), (24, 32, 3))
    assert (half.array.dtype, preview.array.dtype) == (np.uint16, np.uint8)
    assert [one for p in (half, full, preview) for one in p.notes] == [
        "raw photograph developed at half size", "raw photograph developed at full size", "embedded preview of 32x24",
    ]  # fmt: skip
    np.testing.assert_array_equal(preview.array, 99)


def test_white_level_of_the_sensor_is_white():
    """Green follows the curve of BT.709 from black to white level, without automatic brightness."""
    black, white, value = 64, 4095, 1500
    pixels = by_rawpy(content(dng(np.full((96, 128), value, np.uint16))))
    linear = (value - black) / (white - black)
    expected = 1.099 * linear**0.45 - 0.099
    assert pixels.array[:, :, 1].mean() / 65535 == pytest.approx(expected, abs=0.02)
    brighter = SENSOR.copy()
    brighter[0, 0] = white
    np.testing.assert_array_equal(by_rawpy(content(dng(brighter))).array[1:], by_rawpy(content(dng())).array[1:])


def test_bayer_files_are_read_by_tifffile_without_rawpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert by_raw(content(dng())).array.shape == (48, 64, 3)
    # A preview does not replace the photograph.
    for mode, data in (("preview", dng()), ("half", dng(pattern=(0, 1, 2, 2))), ("half", dng()[:9000])):
        with pytest.raises(MissingExtraError, match=r"a raw photograph needs rawpy: .*install.*raw"):
            by_raw(in_mode(content(data), mode))


def test_files_refused_by_libraw_are_read_by_tifffile():
    data = dng(compression="deflate")
    with pytest.raises(ValueError, match="LibRaw: Unsupported file format"):
        by_rawpy(content(data))
    assert by_raw(content(data)).array.shape == (48, 64, 3)
    with pytest.raises(ValueError, match="LibRaw"):
        by_raw(content(data[: len(data) // 2]))


def test_large_sensors_are_refused_before_decoding(monkeypatch):
    for decode in (by_raw, by_rawpy, half_by_tifffile):
        assert decode(content(dng(), 96 * 128)).array.shape == (48, 64, 3)
        with pytest.raises(TooLargeError, match="claims 128 x 96 pixels"):
            decode(content(dng(), 96 * 128 - 1))
    with pytest.raises(TooLargeError, match="claims 32 x 24 pixels"):
        by_rawpy(content(dng(), 32 * 24 - 1), "preview")
    monkeypatch.setattr(raw_photographs, "half_by_tifffile", lambda _: pytest.fail("decoded"))
    with pytest.raises(TooLargeError):
        by_raw(content(dng(), 96 * 128 - 1))


def test_damaged_raw_photographs(capfd):
    for data in (dng(), dng(compression="jpeg")):
        for seed in range(60):
            broken = content(data)._replace(data=damaged(data, seed))
            for mode in ("half", "preview"):
                with contextlib.suppress(ValueError):
                    assert by_raw(in_mode(broken, mode)).array.size
    assert capfd.readouterr().out == ""
