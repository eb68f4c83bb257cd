"""Pixel values of files: opacity, bit depth, bands, orientation."""

import io
import json
import logging
import struct
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from command_line import run
from PIL import Image

import edgekit as ek
from edgekit.common.read_options import ReadOptions
from edgekit.io.headers import range_by_header
from edgekit.io.opening import open_windows
from edgekit.io.reading import decode
from edgekit.io.reduced import decode_gray

#: A scene with contrast, 8 bits.
SCENE = np.kron(np.random.default_rng(3).integers(20, 235, (8, 8)), np.ones((16, 16))).astype(np.uint8)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(data, **options):
    return decode(bytes(data), "an image", **options)


def by_pillow(image, format, **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, format, **options)
    return file.getvalue()


def by_tifffile(image, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, image, **{"metadata": None, **options})
    return file.getvalue()


def logo(colour, dtype=np.uint8):
    """Return an opaque square on a transparent background; the hidden colours are noise."""
    top = np.iinfo(dtype).max
    image = np.random.default_rng(1).integers(0, top, (40, 40, 4), dtype)
    image[..., 3] = 0
    image[10:30, 10:30] = (*colour, 255)
    image[10:30, 10:30, 3] = top
    return image


@pytest.mark.parametrize(("colour", "ground"), [((0, 0, 0), 255), ((250, 250, 250), 0)], ids=["black", "white"])
def test_transparent_images_get_a_contrasting_background(colour, ground):
    image = logo(colour)
    deep = image.astype(np.uint16) * 257
    files = {
        "PNG": by_pillow(image, "PNG"),
        "PNG of 16 bits": cv2.imencode(".png", deep[..., [2, 1, 0, 3]])[1].tobytes(),
        "WebP": by_pillow(image, "WEBP", lossless=True, exact=True),
        "GIF": by_pillow(Image.fromarray(image), "GIF"),
        "TIFF": by_tifffile(image, photometric="rgb", extrasamples=["unassalpha"]),
        "TIFF of 16 bits": by_tifffile(deep, photometric="rgb", extrasamples=["unassalpha"]),
        "gray PNG": by_pillow(image[..., [0, 3]], "PNG"),
        "gray TIFF": by_tifffile(image[..., [0, 3]], photometric="minisblack", planarconfig="contig",
                                 extrasamples=["unassalpha"]),
    }  # fmt: skip
    expected = np.full((40, 40), ground)
    expected[10:30, 10:30] = colour[0]
    for name, data in files.items():
        found = read(data)
        shown = found.image if found.image.ndim == 2 else found.image[..., 0]
        np.testing.assert_allclose(shown / np.iinfo(shown.dtype).max * 255, expected, atol=0.5, err_msg=name)
        assert f"laid over {'white' if ground else 'black'}" in found.note, name
    Path("logo.png").write_bytes(files["PNG"])
    assert run("canny", "logo.png", "-o", "edges.png").exit_code == 0
    assert cv2.imread("edges.png", cv2.IMREAD_UNCHANGED).any()


def test_half_transparent_pixels_are_blended():
    image = np.full((4, 4, 4), (200, 100, 0, 128), np.uint8)
    image[0, 0] = 0
    share = 128 / 255
    for background, ground in (("white", (255, 255, 255)), ("#102030", (16, 32, 48))):
        read_options = ReadOptions(background=background)
        mixed = np.rint(np.array([200, 100, 0]) * share + np.array(ground) * (1 - share))
        np.testing.assert_array_equal(read(by_pillow(image, "PNG"), read_options=read_options).image[1, 1], mixed)
        scaled = np.rint(image * share).astype(np.uint8)
        scaled[..., 3] = image[..., 3]
        already = by_tifffile(scaled, photometric="rgb", extrasamples=["assocalpha"])
        np.testing.assert_allclose(read(already, read_options=read_options).image[1, 1], mixed, atol=1)


def test_opaque_images_have_no_note():
    image = np.dstack([SCENE] * 3 + [np.full_like(SCENE, 255)])
    found = read(by_pillow(image, "PNG"))
    assert (found.note, found.opencv_differs) == ("", False)
    np.testing.assert_array_equal(found.image, image[..., :3])


