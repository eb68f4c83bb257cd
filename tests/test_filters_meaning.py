"""Values of responses: ramps, parabolas, signs, angles, constant images, channels and tone."""

import math

import cv2
import numpy as np
import pytest
from oracle import COMPASSES, GRADIENTS, LAPLACIANS, ROWS, correlate, picture

import edgekit as ek
from edgekit.filters.apply import apply

FLAT = (0.1, 1 / 3, 123.456, 7.0, -2.7, 1e-6, 60000.0)


def by_id(row):
    return row.id


def grid(rows=31, columns=33):
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    return x, y


def inner(response, margin=12):
    return response[..., margin:-margin, margin:-margin]


def ramp(angle):
    x, y = grid()
    return x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 135, 217.3, 315])
@pytest.mark.parametrize("row", GRADIENTS, ids=by_id)
def test_response_to_a_ramp_along_its_direction_is_1(row, angle, kind):
    response = kind.plain(apply(kind.image(ramp(angle)), row.operator, row.parameters, angle=angle))
    np.testing.assert_allclose(inner(response), 1, rtol=1e-12)


@pytest.mark.parametrize("angle", [0, 60, 135, 270])
@pytest.mark.parametrize("row", GRADIENTS, ids=by_id)
def test_magnitude_of_a_ramp_is_1(row, angle, kind):
    response = kind.plain(apply(kind.image(ramp(angle)), row.operator, row.parameters))
    np.testing.assert_allclose(inner(response), 1, rtol=1e-12)


@pytest.mark.parametrize("angle", range(0, 360, 45))
@pytest.mark.parametrize("operator", ["sobel", "scharr", "prewitt", "central"])
def test_ring_response_to_a_ramp_is_1(operator, angle, kind):
    response = kind.plain(apply(kind.image(ramp(angle)), operator, {}, angle=angle, rotate="ring"))
    np.testing.assert_allclose(inner(response), 1, rtol=1e-12)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize("row", COMPASSES, ids=by_id)
def test_compass_response_to_ramps_along_the_axes_is_1(row, angle, kind):
    image = kind.image(ramp(angle))
    for options in ({}, {"angle": angle}):
        response = kind.plain(apply(image, row.operator, row.parameters, **options))
        np.testing.assert_allclose(inner(response), 1, rtol=1e-12)


@pytest.mark.parametrize("row", LAPLACIANS, ids=by_id)
def test_laplacian_of_a_parabola_is_1(row, kind):
    x, y = grid()
    for image in ((x - 15) ** 2 / 2, (y - 15) ** 2 / 2):
        response = kind.plain(apply(kind.image(image), row.operator, row.parameters))
        np.testing.assert_allclose(inner(response), 1, rtol=1e-11)


@pytest.mark.parametrize("row", [r for r in GRADIENTS if r.accuracy >= 2], ids=by_id)
def test_gradient_of_a_polynomial(row, kind):
    x, y = grid()
    gradient = ek.gradient(kind.image(x**2 + x * y), operator=row.operator, **row.parameters)
    np.testing.assert_allclose(inner(kind.plain(gradient.gx)), inner(2 * x + y), rtol=1e-12)
    np.testing.assert_allclose(inner(kind.plain(gradient.gy)), inner(x), rtol=1e-12)


def test_roberts_is_offset_by_half_a_pixel(kind):
    x, y = grid()
    gradient = ek.gradient(kind.image(x**2 + x * y), operator="roberts")
    np.testing.assert_allclose(inner(kind.plain(gradient.gx)), inner(2 * (x + 0.5) + y + 0.5), rtol=1e-12)
    np.testing.assert_allclose(inner(kind.plain(gradient.gy)), inner(x + 0.5), rtol=1e-12)


def test_signs_of_gradients(kind):
    x, y = grid()
    for image, signs in ((x, (1, 0)), (y, (0, 1)), (-x, (-1, 0)), (-y, (0, -1)), (x + y, (1, 1))):
        gradient = ek.gradient(kind.image(image))
        found = [np.sign(inner(kind.plain(g))) for g in (gradient.gx, gradient.gy)]
        for sign, expected in zip(found, signs, strict=True):
            assert (sign == expected).all()


def test_sobel_at_45_degrees_points_to_the_lower_right(kind):
    image = np.zeros((5, 5))
    image[3:, 3:] = 1
    assert kind.plain(ek.sobel(kind.image(image), angle=45))[2, 2] > 0
    assert kind.plain(ek.sobel(kind.image(image), angle=225))[2, 2] < 0


