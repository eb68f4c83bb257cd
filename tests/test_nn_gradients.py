"""First and second derivatives of operators, borders, channel modes and masks; memory of the backward pass."""

import pytest
import torch
from oracle import BORDERS, GRADIENTS, ROWS, picture
from torch.autograd import gradcheck, gradgradcheck

import edgekit as ek
from edgekit.backends.pytorch import tiling
from edgekit.filters.apply import apply

SIZE = (5, 6)


def by_id(row):
    return row.id


def leaf(shape=SIZE):
    return torch.from_numpy(picture("float64", shape).copy()).requires_grad_()


def twice(function, *inputs):
    """Check first and second derivatives in random directions: the whole Jacobian would take minutes."""
    assert gradcheck(function, inputs, fast_mode=True)
    assert gradgradcheck(function, inputs, fast_mode=True)


@pytest.fixture(params=["whole", "strips"])
def strips(request, monkeypatch):
    """Images in one piece, and in strips of two rows."""
    if request.param == "strips":
        monkeypatch.setattr(tiling, "_tile_height", lambda layout, rows, halo: 2)


@pytest.mark.usefixtures("strips")
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_gradcheck_of_operators_and_borders(row, border):
    side = max(row.along.shape)
    shape = (side + 2, side + 1) if border == "valid" else SIZE
    twice(lambda x: apply(x, row.operator, row.parameters, border=border), leaf(shape))


@pytest.mark.usefixtures("strips")
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_gradcheck_of_operators_with_a_mask(row):
    mask = torch.ones(9, 10, dtype=torch.bool)
    mask[0, 0] = mask[8, 9] = False
    masked = lambda x: apply(x, row.operator, row.parameters, mask=mask).nan_to_num()  # noqa: E731
    image = leaf((9, 10))
    twice(masked, image)
    (slope,) = torch.autograd.grad(masked(image).sum(), image)
    assert (slope[~mask] == 0).all()
    if max(row.along.shape) <= 5:
        assert slope.abs().max() > 0


@pytest.mark.usefixtures("strips")
@pytest.mark.parametrize("channel", ["each", "luminance", "max", "dizenzo"])
@pytest.mark.parametrize("tone", ["linear", "log"])
def test_gradcheck_of_channel_modes_and_tones(channel, tone):
    # With reflect the gradient is 0 in a corner, where max and dizenzo are not differentiable.
    options = {"channel": channel, "tone": tone, "border": "wrap"}
    twice(lambda x: ek.scharr(x, **options), leaf((3, 4, 5)))
    gradient = lambda x: ek.gradient(x, **options)  # noqa: E731
    twice(lambda x: (gradient(x).gx, gradient(x).gy), leaf((3, 4, 5)))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_gradients_near_non_finite_pixels(row, bad):
    """Only finite responses contribute to the gradient."""
    image = torch.from_numpy(picture("float64", (24, 25)).copy())
    image[11, 12] = bad
    image.requires_grad_()
    response = apply(image, row.operator, row.parameters)
    (found,) = torch.autograd.grad(response, image, torch.ones_like(response))
    known = response.isfinite()
    healthy = torch.where(image.isfinite(), image, 0).detach().requires_grad_()
    (expected,) = torch.autograd.grad(apply(healthy, row.operator, row.parameters)[known].sum(), healthy)
    torch.testing.assert_close(found, expected.where(image.isfinite(), 0))


@pytest.mark.parametrize("row", GRADIENTS, ids=by_id)
def test_gradients_of_constant_images_are_zero(row):
    image = torch.full((12, 13), 0.1, requires_grad=True)
    response = apply(image, row.operator, row.parameters)
    (slope,) = torch.autograd.grad(response.sum(), image)
    assert (response == 0).all()
    assert (slope == 0).all()


@pytest.mark.parametrize("degrees", [0.0, 45.0, 90.0, 180.0, 270.0, -33.0])
@pytest.mark.parametrize("shape", [(), (2, 1, 1, 1), (2, 1, 4, 5)])
def test_gradcheck_of_angles(degrees, shape):
    """Also at multiples of 90 degrees, where cosine or sine is exactly 0."""
    image, theta = leaf((2, 1, 4, 5)), torch.full(shape, degrees, dtype=torch.float64, requires_grad=True)
    twice(lambda x, t: ek.sobel(x, angle=t), image, theta)
    gradient = ek.gradient(image.detach())
    turned = ek.sobel(image.detach(), angle=degrees + 90).sum() * torch.pi / 180
    (slope,) = torch.autograd.grad(ek.sobel(image.detach(), angle=theta).sum(), theta)
    torch.testing.assert_close(slope.sum(), turned)
    assert gradient.gx.abs().max() > 0


@pytest.mark.parametrize("border", [b for b in BORDERS if b != "valid"])
def test_gradcheck_of_kernels(border):
    taps = torch.tensor([[0.3, 0.0, -1.0], [2.0, 0.1, 0.0], [0.0, 1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    mask = torch.ones(SIZE, dtype=torch.bool)
    mask[1, 1] = False
    twice(lambda x, t: ek.correlate(x, t, border=border), leaf(), taps)
    # gradcheck changes each coefficient slightly; a coefficient of 0 would then reach masked pixels.
    full = (taps.detach() + 0.4).requires_grad_()
    twice(lambda x, t: ek.correlate(x, t, border=border, mask=mask).nan_to_num(), leaf(), full)
    known = ek.correlate(leaf().detach(), taps, border=border, mask=mask).isfinite()
    assert torch.equal(known, ek.correlate(leaf().detach(), taps.tolist(), border=border, mask=mask).isfinite())


def test_gradcheck_of_losses():
    # No magnitude is near 0, where it is not differentiable.
    image, target = leaf((1, 3, 6, 7)), leaf((1, 3, 6, 7)).detach().flip(-1) * 3
    for loss in (ek.nn.GradientLoss(norm=2), ek.nn.GradientLoss("scharr", of="magnitude", norm=2)):
        twice(loss, image, target)
    twice(ek.nn.SharpnessLoss("laplacian_variance"), image)
    twice(ek.nn.SharpnessLoss("tenengrad"), image, target)


def test_incoming_gradients_need_not_be_contiguous():
    image = leaf((3, 20, 21))
    (one,) = torch.autograd.grad(ek.sobel(image), image, torch.ones(()).double().expand(3, 20, 21))
    (other,) = torch.autograd.grad(ek.sobel(image).sum(), image)
    torch.testing.assert_close(one, other)


def saved_bytes(function):
    """Return the number of bytes saved for the backward pass, without the input."""
    image = torch.rand(1, 1, 128, 128, requires_grad=True)
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        response = function(image)
    assert response.requires_grad
    kept.pop(image.untyped_storage().data_ptr(), None)
    return sum(kept.values())


def test_magnitude_saves_only_its_input(monkeypatch):
    assert saved_bytes(ek.nn.GradientMagnitude()) == 0
    beside = vars(ek.nn.GradientMagnitude()(torch.rand(9, 9, requires_grad=True)).grad_fn).values()
    assert not [v for v in beside if isinstance(v, torch.Tensor) or getattr(v, "image", None) is not None]
    # The composed form saves at least two responses and their root.
    monkeypatch.setattr(tiling, "is_eager", lambda: False)
    assert saved_bytes(ek.nn.GradientMagnitude()) > 3 * 4 * 128 * 128


def test_inputs_changed_in_place_are_detected():
    image = torch.rand(8, 9, requires_grad=True)
    copied = image * 1
    response = ek.sobel(copied)
    copied.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        response.sum().backward()
