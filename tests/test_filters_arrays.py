"""Invalid pixels, `out` arrays, arrays of angles, and unchanged inputs."""

import numpy as np
import pytest
import torch
from oracle import BORDERS, GRADIENTS, ROWS, affected, picture

import edgekit as ek
from edgekit.filters.apply import apply


def by_id(row):
    return row.id


def random_mask(shape, seed=3):
    """Return a mask with a few invalid pixels, one at the corner."""
    valid = np.random.default_rng(seed).random(shape) > 0.02
    valid[0, 0] = False
    return valid


def assert_nan_where(found, expected):
    np.testing.assert_array_equal(np.isnan(found), expected)
    assert np.isfinite(found[~expected]).all()


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_nan_where_a_coefficient_meets_an_invalid_pixel(row, border, kind):
    valid = random_mask((17, 19))
    expected = np.any([affected(valid, k, border) for k in row.bank], axis=0)
    array = picture("float32", valid.shape)
    for bad in (np.nan, np.inf, -np.inf):
        image = kind.image(np.where(valid, array, np.float32(bad)))
        assert_nan_where(kind.plain(apply(image, row.operator, row.parameters, border=border)), expected)
    for dtype in ("float64", "uint8"):
        image = kind.image(picture(dtype, valid.shape))
        response = apply(image, row.operator, row.parameters, border=border, mask=kind.image(valid))
        assert_nan_where(kind.plain(response), expected)


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_finite_responses_equal_those_without_a_mask(row, kind):
    valid, array = random_mask((40, 41)), picture("uint8", (40, 41))
    image = kind.image(array)
    whole = kind.plain(apply(image, row.operator, row.parameters))
    masked = kind.plain(apply(image, row.operator, row.parameters, mask=kind.image(valid)))
    kept = ~np.isnan(masked)
    assert kept.any()
    np.testing.assert_allclose(masked[kept], whole[kept], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("angle", [0, 45, 90, 135, 225, 30])
@pytest.mark.parametrize("row", GRADIENTS, ids=by_id)
def test_nan_region_of_steered_kernels(row, angle, kind):
    image = np.array(picture("float64", (19, 19)))
    image[9, 9] = np.nan
    response = kind.plain(apply(kind.image(image), row.operator, row.parameters, angle=angle))
    assert_nan_where(response, affected(np.isfinite(image), row.at(angle)))


def test_nan_region_of_sobel_at_45_degrees(kind):
    image = np.zeros((5, 5))
    image[2, 2] = np.nan
    lost = np.isnan(kind.plain(ek.sobel(kind.image(image), angle=45)))
    # The coefficients in the middle, the upper right and the lower left corner are 0.
    np.testing.assert_array_equal(lost[1:4, 1:4], [[1, 1, 0], [1, 0, 1], [0, 1, 1]])
    assert lost.sum() == 6


def test_nan_region_of_large_kernels(kind):
    image = np.array(picture("float32", (60, 70)))
    image[20, 30] = np.nan
    row, column = np.abs(np.arange(60) - 20), np.abs(np.arange(70) - 30)
    for response, radius, middle in (
        (ek.gaussian_gradient(kind.image(image), sigma=3), 12, False),
        (ek.laplacian(kind.image(image), sigma=3), 12, True),
        (ek.correlate(kind.image(image), np.ones((15, 15))), 7, True),
    ):
        expected = (row[:, None] <= radius) & (column <= radius)
        # The middle coefficient of a first derivative is 0.
        expected[20, 30] = middle
        assert_nan_where(kind.plain(response), expected)


def test_nan_region_of_each_channel(kind):
    valid = random_mask((9, 10, 3))
    image = np.where(valid, picture("float32", (9, 10, 3)), np.nan)
    sobel = next(row for row in ROWS if row.id == "sobel-size3")
    expected = np.any([affected(valid, k) for k in sobel.bank], axis=0)
    assert_nan_where(kind.plain(ek.sobel(kind.image(image)), channels=True), expected)
    for channel in ("luminance", "max", "dizenzo"):
        response = kind.plain(ek.sobel(kind.image(image), channel=channel), channels=True)
        expected_any = expected.any(2)
        assert_nan_where(response[..., 0] if kind.is_torch else response, expected_any)
    masked = ek.sobel(kind.image(picture("uint8", (9, 10, 3))), mask=kind.image(valid[:, :, 0]))
    one = np.any([affected(valid[:, :, 0], k) for k in sobel.bank], axis=0)
    assert_nan_where(kind.plain(masked, channels=True), np.repeat(one[:, :, None], 3, axis=2))


@pytest.mark.parametrize("channel", ["luminance", "max", "dizenzo"])
def test_combined_channels_need_all_channels_valid(channel, kind):
    """With a mask for each channel."""
    image = picture("float32", (12, 13, 3))
    valid = np.ones(image.shape, bool)
    for n, place in enumerate([(2, 3), (8, 4), (5, 9)]):
        valid[(*place, n)] = False
    found = kind.plain(ek.sobel(kind.image(image), channel=channel, mask=kind.image(valid)), channels=channel == "each")
    whole = kind.plain(ek.sobel(kind.image(image), channel=channel))
    every = kind.plain(ek.sobel(kind.image(image[:, :, 0]), mask=kind.image(valid.all(axis=2))))
    found, whole, every = (np.squeeze(a) for a in (found, whole, every))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(every))
    np.testing.assert_allclose(found[~np.isnan(found)], whole[~np.isnan(found)], rtol=1e-5)


