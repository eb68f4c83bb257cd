"""Focus measures compared with their formulas, for arrays and tensors."""

import math
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.measure import blur_effect

import edgekit as ek
from edgekit.focus.measures import sharpness_of

CAMERA = Path(__file__).parents[1] / "samples" / "camera.png"
DTYPES = ("uint8", "uint16", "float32", "float64")

#: Formulas with an absolute value or a maximum are not differentiable everywhere.
KINKED = ("modified_laplacian", "crete_roffet")

#: Ratios are NaN for constant images.
RATIOS = ("laplacian_gradient_ratio", "crete_roffet", "wavelet_ratio")

each = pytest.mark.parametrize("name", ek.MEASURES)


def picture(dtype="float64", size=(19, 24), seed=3):
    """Return smooth shapes with some noise, over most of the type's range; floats are integers divided by 255."""
    rows, columns = size[:2]
    y, x = np.mgrid[:rows, :columns]
    shapes = 110 + 60 * np.sin(x / 3) * np.cos(y / 4) + 50 * (x > y)
    noise = np.random.default_rng(seed).normal(0, 9, size)
    levels = np.rint((shapes[..., None] if len(size) == 3 else shapes) + noise).clip(0, 255)
    return (levels * {"uint8": 1, "uint16": 257}.get(dtype, 1 / 255)).astype(dtype)


def shifted(image, dy, dx, mode="reflect"):
    """Return for each pixel the one `dy` rows and `dx` columns further."""
    rows, columns = image.shape
    return np.pad(image, 1, mode=mode)[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns]


def laplacian(image):
    return sum(shifted(image, *at) for at in ((0, 1), (0, -1), (1, 0), (-1, 0))) - 4 * image


def sobel(image, mode="reflect"):
    """Return gx and gy of the unscaled kernels."""
    weights = ((-1, 1), (0, 2), (1, 1))
    gx = sum(w * (shifted(image, k, 1, mode) - shifted(image, k, -1, mode)) for k, w in weights)
    gy = sum(w * (shifted(image, 1, k, mode) - shifted(image, -1, k, mode)) for k, w in weights)
    return gx, gy


def energy(image):
    gx, gy = sobel(image)
    return gx**2 + gy**2


def modified_laplacian(image):
    along_x = 2 * image - shifted(image, 0, 1) - shifted(image, 0, -1)
    along_y = 2 * image - shifted(image, 1, 0) - shifted(image, -1, 0)
    return np.mean(np.abs(along_x) + np.abs(along_y))


def brenner(image):
    along_x, along_y = image[:, 2:] - image[:, :-2], image[2:] - image[:-2]
    return max(np.mean(along_x**2), np.mean(along_y**2))


def product(image, step):
    return np.mean(image[:, step:] * image[:, :-step])


def crete_roffet(image):
    shares = []
    for axis in (0, 1):
        width = [(0, 0), (0, 0)]
        width[axis] = (5, 5)
        padded = np.pad(image, width, mode="symmetric")
        smooth = sum(np.take(padded, range(k, k + image.shape[axis]), axis) for k in range(11)) / 11
        before, after = (np.abs(sobel(i, "symmetric")[1 - axis])[2:-1, 2:-1] for i in (image, smooth))
        shares.append(1 - np.maximum(before - after, 0).sum() / before.sum())
    return 1 - max(shares)


def wavelet_ratio(image):
    """Return the energy of the details of 2x2 blocks, as a fraction of all energy without the mean."""
    details, sums = 0.0, []
    for y in range(0, image.shape[0] - 1, 2):
        for x in range(0, image.shape[1] - 1, 2):
            a, b, c, d = image[y, x], image[y, x + 1], image[y + 1, x], image[y + 1, x + 1]
            details += (a + c - b - d) ** 2 + (a + b - c - d) ** 2 + (a + d - b - c) ** 2
            sums.append(a + b + c + d)
    return details / (details + len(sums) * np.var(sums))


