"""The all-in-focus image and the depth map of simulated stacks, against the scene and its known depth."""

import doctest
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import edgekit as ek
from edgekit.focus.alignment import Alignment

ROWS, COLUMNS = 96, 140


def texture(seed: int = 0, shape: tuple[int, int] = (ROWS, COLUMNS)) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random(shape).astype(np.float32), (0, 0), 1)
    return (noise - noise.mean()) / noise.std() * 30 + 128


def taken(scene: np.ndarray, depth: np.ndarray, positions, noise: float = 0.0) -> list[np.ndarray]:
    """Pictures of a scene with a depth for each pixel: 0.8 pixels of blur for each unit of distance."""
    sigmas = np.linspace(0, 9, 46)
    levels = np.stack([cv2.GaussianBlur(scene, (0, 0), s) if s else scene for s in sigmas])
    random = np.random.default_rng(7)
    pictures = []
    for z in positions:
        at = np.clip(np.interp(0.8 * np.abs(z - depth), sigmas, np.arange(len(sigmas))), 0, len(sigmas) - 1.001)
        lower, part = at.astype(int), at % 1
        y, x = np.indices(depth.shape)
        pictures.append(levels[lower, y, x] * (1 - part) + levels[lower + 1, y, x] * part)
        pictures[-1] = pictures[-1] + random.normal(0, noise, depth.shape)
    return [picture.round().clip(0, 255).astype(np.uint8) for picture in pictures]


def two_depths() -> np.ndarray:
    return np.where(np.arange(COLUMNS) < COLUMNS // 2, 1.0, 4.0) * np.ones((ROWS, 1))


def slope() -> np.ndarray:
    return np.linspace(0.5, 5.5, COLUMNS) * np.ones((ROWS, 1))


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_each_pixel_comes_from_its_sharpest_image():
    scene = texture().round().clip(0, 255).astype(np.uint8)
    stack = taken(texture(), two_depths(), range(6))
    fused = ek.fuse(stack)
    assert (fused.dtype, fused.shape) == (np.uint8, scene.shape)
    # Away from the border between the two depths nothing is blended.
    inner = np.abs(np.arange(COLUMNS) - COLUMNS // 2) > 16
    np.testing.assert_array_equal(fused[:, inner], scene[:, inner])
    assert np.abs(fused[:, ~inner].astype(float) - scene[:, ~inner]).mean() < 4
    assert min(np.abs(s[:, inner].astype(float) - scene[:, inner]).mean() for s in stack) > 5


def test_a_blend_has_no_seam():
    """Two images of other brightness: the step between them is spread over several pixels."""
    dark = np.full((80, 100), 100, np.float32) + np.tile(np.float32([0, 4]), 50)
    bright = np.full((80, 100), 110, np.float32)
    dark[:, 50:] = 100
    bright[:, 50:] += np.tile(np.float32([0, 4]), 25)
    steps = np.abs(np.diff(cv2.blur(ek.fuse([dark, bright]), (2, 1))[40]))
    assert steps.max() < 4


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.uint8, np.int16, np.uint16, np.int32, np.float16, np.float32, np.float64]
)
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4, 5])
def test_types_and_channels(dtype, channels):
    stack = taken(texture(), two_depths(), (1, 4))
    if dtype == np.bool_:
        stack = [s > 128 for s in stack]
    elif np.dtype(dtype).itemsize > 1:
        stack = [s * np.array(16).astype(dtype) for s in stack]
    stack = [s.astype(dtype) for s in stack]
    gray = ek.fuse(stack)
    if channels is not None:
        stack = [np.repeat(s[..., None], channels, 2) for s in stack]
        for s in stack:
            s.flags.writeable = False
    fused = ek.fuse(stack)
    assert (fused.dtype, fused.shape) == (np.dtype(dtype), stack[0].shape)
    if channels is not None:
        # The luminance of floating colours, which guides the blend, is rounded.
        tolerance = 1e-5 if np.dtype(dtype).kind == "f" else 0
        np.testing.assert_allclose(fused, np.repeat(gray[..., None], channels, 2), rtol=tolerance)
    assert ((fused == stack[0]) | (fused == stack[1])).mean() > 0.7


