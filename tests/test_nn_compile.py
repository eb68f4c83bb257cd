"""Modules with torch.compile, torch.export, ONNX, tracing and forward-mode derivatives."""

import copy
import io
import warnings

import cv2
import numpy as np
import pytest
import torch
from oracle import BORDERS, ROWS, picture
from sampling import on_full

import edgekit as ek
from edgekit.backends.pytorch import backend, correlation, tiling
from edgekit.filters.apply import apply

nn = ek.nn

MODULES = {
    "sobel": nn.Sobel(),
    "sobel-symmetric": nn.Sobel(size=5, angle=45, border="symmetric", channel="luminance"),
    "scharr-wrap": nn.Scharr(border="wrap", channel="max"),
    "laplacian": nn.Laplacian(),
    "log": nn.Laplacian(sigma=1.0, border="edge", tone="log"),
    "oriented": nn.Oriented(30.0),
    "oriented-fixed": nn.Oriented(30.0, learnable=False),
    "oriented-many": nn.Oriented(torch.tensor([10.0, 20.0])[:, None, None, None], operator="farid", learnable=False),
    "filter": nn.Filter([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "magnitude": nn.GradientMagnitude("gaussian", sigma=1.5, channel="dizenzo", border="constant"),
    **{f"sharpness-{m}": nn.Sharpness(m) for m in ek.MEASURES},
}

#: One of each class, with each border.
ONNX = ("sobel-symmetric", "scharr-wrap", "log", "oriented", "filter", "magnitude", "sharpness-tenengrad")


def few(names, *chosen):
    """Return names as parameters of a test; those that are not chosen run only with --full."""
    return [*chosen, *on_full(*(name for name in names if name not in chosen))]


LOSSES = {
    "gradient": nn.GradientLoss(norm=2),
    "magnitude": nn.GradientLoss("scharr", of="magnitude"),
    "sharpness": nn.SharpnessLoss("tenengrad"),
}


def batch(shape=(2, 3, 20, 23)):
    return torch.from_numpy(picture("float32", shape).copy()) + 1


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(autouse=True)
def _fresh():
    with warnings.catch_warnings():
        # The compiler issues warnings about its own code when it is loaded.
        warnings.simplefilter("ignore")
        torch.compiler.reset()


@pytest.mark.parametrize("name", few(MODULES, "scharr-wrap", "magnitude", "sharpness-brenner"))
def test_modules_compile_without_graph_breaks(name):
    module = MODULES[name]
    close(torch.compile(module, fullgraph=True, backend="aot_eager")(batch()), module(batch()))


@pytest.mark.parametrize("name", few(LOSSES, "magnitude"))
def test_losses_and_gradients_compile_without_graph_breaks(name):
    loss, found, expected = LOSSES[name], batch().requires_grad_(), batch().requires_grad_()
    target = batch().flip(-1)
    torch.compile(loss, fullgraph=True, backend="aot_eager")(found, target).backward()
    loss(expected, target).backward()
    close(found.grad, expected.grad)


def test_masks_and_functions_compile_without_graph_breaks():
    mask = torch.ones(20, 23, dtype=torch.bool)
    mask[4, 5] = False
    with_mask = torch.compile(nn.Sobel(), fullgraph=True, backend="eager")
    assert torch.equal(with_mask(batch(), mask=mask).isnan(), ek.sobel(batch(), mask=mask).isnan())
    function = torch.compile(lambda x: ek.gradient(ek.laplacian(x)).direction, fullgraph=True, backend="eager")
    close(function(batch()), ek.gradient(ek.laplacian(batch())).direction)


@pytest.mark.full
def test_inductor_code_equals_eager(monkeypatch, tmp_path):
    image, module = batch((1, 1, 40, 41)), nn.GradientMagnitude()
    image[0, 0, 9, 9] = torch.nan
    # Workers would outlive the test, and precompiled headers take half a minute.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("torch._inductor.config.compile_threads", 1)
    monkeypatch.setattr("torch._inductor.config.cpp_cache_precompile_headers", False)
    compiled = torch.compile(module, fullgraph=True)
    with warnings.catch_warnings():
        # The compiler issues warnings about its own code.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = compiled(image)
    torch.testing.assert_close(found, module(image), rtol=1e-5, atol=1e-5, equal_nan=True)


def exported(module):
    size = {2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)}
    return torch.export.export(module, (batch(),), dynamic_shapes={"image": size})


@pytest.mark.parametrize("name", few((n for n in MODULES if n != "sharpness-wavelet_ratio"), "log"))
def test_export_for_any_size(name):
    """All but the Haar transform, which drops the last of an odd number of rows."""
    module = MODULES[name]
    program = exported(module).module()
    for shape in ((2, 3, 20, 23), (2, 3, 33, 17)):
        close(program(batch(shape)), module(batch(shape)))


@pytest.mark.parametrize("name", few(ONNX))
def test_onnx_for_any_size(name):
    onnxruntime = pytest.importorskip("onnxruntime")
    module = MODULES[name]
    with warnings.catch_warnings():
        # The exporter issues warnings about its own code.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(exported(module), verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for shape in ((2, 3, 20, 23), (2, 3, 33, 17), (2, 3, 64, 64)):
        image = batch(shape)
        (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        np.testing.assert_allclose(found, module(image).detach().numpy(), rtol=1e-5, atol=1e-5)


def onnx_model(module, image, *, dynamo):
    """Return a module as ONNX, by the dynamo exporter or the older one."""
    onnx, memory = pytest.importorskip("onnx"), io.BytesIO()
    with warnings.catch_warnings():
        # The exporters issue warnings about their own code.
        warnings.simplefilter("ignore")
        if dynamo:
            return torch.onnx.export(module, (image,), dynamo=True, verbose=False).model_proto
        torch.onnx.export(module, (image,), memory, dynamo=False)
    return onnx.load_from_string(memory.getvalue())


@pytest.mark.parametrize("dynamo", [True, False], ids=["exporter", "older exporter"])
@pytest.mark.parametrize("name", few(MODULES, "oriented", "log", "magnitude", "sharpness-tenengrad"))
def test_onnx_runtimes_equal_torch(name, dynamo):
    onnxruntime = pytest.importorskip("onnxruntime")
    # Two angles need two images.
    module, image = MODULES[name], batch((2 if name == "oriented-many" else 1, 3, 20, 22))
    data = onnx_model(module, image, dynamo=dynamo).SerializeToString()
    expected = module(image).detach().numpy()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    # Vollath's measures are small differences of large means.
    size = 1 if name.startswith("sharpness-vollath") else np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * size)
    network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    network.setInput(image.numpy())
    # OpenCV's means of large sums are less exact.
    np.testing.assert_allclose(network.forward().reshape(expected.shape), expected, rtol=0, atol=1e-3 * size)


@pytest.mark.parametrize(
    ("module", "nodes"),
    [
        (nn.GradientMagnitude(), "Pad Conv Slice Slice Mul Mul Add Sqrt"),
        (nn.Sobel(angle=45), "Pad Conv"),
        (nn.Laplacian(), "Pad Conv"),
        (nn.Filter([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]), "Pad Conv"),
        (nn.Oriented(45.0), "Pad Conv Slice Slice Mul Mul Add"),
        (
            nn.Sharpness("tenengrad"),
            "Gather Pad Unsqueeze Conv Squeeze Slice Slice Mul Mul Add ReduceMean",
        ),
    ],
)
def test_exported_graph_has_one_convolution(module, nodes):
    graph = onnx_model(module, batch((1, 1, 20, 22)), dynamo=True).graph
    assert " ".join(node.op_type for node in graph.node) == nodes


@pytest.mark.parametrize("axis", [-3, -1])
def test_exported_gradient(axis):
    """`edgekit.gradient` within another module."""

    class Weighted(torch.nn.Module):
        def forward(self, image):
            found = ek.gradient(image, channel_axis=axis)
            return found.gx + 2 * found.gy

    image = batch((2, 3, 20, 22)).movedim(-3, axis)
    exported = torch.export.export(Weighted(), (image,)).module()
    torch.testing.assert_close(exported(image), Weighted()(image))


@pytest.mark.parametrize("kind", [nn.Sobel, nn.Laplacian, nn.Oriented])
def test_export_with_nan_propagate(kind):
    module = kind(nan="propagate")
    image = batch((1, 1, 20, 22))
    image[0, 0, 5, 6], image[0, 0, 15, 20] = torch.nan, torch.inf
    program = torch.export.export(module, (image,)).module()
    torch.testing.assert_close(program(image), module(image), equal_nan=True)


def test_export_with_a_mask():
    image, mask = batch((1, 1, 20, 22)), torch.ones(20, 22, dtype=torch.bool)
    mask[3, 4] = False
    program = torch.export.export(nn.Sobel(), (image, mask)).module()
    torch.testing.assert_close(program(image, mask), nn.Sobel()(image, mask), equal_nan=True)


def test_traced_modules_equal_eager():
    image = batch()
    for name in ("sobel", "oriented-fixed", "filter"):
        with warnings.catch_warnings():
            # torch issues warnings about its tracer.
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(MODULES[name], (image,))
        close(traced(image.flip(-1)), MODULES[name](image.flip(-1)))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_graph_mode_equals_eager_mode(row, border, monkeypatch):
    """Also for images smaller than the halo, invalid pixels in corners, and masks."""
    images = [torch.from_numpy(picture("float32", (2, *size)).copy()) for size in ((1, 1), (2, 1), (3, 2), (17, 19))]
    cases = []
    for image in images:
        ill = image.clone()
        ill[0, 0, 0], ill[1, -1, -1] = torch.nan, torch.inf
        cases += [(image, None), (ill, None), (image, image[0] > -0.8)]

    def answers():
        for image, mask in cases:
            try:
                yield apply(image, row.operator, row.parameters, border=border, mask=mask)
            except ek.ShapeError:
                yield torch.zeros(1)

    expected = list(answers())
    for module in (tiling, backend, correlation):
        monkeypatch.setattr(module, "is_eager", lambda: False)
    for found, one in zip(answers(), expected, strict=True):
        torch.testing.assert_close(found, one, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_modules_run_on_the_meta_device():
    """Modules never read values back: they do not wait for a GPU."""
    image = torch.empty(2, 3, 20, 23, device="meta")
    for module in MODULES.values():
        assert copy.deepcopy(module).to("meta")(image).device.type == "meta"


def test_forward_mode_derivatives():
    image, direction = batch(), batch().flip(-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for module in (nn.GradientMagnitude(), nn.Laplacian()):
            _, found = torch.func.jvp(module, (image.double(),), (direction.double(),))
            step = 1e-6 * direction.double()
            expected = (module(image.double() + step) - module(image.double() - step)) / 2e-6
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
