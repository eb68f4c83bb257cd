"""Display in notebooks: panels, coloured kernels, short representations."""

import re
import sys

import numpy as np
import pytest
import torch

import edgekit as ek
from edgekit.operators.table import OPERATORS

RAMP = np.tile(np.arange(32, dtype=np.uint8), (24, 1))


@pytest.fixture
def photograph(request):
    return ek.read_image(request.config.rootpath / "samples" / "camera.png")[::4, ::4]


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("scale", ["unit", "raw"])
def test_correlate_with_kernel_equals_the_filter(name, scale, photograph):
    operator = OPERATORS[name]
    kernel = ek.kernel(name, scale=scale)
    assert kernel.reference == operator.reference
    if operator.directed:
        assert kernel.angle == operator.axis
        expected = ek.oriented(photograph, [operator.axis], operator=name, scale=scale)[0]
    else:
        expected = getattr(ek, name)(photograph, scale=scale)
    inside = (slice(10, -10), slice(10, -10))
    if name == "roberts":
        # correlate needs a kernel with a centre pixel. Roberts is centred half a pixel to the lower right.
        kernel = np.pad(kernel, ((1, 0), (1, 0)))
    np.testing.assert_allclose(ek.correlate(photograph, kernel)[inside], expected[inside], rtol=1e-4, atol=1e-3)


def test_kernels_of_directions():
    book = [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]]
    ring = ek.kernel("sobel", angle=45, rotate="ring", scale="raw")
    assert ring.array.tolist() == book
    assert ring.divisor == pytest.approx(6 * np.sqrt(2))
    assert ring.unit == f"gray levels per pixel times {ring.divisor:g}"
    np.testing.assert_allclose(ek.kernel("sobel", angle=45, rotate="ring"), np.array(book) / ring.divisor)
    assert ek.kernel("sobel", angle=135, angle_of="edge", rotate="ring", scale="raw").array.tolist() == book
    assert ek.kernel("sobel", angle_of="edge").angle == 0
    assert ek.kernel("farid", size=7).array.shape == (7, 7)
    assert ek.kernel("laplacian", stencil=8, scale="raw").array.sum() == 0
    assert np.asarray(ring, np.float32).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ek.kernel("soble"), "Did you mean 'sobel'"),
        (lambda: ek.kernel("sobel", sigma=2), "sobel does not take sigma="),
        (lambda: ek.kernel("laplacian", angle=45), "laplacian"),
        (lambda: ek.kernel("kirsch", angle=30), "multiple of 45"),
        (lambda: ek.kernel("sobel", scale="book"), "scale='book'"),
    ],
)
def test_wrong_kernels(call, message):
    with pytest.raises(ek.ParameterError, match=message):
        call()


def test_html_of_kernels():
    html = ek.kernel("sobel", angle=0, scale="raw")._repr_html_()
    cells = re.findall(r"<td [^>]*background:rgba\((\d+),\d+,\d+,([\d.]+)\)[^>]*>([^<]*)</td>", html)
    assert [float(text) for _, _, text in cells] == [-1, 0, 1, -2, 0, 2, -1, 0, 1]
    reds = {np.sign(float(text)): red for red, _, text in cells}
    assert int(reds[1]) > int(reds[-1])
    opacity = [float(alpha) for _, alpha, _ in cells]
    assert opacity[1] == 0
    assert opacity[0] == pytest.approx(opacity[3] / 2)
    assert ">-1<" in html
    assert "Sobel and Feldman" in html
    # Wide kernels are shown by colours without numbers.
    assert ">0" not in ek.kernel("gaussian", sigma=3)._repr_html_()


def test_repr_of_results():
    large = np.zeros((600, 800), np.uint8)
    assert repr(ek.gradient(large)) == "Gradient(gx and gy of shape (600, 800), float32)"
    assert repr(ek.gradient(torch.zeros(3, 9, 9))) == "Gradient(gx and gy of shape (3, 9, 9), float32)"
    focus = ek.autofocus(lambda z: 900 / (60 + (z - 31.4) ** 2), 0, 100)
    assert f"{len(focus.measurements)} measurements)" in repr(focus)
    fit = ek.fit_kernel(RAMP * 2, RAMP, steps=3)
    assert repr(fit).startswith("KernelFit(3x3, ")


def test_html_of_results(photograph):
    gradient = ek.gradient(RAMP)
    assert "<b>0 to 1</b>" in gradient._repr_html_()
    assert "no values" in ek.gradient(np.full((3, 3), np.nan))._repr_html_()
    peak = ek.find_peak([10, 20, 30, 40, 50], [2.0, 5.1, 9.2, 7.4, 3.1])
    assert "<b>peak</b>" in peak._repr_html_()
    focus = ek.autofocus(lambda z: 900 / (60 + (z - 31.4) ** 2), 0, 100)
    assert f"{len(focus.measurements)} values" in focus._repr_html_()
    width = ek.blur_width(photograph)
    assert f"{width.width:.4g}" in width._repr_html_()
    assert "explained" in ek.fit_kernel(RAMP * 2, RAMP, steps=3)._repr_html_()


def test_gradient_unpacks_to_gx_and_gy():
    for image in (RAMP, torch.from_numpy(RAMP)):
        gx, gy = ek.gradient(image)
        assert float(gx[5, 5]) == 1
        assert not gy.any()


