"""Spacing of pixels: derivatives per unit of length, physical directions, refused options."""

import math
import re

import numpy as np
import pytest
import torch
from oracle import COMPASSES, GRADIENTS, LAPLACIANS, ROWS, correlate, log_kernel, picture
from torch.autograd import gradcheck

import edgekit as ek
from edgekit.backends.opencv import backend, fused
from edgekit.batch.jobs.filtering import FilterJob
from edgekit.common.choices import shown
from edgekit.filters.apply import apply, apply_bank
from edgekit.io.encoding import encode

UNEQUAL = ((2.0, 0.5), (0.3, 1.7), (3, 5), (1e-3, 40.0))
EQUAL = (2.0, 0.3, 7, (4, 4.0))


def grid(spacing):
    """Return the physical positions (x, y) of pixels; their indices are small around the middle."""
    dy, dx = spacing if isinstance(spacing, tuple) else (spacing, spacing)
    y, x = np.mgrid[-15:16, -16:17].astype(np.float64)
    return x * dx, y * dy


def inner(response, margin=12):
    return response[..., margin:-margin, margin:-margin]


def both_backends(image):
    return image, torch.from_numpy(image)


def close(found, expected, message, rtol=1e-9):
    found = inner(np.asarray(found))
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=rtol, atol=rtol, err_msg=message)


def test_gradient_of_a_plane_is_its_slope():
    a, b = 3.0, -1.75
    for row in GRADIENTS:
        for spacing in (*EQUAL, *(UNEQUAL if not row.axis else ())):
            x, y = grid(spacing)
            for image in both_backends(a * x + b * y):
                said = f"{row.id} {spacing} {type(image)}"
                gx, gy = apply_bank(image, row.operator, row.parameters, spacing=spacing)
                close(gx, a, said)
                close(gy, b, said)
                close(apply(image, row.operator, row.parameters, spacing=spacing), math.hypot(a, b), said)
                for angle in (0, 90, 30, 217.3):
                    t = math.radians(angle)
                    along = a * math.cos(t) + b * math.sin(t)
                    found = apply(image, row.operator, row.parameters, angle=angle, spacing=spacing)
                    close(found, along, f"{said} {angle}")
                    edge = {"angle": angle + 90, "angle_of": "edge"}
                    close(apply(image, row.operator, row.parameters, spacing=spacing, **edge), along, f"{said} {edge}")


def test_functions_accept_spacing():
    spacing, a, b = (2.0, 0.5), 3.0, -1.75
    x, y = grid(spacing)
    for image in both_backends(a * x + b * y):
        for function in (ek.sobel, ek.scharr, ek.prewitt, ek.farid, ek.gaussian_gradient):
            close(function(image, spacing=spacing), math.hypot(a, b), function.__name__)
            close(function(image, angle=90, spacing=spacing), b, function.__name__)
        gradient = ek.gradient(image, operator="central", spacing=spacing)
        close(gradient.magnitude, math.hypot(a, b), "magnitude")
        close(gradient.direction, math.degrees(math.atan2(b, a)) % 360, "direction")
        responses = ek.oriented(image, [0, 90, 180], spacing=spacing)
        close(responses, np.reshape([a, b, -a], (3, 1, 1)), "oriented")
    x, y = grid(0.5)
    for image in both_backends(a * x + b * y):
        close(ek.roberts(image, spacing=0.5), math.hypot(a, b), "roberts")
        close(ek.sobel(image, angle=45, rotate="ring", spacing=0.5), (a + b) * math.sqrt(0.5), "ring")
        close(ek.kirsch(image, angle=90, spacing=0.5), b, "kirsch")
        close(ek.robinson(image, angle=0, spacing=0.5), a, "robinson")


def test_arrays_of_angles_are_physical_directions():
    spacing, a, b = (0.3, 1.7), 3.0, -1.75
    x, y = grid(spacing)
    degrees = np.random.default_rng(0).uniform(-400, 400, x.shape)
    expected = a * np.cos(np.deg2rad(degrees)) + b * np.sin(np.deg2rad(degrees))
    for image, angle in zip(both_backends(a * x + b * y), both_backends(degrees), strict=True):
        close(ek.sobel(image, angle=angle, spacing=spacing), inner(expected), str(type(image)))
        edge = ek.sobel(image, angle=angle + 90, angle_of="edge", spacing=spacing)
        close(edge, inner(expected), str(type(image)))


