"""Properties of the score, on synthetic images and on the samples."""

import math
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import edgekit as ek
from edgekit.focus.blur_score import judge

SAMPLES = Path(__file__).parents[1] / "samples"
PHOTOGRAPHS = ("camera.png", "chelsea.png", "coffee.png", "rocket.jpg")

#: Largest changes of the score by other causes than blur.
HALF_EXPOSURE = HALF_CONTRAST = 0.06  # Fewer pixels are saturated.
DEPTH = 0.03
SATURATED = 0.02

#: For white noise of some gray levels, the largest change of the score of a sharp image, and the largest score
#: of an image blurred by BLUR pixels.
BLUR = 4
NOISE = {2: (0.05, 0.03), 5: (0.1, 0.03), 10: (0.2, 0.05)}

SIGMAS = (0.5, 1, 1.5, 2, 3, 4)


def synthetic(rows=384, columns=512, seed=1):
    """Return discs and rectangles on 1/f texture, with gray levels within [8, 247]."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
    frequency[0, 0] = 1
    texture = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((rows, columns))) / frequency, (rows, columns))
    image = 120 + 22 * texture / texture.std()
    y, x = np.mgrid[:rows, :columns]
    for _ in range(40):
        cx, cy, level = rng.integers(columns), rng.integers(rows), rng.integers(-50, 50)
        width, height = rng.integers(20, 300, 2) * max(rows, columns) / 1600
        disc = np.hypot(x - cx, y - cy) < width / 2
        box = (x >= cx) & (x < cx + width) & (y >= cy) & (y < cy + height)
        image[disc if rng.random() < 0.5 else box] += level
    return image.clip(8, 247)


def levels(image, dtype="uint8"):
    return np.rint(image).clip(0, 255).astype(dtype)


def blurred(image, sigma):
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


def noisy(image, sigma, seed=5):
    return levels(image + np.random.default_rng(seed).normal(0, sigma, image.shape))


def load(name):
    """Return the synthetic image or a sample in gray, as floats."""
    if name == "synthetic":
        return synthetic()
    image = ek.read_image(SAMPLES / name)
    return (image if image.ndim == 2 else image @ [0.299, 0.587, 0.114]).astype(np.float64)


@pytest.fixture(scope="module")
def large():
    return synthetic(1200, 1600, seed=0)


@pytest.fixture(params=["synthetic", *PHOTOGRAPHS], scope="module")
def picture(request):
    return load(request.param)


def is_decreasing(values):
    return all(a > b for a, b in pairwise(values))


def test_score_decreases_with_blur(picture):
    scores = [ek.score(levels(blurred(picture, sigma))) for sigma in (0, *SIGMAS)]
    assert is_decreasing(scores), scores
    assert 1 > scores[0] > 0.2
    assert 0 <= scores[-1] < 0.01


@pytest.mark.parametrize("name", ["chart.png", "coffee-dark.png"])
def test_score_of_charts_and_dark_images_decreases_with_blur(name):
    scores = [ek.score(levels(blurred(load(name), sigma))) for sigma in (0, *SIGMAS)]
    assert is_decreasing(scores), scores
    assert 0 <= scores[-1] < scores[0] < 1


def test_score_of_large_images_decreases_with_blur(large):
    scores = [ek.score(levels(blurred(large, sigma))) for sigma in (0, *SIGMAS)]
    assert is_decreasing(scores), scores


@pytest.mark.parametrize("sigma", [0, 1, 2])
def test_score_with_half_exposure_and_half_contrast(sigma, picture):
    image = levels(blurred(picture, sigma))
    assert ek.score(levels(image / 2)) == pytest.approx(ek.score(image), abs=HALF_EXPOSURE)
    assert ek.score(levels(image / 2 + 64)) == pytest.approx(ek.score(image), abs=HALF_CONTRAST)


@pytest.mark.parametrize("noise", [2, 5])
def test_noise_on_sharp_images_changes_the_score_little(noise, picture):
    assert ek.score(noisy(picture, noise)) == pytest.approx(ek.score(levels(picture)), abs=NOISE[noise][0])


@pytest.mark.parametrize("noise", NOISE)
def test_blurred_images_with_noise_have_low_scores(noise, picture):
    score = ek.score(noisy(blurred(picture, BLUR), noise))
    assert 0 <= score < NOISE[noise][1]
    # Strong noise hides faint edges, and only the other edges are measured.
    assert noise > 5 or score < ek.score(noisy(picture, noise)) - 0.1


@pytest.mark.parametrize("noise", [8, 15, 30, 60])
@pytest.mark.parametrize("sigma", [1.5, 3, 6])
def test_noise_does_not_increase_scores_of_blurred_images(noise, sigma, picture):
    """White noise, and noise that grows with brightness like photon noise."""
    random, image = np.random.default_rng(3), blurred(picture, sigma)
    clean = ek.score(levels(image))
    for deviation in (noise, noise * np.sqrt(image.clip(0) / 128)):
        found = ek.score(levels(image + random.standard_normal(image.shape) * deviation))
        assert math.isnan(found) or found <= clean + 0.05


@pytest.mark.parametrize("seed", [0, 5])
def test_faint_images_with_noise_have_no_blur_width(seed):
    """Few pixels fit an edge by chance, with a width that is three times too large."""
    faint = 128 + (blurred(synthetic(seed=seed), 1) - 128) * 0.35
    assert ek.blur_width(noisy(faint, 13, seed)).reason == "noise only"


@pytest.mark.parametrize("name", ["camera.png", "coffee.png", "rocket.jpg"])
def test_patches_of_30_pixels(name):
    """Patches with contrast have a score, and nearly all sharp patches score higher than blurred ones."""
    sharp, soft = [], []
    image = load(name)
    for y in range(0, image.shape[0] - 30, 60):
        for x in range(0, image.shape[1] - 30, 60):
            part = slice(y, y + 30), slice(x, x + 30)
            if image[part].std() > 15:
                sharp.append(ek.score(levels(image)[part]))
                soft.append(ek.score(levels(blurred(image, 2))[part]))
    assert len(sharp) > 8
    assert np.isnan([*sharp, *soft]).mean() < 0.2
    pairs = [a > b for a in sharp for b in soft if not math.isnan(a + b)]
    assert np.mean(pairs) > 0.9


@pytest.mark.parametrize("sigma", [0, 2])
def test_scores_of_16_bit_and_float_images(sigma, picture):
    image = levels(blurred(picture, sigma))
    expected = ek.score(image)
    for same in (image.astype(np.uint16) * 257, (image / 255).astype(np.float32), image / 255):
        assert ek.score(same) == pytest.approx(expected, abs=DEPTH)


def test_small_subject_on_a_smooth_background():
    """An eighth of the area is sharp."""
    y, x = np.mgrid[:512, :512]
    smooth = 90 + 60 * x / 512 + 20 * y / 512
    camera = load("camera.png")
    part = (slice(70, 251), slice(200, 381))
    for background in (smooth, blurred(camera, 6)):
        image = background.copy()
        image[part] = camera[part]
        score = ek.score(levels(image))
        assert score > 0.2
        # Only the borders of the pasted region are left.
        image[part] = blurred(camera, 3)[part]
        assert ek.score(levels(image)) < score / 2
    texture = synthetic(512, 512)
    for corner in ((0, 0), (70, 200), (150, 150), (331, 331)):
        part = tuple(slice(n, n + 181) for n in corner)
        image = smooth.copy()
        image[part] = texture[part]
        assert ek.score(levels(image)) > 0.5


def with_discs(image, value, seed=0):
    """Return the image with twelve discs of one value."""
    image, rng = image.copy(), np.random.default_rng(seed)
    rows, columns = image.shape
    y, x = np.mgrid[:rows, :columns]
    for _ in range(12):
        cx, cy, radius = rng.integers(columns), rng.integers(rows), rng.integers(4, 20)
        image[np.hypot(x - cx, y - cy) < radius] = value
    return image


@pytest.mark.parametrize("sigma", [2, 4])
@pytest.mark.parametrize("rim", [0, 1, 2])
def test_saturated_regions_do_not_increase_the_score(sigma, rim, picture):
    image = blurred(picture, sigma)
    spotted = levels(blurred(with_discs(image, 2000), rim))
    assert ek.score(spotted) < ek.score(levels(image)) + SATURATED
    # The same discs below the limit are edges of the scene.
    if not rim:
        assert ek.score(levels(with_discs(image, 235))) > ek.score(spotted) + 0.2


@pytest.mark.parametrize("sigma", [0, 1])
@pytest.mark.parametrize("width", [2, 8])
def test_white_paper_is_not_treated_as_saturated(width, sigma):
    """Where most of the image is white, edges of white count like edges of light gray."""
    y, x = np.mgrid[:512, :512]
    ink = (x % 32 < width) & (y % 40 > 4)
    white, gray = (levels(blurred(np.where(ink, 5.0, paper), sigma)) for paper in (255.0, 235.0))
    assert (white == 255).mean() > 0.5
    assert ek.score(gray) > 0.1
    assert ek.score(white) == pytest.approx(ek.score(gray), abs=0.02)


def test_float_images_outside_0_to_1_use_their_value_range():
    """For values in [-0.5, 0.25], 0.25 is saturated like 255 in 8 bits."""
    spotted = levels(with_discs(blurred(synthetic(), 4), 2000))
    spotted[0, 0] = 0
    assert spotted.max() == 255
    assert ek.score(spotted / 255 * 0.75 - 0.5) == pytest.approx(ek.score(spotted), abs=1e-4)
    # Also for negative values only.
    assert ek.score(spotted / 255 - 1) == pytest.approx(ek.score(spotted), abs=1e-4)


def images_without_edges():
    rng = np.random.default_rng(1)
    for level in (0, 7, 128, 255):
        yield f"flat {level}", np.full((64, 80), level, np.uint8)
    yield "flat float", np.full((64, 80), 1 / 3)
    yield "flat colour", np.full((64, 80, 3), (200, 31, 7), np.uint8)
    for sigma in (1, 3, 10, 30, 60):
        yield f"noise {sigma}", levels(rng.normal(128, sigma, (300, 400)))
    for sigma in (3, 30):
        yield f"wide noise {sigma}", levels(rng.normal(128, sigma, (1200, 1600)))
    yield "uniform noise", rng.integers(0, 256, (300, 300), dtype=np.uint8)
    yield "noise of any range", rng.normal(0, 1, (300, 300))


def too_small_images():
    for size in ((15, 15), (15, 400), (400, 15), (1, 1), (3, 8000)):
        yield f"{size[1]}x{size[0]}", levels(synthetic(*(max(64, n) for n in size)))[: size[0], : size[1]]


def test_constant_noisy_and_small_images_have_no_score():
    for name, image in (*images_without_edges(), *too_small_images()):
        assert math.isnan(ek.score(image)), name
        shown = ek.sharpness_map(image)
        assert shown.shape == image.shape[:2], name
        assert np.isnan(shown).all(), name


@pytest.mark.parametrize("size", [(48, 48), (33, 70), (80, 100), (511, 300)])
def test_scores_of_small_images(size):
    image = synthetic(*size, seed=3)
    assert 1 > ek.score(levels(image)) > 2 * ek.score(levels(blurred(image, 2))) >= 0


def test_score_at_viewing_size(large):
    """A blur of 1.5 pixels in 3200 is not visible when the image is 1024 pixels wide."""
    wide = cv2.resize(levels(large), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    soft = levels(blurred(wide, 1.5))
    assert ek.score(soft) > 0.7
    assert ek.score(soft, at="full") < 0.1
    small = synthetic()
    assert ek.score(levels(small), at="full") == pytest.approx(ek.score(levels(small)), abs=1e-9)
    with pytest.raises(ek.ParameterError, match="at='half' is not known"):
        ek.score(soft, at="half")


@pytest.mark.parametrize("width", [4, 6, 8, 16])
def test_stripes_are_sharp(width):
    stripes = np.tile((np.arange(240) // width % 2 * 150 + 50).astype(np.uint8), (200, 1))
    for image in (stripes, stripes.T):
        assert 1 > ek.score(image) > 0.8


def test_scores_are_equal_for_all_array_kinds(kind):
    image = levels(synthetic(120, 150))
    assert float(ek.score(kind.image(image))) == pytest.approx(ek.score(image), abs=1e-6)


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
def test_colour_images_are_scored_by_luminance(name, kind):
    image = ek.read_image(SAMPLES / name)
    luminance = image @ np.array([0.299, 0.587, 0.114])
    expected = ek.score(np.rint(luminance).astype(np.uint8))
    assert expected == pytest.approx(ek.score(luminance / 255), abs=0.005)
    opaque = np.concatenate([image, np.full_like(image[:, :, :1], 255)], axis=2)
    for colour in (image, opaque):
        assert float(ek.score(kind.image(colour))) == pytest.approx(expected, abs=1e-3)
    gray = np.repeat(image[:, :, 1:2], 3, axis=2)
    assert float(ek.score(kind.image(gray))) == pytest.approx(ek.score(image[:, :, 1]), abs=1e-2)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_scores_of_a_batch_equal_single_images(dtype):
    sharp = np.stack([levels(synthetic(96, 128, seed)) for seed in range(3)])
    images = np.concatenate([sharp, [levels(blurred(synthetic(96, 128), 2))], [np.full((96, 128), 60, np.uint8)]])
    images = images if dtype == "uint8" else (images / 255).astype(dtype)
    expected = [ek.score(image) for image in images]
    found = ek.score(torch.from_numpy(images)[:, None])
    assert found.shape == (5,)
    assert not found.requires_grad
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-6)
    colour = torch.from_numpy(images)[:, None].expand(5, 3, 96, 128)
    np.testing.assert_allclose(ek.score(colour).numpy(), expected, rtol=0, atol=1e-2)
    assert ek.score(torch.from_numpy(images[0])).shape == ()


@pytest.mark.parametrize("channels", [2, 5])
def test_wrong_numbers_of_channels_are_refused(channels, kind):
    image = kind.image(np.zeros((32, 32, channels), np.uint8))
    with pytest.raises(ek.ShapeError, match=f"found {channels}"):
        ek.score(image)


@pytest.mark.sample(0)
@pytest.mark.parametrize("size", [(90, 120), (384, 512), (700, 1000)])
@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_sharpness_map_separates_sharp_and_blurred_sides(size, side):
    image = synthetic(*size)
    y, x = np.mgrid[: size[0], : size[1]]
    across, length = (x, size[1]) if side in ("left", "right") else (y, size[0])
    sharp = across < length / 2 if side in ("left", "top") else across >= length / 2
    shown = ek.sharpness_map(levels(np.where(sharp, image, blurred(image, 6))))
    assert shown.shape == size
    assert shown.dtype == np.float32
    assert 0 <= np.nanmin(shown) <= np.nanmax(shown) <= 1
    assert np.isnan(shown).mean() < 0.2
    far = np.abs(across - length / 2) > length / 5
    assert np.nanmedian(shown[sharp & far]) > 0.5 > 10 * np.nanmedian(shown[~sharp & far])


def test_sharpness_map_decreases_with_blur(picture):
    assert is_decreasing([np.nanmean(ek.sharpness_map(levels(blurred(picture, s)))) for s in (0, 1, 2, 4)])


@pytest.mark.parametrize("sigma", [0, 1, 2])
def test_blur_map_does_not_depend_on_contrast(sigma):
    """The blur is equal everywhere; the right half has a sixth of the contrast."""
    image = blurred(synthetic(), sigma)
    image[:, 256:] = 120 + (image[:, 256:] - 120) / 6
    shown = ek.blur_map(levels(image))
    plain = ek.blur_map(levels(blurred(synthetic(), sigma)))
    assert np.nanmedian(shown[:, 320:]) == pytest.approx(np.nanmedian(plain[:, 320:]), rel=0.35)


def test_one_invalid_pixel_affects_its_neighbourhood_only(picture):
    whole = picture / 255
    broken = whole.copy()
    broken[100, 101] = np.nan
    assert ek.score(broken) == pytest.approx(ek.score(whole), abs=0.06)
    shown = ek.sharpness_map(broken)
    assert np.isnan(shown[100, 101])
    assert np.isnan(shown).mean() < np.isnan(ek.sharpness_map(whole)).mean() + 0.02


def test_the_same_pixels_are_saturated_at_8_and_16_bits():
    """Sharp white squares, over a blurred image without black."""
    y, x = np.mgrid[:384, :512] % 64
    image = levels(np.where(np.maximum(x, y) < 30, 253, blurred(80 + synthetic() / 2, 3)))
    assert max(ek.score(image), ek.score(image.astype(np.uint16) * 257)) < 0.1


def test_thin_masked_lines_of_large_images():
    image = levels(blurred(synthetic(1400, 2100), 6))
    lines, mask = image.copy(), np.full(image.shape, True)
    lines[::40], mask[::40] = np.where(np.arange(2100) // 30 % 2, 0, 255), False
    assert ek.score(lines) > 0.5 > ek.score(lines, mask=mask) == pytest.approx(ek.score(image), abs=0.03)


def test_masked_pixels_do_not_change_the_score(picture):
    """The masked part is sharp, the rest is blurred."""
    image = blurred(picture, 3)
    image[20:120, 20:120] = picture[20:120, 20:120]
    mask = np.ones(image.shape, bool)
    mask[15:125, 15:125] = False
    assert ek.score(levels(image), mask=mask) == pytest.approx(ek.score(levels(blurred(picture, 3))), abs=0.03)
    assert math.isnan(ek.score(levels(image), mask=np.zeros(image.shape, bool)))
    with pytest.raises(ek.ShapeError, match="expected a mask of shape"):
        ek.score(levels(image), mask=mask[1:])


def test_sharpness_map_of_colour_images():
    image = ek.read_image(SAMPLES / "chelsea.png")
    shown = ek.sharpness_map(image)
    assert shown.shape == image.shape[:2]
    np.testing.assert_allclose(shown, ek.sharpness_map(image @ np.array([0.299, 0.587, 0.114]) / 255), atol=0.1)


def test_confidence_falls_with_noise():
    image = cv2.GaussianBlur(synthetic().astype(np.float32), (0, 0), 2)
    noise = np.random.default_rng(0).normal(size=image.shape)
    found = [judge(np.clip(np.rint(image + n * noise), 0, 255).astype(np.uint8)).confidence for n in (0, 40, 200)]
    assert 1 > found[0] > found[1] > 0.8 > found[2] == 0