FORMULAS = {
    "laplacian_variance": lambda i: laplacian(i).var(),
    "laplacian_energy": lambda i: np.mean(laplacian(i) ** 2),
    "modified_laplacian": modified_laplacian,
    "tenengrad": lambda i: np.mean(energy(i)),
    "tenengrad_variance": lambda i: np.var(energy(i)),
    "brenner": brenner,
    "squared_gradient": lambda i: np.mean(np.diff(i, axis=0) ** 2) + np.mean(np.diff(i, axis=1) ** 2),
    "normalised_variance": lambda i: i.var() / i.mean(),
    "vollath_f4": lambda i: product(i, 1) - product(i, 2),
    "vollath_f5": lambda i: product(i, 1) - i.mean() ** 2,
    "laplacian_gradient_ratio": lambda i: np.mean(laplacian(i) ** 2) / np.mean(energy(i) / 64),
    "crete_roffet": crete_roffet,
    "wavelet_ratio": wavelet_ratio,
}


def test_all_measures_have_a_formula_here():
    assert set(FORMULAS) == set(ek.MEASURES)
    assert all(row.name == name and row.formula and row.reference for name, row in ek.MEASURES.items())


@pytest.mark.parametrize("size", [(19, 24), (12, 7), (4, 5)])
@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_measures_equal_their_formulas(name, dtype, size, kind):
    array = picture(dtype, size)
    found = ek.sharpness(kind.image(array), name)
    assert isinstance(found, torch.Tensor if kind.is_torch else float)
    # Tensors of single precision stay in it; Vollath's measures are differences of much larger means.
    single = kind.is_torch and dtype == "float32"
    expected = FORMULAS[name](array.astype(np.float64))
    scale = np.mean(array.astype(np.float64) ** 2) if "vollath" in name else 0
    assert float(found) == pytest.approx(
        expected, rel=2e-5 if single else 1e-9, abs=(1e-6 if single else 1e-13) * scale
    )


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_colour_images_are_measured_by_luminance(name, dtype, channels, kind):
    array = picture(dtype, (14, 17, channels))
    wide = array.astype(np.float64)
    gray = wide[:, :, 0] if channels == 1 else wide[:, :, :3] @ [0.299, 0.587, 0.114]
    single = kind.is_torch and dtype == "float32"
    found = ek.sharpness(kind.image(array), name)
    assert float(found) == pytest.approx(FORMULAS[name](gray), rel=2e-4 if single else 1e-9)


def extremes(dtype, size):
    """Return noise, a checkerboard, stripes, a step, and constant white."""
    top = np.iinfo(dtype).max
    y, x = np.mgrid[: size[0], : size[1]]
    yield np.random.default_rng(1).integers(0, top, size, dtype, endpoint=True)
    for mask in ((x + y) % 2, x % 2, x > size[1] // 2, np.ones(size)):
        yield (top * mask.astype(np.int64)).astype(dtype)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (5, 3), (31, 33), (300, 517)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_laplacian_variance_equals_cv2(dtype, size):
    for image in extremes(dtype, size):
        expected = cv2.Laplacian(image, cv2.CV_64F).var()
        assert ek.sharpness(image) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", [16, 17, 31, 32, 33, 97])
def test_laplacian_measures_with_small_tiles(rows, monkeypatch):
    monkeypatch.setattr("edgekit.backends.opencv.tiling.TILE", 64)
    for image in extremes("uint8", (rows, 40)):
        assert ek.sharpness(image) == pytest.approx(cv2.Laplacian(image, cv2.CV_64F).var(), rel=1e-9)
        expected = np.mean(laplacian(image.astype(np.float64)) ** 2)
        assert ek.sharpness(image, "laplacian_energy") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sigma", [0, 1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_crete_roffet_equals_one_minus_skimage_blur_effect(dtype, sigma):
    photograph = ek.read_image(CAMERA)[100:237, 200:411]
    image = cv2.GaussianBlur(photograph, (0, 0), sigma) if sigma else photograph
    image = (image * {"uint8": 1.0, "uint16": 257.0}.get(dtype, 1 / 255)).astype(dtype)
    assert ek.sharpness(image, "crete_roffet") == pytest.approx(1 - blur_effect(image), abs=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@each
def test_batch_values_equal_single_images(name, dtype):
    colour = np.stack([picture(dtype, (13, 16, 3), seed) for seed in range(4)])
    tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(colour, 3, 1)))
    cases = (
        (tensor[0, 0], [colour[0, :, :, 0]], ()),
        (tensor[0], [colour[0]], ()),
        (tensor[:, :1], list(colour[..., 0]), (4,)),
        (tensor, list(colour), (4,)),
        (tensor.reshape(2, 2, 3, 13, 16), list(colour), (2, 2)),
    )
    for images, arrays, shape in cases:
        found = ek.sharpness(images, name)
        assert found.shape == shape
        assert found.dtype == torch.float64
        expected = [ek.sharpness(a, name) for a in arrays]
        np.testing.assert_allclose(found.numpy().ravel(), expected, rtol=1e-9)