def test_direction_and_magnitude_of_invalid_gradients(kind):
    image = np.array(picture("float64"))
    image[5, 5] = np.nan
    gradient = ek.gradient(kind.image(image))
    lost = np.isnan(kind.plain(gradient.gx)) | np.isnan(kind.plain(gradient.gy))
    np.testing.assert_array_equal(np.isnan(kind.plain(gradient.direction)), lost)
    np.testing.assert_array_equal(np.isnan(kind.plain(gradient.magnitude)), lost)


@pytest.mark.parametrize("options", [{}, {"angle": 30}, {"tone": "log"}, {"border": "wrap"}])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", "int64"])
def test_inputs_are_never_changed(dtype, options, kind):
    array, valid = picture(dtype, (9, 8, 3)), random_mask((9, 8))
    image, mask = kind.image(array), kind.image(valid)
    for row in ROWS:
        given = {k: v for k, v in options.items() if row.kind == "gradient" or k != "angle"}
        apply(image, row.operator, row.parameters, mask=mask, **given)
    np.testing.assert_array_equal(kind.plain(image, channels=True), array)
    np.testing.assert_array_equal(kind.plain(mask), valid)


@pytest.mark.parametrize("shape", [(13, 17), (6, 7, 3)])
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_out_is_filled_and_returned(row, shape, kind):
    image = kind.image(picture("float32", shape))
    expected = apply(image, row.operator, row.parameters)
    # `out` may have any strides.
    out = kind.image(np.full(shape, np.nan, np.float32), writeable=True)
    assert apply(image, row.operator, row.parameters, out=out) is out
    np.testing.assert_array_equal(kind.plain(out), kind.plain(expected))


@pytest.mark.parametrize("name", ["numpy", "strided", "torch"])
def test_out_may_be_the_input_or_overlap_it(name, kind_of, monkeypatch):
    monkeypatch.setattr("edgekit.backends.opencv.tiling.TILE", 64)
    kind, array = kind_of[name], picture("float32", (70, 9))
    expected = kind.plain(ek.sobel(kind.image(array)))
    image = kind.image(array, writeable=True)
    assert ek.sobel(image, out=image) is image
    np.testing.assert_array_equal(kind.plain(image), expected)
    ground = kind.image(np.concatenate([array, array[:1]]), writeable=True)
    ek.sobel(ground[:-1], out=ground[1:])
    np.testing.assert_array_equal(kind.plain(ground[1:]), expected)


