"""Compiled loops give bit-identical results and are used only for supported inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import BORDERS, GRADIENTS, picture

import edgekit as ek
from edgekit.backends.opencv import backend as opencv
from edgekit.backends.opencv import fused, jit_loops, tiling
from edgekit.backends.opencv.fused import laplacian_sums
from edgekit.filters.apply import apply
from edgekit.operators.kernels import Kernel
from edgekit.operators.table import Kind, Operator

SMALL = [row for row in GRADIENTS if row.along.shape == (3, 3)]
TYPES = ("uint8", "int8", "uint16", "int16")
SHAPES = ((2, 2), (2, 3), (3, 2), (2, 41), (41, 2), (13, 17), (3, 70), (90, 5))


@pytest.fixture
def small_tiles(monkeypatch):
    """Small tiles on three threads."""
    monkeypatch.setattr(tiling, "TILE", 64)
    monkeypatch.setattr(opencv.cv2, "getNumThreads", lambda: 3)


@pytest.fixture
def calls(monkeypatch):
    """Names of the loops that were called."""
    called = []

    def watch(name):
        loop = getattr(jit_loops, name)

        def spy(*arguments):
            called.append(name)
            # Each other layout would be compiled separately.
            assert all(a.flags.c_contiguous for a in arguments if isinstance(a, np.ndarray))
            return loop(*arguments)

        monkeypatch.setattr(jit_loops, name, spy)

    names = ("gradient_magnitude", "gradient_along", "gradient", "weighted", "symmetric", "laplacian_sums", "quantize")
    for name in names:
        watch(name)
    return called


def both(function, *arguments, **options):
    """Return the results without loops and with them. The loops stay on."""
    found = []
    for fused.MODE in "01":
        found.append(function(*arguments, **options))
    return found


def extremes(dtype, shape):
    """Return an image of its type's least and largest values."""
    info = np.iinfo(dtype)
    return np.random.default_rng(shape).choice(np.array([info.min, info.min + 1, info.max - 1, info.max], dtype), shape)


def own_operator(taps, across=None):
    """Return a gradient operator with a kernel along x and one along y (default: the transposed)."""
    along = Kernel.dense(taps)
    across = along.transposed if across is None else Kernel.dense(across)
    return Operator("own", "own", Kind.GRADIENT, 1, 2, "", choices={None: (along, across)})


def own_3x3(corner, middle):
    """Return an operator with the columns (-corner, -middle, -corner), 0 and (corner, middle, corner)."""
    return own_operator([[-corner, 0, corner], [-middle, 0, middle], [-corner, 0, corner]])


@pytest.mark.parametrize("border", BORDERS[:-1])
@pytest.mark.parametrize("scale", ["unit", "raw"])
@pytest.mark.parametrize("row", SMALL, ids=lambda row: row.id)
def test_gradients_are_bit_identical(row, scale, border, small_tiles, calls):
    for dtype in TYPES:
        for shape in SHAPES:
            for image in (np.array(picture(dtype, shape)), extremes(dtype, shape)):
                before = len(calls)
                plain, compiled = both(apply, image, row.operator, row.parameters, scale=scale, border=border)
                assert compiled.dtype == plain.dtype == np.float32
                np.testing.assert_array_equal(compiled, plain, err_msg=f"{dtype} {shape}")
                assert len(calls) > before
    assert set(calls) == {"gradient_magnitude"}


LINEAR = {
    "gradient_along": [
        *(lambda i, a=a, **o: ek.sobel(i, angle=a, **o) for a in (0, 30, 45, 90, 180, 270, 315)),
        lambda i, **o: ek.prewitt(i, angle=120, **o),
        lambda i, **o: ek.oriented(i, [90], **o),
        lambda i, **o: np.stack([(g := ek.gradient(i, **o)).gx, g.gy]),
    ],
    "gradient weighted": [
        lambda i, **o: ek.oriented(i, [10, 45, 90], operator="scharr", **o),
        lambda i, **o: ek.oriented(i, [0, 90, 180, 270, 200], **o),
    ],
    "symmetric": [
        *(lambda i, s=s, **o: ek.laplacian(i, stencil=s, **o) for s in (4, 8, "isotropic")),
        lambda i, **o: ek.correlate(i, [[0, -1, 0], [-1, 5, -1], [0, -1, 0]], border=o["border"]),
    ],
}