def test_laplacian_of_a_quadratic_polynomial():
    a, b, c = 1.5, -0.25, 3.0
    for row in LAPLACIANS:
        split = row.operator == "laplacian" and row.parameters.get("stencil", 4) == 4
        for spacing in (*EQUAL, *(UNEQUAL[:3] if split else ())):
            x, y = grid(spacing)
            for image in both_backends(a * x**2 + b * y**2 + c * x * y + 2 * x - y):
                found = apply(image, row.operator, row.parameters, spacing=spacing)
                close(found, 2 * a + 2 * b, f"{row.id} {spacing} {type(image)}")
    x, y = grid((2.0, 0.5))
    image = a * x**2 + b * y**2
    close(ek.laplacian(image, spacing=(2.0, 0.5)), 2 * a + 2 * b, "function")
    close(ek.laplacian(image, sigma=1.4, spacing=(2.0, 0.5)), 2 * a + 2 * b, "of Gaussian")
    close(ek.dog(grid(3.0)[0] ** 2, sigma=1.2, spacing=3.0), 2, "dog")


def test_central_differences_equal_numpy_gradient():
    image = np.array(picture("float64", (13, 17)))
    gy, gx = np.gradient(image, 2, 0.5)
    for pixels in both_backends(image):
        found = ek.gradient(pixels, operator="central", spacing=(2, 0.5))
        np.testing.assert_array_equal(np.asarray(found.gx)[1:-1, 1:-1], gx[1:-1, 1:-1])
        np.testing.assert_array_equal(np.asarray(found.gy)[1:-1, 1:-1], gy[1:-1, 1:-1])
    gyy, gxx = (np.gradient(np.gradient(image, d, axis=i), d, axis=i) for i, d in enumerate((2, 0.5)))
    # The second difference of NumPy has a step of two pixels: it is compared on every other pixel.
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        found = ek.laplacian(image[i::2, j::2], spacing=(4, 1.0))
        expected = (gxx + gyy)[i::2, j::2]
        np.testing.assert_allclose(found[1:-1, 1:-1], expected[1:-1, 1:-1], rtol=1e-12, atol=1e-12)


