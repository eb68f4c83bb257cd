"""White levels on the command line: whole images and windows, both backends, columns of rows."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from command_line import run, shown
from test_large import run_in_windows

import edgekit as ek
from edgekit.batch.jobs.filtering import FilterJob
from edgekit.operators.table import own_operator


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def smooth(dtype, low, high, shape=(96, 131), seed=0):
    """Return blurred noise from about `low` to `high`, with few steps over the whole range as in photographs."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random(shape), (0, 0), 2)
    scaled = (noise - noise.min()) / np.ptp(noise) * (high - low) + low
    return (scaled if np.dtype(dtype).kind == "f" else np.rint(scaled)).astype(dtype)


def percentiles(image):
    ordered = np.sort(np.asarray(image, np.float64)[np.isfinite(image)])
    outside = (ordered.size - 1) // 1000
    return ordered[outside], ordered[-1 - outside]


def filtered(*arguments, do=run):
    """Run the command line with one image, and return its row."""
    done = do(*arguments, "--json", "--force")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("angle", "order"), [(0, (1, 0)), (90, (0, 1))])
@pytest.mark.parametrize("more", [(), ("--backend", "torch"), ("--scale", "raw")], ids=str)
def test_sobel_of_8_bits_equals_cv2_convertscaleabs(angle, order, more):
    gray = smooth("uint8", 0, 255)
    cv2.imwrite("in.png", gray)
    said = filtered("sobel", "in.png", "--angle", angle, "-o", "out.png", *more)
    response = cv2.Sobel(gray, cv2.CV_32F, *order)
    np.testing.assert_array_equal(shown("out.png"), cv2.convertScaleAbs(response))
    assert said["white"] == 255 / 8
    assert said["clipped"] == (np.abs(response) > 255).sum()


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint16", 300, 3900), ("int16", -1000, 1500), ("float32", 0, 1), ("float32", 280, 310), ("float64", -3, 5)],
)
@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
@pytest.mark.parametrize("backend", ["cv2", "torch"])
def test_white_level_of_other_types_uses_percentiles(dtype, low, high, do, backend):
    image = smooth(dtype, low, high)
    if image.dtype.kind == "f":
        image[5, 7], image[9, 100] = np.nan, np.inf
    image[80, 3] = np.iinfo(dtype).max if image.dtype.kind in "iu" else 1e9
    tifffile.imwrite("in.tif", image, tile=(32, 48))
    said = filtered("laplacian", "in.tif", "-o", "out.tif", "--backend", backend, do=do)
    assert said["white"] == np.subtract(*percentiles(image)[::-1]) / 4
    with np.errstate(invalid="ignore"):
        response = np.abs(cv2.Laplacian(image.astype(np.float64), cv2.CV_64F))
    expected = np.clip(np.nan_to_num(response, nan=0, posinf=0) * 255 / said["white"], 0, 255)
    # Responses affected by non-finite pixels are black.
    np.testing.assert_allclose(tifffile.imread("out.tif"), expected, atol=0.51)
    assert np.median(tifffile.imread("out.tif")) > 2


@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
@pytest.mark.parametrize("more", [(), ("--depth", "16"), ("--channel", "each"), ("--overlay",)], ids=str)
@pytest.mark.parametrize("dtype", ["uint16", "float32", "int16"])
def test_white_level_of_colour_images(dtype, more, do):
    red, dark = smooth(dtype, 0, 30000), smooth(dtype, 0, 100, seed=1)
    image = np.stack([red, dark, dark], axis=-1)
    tifffile.imwrite("in.tif", image, photometric="rgb", tile=(32, 48))
    said = filtered("sobel", "in.tif", "-o", "out.tif", *more, do=do)
    seen = image if "each" in more else 0.299 * red.astype(float) + 0.701 * dark
    # Decoders round gray levels to integers.
    assert said["white"] == pytest.approx(np.subtract(*percentiles(seen.reshape(-1))[::-1]) / 8, abs=0.2)


