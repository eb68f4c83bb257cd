"""`channel_axis`: the axis of the channels is given, or follows from the kind of array."""

import numpy as np
import pytest
import torch
from oracle import picture

import edgekit as ek

IMAGE = picture("float32", (12, 17, 3)) * 100 + 100

#: Functions that accept any layout. Their responses have the layout of the image.
FUNCTIONS = {
    "sobel": ek.sobel,
    "one direction": lambda image, **o: ek.scharr(image, angle=30, **o),
    "laplacian": ek.laplacian,
    "correlate": lambda image, **o: ek.correlate(image, [[1, 2, 3]], **o),
    "luminance": lambda image, **o: ek.prewitt(image, channel="luminance", **o),
    "max": lambda image, **o: ek.sobel(image, channel="max", **o),
    "dizenzo": lambda image, **o: ek.sobel(image, channel="dizenzo", **o),
    "canny": lambda image, **o: ek.canny(image, low=2, high=4, **o),
    "canny of each": lambda image, **o: ek.canny(image, channel="each", **o),
    "zero_crossings": ek.zero_crossings,
    "threshold": ek.threshold,
    "threshold of each": lambda image, **o: ek.threshold(image, "otsu", channel="each", **o),
    "outline": lambda image, **o: ek.outline(image > 100, **o),
    "detect": ek.detect,
    "nonmax_suppress": lambda image, **o: ek.nonmax_suppress(image, image, **o),
    "hysteresis": lambda image, **o: ek.hysteresis(image, 60, 150, **o),
    "sharpness_map": ek.sharpness_map,
}


def in_numpy(result):
    return result.numpy() if isinstance(result, torch.Tensor) else np.asarray(result)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_channel_axis_of_arrays(name, axis):
    image = np.tile(IMAGE, (3, 3, 1))
    expected = FUNCTIONS[name](image)
    found = FUNCTIONS[name](np.moveaxis(image, -1, axis), channel_axis=axis)
    if expected.ndim == 3:
        expected = np.moveaxis(expected, -1, axis)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("axis", [0, 1, 3, -1, -4])
def test_channel_axis_of_batches_of_tensors(name, axis):
    batch = torch.from_numpy(np.stack([IMAGE.transpose(2, 0, 1), IMAGE.transpose(2, 0, 1)[:, ::-1] / 2]))
    expected = FUNCTIONS[name](batch)
    found = FUNCTIONS[name](batch.movedim(1, axis), channel_axis=axis)
    np.testing.assert_array_equal(found.movedim(axis, 1), expected)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("luminance", "dizenzo")])
def test_channel_axis_none_of_stacks_of_tensors(name):
    stack = torch.from_numpy(IMAGE.transpose(2, 0, 1).copy())
    found = FUNCTIONS[name](stack, channel_axis=None)
    assert found.shape == stack.shape
    for plane, result in zip(stack, found, strict=True):
        np.testing.assert_array_equal(result, FUNCTIONS[name](plane))


@pytest.mark.parametrize("axis", [0, 1])
def test_channel_axis_of_gradient_and_oriented(axis):
    image = np.moveaxis(IMAGE, -1, axis)
    bank = ek.oriented(image, [0, 45, 90], channel_axis=axis)
    np.testing.assert_array_equal(bank, np.moveaxis(ek.oriented(IMAGE, [0, 45, 90]), -1, axis + 1))
    gray = ek.oriented(image, [0, 45], channel="luminance", channel_axis=axis)
    np.testing.assert_array_equal(gray, ek.oriented(IMAGE, [0, 45], channel="luminance"))
    gradient = ek.gradient(image, operator="farid", channel_axis=axis)
    np.testing.assert_array_equal(gradient.gy, np.moveaxis(ek.gradient(IMAGE, operator="farid").gy, -1, axis))


