"""Compiled loops over edges find the same pixels as NumPy and OpenCV."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from oracle import picture

import edgekit as ek
from edgekit.backends.opencv import fused, jit_loops, tiling
from edgekit.edges.thinning import suppress, thinned_mask

#: Few values, so that neighbours are often equal; and values whose differences are rounded, or not finite.
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.1, 1e-30, 3e38, np.inf, -np.inf, np.nan])
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=7)


@pytest.fixture
def calls(monkeypatch):
    """Names of the loops that were called."""
    called = []

    def watch(name):
        loop = getattr(jit_loops, name)
        monkeypatch.setattr(jit_loops, name, lambda *arguments: called.append(name) or loop(*arguments))

    for name in ("local_maxima", "thin", "connected"):
        watch(name)
    return called


def both(function, *arguments, **options):
    """Return the result without compiled loops and with them."""
    results = []
    for fused.MODE in "01":
        with np.errstate(all="ignore"):
            results.append(function(*arguments, **options))
    return results


@given(st.data(), SHAPES, st.sampled_from(["float32", "float64"]), st.booleans())
def test_local_maxima(data, shape, dtype, interpolate):
    planes = [data.draw(arrays.arrays("float64", shape, elements=VALUES)).astype(dtype) for _ in range(3)]
    plain, compiled = both(suppress, *planes, interpolate=interpolate)
    np.testing.assert_array_equal(plain, compiled)


@given(arrays.arrays(bool, SHAPES))
def test_thinned_lines(mask):
    np.testing.assert_array_equal(*both(thinned_mask, mask))


@given(arrays.arrays("uint8", SHAPES, elements=st.integers(0, 4)))
def test_hysteresis(strength):
    np.testing.assert_array_equal(*both(ek.hysteresis, strength, 1, 3))


@pytest.mark.parametrize("columns", range(1, 10))
def test_the_last_pixel_counts(columns):
    """The bytes of a plane are checked eight at a time, and then the rest."""
    for rows in range(1, 10):
        strength = np.full((rows, columns), 2)
        strength[-1, -1] = 4
        for result in both(ek.hysteresis, strength, 1, 3):
            assert result.all()


@pytest.mark.parametrize("order", [np.asfortranarray, np.transpose, np.flipud])
def test_rows_that_are_not_contiguous(order, calls):
    strength = order(np.random.default_rng(0).random((40, 30)))
    np.testing.assert_array_equal(*both(ek.hysteresis, strength, 0.5, 0.9))
    np.testing.assert_array_equal(*both(thinned_mask, strength > 0.3))
    assert set(calls) == {"connected", "thin"}


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("interpolate", [True, False])
def test_canny_in_tiles(dtype, interpolate, calls, monkeypatch):
    monkeypatch.setattr(tiling, "TILE", 64)
    image = np.array(picture(dtype, (120, 90)))
    plain, compiled = both(ek.canny, image, high="90%", interpolate=interpolate)
    assert plain.any()
    np.testing.assert_array_equal(plain, compiled)
    assert set(calls) == {"local_maxima", "connected"} | ({"thin"} if interpolate else set())


def test_colours_and_transposed_planes(calls):
    image = np.array(picture("uint8", (60, 50)))
    stacked = np.stack([image, image[:, ::-1], 255 - image], -1).transpose(1, 0, 2)
    np.testing.assert_array_equal(*both(ek.canny, stacked, high="90%", channel="each"))
    assert calls
