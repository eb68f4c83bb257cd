"""Edges of large and framed images, `what="edges"`, and the trained network."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from edge_oracle import is_thin, share_near

import edgekit as ek
from edgekit.edges import learned, octaves
from edgekit.edges.network import network
from edgekit.edges.refined_lines import refined
from edgekit.edges.resampling import at_size

SAMPLES = Path(__file__).parents[1] / "samples"
SURE = 0.4


def slanted(rows, columns, angle=20.0, height=40.0):
    """Return a soft step through the middle, and the distance of each pixel from it."""
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    radians = math.radians(angle)
    away = (x - columns / 2 + 0.3) * math.cos(radians) + (y - rows / 2) * math.sin(radians)
    return (100 + height * (0.5 + away).clip(0, 1)).astype(np.float32), away


def flattened(kind, found):
    array = kind.plain(found)
    return array[0] if array.ndim == 3 else array


@pytest.mark.parametrize("size", [(800, 1000), (1501, 1203)])
@pytest.mark.parametrize("model", ["gradients", "learned-fast"])
def test_lines_of_large_images_are_thin_and_complete(size, model, kind):
    image, away = slanted(*size)
    found = flattened(kind, ek.detect(kind.image(image), model=model))
    assert found.shape == size
    assert found.dtype == np.float32
    assert is_thin(found)
    inner = slice(40, -40)
    sure = (found > SURE)[inner]
    assert np.abs(away[inner][sure]).max() <= 1.5
    assert np.median(np.abs(away[inner][sure])) < 0.5
    # Every row has a pixel of the line.
    assert sure.any(1).all()


def test_probabilities_do_not_depend_on_the_size():
    image, _ = slanted(400, 500, height=12)
    large = np.repeat(np.repeat(image, 4, 0), 4, 1)
    small, big = (ek.detect(i) for i in (image, large))
    assert np.median(big[big > 0.2]) == pytest.approx(np.median(small[small > 0.2]), abs=0.12)


def test_detail_finds_finer_edges():
    y, x = np.mgrid[:1600, :1600]
    stripes = np.where((np.abs(y - 800) < 300) & (np.abs(x - 800) < 300), 100 + 80 * (x // 4 % 2), 100).astype(np.uint8)
    plain, fine = ((ek.detect(stripes, what="edges", detail=d) > SURE)[600:1000, 600:1000].mean() for d in (0, 2))
    assert fine > 0.1 > plain


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_invalid_pixels_of_large_images(value, kind):
    image, away = slanted(800, 1000)
    image[300:330, 200:240] = value
    found = flattened(kind, ek.detect(kind.image(image)))
    assert np.isfinite(found).all()
    assert (found[297:333, 197:243] == 0).all()
    assert (found[np.abs(away) > 3] < SURE).all()


def test_edges_of_a_large_batch():
    images = torch.from_numpy(np.stack([slanted(800, 900, a)[0] for a in (10, 60)]))[:, None]
    found = ek.detect(images)
    for one, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(one, ek.detect(image))


@pytest.mark.parametrize("frame", [0, 255])
def test_frames_have_no_edges(frame):
    picture = ek.read_image(SAMPLES / "chelsea.png")[40:200, 60:300]
    framed = np.full((220, 320, 3), frame, np.uint8)
    framed[30:190, 40:280] = picture
    found, alone = ek.detect(framed), ek.detect(picture)
    outside = np.ones(framed.shape[:2], bool)
    outside[33:187, 43:277] = False
    assert (found[outside] == 0).all()
    assert share_near((alone > SURE)[8:-8, 8:-8], (found > SURE)[38:182, 48:272]) > 0.9
    # An object on a uniform background is not a framed image.
    ground = np.full((220, 320), 255 - frame, np.uint8)
    ground[30:190, 40:280] = 120
    assert (ek.detect(ground) > SURE).sum() > 700


def test_colour_noise_makes_no_lines():
    random = np.random.default_rng(3)
    x = np.mgrid[:160, :200][1]
    gray = np.where(x < 100, 20.0, 26)
    # Noise of the colours only, as in dark photographs.
    noise = random.normal(0, 3, (160, 200, 3))
    noise -= (noise @ [0.299, 0.587, 0.114])[..., None]
    image = np.clip(np.rint(gray[..., None] + noise), 0, 255).astype(np.uint8)
    found = ek.detect(image)
    assert (found > SURE)[10:-10, 97:103].any(1).mean() > 0.95
    assert (found > SURE)[:, :90].mean() < 0.01


def test_edges_include_texture_and_boundaries_do_not():
    x = np.mgrid[:200, :300][1]
    image = (100 + 50 * (x // 5 % 2)).astype(np.uint8)
    edges, boundaries = (ek.detect(image, what=w)[20:-20, 40:-40] for w in ("edges", "boundaries"))
    assert edges.mean() > 3 * boundaries.mean()
    assert (edges > SURE).mean() > 0.1


@pytest.mark.parametrize("what", ["boundaries", "edges"])
@pytest.mark.parametrize("model", ["learned", "learned-fast"])
def test_networks_of_arrays_and_tensors_agree(what, model, kind):
    image = ek.read_image(SAMPLES / "coffee.png")[60:190, 100:260]
    expected = ek.detect(image, what=what, model=model)
    found = flattened(kind, ek.detect(kind.image(image), what=what, model=model))
    assert (expected > SURE).any()
    assert (np.abs(found - expected) > 1e-4).mean() < 1e-3


class Plain:
    """A plain implementation of the layers in double precision."""

    def __init__(self, weights):
        self.weights = weights

    def conv(self, name, x, channels, size=1, *, stride=1, depthwise=False, relu=False):
        kernel, bias = (self.weights[f"{name}/{part}"].astype(float) for part in ("kernel", "bias"))
        half = size // 2
        padded = np.pad(x, ((0, 0), (half, half), (half, half)))
        views = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))[:, ::stride, ::stride]
        out = (
            np.einsum("cyxij,cij->cyx", views, kernel[:, 0])
            if depthwise
            else np.einsum("cyxij,kcij->kyx", views, kernel)
        )
        out = out + bias[:, None, None]
        assert len(out) == channels
        return np.maximum(out, 0) if relu else out

    def add(self, a, b):
        return a + b

    def doubled(self, x):
        return np.stack([at_size(plane, 2 * x.shape[1], 2 * x.shape[2]) for plane in x])

    def shuffled(self, x):
        _, rows, columns = x.shape
        return x.reshape(2, 2, rows, columns).transpose(2, 0, 3, 1).reshape(1, 2 * rows, 2 * columns)


def test_network_equals_a_plain_implementation(kind):
    weights = learned._weights()
    assert sum(values.size for values in weights.values()) <= 75_000
    image = np.random.default_rng(0).normal(0, 1, (3, 48, 64)).astype(np.float32)
    expected = network(Plain(weights), image.astype(float))[0]
    if kind.is_torch:
        from edgekit.backends.pytorch.backend import run_network

        found = run_network(network, weights, torch.from_numpy(image)).numpy()
    else:
        from edgekit.backends.opencv.backend import run_network

        found = run_network(network, weights, image)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("what", ["boundaries", "edges"])
@pytest.mark.parametrize("model", ["gradients", "learned-fast"])
def test_detect_is_differentiable(model, what):
    pixels = torch.rand(1, 3, 64, 80)
    # A part of the image is flat.
    pixels[..., 40:] = 0.3
    for image, some in ((pixels, True), (torch.full((1, 3, 64, 80), 0.3), False)):
        image.requires_grad_()
        ek.detect(image, model=model, what=what).sum().backward()
        assert torch.isfinite(image.grad).all()
        assert bool(image.grad.abs().sum() > 0) == some


def test_gradients_of_colours_below_their_noise_are_exactly_zero():
    for scale in np.linspace(0.001, 1, 20, dtype=np.float32):
        gx, gy = scale * np.random.default_rng(0).normal(size=(2, 64, 80)).astype(np.float32)
        products = [gx * gx, gy * gy, gx * gy]
        expected = octaves._above_noise(products)
        found = octaves._above_noise([torch.from_numpy(p) for p in products])
        for plain, tensor in zip(expected, found, strict=True):
            assert 0.1 < (plain == 0).mean() < 0.99
            np.testing.assert_array_equal(tensor.numpy() == 0, plain == 0)


def test_refined_lines_follow_the_edge():
    large = np.zeros((64, 64), np.float32)
    large[:, 37:] = 1
    lines = np.zeros((32, 32), bool)
    lines[4:28, 17] = True
    rows, columns, source = refined(lines, np.zeros((32, 32)), [[large]])
    assert set(columns) <= {36, 37}
    assert rows.min() <= 9
    assert rows.max() >= 54
    assert set(source) <= set(np.flatnonzero(lines))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"what": "lines"}, "what='lines'"),
        ({"model": "deep"}, "model='deep'"),
        ({"detail": -1}, "detail=-1"),
        ({"detail": 1.5}, "detail=1.5"),
        ({"detail": True}, "detail=True"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(ek.ParameterError, match=message):
        ek.detect(np.zeros((20, 20)), **options)


def test_canny_finds_weak_edges_beside_strong_ones():
    x = np.mgrid[:200, :200][1]
    image = (100 + 70 * (x // 20 % 2)).astype(np.uint8)
    image[140:] = 255 * (x[140:] // 10 % 2)
    found = ek.canny(image)
    assert found[20:120].any(0).sum() >= 9
