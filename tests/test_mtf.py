"""Slanted-edge MTF: accuracy on edges and charts with known MTF, and status of edges that cannot be measured."""

import csv
import importlib
import io
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from command_line import run
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import edgekit as ek
from edgekit.io.transfer_curves import transfer_curve
from edgekit.metrology.hermite import hermite, hermite_integrals, hermite_transforms

ROOT = Path(__file__).parents[1]
CHART = ROOT / "samples" / "slanted-edges.png"


@pytest.fixture(scope="module")
def scripts():
    """Return a function that imports modules of scripts/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module


@pytest.fixture(scope="module")
def analytic(scripts):
    return scripts("common.analytic_edges")


@pytest.fixture(scope="module")
def chart(scripts):
    return scripts("common.slanted_chart")


def edge(analytic, angle=5.0, offset=0.2, blur=0.7, shape=(100, 64), noise=0.0, seed=0):
    """Return an edge of 100 gray levels on 50."""
    image = 50 + 100 * analytic.half_plane(shape, angle, offset, blur)
    return image + 100 * noise * np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize(("noise", "most"), [(0.0, 0.001), (0.005, 0.012), (0.02, 0.035)])
def test_mtf50_of_gaussian_edges(analytic, noise, most):
    rng = np.random.default_rng(201)
    errors, stated = [], []
    for number in range(24):
        blur, tilt, turn = rng.uniform(0.35, 2), rng.uniform(3, 13) * rng.choice([-1, 1]), rng.choice([0, 90, 180, 270])
        shape = (100, 64) if turn % 180 == 0 else (64, 100)
        found = ek.mtf(edge(analytic, tilt + turn, rng.uniform(-1, 1), blur, shape, noise, number))
        assert found.status == "ok"
        true = analytic.true_frequency(0.5, tilt + turn, blur)
        errors.append(found.mtf50 / true - 1)
        stated.append(found.mtf50_error / true)
        assert found.angle == pytest.approx(abs(tilt), abs=0.02 + 5 * noise)
        assert abs((found.direction - tilt - turn + 180) % 360 - 180) < 0.02 + 5 * noise
    assert np.quantile(np.abs(errors), 0.95) <= most
    if noise:
        assert 0.6 < math.sqrt(np.mean(np.square(stated)) / np.mean(np.square(errors))) < 1.7


def test_attributes_of_mtf_results(analytic):
    found = ek.mtf(edge(analytic, 7, 0.3, 0.8, noise=0.001))
    np.testing.assert_allclose(found.mtf, analytic.true_mtf(found.frequency, 7, 0.8), atol=0.004)
    assert found.mtf_error.max() < 0.004
    assert found.mtf10 == pytest.approx(analytic.true_frequency(0.1, 7, 0.8), rel=0.01)
    assert found.mtf50p == pytest.approx(found.mtf50)
    assert found.nyquist == pytest.approx(float(analytic.true_mtf(np.array(0.5), 7, 0.8)), abs=0.004)
    # A Gaussian with the variance of blur and pixel rises from 10 to 90 % in 2.563 standard deviations.
    assert found.rise == pytest.approx(2.563 * math.sqrt(0.8**2 + 1 / 12), rel=0.01)
    assert (found.dark, found.bright) == pytest.approx((50, 150), abs=0.2)
    assert found.noise == pytest.approx(0.1, rel=0.1)
    assert found.contrast == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(np.gradient(found.esf, found.position), found.lsf, atol=0.01)
    assert (found.esf[0], found.esf[-1]) == pytest.approx((0, 1), abs=0.01)
    assert repr(found).startswith("<Mtf mtf50=0.2")


@pytest.mark.parametrize("angle", [187, 277])
def test_edge_spread_function_starts_on_the_dark_side(analytic, angle):
    found = ek.mtf(edge(analytic, angle, shape=(90, 90)))
    assert found.esf[0] < 0.01 < 0.99 < found.esf[-1]
    assert found.direction == pytest.approx(angle, abs=0.05)


@pytest.mark.parametrize("name", ["defocus, a disc of radius 3", "motion by 3 pixels", "flare: 15 % with σ = 5",
                                  "asymmetric, as of coma", "sharpened, radius 3"])  # fmt: skip
def test_mtf50_of_other_line_spread_functions(scripts, name):
    shapes = scripts("evaluation.mtf_accuracy")
    image, true = shapes.shaped_edge(shapes.SHAPES[name], 6.3, 0.4)
    assert ek.mtf(image).mtf50 == pytest.approx(true, rel=0.005)
    noisy = image + 0.5 * np.random.default_rng(1).standard_normal(image.shape)
    assert ek.mtf(noisy).mtf50 == pytest.approx(true, rel=0.02)


def test_sharpening_gives_a_warning_and_mtf50p(analytic):
    image = edge(analytic)
    sharpened = image + 1.5 * (image - cv2.GaussianBlur(image, (0, 0), 1.5))
    found = ek.mtf(sharpened)
    assert any("sharpened" in warning for warning in found.warnings)
    assert found.mtf50p < found.mtf50


def unmeasurable(analytic):
    noise = np.random.default_rng(0).standard_normal((80, 80))
    full = [analytic.half_plane((80, 80), 5, offset, 0.7) for offset in (-14, -4, 0, 4, 14)]
    corner = full[2] * analytic.half_plane((80, 80), 95, -5, 0.7)
    return {
        "flat": (np.full((80, 80), 50.0), "no edge"),
        "noise": (50 + noise, "no edge"),
        "wide bar": (100 * (full[0] - full[4]) + noise, "two edges"),
        "narrow bar": (100 * (full[1] - full[3]) + noise, "two edges"),
        "stairs": (100 * (full[0] + full[4]) + noise, "two edges"),
        "corner": (100 * corner + noise, "two edges"),
        "clipped": (np.clip(20 + 300 * full[2] + noise, 0, 255).astype(np.uint8), "clipped"),
        "crushed": (np.clip(200 * full[2] - 40 + noise, 0, 255).astype(np.uint8), "clipped"),
        "few rows": (100 * analytic.half_plane((14, 80), 5, 0, 0.7), "too short"),
        "at the side": (100 * analytic.half_plane((80, 80), 8, -38, 0.7), "too short"),
        "diagonal": (100 * analytic.half_plane((80, 80), 45, 0, 0.7), "too steep"),
        "upright": (100 * analytic.half_plane((80, 80), 0, 0, 0.7), "not slanted"),
        "level": (100 * analytic.half_plane((80, 80), 90, 0.3, 0.7), "not slanted"),
        "noisy": (100 * full[2] + 45 * noise, "too noisy"),
        "hidden": (100 * full[2] + 90 * noise, "no edge"),
    }


def test_status_of_edges_that_cannot_be_measured(analytic):
    found = {name: ek.mtf(image) for name, (image, _) in unmeasurable(analytic).items()}
    assert {name: one.status for name, one in found.items()} == {
        n: word for n, (_, word) in unmeasurable(analytic).items()
    }
    for one in found.values():
        assert len(one.reason) > 30
        assert math.isnan(one.mtf50)
        assert math.isnan(one.rise)
        assert not one.mtf.size
        assert repr(one).startswith(f"<Mtf {one.status}")


def test_warnings_about_contrast_noise_and_clipping(analytic):
    dim = ek.mtf(50 + 0.1 * edge(analytic, noise=0.002))
    assert any("low contrast" in warning for warning in dim.warnings)
    noisy = ek.mtf(edge(analytic, noise=0.08))
    assert any("noisy" in warning for warning in noisy.warnings)
    some = 1.9 * edge(analytic, noise=0.04) - 50
    assert any("end of the range" in warning for warning in ek.mtf(some.clip(0, 255).astype(np.uint8)).warnings)
    assert ek.mtf(edge(analytic)).warnings == ()


def test_mtf50_with_uneven_light_and_missing_pixels(analytic):
    image, true = edge(analytic), analytic.true_frequency(0.5, 5, 0.7)
    y, x = np.mgrid[:100, :64] / 100
    assert ek.mtf(image * (0.6 + 0.3 * x + 0.2 * y)).mtf50 == pytest.approx(true, rel=0.01)
    for part in (slice(40, 44), slice(20, 40)), (slice(0, 100), slice(50, 64)), (slice(80, 100), slice(40, 64)):
        missing = image.copy()
        missing[part] = np.nan
        assert ek.mtf(missing).mtf50 == pytest.approx(true, rel=0.004)


@pytest.mark.parametrize("photons", [50, 400])
def test_mtf50_with_shot_noise(analytic, photons):
    level = 0.05 + 0.95 * analytic.half_plane((100, 64), 5, 0.5, 0.7)
    found = ek.mtf(np.random.default_rng(1).poisson(photons * level).astype(float))
    assert found.status == "ok"
    assert found.mtf50 == pytest.approx(analytic.true_frequency(0.5, 5, 0.7), abs=4 * found.mtf50_error)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_mtf50_of_all_types_and_tensors(analytic, dtype):
    image = edge(analytic, noise=0.005) * (200 if dtype == "uint16" else 1)
    image = np.rint(image).astype(dtype) if dtype[0] == "u" else image.astype(dtype)
    true = analytic.true_frequency(0.5, 5, 0.7)
    assert ek.mtf(image).mtf50 == pytest.approx(true, rel=0.01)
    assert ek.mtf(torch.tensor(image.astype(float))).mtf50 == pytest.approx(ek.mtf(image).mtf50, rel=1e-6)


def test_gamma_is_undone_and_luminance_is_linear(analytic, chart):
    light = (edge(analytic) - 20) / 200
    true = ek.mtf(light).mtf50
    assert ek.mtf(light ** (1 / 2.2), gamma=2.2).mtf50 == pytest.approx(true, rel=1e-3)
    assert ek.mtf(chart.to_srgb(light), gamma="srgb").mtf50 == pytest.approx(true, rel=1e-3)
    values = np.linspace(0, 1, 4096)
    assert ek.mtf(light ** (1 / 2.2), gamma=values**2.2).mtf50 == pytest.approx(true, rel=1e-3)
    assert abs(ek.mtf(light ** (1 / 2.2)).mtf50 / true - 1) > 0.01
    colours = np.stack([light, light * 0.5, light * 0.2], axis=2)
    assert ek.mtf(chart.to_srgb(colours), gamma="srgb").mtf50 == pytest.approx(true, rel=1e-3)
    blue = ek.mtf(chart.to_srgb(colours), gamma="srgb", channel="blue")
    assert blue.bright == pytest.approx(0.2 * 0.65, rel=0.01)
    with pytest.raises(ek.ShapeError, match="needs an image with red, green and blue"):
        ek.mtf(light, channel="red")


def test_roi_parameter(analytic):
    image = np.hstack([edge(analytic), edge(analytic, blur=1.4)])
    one, other = ek.mtf(image, [(0, 0, 64, 100), (64, 0, 64, 100)])
    assert one.mtf50 == pytest.approx(analytic.true_frequency(0.5, 5, 0.7), rel=1e-3)
    assert other.mtf50 == pytest.approx(analytic.true_frequency(0.5, 5, 1.4), rel=1e-3)
    assert other.region == (64, 0, 64, 100)
    assert ek.mtf(image, (0, 0, 64, 100)).mtf50 == one.mtf50
    assert ek.mtf(image, []) == []
    for roi in ((0, 0, 300, 9), (1, 2), "all", [(0, 0, 64, 100), (0, 0, 0, 9)]):
        with pytest.raises(ek.ParameterError, match="must be x, y, width, height"):
            ek.mtf(image, roi)


@pytest.mark.parametrize("distortion", [0.0, 0.03])
def test_mtf50_of_all_edges_of_a_chart(chart, distortion):
    light, squares = chart.slanted_chart(3, 2, distortion=distortion)
    light = light + 0.004 * np.random.default_rng(0).standard_normal(light.shape)
    regions = ek.find_edges(light)
    assert len(regions) == 24
    found = ek.mtf(light, regions)
    errors = [
        one.mtf50 / chart.true_mtf50(squares, one.region, one.direction, light.shape, distortion) - 1 for one in found
    ]
    assert {one.status for one in found} == {"ok"}
    assert np.abs(errors).max() < 0.012


def test_mtf50_of_files_with_gamma_and_jpeg(scripts, chart):
    light, squares = chart.slanted_chart(2, 2)

    def error(image, gamma=None):
        found = ek.mtf(image, ek.find_edges(image), gamma=gamma)
        true = [chart.true_mtf50(squares, one.region, one.direction, light.shape, 0.0) for one in found]
        assert len(found) == 16
        return float(np.mean([one.mtf50 for one in found]) / np.mean(true) - 1)

    srgb = np.rint(255 * chart.to_srgb(light)).astype(np.uint8)
    assert abs(error(np.rint(65535 * light).astype(np.uint16))) < 0.001
    assert abs(error(srgb, "srgb")) < 0.02
    assert -0.15 < error(srgb) < -0.03
    data = cv2.imencode(".jpg", srgb, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    assert abs(error(ek.read_image(data, colour=False), "srgb")) < 0.03


def test_find_edges_returns_isolated_slanted_edges(analytic):
    assert ek.find_edges(np.zeros((90, 90))) == []
    upright = 100 * analytic.half_plane((120, 120), 0, 0, 0.7)
    assert ek.find_edges(upright) == []
    (region,) = ek.find_edges(edge(analytic, shape=(120, 120)))
    assert region.height > 80
    close = edge(analytic, 5, -3, shape=(120, 120)) - edge(analytic, 5, 3, shape=(120, 120))
    assert ek.find_edges(close) == []
    with pytest.raises(ek.ParameterError, match="min_length"):
        ek.find_edges(upright, min_length=3)


def test_hermite_functions():
    t = np.linspace(-12, 12, 24001)
    functions, integrals = hermite(t, 9), hermite_integrals(t, 9)
    np.testing.assert_allclose(functions @ functions.T * 0.001, np.eye(9), atol=1e-9)
    np.testing.assert_allclose(np.gradient(integrals, 0.001, axis=1), functions, atol=1e-5)
    frequency = np.array([0.0, 0.1, 0.37])
    waves = np.exp(-2j * np.pi * frequency[:, None] * t)
    np.testing.assert_allclose(hermite_transforms(frequency, 9), functions @ waves.T * 0.001, atol=1e-9)


def as_file(kind, **options):
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file, kind, **options)
    return file.getvalue()


def test_transfer_curves_of_files():
    values = np.linspace(0, 1, 8192)
    srgb = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    assert transfer_curve(as_file("PNG")) == (None, "")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("PNG", "JPEG", "TIFF"):
        curve, source = transfer_curve(as_file(kind, icc_profile=profile))
        assert source == "ICC profile"
        np.testing.assert_allclose(curve, srgb, atol=2e-4)
    states = PngInfo()
    states.add(b"sRGB", b"\0")
    assert transfer_curve(as_file("PNG", pnginfo=states)) == ("srgb", "PNG chunk sRGB")
    states = PngInfo()
    states.add(b"gAMA", (45455).to_bytes(4, "big"))
    assert transfer_curve(as_file("PNG", pnginfo=states)).gamma == pytest.approx(2.2, rel=1e-4)
    for space, gamma in ((1, "srgb"), (2, 563 / 256)):
        exif = Image.Exif()
        exif[0x8769] = {0xA001: space}
        assert transfer_curve(as_file("JPEG", exif=exif)).gamma == gamma
    assert transfer_curve(b"no image") == (None, "")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (b"curv\0\0\0\0" + (0).to_bytes(4, "big"), lambda x: x),
        (b"curv\0\0\0\0" + (1).to_bytes(4, "big") + (512).to_bytes(2, "big"), lambda x: x**2),
        (b"para\0\0\0\0\0\0\0\0" + (3 << 16).to_bytes(4, "big"), lambda x: x**3),
        (b"para\0\0\0\0\0\1\0\0" + b"".join(n.to_bytes(4, "big", signed=True) for n in (2 << 16, 1 << 16, -(1 << 15))),
         lambda x: np.where(x >= 0.5, (x - 0.5) ** 2, 0)),
        (b"none", None),
        # Damaged: division by 0, decreasing curve, exponent 0.
        (b"para\0\0\0\0\0\1\0\0" + b"".join(n.to_bytes(4, "big", signed=True) for n in (2 << 16, 0, 1 << 15)), None),
        (b"para\0\0\0\0\0\0\0\0" + (-(2 << 16)).to_bytes(4, "big", signed=True), None),
        (b"curv\0\0\0\0" + (1).to_bytes(4, "big") + (0).to_bytes(2, "big"), None),
    ],
)  # fmt: skip
def test_curves_of_icc_profiles(tag, expected):
    profile = (
        bytes(128) + (1).to_bytes(4, "big") + b"kTRC" + (144).to_bytes(4, "big") + len(tag).to_bytes(4, "big") + tag
    )
    curve, source = transfer_curve(as_file("PNG", icc_profile=profile))
    if expected is None:
        assert (curve, source) == (None, "")
    else:
        np.testing.assert_allclose(curve, expected(np.linspace(0, 1, 8192)), atol=1e-4)


def test_mtf_command(tmp_path):
    ran = run("mtf", CHART, "-o", tmp_path / "mtf.csv", "--plot", tmp_path / "mtf.png", "--pitch", "4")
    assert ran.exit_code == 0, ran.output
    assert "PNG chunk sRGB" in ran.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "mtf.csv").read_text())))
    assert len(rows) == 48
    assert {row["status"] for row in rows} == {"ok"}
    for row in rows:
        assert float(row["mtf50_per_mm"]) == pytest.approx(float(row["mtf50"]) * 250, rel=1e-4)
    # The blur is 0.45 pixels in the middle and 1.1 in the corners, see samples/README.md.
    assert max(float(row["mtf50"]) for row in rows) > 0.32
    assert min(float(row["mtf50"]) for row in rows) < 0.24
    assert cv2.imread(str(tmp_path / "mtf.png")).shape[1] > 1000
    ran = run("mtf", CHART, "--roi", "219,0,81,73", "--roi", "145,145,50,50", "--json", "-q")
    one, other = map(json.loads, ran.stdout.splitlines())
    assert (one["status"], other["status"], other["mtf50"]) == ("ok", "no edge", None)
    assert len(one["frequency"]) == len(one["mtf"]) == 101
    assert ran.stderr == ""
    table = run("mtf", CHART, "--roi", "219,0,81,73", "--roi", "145,145,50,50", "--gamma", "linear")
    assert "no edge: the region has no edge" in table.stdout
    assert "--gamma linear" in table.stderr


def test_plot_has_panels_for_each_channel(tmp_path):
    colours = np.repeat(cv2.imread(str(CHART), cv2.IMREAD_GRAYSCALE)[:, :, None], 3, axis=2)
    ek.write_image(tmp_path / "chart.png", colours)
    region = ("--roi", "219,0,81,73", "--gamma", "srgb", "--plot", tmp_path / "plot.png", "--force")
    heights = []
    for channel in ("green", "all"):
        assert run("mtf", tmp_path / "chart.png", "--channel", channel, *region).exit_code == 0
        heights.append(cv2.imread(str(tmp_path / "plot.png")).shape[0])
    assert heights[1] == 4 * heights[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_mtf_of_very_small_and_large_levels(analytic, scale):
    image = edge(analytic)
    one, scaled = ek.mtf(image), ek.mtf(image * scale)
    assert (scaled.mtf50, scaled.mtf50_error) == pytest.approx((one.mtf50, one.mtf50_error), rel=1e-6)
    expected = (one.dark * scale, one.bright * scale, one.noise * scale)
    assert (scaled.dark, scaled.bright, scaled.noise) == pytest.approx(expected, rel=1e-6)


def test_files_with_several_images(tmp_path, analytic):
    pages = np.stack([np.rint(edge(analytic)), np.rint(edge(analytic)[::-1])]).astype(np.uint8)
    tifffile.imwrite(tmp_path / "two.tif", pages, photometric="minisblack")
    for command in ("mtf", "contours"):
        assert "image 1 of 2 is measured; choose another one with --page" in run(command, tmp_path / "two.tif").stderr
    assert "image 1 of 2" not in run("contours", tmp_path / "two.tif", "--page", "2").stderr


def test_mtf_command_errors_and_channel_all(tmp_path, analytic):
    ek.write_image(tmp_path / "flat.png", np.full((60, 60), 90, np.uint8))
    ran = run("mtf", tmp_path / "flat.png")
    assert ran.exit_code == 1
    assert "no slanted edge was found; choose a region with --roi" in ran.stderr
    assert run("mtf", tmp_path / "missing.png").exit_code == 1
    colours = np.repeat(np.rint(edge(analytic)).astype(np.uint8)[:, :, None], 3, axis=2)
    ek.write_image(tmp_path / "edge.png", colours)
    ran = run("mtf", tmp_path / "edge.png", "--roi", "0,0,64,100", "--channel", "all", "--json")
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [record["channel"] for record in records] == ["luminance", "red", "green", "blue"]
    assert "does not state its curve" in ran.stderr
    assert run("mtf", tmp_path / "edge.png", "--plot", tmp_path / "plot.txt").exit_code == 2
    assert run("mtf", tmp_path / "edge.png", "-o", tmp_path / "table.xls").exit_code == 2