def test_colours_keep_their_order():
    left, right = taken(texture(), two_depths(), (1, 4))
    images = [np.stack([i, i // 2, i // 4], 2) for i in (left, right)]
    fused = ek.fuse(images)
    np.testing.assert_array_equal(fused[:, :40], images[0][:, :40])
    moved = ek.fuse([np.moveaxis(i, 2, 0) for i in images], channel_axis=0)
    np.testing.assert_array_equal(np.moveaxis(moved, 0, 2), fused)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16])
def test_tensors(dtype):
    images = [np.stack([i, i // 2, i // 4], 2) for i in taken(texture(), two_depths(), range(6))]
    tensors = [torch.tensor(np.moveaxis(i, 2, 0)).to(dtype) for i in images]
    fused = ek.fuse(tensors)
    assert (fused.dtype, tuple(fused.shape)) == (dtype, (3, ROWS, COLUMNS))
    exact = dtype == torch.uint8
    if exact:
        np.testing.assert_array_equal(np.moveaxis(fused.numpy(), 0, 2), ek.fuse(images))
    assert ek.fuse(torch.stack(tensors)).equal(fused)
    assert ek.fuse([t[:1] for t in tensors]).shape == (1, ROWS, COLUMNS)
    assert ek.fuse([t[0] for t in tensors]).shape == (ROWS, COLUMNS)
    found = ek.depth_map(tensors)
    assert (found.depth.dtype, tuple(found.depth.shape)) == (torch.float32, (ROWS, COLUMNS))
    if exact:
        np.testing.assert_array_equal(found.depth.numpy(), ek.depth_map(images).depth)


@pytest.mark.parametrize("count", [1, 2, 300])
def test_any_number_of_images(count):
    scene = texture()[:40, :50].round().astype(np.uint8)
    stack = [np.full_like(scene, 128)] * count
    stack[count // 2] = scene
    np.testing.assert_array_equal(ek.fuse(stack), scene)
    if count == 300:
        assert np.abs(ek.depth_map(stack).depth - 150).max() < 1


def test_small_islands_are_removed():
    """A spot of noise in a blurred image does not show through."""
    stack = taken(texture(), np.ones((ROWS, COLUMNS)), (1, 6))
    stack[1][40:50, 60:70] = np.random.default_rng(0).integers(0, 256, (10, 10))
    np.testing.assert_array_equal(ek.fuse(stack), stack[0])
    # A large one is an object.
    stack[1][20:60, 60:100] = np.random.default_rng(0).integers(0, 256, (40, 40))
    np.testing.assert_array_equal(ek.fuse(stack)[34:46, 74:86], stack[1][34:46, 74:86])


def test_light_that_changes_does_not_choose():
    stack = taken(texture(), two_depths(), range(6))
    dimmed = [s.astype(np.float32) * 0.6**n for n, s in enumerate(stack)]
    fused = ek.fuse(dimmed)
    inner = np.arange(COLUMNS) > COLUMNS // 2 + 16
    np.testing.assert_allclose(fused[:, inner], dimmed[4][:, inner], rtol=1e-6)


def test_pixels_that_are_not_finite():
    stack = [s.astype(np.float32) for s in taken(texture(), two_depths(), range(6))]
    stack[1][10:20, 10:20] = np.nan
    stack[4][:, -3:] = np.inf
    for s in stack:
        s[50, 50] = np.nan
    fused, found = ek.fuse(stack), ek.depth_map(stack)
    assert np.argwhere(~np.isfinite(fused)).tolist() == [[50, 50]]
    assert np.argwhere(np.isnan(found.depth)).tolist() == [[50, 50]]
    assert found.confidence[50, 50] == 0


def test_the_depth_of_a_slope():
    positions = np.arange(8) * 2.5 - 3
    stack = taken(texture(3), slope(), range(8), noise=1)
    found = ek.depth_map(stack, positions)
    expected = slope() * 2.5 - 3
    inner = slice(12, -12)
    error = (found.depth - expected)[:, inner] / 2.5
    assert np.sqrt((error**2).mean()) < 0.1
    # The number of the sharpest image alone is off by 0.29 steps.
    assert np.sqrt(((np.rint(expected / 2.5) - expected / 2.5) ** 2).mean()) > 0.25
    assert np.median(found.confidence) > 0.5
    turned = ek.depth_map(stack[::-1], positions[::-1])
    np.testing.assert_allclose(turned.depth[:, inner], found.depth[:, inner], atol=0.3)


def test_unequal_positions():
    positions = np.array([0, 0.8, 2.1, 2.9, 4.2, 5, 6.3])
    found = ek.depth_map(taken(texture(), np.full((ROWS, COLUMNS), 3.4), positions), positions)
    assert np.abs(np.median(found.depth) - 3.4) < 0.12


@pytest.mark.parametrize("offset", [1e6, -3e8, 1e12])
def test_positions_far_from_zero(offset):
    """Stages that count in nanometres, or in seconds since 1970."""
    stack = taken(texture(3), slope(), range(8))
    near, far = (ek.depth_map(stack, np.arange(8) * 0.25 + o) for o in (0, offset))
    assert np.abs(far.depth - offset - near.depth).max() < 1e-3
    tensors = ek.depth_map([torch.tensor(s) for s in stack], np.arange(8) * 0.25 + offset)
    np.testing.assert_array_equal(tensors.depth.numpy(), far.depth)
    assert (near.depth.dtype, far.confidence.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("exponent", [-990, -100, 100, 990])
@pytest.mark.parametrize("offset", [0, -200])
def test_values_of_any_size(exponent, offset):
    """Values beyond the range of float32, or whose squares are."""
    stack = [s.astype(np.float64) + offset for s in taken(texture(), two_depths(), range(6))]
    scaled = [np.ldexp(s, exponent) for s in stack]
    np.testing.assert_array_equal(np.ldexp(ek.fuse(scaled), -exponent), ek.fuse(stack))
    np.testing.assert_array_equal(ek.depth_map(scaled).depth, ek.depth_map(stack).depth)
    if abs(exponent) < 126:
        np.testing.assert_allclose(ek.fuse([s.astype(np.float32) for s in scaled]), ek.fuse(scaled), rtol=1e-4)
    # A blank image states no scale, and a value for pixels without data none for the others.
    expected = ek.fuse([np.zeros_like(stack[0]), *stack])
    for s in scaled:
        s[:3, :3] = -1e308
    fused = np.ldexp(ek.fuse([np.zeros_like(scaled[0]), *scaled])[40:, 40:], -exponent)
    assert np.abs(fused - expected[40:, 40:]).mean() < 1


def test_confidence_is_low_without_texture():
    scene = texture()
    scene[:, : COLUMNS // 2] = 128
    found = ek.depth_map(taken(scene, np.full((ROWS, COLUMNS), 3.0), range(8), noise=1))
    assert np.median(found.confidence[:, :40]) < 0.25 < 0.6 < np.median(found.confidence[:, -40:])
    flat = ek.depth_map([np.full((30, 30), 9, np.uint8)] * 4)
    assert flat.confidence.max() == 0


def test_images_that_are_not_aligned():
    scene = texture(shape=(200, 260))
    grown = cv2.resize(scene, None, fx=1.03, fy=1.03, interpolation=cv2.INTER_CUBIC)
    shifted = grown[3:203, 6:266]
    for moved, shift, corner in (
        (np.roll(scene, (3, -4), (0, 1)), 5, 0),
        (shifted, 2, 4.9),
    ):
        alignment = Alignment()
        for image in (scene, moved):
            alignment.add(np.ascontiguousarray(image))
        assert alignment.breathing == pytest.approx(corner, abs=0.5)
        assert alignment.shift == pytest.approx(shift, abs=1.0)
        with pytest.warns(UserWarning, match="not aligned: they are shifted by up to"):
            ek.fuse([scene, np.ascontiguousarray(moved)])
    # What has nothing in common is not called shifted.
    ek.fuse([scene, np.ascontiguousarray(scene[:, ::-1])])
    blurred = [cv2.GaussianBlur(scene, (0, 0), s) for s in (0.5, 2, 4)]
    ek.fuse(blurred)


@pytest.mark.parametrize(
    ("images", "options", "error", "said"),
    [
        ([], {}, ek.ParameterError, "sequence of at least one image"),
        (iter([np.zeros((9, 9))]), {}, ek.ParameterError, "such as a list: each is read twice"),
        ("a.png", {}, ek.ParameterError, "sequence"),
        (["a.png"], {}, ek.DtypeError, "Read the image first"),
        (np.zeros((9, 9)), {}, ek.ShapeError, "rows, columns"),
        (
            [np.zeros((9, 9)), np.zeros((9, 8))],
            {},
            ek.ShapeError,
            r"image 1: expected the shape \(9, 9\), .*; found \(9, 8\)",
        ),
        (
            [np.zeros((9, 9)), np.zeros((9, 9), np.uint8)],
            {},
            ek.DtypeError,
            "image 1: expected the type float64, .*; found uint8",
        ),
        ([np.zeros((9, 9)), torch.zeros(9, 9)], {}, ek.DtypeError, "the type float64, .*; found torch.float32"),
        ([torch.zeros(2, 3, 9, 9)], {}, ek.ShapeError, "batch"),
    ],
)
def test_images_that_do_not_fit(images, options, error, said):
    with pytest.raises(error, match=said):
        ek.fuse(images, **options)


@pytest.mark.parametrize(
    ("positions", "error", "said"),
    [
        ([1, 2], ek.ShapeError, r"each of 3 images; found shape \(2,\)"),
        ([1, 3, 2], ek.ParameterError, "ascending or descending; sort"),
        ([1, 2, np.nan], ek.ParameterError, "finite"),
        (["a", "b", "c"], ek.DtypeError, "sequence of numbers"),
        ([1, 2j, 3], ek.DtypeError, "sequence of numbers"),
    ],
)
def test_positions_that_do_not_fit(positions, error, said):
    with pytest.raises(error, match=said):
        ek.depth_map([np.zeros((9, 9))] * 3, positions)


def test_a_depth_needs_two_images():
    with pytest.raises(ek.ParameterError, match="at least 2 images; found 1"):
        ek.depth_map([np.zeros((9, 9))])


def test_images_are_read_one_at_a_time():
    """A sequence that reads its images: never two at a time, each once for each pass."""
    stack = taken(texture(), two_depths(), range(6))
    read = []

    class Lazy:
        def __len__(self):
            return len(stack)

        def __getitem__(self, n):
            read.append(n)
            return stack[n].copy()

    np.testing.assert_array_equal(ek.fuse(Lazy()), ek.fuse(stack))
    assert read == [*range(6), *range(6)]
    read.clear()
    ek.depth_map(Lazy())
    assert read == [*range(6)]


def test_the_examples_of_the_page(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])
    page = Path(__file__).parents[1] / "docs" / "focus.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried > 5) == (0, True)
