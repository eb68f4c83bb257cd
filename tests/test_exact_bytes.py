"""8-bit images, whose sums are exact: fused functions are bit-identical to single steps, for any tile size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import BORDERS, picture

import edgekit as ek
from edgekit.backends.opencv import backend, fused, tiling
from edgekit.filters.apply import apply
from edgekit.operators.kernels import Kernel
from edgekit.operators.table import Kind, Operator

FILTERS = {
    "sobel": lambda i, **o: ek.sobel(i, **o),
    "sobel at 45": lambda i, **o: ek.sobel(i, angle=45, **o),
    "sobel's components": lambda i, **o: np.stack([(g := ek.gradient(i, **o)).gx, g.gy]),
    "sobel along y": lambda i, **o: ek.sobel(i, angle=90, **o),
    "sobel of 5x5": lambda i, **o: ek.sobel(i, size=5, **o),
    "scharr": lambda i, **o: ek.scharr(i, **o),
    "scharr at three angles": lambda i, **o: ek.oriented(i, [0, 30, 90], operator="scharr", **o),
    "laplacian": lambda i, **o: ek.laplacian(i, **o),
    "own": lambda i, **o: ek.correlate(i, [[1, 2, 3, 4, 5], [0, -7, 1, 9, 2], [1, 1, 0, 0, -3]], **o),
    "own of 9x9": lambda i, **o: ek.correlate(i, np.outer(range(9), [1, 2, 3, 4, 5, 4, 3, 2, 1]), **o),
    "roberts": lambda i, **o: ek.roberts(i, **o),
    "kirsch": lambda i, **o: ek.kirsch(i, **o),
    "gaussian": lambda i, **o: ek.gaussian_gradient(i, sigma=1, **o),
    "decimal": lambda i, **o: ek.correlate(i, [[0.1, 0.2, 0.7]], **o),
    "many coefficients": lambda i, **o: ek.correlate(i, np.arange(81).reshape(9, 9) % 7, **o),
}


@pytest.fixture(autouse=True)
def no_compiled_loops(monkeypatch):
    monkeypatch.setattr(fused, "MODE", "0")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fused_functions_are_bit_identical_to_single_steps(data):
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 20)))
    image = np.array(picture("uint8", shape, seed=data.draw(st.integers(0, 9))))
    name, border = data.draw(st.sampled_from(sorted(FILTERS))), data.draw(st.sampled_from(BORDERS[:-1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "TILE", data.draw(st.sampled_from([16, 200, tiling.TILE])))
        made = FILTERS[name](image, border=border)
        out = np.full(made.shape, np.nan, np.float32)
        if name != "sobel's components":
            np.testing.assert_array_equal(FILTERS[name](image, border=border, out=out), made)
        patch.setattr(backend, "fused", lambda *_, **__: None)
        np.testing.assert_array_equal(made, FILTERS[name](image, border=border))


def test_sums_beyond_single_precision():
    taps = [[0, 2.0**17, 0], [0, 1.0, 0], [0, 0, 0]]
    image = np.array(picture("uint8", (9, 9)))
    made = ek.correlate(image, taps)
    padded = np.pad(image, 1, mode="reflect").astype(np.float64)
    expected = padded[:-2, 1:-1] * 2**17 + padded[1:-1, 1:-1]
    np.testing.assert_array_equal(made, expected.astype(np.float32))


def gradient(along, across):
    """Return a gradient operator that is not in the table."""
    return Operator("own", "own", Kind.GRADIENT, 1, 2, "", choices={None: (along, across)})


def expected(image, kernel, **options):
    """Return a linear response computed in double precision."""
    return ek.correlate(image.astype(np.float64), kernel.coefficients, **options)


def test_kernel_that_is_a_sum_of_separable_kernels():
    one, two = ([1, 2, 1], [-1, 0, 1]), ([0, 1, 0], [1, -2, 1])
    kernel = Kernel.separable(one, two)
    sum_of_two = Operator("own", "own", Kind.KERNEL, 0, 1, "", choices={None: (kernel,)})
    image = np.array(picture("uint8", (20, 30)))
    np.testing.assert_array_equal(apply(image, sum_of_two, {}), expected(image, kernel))


def test_kernels_with_different_response_types():
    small = Kernel.dense([[1, 0, 0], [0, 0, 0], [0, 0, -1]])
    large = Kernel.dense([[0, 0, 100], [0, 3, 0], [-103, 0, 0]])
    operator, image = gradient(small, large), np.array(picture("uint8", (20, 30)))
    made = apply(image, operator, {}, scale="raw")
    root = np.hypot(expected(image, small), expected(image, large))
    np.testing.assert_allclose(made, root, rtol=1e-6)


@pytest.mark.parametrize("angle", [None, 30])
def test_wide_kernels_are_combined_in_double_precision(angle):
    along = Kernel.separable(([1, 8, 28, 56, 70, 56, 28, 8, 1], [-1, -6, -14, -14, 0, 14, 14, 6, 1]))
    operator, image = gradient(along, along.transposed), np.array(picture("uint8", (40, 50)))
    gx, gy = (expected(image, k) for k in (along, along.transposed))
    made = apply(image, operator, {}, angle=angle, scale="raw")
    cos, sin = np.cos(np.deg2rad(30)), np.sin(np.deg2rad(30))
    exact = np.sqrt(gx * gx + gy * gy) if angle is None else cos * gx + sin * gy
    np.testing.assert_array_max_ulp(made, exact.astype(np.float32), 1)


def views(image):
    """Yield images whose rows overlap, are the same memory, or have strides that OpenCV does not support."""
    line = image.reshape(-1)
    yield from (image.T, image[::-1], image[:, ::2], image[::2], image[3:9, 5:14], image[:, 3:4])
    yield from (np.lib.stride_tricks.sliding_window_view(line, 30)[::step] for step in (1, 2, 10))
    yield from (np.broadcast_to(line[:1], (9, 1)), np.broadcast_to(line[:7], (9, 7)), line[:9, np.newaxis])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("name", ["sobel", "scharr", "laplacian", "own", "one coefficient"])
def test_strided_images_equal_their_copies(name, dtype):
    run = {**FILTERS, "one coefficient": lambda i, **o: ek.correlate(i, [[3]], **o)}[name]
    for odd in views(np.array(picture("uint8", (30, 40))).astype(dtype)):
        for border in BORDERS:
            if border != "valid" or min(odd.shape) > 4:
                np.testing.assert_array_equal(run(odd, border=border), run(odd.copy(), border=border))


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1)])
@pytest.mark.parametrize("name", ["sobel", "sobel at 45", "scharr", "laplacian"])
def test_out_of_any_strides(name, shape):
    image = np.array(picture("uint8", shape))
    out = np.zeros(shape[::-1], np.float32).T
    np.testing.assert_array_equal(FILTERS[name](image, out=out), FILTERS[name](image))
    np.testing.assert_array_equal(
        ek.picture(image, out=np.zeros(shape[::-1], np.uint8).T).image, ek.picture(image).image
    )
