"""The width of the blur, of synthetic images with known blur and of the samples."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import edgekit as ek
from edgekit.focus.blur_score import judge

SAMPLES = Path(__file__).parents[1] / "samples"


def squares(side=32, size=(256, 320), seed=0):
    """Return squares of random gray levels."""
    rows, columns = (-(-n // side) for n in size)
    levels = np.random.default_rng(seed).integers(20, 235, (rows, columns))
    return np.kron(levels, np.ones((side, side)))[: size[0], : size[1]].astype(np.float32)


def step_edge(degrees, size=200):
    """Return a step edge with a gradient in this direction, averaged over each pixel."""
    finer = 8
    y, x = (np.mgrid[: size * finer, : size * finer] + 0.5) / finer - size / 2
    inside = x * math.cos(math.radians(degrees)) + y * math.sin(math.radians(degrees)) > 0
    return cv2.resize(np.float32(inside) * 150 + 50, (size, size), interpolation=cv2.INTER_AREA)


def motion_blurred(image, length, degrees):
    """Return an image with motion blur of `length` pixels: the mean of many shifted copies."""
    total = np.zeros_like(image)
    steps = np.linspace(-length / 2, length / 2, 8 * length)
    for step in steps:
        x, y = step * math.cos(math.radians(degrees)), step * math.sin(math.radians(degrees))
        shift = np.float32([[1, 0, x], [0, 1, y]])
        total += cv2.warpAffine(image, shift, image.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return total / len(steps)


def as_uint8(image):
    return np.rint(image).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.7, 1, 1.5, 2, 3, 5, 8])
@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 130])
def test_width_of_one_edge(sigma, degrees):
    found = ek.blur_width(as_uint8(cv2.GaussianBlur(step_edge(degrees), (0, 0), sigma)))
    # A pixel averages over its own width: a standard deviation of the root of 1/12.
    assert found.width == pytest.approx(math.hypot(sigma, math.sqrt(1 / 12)), rel=0.15)
    assert math.isnan(found.direction)


@pytest.mark.parametrize("sigma", [0.7, 1, 2, 4])
def test_blur_width_of_squares(sigma):
    blurred = cv2.GaussianBlur(squares(48), (0, 0), sigma)
    found = ek.blur_width(as_uint8(blurred))
    assert found.width == pytest.approx(math.hypot(sigma, math.sqrt(1 / 12)), rel=0.15)
    assert found.sharpest <= found.width
    assert found.across == found.width
    assert found.relative == pytest.approx(found.width / math.hypot(256, 320))
    assert 0 <= found.error < 0.15
    assert found.share > 0.5
    assert found.reason == ""


@pytest.mark.parametrize("change", ["contrast", "exposure", "gamma", "bars", "round", "16 bits", "few levels", "float"])
@pytest.mark.parametrize("sigma", [1, 3])
def test_changes_that_keep_the_width(change, sigma):
    bare = cv2.GaussianBlur(squares(), (0, 0), sigma)
    image = as_uint8(bare)
    expected = ek.blur_width(image).width
    match change:
        case "contrast":
            image = as_uint8(bare / 4 + 90)
        case "exposure":
            image = as_uint8(bare / 2)
        case "gamma":
            image = as_uint8(255 * (bare / 255) ** 0.8)
        case "bars":
            image = cv2.copyMakeBorder(image, 60, 60, 0, 0, cv2.BORDER_CONSTANT, value=0)
        case "round":
            y, x = np.mgrid[: image.shape[0], : image.shape[1]]
            image = np.where(np.hypot(x - 160, y - 128) < 128, image, 0)
        case "16 bits":
            image = np.uint16(np.rint(bare * 257))
        case "few levels":
            image = np.uint16(np.rint(bare * 2))
        case "float":
            image = bare / 255
    assert ek.blur_width(image).width == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("sigma", [0, 2, 4])
@pytest.mark.parametrize("name", ["camera.png", "coffee.png", "chelsea.png"])
def test_white_captions_are_ignored(name, sigma):
    image = ek.read_image(SAMPLES / name)
    bare = cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image
    caption = cv2.putText(bare.copy(), "2031-07-04 12:00:00", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255,) * 3, 2)
    assert (caption != bare).any()
    assert ek.blur_width(caption).width == pytest.approx(ek.blur_width(bare).width, rel=0.05)
    assert ek.score(caption) == pytest.approx(ek.score(bare), abs=0.03)


@pytest.mark.parametrize("degrees", [0, 30, 75, 120, 160])
@pytest.mark.parametrize("length", [8, 16])
def test_direction_and_length_of_motion_blur(length, degrees):
    found = ek.blur_width(
        as_uint8(motion_blurred(ek.read_image(SAMPLES / "camera.png").astype(np.float32), length, degrees))
    )
    assert abs((found.direction - degrees + 90) % 180 - 90) < 10
    assert found.length == pytest.approx(length, rel=0.3)
    assert found.across < 0.6 * found.width


def test_gaussian_blur_has_no_direction():
    for name in ("camera.png", "coffee.png", "rocket.jpg"):
        image = ek.read_image(SAMPLES / name, colour=False)
        for sigma in (0, 1, 2, 4):
            found = ek.blur_width(cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image)
            assert math.isnan(found.direction), (name, sigma)
            assert math.isnan(found.length)


@pytest.mark.parametrize("noise", [3, 8])
def test_width_of_noisy_images(noise):
    random = np.random.default_rng(0)
    image = ek.read_image(SAMPLES / "camera.png").astype(np.float32)
    for sigma in (1, 2, 4):
        blurred = cv2.GaussianBlur(image, (0, 0), sigma)
        expected = ek.blur_width(as_uint8(blurred)).width
        found = ek.blur_width(as_uint8(blurred + random.normal(0, noise, image.shape))).width
        assert found == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.full((64, 64), 80, np.uint8), "flat"),
        (np.full((15, 200), 80, np.uint8), "too small"),
        (np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8), "noise only"),
        (np.full((64, 64), np.nan), "masked"),
    ],
)
def test_undefined_widths_have_a_reason(image, reason):
    found = ek.blur_width(image)
    assert found.reason == reason
    assert all(math.isnan(value) for value in found[:7])
    assert np.isnan(ek.blur_map(image)).all()


def test_roi_and_mask():
    image = np.concatenate([squares(), cv2.GaussianBlur(squares(), (0, 0), 3)], axis=1)
    left, right = (ek.blur_width(as_uint8(image), roi=(x, 0, 320, 256)) for x in (0, 320))
    assert left.width < 0.6 < 2.5 < right.width
    mask = np.zeros(image.shape, bool)
    mask[:, 330:] = True
    assert ek.blur_width(as_uint8(image), mask=mask).width == pytest.approx(right.width, rel=0.1)
    for roi in ((0, 0, 0, 5), (-1, 0, 5, 5), (600, 0, 100, 10), (1, 2), "abcd"):
        with pytest.raises(ek.ParameterError, match="must be x, y, width, height within the 640x256 pixels"):
            ek.blur_width(as_uint8(image), roi=roi)


def test_width_of_large_images():
    image = np.tile(squares(48, (1200, 1600)), (2, 2))
    assert image.size > 1_500_000
    for sigma in (1, 4):
        found = ek.blur_width(as_uint8(cv2.GaussianBlur(image, (0, 0), sigma)))
        assert found.width == pytest.approx(sigma, rel=0.2)


def test_a_batch_of_tensors():
    images = [as_uint8(cv2.GaussianBlur(squares(seed=n), (0, 0), n + 1)) for n in range(3)]
    found = ek.blur_width(torch.from_numpy(np.stack(images))[:, None])
    for n, image in enumerate(images):
        np.testing.assert_allclose([float(values[n]) for values in found[:-1]], ek.blur_width(image)[:-1], rtol=1e-6)
    assert found.reason == ("", "", "")
    maps = ek.blur_map(torch.from_numpy(np.stack(images))[:, None])
    assert maps.shape == (3, 1, 256, 320)
    np.testing.assert_array_equal(maps[1, 0].numpy(), ek.blur_map(images[1]))


def test_blur_map():
    image = squares(24)
    image[:, 160:] = cv2.GaussianBlur(image[:, 160:], (0, 0), 3)
    found = ek.blur_map(as_uint8(image))
    assert found.shape == image.shape
    assert np.nanmedian(found[:, :120]) < 0.6
    assert np.nanmedian(found[:, 200:]) == pytest.approx(3, rel=0.2)


def test_maps_of_large_images():
    """They are computed at viewing size, and stated for pixels of the image."""
    image = squares(64, (1200, 2400)).astype(np.float32)
    image[:, :1200] = cv2.GaussianBlur(image, (0, 0), 3)[:, :1200]
    image = as_uint8(image)
    widths = ek.blur_map(image)
    assert widths.shape == image.shape
    assert np.nanmedian(widths[:, :1100]) == pytest.approx(3, rel=0.2)
    assert np.nanmedian(widths[:, 1300:]) < 1.3
    view, full = (ek.sharpness_map(image, at=at) for at in ("view", "full"))
    assert np.nanmedian(view[:, :1100]) > 100 * np.nanmedian(full[:, :1100])
    assert np.nanmedian(view[:, 1300:]) > 0.9
    left = np.zeros(image.shape, bool)
    left[:, :1200] = True
    for masked in (ek.blur_map(image, mask=left), ek.sharpness_map(image, mask=left)):
        assert np.isnan(masked[:, 1200:]).all()
    assert np.nanmedian(ek.blur_map(image, mask=left)[:, :1100]) == pytest.approx(3, rel=0.2)


@pytest.mark.parametrize("sigma", [1, 3])
def test_types_scales_and_offsets(sigma):
    image = as_uint8(cv2.GaussianBlur(squares(48), (0, 0), sigma))
    expected = ek.blur_width(image).width
    for same in (
        image.astype(np.uint16) + 10_000, image.astype(np.float32) + 10_000, image - 1e12, image * 1e300,
        image.astype(np.int64) - 128, image / 255, np.asfortranarray(image), np.repeat(image[..., None], 3, 2),
    ):  # fmt: skip
        assert ek.blur_width(same).width == pytest.approx(expected, rel=0.05), same.dtype
    # Floating-point images within [0, 1] have the range 1.
    assert ek.blur_width(image * 1e-300).reason == "flat"
    hot = image.astype(np.float32)
    hot[70, 90] = 65535
    assert ek.blur_width(hot).width == pytest.approx(expected, rel=0.1)


def test_width_of_boolean_images():
    found = ek.blur_width(squares(48) > 120)
    assert found.width < 0.6
    assert found.reason == ""


@pytest.mark.parametrize("size", [(100, 16000), (40, 33000), (17, 5000)])
def test_width_of_panoramas(size):
    image = as_uint8(cv2.GaussianBlur(np.tile(squares(16, (size[0], 500)), (1, 66))[:, : size[1]], (0, 0), 1.5))
    assert ek.blur_width(image).width == pytest.approx(1.5, rel=0.25)
    assert ek.score(image) < 0.1 or size[1] > 10_000


@pytest.mark.parametrize(("side", "sigma"), [(4000, 6), (4000, 3), (1500, 6)])
def test_width_is_in_pixels_of_the_file(side, sigma):
    """The width is measured in the reduced image and reported in pixels of the whole image."""
    image = as_uint8(cv2.GaussianBlur(np.tile(squares(48, (960, 960)), (5, 5))[:side, :side], (0, 0), sigma))
    found = judge(image)
    # Without correction, the average over a reduced pixel would make a width of 3 pixels a tenth larger.
    whole = judge(image, at="full").blur_px
    assert whole == pytest.approx(sigma, rel=0.15)
    assert found.blur_px == pytest.approx(whole, rel=0.05)


def test_a_line_of_text_is_not_a_border():
    page = np.full((120, 400), 250, np.uint8)
    for n in range(12):
        cv2.putText(page, "edge", (10 + 30 * n, 64), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 10, 1)
    assert ek.blur_width(page).reason == ""


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colour_is_measured_as_the_gray_levels_that_a_decoder_gives(dtype, channels):
    colour = ek.read_image(SAMPLES / "coffee.png").astype(dtype) * np.array(257 if dtype == "uint16" else 1, dtype)
    gray = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    image = np.concatenate([colour, colour[..., :1]], -1)[..., :channels]
    assert ek.blur_width(image) == pytest.approx(ek.blur_width(gray), nan_ok=True)
    assert ek.blur_width(image[::-1, ::-1]) == pytest.approx(ek.blur_width(gray[::-1, ::-1]), nan_ok=True)
    assert ek.score(image) == ek.score(gray)