def test_out_of_several_angles_and_of_angle_arrays(kind_of):
    for name in ("numpy", "torch"):
        kind = kind_of[name]
        image = kind.image(picture("float32"))
        bank = np.empty((2, 13, 17), np.float32)
        bank = torch.from_numpy(bank) if kind.is_torch else bank
        assert ek.oriented(image, [0, 90], out=bank) is bank
        np.testing.assert_array_equal(kind.plain(bank), kind.plain(ek.oriented(image, [0, 90])))
        theta = kind.image(np.full((13, 17), 30, np.float32))
        assert ek.sobel(image, angle=theta, out=bank[0]) is not None
        np.testing.assert_array_equal(kind.plain(bank[0]), kind.plain(ek.sobel(image, angle=theta)))


def test_invalid_out_is_refused(kind_of):
    for name in ("numpy", "torch"):
        kind = kind_of[name]
        image = kind.image(picture("uint8"))
        for options in ({}, {"angle": kind.image(np.full((13, 17), 30, np.float32))}):
            with pytest.raises(ek.ShapeError, match=r"out must have the result's shape \(13, 17\); found \(13, 16\)"):
                ek.sobel(image, out=kind.image(np.empty((13, 16), np.float32)), **options)
            with pytest.raises(ek.DtypeError, match=r"out must have the result's type .*float32; found .*float64"):
                ek.sobel(image, out=kind.image(np.empty((13, 17))), **options)
    with pytest.raises(ek.DtypeError, match="out must be a torch tensor"):
        ek.sobel(torch.zeros(13, 17), out=np.empty((13, 17), np.float32))
    with pytest.raises(ek.DtypeError, match="out must be a NumPy array"):
        ek.sobel(picture("uint8"), out=torch.empty(13, 17))


def test_array_of_angles(kind):
    theta = np.random.default_rng(1).uniform(-720, 720, (13, 17))
    theta[:, :4] = [0, 90, 180, 270]
    for dtype in ("uint8", "float64"):
        image = kind.image(picture(dtype))
        gradient = ek.gradient(image, operator="scharr")
        gx, gy = kind.plain(gradient.gx), kind.plain(gradient.gy)
        found = kind.plain(ek.scharr(image, angle=kind.image(theta)))
        assert found.dtype == gx.dtype
        expected = np.cos(np.radians(theta)) * gx + np.sin(np.radians(theta)) * gy
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(gx).max())
        np.testing.assert_array_equal(found[:, 0], gx[:, 0])
        np.testing.assert_array_equal(found[:, 3], -gy[:, 3])
        turned = kind.plain(ek.scharr(image, angle=kind.image(theta + 90), angle_of="edge"))
        np.testing.assert_allclose(turned, found, rtol=1e-5, atol=1e-5 * np.abs(gx).max())


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_nan_region_of_arrays_of_angles(angle, kind):
    array = np.arange(99, dtype=np.float32).reshape(9, 11) % 17
    array[4, 5] = np.nan
    image, angles = kind.image(array), kind.image(np.full(array.shape, angle, np.float32))
    expected = kind.plain(ek.sobel(image, angle=angle))
    assert np.isnan(expected).sum() == 6
    np.testing.assert_array_equal(kind.plain(ek.sobel(image, angle=angles)), expected)


def test_invalid_arrays_of_angles_are_refused(kind):
    image = kind.image(picture("uint8"))
    with pytest.raises(ek.ShapeError, match="do not broadcast"):
        ek.sobel(image, angle=kind.image(np.zeros((5, 17))))
    with pytest.raises(ek.ShapeError, match="do not broadcast"):
        ek.sobel(image, angle=kind.image(np.zeros((1, 13, 17))))
    with pytest.raises(ek.ParameterError, match="angles must be finite"):
        ek.sobel(image, angle=kind.image(np.full((13, 17), np.nan)))
    with pytest.raises(ek.ParameterError, match="array of angles steers gradients"):
        ek.kirsch(image, angle=kind.image(np.zeros((13, 17))))
    with pytest.raises(ek.ParameterError, match="array of angles steers gradients"):
        ek.sobel(image, rotate="ring", angle=kind.image(np.zeros((13, 17))))
