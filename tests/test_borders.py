"""The index map of borders equals `numpy.pad` at any size."""

import numpy as np
import pytest
from oracle import BORDERS, ROWS, picture

import edgekit as ek
from edgekit.backends.opencv import tiling
from edgekit.errors import ParameterError
from edgekit.operators import borders
from edgekit.operators.filter_spec import filter_spec
from edgekit.operators.table import find

PADDING = [b for b in BORDERS if b not in ("valid", "constant")]


def test_names_of_borders():
    assert set(borders.BORDERS) == set(BORDERS)


@pytest.mark.parametrize("border", PADDING)
@pytest.mark.parametrize("size", range(1, 7))
def test_index_map_equals_numpy_pad(border, size):
    for before in range(3 * size + 1):
        for after in range(3 * size + 1):
            expected = np.pad(np.arange(size), (before, after), border)
            assert borders.index_map(-before, size + after, size, border) == expected.tolist()


@pytest.mark.parametrize("size", range(1, 7))
def test_constant_border_is_mapped_to_outside(size):
    halo = 3 * size
    expected = np.pad(np.arange(size), halo, constant_values=borders.OUTSIDE)
    assert borders.index_map(-halo, size + halo, size, "constant") == expected.tolist()


@pytest.mark.parametrize("border", PADDING)
def test_part_of_the_index_map_equals_a_slice(border):
    whole = borders.index_map(-9, 14, 5, border)
    for start in range(-9, 14):
        for stop in range(start, 14):
            assert borders.index_map(start, stop, 5, border) == whole[start + 9 : stop + 9]


@pytest.mark.parametrize("border", ["mirrored", "REFLECT", "", None, 7])
def test_unknown_borders_are_refused(border):
    with pytest.raises(ParameterError, match=r"border=.* is not known; choose one of reflect, symmetric"):
        filter_spec(find("sobel"), border=border)


@pytest.mark.parametrize("border", ["valid", "mirror"])
def test_index_map_of_other_names_is_refused(border):
    with pytest.raises(ParameterError, match="no index map"):
        borders.index_map(-1, 3, 2, border)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("border", BORDERS)
def test_last_strip_of_one_row(border, dtype, monkeypatch):
    """One row cannot be reflected without the row above, which is in another strip."""
    monkeypatch.setattr(tiling, "TILE", 1)
    roberts = next(row for row in ROWS if row.operator == "roberts")
    # 16 strips: 15 of 16 rows, and the last row.
    image = picture(dtype, (241, 20), largest=1000)
    expected = roberts.answer(image, border)
    np.testing.assert_allclose(ek.roberts(image, border=border), expected, rtol=1e-5, atol=1e-5)