def test_results_of_all_types_equal_the_oracle():
    """Integer types use fused functions, with and without compiled loops."""
    gradients = [row for row in GRADIENTS if row.id in ("sobel-size3", "prewitt", "farid-size5")]
    for spacing in ((2, 4), (3, 5), (2, 3), (0.7, 0.7)):
        dy, dx = spacing if isinstance(spacing, tuple) else (spacing, spacing)
        for dtype, border in (("uint8", "reflect"), ("uint8", "wrap"), ("int16", "constant"), ("float32", "edge")):
            image = np.array(picture(dtype, (13, 17)))
            for row in gradients:
                gx = correlate(image, row.along, border) / row.divisor / dx
                gy = correlate(image, row.across, border) / row.divisor / dy
                largest = max(np.abs(gx).max(), np.abs(gy).max())
                for angle in (None, 0, 30):
                    t = math.radians(angle or 0)
                    expected = np.hypot(gx, gy) if angle is None else math.cos(t) * gx + math.sin(t) * gy
                    for fused.MODE in "01":
                        options = {"angle": angle, "border": border, "spacing": spacing}
                        found = apply(image, row.operator, row.parameters, **options)
                        np.testing.assert_allclose(
                            found, expected, rtol=1e-6, atol=1e-6 * largest, err_msg=f"{row.id} {dtype} {options}"
                        )
            taps = np.array([[0, 0, 0], [1, -2, 1], [0, 0, 0]])
            xx, yy = correlate(image, taps, border), correlate(image, taps.T, border)
            expected = xx / dx**2 + yy / dy**2
            found = ek.laplacian(image, border=border, spacing=spacing)
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_fused_functions_equal_separate_steps(monkeypatch):
    image = np.array(picture("uint8", (33, 41)))
    filters = (
        lambda s: ek.sobel(image, spacing=s),
        lambda s: ek.sobel(image, angle=30, spacing=s),
        lambda s: ek.prewitt(image, spacing=s),
        lambda s: ek.scharr(image, angle=90, spacing=s),
        lambda s: ek.gradient(image, spacing=s).gy,
        lambda s: ek.laplacian(image, spacing=s),
    )
    found = []
    for fused.MODE in "01":
        found.append([f(s) for f in filters for s in (2.0, 3.0, 0.3, (2, 4), (3, 5), (5, 2), (0.3, 0.7))])
    monkeypatch.setattr(fused, "MODE", "0")
    monkeypatch.setattr(backend, "fused", lambda *_, **__: None)
    plain = [f(s) for f in filters for s in (2.0, 3.0, 0.3, (2, 4), (3, 5), (5, 2), (0.3, 0.7))]
    for made in found:
        for n, (one, other) in enumerate(zip(made, plain, strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=str(n))


def test_spacing_of_one_changes_nothing():
    for dtype in ("uint8", "float32"):
        for image in both_backends(np.array(picture(dtype, (13, 17)))):
            for row in ROWS:
                expected = np.asarray(apply(image, row.operator, row.parameters))
                for spacing in (1.0, 1, (1, 1.0), np.float32(1)):
                    found = apply(image, row.operator, row.parameters, spacing=spacing)
                    np.testing.assert_array_equal(np.asarray(found), expected, err_msg=f"{row.id} {spacing}")


def test_constant_images_invalid_pixels_and_colour():
    for spacing in ((0.3, 1.7), 0.3):
        for function, options in ((ek.sobel, {}), (ek.laplacian, {}), (ek.laplacian, {"sigma": 1.4})):
            for dtype in ("uint8", "float32", "float64"):
                for image in both_backends(np.full((20, 21), 123.4).astype(dtype)):
                    assert (np.asarray(function(image, spacing=spacing, **options)) == 0).all()
    image = np.array(picture("float64", (15, 16)))
    image[7, 8] = math.nan
    for pixels in both_backends(image):
        found = np.isnan(np.asarray(ek.laplacian(pixels, spacing=(0.3, 1.7))))
        assert [tuple(place) for place in np.argwhere(found)] == [(6, 8), (7, 7), (7, 8), (7, 9), (8, 8)]
        wide = np.isnan(np.asarray(ek.laplacian(pixels, sigma=0.8, spacing=(0.3, 1.7))))
        np.testing.assert_array_equal(wide, correlate(np.isnan(image), np.abs(log_kernel(0.8)) > 1e-9) > 0)
    color = np.array(picture("float64", (9, 10, 3)))
    single = [ek.gradient(color[..., i], spacing=(2, 0.5)) for i in range(3)]
    xx, yy, xy = (
        sum(getattr(g, p) * getattr(g, q) for g in single) for p, q in (("gx",) * 2, ("gy",) * 2, ("gx", "gy"))
    )
    expected = np.sqrt((xx + yy) / 2 + np.sqrt(((xx - yy) / 2) ** 2 + xy**2))
    np.testing.assert_allclose(ek.sobel(color, channel="dizenzo", spacing=(2, 0.5)), expected, rtol=1e-10)


def test_tensors_equal_arrays():
    image = np.array(picture("float32", (13, 17)))
    for row in ROWS:
        for spacing in ((2, 0.5), 0.3) if row.kind == "gradient" and not row.axis else (0.3,):
            expected = apply(image, row.operator, row.parameters, spacing=spacing)
            found = apply(torch.from_numpy(image), row.operator, row.parameters, spacing=spacing)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max(), err_msg=row.id)


