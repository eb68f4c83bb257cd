"""Random images for property tests: all types and memory layouts, down to one pixel."""

import numpy as np
import torch
from hypothesis import strategies as st
from oracle import BORDERS, ROWS

from edgekit.backends.opencv import fused

INTEGERS = ("bool", "uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float16", "float32", "float64")

#: Rows of all operators; borders; types; angles.
rows = st.sampled_from(ROWS)
borders = st.sampled_from([b for b in BORDERS if b != "valid"])
dtypes = st.sampled_from(INTEGERS + FLOATS)
angles = st.integers(-8, 16).map(lambda n: n * 45.0) | st.floats(-720, 720)


def shapes(most=11, channels=True):
    """Return strategies of (rows, columns), and of (rows, columns, channels)."""
    side = st.integers(1, most)
    plain = st.tuples(side, side)
    colored = st.tuples(side, side, st.integers(1, 6))
    # Without channel_axis some shapes are refused, because the channel axis is ambiguous.
    colored = colored.filter(lambda shape: not ({3, 4} & {*shape[:2]} and sum(n > 4 for n in shape) == 2))
    return plain | colored if channels else plain


@st.composite
def whole_numbers(draw, dtype=dtypes, shape=None):
    """Return images of small integers, which integer kernels filter without rounding."""
    dtype = np.dtype(draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype)
    shape = draw(shapes() if shape is None else shape)
    low, high = (0, 1) if dtype.kind == "b" else (0 if dtype.kind == "u" else -9, 9)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.integers(low, high, shape, endpoint=True).astype(dtype)


@st.composite
def any_numbers(draw, dtype=dtypes, shape=None):
    """Return images over the whole range of a type, but below 2^53, or floats of any magnitude."""
    dtype = np.dtype(draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype)
    shape = draw(shapes() if shape is None else shape)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if dtype.kind == "b":
        return rng.integers(0, 1, shape, endpoint=True).astype(bool)
    if dtype.kind in "iu":
        low, high = max(np.iinfo(dtype).min, 1 - 2**53), min(np.iinfo(dtype).max, 2**53 - 1)
        return rng.integers(low, high, shape, dtype=dtype, endpoint=True)
    most = np.finfo(dtype).maxexp - 12
    size = np.ldexp(1.0, draw(st.integers(-most, most) | st.just(0)))
    return (rng.uniform(-1, 1, shape) * size).astype(dtype)


@st.composite
def laid_out(draw, array):
    """Return the same image in another memory layout."""
    how = draw(st.sampled_from(["C", "F", "reversed", "steps", "offset", "broadcast", "read-only", "swapped"]))
    if how == "F":
        return np.asfortranarray(array)
    if how == "reversed":
        flip = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[flip])[flip]
    if how in ("steps", "offset"):
        step = 2 if how == "steps" else 1
        wide = np.zeros([step * n + 3 for n in array.shape], array.dtype)
        part = tuple(slice(1, 1 + step * n, step) for n in array.shape)
        wide[part] = array
        return wide[part]
    if how == "broadcast" and (array == array[:1]).all():
        return np.broadcast_to(array[:1], array.shape)
    copy = array.astype(array.dtype.newbyteorder()) if how == "swapped" else array.copy()
    copy.flags.writeable = how != "read-only"
    return copy


def compiled(on):
    """Switch compiled loops on or off."""
    fused.MODE = "1" if on else "0"


def as_tensor(array):
    """Return a tensor, channels first."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, 2, 0) if array.ndim == 3 else array))


def as_array(response, channels):
    """Return a tensor as an array, channels last."""
    response = response.numpy()
    return np.moveaxis(response, -3, -1) if channels else response