@pytest.mark.parametrize(
    "options",
    [
        ("--display", "full"), ("--display", "signed"), ("--display", "stretch"), ("--white", "9%"), ("--white", "123"),
        ("--tone", "log"), ("--overlay",), ("--overlay", "--display", "stretch"), ("--depth", "16", "--white", "9%"),
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_windows_equal_whole_images(dtype, options):
    image = smooth(dtype, 0, 250)
    tifffile.imwrite("in.tif", image, tile=(32, 48))
    made = []
    for do in (run, run_in_windows):
        said = filtered("kirsch", "in.tif", "-o", "out.tif", *options, do=do)
        made.append((said, tifffile.imread("out.tif")))
    (whole, whole_image), (windows, windows_image) = made
    assert whole == windows
    np.testing.assert_array_equal(whole_image, windows_image)


def test_each_plane_has_its_own_white_level():
    planes = np.stack([smooth("uint16", 0, 4000), smooth("uint16", 0, 400)])
    tifffile.imwrite("in.tif", planes, tile=(32, 48), photometric="minisblack")
    said = filtered("sobel", "in.tif", "-o", "out.tif", "--border", "valid")
    whites = [np.subtract(*percentiles(plane)[::-1]) / 8 for plane in planes]
    assert said["white"] == whites[0]
    for plane, white, made in zip(planes, whites, tifffile.imread("out.tif"), strict=True):
        gx, gy = (cv2.Sobel(plane, cv2.CV_64F, *d)[1:-1, 1:-1] / 8 for d in ((1, 0), (0, 1)))
        np.testing.assert_allclose(made, np.clip(np.hypot(gx, gy) * 255 / white, 0, 255), atol=0.51)


def test_white_level_of_channels_that_are_not_colours():
    image = np.stack([smooth("uint16", 0, top, seed=top) for top in (4000, 300, 20, 900)], axis=-1)
    tifffile.imwrite("in.tif", image, photometric="minisblack", planarconfig="contig", tile=(32, 48))
    said = filtered("sobel", "in.tif", "-o", "out.tif")
    assert said["white"] == np.subtract(*percentiles(image)[::-1]) / 8


@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
def test_white_level_of_tiff_files_with_a_range(do):
    image = smooth("uint16", 0, 900)
    stated = [(280, "H", 1, 0, True), (281, "H", 1, 4095, True)]
    tifffile.imwrite("in.tif", image, tile=(32, 48), extratags=stated)
    assert filtered("sobel", "in.tif", "-o", "out.tif", do=do)["white"] == 4095 / 8
    assert filtered("sobel", "in.tif", "-o", "out.tif", "--white", "50%", do=do)["white"] == 4095 / 4
    # The image below an overlay is shown in the stated range.
    filtered("sobel", "in.tif", "-o", "out.tif", "--overlay", "--white", "1e9", do=do)
    expected = np.rint(image * (255 / 4095))
    np.testing.assert_allclose(tifffile.imread("out.tif")[..., 0], expected, atol=1)


def test_white_level_of_pgm_files():
    image = smooth("uint16", 0, 900)
    Path("in.pgm").write_bytes(b"P5 131 96 4095\n" + image.astype(">u2").tobytes())
    assert filtered("sobel", "in.pgm", "-o", "out.png")["white"] == 4095 / 8


def test_overlays_on_16_bit_images_are_visible():
    image = smooth("uint16", 0, 4095)
    cv2.imwrite("in.png", image)
    filtered("sobel", "in.png", "-o", "out.png", "--overlay")
    assert 60 < np.median(shown("out.png")) < 200


@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
def test_images_without_a_range_are_black(do):
    tifffile.imwrite("in.tif", np.full((80, 90), 3000, np.uint16), tile=(32, 48))
    said = filtered("sobel", "in.tif", "-o", "out.tif", "--border", "constant", do=do)
    assert "white" not in said
    assert said["clipped"] == 0
    assert not tifffile.imread("out.tif").any()
    tifffile.imwrite("in.tif", np.full((80, 90), np.nan, np.float32), tile=(32, 48))
    filtered("sobel", "in.tif", "-o", "out.tif", do=do)
    assert not tifffile.imread("out.tif").any()


def test_white_option():
    gray = smooth("uint8", 0, 255)
    cv2.imwrite("in.png", gray)
    response = cv2.Sobel(gray, cv2.CV_64F, 1, 0) / 8
    # The ideal step of Sobel over 8 bits is 127.5; of the 5x5 kernel 48/128 of 255.
    step_5 = 255 * 48 / 128
    for size, given, white in ((3, "20", 20), (3, "10%", 12.75), (3, "100%", 127.5), (5, "100%", step_5)):
        name = f"in.sobel-size{size}-0-white{given.replace('%', 'percent')}.png"
        said = filtered("sobel", "in.png", "--angle", 0, "--size", size, "--white", given)
        assert (said["output"], said["white"]) == (name, white)
        if size == 3:
            expected = np.rint(np.minimum(np.abs(response) * 255 / white, 255))
            np.testing.assert_array_equal(shown(name), expected)
            assert said["clipped"] == (np.rint(np.abs(response) * 255 / white) > 255).sum()
    raw = filtered("sobel", "in.png", "--angle", 0, "--white", "20", "--scale", "raw", "-o", "raw.png")
    assert raw["white"] == 20
    np.testing.assert_array_equal(shown("raw.png"), shown("in.sobel-size3-0-white20.png"))


@pytest.mark.parametrize("operator", ["sobel", "kirsch", "laplacian", "dog", "gaussian"])
def test_scale_does_not_change_rendered_images(operator):
    cv2.imwrite("in.png", smooth("uint8", 0, 255))
    for scale in ("unit", "raw"):
        filtered(operator, "in.png", "-o", f"{scale}.png", "--scale", scale)
    np.testing.assert_array_equal(shown("unit.png"), shown("raw.png"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--white", "0"), "white=0.0 must be positive and finite"),
        (("--white", "-5%"), "white='-5%' must be positive"),
        (("--white", "inf"), "white=inf must be positive"),
        (("--white", "bright"), "'bright' is neither a number nor a percentage"),
        (("--white", "9", "--display", "stretch"), "display stretch shows the largest response white"),
        (("--white", "9", "--depth", "float"), "white has no effect"),
    ],
)
def test_invalid_white_options_are_refused(options, said):
    cv2.imwrite("in.png", smooth("uint8", 0, 255))
    done = run("sobel", "in.png", *options)
    assert done.exit_code == 2
    assert said in done.stderr


def test_rows_have_white_and_clipped_columns():
    Path("in").mkdir()
    cv2.imwrite("in/a.png", smooth("uint8", 0, 255))
    cv2.imwrite("in/b.png", smooth("uint16", 0, 4095))
    run("sobel", "in", "-o", "out", "--rows", "rows.csv")
    with Path("rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    deep = np.subtract(*percentiles(cv2.imread("in/b.png", -1).reshape(-1))[::-1]) / 8
    assert [float(row["white"]) for row in rows] == [255 / 8, deep]
    assert all(int(row["clipped"]) > 0 for row in rows)
    # Edges, and responses stored as floats, have no white level.
    assert "white" not in filtered("canny", "in/a.png")
    assert "white" not in filtered("sobel", "in/a.png", "--depth", "float")
    largest = np.abs(ek.sobel(cv2.imread("in/a.png", 0))).max()
    assert filtered("sobel", "in/a.png", "--display", "stretch")["white"] == largest


def test_white_level_of_user_kernels():
    Path("k.json").write_text("[[1, 0, -1], [2, 0, -2], [1, 0, -1]]")
    cv2.imwrite("in.png", smooth("uint8", 0, 255))
    assert filtered("filter", "in.png", "--kernel", "k.json")["white"] == 255 * 4 / 4


def test_white_as_text_needs_a_percent_sign():
    with pytest.raises(ek.ParameterError, match="white='50' must be positive and finite: levels per pixel, or a perc"):
        FilterJob("sobel", white="50").check()


@pytest.mark.parametrize(
    "coefficients", [[[1]], [[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.full((3, 3), 1 / 9).tolist()]
)
def test_white_level_of_smoothing_and_sharpening_kernels(coefficients):
    """With a quarter of the range, most of a photograph would be white."""
    image = ek.read_image(Path(__file__).parents[1] / "samples" / "coffee.png", colour=False)
    assert ek.white_level(image, own_operator(coefficients)) == pytest.approx(
        255 * max(1, np.max(np.cumsum(np.sum(coefficients, axis=0)))), rel=0.5
    )
    assert ek.picture(image, own_operator(coefficients)).clipped < image.size / 100


def test_rounding_of_float64_does_not_depend_on_nan():
    """Single and double precision would differ by one level for values near a tie."""
    values = np.linspace(0, 31.875, 4097)[None]
    beside = np.append(values, [[np.nan]], axis=1)
    np.testing.assert_array_equal(ek.to_display(values).image, ek.to_display(beside).image[:, :-1])
