"""The edge detector: texture, colours, dark images, exposure and invalid pixels."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from edge_oracle import agreement, is_thin, pictures, share_near, soft

import edgekit as ek

SAMPLES = Path(__file__).parents[1] / "samples"

#: The threshold with the best agreement with annotators.
SURE = 0.4
DTYPES = ("bool", "uint8", "uint16", "int16", "int32", "float16", "float32", "float64")


def photograph(name, rows=slice(60, 220), columns=slice(120, 296)):
    return np.ascontiguousarray(ek.read_image(SAMPLES / f"{name}.png")[rows, columns])


def flattened(kind, response):
    """Return a plain response without the channel axis that tensors keep."""
    array = kind.plain(response)
    return array[0] if array.ndim == 3 else array


@pytest.mark.parametrize("name", [*pictures(), "camera", "coffee", "chart"])
def test_lines_are_one_pixel_wide_and_in_range(name):
    image = pictures()[name] if name in pictures() else photograph(name)
    found = ek.detect(image)
    assert found.dtype == np.float32
    assert found.shape == image.shape[:2]
    assert is_thin(found)
    assert found.min() == 0
    assert found.max() <= 1
    # 5x5 Sobel kernels do not respond to the finest checkerboard: the smoothing by 1 4 6 4 1 removes it.
    assert found.any() == (name != "checkerboard")


@pytest.mark.parametrize(
    ("size", "level"), [((1, 9), 0.3), ((9, 1), -0.7), ((17, 16), 200), ((50, 33), 0.1), ((7, 7), 0)]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_images_have_no_edges(dtype, size, level, kind):
    array = np.full(size, level, float)
    if "float" not in dtype:
        array = array.clip(0, 1 if dtype == "bool" else 255)
    for image in (array.astype(dtype), np.stack([array, array / 2, array / 3], 2).astype(dtype)):
        found = flattened(kind, ek.detect(kind.image(image)))
        assert found.shape == size
        assert found.dtype == np.float32
        assert (found == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (2, 3), (15, 17)])
def test_small_images(size, kind):
    for dtype in DTYPES:
        image = np.random.default_rng(1).integers(0, 2, size).astype(dtype)
        found = ek.detect(kind.image(image))
        assert tuple(found.shape) == size
        assert np.isfinite(kind.plain(found)).all()


@pytest.mark.parametrize("angle", [0, 25, 45, 90, 160])
def test_position_of_a_straight_edge(angle, kind):
    y, x = np.mgrid[:96, :96]
    away = (x - 47.7) * math.cos(math.radians(angle)) + (y - 47.7) * math.sin(math.radians(angle))
    found = kind.plain(ek.detect(kind.image(90 + 20 * (0.5 + away).clip(0, 1))))
    # The border mode mirrors a slanted edge, so it bends at the border.
    sure, away = (a[8:-8, 8:-8] for a in (found > SURE, away))
    assert np.abs(away[sure]).max() <= 1.0
    assert share_near(np.abs(away) < 0.5, sure) == 1


def test_all_dtypes_have_the_same_edges(kind):
    expected = ek.detect(soft())
    assert (expected > SURE).any()
    for dtype in DTYPES[1:]:
        given = kind.image(soft().astype(dtype))
        found = kind.plain(ek.detect(given))
        # White is the largest value; half a level of 255 is the same for integers and for floats.
        np.testing.assert_allclose(found, expected, atol=1e-3)
        np.testing.assert_array_equal(kind.plain(given), soft().astype(dtype))
    mask = soft() > 127
    found = ek.detect(kind.image(mask))
    np.testing.assert_array_equal(kind.plain(found), kind.plain(ek.detect(kind.image(mask.astype(np.uint8)))))


@pytest.mark.parametrize("name", ["camera", "coffee"])
def test_arrays_and_tensors_have_the_same_edges(name, kind):
    image = photograph(name)
    expected = ek.detect(image)
    found = flattened(kind, ek.detect(kind.image(image)))
    # Rounding may decide which of two equal pixels is kept.
    assert (np.abs(found - expected) > 1e-5).mean() < 1e-3
    assert agreement(found > SURE, expected > SURE) > 0.999


def test_batch_results_equal_single_image_results():
    tensors = torch.from_numpy(np.stack([photograph("coffee"), photograph("chelsea")])).permute(0, 3, 1, 2)
    images = torch.cat([tensors, tensors // 3]).reshape(2, 2, 3, 160, 176)
    found = ek.detect(images)
    assert found.shape == (2, 2, 1, 160, 176)
    for plane, image in zip(found.reshape(4, 1, 160, 176), images.reshape(4, 3, 160, 176), strict=True):
        np.testing.assert_allclose(plane, ek.detect(image), atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "power"), [("float32", 100), ("float32", -100), ("float64", 1000), ("float64", -990)]
)
def test_factors_of_powers_of_two_change_nothing(dtype, power, kind):
    image = (photograph("coffee") / 256).astype(dtype)
    found = kind.plain(ek.detect(kind.image(np.ldexp(image, power))))
    np.testing.assert_array_equal(found, kind.plain(ek.detect(kind.image(image))))


@pytest.mark.parametrize("factor", [1e-3, 0.37, 60])
def test_exposure_changes_no_edges(factor, kind):
    image = photograph("chelsea").astype(np.float64) / 255
    found, expected = (kind.plain(ek.detect(kind.image(image * k))) for k in (factor, 1))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["camera", "coffee", "chelsea"])
def test_16_bit_images_have_nearly_the_same_edges(name):
    # The detector adds half a level, which is less at 16 bits: dark edges are stronger. Measured: at least 0.97.
    deep, plain = (ek.detect(photograph(name).astype(np.uint16) * k) > SURE for k in (257, 1))
    assert agreement(deep, plain) >= 0.95


@pytest.mark.parametrize(("name", "bound"), [("camera", 0.94), ("coffee", 0.95), ("chelsea", 0.9)])
def test_dark_images_have_nearly_the_same_edges(name, bound):
    # Divided by 8, only 32 levels are left. Measured on the whole photographs: 0.966, 0.970 and 0.931.
    # The fine fur of the cat has steps of less than 8.
    image = photograph(name, slice(None), slice(None))
    light, dark = (ek.detect(i) > SURE for i in (image, np.rint(image / 8).astype(np.uint8)))
    assert agreement(light, dark) >= bound


@pytest.mark.parametrize("name", ["camera", "coffee", "chelsea"])
def test_transposed_images_have_nearly_the_same_edges(name):
    image = photograph(name)
    found, turned = ek.detect(image), ek.detect(np.ascontiguousarray(image.swapaxes(0, 1))).T
    # Thinning starts at one corner and keeps the first of equal pixels: lines may differ by a pixel.
    assert agreement(found > SURE, turned > SURE) >= 0.998
    both = (found > 0) & (turned > 0)
    assert both.sum() > 0.8 * (found > 0).sum()
    assert np.median(np.abs(found - turned)[both]) < 1e-3


@pytest.mark.parametrize(("down", "right"), [(16, 0), (0, 16), (32, 48)])
def test_shifted_objects_have_nearly_the_same_edges(down, right, kind):
    # Multiples of 16, because five octaves halve the image four times. Only local means use larger steps.
    ground = np.full((256, 256, 3), 100, np.uint8)
    here, there = ground.copy(), ground.copy()
    here[80:144, 64:128] = photograph("coffee")[:64, :64]
    there[80 + down : 144 + down, 64 + right : 128 + right] = photograph("coffee")[:64, :64]
    found, shifted = (flattened(kind, ek.detect(kind.image(i))) for i in (here, there))
    rolled = np.roll(found, (down, right), (0, 1))
    assert (rolled > SURE).sum() > 200
    # These rows are outside of all kernels: rounding errors make no lines.
    assert (found[:20] == 0).all()
    assert agreement(shifted > SURE, rolled > SURE) > 0.99
    both = (shifted > 0) & (rolled > 0)
    assert both.sum() > 0.97 * (rolled > 0).sum()
    assert np.abs(shifted - rolled)[both].mean() < 0.01


@pytest.mark.parametrize(("contrast", "texture"), [(25, 10), (40, 20), (60, 30)])
def test_object_edges_are_stronger_than_texture(contrast, texture, kind):
    y, x = np.mgrid[:192, :192]
    away = np.hypot(x - 95, y - 97) - 50
    noise = np.random.default_rng(2).normal(0, texture, away.shape)
    image = np.clip(100 + contrast * (away < 0) + noise, 0, 255).astype(np.uint8)
    found = kind.plain(ek.detect(kind.image(image)))
    rim, ground = np.abs(away) < 0.5, np.abs(away) > 6
    assert share_near(rim, found > SURE) >= 0.97
    assert (found > SURE)[ground].mean() < 0.004
    # Nearly all edges of the texture are weaker than nearly all edges of the object.
    on_rim, on_ground = found[(np.abs(away) < 2) & (found > 0)], found[ground & (found > 0)]
    assert np.quantile(on_rim, 0.2) > np.quantile(on_ground, 0.98)


@pytest.mark.parametrize("turn", [0, 1], ids=["along the axes", "diagonal"])
def test_the_boundary_of_two_textures_is_stronger_than_their_edges(turn, kind):
    y, x = np.mgrid[:160, :240]
    # Stripes of the same contrast and width, at right angles.
    phase = np.where(x < 120, y + turn * x, x - turn * y)
    stripes = 128 + 40 * np.sin(2 * np.pi * phase / 8)
    image = np.rint(stripes + np.random.default_rng(0).normal(0, 4, stripes.shape)).astype(np.uint8)
    found = flattened(kind, ek.detect(kind.image(image)))[8:-8]
    inside = np.concatenate([found[:, 20:100], found[:, 140:220]], 1)
    assert found[:, 114:126].max(1).mean() > 2 * inside[inside > 0].mean()


@pytest.mark.parametrize("model", ["gradients", "learned", "learned-fast"])
def test_all_edges_have_more_weight_where_a_boundary_is_probable(model):
    _, x = np.mgrid[:128, :256]
    # Stripes, and one step of the same contrast.
    image = np.where(x < 128, 100 + 50 * (x // 8 % 2), np.where(x < 192, 100, 150)).astype(np.uint8)
    found = ek.detect(image, what="edges", model=model)[20:-20]
    step, stripes = found[:, 188:196].max(1).mean(), found[:, 20:110]
    odds = step / (1 - step), (p := stripes[stripes > 0].mean()) / (1 - p)
    assert odds[0] > 3 * odds[1] > 0


@pytest.mark.parametrize("depth", [0.1, 0.3])
def test_edges_between_colours_of_equal_luminance(depth, kind):
    for colour in (np.array([1, -0.299 / 0.587, 0]), np.array([0, -0.114 / 0.587, 1])):
        roots = np.full((64, 96, 3), 0.6)
        roots[:, 45:] += depth * colour
        found = flattened(kind, ek.detect(kind.image(roots**2)))
        columns = np.flatnonzero((found > SURE).all(0))
        assert columns.tolist() in ([44], [45])
        gray = np.broadcast_to((roots**2) @ [0.299, 0.587, 0.114], (64, 96))
        assert np.ptp(gray) < 0.06
        assert (found > SURE).sum() == 64


def test_colour_steps_are_at_least_as_strong_as_gray_steps(kind):
    step, colour = 0.1, np.array([1, -0.299 / 0.587, 0])
    roots = np.full((64, 144, 3), 0.6)
    roots[:, 48:] += step * colour / (colour[0] - colour[1])
    roots[:, 96:] += step
    # The detector adds half a level before the root, and white is the largest value.
    roots *= math.sqrt(1 + 0.5 / 255) / roots.max()
    found = flattened(kind, ek.detect(kind.image(roots**2 - 0.5 / 255)))
    between_colours, between_grays = (found[20:44, c - 2 : c + 2].max(1) for c in (48, 96))
    assert between_colours.min() >= between_grays.max() > SURE


def test_edges_of_objects_in_the_shade(kind):
    y, x = np.mgrid[:96, :192]
    surface = np.where((np.abs(x % 96 - 48) < 20) & (np.abs(y - 48) < 20), 200.0, 160)
    found = kind.plain(ek.detect(kind.image(np.where(x < 96, surface, surface / 8))))
    for column in (28, 68, 124, 164):
        assert (found[40:56, column - 2 : column + 2].max(1) > SURE).all()


def test_alpha_channel_is_ignored(kind):
    for dtype, dim, opaque in (("uint8", 1, 255), ("uint8", 4, 255), ("float32", 5, 1), ("float32", 5, math.nan)):
        colour = photograph("chelsea") // dim if dtype == "uint8" else photograph("chelsea").astype(dtype) / 255 / dim
        alpha = np.full(colour.shape[:2], opaque, dtype)
        alpha[20:70, 30:90] = 0
        found = kind.plain(ek.detect(kind.image(np.dstack([colour, alpha]))))
        np.testing.assert_array_equal(found, kind.plain(ek.detect(kind.image(colour.astype(dtype)))))


def test_equal_channels_have_the_edges_of_one(kind):
    gray = photograph("camera")
    expected = kind.plain(ek.detect(kind.image(gray)))
    for channels in (1, 2, 3, 5):
        found = ek.detect(kind.image(np.repeat(gray[..., None], channels, 2)))
        assert tuple(found.shape) == ((1, *gray.shape) if kind.is_torch else gray.shape)
        # Strengths are relative: equal channels change only rounding errors.
        different = np.abs(flattened(kind, found) - expected) > 1e-4
        assert different.mean() < 1e-3


def test_edges_in_a_single_channel_are_found(kind):
    for channels in (2, 5):
        for c in range(channels):
            image = np.full((48, 64, channels), 90, np.uint8)
            image[:, 30:, c] = 110
            found = flattened(kind, ek.detect(kind.image(image)))
            assert np.flatnonzero((found > SURE).any(0)).tolist() in ([29], [30])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_invalid_pixels_make_no_edges(value, kind):
    for image in (np.full((64, 90), 0.7), np.tile(np.repeat([0.3, 0.8], [64, 26]), (64, 1))):
        holed = image.copy()
        holed[25:40, 30:45] = value
        clean, found = (kind.plain(ek.detect(kind.image(i))) for i in (image, holed))
        assert (clean > SURE).sum() == (found > SURE).sum()
        # The only edge is the step between the columns 63 and 64.
        assert (found[:, :62] == 0).all()
        assert (found[:, 66:] == 0).all()
    holed = photograph("chelsea") / 255
    holed[50:70, 40:80, 1] = value
    found = flattened(kind, ek.detect(kind.image(holed)))
    assert (found[47:73, 37:83] == 0).all()
    assert found[46, 37:83].any()
    everywhere = ek.detect(kind.image(np.full((20, 30), value)))
    assert (kind.plain(everywhere) == 0).all()


def test_invalid_pixels_do_not_change_distant_edges(kind):
    image = photograph("camera") / 255
    holed = image.copy()
    holed[60:70, 60:70] = math.nan
    clean, found = (kind.plain(ek.detect(kind.image(i))) > SURE for i in (image, holed))
    far = np.ones(image.shape, bool)
    far[44:86, 44:86] = False
    assert agreement(clean & far, found & far) > 0.97


def test_faint_edges_are_stronger_in_a_long_line(kind):
    y, x = np.mgrid[:128, :128]
    height = np.where(y < 64, 30.0, 8)
    # A strong and a weak edge, connected and not connected.
    whole, parted = (
        kind.plain(ek.detect(kind.image(100 + h * (x >= 60)))) for h in (height, height * (np.abs(y - 64) > 3))
    )
    faint = (slice(76, 120), slice(56, 64))
    assert whole[faint].max(1).min() > parted[faint].max(1).max()


def test_input_is_not_changed(kind):
    image = kind.image(photograph("coffee"))
    ek.detect(image)
    np.testing.assert_array_equal(kind.plain(image, channels=True), photograph("coffee"))


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ([[1, 2]], ek.DtypeError, "found list"),
        (None, ek.DtypeError, "found NoneType"),
        (np.zeros(5), ek.ShapeError, r"found \(5,\)"),
        (np.zeros((2, 3, 4, 5)), ek.ShapeError, r"found \(2, 3, 4, 5\)"),
        (np.zeros((0, 5)), ek.ShapeError, r"no pixels: its shape is \(0, 5\)"),
        (np.zeros((5, 5, 0)), ek.ShapeError, "no pixels"),
        (np.zeros((5, 5), complex), ek.DtypeError, "found complex128"),
        (np.ma.masked_array(np.zeros((5, 5))), ek.DtypeError, "masked array"),
        (torch.zeros(5), ek.ShapeError, r"found \(5,\)"),
        (torch.zeros(2, 0, 5, 5), ek.ShapeError, "no pixels"),
        (torch.zeros(5, 5, dtype=torch.complex64), ek.DtypeError, "found torch.complex64"),
    ],
)
def test_invalid_images_are_refused(image, error, message):
    with pytest.raises(error, match=message):
        ek.detect(image)
