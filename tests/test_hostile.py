"""Files with huge stated sizes, truncated and damaged files, and files with wrong names."""

import io
import os
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from hostile_files import COLOUR, FILES, all_damaged, farbfeld, npy, pillow, tiff
from PIL import Image

import edgekit as ek
from edgekit.common.read_options import ReadOptions
from edgekit.errors import DecodeError, EdgekitError, ParameterError, TooLargeError
from edgekit.io import decoders
from edgekit.io.formats import sniff
from edgekit.io.headers import size_by_header
from edgekit.io.reading import decode
from edgekit.io.reduced import decode_gray, decode_reduced
from edgekit.io.tiff import read_pages

WIDTH, HEIGHT = 56000, 8000

#: The size in the header of each format: byte order and bytes of a number, and offsets of width and height.
SIZE_FIELDS = {
    "PNG": (">4", 16, 20), "BMP": ("<4", 18, 22), "GIF": ("<2", 6, 8), "Sun raster": (">4", 4, 8),
    "JPEG 2000 bare": (">4", 8, 12), "TGA": ("<2", 12, 14), "QOI": (">4", 4, 8), "farbfeld": (">4", 8, 12),
    "SGI": (">2", 6, 8), "DDS": ("<4", 16, 12),
}  # fmt: skip


def with_huge_size(name: str) -> bytes:
    """Return a file of this format whose header states a huge size."""
    data = bytearray(FILES[name])
    match name:
        case "JPEG" | "progressive JPEG":
            at = data.index(b"\xff\xc0" if name == "JPEG" else b"\xff\xc2")
            data[at + 5 : at + 9] = HEIGHT.to_bytes(2, "big") + WIDTH.to_bytes(2, "big")
        case "TIFF" | "BigTIFF":
            with tifffile.TiffFile(io.BytesIO(FILES[name])) as file:
                order = "little" if file.byteorder == "<" else "big"
                for tag, value in (("ImageWidth", WIDTH), ("ImageLength", HEIGHT)):
                    found = file.pages.first.tags[tag]
                    size = 2 if found.dtype == tifffile.DATATYPE.SHORT else 4
                    data[found.valueoffset : found.valueoffset + size] = value.to_bytes(size, order)
        case "WebP":
            data[26:30] = (0x3FFF).to_bytes(2, "little") * 2
        case "netpbm" | "PFM":
            return data.replace(b"31 24", b"56000 8000", 1)
        case "PAM":
            return data.replace(b"WIDTH 31", b"WIDTH 56000").replace(b"HEIGHT 24", b"HEIGHT 8000")
        case "Radiance HDR":
            return data.replace(b"-Y 24 +X 31", b"-Y 8000 +X 56000")
        case "AVIF":
            at = data.index(b"ispe") + 8
            data[at : at + 8] = WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big")
        case _:
            order, *places = SIZE_FIELDS[name]
            length = int(order[1])
            for at, value in zip(places, (WIDTH, HEIGHT), strict=True):
                data[at : at + length] = value.to_bytes(length, "big" if order[0] == ">" else "little")
    if name == "PNG":
        # A file with a wrong checksum is damaged.
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.fixture
def no_decoding(monkeypatch):
    """Fail if a decoder of OpenCV gets the content."""

    def decode_anyway(*_: object) -> None:
        pytest.fail("decoded")

    monkeypatch.setattr(decoders.cv2, "imdecode", decode_anyway)


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize("name", [
    "PNG", "JPEG", "progressive JPEG", "GIF", "BMP", "WebP", "TIFF", "BigTIFF", "netpbm", "PAM", "PFM", "Radiance HDR",
    "Sun raster", "JPEG 2000 bare", "AVIF", "TGA", "QOI", "farbfeld", "SGI", "DDS",
])  # fmt: skip
def test_huge_stated_sizes_are_refused_before_decoding(name):
    said = "claims 16,383 x 16,383" if name == "WebP" else "claims 56,000 x 8,000"
    for read in (decode, decode_gray, decode_reduced):
        with pytest.raises(TooLargeError, match=f"^bomb: {said} pixels; at most 134,217,728 are read"):
            read(with_huge_size(name), "bomb")


def test_max_pixels_option():
    pixels = COLOUR.shape[0] * COLOUR.shape[1]
    for name, data in FILES.items():
        if name != "NPY":
            assert decode(data, name, read_options=ReadOptions(pixels)).image.shape[:2] == COLOUR.shape[:2]
        with pytest.raises(TooLargeError, match="claims 31 x 24 pixels; at most 743 are read"):
            decode(data, name, read_options=ReadOptions(pixels - 1))
    with pytest.raises(ParameterError, match="max_pixels=0 must be a whole number, at least 1"):
        ek.read_image(FILES["PNG"], max_pixels=0)
    with pytest.raises(ParameterError, match="truncated='no' is not known"):
        ek.read_image(FILES["PNG"], truncated="no")


