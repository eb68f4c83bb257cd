"""Properties of all filters on random images: linearity, symmetry, independence of layout, tiles and backend.

Integer kernels filter images of small integers without rounding: results are equal bit for bit.
"""

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import COMPASSES, EPS, GRADIENTS, LAPLACIANS, RESULT, affected, correlate, weight
from pictures import (
    angles,
    any_numbers,
    as_array,
    as_tensor,
    borders,
    compiled,
    laid_out,
    rows,
    shapes,
    whole_numbers,
)

import edgekit as ek
from edgekit.backends.opencv import tiling
from edgekit.backends.pytorch import tiling as torch_tiling
from edgekit.filters.apply import apply, apply_bank

SYMMETRIC = [row for row in GRADIENTS if row.operator != "roberts"]
LINEAR = [*GRADIENTS, *LAPLACIANS]
floats = st.sampled_from(["float32", "float64"])


def filtered(image, row, **options):
    return apply(image, row.operator, row.parameters, **options)


def direction(row, angle):
    """Return the option for a direction where the operator has one."""
    return {"angle": angle} if row.kind == "gradient" else {}


def assert_same(found, expected, row, image, exact=True, **options):
    """Compare bit for bit where nothing is rounded, else relative to the largest sum of absolute products."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    rounds = not (exact and row.integer and image.dtype != np.float16)
    bound = 0.0
    if rounds:
        sums = max(float(np.max(weight(image, kernel))) for kernel in row.weights)
        bound = 16 * EPS[found.dtype.name] * sums / (1 if options.get("scale") == "raw" else abs(row.divisor))
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


@given(st.sampled_from(LINEAR), shapes(), floats, borders, st.integers(-9, 9), st.integers(-9, 9), st.data())
def test_filters_are_linear(row, shape, dtype, border, a, b, data):
    f, g = (data.draw(whole_numbers(dtype, st.just(shape))) for _ in range(2))
    options = {"border": border, "scale": "raw", **direction(row, data.draw(st.integers(0, 7)) * 90.0 + row.axis)}
    joint = filtered(a * f + b * g, row, **options)
    assert_same(joint, a * filtered(f, row, **options) + b * filtered(g, row, **options), row,
                abs(a * f) + abs(b * g), **options)  # fmt: skip


@given(rows, any_numbers(floats), borders, st.integers(-3, 3))
def test_responses_scale_with_powers_of_two(row, image, border, exponent):
    """Exact for powers of two. Negated images negate Laplacians and keep magnitudes."""
    assume(np.abs(image).max() < 1e30)
    assume(np.abs(image[image != 0]).min(initial=1) > 1e-30)
    np.testing.assert_array_equal(
        filtered(np.ldexp(image, exponent), row, border=border),
        np.ldexp(filtered(image, row, border=border), exponent),
    )
    if row.kind != "compass":
        sign = 1 if row.kind == "gradient" else -1
        np.testing.assert_array_equal(filtered(-image, row, border=border), sign * filtered(image, row, border=border))


@given(rows, shapes(), borders, any_numbers(shape=st.just((1, 1))))
def test_constant_images_give_exactly_zero(row, shape, border, level):
    assume(border != "constant")
    image = np.full(shape, level[0, 0])
    assert not filtered(image, row, border=border).any()
    assert not filtered(as_tensor(image), row, border=border).any()


@given(rows, whole_numbers(), st.integers(-20, 20), st.integers(-20, 20))
def test_shifted_images_give_shifted_responses(row, image, down, right):
    def moved(array):
        return np.roll(array, (down, right), (0, 1))

    found = filtered(moved(image), row, border="wrap")
    assert_same(found, moved(filtered(image, row, border="wrap")), row, image)


@given(st.sampled_from(LINEAR), whole_numbers(), borders, angles)
def test_transposed_images(row, image, border, angle):
    """x and y are exchanged: 0 degrees become 90, and clockwise becomes counter-clockwise."""
    across = image.swapaxes(0, 1)
    found = filtered(across, row, border=border, **direction(row, 90 - angle)).swapaxes(0, 1)
    assert_same(found, filtered(image, row, border=border, **direction(row, angle)), row, image, angle % 45 == 0)
    whole = filtered(across, row, border=border).swapaxes(0, 1)
    assert_same(whole, filtered(image, row, border=border), row, image, exact=False)


@given(st.sampled_from(SYMMETRIC), whole_numbers(), borders)
def test_transposed_images_exchange_gx_and_gy(row, image, border):
    gx, gy = apply_bank(image, row.operator, row.parameters, border=border)
    tx, ty = apply_bank(image.swapaxes(0, 1), row.operator, row.parameters, border=border)
    for found, expected in ((tx, gy), (ty, gx)):
        assert_same(found.swapaxes(0, 1), expected, row, image)


@given(st.sampled_from([*SYMMETRIC, *LAPLACIANS, *COMPASSES]), whole_numbers(), borders, angles)
def test_rotated_and_mirrored_images(row, image, border, angle):
    """A quarter turn counter-clockwise subtracts 90 degrees; mirroring exchanges right and left."""
    for turn, seen in ((np.rot90, angle - 90), (np.fliplr, 180 - angle), (np.flipud, -angle)):
        found = filtered(turn(image), row, border=border, **direction(row, seen))
        expected = turn(filtered(image, row, border=border, **direction(row, angle)))
        assert_same(found, expected, row, image, angle % 90 == 0 or row.kind != "gradient")
        assert_same(filtered(turn(image), row, border=border), turn(filtered(image, row, border=border)), row, image,
                    row.kind == "compass")  # fmt: skip


@given(st.sampled_from(GRADIENTS), whole_numbers(), borders, st.lists(angles, min_size=1, max_size=4))
def test_responses_are_steered_from_gx_and_gy(row, image, border, turns):
    gx, gy = apply_bank(image, row.operator, row.parameters, border=border)
    bank = ek.oriented(image, turns, operator=row.operator, border=border, **row.parameters)
    for angle, response in zip(turns, bank, strict=True):
        single = filtered(image, row, border=border, angle=angle)
        assert_same(response, single, row, image, exact=False)
        turned = np.deg2rad(angle)
        steered = (np.cos(turned) * gx.astype(np.float64) + np.sin(turned) * gy).astype(single.dtype)
        assert_same(single, steered, row, image, exact=False)


@given(rows, any_numbers(), borders, st.data())
def test_results_do_not_depend_on_memory_layout(row, image, border, data):
    compiled(data.draw(st.booleans()))
    expected = filtered(image, row, border=border)
    other = data.draw(laid_out(image))
    before = other.tobytes()
    np.testing.assert_array_equal(filtered(other, row, border=border), expected)
    assert other.tobytes() == before
    out = data.draw(laid_out(np.full_like(expected, 7)))
    if out.flags.writeable and out.dtype.isnative:
        assert filtered(other, row, border=border, out=out) is out
        np.testing.assert_array_equal(out, expected)


@given(rows, any_numbers(floats), borders)
def test_out_may_be_the_image(row, image, border):
    expected = filtered(image, row, border=border)
    filtered(image, row, border=border, out=image)
    np.testing.assert_array_equal(image, expected)


@given(rows, whole_numbers(), borders, st.booleans())
def test_numpy_and_torch_give_equal_results(row, image, border, loops):
    compiled(loops)
    tensor = filtered(as_tensor(image), row, border=border)
    assert_same(as_array(tensor, image.ndim == 3), filtered(image, row, border=border), row, image,
                exact=row.kind != "gradient")  # fmt: skip
    if row.kind == "gradient":
        for angle in (row.axis, row.axis + 90):
            pair = (filtered(i, row, border=border, angle=angle) for i in (as_tensor(image), image))
            assert_same(as_array(next(pair), image.ndim == 3), next(pair), row, image)


@given(rows, any_numbers(), borders)
def test_compiled_loops_give_equal_results(row, image, border):
    compiled(False)
    expected = filtered(image, row, border=border)
    compiled(True)
    np.testing.assert_array_equal(filtered(image, row, border=border), expected)


@given(rows, any_numbers(shape=shapes(40, channels=False)), borders, st.integers(1, 4))
def test_results_do_not_depend_on_tiles_and_threads(row, image, border, threads):
    """Bit for bit where nothing is rounded, also for tensors, whose tiles depend on the number of threads.

    OpenCV rounds the last pixels of a row differently, and so those of a tile.
    """
    image = np.repeat(image, 4, 0)
    tensor = as_tensor(image)
    expected = filtered(image, row, border=border), filtered(tensor, row, border=border)
    kept = tiling.TILE, torch_tiling.SMALL
    try:
        tiling.TILE, torch_tiling.SMALL = 1, 1
        torch.set_num_threads(threads)
        found = filtered(image, row, border=border), filtered(tensor, row, border=border)
    finally:
        tiling.TILE, torch_tiling.SMALL = kept
        torch.set_num_threads(1)
    finite = np.abs(image[np.isfinite(image)].astype(np.float64))
    exact = row.integer and image.dtype.kind != "f"
    for made, whole in zip(found, expected, strict=True):
        bound = 0 if exact else 16 * EPS[str(whole.dtype).removeprefix("torch.")] * finite.max(initial=0)
        np.testing.assert_allclose(made, whole, rtol=0, atol=bound)


@given(rows, whole_numbers(shape=shapes(30)), st.data())
def test_cropped_images_give_cropped_responses(row, image, data):
    kernel = row.bank[0].shape
    assume(image.shape[0] >= kernel[0] and image.shape[1] >= kernel[1])
    whole = filtered(image, row, border="valid")
    top, left = (data.draw(st.integers(0, n - 1)) for n in whole.shape[:2])
    height, width = (data.draw(st.integers(1, n - at)) for n, at in zip(whole.shape[:2], (top, left), strict=True))
    part = image[top : top + height + kernel[0] - 1, left : left + width + kernel[1] - 1]
    assert_same(filtered(part, row, border="valid"), whole[top : top + height, left : left + width], row, image)


@given(rows, whole_numbers(floats), borders, st.floats(0, 1), st.data())
def test_invalid_pixels_give_nan_within_the_kernel_support(row, image, border, share, data):
    """NaN where a nonzero coefficient meets an invalid pixel; masks and non-finite values have the same effect."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    valid = rng.random(image.shape) >= share * share
    invalid = np.where(valid, image, rng.choice([np.nan, np.inf, -np.inf], image.shape)).astype(image.dtype)
    expected = filtered(np.where(valid, image, 0).astype(image.dtype), row, border=border)
    nans = np.any([affected(valid, kernel, border) for kernel in row.bank], axis=0)
    expected[nans] = np.nan
    for found in (
        filtered(invalid, row, border=border), filtered(image, row, border=border, mask=valid),
        as_array(filtered(as_tensor(invalid), row, border=border), image.ndim == 3),
        as_array(filtered(as_tensor(image), row, border=border, mask=as_tensor(valid)), image.ndim == 3),
    ):  # fmt: skip
        np.testing.assert_array_equal(np.isnan(found), nans)
        assert_same(np.where(nans, 0, found).astype(found.dtype), np.where(nans, 0, expected).astype(found.dtype), row,
                    image, exact=False)  # fmt: skip