@pytest.mark.parametrize("name", [n for n in ek.MEASURES if n not in KINKED])
def test_gradcheck_of_measures(name):
    images = torch.from_numpy(np.stack([picture(size=(1, 7, 8), seed=s) for s in (0, 1)])).requires_grad_()
    assert torch.autograd.gradcheck(lambda i: ek.sharpness(i, name), images)


@each
def test_gradients_are_finite(name):
    for array in (picture(size=(16, 17)), np.full((16, 17), 0.3), np.zeros((16, 17))):
        image = torch.from_numpy(array).requires_grad_()
        ek.sharpness(image, name).backward()
        assert torch.isfinite(image.grad).all()
    image = torch.from_numpy(picture(size=(16, 17))).requires_grad_()
    ek.sharpness(image, name).backward()
    assert image.grad.abs().max() > 0


@each
def test_measures_decrease_with_blur(name):
    photograph = ek.read_image(CAMERA).astype(np.float64)
    values = [
        ek.sharpness(cv2.GaussianBlur(photograph, (0, 0), sigma) if sigma else photograph, name)
        for sigma in (0, 1, 2, 4)
    ]
    assert all(a > b for a, b in pairwise(values)), values


@pytest.mark.parametrize("factor", [0.5, 3.0])
@each
def test_measures_scale_with_power_of_contrast(name, factor):
    image = picture()
    expected = ek.sharpness(image, name) * factor ** ek.MEASURES[name].contrast
    assert ek.sharpness(image * factor, name) == pytest.approx(expected, rel=1e-9)


@each
def test_values_are_within_the_stated_range(name):
    low, high = ek.MEASURES[name].range
    assert low < high
    images = (*extremes("uint8", (31, 32)), picture("uint8"), cv2.GaussianBlur(picture("uint8"), (0, 0), 5))
    values = np.array([ek.sharpness(i, name) for i in images])
    values = values[~np.isnan(values)]
    assert len(values) >= 3
    assert ((values >= low) & (values <= high)).all()


@pytest.mark.parametrize("level", [0.1, 1 / 3, 123.456, 7.0, 60000.0])
@each
def test_constant_images_give_zero_or_nan(name, level, kind):
    for size in ((17, 15), (16, 16)):
        found = float(ek.sharpness(kind.image(np.full(size, level)), name))
        assert math.isnan(found) if name in RATIOS else abs(found) <= 1e-12 * level**2


def test_normalised_variance_of_black_is_nan(kind):
    assert math.isnan(ek.sharpness(kind.image(np.zeros((9, 8), np.uint8)), "normalised_variance"))


@pytest.mark.parametrize("at", [(0, 0), (0, 5), (9, 7), (18, 22), (18, 0)])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@each
def test_non_finite_pixels_count_as_masked(name, value, at, kind):
    array = picture(size=(19, 23))
    whole = ek.sharpness(kind.image(array), name)
    array[at] = value
    found = float(ek.sharpness(kind.image(array), name))
    masked = np.ones(array.shape, bool)
    masked[at] = False
    array[at] = 1e3
    assert found == pytest.approx(float(ek.sharpness(kind.image(array), name, mask=kind.image(masked))), rel=1e-6)
    # Few of the 437 pixels are left out, and the image is similar everywhere.
    assert found == pytest.approx(float(whole), rel=0.4)


def test_mask_excludes_affected_responses(kind):
    array = picture(size=(40, 50))
    mask = np.ones(array.shape, bool)
    mask[10:20, 30:40] = False
    response = ek.laplacian(array, mask=mask)
    found = float(ek.sharpness(kind.image(array), mask=kind.image(mask)))
    assert found == pytest.approx(np.nanvar(response), rel=1e-5)
    assert np.isnan(response).sum() == 100 + 4 * 10
    gx, gy = ek.sobel(array, angle=0, mask=mask, scale="raw"), ek.sobel(array, angle=90, mask=mask, scale="raw")
    found = float(ek.sharpness(kind.image(array), "tenengrad", mask=kind.image(mask)))
    assert found == pytest.approx(np.nanmean(gx**2 + gy**2), rel=1e-5)
    assert math.isnan(ek.sharpness(kind.image(array), mask=kind.image(mask & False)))


