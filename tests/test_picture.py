"""`picture` compared with a filter followed by `to_display`, with the white level of `white_level`."""

import tracemalloc

import numpy as np
import oracle
import pytest
import torch

import edgekit as ek
from edgekit.backends.opencv import backend, tiling
from edgekit.filters.apply import apply
from edgekit.operators.table import find

MODES = ("full", "stretch", "signed")

#: Operator, parameters, options.
FILTERS = (
    ("sobel", {}, {}),
    ("sobel", {"size": 5}, {"angle": 30, "border": "symmetric"}),
    ("scharr", {}, {"scale": "raw", "border": "constant"}),
    ("roberts", {}, {"border": "valid"}),
    ("gaussian", {"sigma": 1.3}, {"angle": 90, "border": "wrap"}),
    ("laplacian", {"stencil": 8}, {"border": "edge"}),
    ("laplacian", {"sigma": 1.0}, {}),
    ("kirsch", {}, {"scale": "raw"}),
    ("sobel", {}, {"tone": "log"}),
)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    monkeypatch.setattr(tiling, "TILE", 64)
    monkeypatch.setattr(backend.cv2, "getNumThreads", lambda: 2)


def by_id(value):
    return "-".join(str(v) for v in (value[0], *value[1].values(), *value[2].values()))


def in_two_steps(image, filter, mode, depth, white=None, **options):
    operator, parameters, more = filter
    options |= more
    response = apply(image, operator, parameters, **options)
    options.pop("mask", None)
    white = white or ek.white_level(image, operator, parameters, **options)
    return ek.to_display(response, mode, depth=depth, **({} if mode == "stretch" else {"white": white}))


def check(kind, image, filter, mode, depth, **options):
    expected = in_two_steps(image, filter, mode, depth, **options)
    operator, parameters, more = filter
    found = ek.picture(image, operator, parameters, mode=mode, depth=depth, **options, **more)
    assert kind.dtype(found.image) == f"uint{depth}"
    assert found.image.shape == expected.image.shape
    np.testing.assert_array_equal(kind.plain(found.image), kind.plain(expected.image))
    assert type(found.clipped) is int
    assert found.clipped == expected.clipped
    return found


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("filter", FILTERS, ids=by_id)
def test_picture_equals_to_display_of_the_response(filter, mode, depth, kind):
    for dtype in ("uint8", "uint16", "float16", "float32", "float64"):
        check(kind, kind.image(oracle.picture(dtype, (70, 9))), filter, mode, depth)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channel", ["each", "luminance", "max", "dizenzo"])
def test_picture_of_colour_images(channel, mode, kind):
    for dtype in ("uint8", "float32"):
        image = kind.image(oracle.picture(dtype, (40, 9, 3)))
        found = check(kind, image, ("sobel", {}, {}), mode, 8, channel=channel)
        assert kind.plain(found.image, channels=True).squeeze().ndim == (3 if channel == "each" else 2)


@pytest.mark.parametrize("mode", MODES)
def test_picture_of_masked_images(mode, kind):
    valid = np.random.default_rng(3).random((40, 9)) < 0.95
    for dtype, shape in (("uint8", (40, 9)), ("float32", (40, 9)), ("float32", (40, 9, 3))):
        array = np.array(oracle.picture(dtype, shape))
        if dtype == "float32":
            array[20, 4] = np.nan
        mask = kind.image(valid)
        image = kind.image(array)
        check(kind, image, ("sobel", {}, {"angle": 0}), mode, 8, mask=mask, white=0.5)
        found = kind.plain(ek.picture(image, mode=mode, mask=mask, white=0.5).image, channels=len(shape) == 3)
        affected = oracle.affected(valid, [[1, 1, 1], [1, 0, 1], [1, 1, 1]])
        assert (found[affected] == (128 if mode == "signed" else 0)).all()


@pytest.mark.parametrize("white", [0.25, 3, 400.0])
@pytest.mark.parametrize("mode", MODES)
def test_white_option(mode, white, kind):
    image = kind.image(oracle.picture("uint8", (40, 9)))
    found = check(kind, image, ("sobel", {}, {"angle": 0}), mode, 8, white=white)
    assert (found.clipped > 0) == (mode != "stretch" and white < 100)


def test_levels_calculated_by_hand(kind):
    # The central differences are 20 and -20, at equal distances from mid-gray in mode signed.
    image = kind.image(np.uint8([[0, 0, 40, 40, 0, 0]]))
    for mode, levels in (("full", [0, 102, 102, 102, 102, 0]), ("signed", [128, 179, 179, 77, 77, 128])):
        found = ek.picture(image, "central", mode=mode, white=50, angle=0)
        assert kind.plain(found.image).tolist() == [levels]
    assert ek.picture(image, "central", white=10, angle=0).clipped == 4


