"""Results of a batch equal those of its single images."""

import math

import numpy as np
import pytest
import torch
from oracle import picture

import edgekit as ek

CHECKERS = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((12, 12)))

#: Images of one size that differ in range by many orders of magnitude, some without a score.
IMAGES = {
    "in [0, 1]": CHECKERS,
    "in [0, 400]": CHECKERS * 400,
    "noise": picture("float32", (96, 96)),
    "flat": np.full((96, 96), 0.5),
    "huge": CHECKERS * 1e30,
    "tiny": CHECKERS * 1e-30,
    "negative": -50 * CHECKERS,
    "nan": np.where(np.eye(96) > 0, np.nan, CHECKERS),
}

FUNCTIONS = {
    "score": ek.score,
    "sharpness_map": ek.sharpness_map,
    **{name: (lambda image, name=name: ek.sharpness(image, name)) for name in ek.MEASURES},
    "canny": ek.canny,
    "canny by percentiles": lambda image: ek.canny(image, low="80%", high="95%"),
    "canny by one percentile": lambda image: ek.canny(image, low=0.01, high="95%"),
    "zero_crossings": ek.zero_crossings,
    **{name: (lambda image, name=name: ek.threshold(image, name)) for name in ("otsu", "li", "triangle", "adaptive")},
    "detect": ek.detect,
    "sobel": ek.sobel,
}


def colored(plane):
    return np.stack([plane, plane[::-1], plane.T / 2])


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(8, 1), (8, 3), (2, 4, 3)], ids=str)
def test_batch_results_equal_single_image_results(name, dtype, shape):
    planes = [plane.astype(dtype) for plane in IMAGES.values()]
    images = [plane[None] if shape[-1] == 1 else colored(plane) for plane in planes]
    together = FUNCTIONS[name](torch.from_numpy(np.stack(images).reshape(*shape, 96, 96)))
    together = together.reshape(8, *together.shape[len(shape) - 1 :])
    for label, image, found in zip(IMAGES, images, together, strict=True):
        alone = FUNCTIONS[name](torch.from_numpy(image))
        # Sums over a batch may be taken in another order.
        tolerance = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(found, alone, rtol=tolerance, err_msg=label)


@pytest.mark.parametrize("make", [ek.score, ek.sharpness_map])
def test_tensors_and_arrays_have_equal_scores_and_maps(make):
    for image in (CHECKERS, CHECKERS * 400, (CHECKERS * 200).astype(np.uint8), colored(CHECKERS).transpose(1, 2, 0)):
        tensor = torch.from_numpy(image if image.ndim == 2 else image.transpose(2, 0, 1).copy())
        found = make(tensor)
        np.testing.assert_allclose(found.reshape(np.shape(make(image))), make(image), rtol=1e-6)


def test_batch_of_checkerboards_with_different_ranges():
    """With one range for the whole batch, the first score was NaN."""
    batch = torch.from_numpy(np.stack([CHECKERS, CHECKERS * 400])[:, None])
    first, second = ek.score(batch).tolist()
    assert first == pytest.approx(ek.score(CHECKERS))
    assert first > 0.9
    assert second > 0.9


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sharpness_maps_of_half_precision(dtype):
    where = ek.sharpness_map(torch.from_numpy(CHECKERS).to(dtype)[None, None])
    assert (where.shape, where.dtype) == ((1, 1, 96, 96), torch.float32)
    np.testing.assert_allclose(where[0, 0], ek.sharpness_map(CHECKERS), rtol=1e-5)


def test_scores_and_maps_have_no_gradient():
    image = torch.from_numpy(CHECKERS)[None].requires_grad_()
    for call in (ek.score, ek.sharpness_map):
        assert not call(image).requires_grad
    with torch.inference_mode():
        inside = ek.score(image.detach().clone())
    assert math.isclose(float(inside), ek.score(CHECKERS), rel_tol=1e-6)
    # A score can be used as a constant in an autograd graph.
    (image.sum() * ek.score(image)).backward()
    assert image.grad.isfinite().all()
