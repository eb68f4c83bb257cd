"""Modules and losses: results, state and error messages."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from oracle import picture

import edgekit as ek

nn = ek.nn


def tensor(shape=(2, 3, 9, 11), dtype="float32"):
    return torch.from_numpy(picture(dtype, shape).copy())


CASES = {
    "sobel": (lambda: nn.Sobel(), lambda x: ek.sobel(x)),
    "sobel-5-30": (
        lambda: nn.Sobel(size=5, angle=30, border="wrap"),
        lambda x: ek.sobel(x, size=5, angle=30, border="wrap"),
    ),
    "scharr": (lambda: nn.Scharr(angle=90, scale="raw"), lambda x: ek.scharr(x, angle=90, scale="raw")),
    "laplacian": (lambda: nn.Laplacian(stencil=8), lambda x: ek.laplacian(x, stencil=8)),
    "log": (lambda: nn.Laplacian(sigma=1.5), lambda x: ek.laplacian(x, sigma=1.5)),
    "oriented": (lambda: nn.Oriented(40.0, operator="scharr"), lambda x: ek.scharr(x, angle=40)),
    "fixed": (lambda: nn.Oriented(40.0, learnable=False), lambda x: ek.sobel(x, angle=40)),
    "filter": (lambda: nn.Filter([[0, 1, 2]], border="edge"), lambda x: ek.correlate(x, [[0, 1, 2]], border="edge")),
    "magnitude": (lambda: nn.GradientMagnitude("gaussian", sigma=0.8), lambda x: ek.gaussian_gradient(x, sigma=0.8)),
    "sharpness": (lambda: nn.Sharpness("tenengrad"), lambda x: ek.sharpness(x, "tenengrad")),
}


@pytest.fixture(params=CASES, ids=str)
def case(request):
    make, function = CASES[request.param]
    return make(), function


def close(found, expected, rtol=1e-5):
    torch.testing.assert_close(found, expected, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("shape", [(9, 11), (3, 9, 11), (2, 3, 9, 11), (2, 1, 2, 1, 9, 11)])
def test_modules_equal_functions_for_any_leading_dimensions(case, shape):
    module, function = case
    close(module(tensor(shape)).detach(), function(tensor(shape)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_modules_follow_the_dtype(case, dtype):
    module, function = case
    image = tensor().to(dtype)
    found = module.to(dtype)(image).detach()
    assert found.dtype == function(image).dtype
    # The angle and the kernel are rounded to the dtype.
    rtol = {torch.float16: 4e-3, torch.bfloat16: 3e-2, torch.float64: 1e-9}[dtype]
    expected = function(image)
    assert (found - expected).abs().max() <= rtol * expected.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_does_not_reduce_precision(case, dtype):
    module, function = case
    with torch.autocast("cpu", dtype):
        close(module(tensor()).detach(), function(tensor()), rtol=1e-6)


def test_memory_format_and_strides_do_not_change_results(case):
    module, _ = case
    image = tensor((2, 3, 8, 10))
    expected = module(image)
    wide = torch.zeros(2, 3, 16, 30)
    wide[..., ::2, ::3] = image
    for other in (image.contiguous(memory_format=torch.channels_last), wide[..., ::2, ::3], image.mT.contiguous().mT):
        close(module(other), expected, rtol=1e-6)


def test_output_keeps_channels_last():
    image = tensor((2, 3, 90, 100)).contiguous(memory_format=torch.channels_last)
    assert nn.Sobel()(image).is_contiguous(memory_format=torch.channels_last)


def test_modules_with_vmap(case):
    module, _ = case
    batch = tensor((4, 3, 8, 9))
    close(torch.func.vmap(module)(batch), module(batch))


def test_vmap_of_gradients_per_sample():
    batch = tensor((4, 1, 8, 9))
    slopes = torch.func.vmap(torch.func.grad(lambda x: nn.GradientMagnitude()(x).square().sum()))(batch)
    for sample, slope in zip(batch, slopes, strict=True):
        leaf = sample.clone().requires_grad_()
        nn.GradientMagnitude()(leaf).square().sum().backward()
        close(leaf.grad, slope)


def test_state_dict_and_parameters():
    layer = torch.nn.Sequential(nn.Filter([[1.0, 2, 3]]), nn.Oriented(12.0), nn.Sobel())
    state = layer.state_dict()
    assert {k: v.tolist() for k, v in state.items()} == {"0.kernel": [[1, 2, 3]], "1.angle": 12}
    other = torch.nn.Sequential(nn.Filter([[1.0, 1, 1]]), nn.Oriented(0.0), nn.Sobel())
    other.load_state_dict(state)
    assert torch.equal(other(tensor()), layer(tensor()))
    assert len(list(layer.parameters())) == 2
    fixed = torch.nn.Sequential(nn.Filter([[1.0]], learnable=False), nn.Oriented(0.0, learnable=False))
    assert not list(fixed.parameters())
    assert list(fixed.state_dict()) == ["0.kernel", "1.angle"]
    assert layer.to(torch.float64)[0].kernel.dtype == torch.float64
    assert layer.to("meta")[1].angle.device.type == "meta"


def test_deepcopy_and_pickle(case):
    module, _ = case
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(tensor()), module(tensor()))


def test_repr_of_modules():
    assert repr(nn.Sobel(size=5, angle=30)) == "Sobel(size=5, angle=30)"
    assert repr(nn.Filter([[1, 2, 1]], border="wrap")) == "Filter(1x3, learnable=True, border='wrap')"
    assert repr(nn.Oriented(30)) == "Oriented(angle=30, operator='sobel', learnable=True)"
    assert repr(nn.GradientMagnitude("farid", size=7)) == "GradientMagnitude(operator='farid', size=7)"
    assert "tensor of shape (2, 1, 1)" in repr(nn.Oriented(torch.zeros(2, 1, 1)))


def test_requires_grad_of_results(case):
    module, _ = case
    with torch.no_grad():
        assert not module(tensor().requires_grad_()).requires_grad
    with torch.inference_mode():
        module(tensor())
    learned = bool(list(module.parameters()))
    assert module(tensor()).requires_grad == learned
    assert module(tensor().requires_grad_()).requires_grad


def test_torch_modes_and_threads_are_unchanged(case):
    module, _ = case
    before = torch.is_grad_enabled(), torch.get_num_threads(), torch.is_inference_mode_enabled()
    module(tensor().requires_grad_()).sum().backward()
    ek.score(tensor((1, 40, 40)).requires_grad_())
    assert (torch.is_grad_enabled(), torch.get_num_threads(), torch.is_inference_mode_enabled()) == before


def test_scores_do_not_require_grad():
    value = ek.score(torch.rand(2, 3, 64, 64, requires_grad=True))
    assert not value.requires_grad
    (value * torch.ones(2, requires_grad=True)).sum().backward()


def test_mask_of_modules():
    mask = torch.ones(9, 11, dtype=torch.bool)
    mask[4, 5] = False
    assert torch.equal(nn.Sobel()(tensor(), mask=mask).isnan(), ek.sobel(tensor(), mask=mask).isnan())


def test_gradient_loss():
    image, target = tensor(), tensor().flip(-1)
    a, b = ek.gradient(image), ek.gradient(target)
    dx, dy = (a.gx - b.gx).abs(), (a.gy - b.gy).abs()
    close(nn.GradientLoss()(image, target), (dx + dy).mean())
    close(nn.GradientLoss(norm=2, reduction="sum")(image, target), (dx**2 + dy**2).sum())
    close(nn.GradientLoss(reduction="none")(image, target), dx + dy)
    magnitudes = (ek.scharr(image) - ek.scharr(target)).abs()
    close(nn.GradientLoss("scharr", of="magnitude")(image, target), magnitudes.mean())
    mask = torch.ones(9, 11, dtype=torch.bool)
    mask[4, 5] = False
    kept = ek.sobel(image, mask=mask).isfinite()
    close(
        nn.GradientLoss(of="magnitude")(image, target, mask=mask),
        (ek.sobel(image) - ek.sobel(target)).abs()[kept].mean(),
    )


def test_sharpness_loss():
    image = tensor()
    close(nn.SharpnessLoss("brenner")(image), -ek.sharpness(image, "brenner").mean())
    close(nn.SharpnessLoss("tenengrad")(2 * image, image), torch.tensor(-4.0))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Sobel(size=4), ek.ParameterError, "sobel has no size=4"),
        (lambda: nn.Sobel(border="mirror"), ek.ParameterError, "border='mirror' is not known"),
        (lambda: nn.Sobel(bordr="edge"), TypeError, "unexpected keyword argument 'bordr'"),
        (lambda: nn.GradientMagnitude("laplacian"), ek.ParameterError, "laplacian has no gradient vector"),
        (lambda: nn.Oriented(float("nan")), ek.ParameterError, "angles must be finite"),
        (lambda: nn.Oriented(channel="max"), ek.ParameterError, "choose one of each, luminance|one of each"),
        (lambda: nn.Filter([[1, 2]]), ek.KernelError, "odd number of rows and columns"),
        (lambda: nn.Sharpness("sharp"), ek.ParameterError, "measure='sharp' is not known"),
        (lambda: nn.GradientLoss(of="angle"), ek.ParameterError, "choose one of components, magnitude"),
        (lambda: nn.GradientLoss(norm=0.5), ek.ParameterError, "norm=0.5 must be at least 1"),
        (lambda: nn.GradientLoss(reduction="max"), ek.ParameterError, "choose one of mean, sum, none"),
        (lambda: nn.Sobel()(torch.zeros(5)), ek.ShapeError, r"expected a tensor of shape.*found \(5,\)"),
        (lambda: nn.Sobel()([1, 2]), ek.DtypeError, "expected a NumPy array or a torch tensor"),
        (lambda: nn.Filter([[1.0]])(picture("uint8")), ek.DtypeError, "image is a ndarray and the kernel a Parameter"),
        (lambda: nn.GradientLoss()(tensor(), tensor()[:1]), ek.ShapeError, "differ in shape"),
        (lambda: nn.GradientLoss()(tensor()[:0], tensor()[:0]), ek.ShapeError, "the batch is empty"),
        (lambda: nn.SharpnessLoss()(tensor(dtype="uint8")), ek.DtypeError, r"image of torch.uint8.*image.float\(\)"),
        (lambda: nn.GradientLoss()(tensor(), tensor().to("meta")), ek.DtypeError, "on cpu and the other on meta"),
        (lambda: nn.Filter([[1.0]])(tensor().to("meta")), ek.DtypeError, "on meta and the kernel on cpu; move one"),
        (lambda: nn.Oriented(torch.zeros(2, 1, 1, 1))(tensor().to("meta")), ek.DtypeError, "its angles on cpu; move"),
        (lambda: nn.Oriented(torch.zeros(5, 1, 1, 1))(tensor()), ek.ShapeError, "do not broadcast"),
    ],
)
def test_messages_of_wrong_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_torch_is_imported_only_for_nn():
    code = (
        "import sys, edgekit; edgekit.sobel; assert 'torch' not in sys.modules;"
        "edgekit.nn.Sobel; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