@pytest.mark.parametrize("name", FILES)
def test_size_by_header_of_all_formats(name):
    found = sniff(FILES[name][:18])
    size = size_by_header(FILES[name], found.name)
    # For the other formats, libraries report the size before decoding.
    assert size == (31, 24) or (size is None and found.name in ("TGA", "PCX", "SGI", "DDS", "QOI", "NPY", "farbfeld"))


@pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC, 0xDB, 0xE1, 0xFE])
def test_jpeg_size_is_read_from_frame_headers_only(marker):
    """Huffman tables, extensions and arithmetic conditioning have numbers between those of frame headers (ITU T.81)."""
    other = bytes((0xFF, marker, 0, 8, 8, 0x11, 0x11, 0x22, 0x22, 3))
    assert size_by_header(FILES["JPEG"][:2] + other + FILES["JPEG"][2:], "JPEG") == (31, 24)


@pytest.mark.usefixtures("no_decoding")
def test_png_chunk_with_huge_stated_length():
    data = bytearray(FILES["PNG"])
    at = data.index(b"IDAT") - 4
    data[at : at + 4] = b"\xff\xff\xff\xf0"
    # All pixels are present, and Pillow reads no further.
    np.testing.assert_array_equal(decode(bytes(data), "a.png").image, COLOUR)


def test_max_pixels_applies_to_each_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for side in (4, 9, 5):
            file.write(np.zeros((side, side), np.uint8), photometric="minisblack")
        file.write(np.zeros((4, 4, 40), np.uint8), photometric="minisblack", planarconfig="contig")
    first, second, third, deep = read_pages(tmp_path / "a.tif", ReadOptions(25))
    assert (first.array.shape, third.array.shape) == ((4, 4), (5, 5))
    assert isinstance(second, TooLargeError)
    assert "page 2: claims 9 x 9" in str(second)
    assert "claims an array of 4 x 4 x 40" in str(deep)


#: Formats that Pillow or OpenCV decode up to the end of the content.
IN_PART = ("PNG", "JPEG", "progressive JPEG", "GIF", "BMP", "netpbm", "Sun raster", "TGA", "packed TGA", "PCX")


@pytest.mark.parametrize("name", FILES)
def test_truncated_files_are_refused_by_default(name):
    """Files are accepted only if all pixels are present; no decoder fills missing pixels silently."""
    data = FILES[name]
    whole = decode(data, name).image
    for end in {1, 2, 3, 4, 12, 40, len(data) // 10, len(data) // 2}:
        try:
            read = decode(data[:-end], name)
        except DecodeError:
            continue
        assert not read.truncated
        np.testing.assert_array_equal(read.image, whole)


@pytest.mark.parametrize("name", IN_PART)
def test_truncated_keep_returns_the_decoded_part(name, tmp_path):
    # Most of such a small JPEG file is the header.
    data = FILES[name][:-40] if "JPEG" in name else FILES[name][: len(FILES[name]) * 2 // 3]
    with pytest.raises(DecodeError, match=r"truncated: only a part of it can be decoded.*--truncated keep"):
        decode(data, name)
    kept = decode(data, name, read_options=ReadOptions(truncated="keep"))
    assert kept.truncated
    assert "truncated" in kept.note
    whole = decode(FILES[name], name).image
    assert kept.image.shape == whole.shape
    same = (kept.image == whole).reshape(len(whole), -1).all(axis=1)
    # BMP and this TGA store the last row first.
    rows = same[::-1] if name == "BMP" or "TGA" in name else same
    if "JPEG" in name:
        (tmp_path / "cut.jpg").write_bytes(data)
        np.testing.assert_array_equal(kept.image, cv2.imread(str(tmp_path / "cut.jpg"))[:, :, ::-1])
    else:
        assert rows[:6].all()
        assert not rows.all()


def test_jpeg_without_end_marker_is_truncated_but_complete():
    data = FILES["JPEG"]
    for missing in (1, 2):
        with pytest.raises(DecodeError, match="truncated"):
            decode(data[:-missing], "a.jpg")
        kept = decode(data[:-missing], "a.jpg", read_options=ReadOptions(truncated="keep"))
        np.testing.assert_array_equal(kept.image, decode(data, "a.jpg").image)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
@pytest.mark.parametrize("own_frame", [False, True])
def test_animated_png_equals_cv2_imread(mode, own_frame, tmp_path):
    frames = [Image.fromarray(COLOUR).convert(mode) for _ in range(3)]
    for number, frame in enumerate(frames):
        if mode == "RGBA":
            frame.putalpha(Image.fromarray(COLOUR[:, :, number]))
        frames[number] = frame.rotate(90 * number)
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], default_image=own_frame, blend=1)
    expected = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_GRAYSCALE)
    if mode == "RGBA":
        # Composed on black, because the opaque pixels are bright.
        laid = np.rint(COLOUR * (COLOUR[:, :, [0]] / 255)).astype(np.uint8)
        expected = cv2.cvtColor(laid, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(
        ek.read_image(tmp_path / "a.png", colour=False, page=1), expected, atol=2 * (mode == "RGBA")
    )


def test_formats_are_detected_by_content():
    icon, cursor = pillow("ICO"), bytearray(pillow("ICO"))
    cursor[2] = 2
    for data, name in ((icon, "ICO"), (bytes(cursor), "CUR"), (FILES["TGA"], "TGA"), (FILES["packed TGA"], "TGA")):
        assert sniff(data[:18]).name == name
    gray = pillow("TGA", COLOUR[:, :, 0].copy())
    assert sniff(gray[:18]).name == "TGA"
    np.testing.assert_array_equal(ek.read_image(gray), COLOUR[:, :, 0])
    np.testing.assert_array_equal(ek.read_image(FILES["farbfeld"]), np.rint(COLOUR * (COLOUR[:, :, [0]] / 255) * 257))
    # PostScript is refused, because it would start another program.
    for other in (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", bytes(64), b"\0\0\2\0" + bytes(60)):
        with pytest.raises(DecodeError, match="no format that can be read"):
            decode(other, "a.png")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (npy(np.zeros((2, 2), complex)), "numbers of at most 64 bits"),
        (npy(np.zeros((2, 2), "datetime64[s]")), "numbers of at most 64 bits"),
        (npy(np.zeros(5)), "rows, columns"),
        (npy()[:-1], "expected 2,232 bytes of numbers for shape .*found 2,231"),
        (npy().replace(b"24, 31", b"24, -1"), "shape"),
        (npy().replace(b"True" if b"True" in npy() else b"False", b"(((("), "header is damaged"),
        (b"\x93NUMPY\x09\x00" + bytes(90), "header is damaged"),
        (farbfeld(np.zeros((2, 2, 4)))[:-1], "cannot be decoded"),
    ],
)
def test_invalid_npy_and_farbfeld_files_are_refused(data, said):
    with pytest.raises(DecodeError, match=said):
        decode(data, "a")