@given(any_numbers(), borders, st.tuples(*[st.integers(0, 3).map(lambda n: 2 * n + 1)] * 2), st.data())
def test_correlate_with_random_kernels(image, border, size, data):
    kernel = np.array(data.draw(st.lists(st.lists(st.integers(-99, 99), min_size=size[1], max_size=size[1]),
                                       min_size=size[0], max_size=size[0])), np.float64)  # fmt: skip
    assume(kernel.any())
    kernel /= data.draw(st.sampled_from([1, 3, 8]))
    expected, bound = correlate(image, kernel, border), weight(image, kernel, border)
    eps = EPS[RESULT[image.dtype.name]]
    tiny = 64 * float(np.finfo(RESULT[image.dtype.name]).smallest_subnormal)
    for found in (ek.correlate(image, kernel, border=border),
                  as_array(ek.correlate(as_tensor(image), kernel, border=border), image.ndim == 3)):  # fmt: skip
        fits = np.abs(expected) < float(np.finfo(found.dtype).max) * 0.99
        apart = np.abs(found[fits].astype(np.float64) - expected[fits])
        assert (apart <= 8 * eps * bound[fits] + tiny).all()


@given(any_numbers(), borders, st.sampled_from(["each", "max", "dizenzo"]))
def test_direction_and_magnitude_match_gx_and_gy(image, border, channel):
    gradient = ek.gradient(image, border=border, channel=channel)
    assert ((gradient.direction >= 0) & (gradient.direction < 360)).all()
    assert (gradient.direction[(gradient.gx == 0) & (gradient.gy == 0)] == 0).all()
    longer = np.maximum(abs(gradient.gx), abs(gradient.gy))
    assert (gradient.magnitude >= longer * (1 - EPS[longer.dtype.name])).all()