@pytest.mark.parametrize("border", BORDERS[:-1])
@pytest.mark.parametrize("scale", ["unit", "raw"])
@pytest.mark.parametrize(("loop", "run"), [(loop, run) for loop, runs in LINEAR.items() for run in runs])
def test_linear_responses_are_bit_identical(loop, run, scale, border, small_tiles, calls):
    for dtype in TYPES:
        for shape in SHAPES:
            for image in (np.array(picture(dtype, shape)), extremes(dtype, shape)):
                before = len(calls)
                plain, compiled = both(run, image, scale=scale, border=border)
                assert compiled.dtype == plain.dtype == np.float32
                np.testing.assert_array_equal(compiled, plain, err_msg=f"{dtype} {shape}")
                assert len(calls) > before
    assert set(calls) == set(loop.split())


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_gradients_in_tiles_of_any_height(data):
    shape = data.draw(st.tuples(st.integers(2, 24), st.integers(2, 24)))
    dtype, row = data.draw(st.sampled_from(TYPES)), data.draw(st.sampled_from(SMALL))
    border = data.draw(st.sampled_from(BORDERS[:-1]))
    image = np.array(picture(dtype, shape, seed=data.draw(st.integers(0, 9))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "TILE", data.draw(st.sampled_from([1, 64, 2**18])))
        plain, compiled = both(apply, image, row.operator, row.parameters, border=border)
    np.testing.assert_array_equal(compiled, plain)


@pytest.mark.parametrize("where", ["new", "fitting", "strided", "over the image", "misaligned"])
def test_out_arrays_of_all_layouts(where, small_tiles, calls):
    memory = np.zeros(70 * 9 * 4 + 1, np.uint8)
    image = memory[: 70 * 9].reshape(70, 9)
    image[...] = picture("uint8", (70, 9))
    expected = ek.sobel(image.copy())
    into = {
        "new": None,
        "fitting": np.zeros((70, 9), np.float32),
        "strided": np.zeros((140, 36), np.float32)[::2, ::4],
        "over the image": memory[:-1].view(np.float32).reshape(70, 9),
        "misaligned": memory[1:].view(np.float32).reshape(70, 9),
    }[where]
    fused.MODE = "1"
    made = ek.sobel(image, out=into)
    assert into is None or made is into
    np.testing.assert_array_equal(made, expected)
    assert len(calls) > 1


@pytest.mark.parametrize(
    ("image", "run"),
    [
        (picture("uint8", (9, 9, 1)), ek.sobel),
        *((picture("uint8", (9, 9, 3)), lambda i, c=c: ek.sobel(i, channel=c)) for c in ("each", "max", "luminance")),
        *((picture(t, (9, 9)), ek.sobel) for t in ("bool", "int64")),
        (picture("uint8", (9, 9)), lambda i: ek.sobel(i, tone="log")),
        (picture("uint8", (9, 9)), lambda i: ek.sobel(i, size=5)),
        (picture("uint8", (9, 9)), lambda i: ek.sobel(i, angle=45, rotate="ring")),
        (picture("uint8", (9, 9)), ek.roberts),
        (picture("uint8", (9, 9)), ek.kirsch),
        # Decimal coefficients, and integers whose sums are not exact in single precision.
        (picture("uint8", (9, 9)), lambda i: ek.gaussian_gradient(i, sigma=0.3)),
        (picture("uint16", (9, 9)), lambda i: apply(i, own_3x3(171, 613), {})),
        (picture("int16", (9, 9)), lambda i: apply(i, own_3x3(342.5, 613), {})),
    ],
)  # fmt: skip
def test_other_filters_are_not_compiled(image, run, calls):
    plain, compiled = both(run, image)
    np.testing.assert_array_equal(compiled, plain)
    assert not calls


@pytest.mark.parametrize(
    ("image", "run"),
    [
        (picture("uint8", (9, 18))[:, ::2], ek.sobel),
        (picture("uint8", (9, 9)).T, ek.sobel),
    ],
)
def test_other_layouts_are_not_compiled(image, run, calls):
    plain, compiled = both(run, image)
    np.testing.assert_array_equal(compiled, plain)
    assert not calls


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1), (2, 2)])
@pytest.mark.parametrize("border", BORDERS[:-1])
def test_small_images_are_compiled(shape, border, calls):
    plain, compiled = both(ek.sobel, picture("uint8", shape), border=border)
    np.testing.assert_array_equal(compiled, plain)
    assert calls == ["gradient_magnitude"]