@each
def test_nan_in_one_image_does_not_affect_others_of_a_batch(name):
    arrays = np.stack([picture(size=(1, 12, 13), seed=s) for s in range(3)])
    expected = ek.sharpness(torch.from_numpy(arrays), name)
    arrays[1, 0, 3, 4] = math.nan
    found = ek.sharpness(torch.from_numpy(arrays), name)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[[0, 2]], expected[[0, 2]])


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 3)])
@each
def test_small_images_give_nan_or_a_value_in_range(name, size, kind):
    low, high = ek.MEASURES[name].range
    found = float(ek.sharpness(kind.image(picture("uint8", size)), name))
    assert math.isnan(found) or low <= found <= high


def test_unknown_measure(kind):
    with pytest.raises(ek.ParameterError, match="'sharp' is not known; choose one of laplacian_variance, "):
        ek.sharpness(kind.image(picture()), "sharp")


@pytest.mark.parametrize("channels", [2, 5])
@each
def test_wrong_numbers_of_channels_are_refused(name, channels, kind):
    with pytest.raises(ek.ShapeError, match=rf"1, 3 \(RGB\) or 4 \(RGBA\) channels; found {channels}"):
        ek.sharpness(kind.image(picture("uint8", (8, 9, channels))), name)


@pytest.mark.parametrize("size", [(0, 4), (4, 0)])
@each
def test_empty_images_are_refused(name, size, kind):
    with pytest.raises(ek.ShapeError, match="no pixels"):
        ek.sharpness(kind.image(np.zeros(size, np.uint8)), name)


@pytest.mark.parametrize("level", [-20.0, 0.0])
def test_normalised_variance_is_nan_for_nonpositive_mean(level):
    image = np.tile([level - 1, level + 1], (8, 4))
    assert math.isnan(ek.sharpness(image, "normalised_variance"))
    assert math.isnan(ek.sharpness(torch.from_numpy(image), "normalised_variance"))


@each
def test_gradients_with_a_mask_are_finite(name):
    image = torch.from_numpy(picture(size=(19, 23))).double().requires_grad_()
    mask = torch.ones(19, 23, dtype=torch.bool)
    mask[8:11, 5:9] = False
    ek.sharpness(image, name, mask=mask).backward()
    assert torch.isfinite(image.grad).all()
    assert image.grad.abs().sum() > 0
    assert (image.grad[9, 6:8] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_several_measures_at_once(dtype):
    image = picture(dtype, (70, 41))
    together = sharpness_of(image, list(ek.MEASURES))
    assert together == {name: ek.sharpness(image, name) for name in ek.MEASURES}


@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_results_do_not_depend_on_tiles_and_threads(name, dtype, monkeypatch):
    image = picture(dtype, (131, 29))
    expected = ek.sharpness(image, name)
    monkeypatch.setattr("edgekit.backends.opencv.tiling.TILE", 64)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr("edgekit.backends.opencv.tiling.cv2.getNumThreads", lambda threads=threads: threads)
        found.append(ek.sharpness(image, name))
    assert found[0] == found[1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("row", [0, 70, 130])
@each
def test_scaling_considers_all_valid_pixels(name, row, monkeypatch):
    """A large value in any tile scales all tiles; a masked one does not."""
    monkeypatch.setattr("edgekit.backends.opencv.tiling.TILE", 64)
    small = picture("float64", (131, 29)).astype(float)
    one = small.copy()
    one[row, 7] *= 3
    contrast = ek.MEASURES[name].contrast
    # The squares of 2^600 overflow: a measure that is proportional to them is infinite.
    with np.errstate(over="ignore"):
        expected = np.ldexp(ek.sharpness(one, name), 600 * contrast)
    assert ek.sharpness(np.ldexp(one, 600), name) == expected
    mask = np.ones(small.shape, bool)
    mask[row, 7] = False
    large = small.copy()
    large[row, 7] = 1e300
    assert ek.sharpness(large, name, mask=mask) == ek.sharpness(small, name, mask=mask)