def test_picture_accepts_an_operator_object():
    image = oracle.picture("uint8", (40, 9))
    row = find("scharr")
    np.testing.assert_array_equal(ek.picture(image, row).image, ek.picture(image, "scharr").image)
    assert (ek.picture(image, row).image != ek.picture(image).image).any()


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("mode", MODES)
def test_out_is_filled_and_returned(mode, depth, kind):
    for shape in ((40, 9), (40, 9, 3)):
        image = kind.image(oracle.picture("uint16", shape))
        expected = ek.picture(image, mode=mode, depth=depth)
        # out may have any strides.
        out = kind.image(np.full(shape, 77, f"uint{depth}"), writeable=True)
        found = ek.picture(image, mode=mode, depth=depth, out=out)
        assert found.image is out
        assert found.clipped == expected.clipped
        np.testing.assert_array_equal(kind.plain(out), kind.plain(expected.image))


def test_clipped_pixels_are_counted_with_out():
    # Infinite in half precision.
    image = np.full((40, 9), 30000, np.float16)
    image[20] = -30000
    options = {"scale": "raw", "angle": 90, "mode": "stretch"}
    with np.errstate(over="ignore"):
        found = [ek.picture(image, out=out, **options) for out in (None, np.empty((40, 9), np.uint8))]
    # The rows above and below.
    assert [f.clipped for f in found] == [18, 18]
    np.testing.assert_array_equal(found[1].image, found[0].image)


def test_levels_are_written_directly_to_the_result(monkeypatch):
    quantize, places = backend.quantize, []
    monkeypatch.setattr(backend, "quantize", lambda *a: (places.append(a[-1]), quantize(*a))[1])
    found = ek.picture(oracle.picture("uint8", (70, 9)))
    assert len(places) > 1
    assert all(np.shares_memory(p, found.image) for p in places)


@pytest.mark.parametrize("mode", MODES)
def test_out_may_be_the_image(mode, kind_of):
    for name in ("numpy", "compiled", "strided", "torch"):
        kind = kind_of[name]
        image = kind.image(oracle.picture("uint8", (70, 9)), writeable=True)
        expected = kind.plain(ek.picture(image, mode=mode).image).copy()
        assert ek.picture(image, mode=mode, out=image).image is image
        np.testing.assert_array_equal(kind.plain(image), expected)


@pytest.mark.parametrize("mode", MODES)
def test_invalid_out_is_refused(mode):
    image = oracle.picture("uint8", (40, 9))
    for out, error, match in (
        (np.zeros((40, 9), np.uint16), ek.DtypeError, "out must have the result's type .*uint8.*; found uint16"),
        (np.zeros((40, 9), np.float32), ek.DtypeError, "found float32"),
        (np.zeros((9, 40), np.uint8), ek.ShapeError, r"shape \(40, 9\); found \(9, 40\)"),
        (torch.zeros((40, 9), dtype=torch.uint8), ek.DtypeError, "out must be a NumPy array, .*; found Tensor"),
        ([[0] * 9] * 40, ek.DtypeError, "found list"),
        (np.broadcast_to(np.uint8(0), (40, 9)), ek.ParameterError, "read-only"),
    ):
        with pytest.raises(error, match=match):
            ek.picture(image, mode=mode, out=out)
    tensor = torch.from_numpy(image.copy())
    with pytest.raises(ek.DtypeError, match=r"out must be a torch tensor, .*; found ndarray"):
        ek.picture(tensor, mode=mode, out=np.zeros((40, 9), np.uint8))
    with pytest.raises(ek.ShapeError, match="found"):
        ek.picture(tensor, mode=mode, out=torch.zeros((1, 40, 9), dtype=torch.uint8))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"mode": "half"}, "mode='half' is not known; choose one of full, stretch, signed"),
        ({"depth": 12}, "depth=12 must be 8 or 16 bits"),
        ({"depth": "float"}, "depth='float'"),
        *(({"white": w, "mode": m}, "white=.* must be positive") for m in MODES for w in (0, -1, np.nan, np.inf)),
        ({"operator": "sobol"}, "sobol"),
        ({"border": "none"}, "border='none' is not known"),
        ({"parameters": {"size": 4}}, "size"),
        ({"parameters": {"sigma": 1.0}}, "does not take sigma"),
    ],
)
def test_invalid_options_are_refused(options, match, kind):
    out = np.full((9, 9), 77, np.uint8)
    with pytest.raises(ek.ParameterError, match=match):
        ek.picture(kind.image(oracle.picture("uint8", (9, 9))), **{"out": None if kind.is_torch else out} | options)
    assert (out == 77).all()


@pytest.mark.parametrize("compiled", ["0", "1"])
@pytest.mark.parametrize("mode", ["full", "signed"])
def test_picture_does_not_store_the_response(mode, compiled, monkeypatch):
    monkeypatch.setattr(tiling, "TILE", 2**14)
    monkeypatch.setattr("edgekit.backends.opencv.fused.MODE", compiled)
    image = np.zeros((1500, 1000), np.uint8)
    ek.picture(image[:100], mode=mode)
    tracemalloc.start()
    try:
        ek.picture(image, mode=mode)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The response would take four bytes a pixel, the picture takes one.
    assert image.size <= peak < 2 * image.size