def test_own_operators_are_compiled_if_sums_are_exact(calls):
    rows = own_3x3(171, 613), own_3x3(0.5, 2.25), own_3x3(-3, 1)
    for row in rows:
        plain, compiled = both(apply, np.array(picture("uint8")), row, {})
        np.testing.assert_array_equal(compiled, plain)
    assert len(calls) == len(rows)


@pytest.mark.parametrize("corner", [0.5, 1, 3, 5, 7, 171, -4])
def test_multiples_of_sobel_are_bit_identical(corner):
    image = extremes("uint8", (60, 70)) // 3 * np.arange(70, dtype=np.uint8)
    row = own_3x3(corner, 2 * corner)
    for angle in (None, 45, 200):
        plain, compiled = both(apply, image, row, {}, scale="raw", angle=angle)
        np.testing.assert_array_equal(compiled, plain)
        # OpenCV's function for both components does not support uint16.
        np.testing.assert_array_equal(plain, apply(image.astype(np.uint16), row, {}, scale="raw", angle=angle))


@pytest.mark.parametrize(
    "row",
    [
        own_operator([[-1, 0, 2], [-2, 0, 2], [-1, 0, 1]]),
        own_operator([[-1, 1, 0], [-2, 2, 0], [-1, 1, 0]]),
        own_operator([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
        own_operator([[-2, 1, 1], [-3, 1, 2], [-1, 0, 1]], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
    ],
)
def test_other_3x3_operators_are_not_compiled(row, calls):
    plain, compiled = both(apply, np.array(picture("uint8")), row, {}, scale="raw")
    np.testing.assert_array_equal(compiled, plain)
    assert not calls


@pytest.mark.parametrize(("power", "taken"), [(-150, 0), (-130, 0), (-80, 2), (80, 2), (117, 0)])
def test_very_large_and_small_factors_are_not_compiled(power, taken, calls):
    image, factor = np.array(picture("uint8")), 3 * 2.0**power
    taps = [[0, factor, 0], [factor, -4 * factor, factor], [0, factor, 0]]
    gradient = own_3x3(factor, 2 * factor)
    for plain, compiled in (both(ek.correlate, image, taps), both(apply, image, gradient, {}, angle=30, scale="raw")):
        np.testing.assert_array_equal(compiled, plain)
    assert len(calls) == taken


def expected_sums(image):
    """Return the exact sum and sum of squares of the 4-neighbour Laplacian."""
    p = np.pad(image.astype(np.int64), 1, "reflect")
    laplacian = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * p[1:-1, 1:-1]
    return int(laplacian.sum()), int((laplacian**2).sum())


def whole_sums(image):
    """Return the sums over a whole image."""
    return laplacian_sums(image, slice(0, image.shape[0]), slice(0, image.shape[1]))


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1), (1, 9), (9, 1), (301, 7), (64, 65), (17, 64)])
def test_laplacian_sums_are_exact(shape, calls):
    board = np.uint8(255) * (np.indices(shape).sum(0) % 2).astype(np.uint8)
    for image in (np.array(picture("uint8", shape)), extremes("uint8", shape), board, np.full(shape, 255, np.uint8)):
        for found in both(whole_sums, image):
            assert found == expected_sums(image)
    assert set(calls) == ({"laplacian_sums"} if min(shape) > 1 else set())


