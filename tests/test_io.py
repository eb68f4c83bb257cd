"""Reading and writing image files of many formats, and errors for other files."""

import io
import os
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

import edgekit as ek
from edgekit.errors import DecodeError, KernelError, OutputError, ParameterError, UnreadableError
from edgekit.io.encoding import encode
from edgekit.io.formats import FORMATS, sniff
from edgekit.io.kernels import read_kernel
from edgekit.io.reduced import decode_gray, decode_reduced
from edgekit.io.writing import write_atomic


@pytest.fixture
def photo():
    """Three uniform fields side by side, which every codec keeps: 40x60, RGB."""
    out = np.empty((40, 60, 3), np.uint8)
    out[:, :20], out[:, 20:40], out[:, 40:] = (250, 30, 40), (30, 200, 60), (20, 40, 240)
    return out


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000", "TGA", "PCX", "SGI"])
def test_colours_of_formats_with_a_wrong_ending(photo, kind, tmp_path):
    path = tmp_path / "wrong.ending"
    path.write_bytes(saved(Image.fromarray(photo), kind))
    read = ek.read_image(path)
    assert read.shape == photo.shape
    assert read.dtype == np.uint8
    # The middle of each field, away from the artefacts of lossy codecs.
    np.testing.assert_allclose(read[20, [10, 30, 50]].astype(int), photo[20, [10, 30, 50]], atol=6)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA", "CMYK", "I;16", "F"])
def test_pixel_modes(photo, mode):
    image = Image.fromarray(photo)
    kind = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    if mode == "I;16":
        wide = (np.arange(2400).reshape(40, 60) * 27).astype(np.uint16)
        read = ek.read_image(saved(Image.fromarray(wide), kind))
        np.testing.assert_array_equal(read, wide)
        return
    converted = image.convert(mode)
    read = ek.read_image(saved(converted, kind, **({"quality": 95} if mode == "CMYK" else {})))
    expected = np.asarray(converted if mode == "F" else converted.convert("L" if mode in ("L", "1") else "RGB"))
    if mode == "LA":
        expected = np.asarray(converted)[:, :, 0]
        read = read if read.ndim == 2 else read[:, :, 0]
    np.testing.assert_allclose(read[20, [10, 30, 50]].astype(float), expected[20, [10, 30, 50]], atol=4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = ek.read_image(saved(Image.fromarray(photo), kind, exif=exif), colour=False)
    upright = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: np.transpose, 6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).T, 8: np.rot90,
    }[orientation](np.asarray(Image.fromarray(photo).convert("L")))  # fmt: skip
    assert read.shape == upright.shape
    middle = (slice(5, None, 10),) * 2
    np.testing.assert_allclose(read[middle].astype(int), upright[middle], atol=6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bit_tiff_planes(photo, orientation, tmp_path):
    tag = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "8.tif", photo, photometric="rgb", extratags=tag)
    planes = np.moveaxis(photo, -1, 0).astype(np.uint16)
    tifffile.imwrite(tmp_path / "16.tif", planes, photometric="rgb", planarconfig="separate", extratags=tag)
    np.testing.assert_array_equal(ek.read_image(tmp_path / "16.tif"), ek.read_image(tmp_path / "8.tif"))


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
)
def test_tiff_dtypes_are_kept(dtype, tmp_path):
    values = (np.arange(600).reshape(20, 30) % 120).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values)
    read = ek.read_image(tmp_path / "a.tif")
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)


def test_gray_equals_cv2_imdecode(photo):
    for kind in ("PNG", "JPEG", "WEBP"):
        data = saved(Image.fromarray(photo), kind)
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(ek.read_image(data, colour=False), expected)