def test_channel_axis_of_masks_angles_and_out():
    image, valid = IMAGE.transpose(2, 0, 1).copy(), IMAGE[:, :, 0] > 50
    each = np.moveaxis(IMAGE > 30, -1, 0)
    for mask in (valid, each):
        expected = ek.sobel(IMAGE, mask=mask if mask.ndim == 2 else np.moveaxis(mask, 0, -1))
        np.testing.assert_array_equal(ek.sobel(image, mask=mask, channel_axis=0), np.moveaxis(expected, -1, 0))
    with pytest.raises(ek.ShapeError, match="a mask has the image's 3 axes, or 2"):
        ek.sobel(image, mask=each[None], channel_axis=0)

    angles = np.float32([10, 20, 30])
    expected = ek.sobel(IMAGE, angle=angles)
    found = ek.sobel(image, angle=angles[:, None, None], channel_axis=0)
    np.testing.assert_array_equal(found, np.moveaxis(expected, -1, 0))
    # Angles broadcast against the response in the layout of the image.
    each_pixel = np.linspace(0, 90, valid.size, dtype=np.float32).reshape(valid.shape)
    found = ek.sobel(image, angle=each_pixel, channel_axis=0)
    np.testing.assert_array_equal(found, np.moveaxis(ek.sobel(IMAGE, angle=each_pixel[:, :, None]), -1, 0))
    gray = ek.sobel(image, angle=each_pixel, channel="luminance", channel_axis=0)
    np.testing.assert_array_equal(gray, ek.sobel(IMAGE, angle=each_pixel, channel="luminance"))

    out = np.empty_like(image)
    assert ek.sobel(image, channel_axis=0, out=out) is out
    np.testing.assert_array_equal(out, np.moveaxis(ek.sobel(IMAGE), -1, 0))
    with pytest.raises(ek.ShapeError, match="out must have the result's shape"):
        ek.sobel(image, channel_axis=0, out=np.empty_like(IMAGE))
    with pytest.raises(ek.DtypeError, match="out must be a NumPy array, as the image is; found Tensor"):
        ek.sobel(image, channel_axis=0, out=torch.empty(image.shape))


def test_autograd_of_tensors_with_channels_last():
    image = torch.from_numpy(IMAGE.copy()).requires_grad_()
    ek.sobel(image, channel_axis=-1).sum().backward()
    other = torch.from_numpy(IMAGE.transpose(2, 0, 1).copy()).requires_grad_()
    ek.sobel(other).sum().backward()
    np.testing.assert_array_equal(image.grad, other.grad.movedim(0, -1))


@pytest.mark.parametrize("measure", ek.MEASURES)
def test_channel_axis_of_measures_and_scores(measure):
    image = np.kron(picture("uint8", (6, 8, 3)), np.ones((9, 9, 1))).astype(np.float32)
    batch = torch.from_numpy(np.stack([image, image / 2]))
    assert ek.sharpness(np.moveaxis(image, -1, 0), measure, channel_axis=0) == ek.sharpness(image, measure)
    np.testing.assert_array_equal(
        ek.sharpness(batch, measure, channel_axis=-1), ek.sharpness(batch.movedim(-1, 1), measure)
    )
    assert ek.score(np.moveaxis(image, -1, 0), channel_axis=0) == ek.score(image)
    np.testing.assert_array_equal(ek.score(batch, channel_axis=-1), ek.score(batch.movedim(-1, 1)))
    red = ek.score(batch[..., 0], channel_axis=None)
    assert float(red[1]) == pytest.approx(ek.score(image[..., 0] / 2), rel=1e-6)


WRONG_LAYOUTS = [
    (np.zeros((3, 20, 30)), "channel_axis=0", r"\(rows, columns, channels\); found \(3, 20, 30\)"),
    (np.zeros((4, 5, 5)), "channel_axis=0", "found"),
    (torch.zeros(20, 30, 3), "channel_axis=-1", r"\(channels, rows, columns\); found \(20, 30, 3\)"),
    (torch.zeros(8, 20, 30, 4), "channel_axis=-1", r"\(..., channels, rows, columns\); found \(8, 20, 30, 4\)"),
    (torch.zeros(2, 8, 20, 30, 3), "channel_axis=-1", "found"),
]  # fmt: skip


