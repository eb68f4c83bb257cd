"""Responses of floating-point images: bit-identical at all positions, with and without compiled loops."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import BORDERS

import edgekit as ek
from edgekit.backends.opencv import correlation, fused, jit_loops, tiling
from edgekit.errors import ShapeError

FILTERS = {
    "sobel": lambda image, **options: ek.sobel(image, **options),
    "scharr": lambda image, **options: ek.scharr(image, **options),
    "prewitt along": lambda image, **options: ek.prewitt(image, angle=30, **options),
    "sobel at 45": lambda image, **options: ek.sobel(image, angle=45, **options),
    "sobel along x, raw": lambda image, **options: ek.sobel(image, angle=0, scale="raw", **options),
    "bank": lambda image, **options: ek.oriented(image, [0, 50], operator="scharr", **options),
    "four directions": lambda image, **options: ek.oriented(image, [0, 50, 90, 200], **options),
    "gradient": lambda image, **options: np.stack([(g := ek.gradient(image, **options)).gx, g.gy]),
    **{
        f"laplacian {stencil}": lambda image, stencil=stencil, **options: ek.laplacian(
            image, stencil=stencil, **options
        )
        for stencil in (4, 8, "isotropic")
    },
}


@pytest.fixture(autouse=True)
def mode(monkeypatch):
    monkeypatch.setattr(fused, "MODE", "0")


def pixels(dtype, shape, seed=0):
    """Return values of many magnitudes around 1, and some zeros."""
    random = np.random.default_rng((seed, *shape))
    image = random.standard_normal(shape) * 10.0 ** random.integers(-3, 3, shape)
    image[random.random(shape) < 0.1] = 0
    return image.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_response_does_not_depend_on_its_column(name, dtype):
    image = pixels(dtype, (9, 71))
    whole = FILTERS[name](image)
    for first in (1, 2, 5, 17):
        part = FILTERS[name](np.ascontiguousarray(image[:, first:]))
        np.testing.assert_array_equal(part[..., 1:], whole[..., first + 1 :])


@pytest.mark.parametrize("mode", ["0", "1"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FILTERS)
def test_constant_images_give_exactly_zero(name, dtype, mode, monkeypatch):
    monkeypatch.setattr(fused, "MODE", mode)
    for value in np.random.default_rng(0).standard_normal(30):
        flat = np.full((7, 45), value, dtype)
        assert not FILTERS[name](flat).any()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_compiled_loops_are_bit_identical(data):
    shape = data.draw(st.tuples(st.integers(2, 20), st.integers(2, 40)))
    image = pixels(data.draw(st.sampled_from(["float32", "float64"])), shape, data.draw(st.integers(0, 9)))
    for value in data.draw(st.lists(st.sampled_from([np.nan, np.inf, 3e38, 1e-30, -1e-44, -3e25, -0.0]), max_size=3)):
        image[data.draw(st.integers(0, shape[0] - 1)), data.draw(st.integers(0, shape[1] - 1))] = value
    laid = data.draw(st.sampled_from(["C", "F", "reversed", "every second column"]))
    image = {"C": image, "F": np.asfortranarray(image), "reversed": image[::-1]}.get(laid, image[:, ::2])
    name, border = data.draw(st.sampled_from(list(FILTERS))), data.draw(st.sampled_from(BORDERS))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tiling, "TILE", data.draw(st.sampled_from([1, 64, 2**18])))
            plain = FILTERS[name](image, border=border)
            patch.setattr(fused, "MODE", "1")
            compiled = FILTERS[name](image, border=border)
    except ShapeError:
        assert border == "valid"
        return
    np.testing.assert_array_equal(compiled, plain)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "loop"),
    [
        ("sobel", "gradient_magnitude"),
        ("bank", "gradient_along"),
        ("four directions", "weighted"),
        ("laplacian 8", "symmetric"),
    ],
)
def test_compiled_loops_are_used(name, loop, dtype, monkeypatch):
    monkeypatch.setattr(fused, "MODE", "1")
    calls = []
    compiled = getattr(jit_loops, loop)
    monkeypatch.setattr(jit_loops, loop, lambda *arguments: calls.append(1) or compiled(*arguments))
    FILTERS[name](pixels(dtype, (20, 30)))
    assert calls


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1), st.floats(2.0**-100, 1.0), st.sampled_from(["float32", "float64"]))
def test_extent_of_arrays(values, tiny, dtype):
    array = np.array([values]).astype(dtype)
    sizes = [abs(float(v)) for v in array[0]]
    size, finite, some_tiny = correlation.extent(array, tiny)
    assert size == max((s for s in sizes if s < np.inf), default=0)
    assert finite == all(s < np.inf for s in sizes)
    assert some_tiny == any(0 < s < np.array(tiny, dtype) for s in sizes)


@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 1e-24), ("float32", 1e22), ("float64", 1e-170), ("float64", 1e160)]
)
@pytest.mark.parametrize("name", FILTERS)
def test_tiny_and_large_values_with_compiled_loops(name, dtype, size, monkeypatch):
    image = (np.random.default_rng(0).random((9, 20)) * size).astype(dtype)
    plain = FILTERS[name](image)
    monkeypatch.setattr(fused, "MODE", "1")
    np.testing.assert_array_equal(FILTERS[name](image), plain)
    assert plain.any()


@pytest.mark.parametrize("name", FILTERS)
def test_special_values_at_each_place_of_a_row(name, monkeypatch):
    places = ((20, 0), (20, 5), (20, 19), (2, 0), (2, 1))
    for value, (columns, column) in product((np.nan, np.inf, 3e38, 1e-30), places):
        image = np.zeros((9, columns), np.float32)
        image[4, column] = value
        with monkeypatch.context() as patch:
            patch.setattr(fused, "_TYPES", frozenset())
            plain = FILTERS[name](image)
        for mode in "01":
            monkeypatch.setattr(fused, "MODE", mode)
            np.testing.assert_array_equal(FILTERS[name](image), plain)
