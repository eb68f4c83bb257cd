"""The means and variances that focus measures are computed from."""

from fractions import Fraction

import numpy as np
import pytest

import edgekit as ek
from edgekit.focus.maps import BLUR_EFFECT
from edgekit.focus.moments import moments


@pytest.mark.parametrize("level", [1, 3, 7, 111, 200, 255])
@pytest.mark.parametrize("size", [(7, 7), (13, 13), (500, 500)])
def test_bytes_that_are_nearly_equal(size, level):
    image = np.full(size, level, np.uint8)
    assert ek.sharpness(image, "normalised_variance") == ek.sharpness(image, "vollath_f5") == 0
    image[5, 6] -= 1
    wide = image.astype(np.int64)
    mean, mean_square = (Fraction(int(part.sum()), image.size) for part in (wide, wide**2))
    expected = float((mean_square - mean**2) / mean)
    assert ek.sharpness(image, "normalised_variance") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_moments_of_integers(dtype):
    every = np.random.default_rng(0).integers(0, 256, (90, 70)).astype(dtype)
    for values in (every, every[3:80:2, 1:60], every.T, every[::-1], np.asfortranarray(every)):
        found, wide = moments(values), values.astype(np.float64)
        assert found.count == wide.size
        assert found.mean == pytest.approx(wide.mean(), rel=1e-14)
        assert found.variance == pytest.approx(wide.var(), rel=1e-12)


def test_an_outlier_costs_no_digits():
    values = np.full((48, 3000), 1e6, np.float32)
    values[0, 0], values[1::7] = 0, 1e6 + 1
    found, wide = moments(values), values.astype(np.float64)
    assert found.mean == pytest.approx(wide.mean(), rel=1e-14)
    assert found.variance == pytest.approx(wide.var(), rel=1e-12)


def test_unknown_values_are_left_out():
    values = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.float32)
    values[0, 0] = values[7] = np.nan
    found, known = moments(values), values[~np.isnan(values)].astype(np.float64)
    assert (found.count, found.mean) == (known.size, pytest.approx(known.mean(), rel=1e-14))
    assert found.variance == pytest.approx(known.var(), rel=1e-12)


def test_pixels_that_both_means_of_the_blur_effect_contain_cancel():
    """An invalid pixel counts only at the ends of the means, and beside the pixel itself."""
    image = np.random.default_rng(0).normal(size=(9, 41))
    image[:, 20] = np.nan
    for values in BLUR_EFFECT.compute(image, "propagate")[:2]:
        places = values.first + np.arange(values.array.shape[1])
        affected = np.isin(np.abs(places - 20), (1, 5, 6))
        np.testing.assert_array_equal(np.isnan(values.array), np.broadcast_to(affected, values.array.shape))
