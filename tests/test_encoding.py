"""PNG files, decoded by OpenCV and Pillow, with ISA-L and without."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracle import picture
from PIL import Image

from edgekit.io import encoding
from edgekit.io.encoding import encode

SHAPES = ((1, 1), (1, 9), (9, 1), (2, 2), (13, 17), (64, 300))
TAILS = ((), (1,), (3,), (4,))


def by_opencv(data):
    """Decode as (rows, columns, channels), RGB."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image.ndim == 2:
        return image[:, :, np.newaxis]
    return image[:, :, [2, 1, 0, 3][: image.shape[2]]]


def by_pillow(data):
    image = np.asarray(Image.open(io.BytesIO(data)))
    return image.reshape(*image.shape[:2], -1)


def chunks(data):
    """Return the names and contents of the chunks, and check their CRCs."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(name + content),)
        found.append((name, content))
        at += 12 + length
    return found


def stream(data):
    """Return the compressed data."""
    return b"".join(content for name, content in chunks(data) if name == b"IDAT")


def check(image, data):
    """Check that decoders return `image`; Pillow reads colour with 8 bits only."""
    expected = image.reshape(*image.shape[:2], -1)
    np.testing.assert_array_equal(by_opencv(data), expected)
    assert by_opencv(data).dtype == image.dtype
    if image.dtype == np.uint8 or expected.shape[2] == 1:
        np.testing.assert_array_equal(by_pillow(data), expected)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_encode_png_is_lossless(dtype, shape, tail):
    image = picture(dtype, (*shape, *tail))
    assert not image.flags.writeable
    data = encoding.encode_png(image)
    check(image, data)
    Image.open(io.BytesIO(data)).verify()
    rows, columns = shape
    header = struct.pack(">IIBBBBB", columns, rows, 8 * image.itemsize, {1: 0, 3: 2, 4: 6}[(*tail, 1)[0]], 0, 0, 0)
    names = [name for name, _ in chunks(data)]
    assert chunks(data)[0] == (b"IHDR", header)
    assert (names[0], set(names[1:-1]), names[-1]) == (b"IHDR", {b"IDAT"}, b"IEND")


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 12), st.integers(1, 12)) | st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)),
    )
)
def test_encode_png_of_random_images_is_lossless(image):
    check(image, encoding.encode_png(image))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2, ::3],
        lambda a: a[::-1, ::-1],
        lambda a: a.swapaxes(0, 1),
        lambda a: a[:, :, ::-1],
        lambda a: a[:, :, 1],
        lambda a: a[3:4, 5:6],
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: np.asfortranarray(a),
    ],
)
def test_encode_png_of_strided_arrays_is_lossless(view, dtype):
    image = view(np.array(picture(dtype, (13, 17, 3))))
    before = image.copy()
    check(before, encoding.encode_png(image))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("block", [1, 90, 1000])
def test_block_size_does_not_change_the_image(block, dtype, monkeypatch):
    image = picture(dtype, (40, 30, 3))
    monkeypatch.setattr(encoding, "_BLOCK", block)
    check(image, encoding.encode_png(image))


def test_large_images_have_several_idat_chunks():
    data = encoding.encode_png(np.random.default_rng(1).integers(0, 256, (1000, 1000), np.uint8))
    parts = [content for name, content in chunks(data) if name == b"IDAT"]
    assert len(parts) > 1
    assert all(parts)


@pytest.mark.parametrize("columns", [90, 2000])
def test_window_size_in_the_header_is_sufficient(columns):
    tile = np.random.default_rng(1).integers(0, 256, (20, 400), np.uint8)
    data = stream(encoding.encode_png(np.ascontiguousarray(np.tile(tile, (10, 5))[:, :columns])))
    assert data[0] >> 4 == 9 - 8
    unpacker, found = zlib.decompressobj(9), []
    # A decoder with the window size of the header can read it.
    while data and not unpacker.eof:
        found.append(unpacker.decompress(data, 64))
        data = unpacker.unconsumed_tail
    assert len(b"".join(found)) == 200 * (1 + columns)


def test_smooth_images_compress_well():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    # The filtered rows of a ramp are ones.
    assert len(encoding.encode_png(ramp)) < ramp.size / 50
    assert zlib.decompress(stream(encoding.encode_png(ramp)))[:258] == b"\1\0" + b"\1" * 255 + b"\1"


def test_bytes_do_not_depend_on_memory_addresses():
    # For rows of zeros, the first search of ISA-L depends on the address of the compressor.
    image = np.zeros((9, 90), np.uint8)
    beside, packed = [], set()
    for _ in range(2**13):
        packed.add(encoding.encode_png(image))
        beside.append(np.empty(2**16, np.uint8))
    assert len(packed) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 3), (500, 800)])
def test_first_8_bytes_are_compressed_separately(shape):
    packed = stream(encoding.encode_png(picture("uint8", shape)))
    start, _, _ = packed.partition(b"\0\0\xff\xff")
    assert zlib.decompressobj().decompress(start) == zlib.decompress(packed)[:8]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("isal", [True, False])
def test_opencv_encodes_without_isal(isal, dtype, tail, monkeypatch):
    monkeypatch.setattr(encoding, "has_isal", lambda: isal)
    calls = []
    for name, module in (("encode_png", encoding), ("imencode", cv2)):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, name=name, f=function: (calls.append(name), f(*a))[1])
    image = picture(dtype, (13, 17, *tail))
    for ending in (".png", ".PNG"):
        check(image, encode(image, ending))
    assert calls == ["encode_png" if isal else "imencode"] * 2


@pytest.mark.parametrize("isal", [True, False])
def test_byte_order_does_not_change_the_image(isal, monkeypatch):
    monkeypatch.setattr(encoding, "has_isal", lambda: isal)
    image = picture("uint16")
    check(image, encode(image.astype(">u2"), ".png"))
    check(image, encoding.encode_png(image.astype(">u2")))


@pytest.mark.parametrize("found", [None, object()])
def test_has_isal_searches_only_once(found, monkeypatch):
    asked = []
    monkeypatch.setattr(encoding.importlib.util, "find_spec", lambda name: (asked.append(name), found)[1])
    encoding.has_isal.cache_clear()
    try:
        assert encoding.has_isal() == (found is not None)
        assert encoding.has_isal() == (found is not None)
    finally:
        encoding.has_isal.cache_clear()
    assert asked == ["isal"]