@pytest.mark.parametrize("angle", [*range(0, 360, 15), 0.5, 359.5])
def test_direction_of_a_ramp(angle, kind):
    direction = kind.plain(ek.gradient(kind.image(ramp(angle))).direction)
    turned = (inner(direction) - angle + 180) % 360 - 180
    np.testing.assert_allclose(turned, 0, atol=1e-9)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_direction_is_atan2_modulo_360(dtype, kind):
    gradient = ek.gradient(kind.image(picture(dtype)))
    gx, gy, direction = (kind.plain(g) for g in (gradient.gx, gradient.gy, gradient.direction))
    assert direction.dtype == gx.dtype
    assert ((direction >= 0) & (direction < 360)).all()
    apart = (direction - np.degrees(np.arctan2(gy.astype(float), gx)) + 180) % 360 - 180
    np.testing.assert_allclose(apart, 0, atol=360 * np.finfo(direction.dtype).eps)
    # OpenCV's own accuracy is 0.3 degrees.
    apart = (direction - cv2.phase(gx, gy, angleInDegrees=True) + 180) % 360 - 180
    assert np.abs(apart).max() < 0.3
    magnitude = kind.plain(gradient.magnitude)
    np.testing.assert_array_equal(magnitude, kind.plain(ek.sobel(kind.image(picture(dtype)))))


@pytest.mark.parametrize("largest", [60000, 0.002])
def test_half_precision_is_computed_in_single(largest, kind):
    """The squares are out of the range of half precision, their root is not."""
    array = (np.random.default_rng(2).random((9, 11)) * largest).astype(np.float16)
    gradient = ek.gradient(kind.image(array))
    gx, gy, magnitude, direction = (
        kind.plain(g).astype(float) for g in (gradient.gx, gradient.gy, gradient.magnitude, gradient.direction)
    )
    spacing = np.spacing(np.float16(largest)).astype(float)
    np.testing.assert_allclose(magnitude, np.hypot(gx, gy), rtol=2**-10, atol=spacing)
    apart = (direction - np.degrees(np.arctan2(gy, gx)) + 180) % 360 - 180
    assert np.abs(apart).max() <= 0.126  # Half the distance of half-precision numbers near 360.
    angles = kind.image(np.full(array.shape, 30, np.float16))
    turned = kind.plain(ek.sobel(kind.image(array), angle=angles)).astype(float)
    expected = kind.plain(ek.sobel(kind.image(array), angle=30)).astype(float)
    np.testing.assert_allclose(turned, expected, rtol=2**-10, atol=spacing)


def test_direction_is_zero_without_a_gradient(kind):
    zeros = kind.image(np.array([[0.0, -0.0, 0.0, -0.0]]))
    signs = kind.image(np.array([[0.0, 0.0, -0.0, -0.0]]))
    np.testing.assert_array_equal(kind.plain(ek.Gradient(zeros, signs).direction), 0)


def test_direction_just_below_360_is_0(kind):
    gx, gy = (kind.image(np.array([[v]])) for v in (1.0, -1e-300))
    assert kind.plain(ek.Gradient(gx, gy).direction)[0, 0] == 0


@pytest.mark.parametrize("rotate", ["steer", "ring"])
@pytest.mark.parametrize("angle", [0, 45, 90, 225])
def test_angle_of_edge_is_angle_of_gradient_plus_90(angle, rotate, kind):
    image = kind.image(picture("uint8"))
    edge = ek.sobel(image, angle=angle, angle_of="edge", rotate=rotate)
    gradient = ek.sobel(image, angle=angle - 90, rotate=rotate)
    np.testing.assert_array_equal(kind.plain(edge), kind.plain(gradient))


@pytest.mark.parametrize("angle", [30, -330, 390, 30.0, np.float32(30), np.int64(30), np.array(30.0)])
def test_angles_repeat_after_360_degrees(angle):
    image = picture("uint8")
    np.testing.assert_array_equal(ek.sobel(image, angle=angle), ek.sobel(image, angle=30))


@pytest.mark.parametrize("border", ["reflect", "symmetric", "edge", "wrap", "valid"])
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_constant_images_give_exactly_zero(row, border, kind):
    for dtype in ("float16", "float32", "float64"):
        for level in FLAT:
            image = kind.image(np.full((17, 14), level, dtype))
            for options in ({}, {"scale": "raw"}, {} if row.kind == "laplacian" else {"angle": row.axis - 45}):
                response = kind.plain(apply(image, row.operator, row.parameters, border=border, **options))
                assert (response == 0).all()


