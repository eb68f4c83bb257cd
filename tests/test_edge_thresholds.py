"""Units of the thresholds of Canny, and messages where no edge is found."""

import csv
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import run, shown
from edge_oracle import share_near, soft
from oracle import correlate, gaussian, gaussian_derivative, radius

import edgekit as ek
from edgekit.edges.edge_thresholds import SAMPLE, quantile

SAMPLES = Path(__file__).parents[1] / "samples"


def magnitude(image, sigma=1.4):
    """Return the magnitude of a Gaussian gradient in gray levels per pixel."""
    smooth, slope = gaussian(sigma, radius(sigma)), gaussian_derivative(sigma)
    reads = (slope * np.arange(-radius(sigma), radius(sigma) + 1)).sum()
    return np.hypot(*(correlate(image, np.outer(*pair)) for pair in ((smooth, slope), (slope, smooth)))) / reads


@pytest.mark.parametrize("fraction", [0, 1e-5, 0.2, 0.5, 0.92, 0.9999, 1])
@pytest.mark.parametrize("kind", ["different", "equal", "sorted", "some zeros", "few levels", "unlike its sample"])
def test_quantile_of_many_values(fraction, kind):
    """Most of the values are not ordered, by the help of a sample."""
    values = np.random.default_rng(0).normal(size=(300, 401)).astype(np.float32)
    if kind == "equal":
        values[:] = 3
    elif kind == "sorted":
        values = np.sort(values, axis=None)
    elif kind == "some zeros":
        values[values < 0.5] = 0
    elif kind == "few levels":
        values = np.round(2 * values)
    elif kind == "unlike its sample":
        values.ravel()[:: values.size // SAMPLE] = 9
    expected = np.quantile(values.astype(np.float64), fraction)
    assert quantile(values, fraction) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("fraction", [0, 0.2, 0.5, 0.92, 1])
def test_quantile_equals_numpy(fraction):
    values = np.random.default_rng(0).normal(size=(37, 41))
    values[3, 4], values[5] = np.nan, np.inf
    expected = np.quantile(values[np.isfinite(values)], fraction)
    assert quantile(values, fraction) == pytest.approx(expected, rel=1e-12)
    assert quantile(values[5], fraction) == 0


def luminance(path):
    return ek.read_image(path) @ np.array([0.299, 0.587, 0.114])


@pytest.mark.parametrize("sigma", [0, 0.8, 1.4, 3])
def test_raw_thresholds_are_eight_times_as_large(sigma, kind):
    image = kind.image(soft())
    for low, high in ((50, 150), (8, 30.5), (None, 100), (20, None)):
        eighth = {n: v / 8 for n, v in (("low", low), ("high", high)) if v is not None}
        found = kind.plain(ek.canny(image, sigma=sigma, low=low, high=high, scale="raw"))
        np.testing.assert_array_equal(found, kind.plain(ek.canny(image, sigma=sigma, **eighth)))


@pytest.mark.parametrize("height", [40.0, -180.0])
@pytest.mark.parametrize("sigma", [0, 1.0, 1.4, 2.5])
def test_raw_threshold_of_a_step_is_its_magnitude(sigma, height, kind):
    step = np.tile(np.where(np.arange(40) < 20, 190.0, 190 + height), (33, 1))
    # At sigma 0 the response of cv2.Sobel: (1 + 2 + 1) times the height of the step.
    largest = 8 * magnitude(step, sigma).max() if sigma else 4 * abs(height)
    for factor, pixels in ((1.001, 0), (0.999, 33)):
        found = ek.canny(kind.image(step), sigma=sigma, low=0, high=factor * largest, scale="raw")
        assert kind.plain(found).sum() == pixels


@pytest.mark.parametrize("name", ["camera", "chelsea", "coffee"])
def test_edges_at_50_and_150_agree_with_opencv(name):
    image = ek.read_image(SAMPLES / f"{name}.png")
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sigma = 1.4
    blurred = cv2.GaussianBlur(gray, (0, 0), sigma)
    # OpenCV's Sobel operator smooths by a variance of 1/2 along the edge and 1/3 across it. Each result is compared
    # with one of lower thresholds, because the two still differ near the thresholds.
    same = math.sqrt(sigma**2 + 5 / 12)
    found, more = (ek.canny(gray, sigma=same, low=50 * k, high=150 * k, scale="raw") for k in (1, 0.8))
    theirs, more_of_theirs = (cv2.Canny(blurred, 50 * k, 150 * k, L2gradient=True) > 0 for k in (1, 0.8))
    assert found.mean() > 0.01
    # Measured: at least 0.940.
    assert share_near(found, more_of_theirs) >= 0.93
    assert share_near(theirs, more) >= 0.93


@pytest.mark.parametrize("options", [{}, {"low": "70%"}, {"high": "95%"}, {"low": "60%", "high": "90%"}])
def test_automatic_thresholds_do_not_depend_on_scale(options, kind):
    for sigma in (0, 1.4):
        found, expected = (
            kind.plain(ek.canny(kind.image(soft()), sigma=sigma, scale=s, **options)) for s in ("raw", "unit")
        )
        assert expected.any()
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sigma", [0, 1.4])
def test_unknown_scale_is_refused(sigma):
    with pytest.raises(ek.ParameterError, match="scale='books' is not known; choose one of unit, raw"):
        ek.canny(soft(), sigma=sigma, scale="books")


@pytest.mark.usefixtures("at_home")
class TestNothingFound:
    """The command line writes a black image and prints the reason."""

    def reason(self, *arguments):
        """Return the reason on standard error, which equals the reason in the row."""
        result = run(*arguments, "--force", "--rows", "rows.csv")
        assert result.exit_code == 0, result.output
        output = result.stdout.strip()
        assert not shown(output).any()
        (row,) = csv.DictReader(Path("rows.csv").read_text(encoding="utf-8").splitlines())
        assert row["status"] == "done"
        assert result.stderr == f"edgekit: {arguments[1]}: {row['reason']}\n"
        assert json.loads(run(*arguments, "--force", "--json").stdout)["reason"] == row["reason"]
        assert run(*arguments, "--force", "-q").stderr == ""
        return row["reason"]

    @pytest.mark.parametrize("backend", ["cv2", "torch"])
    def test_thresholds_of_opencv(self, backend):
        largest = magnitude(luminance("photo.png")).max()
        assert 20 < largest < 150
        line = ("canny", "photo.png", "--low", "50", "--high", "150", "--backend", backend)
        assert self.reason(*line) == (
            f"no pixel reaches high=150 gray levels per pixel; the largest gradient is {largest:.3g} "
            "(OpenCV's thresholds are 8 times as large: --scale raw)"
        )
        result = run(*line, "--scale", "raw")
        assert (result.stdout, result.stderr) == ("photo.canny-low50-high150-raw.png\n", "")
        assert shown("photo.canny-low50-high150-raw.png").any()

    def test_raw_thresholds(self):
        largest = float(f"{8 * magnitude(luminance('photo.png')).max():.3g}")
        assert self.reason("canny", "photo.png", "--low", "2000", "--scale", "raw") == (
            f"no pixel reaches high=5000 in units of OpenCV's 3x3 Sobel operator; the largest gradient is {largest:g}"
        )

    def test_high_of_100_percent(self):
        largest = magnitude(luminance("photo.png")).max()
        said = self.reason("canny", "photo.png", "--high", "100%")
        assert said.startswith("no local maximum of the gradient is above high=")
        assert said.endswith(f" gray levels per pixel; the largest gradient is {largest:.3g}")

    @pytest.mark.parametrize("thresholds", [(), ("--high", "3")])
    def test_constant_image(self, thresholds):
        ek.write_image("flat.png", np.full((20, 30), 77, np.uint8))
        said = "every gradient is 0: the image has the same level everywhere"
        assert self.reason("canny", "flat.png", *thresholds) == said

    def test_image_without_finite_pixels(self):
        ek.write_image("nan.tif", np.full((20, 30), np.nan, np.float32))
        assert self.reason("canny", "nan.tif").startswith("no gradient is finite: every pixel is NaN or infinite")
        assert self.reason("threshold", "nan.tif") == "no pixel is finite"

    def test_threshold(self):
        levels = luminance("photo.png")
        found = f"the gray levels of the image are {levels.min():g} to {levels.max():g}"
        assert self.reason("threshold", "photo.png", "--method", "300") == (f"no pixel is above method=300; {found}")
        assert self.reason("threshold", "photo.png", "--method", "-1", "--outline") == (
            "every pixel is brighter than the threshold, so there is no outline"
        )
        ek.write_image("flat.png", np.full((20, 30), 77, np.uint8))
        for outlined in ((), ("--outline",)):
            assert self.reason("threshold", "flat.png", "--method", "li", *outlined) == (
                "no pixel is above the threshold found by li; the gray levels of the image are 77 to 77"
            )

    def test_detect(self):
        largest = ek.detect(ek.read_image("photo.png")).max()
        assert 0.4 < largest < 1
        assert self.reason("detect", "photo.png", "--above", "1") == (
            f"no pixel has a probability above 1; the largest is {largest:.3g}"
        )
        ek.write_image("flat.png", np.full((40, 40), 77, np.uint8))
        assert self.reason("detect", "flat.png") == "no pixel has a probability above 0; the largest is 0"

    def test_overlay_is_the_unchanged_image(self):
        result = run("canny", "photo.png", "--high", "150", "--overlay", "-o", "over.png")
        assert "no pixel reaches high=150" in result.stderr
        np.testing.assert_array_equal(ek.read_image("over.png"), ek.read_image("photo.png"))

    def test_standard_streams(self):
        result = run("canny", "-", "--high", "150", input=Path("photo.png").read_bytes())
        assert cv2.imdecode(np.frombuffer(result.stdout_bytes, np.uint8), cv2.IMREAD_UNCHANGED).max() == 0
        assert "no pixel reaches high=150" in result.stderr