def test_laplacian_sums_of_some_rows(calls):
    image = np.array(picture("uint8", (40, 30)))
    whole = expected_sums(image)
    for first, stop in ((0, 7), (7, 40), (0, 40)):
        for found in both(laplacian_sums, image, slice(first, stop), slice(0, 30)):
            rest = [laplacian_sums(image, slice(*ends), slice(0, 30)) for ends in ((0, first), (stop, 40))]
            assert found == tuple(a - b - c for a, b, c in zip(whole, *rest, strict=True))
    assert calls


def test_laplacian_sums_do_not_overflow(calls):
    # The sum of squares needs more than 32 bits.
    board = np.uint8(255) * (np.indices((512, 512)).sum(0) % 2).astype(np.uint8)
    for found in both(whole_sums, board):
        assert found == (0, 1020**2 * 512**2)
    assert calls == ["laplacian_sums"]


def test_laplacian_sums_of_strided_images_are_not_compiled(calls):
    image = picture("uint8", (30, 40))[::2, ::3]
    for found in both(whole_sums, image):
        assert found == expected_sums(image)
    assert not calls


def test_laplacian_sums_round_inexact_norms(monkeypatch):
    image = np.array(picture("uint8", (60, 70)))
    norm, sum_of = opencv.cv2.norm, opencv.cv2.sumElems
    monkeypatch.setattr(opencv.cv2, "norm", lambda *a: np.nextafter(norm(*a), 0))
    monkeypatch.setattr(opencv.cv2, "sumElems", lambda *a: (np.nextafter(sum_of(*a)[0], 1e9), 0, 0, 0))
    assert whole_sums(image) == expected_sums(image)


SPECIAL = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, 1.5, -0.5, 127.5, -127.5, 128.0, 3e38, -3e38])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(SPECIAL | st.floats(-300, 300, width=32) | st.integers(-512, 512).map(lambda n: n / 2), max_size=40),
    st.sampled_from([127.5, 255, 1.0, 0.3, 40000.0, 1e-20, 1e20]) | st.floats(0.1, 1000),
    st.sampled_from(["full", "signed"]),
    st.sampled_from([8, 16]),
)
def test_to_display_is_bit_identical(values, white, mode, depth):
    response = np.array([values], np.float32)
    with np.errstate(over="ignore"):
        plain, compiled = both(ek.to_display, response, mode, depth=depth, white=white)
    np.testing.assert_array_equal(compiled.image, plain.image)
    assert compiled.image.dtype == plain.image.dtype
    assert compiled.clipped == plain.clipped


@pytest.mark.parametrize("mode", ["full", "stretch", "signed"])
@pytest.mark.parametrize("depth", [8, 16])
def test_clipped_values_of_all_tiles_are_counted(mode, depth, small_tiles, calls):
    response = np.random.default_rng(5).normal(0, 100, (40, 9, 3)).astype(np.float32)
    response[::7, 3] = np.nan
    plain, compiled = both(ek.to_display, response, mode, depth=depth)
    np.testing.assert_array_equal(compiled.image, plain.image)
    side = 2**depth - 1 if mode != "signed" else 2 ** (depth - 1) - 1
    beyond = np.count_nonzero(np.abs(np.rint(response.astype(np.float64) * side / 31.875)) > side)
    assert plain.clipped == compiled.clipped == (0 if mode == "stretch" else beyond)
    assert calls
    assert set(calls) == {"quantize"}


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_to_display_of_other_types_is_not_compiled(dtype, calls):
    response = np.array([[0, 0.25, -3, 500, np.nan]], dtype)
    plain, compiled = both(ek.to_display, response)
    assert plain.image.tolist() == compiled.image.tolist()
    assert not calls


def test_picture_uses_compiled_gradient_and_quantization(small_tiles, calls):
    image = np.array(picture("uint8", (70, 9)))
    into = np.zeros((140, 18), np.uint8)[::2, ::2]
    plain, compiled = both(ek.picture, image)
    np.testing.assert_array_equal(compiled.image, plain.image)
    assert compiled.clipped == plain.clipped
    assert set(calls) == {"gradient_magnitude", "quantize"}
    calls.clear()
    # Quantization into strided arrays is not compiled.
    np.testing.assert_array_equal(ek.picture(image, out=into).image, plain.image)
    assert set(calls) == {"gradient_magnitude"}