@pytest.mark.parametrize("channel", ["each", "luminance", "max", "dizenzo"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_constant_colours_give_exactly_zero(dtype, channel, kind):
    for levels in ((0.1, 0.7, 1 / 3), (200, 31, 7)):
        image = kind.image(np.full((9, 8, 3), levels).astype(dtype))
        for options in ({}, {"angle": 45}, {"angle": 10}, {"tone": "log"}):
            assert (kind.plain(ek.sobel(image, channel=channel, **options)) == 0).all()


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_linearity(row, kind):
    a, b = picture("float64"), picture("float64", seed=1)
    options = {} if row.kind == "laplacian" else {"angle": row.axis}
    fa, fb, both = (
        kind.plain(apply(kind.image(i), row.operator, row.parameters, **options)) for i in (a, b, 3 * a - 0.7 * b)
    )
    np.testing.assert_allclose(both, 3 * fa - 0.7 * fb, rtol=0, atol=1e-13 * np.abs(both).max())


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_transposed_images_have_transposed_responses(row, kind):
    array = picture("uint8")
    there, back = (kind.plain(apply(kind.image(i), row.operator, row.parameters)) for i in (array, array.T))
    np.testing.assert_allclose(there, back.T, rtol=1e-5, atol=1e-4)
    if row.kind == "gradient":
        there = kind.plain(ek.gradient(kind.image(array), operator=row.operator, **row.parameters).gx)
        back = kind.plain(ek.gradient(kind.image(array.T), operator=row.operator, **row.parameters).gy)
        np.testing.assert_allclose(there, back.T, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("angles", [[0, 22.5, 45], [90.0], (10, 350), np.array([1.0, 2.0])])
@pytest.mark.parametrize("operator", ["sobel", "farid", "roberts"])
def test_oriented_equals_separate_calls(operator, angles, kind):
    for array in (picture("uint8"), picture("float32", (9, 8, 3))):
        image = kind.image(array)
        bank = kind.plain(ek.oriented(image, angles, operator=operator))
        assert bank.shape[0] == len(angles)
        for response, angle in zip(bank, angles, strict=True):
            np.testing.assert_array_equal(response, kind.plain(apply(image, operator, {}, angle=angle)))


def test_oriented_with_rotated_templates(kind):
    image = kind.image(picture("uint8"))
    for operator, options in (("kirsch", {}), ("robinson", {"levels": 5}), ("sobel", {"rotate": "ring"})):
        bank = kind.plain(ek.oriented(image, range(0, 360, 45), operator=operator, **options))
        rotate = {k: v for k, v in options.items() if k == "rotate"}
        own = {k: v for k, v in options.items() if k == "levels"}
        for response, angle in zip(bank, range(0, 360, 45), strict=True):
            np.testing.assert_array_equal(response, kind.plain(apply(image, operator, own, angle=angle, **rotate)))
        if not rotate:
            np.testing.assert_array_equal(bank.max(0), kind.plain(apply(image, operator, own)))


def colour(dtype="float64"):
    return picture(dtype, (12, 11, 3))


def components(array):
    """Return gx and gy of each channel by unit Sobel."""
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    return correlate(array, sobel), correlate(array, sobel.T)


def reduced(kind, response):
    """Drop the channel axis that tensors keep."""
    return response[..., 0, :, :] if kind.is_torch else response


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_channel_luminance(dtype, kind):
    array = colour(dtype)
    for image in (array, np.concatenate([array, array[:, :, :1]], axis=2)):
        gray = array @ np.array([0.299, 0.587, 0.114])
        response = reduced(kind, kind.plain(ek.sobel(kind.image(image), angle=0, channel="luminance")))
        np.testing.assert_allclose(response, components(gray)[0], rtol=0, atol=1e-6 * np.abs(gray).max())


def test_channel_max(kind):
    image, (gx, gy) = kind.image(colour()), components(colour())
    strength = np.hypot(gx, gy)
    best = strength.argmax(2)[..., None]
    found = reduced(kind, kind.plain(ek.sobel(image, channel="max")))
    np.testing.assert_allclose(found, strength.max(2), rtol=1e-12, atol=1e-15)
    found = reduced(kind, kind.plain(ek.sobel(image, channel="max", angle=90)))
    largest = np.abs(gy).argmax(2)[..., None]
    np.testing.assert_allclose(found, np.take_along_axis(gy, largest, 2)[..., 0], rtol=1e-12, atol=1e-15)
    # Both components of a gradient come from the same channel.
    gradient = ek.gradient(image, channel="max")
    for found, part in ((gradient.gx, gx), (gradient.gy, gy)):
        expected = np.take_along_axis(part, best, 2)[..., 0]
        np.testing.assert_allclose(reduced(kind, kind.plain(found)), expected, rtol=1e-12, atol=1e-15)


def test_channel_dizenzo(kind):
    image, (gx, gy) = kind.image(colour()), components(colour())
    tensor = np.array([[(gx * gx).sum(2), (gx * gy).sum(2)], [(gx * gy).sum(2), (gy * gy).sum(2)]])
    values, vectors = np.linalg.eigh(np.moveaxis(tensor, (0, 1), (2, 3)))
    expected, along = np.sqrt(values[..., 1]), vectors[..., 1]
    along = along * np.where((along * np.stack([gx.sum(2), gy.sum(2)], 2)).sum(2) < 0, -1, 1)[..., None]
    found = reduced(kind, kind.plain(ek.sobel(image, channel="dizenzo")))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    gradient = ek.gradient(image, channel="dizenzo")
    for found, n in ((gradient.gx, 0), (gradient.gy, 1)):
        found = reduced(kind, kind.plain(found))
        np.testing.assert_allclose(found, expected * along[..., n], rtol=1e-9, atol=1e-12)
    response = reduced(kind, kind.plain(ek.sobel(image, channel="dizenzo", angle=0)))
    signed = np.sqrt((gx * gx).sum(2)) * np.where(gx.sum(2) < 0, -1, 1)
    np.testing.assert_allclose(response, signed, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("channel", ["each", "luminance", "max", "dizenzo"])
def test_channel_does_not_change_gray_images(channel, kind):
    image = kind.image(picture("uint8"))
    expected = kind.plain(ek.sobel(image))
    np.testing.assert_array_equal(kind.plain(ek.sobel(image, channel=channel)), expected)


@pytest.mark.parametrize("dtype", ["uint16", "float64"])
def test_log_tone_is_independent_of_exposure(dtype, kind):
    level = 1 if dtype == "uint16" else 1 / 255
    array = (picture("uint8").astype(float) + 600) * level
    dark, bright = (kind.plain(ek.sobel(kind.image((array * k).astype(dtype)), tone="log")) for k in (1, 8))
    # Half a level is added to 600, so the results differ by about 1/1200.
    np.testing.assert_allclose(dark, bright, rtol=2e-3, atol=1e-6)
    expected = np.hypot(*components(np.log(array / level + 0.5)))
    np.testing.assert_allclose(dark, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("row", ROWS, ids=by_id)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_log_tone_of_constant_images_is_zero(dtype, row, kind):
    for level in (7, 200):
        image = kind.image(np.full((13, 11), level, dtype))
        assert (kind.plain(apply(image, row.operator, row.parameters, tone="log")) == 0).all()


@pytest.mark.parametrize(
    ("function", "operator", "usual"),
    [
        (ek.sobel, "sobel", {"size": 3}), (ek.scharr, "scharr", {}), (ek.prewitt, "prewitt", {}),
        (ek.roberts, "roberts", {}), (ek.farid, "farid", {"size": 5}), (ek.kirsch, "kirsch", {}),
        (ek.gaussian_gradient, "gaussian", {"sigma": 1.0}), (ek.robinson, "robinson", {"levels": 3}),
        (ek.laplacian, "laplacian", {"stencil": 4, "sigma": None}), (ek.dog, "dog", {"sigma": 1.0, "sigma2": None}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_functions_equal_apply_with_all_options(function, operator, usual):
    other = {"size": 7, "sigma": 1.5, "levels": 5, "stencil": 8, "sigma2": 3.0}
    image = picture("float32", (12, 14))
    options = {"border": "wrap", "scale": "raw", "mask": np.arange(image.size).reshape(image.shape) != 75}
    for chosen in (usual, {name: other[name] for name in usual if (function, name) != (ek.laplacian, "sigma")}):
        given = {} if chosen is usual else chosen
        np.testing.assert_array_equal(function(image, **given), apply(image, operator, chosen))
        np.testing.assert_array_equal(function(image, **given, **options), apply(image, operator, chosen, **options))


def test_correlate_with_border_and_mask():
    image, taps = picture("float32", (12, 14)), np.array([[0, 1, 0], [2, -5, 1], [0, 1, 0]])
    mask = np.arange(image.size).reshape(image.shape) != 75
    expected = ek.correlate(image, taps.tolist(), border="wrap")
    np.testing.assert_allclose(expected, correlate(image, taps, "wrap"), rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(ek.correlate(image, taps, border="wrap"), expected)
    masked = ek.correlate(image, taps, border="wrap", mask=mask)
    assert np.isnan(masked).sum() == np.count_nonzero(taps)
    np.testing.assert_array_equal(masked[~np.isnan(masked)], expected[~np.isnan(masked)])