def test_png_files_with_one_transparent_colour():
    gray = np.full((4, 4), 10, np.uint8)
    gray[0] = 90
    for data in (
        by_pillow(gray, "PNG", transparency=10),
        by_pillow(Image.fromarray(gray).convert("P"), "PNG", transparency=10),
        by_pillow(np.dstack([gray] * 3), "PNG", transparency=(10, 10, 10)),
    ):
        found = read(data, colour=False)
        assert found.image[1:].min() == 255
        assert found.image[0].max() == 90


def test_laplacian_variance_equals_cv2_imread():
    rng = np.random.default_rng(5)
    rgba = rng.integers(0, 256, (48, 64, 4), np.uint8)
    Path("clear.png").write_bytes(by_pillow(rgba, "PNG"))
    # A gamma of 1 / 2.2 changes the weights that libpng uses.
    plain = by_pillow(rgba[..., :3], "PNG")
    chunk = b"gAMA" + (45455).to_bytes(4, "big")
    at = plain.index(b"IDAT") - 4
    Path("gamma.png").write_bytes(
        plain[:at] + (4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + plain[at:]
    )
    for name in ("clear.png", "gamma.png"):
        row = json.loads(run("score", name, "--measure", "laplacian_variance", "--json").stdout)
        gray = cv2.imread(name, cv2.IMREAD_GRAYSCALE)
        assert row["laplacian_variance"] == pytest.approx(cv2.Laplacian(gray, cv2.CV_64F).var(), rel=1e-9), name
    # Everything else ignores the gamma.
    np.testing.assert_array_equal(ek.read_image("gamma.png", colour=False), read(plain, colour=False).image)


def white_level_files():
    """Yield name, file and white level of the scene with 10 and 12 bits."""
    for bits in (10, 12):
        deep = (SCENE.astype(np.uint16) << (bits - 8)) | (SCENE >> (16 - bits))
        top = 2**bits - 1
        yield f"AVIF {bits}", imagecodecs.avif_encode(deep, level=100, bitspersample=bits), top
        yield f"JPEG 2000 {bits}", imagecodecs.jpeg2k_encode(deep, level=0, bitspersample=bits, codecformat="jp2"), top
        yield f"PGM {bits}", b"P5 128 128 %d\n" % top + deep.astype(">u2").tobytes(), top


def test_range_follows_bit_depth_of_the_file():
    expected = ek.score(SCENE)
    for name, data, top in white_level_files():
        found = decode_gray(data, name)
        assert found.pixels.range == (0, top), name
        assert found.image.max() <= top, name
        assert ek.score(found.image, in_range=found.pixels.range) == pytest.approx(expected, abs=0.02), name


def test_gray_avif_files_of_limited_range():
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    for stated, white in (("limited", (16, 235)), ("full", None)):
        found = read(by_pillow(ramp, "AVIF", quality=100, subsampling="4:0:0", range=stated), colour=False)
        assert found.pixels.range == white
        assert (found.image.min(), found.image.max()) == (white or (0, 255))


@pytest.mark.parametrize("profile", [0, 2])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("described", [False, True])
def test_gray_avif_files_without_a_colour_box(profile, full, described):
    """The sequence header states the range (AV1, 5.5): here that of a still picture of 1204 x 800 pixels."""
    bits = [(profile, 3), (1, 1), (1, 1), (5, 5), (10, 4), (9, 4), (1203, 11), (799, 10), (0, 6), (1, 1)]
    bits += [*([(1, 1)] if profile == 2 else []), (1, 1), (described, 1), *([(0, 24)] if described else []), (full, 1)]
    payload = "".join(f"{value:0{width}b}" for value, width in bits).ljust(112, "0")
    box = bytes((0x81, 0, 0x7C if profile else 0x5C, 0, 0x0A, 14)) + int(payload, 2).to_bytes(14, "big")
    for name in ("av1C", "ipco", "iprp", "meta"):
        box = bytes(4 * (name == "meta")) + box
        box = (len(box) + 8).to_bytes(4, "big") + name.encode() + box
    bits_of = 12 if profile else 10
    ends = (0.0, 2.0**bits_of - 1) if full else (16.0 * 2 ** (bits_of - 8), 235.0 * 2 ** (bits_of - 8))
    assert range_by_header(box, "AVIF", np.dtype(np.uint16)) == ends


@pytest.mark.parametrize("bits", [8, 16])
def test_transparent_gray_level_of_png_files(bits):
    gray = np.arange(64 * 4).reshape(16, 16).astype(np.uint8 if bits == 8 else np.uint16) * (1 if bits == 8 else 257)
    data = bytes(cv2.imencode(".png", gray)[1])
    chunk = b"tRNS" + int(gray[3, 4]).to_bytes(2, "big")
    at = data.index(b"IDAT") - 4
    clear = data[:at] + (2).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[at:]
    found = read(clear, read_options=ReadOptions(background="white"))
    expected = gray.copy()
    expected[3, 4] = np.iinfo(gray.dtype).max
    assert found.opacity
    np.testing.assert_array_equal(found.image, expected)


def test_tiff_files_with_12_bits():
    values = np.random.default_rng(2).integers(0, 4096, (6, 8), np.uint16)
    # Two values in three bytes.
    packed = bytearray()
    for a, b in values.reshape(-1, 2).tolist():
        packed += bytes((a >> 4, (a & 15) << 4 | b >> 8, b & 255))
    for photometric, stored in ((1, values), (0, 4095 - values)):
        data = tiff_of_strip(bytes(packed), 8, 6, {258: 12, 262: photometric, 277: 1})
        found = read(data)
        np.testing.assert_array_equal(found.image, stored)
        assert found.pixels.range == (0, 4095)


def tiff_of_strip(strip, width, height, tags):
    """Return a TIFF file with one uncompressed strip."""
    tags = {256: width, 257: height, 259: 1, 273: 8, 278: height, 279: len(strip), **tags}
    start = 8 + len(strip) + len(strip) % 2
    data = struct.pack("<2sHI", b"II", 42, start) + strip + b"\0" * (len(strip) % 2)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return data + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"


def test_tiff_fill_order_in_whole_files_and_windows():
    values = np.random.default_rng(2).integers(0, 256, (16, 16), np.uint8)
    reverse = np.array([int(f"{n:08b}"[::-1], 2) for n in range(256)], np.uint8)
    for order, stored in ((1, values), (2, reverse[values])):
        data = tiff_of_strip(stored.tobytes(), 16, 16, {258: 8, 262: 1, 277: 1, 266: order})
        Path("bits.tif").write_bytes(data)
        np.testing.assert_array_equal(ek.read_image("bits.tif"), values)
        with open_windows("bits.tif") as windows:
            np.testing.assert_array_equal(windows.series[0].read(0, 0, 16, 0, 16), values)


def test_netpbm_values_and_maxval():
    np.testing.assert_array_equal(read(b"P5 4 2 100\n" + bytes([100] * 8)).image, np.full((2, 4), 100))
    np.testing.assert_array_equal(read(b"P2 4 2 100\n" + b"100 " * 8).image, np.full((2, 4), 100))
    for data in (b"P5 4 2 100\n" + bytes([100] * 8), b"P2 4 2 100\n" + b"100 " * 8):
        assert read(data).pixels.range == (0, 100)
    head = b"P7\nWIDTH 4\nHEIGHT 2\nDEPTH %d\nMAXVAL 255\nTUPLTYPE %s\nENDHDR\n"
    colour = np.full((2, 4, 3), (10, 20, 30))
    np.testing.assert_array_equal(read(head % (3, b"RGB") + bytes([10, 20, 30] * 8)).image, colour)
    opaque = head % (4, b"RGB_ALPHA") + bytes([10, 20, 30, 255] * 8)
    np.testing.assert_array_equal(read(opaque).image, colour)
    for data in (b"P1\n4 2\n1 0 1 0 0 0 0 1\n", b"P4\n4 2\n\xa0\x10"):
        np.testing.assert_array_equal(read(data).image, [[0, 255, 0, 255], [255, 255, 255, 0]])


def test_encoded_bmp_rows_longer_than_the_image():
    # The first row is encoded with more pixels than the image has columns.
    pixels = bytes((6, 1, 0, 0, 4, 2, 0, 1))
    palette = b"".join(bytes((n, n, n, 0)) for n in range(256))
    head = struct.pack("<2sIHHI", b"BM", 54 + 1024 + len(pixels), 0, 0, 54 + 1024)
    head += struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    data = head + palette + pixels
    found = read(data, colour=False)
    np.testing.assert_array_equal(found.image, np.asarray(Image.open(io.BytesIO(data)).convert("L")))
    np.testing.assert_array_equal(found.image, [[2] * 4, [1] * 4])


def test_tiff_signed_cmyk_and_palette_colours():
    rng = np.random.default_rng(7)
    signed = rng.integers(-5000, 5000, (12, 16, 3)).astype(np.int16)
    np.testing.assert_array_equal(read(by_tifffile(signed, photometric="rgb"), colour=False).image, signed)
    inks = rng.integers(0, 65536, (4, 12, 16)).astype(np.uint16)
    cyan, black = inks[0] / 65535, inks[3] / 65535
    found = read(by_tifffile(inks, photometric="separated", planarconfig="separate"))
    np.testing.assert_allclose(found.image[..., 0], (1 - cyan) * (1 - black) * 65535, atol=0.5)
    colours = rng.integers(0, 65536, (3, 65536)).astype(np.uint16)
    indices = rng.integers(0, 65536, (12, 16)).astype(np.uint16)
    found = read(by_tifffile(indices, photometric="palette", colormap=colours))
    np.testing.assert_array_equal(found.image, np.moveaxis(colours[:, indices], 0, -1))


def test_ycbcr_tiff_files():
    """libtiff, by OpenCV, reads the first page. The second one is converted by edgekit."""
    image = np.random.default_rng(4).integers(16, 236, (8, 9, 3), np.uint8)
    bt709, studio = (2126, 10000, 7152, 10000, 722, 10000), (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1)
    for stated in ((), [(529, "2I", 3, bt709, True)], [(529, "2I", 3, bt709, True), (532, "2I", 6, studio, True)]):
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            for _ in range(2):
                writer.write(image, photometric="ycbcr", metadata=None, subsampling=(1, 1), extratags=stated)
        first, second = (read(file.getvalue(), page=page).image.astype(int) for page in (1, 2))
        # libtiff rounds the chroma that it scales.
        assert np.abs(first - second).max() <= (3 if len(stated) == 2 else 1), stated
    # libtiff refuses coefficients of zero: those of BT.601 are used.
    broken = [(529, "2I", 3, (1, 0, 1, 0, 1, 0), True)]
    found = read(by_tifffile(image, photometric="ycbcr", subsampling=(1, 1), extratags=broken)).image.astype(int)
    assert np.abs(found - np.asarray(Image.fromarray(image, "YCbCr").convert("RGB"))).max() <= 1


def test_channel_option_with_extra_bands():
    bands = np.full((32, 32, 4), 1000, np.uint16)
    bands[10:20, 10:20, 3] = 6000
    Path("infrared.tif").write_bytes(by_tifffile(bands, photometric="rgb", extrasamples=[0]))
    np.testing.assert_array_equal(ek.read_image("infrared.tif"), bands)
    for channel, output in (("max", "strongest.tif"), ("each", "each.tif"), ("luminance", "luminance.tif")):
        done = run("sobel", "infrared.tif", "--channel", channel, "--angle", "0", "--depth", "float", "-o", output)
        assert done.exit_code == 0, done.stderr
        response = np.abs(tifffile.imread(output)).max()
        assert response == (0 if channel == "luminance" else 2500), channel
        assert ("without 1 further band" in done.stderr) == (channel == "luminance")
    assert tifffile.imread("each.tif").shape == (32, 32, 4)
    refused = run("sobel", "infrared.tif", "--channel", "each", "-o", "each.png")
    assert refused.exit_code == 1
    assert "PNG cannot hold 4 bands" in refused.stderr
    six = np.random.default_rng(0).integers(0, 4000, (6, 24, 30)).astype(np.uint16)
    data = by_tifffile(six, photometric="minisblack", planarconfig="separate")
    assert read(data).image.shape == (24, 30, 6)
    gray = read(data, colour=False)
    np.testing.assert_array_equal(gray.image, np.rint(six.mean(0)))
    assert gray.note == "luminance: the mean of 6 bands"


def test_orientation_tag_in_each_format():
    image = np.random.default_rng(4).integers(0, 256, (16, 24, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = image.swapaxes(0, 1)[:, ::-1]
    for name, data, tolerance in (
        ("WebP", by_pillow(image, "WEBP", lossless=True, exif=exif), 0),
        ("PNG", by_pillow(image, "PNG", exif=exif), 0),
        ("PNG with opacity", by_pillow(np.dstack([image, np.full((16, 24), 255, np.uint8)]), "PNG", exif=exif), 0),
        ("JPEG", by_pillow(image, "JPEG", quality=100, subsampling=0, exif=exif), 12),
        ("AVIF", by_pillow(image, "AVIF", quality=100, subsampling="4:4:4", exif=exif), 12),
        ("TIFF", by_tifffile(image, photometric="rgb", extratags=[(274, "H", 1, 6, True)]), 0),
    ):
        found = read(data).image
        assert found.shape == (24, 16, 3), name
        assert np.abs(found.astype(int) - turned).max() <= tolerance, name


def test_planar_rgb_tiff_note_about_stacks():
    data = by_tifffile(np.stack([SCENE] * 3), photometric="rgb", planarconfig="separate", metadata={})
    assert "if they are a stack, store it with photometric='minisblack'" in read(data).note


def test_16_bit_rgb_tiff_keeps_all_bits():
    colour = np.zeros((3, 4, 3), np.uint16)
    colour[1, 1] = 300, 40000, 5
    # OpenCV refuses this file, and Pillow reads 8 bits.
    stated = [(280, "H", 3, (5, 0, 7), True), (281, "H", 3, (4000, 4095, 9), True)]
    found = read(by_tifffile(colour, photometric="rgb", extratags=stated))
    np.testing.assert_array_equal(found.image, colour)


def test_reading_prints_nothing(capfd, monkeypatch):
    pillow = logging.getLogger("PIL")
    monkeypatch.setattr(pillow, "handlers", [])
    for data in (b"II*\0\xff\xff\xff\x7f" + bytes(40), by_tifffile(np.zeros((5, 6), np.uint16))[:150]):
        with pytest.raises(ek.DecodeError):
            ek.read_image(data)
    # A colour profile that libpng complains about.
    ek.read_image(by_pillow(np.dstack([SCENE] * 3), "PNG", icc_profile=b"no profile" * 20))
    # Damaged pixels; a depth that PNG does not have, with the right checksum; more channels than Pillow decodes.
    png = bytearray(by_pillow(SCENE, "PNG"))
    depth = bytearray(png)
    depth[24] = 3
    depth[29:33] = zlib.crc32(depth[12:29]).to_bytes(4, "big")
    png[png.index(b"IDAT") + 30] ^= 255
    channels = tiff_of_strip(bytes(9), 3, 3, {258: 8, 262: 1, 277: 65281})
    for data in (png, depth, channels):
        with pytest.raises(ek.DecodeError):
            ek.read_image(data)
    assert capfd.readouterr() == ("", "")
    # Messages of a logger without a handler would be printed.
    assert pillow.handlers


def test_invalid_backgrounds_are_refused():
    with pytest.raises(ek.ParameterError, match="background='red' must be one of auto, white, black, or a colour"):
        ReadOptions(background="red").check()
    assert "nor a colour such as #8080ff" in run("sobel", "a.png", "--background", "#12").stderr


def test_windows_use_the_background_of_the_whole_image():
    image = logo((240, 240, 240))
    tifffile.imwrite("logo.tif", image, photometric="rgb", extrasamples=["unassalpha"], tile=(16, 16), metadata=None)
    whole = ek.read_image("logo.tif")
    with open_windows("logo.tif") as windows:
        np.testing.assert_array_equal(windows.series[0].read(0, 0, 40, 0, 40), whole)
