"""Thinning, compared with scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.morphology import thin

from edgekit.edges.thinning import thinned, thinned_mask

SIZES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)


@settings(deadline=None, max_examples=150)
@given(hnp.arrays(bool, SIZES, elements=st.booleans(), fill=st.booleans()))
def test_thinning_of_random_masks_equals_skimage(mask):
    np.testing.assert_array_equal(thinned_mask(mask), thin(mask))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8, 0.95, 1.0])
def test_thinning_of_thick_masks_equals_skimage(share):
    mask = np.random.default_rng(7).random((90, 70)) < share
    mask[20:60, 10:50] = True
    np.testing.assert_array_equal(thinned_mask(mask), thin(mask))


def test_thinning_keeps_strengths():
    strength = np.zeros((7, 9), np.float32)
    strength[2:5, 1:8] = [[1], [3], [2]]
    kept = thinned(strength)
    np.testing.assert_array_equal(kept, np.where(thin(strength > 0), strength, 0))
    assert kept.dtype == np.float32
    assert (kept > 0).sum() < (strength > 0).sum()