def test_gradients_with_respect_to_the_image_and_the_angle():
    image = torch.from_numpy(picture("float64", (5, 6)).copy()).requires_grad_()
    angle = torch.tensor([30.0], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda i: ek.sobel(i, spacing=(2, 0.5)), (image,))
    assert gradcheck(lambda i: ek.laplacian(i, spacing=(2, 0.5)), (image,))
    assert gradcheck(lambda i, a: ek.sobel(i, angle=a, spacing=(2, 0.5)), (image, angle))


def test_modules_accept_spacing():
    spacing, a, b = (2.0, 0.5), 3.0, -1.75
    x, y = grid(spacing)
    plane, parabola = torch.from_numpy(a * x + b * y), torch.from_numpy(a * x**2 + b * y**2)
    close(ek.nn.Sobel(spacing=spacing)(plane), math.hypot(a, b), "Sobel")
    close(ek.nn.Scharr(angle=0, spacing=spacing)(plane), a, "Scharr")
    close(ek.nn.Laplacian(sigma=1.0, spacing=spacing)(parabola), 2 * a + 2 * b, "Laplacian")
    close(ek.nn.GradientMagnitude("gaussian", spacing=spacing)(plane), math.hypot(a, b), "GradientMagnitude")
    learned = ek.nn.Oriented(torch.tensor(90.0, dtype=torch.float64), spacing=spacing)
    close(learned(plane).detach(), b, "Oriented")
    learned(plane)[15, 16].backward()
    # The derivative of a cos t + b sin t, per degree.
    assert float(learned.angle.grad) == pytest.approx(-a * math.pi / 180)
    loss = ek.nn.GradientLoss("central", spacing=spacing, border="valid")
    assert float(loss(plane, torch.zeros_like(plane))) == pytest.approx((abs(a) + abs(b)) / 1)
    assert "spacing=(2.0, 0.5)" in repr(learned)
    assert "spacing" not in repr(ek.nn.Sobel())
    for module in (ek.nn.Sobel, ek.nn.Laplacian, ek.nn.Oriented, ek.nn.GradientLoss):
        with pytest.raises(ek.ParameterError, match=r"found tensor\(\[2., 3.\]\)"):
            module(spacing=torch.tensor([2.0, 3.0]))


def test_invalid_spacings():
    image = np.zeros((9, 9))
    ek.sobel(image, spacing=(1.0, 1))
    for spacing in (
        0, -1, math.nan, math.inf, True, np.True_, "2", None, (1, 2, 3), (1.0,), (), (1, True), (1, 0), (1, math.nan),
        [1, 2], np.array([1, 2]), np.array(2.0), torch.tensor(2.0), 1j, 10**400,
    ):  # fmt: skip
        for function in (ek.sobel, ek.laplacian, ek.gradient, ek.picture, lambda i, **o: ek.oriented(i, [0], **o)):
            with pytest.raises(ek.ParameterError) as caught:
                function(image, spacing=spacing)
            said = str(caught.value)
            assert "a positive, finite number, or a tuple (dy, dx)" in said
            assert f"found {shown(spacing)}" in said
    for spacing in (1e-13, 1e13, (1e-3, 1e3)):
        with pytest.raises(ek.ParameterError, match=re.escape(f"found {spacing!r}. Choose another unit")):
            ek.sobel(image, spacing=spacing)


def test_options_that_exclude_spacing_are_refused():
    image, found = np.zeros((9, 9)), re.escape("found spacing=(2, 0.5)")
    for function, options, advice in (
        (ek.sobel, {"angle": 45, "rotate": "ring"}, 'Use rotate="steer"'),
        (ek.roberts, {}, "kernels are diagonal.*Use another gradient operator"),
        (ek.kirsch, {}, "Use a gradient operator, such as sobel"),
        (ek.robinson, {"angle": 0}, "Use a gradient operator, such as sobel"),
        (ek.laplacian, {"stencil": 8}, "Use laplacian with stencil 4 or with sigma"),
        (ek.laplacian, {"stencil": "isotropic"}, "Use laplacian with stencil 4 or with sigma"),
        (ek.dog, {}, "Use laplacian with stencil 4 or with sigma"),
        (ek.sobel, {"scale": "raw"}, 'raw responses have no unit.*Use scale="unit"'),
    ):
        with pytest.raises(ek.ParameterError, match=advice) as caught:
            function(image, spacing=(2, 0.5), **options)
        assert re.search(found, str(caught.value))
    with pytest.raises(ek.ParameterError, match="found spacing=2"):
        ek.laplacian(image, scale="raw", spacing=2)
    ek.sobel(image, scale="raw", spacing=(1, 1))
    with pytest.raises(TypeError, match="spacing"):
        ek.correlate(image, [[1]], spacing=2)
    own = FilterJob("filter", kernel=((1.0,),), spacing=2)
    with pytest.raises(ek.ParameterError, match="a kernel of your own is not a derivative"):
        own.check()


