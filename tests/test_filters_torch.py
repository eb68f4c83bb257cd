"""Tensors: batches, autograd through the filters, and devices."""

import numpy as np
import pytest
import torch
from oracle import GRADIENTS, ROWS, picture

import edgekit as ek
from edgekit.filters.apply import apply

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))


def by_id(row):
    return row.id


def tensor(dtype="float64", shape=(6, 7)):
    return torch.from_numpy(np.array(picture(dtype, shape)))


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_gradcheck_of_operators(row):
    image = tensor(shape=(4, 5)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: apply(x, row.operator, row.parameters), image)


@pytest.mark.parametrize("options", [{"angle": 30}, {"tone": "log"}, {"scale": "raw", "border": "wrap"}])
def test_gradcheck_of_options(options):
    image = tensor(shape=(5, 6)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ek.sobel(x, **options), image)


@pytest.mark.parametrize("channel", ["each", "luminance", "max", "dizenzo"])
def test_gradcheck_of_channels(channel):
    image = tensor(shape=(3, 4, 5)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ek.sobel(x, channel=channel), image)


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_autograd_of_constant_images_is_finite(row):
    image = torch.full((9, 9), 0.1, requires_grad=True)
    (slope,) = torch.autograd.grad(apply(image, row.operator, row.parameters).sum(), image)
    assert torch.isfinite(slope).all()
    if row.kind == "gradient":
        assert (slope == 0).all()


@pytest.mark.parametrize("channel", ["each", "max", "dizenzo"])
def test_autograd_of_constant_channels_is_finite(channel):
    image = torch.zeros(3, 8, 8, requires_grad=True)
    half = torch.cat([image[..., :4], image[..., 4:] + 1], -1)
    (slope,) = torch.autograd.grad(ek.sobel(half, channel=channel).sum(), image)
    assert torch.isfinite(slope).all()


def test_autograd_beside_invalid_pixels_is_finite():
    image = tensor("float32").requires_grad_()
    mask = torch.ones(6, 7, dtype=torch.bool)
    mask[2, 3] = False
    (slope,) = torch.autograd.grad(ek.sobel(image, mask=mask).nansum(), image)
    assert torch.isfinite(slope).all()


def test_gradcheck_of_arrays_of_angles():
    image = tensor(shape=(2, 1, 5, 6))
    for shape in ((2, 1, 1, 1), (2, 1, 5, 6)):
        theta = torch.linspace(10, 80, int(np.prod(shape)), dtype=torch.float64).reshape(shape).requires_grad_()
        assert torch.autograd.gradcheck(lambda t: ek.sobel(image, angle=t), theta)


def test_an_angle_for_each_sample():
    image = tensor("float32", (4, 3, 8, 9))
    theta = torch.tensor([0.0, 45.0, 90.0, 200.0])
    response = ek.sobel(image, angle=theta[:, None, None, None])
    for one, sample, angle in zip(response, image, theta.tolist(), strict=True):
        torch.testing.assert_close(one, ek.sobel(sample, angle=angle), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("row", GRADIENTS, ids=by_id)
def test_no_autograd_graph_unless_required(row):
    assert not apply(tensor(), row.operator, row.parameters).requires_grad
    assert not ek.gradient(tensor(), operator=row.operator, **row.parameters).direction.requires_grad
    with torch.no_grad():
        assert not apply(tensor().requires_grad_(), row.operator, row.parameters).requires_grad


def test_autograd_works_after_a_call_in_inference_mode():
    # The sum is not zero: kernels of zero sum are computed from differences and not cached.
    taps = [[0.0, 3.125, 0.0], [0.0, 0.0, 0.0], [0.0, 2.875, 0.0]]
    with torch.inference_mode():
        ek.correlate(tensor(), taps)
    image = tensor().requires_grad_()
    ek.correlate(image, taps).sum().backward()
    assert image.grad is not None


def test_autograd_of_a_scalar_angle():
    angle = torch.tensor(33.0, requires_grad=True)
    ek.sobel(tensor(), angle=angle).sum().backward()
    one = torch.tensor([[33.0]], requires_grad=True)
    ek.sobel(tensor(), angle=one).sum().backward()
    assert angle.grad == one.grad[0, 0] != 0


@pytest.mark.parametrize("shape", [(0, 3, 5, 5), (0, 1, 9, 2), (2, 0, 3, 5, 5)])
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_empty_batches_keep_their_shape(row, shape):
    for dtype in (torch.uint8, torch.float32):
        assert apply(torch.zeros(shape, dtype=dtype), row.operator, row.parameters).shape == shape
    if row.kind == "gradient":
        reduced = apply(torch.zeros(shape), row.operator, row.parameters, channel="max")
        assert reduced.shape == (*shape[:-3], 1, *shape[-2:])


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_batch_responses_equal_sample_responses(row):
    batch = tensor("uint8", (2, 2, 3, 6, 7))
    whole = apply(batch, row.operator, row.parameters)
    assert whole.shape == batch.shape
    for samples, responses in zip(batch, whole, strict=True):
        for sample, response in zip(samples, responses, strict=True):
            torch.testing.assert_close(apply(sample, row.operator, row.parameters), response, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("memory", [torch.channels_last, torch.contiguous_format])
def test_memory_format_does_not_change_the_response(memory):
    batch = tensor("float32", (2, 3, 6, 7))
    torch.testing.assert_close(ek.sobel(batch.contiguous(memory_format=memory)), ek.sobel(batch), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(5, 6), (3, 5, 6), (2, 3, 5, 6)])
def test_shapes_of_results(shape):
    image = tensor("uint8", shape)
    assert ek.sobel(image).shape == shape
    assert ek.sobel(image, border="valid").shape == (*shape[:-2], 3, 4)
    assert ek.oriented(image, [0, 10, 20]).shape == (3, *shape)
    reduced = shape if len(shape) == 2 else (*shape[:-3], 1, 5, 6)
    for channel in ("luminance", "max", "dizenzo"):
        assert ek.sobel(image, channel=channel).shape == reduced
        assert ek.gradient(image, channel=channel).gx.shape == reduced


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_results_are_on_the_device_of_the_image(device):
    image = tensor("uint8").to(device)
    cpu = ek.sobel(image.cpu())
    for response in (ek.sobel(image), ek.sobel(image, mask=image > 3), ek.gradient(image).direction):
        assert response.device == image.device
    np.testing.assert_array_max_ulp(ek.sobel(image).cpu().numpy(), cpu.numpy(), 2)


@pytest.mark.parametrize("row", ROWS, ids=by_id)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_and_processor_agree(row):
    for dtype in ("uint8", "float32", "float64"):
        image = tensor(dtype, (13, 17))
        found = apply(image.cuda(), row.operator, row.parameters).cpu()
        rtol = 1e-12 if dtype == "float64" else 1e-5
        torch.testing.assert_close(found, apply(image, row.operator, row.parameters), rtol=rtol, atol=1e-3 * rtol)