def pixels(panels, number):
    """Return the drawn image of a panel and the range of its colours."""
    axes = [a for a in panels.figure.axes if a.get_label() != "<colorbar>"][number]
    (drawn,) = axes.images
    return drawn, drawn.get_clim()


def bars(panels):
    return [a.get_ylabel() for a in panels.figure.axes if a.get_label() == "<colorbar>"]


def test_zero_of_signed_responses_is_mid_gray():
    step = np.zeros((20, 20), np.uint8)
    step[:, 8:12] = 80
    panels = ek.show(step, ek.sobel(step, angle=0), ek.sobel(step), unit="levels")
    drawn, (low, high) = pixels(panels, 1)
    assert (low, high) == (-40, 40)
    assert np.round(drawn.to_rgba(np.zeros((1, 1)), bytes=True)[0, 0, :3]).tolist() == [128] * 3
    assert pixels(panels, 2)[1] == (0, 40)
    assert bars(panels) == ["levels", "levels"]


def test_white_option_and_default_white_level():
    response = np.zeros((20, 20), np.float32)
    response[0, 0] = 100
    response[1:] = 3
    panels = ek.show(RAMP, response)
    assert pixels(panels, 1)[1] == (0, 3)
    # The colour bar has an arrow for larger values.
    ends = next(a for a in panels.figure.axes if a.get_label() == "<colorbar>")
    assert ends._colorbar.extend == "max"
    assert pixels(ek.show(RAMP, response, -response, white=8), 2)[1] == (-8, 8)


def test_masks_are_drawn_over_the_image(photograph):
    mask = ek.canny(photograph)
    drawn, _ = pixels(ek.show(photograph, mask), 1)
    expected = ek.overlay(photograph, mask * np.uint8(255))
    np.testing.assert_array_equal(drawn.get_array(), expected)


def test_panels_of_gradients_and_tensors():
    panels = ek.show(torch.from_numpy(RAMP), ek.gradient(torch.from_numpy(RAMP)))
    assert panels.titles == ("image", "gx", "gy", "magnitude")
    colours = torch.rand(3, 9, 9)
    drawn, _ = pixels(ek.show(colours, ek.sobel(colours)), 1)
    assert drawn.get_array().shape == (9, 9, 3)


def test_nan_values_are_red():
    response = np.ones((4, 4), np.float32)
    response[0, 0] = np.nan
    drawn, _ = pixels(ek.show(np.zeros((4, 4), np.uint8), response), 1)
    red, green, blue, _ = drawn.to_rgba(drawn.get_array(), bytes=True)[0, 0]
    assert red > 2 * max(green, blue)


def test_save_repr_and_html_of_panels(tmp_path):
    panels = ek.show(RAMP, RAMP / 2, titles=("one", "two"))
    panels.save(tmp_path / "panels.png")
    height, width = ek.read_image(tmp_path / "panels.png").shape[:2]
    assert repr(panels) == f"Panels(2 panels, {width}x{height} pixels)"
    assert 'alt="one, two" src="data:image/png;base64,' in panels._repr_html_()
    many = ek.show(RAMP, *[RAMP / 2] * 3, columns=2)
    assert many.figure.get_size_inches()[0] == panels.figure.get_size_inches()[0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ek.show(torch.zeros(2, 3, 9, 9)), ek.ShapeError, "found a batch of shape"),
        (lambda: ek.show(RAMP, RAMP[:9] > 3), ek.ShapeError, "size of the edges"),
        (lambda: ek.show(RAMP, RAMP, titles=["a"]), ek.ParameterError, "expected 2 titles"),
        (lambda: ek.show(RAMP, titles="a"), ek.ParameterError, "titles='a' must be a sequence"),
        (lambda: ek.show(RAMP, white=0), ek.ParameterError, "white=0 must be a number above 0"),
        (lambda: ek.show(RAMP, columns=0), ek.ParameterError, "columns=0 must be an integer from 1 on"),
        (lambda: ek.show(RAMP, "sobel"), ek.DtypeError, "found str"),
    ],
)
def test_wrong_arguments_of_show(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_show_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ek.MissingExtraError, match=r"show needs matplotlib.*\[plot\]"):
        ek.show(RAMP)


def test_titles_are_escaped():
    titles = ['"><script>', r"$\frac$ and $5 to $9"]
    panels = ek.show(np.eye(8), ek.sobel(np.eye(8)), titles=titles, unit="$x")
    assert panels.titles == tuple(titles)
    assert "<script>" not in panels._repr_html_()


def test_non_finite_pixels_of_colour_images_are_red(tmp_path):
    colours = np.random.default_rng(0).random((20, 20, 3)) - 0.5
    colours[5:15, 5:15, 1] = np.nan
    panels = ek.show(np.eye(20), colours)
    drawn = panels.figure.axes[1].images[0].get_array()
    np.testing.assert_allclose(drawn[10, 10], (0xB0 / 255, 0, 0x20 / 255), atol=1e-6)


@pytest.mark.parametrize("option", [{"rotate": "banana"}, {"rotate": "ring"}, {"angle_of": "edge"}])
def test_options_that_do_not_apply_to_the_kernel(option):
    with pytest.raises(ek.ParameterError):
        ek.kernel("laplacian", **option)