def test_white_level_and_picture_with_spacing():
    image = np.array(picture("uint8", (20, 24)))
    for operator, order in (("sobel", 1), ("kirsch", 1), ("laplacian", 2)):
        usual = ek.white_level(image, operator)
        for spacing in (0.5, 3.0):
            assert ek.white_level(image, operator, spacing=spacing) == pytest.approx(usual / spacing**order)
        np.testing.assert_array_equal(ek.picture(image, operator, spacing=0.5).image, ek.picture(image, operator).image)
    # White is the response to a step of 255 / 4 levels along the axis with the shorter distance, or along the angle.
    assert ek.white_level(image, "sobel", spacing=(2, 0.5)) == 255 / 8 / 0.5
    assert ek.white_level(image, "sobel", angle=90, spacing=(2, 0.5)) == 255 / 8 / 2
    assert ek.white_level(image, "laplacian", spacing=(2, 0.5)) == 255 / 4 / 0.5**2
    white = 255 / 8 / 0.5
    expected = np.rint(np.clip(ek.sobel(image, spacing=(2, 0.5)) / white, 0, 1) * 255)
    np.testing.assert_array_equal(ek.picture(image, spacing=(2, 0.5)).image, expected)


def test_filter_jobs_with_spacing():
    image = np.array(picture("uint8", (20, 24)))
    data, usual = encode(image, ".png"), FilterJob("sobel")
    assert usual.tag == FilterJob("sobel", spacing=(1, 1.0)).tag == "sobel"
    assert usual.key == FilterJob("sobel", spacing=1).key == FilterJob("sobel", spacing=(1.0, 1)).key
    assert "spacing" not in usual.key
    assert FilterJob("sobel", spacing=2).key == FilterJob("sobel", spacing=(2.0, 2)).key != usual.key
    assert FilterJob("sobel", spacing=2).tag == "sobel-spacing2"
    assert FilterJob("sobel", spacing=(2, 0.5)).tag == "sobel-spacing2x0.5"
    for operator in ("sobel", "laplacian"):
        for more in ({}, {"white": 20.0}, {"white": "10%"}, {"depth": "16"}, {"display": "stretch"}):
            expected = FilterJob(operator, **more).run(data, "a")
            for spacing in (3, (0.7, 0.7)):
                assert FilterJob(operator, spacing=spacing, **more).run(data, "a") == expected
            # The unit of length makes no difference.
            one, other = (FilterJob(operator, spacing=s, **more).run(data, "a") for s in ((2, 0.5), (2000, 500)))
            assert one == other
            assert one.data != expected.data
    for spacing in (2, (2, 0.5)):
        job = FilterJob("sobel", depth="float", ending=".npy", spacing=spacing)
        job.check()
        np.testing.assert_array_equal(ek.read_image(job.run(data, "a").data), ek.sobel(image, spacing=spacing))
    for more in ({"spacing": 0}, {"spacing": 2, "scale": "raw", "depth": "float", "ending": ".npy"}):
        with pytest.raises(ek.ParameterError, match="spacing"):
            FilterJob("sobel", **more).check()


def test_compass_responses_are_divided_by_spacing():
    image = np.array(picture("float64", (13, 17)))
    for row in COMPASSES:
        found = apply(image, row.operator, row.parameters, spacing=0.25)
        np.testing.assert_allclose(found, row.answer(image) / 0.25, rtol=1e-12)