def test_tiff_files_that_need_tifffile(tmp_path):
    planes = np.random.default_rng(0).random((3, 12, 17)).astype(np.float32)
    tifffile.imwrite(tmp_path / "p.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(ek.read_image(tmp_path / "p.tif"), np.moveaxis(planes, 0, -1))
    inverted = (planes[0] * 65535).astype(np.uint16)
    for dtype in (np.uint8, np.uint16):
        stored = inverted.astype(dtype)
        tifffile.imwrite(tmp_path / "white.tif", stored, photometric="miniswhite")
        np.testing.assert_array_equal(ek.read_image(tmp_path / "white.tif"), np.iinfo(dtype).max - stored)
    # OpenCV misreads these layouts without an error.
    deep = (planes * 65535).astype(np.uint16)
    tifffile.imwrite(tmp_path / "q.tif", deep, photometric="rgb", planarconfig="separate", tile=(16, 16))
    np.testing.assert_array_equal(ek.read_image(tmp_path / "q.tif"), np.moveaxis(deep, 0, -1))
    two = np.moveaxis(deep[:2], 0, -1)
    tifffile.imwrite(tmp_path / "two.tif", two, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(ek.read_image(tmp_path / "two.tif"), two)
    mean = np.rint(two.mean(axis=2))
    np.testing.assert_array_equal(ek.read_image(tmp_path / "two.tif", colour=False), mean)
    tifffile.imwrite(tmp_path / "b.tif", planes[0].astype(">f8"), byteorder=">")
    image = ek.read_image(tmp_path / "b.tif")
    np.testing.assert_array_equal(image, planes[0])
    assert np.isfinite(ek.sobel(image)).all()


@pytest.mark.parametrize(("ending", "dtype"), [
    (".png", "uint8"), (".png", "uint16"), (".tif", "uint8"), (".tiff", "uint16"), (".tif", "float32"),
    (".TIF", "float64"), (".webp", "uint8"), (".npy", "uint8"), (".npy", "float64"), (".npy", "int32"),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_written_images_are_read_back(ending, dtype, shape, tmp_path):
    image = (np.arange(np.prod(shape)).reshape(shape) * 2).astype(dtype)
    ek.write_image(tmp_path / f"a{ending}", image)
    # Lossless WebP has no gray images: three equal channels are read.
    read = ek.read_image(tmp_path / f"a{ending}", colour=len(shape) == 3)
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize(
    ("image", "ending"),
    [
        (np.zeros((2, 2), np.float32), ".png"),
        (np.zeros((2, 2), np.uint16), ".jpg"),
        (np.zeros((2, 2), np.int32), ".tif"),
        (np.zeros((2, 2), np.uint8), ".gif"),
        (np.zeros((2, 2), np.uint8), ""),
    ],
)
def test_unsupported_dtypes_and_endings_are_refused(image, ending):
    with pytest.raises(ParameterError, match=r"cannot (hold|write)"):
        encode(image, ending)


@pytest.mark.parametrize("shape", [(4, 5, 2), (4, 5, 5), (4,), (0, 5), (2, 2, 2, 2)])
def test_encode_refuses_invalid_images(shape):
    with pytest.raises(ek.ShapeError, match="PNG holds"):
        encode(np.zeros(shape, np.uint8), ".png")
    with pytest.raises(ek.DtypeError, match="found list"):
        encode([[1]], ".png")


@pytest.mark.parametrize("ending", [".png", ".tif", ".webp"])
def test_four_channels_keep_their_order(ending):
    image = np.arange(4 * 5 * 4, dtype=np.uint8).reshape(4, 5, 4) | 128
    stored = cv2.imdecode(np.frombuffer(encode(image, ending), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, image[:, :, [2, 1, 0, 3]])


@pytest.mark.parametrize("dtype", [">f4", ">u2", ">f8", ">i4"])
def test_byte_order_of_npy_files(dtype, tmp_path):
    image = (np.arange(60).reshape(4, 5, 3) * 7).astype(dtype)
    np.save(tmp_path / "a.npy", image)
    read = ek.read_image(tmp_path / "a.npy")
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, image)
    assert encode(image, ".npy") == encode(read, ".npy")


def test_errors_for_files_that_are_not_images(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello, world")
    (tmp_path / "cut.png").write_bytes(saved(Image.new("RGB", (99, 99)), "PNG")[:60])
    os.mkfifo(tmp_path / "pipe.png")
    for name, error, said in (
        ("missing.png", UnreadableError, "no such file"),
        ("empty.png", UnreadableError, "empty"),
        (".", UnreadableError, "found a folder"),
        ("pipe.png", UnreadableError, "found a pipe"),
        ("text.png", DecodeError, "begin with b'hello, w'"),
        ("cut.png", DecodeError, "this PNG file cannot be decoded"),
    ):
        with pytest.raises(error, match=said) as raised:
            ek.read_image(tmp_path / name)
        assert str(tmp_path) in str(raised.value)
        assert isinstance(raised.value, OSError)


def test_formats_are_detected_by_signature():
    for row in FORMATS:
        for offset, signature in row.signatures:
            head = bytes(offset) + signature + b"\n12 "
            found = sniff(head)
            assert found is not None
            assert found.name == row.name
    for text in (b"", b"P1 is a text", b"hello", b"BN", b"{}"):
        assert sniff(text) is None


def test_write_atomic_makes_folders_and_uses_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomic(b"content", tmp_path / "deep" / "er" / "a.bin")
    finally:
        os.umask(old)
    path = tmp_path / "deep" / "er" / "a.bin"
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]


def test_write_atomic_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(status: os.stat_result) -> None:
        assert status.st_size == 3
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(b"new", path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_write_atomic_below_a_file_raises_output_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomic(b"x", tmp_path / "file" / "a.bin")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "[[1, 2], [3]]", "must have one length"),
        ("a.json", "[[1, 2], [3, 4]]", "found 2x2"),
        ("a.json", "{}", "expected a kernel"),
        ("a.json", "{", "expected a kernel"),
        ("a.json", "5", "table of numbers"),
        ("a.csv", "1, x, 3", "expected a kernel"),
        ("a.csv", "", "no rows"),
        ("a.csv", "1, nan, 3", "finite"),
        ("a.npy", "no array", "expected a kernel"),
        ("a.json", "[[0, 0, 0]]", "not zero"),
    ],
)
def test_invalid_kernel_files_are_refused(name, content, said, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(KernelError, match=said) as raised:
        read_kernel(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "-1,0,1\n-2,0,2\n-1,0,1\n"),
        ("a.csv", "-1;0;1\r\n-2;0;2\r\n\r\n-1;0;1"),
        ("a.txt", "-1 0 1\n -2  0\t2\n-1 0 1"),
        ("a.json", "[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]"),
        ("a.JSON", '{"taps": [[-1,0,1],[-2,0,2],[-1,0,1]], "divisor": 8}'),
    ],
)
def test_read_kernel_formats(name, content, tmp_path):
    Path(tmp_path, name).write_text(content)
    assert read_kernel(tmp_path / name) == ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))


@pytest.mark.parametrize(
    ("least", "size"), [(1000, (600, 1000)), (501, (600, 1000)), (300, (300, 500)), (100, (75, 125))]
)
def test_jpeg_is_reduced_to_at_least_the_requested_size(least, size):
    data = encode(np.full((600, 1000), 90, np.uint8), ".jpg")
    read = decode_gray(data, "photo.jpg", least=least)
    assert read.image.shape == size
    assert read.size == (1000, 600)
    assert decode_reduced(data, "photo.jpg", least=least).shape[:2] == size
