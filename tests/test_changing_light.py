"""Focus stacks in light that changes: bleaching, flicker, a lamp that drifts, saturated beads, at several depths."""

import math

import cv2
import numpy as np
import pytest
import tifffile
import torch
from sampling import on_full
from stacks import InOrder

import edgekit as ek
from edgekit.batch.stack import Request, measure_stack
from edgekit.batch.stack_planes import stacks_of
from edgekit.common.read_options import ReadOptions
from edgekit.focus.light import mean_level, normalised
from edgekit.focus.stack_peak import find_peak_in_light

IMAGES = 13

#: Electrons at white, electrons of read noise, the black level as a fraction of white, and the scene's white.
ELECTRONS, READ_NOISE, BLACK, WHITE = 30000, 10, 0.02, 0.6


def light(kind: str, random: np.random.Generator) -> np.ndarray:
    """Return the light of each image."""
    n = np.arange(IMAGES)
    match kind:
        case "bleaching":
            return (1 - random.uniform(0.03, 0.10)) ** n
        case "flicker":
            return 1 + random.normal(0, 0.05, IMAGES)
        case "drift":
            return 1 + np.linspace(0, random.uniform(-0.3, 0.3), IMAGES) + 0.05 * np.sin(n * random.uniform(0.2, 0.8))
        case "beads":
            return 0.97**n
    return np.ones(IMAGES)


def taken(kind: str, bits: int, seed: int) -> tuple[list[np.ndarray], float]:
    """Return the images of a camera with shot noise and read noise, and where they are in focus."""
    random = np.random.default_rng(seed)
    scene = cv2.GaussianBlur(random.random((96, 96)).astype(np.float32), (0, 0), random.uniform(1, 2.5))
    scene = (scene - scene.min()) / np.ptp(scene)
    focus = random.uniform(3.5, IMAGES - 4.5)
    if kind == "beads":
        for y, x in random.integers(12, 84, (3, 2)):
            scene[y - 1 : y + 2, x - 1 : x + 2] = random.uniform(4, 30)
    images, top = [], 2**bits - 1
    for z, lamp in enumerate(light(kind, random)):
        blurred = cv2.GaussianBlur(scene, (0, 0), float(np.hypot(0.6, 0.8 * (z - focus)))) * lamp * WHITE * ELECTRONS
        noise = random.normal(0, 1, scene.shape) * np.sqrt(blurred) + random.normal(0, READ_NOISE, scene.shape)
        image = ((blurred + noise) / ELECTRONS + BLACK) * top
        images.append(image.round().clip(0, top).astype(np.uint8 if bits == 8 else np.uint16))
    return images, focus


def peak_of(images: list[np.ndarray], path, measure: str = "tenengrad"):
    tifffile.imwrite(path, np.stack(images), photometric="minisblack")
    (planes,) = stacks_of([path], ReadOptions())
    return measure_stack(planes, Request(measure), InOrder(), ReadOptions()).peak()


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("kind", ["steady", "bleaching", "flicker", "drift", "beads"])
@pytest.mark.parametrize("seeds", [6, *on_full(100)])
def test_the_peak_is_within_three_stated_errors(kind, bits, seeds, tmp_path):
    missed, errors = 0, []
    for seed in range(seeds):
        images, focus = taken(kind, bits, seed)
        peak = peak_of(images, tmp_path / "stack.tif")
        assert peak.status == "peak"
        missed += abs(peak.position - focus) > 3 * peak.error
        errors.append(peak.error)
    assert missed <= seeds // 100
    # The stated error is not just large.
    assert np.median(errors) < 0.15


def test_without_the_correction_bleaching_moves_the_peak(tmp_path):
    images, focus = taken("bleaching", 16, 3)
    raw = ek.find_peak(range(IMAGES), [ek.sharpness(i, "tenengrad") for i in images])
    assert abs(raw.position - focus) > 0.15
    assert abs(peak_of(images, tmp_path / "a.tif").position - focus) < 0.3 * abs(raw.position - focus)


@pytest.mark.parametrize("measure", list(ek.MEASURES))
def test_each_measure_by_its_own_power(measure, tmp_path):
    """Without noise and black level the correction is exact: the scores are those of steady light."""
    random = np.random.default_rng(0)
    scene = cv2.GaussianBlur(random.random((64, 64)).astype(np.float32), (0, 0), 1) * 100
    scores, dim, levels = [], [], []
    for z in range(9):
        image = cv2.GaussianBlur(scene, (0, 0), 0.6 + abs(z - 4.3))
        scores.append(ek.sharpness(image, measure))
        dim.append(ek.sharpness(image * np.float32(0.9**z), measure))
        levels.append(mean_level(image * np.float32(0.9**z)))
    corrected = np.array(normalised(dim, levels, ek.MEASURES[measure].contrast))
    # The mean of a blurred image differs a little, at its border.
    np.testing.assert_allclose(corrected / corrected[4], np.array(scores) / scores[4], rtol=0.02)


def test_levels_that_are_no_light():
    assert normalised([1, 2, 3], [1, 0, 1], 2) == [1, 2, 3]
    assert normalised([1, 2, 3], [1, math.nan, 1], 2) == [1, 2, 3]
    assert normalised([1, math.nan, 4], [1, math.nan, 2], 2) == [2.25, pytest.approx(math.nan, nan_ok=True), 2.25]
    assert normalised([1, 2, 3], [1, 2, 3], 0) == [1, 2, 3]
    assert math.isnan(mean_level(np.full((3, 3), np.nan)))
    assert mean_level(np.array([[1.0, np.nan], [3.0, 5.0]])) == 3
    assert mean_level(np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[True, False], [False, False]])) == pytest.approx(
        10 / 3
    )


def test_the_error_contains_a_part_of_the_correction():
    z = np.arange(13.0)
    scores, levels = np.exp(-((z - 6.3) ** 2) / 8), 0.9**z
    peak = find_peak_in_light(z, scores * levels**2, levels, 2)
    plain = ek.find_peak(z, scores * levels**2)
    assert peak.position == pytest.approx(6.3, abs=1e-6)
    assert peak.error >= (6.3 - plain.position) / 3 > 0.1
    assert find_peak_in_light(z, scores, np.ones(13), 2).error == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_autofocus_of_images_whose_light_changes(kind):
    random = np.random.default_rng(0)
    scene = cv2.GaussianBlur(random.random((96, 96)).astype(np.float32), (0, 0), 1) * 200
    taken = []

    def camera(z):
        taken.append(z)
        image = cv2.GaussianBlur(scene, (0, 0), float(np.hypot(0.6, 0.05 * (z - 61.7)))) * 0.96 ** len(taken)
        return torch.tensor(image) if kind == "tensor" else image

    found = ek.autofocus(camera, 0, 100)
    assert found.status == "peak"
    assert found.position == pytest.approx(61.7, abs=0.4)
    taken.clear()
    raw = ek.autofocus(lambda z: ek.sharpness(camera(z), "tenengrad"), 0, 100)
    assert abs(raw.position - 61.7) > 1
    assert ek.autofocus(camera, 0, 100, image_measure="crete_roffet").status == "peak"
    with pytest.raises(ek.ParameterError, match="image_measure='beauty' is not known"):
        ek.autofocus(camera, 0, 100, image_measure="beauty")