@pytest.mark.parametrize(("image", "axis", "message"), WRONG_LAYOUTS)
def test_layouts_of_the_other_library_are_refused(image, axis, message):
    calls = [*FUNCTIONS.values(), ek.sharpness, ek.score, ek.gradient, lambda i: ek.oriented(i, [0, 45])]
    if isinstance(image, torch.Tensor):
        calls += [ek.nn.Sobel(), ek.nn.Filter([[1.0]]), ek.nn.Oriented(), ek.nn.Sharpness()]
    for call in calls:
        with pytest.raises(ek.ShapeError, match=message) as caught:
            call(image)
        assert f"Pass {axis} if it is" in str(caught.value)


@pytest.mark.parametrize(("image", "axis", "message"), WRONG_LAYOUTS)
def test_explicit_channel_axis_is_accepted(image, axis, message):
    usual = -1 if isinstance(image, np.ndarray) else -3
    assert ek.sobel(image, channel_axis=usual).shape == image.shape
    assert ek.sobel(image, channel_axis=int(axis.partition("=")[2])).shape == image.shape


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 20)), np.zeros((3, 20, 4)), np.zeros((2, 20, 30)), np.zeros((3, 4, 30)), np.zeros((5, 20, 30)),
        torch.zeros(3, 20, 30), torch.zeros(4, 20, 3), torch.zeros(20, 30, 2), torch.zeros(20, 4, 3),
        torch.zeros(20, 30, 5), torch.zeros(20, 3),
    ],
)  # fmt: skip
def test_plausible_shapes_are_accepted(image):
    assert ek.sobel(image).shape == image.shape


@pytest.mark.parametrize(
    ("image", "axis", "error", "message"),
    [
        (np.zeros((3, 8, 8)), None, ek.ShapeError, "channel_axis=None means an image without channels.*channel_axis=0"),
        (np.zeros((8, 8)), -1, ek.ShapeError, r"channel_axis=-1 needs an image with such an axis.*found \(8, 8\)"),
        (np.zeros((3, 8, 8)), 3, ek.ShapeError, "channel_axis=3 needs"),
        (torch.zeros(3, 8, 8), -4, ek.ShapeError, "channel_axis=-4 needs"),
        (np.zeros((3, 8, 8)), "last", ek.ParameterError, "channel_axis='last' must be an integer, None or"),
        (np.zeros((3, 8, 8)), 1.0, ek.ParameterError, "channel_axis=1.0 must be"),
        (np.zeros((3, 8, 8)), True, ek.ParameterError, "channel_axis=True must be"),
    ],
)
def test_invalid_channel_axis_is_refused(image, axis, error, message):
    for call in (ek.sobel, ek.canny, ek.score, ek.outline):
        with pytest.raises(error, match=message):
            call(image, channel_axis=axis)


@pytest.mark.parametrize("axis", [-1, -3])
def test_channel_axis_of_modules(axis):
    """Modules accept the `channel_axis` that the error message suggests."""
    batch = torch.rand(2, 12, 9, 4)
    modules = [ek.nn.Sobel, ek.nn.GradientMagnitude, ek.nn.Oriented, ek.nn.Laplacian]
    # Measures use the luminance, which is not defined for twelve channels.
    modules += [ek.nn.Sharpness] if axis == -1 else []
    for module in (*modules, lambda **o: ek.nn.Filter([[1, 2, 3]], **o)):
        with pytest.raises(ek.ShapeError, match="Pass channel_axis=-1 if it is, or channel_axis=-3"):
            module()(batch)
        usual = batch.movedim(axis, -3)
        plain = module(channel_axis=-3)(usual)
        found = module(channel_axis=axis)(batch)
        torch.testing.assert_close(found, plain if plain.ndim == 1 else plain.movedim(-3, axis))
    for of in ("components", "magnitude"):
        loss = ek.nn.GradientLoss(of=of, channel_axis=axis)
        torch.testing.assert_close(
            loss(batch, batch / 2),
            ek.nn.GradientLoss(of=of, channel_axis=-3)(batch.movedim(axis, -3), batch.movedim(axis, -3) / 2),
        )
    if axis == -1:
        assert ek.nn.SharpnessLoss(channel_axis=axis)(batch).isfinite()