def test_npy_and_tiff_values_are_unchanged():
    values = np.array([[np.nan, np.inf, -np.inf, 1e300], [5e-324, -0.0, 1.5, 2**60]])
    for data in (npy(values), npy(np.asfortranarray(values)), tiff(values)):
        assert decode(data, "a").image.tobytes() == values.tobytes()
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    np.testing.assert_array_equal(decode(tiff(single), "a").image, single)
    for dtype in (np.int32, np.uint16, np.int16, np.uint8):
        limits = np.iinfo(dtype)
        whole = np.array([[limits.min, limits.max, 0, 1]] * 2, dtype)
        for data in (npy(whole), tiff(whole)):
            read = decode(data, "a", colour=False).image
            assert read.dtype == dtype
            np.testing.assert_array_equal(read, whole)


def test_damaged_files_raise_edgekit_errors_or_equal_imread(tmp_path):
    """Warnings are errors in the whole test suite."""
    decoded, refused = 0, []
    for name, data in all_damaged(30):
        for read in (
            lambda data=data, name=name: decode(data, name, read_options=ReadOptions(2**22)),
            lambda data=data, name=name: decode(data, name, read_options=ReadOptions(2**22, "keep")),
        ):
            try:
                image = read()
            except EdgekitError as error:
                refused.append((name, str(error)))
            else:
                decoded += 1
                assert image.image.dtype.kind in "buif"
        (tmp_path / "a").write_bytes(data)
        # cv2.imread would take long for sizes above the limit.
        if 0 < np.prod(size_by_header(data, sniff(data[:18]).name) or (0,) if sniff(data[:18]) else 0) < 2**22:
            expected = cv2.imread(str(tmp_path / "a"), cv2.IMREAD_GRAYSCALE)
            try:
                gray = decode_gray(data, name).image
            except EdgekitError:
                continue
            if expected is not None and gray.dtype == np.uint8:
                np.testing.assert_array_equal(gray, expected)
    assert decoded > 100
    assert all(name in said for name, said in refused)


def test_memory_error_is_not_a_decode_error(monkeypatch):
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoders.cv2, "imdecode", exhausted)
    with pytest.raises(MemoryError):
        decode(FILES["PNG"], "a.png")


@pytest.mark.parametrize("command", [["score"], ["sobel", "--force", "-o", "out"]])
def test_libraries_print_nothing_for_damaged_files(command, tmp_path):
    """A damaged profile, a JPEG with garbage between its segments, a TIFF with a truncated strip."""
    profile = bytearray(pillow("PNG", icc_profile=bytes(200)))
    profile[profile.index(b"iCCP") + 20] ^= 255
    jpeg = FILES["JPEG"]
    rubbish = jpeg[:2] + b"\xff\xfe\0\x04ab" + b"rubbish" + jpeg[2:]
    for name, data in (
        ("a.png", profile),
        ("b.jpg", rubbish),
        ("c.jpg", jpeg[:-60]),
        ("d.tif", FILES["packed TIFF"][:-9]),
    ):
        (tmp_path / name).write_bytes(data)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "edgekit", *command, "."],
        cwd=tmp_path, env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert [line.split(":")[0] for line in ran.stderr.splitlines()] == ["edgekit"] * 3, ran.stderr
    assert all(name in ran.stderr for name in ("c.jpg", "d.tif"))
