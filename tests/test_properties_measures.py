"""Properties of measures, scores, edges and masks on random images."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pictures import any_numbers, as_array, as_tensor, laid_out, shapes, whole_numbers

import edgekit as ek

#: Measures that do not change when an image is rotated by 90 degrees. The others use neighbours along x.
ROTATION_INVARIANT = [name for name in ek.MEASURES if not name.startswith("vollath")]

#: Measures that do not change when a constant is added to all pixels.
OFFSET_INVARIANT = [name for name in ROTATION_INVARIANT if name != "normalised_variance"]

measures = st.sampled_from(sorted(ek.MEASURES))
planes = shapes(18, channels=False)


def value(image, name):
    found = ek.sharpness(image, name)
    return found if isinstance(found, float) else found.item()


def same(found, expected, scale=1.0):
    """Compare with a tolerance for rounded sums of at most `scale`; NaN equals NaN."""
    return (math.isnan(found) and math.isnan(expected)) or math.isclose(
        found, expected, rel_tol=1e-9, abs_tol=1e-9 * scale
    )


@given(measures, any_numbers(shape=planes))
def test_values_are_within_the_stated_range(name, image):
    found = value(image, name)
    low, high = ek.MEASURES[name].range
    assert math.isnan(found) or low <= found <= high


@given(measures, whole_numbers(shape=planes), st.floats(0.01, 100))
def test_measures_scale_with_power_of_contrast(name, image, contrast):
    assume(image.dtype.kind != "b")
    image = image.astype(np.float64)
    power = ek.MEASURES[name].contrast
    largest = 1e4 * contrast**power if power else 1
    assert same(value(image * contrast, name), value(image, name) * contrast**power, largest)


@given(st.sampled_from(OFFSET_INVARIANT), whole_numbers(shape=planes), st.integers(-50, 50))
def test_brightness_does_not_change_measures(name, image, more):
    image = image.astype(np.float64)
    assert same(value(image + more, name), value(image, name))


@given(measures, whole_numbers(shape=planes))
def test_rotated_and_mirrored_images(name, image):
    expected = value(image, name)
    turns = [np.fliplr, np.flipud, np.rot90, np.transpose] if name in ROTATION_INVARIANT else [np.fliplr, np.flipud]
    # The wavelets drop the last of an odd number of rows or columns.
    assume(name != "wavelet_ratio" or all(n % 2 == 0 for n in image.shape))
    # The second differences of crete_roffet are one-sided: mirrored images give other values.
    if name == "crete_roffet":
        turns = [np.transpose]
    for turn in turns:
        assert same(value(turn(image), name), expected, 100)


@given(measures, whole_numbers(), st.data())
def test_results_do_not_depend_on_layout_and_backend(name, image, data):
    assume(image.ndim == 2 or image.shape[2] in (1, 3, 4))
    expected = value(image, name)
    assert same(value(data.draw(laid_out(image)), name), expected, 100)
    tensor = value(as_tensor(image), name)
    assert (math.isnan(tensor) and math.isnan(expected)) or tensor == pytest.approx(expected, rel=1e-4, abs=2e-3)


@given(measures, whole_numbers(st.sampled_from(["uint8", "int32", "float64"]), planes), st.integers(1, 4), st.data())
def test_batch_values_equal_single_images(name, image, count, data):
    images = [image] + [data.draw(whole_numbers(image.dtype, st.just(image.shape))) for _ in range(count)]
    batch = ek.sharpness(torch.stack([as_tensor(i)[None] for i in images]), name).reshape(-1)
    for found, one in zip(batch.tolist(), images, strict=True):
        assert same(found, value(as_tensor(one), name), 100)


@given(any_numbers(shape=shapes(70)))
def test_scores_are_between_0_and_1(image):
    assume(image.ndim == 2 or image.shape[2] in (1, 3, 4))
    found = ek.score(image)
    assert math.isnan(found) or 0 <= found < 1
    where = ek.sharpness_map(image)
    assert where.shape == image.shape[:2]
    assert np.isnan(where).all() if math.isnan(found) else ((where >= 0) & (where < 1)).all()


@given(any_numbers(st.sampled_from(["float32", "float64"]), shapes(40, channels=False)), st.integers(-40, 40))
def test_scores_do_not_depend_on_exposure(image, exponent):
    image = image - image.dtype.type(2) * np.abs(image).max()  # Outside of [0, 1], which is a fixed range.
    assume(1e-20 < np.abs(image).max() < 1e20)
    image = (image / np.abs(image).max()).astype(image.dtype)
    found, other = ek.score(image), ek.score(np.ldexp(image, exponent))
    assert (math.isnan(found) and math.isnan(other)) or other == pytest.approx(found, rel=1e-4, abs=1e-6)


@given(any_numbers(), st.data())
def test_nonmax_suppress_and_hysteresis_keep_a_subset(image, data):
    gradient = ek.gradient(image)
    thin, offset = ek.nonmax_suppress(gradient.magnitude, gradient.direction, subpixel=True)
    assert ((thin == gradient.magnitude) | (thin == 0)).all()
    np.testing.assert_array_equal(np.isnan(offset), thin == 0)
    assert (np.abs(offset[thin > 0]) <= 0.7072).all()
    low, high = sorted(data.draw(st.tuples(*[st.floats(0, 100)] * 2)))
    kept = ek.hysteresis(thin, low, high)
    assert (kept[thin > high]).all()
    assert not kept[thin <= low].any()
    np.testing.assert_array_equal(ek.hysteresis(thin, low, low), thin > low)


@given(whole_numbers(), st.integers(-20, 20), st.sampled_from([0, 1.4]))
def test_canny_does_not_depend_on_exposure(image, exponent, sigma):
    assume(image.ndim == 2)
    image = image.astype(np.float64)
    np.testing.assert_array_equal(ek.canny(np.ldexp(image, exponent), sigma=sigma), ek.canny(image, sigma=sigma))


@given(whole_numbers(), st.sampled_from([0, 1.4]))
def test_canny_on_both_backends(image, sigma):
    assume(image.ndim == 2)
    image = image.astype(np.float64)
    found = as_array(ek.canny(as_tensor(image), sigma=sigma, low=0.5, high=2.0, interpolate=False), False)
    expected = ek.canny(image, sigma=sigma, low=0.5, high=2.0, interpolate=False)
    if sigma == 0:
        np.testing.assert_array_equal(found, expected)
    # Rounding decides between neighbours of equal strength.
    assert found.any() == expected.any()


@given(any_numbers(), st.sampled_from(["otsu", "li", "triangle", "adaptive"]))
def test_threshold_and_outline(image, method):
    mask = ek.threshold(image, method, channel="each")
    assert (mask.shape, mask.dtype) == (image.shape, bool)
    if method != "adaptive" and mask.any() and not mask.all():
        for c in range(1 if image.ndim == 2 else image.shape[2]):
            plane, part = (a if a.ndim == 2 else a[..., c] for a in (image, mask))
            if part.any() and not part.all():
                assert plane[part].min() > plane[~part].max() or plane[part].min() == plane[~part].max()
    rim = ek.outline(mask)
    assert not (rim & ~mask).any()


@given(any_numbers(), st.sampled_from(["full", "stretch", "signed"]), st.sampled_from([8, 16]))
def test_to_display_on_both_backends(image, mode, depth):
    response = ek.scharr(image, angle=0)
    shown = ek.to_display(response, mode, depth=depth)
    assert shown.image.dtype == f"uint{depth}"
    tensor = ek.to_display(as_tensor(response), mode, depth=depth)
    np.testing.assert_array_equal(as_array(tensor.image, image.ndim == 3), shown.image)
    assert tensor.clipped == shown.clipped
    if mode == "stretch":
        assert shown.clipped == 0
        assert shown.image.max() in (0, 2**depth - 1)
