"""Learned kernels: recovered coefficients, standard errors, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run
from oracle import ROWS, correlate, picture
from sampling import on_full

import edgekit as ek

SAMPLES = Path(__file__).parents[1] / "samples"
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8


@pytest.fixture(scope="module")
def photograph():
    return ek.read_image(SAMPLES / "camera.png")[150:278, 150:290]


def test_fit_of_sobel(photograph):
    fit = ek.fit_kernel(photograph, ek.sobel(photograph, angle=0))
    np.testing.assert_allclose(fit.kernel, SOBEL, atol=1e-4)
    assert fit.status == "converged"
    assert fit.explained > 1 - 1e-9
    assert fit.determined.all()
    assert fit.errors.max() < 1e-4
    assert fit.history[-1] < 1e-9 * fit.history[0]
    assert fit.pixels == photograph.size


FIVE, *LARGER = (row for row in ROWS if row.id in ("sobel-size5", "sobel-size7", "farid-size5"))


@pytest.mark.parametrize("row", [FIVE, *on_full(*LARGER)], ids=lambda r: r.id)
def test_fit_of_kernels_of_5x5_and_7x7(photograph, row):
    taps = row.along / np.abs(row.along).sum()
    fit = ek.fit_kernel(photograph, correlate(photograph, taps, "wrap"), size=taps.shape[0], border="wrap")
    np.testing.assert_allclose(fit.kernel, taps, atol=1e-4)


def test_fit_of_a_kernel_of_one_row():
    image = picture("float64", (30, 31))
    taps = np.array([[0.5, -1.0, 2.0, 0.0, 3.0]])
    np.testing.assert_allclose(ek.fit_kernel(image, correlate(image, taps), size=(1, 5)).kernel, taps, atol=1e-4)


@pytest.mark.full
def test_standard_errors_equal_those_of_repeated_trials():
    """Independent noise in the target, many times: the coefficients scatter as the errors state."""
    image, rng = picture("float64", (24, 25)), np.random.default_rng(1)
    clean = correlate(image, SOBEL)
    fits = [ek.fit_kernel(image, clean + rng.normal(0, 0.3, clean.shape)) for _ in range(60)]
    scatter = np.std([f.kernel for f in fits], axis=0)
    ratio = np.mean([f.errors for f in fits], axis=0) / scatter
    # The standard deviation of 60 trials has an error of 9 %.
    assert 0.7 < ratio.min() < ratio.max() < 1.4
    assert np.abs(np.mean([f.kernel for f in fits], axis=0) - SOBEL).max() < 4 * scatter.max() / np.sqrt(60)


def test_fit_of_noise_explains_nothing():
    rng = np.random.default_rng(2)
    fit = ek.fit_kernel(rng.normal(size=(60, 60)), rng.normal(size=(60, 60)))
    assert fit.explained < 0.02
    # With white noise of variance 1, the standard error of a coefficient is 1/√n.
    np.testing.assert_allclose(fit.errors, 1 / 60, rtol=0.15)
    assert (np.abs(fit.kernel) < 4 * fit.errors).all()


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_errors_after_few_steps_include_the_remaining_error(photograph, steps):
    fit = ek.fit_kernel(photograph, ek.sobel(photograph, angle=0), steps=steps)
    distance = np.abs(fit.kernel - SOBEL)
    assert distance.max() > 1e-3
    assert (fit.errors >= (1 - 1e-3) * distance).all()


def test_undetermined_coefficients():
    stripes = np.tile(np.random.default_rng(3).normal(size=40), (30, 1))
    fit = ek.fit_kernel(stripes, correlate(stripes, SOBEL))
    assert not fit.determined.any()
    assert fit.condition == np.inf
    # The smallest of all equivalent kernels: the sum of each column is determined, and divided equally.
    np.testing.assert_allclose(fit.kernel, np.tile(SOBEL.sum(0) / 3, (3, 1)), atol=1e-4)
    row = ek.fit_kernel(stripes, correlate(stripes, SOBEL), size=(1, 3))
    assert row.determined.all()
    np.testing.assert_allclose(row.kernel[0], SOBEL.sum(0), atol=1e-4)


def test_pairs_of_different_sizes_and_kinds():
    images = [picture("uint8", (20, 21)), picture("float32", (1, 15, 16)), picture("uint8", (18, 19, 3))]
    images[1] = torch.from_numpy(images[1].copy())
    targets = [ek.sobel(image, angle=0, channel="luminance") for image in images]
    fit = ek.fit_kernel(images, targets)
    np.testing.assert_allclose(fit.kernel, SOBEL, atol=1e-4)
    assert fit.pixels == 20 * 21 + 15 * 16 + 18 * 19


def test_invalid_pixels_are_excluded(photograph):
    image = photograph.astype(np.float64)
    image[40, 40] = np.nan
    target = ek.sobel(photograph, angle=0).astype(np.float64)
    target[80, 90], target[10, 10] = np.inf, np.nan
    fit = ek.fit_kernel(image, target)
    np.testing.assert_allclose(fit.kernel, SOBEL, atol=1e-4)
    assert fit.pixels == photograph.size - 9 - 2


def test_progress_and_limit_of_steps(photograph):
    seen = []
    fit = ek.fit_kernel(photograph, ek.sobel(photograph, angle=0), steps=4, progress=lambda *step: seen.append(step))
    assert fit.status == "limit"
    assert [s for s, _ in seen] == [1, 2, 3, 4]
    assert [loss for _, loss in seen] == list(fit.history[:-1])
    with torch.no_grad():
        assert ek.fit_kernel(photograph, photograph, steps=2).history[-1] < fit.history[0]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([], []), {}, ek.ShapeError, "each input needs its target: found 0 and 0"),
        (([np.eye(9)], []), {}, ek.ShapeError, "found 1 and 0"),
        ((np.eye(9), np.eye(8)), {}, ek.ShapeError, r"its input's size; found \(9, 9\) and \(8, 8\)"),
        ((np.eye(9), np.full((9, 9), np.nan)), {}, ek.ShapeError, "no pixel of the targets is finite"),
        ((torch.zeros(0, 1, 9, 9), torch.zeros(0, 1, 9, 9)), {}, ek.ShapeError, "nothing to learn from.*0, 9, 9"),
        ((np.eye(9), np.eye(9)), {"size": 4}, ek.KernelError, "odd number of rows and columns"),
        ((np.eye(9), np.eye(9)), {"border": "valid"}, ek.ParameterError, "choose the border they were made with"),
        ((np.eye(9), np.eye(9)), {"border": "mirror"}, ek.ParameterError, "border='mirror' is not known"),
        ((np.eye(9), np.eye(9)), {"steps": 0}, ek.ParameterError, "steps=0 must be an integer"),
        ((np.eye(9), np.eye(9)), {"device": "nowhere"}, ek.ParameterError, "cannot be used here.*available: cpu"),
        ((np.eye(9), np.zeros((9, 9, 2))), {}, ek.ShapeError, "1, 3 .RGB. or 4"),
        ((torch.eye(9), [[1]]), {}, ek.DtypeError, "found list"),
        ((np.eye(9), "b.png"), {}, ek.DtypeError, "found str"),
    ],
)  # fmt: skip
def test_invalid_input_is_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        ek.fit_kernel(*arguments, **options)


# The command.


@pytest.fixture
def pair(at_home):
    ek.write_image("a.png", ek.read_image(SAMPLES / "camera.png")[150:278, 150:290])
    assert run("sobel", "a.png", "--angle", "0", "--depth", "float", "-o", "b.tif").exit_code == 0


@pytest.mark.usefixtures("pair")
def test_learn_and_filter():
    result = run("learn", "--input", "a.png", "--target", "b.tif", "-o", "kernel.json", "--plot", "loss.png")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "100.00% of the target explained" in result.stdout
    assert ek.read_image("loss.png").shape == (480, 1080, 3)
    record = json.loads(Path("kernel.json").read_text())
    np.testing.assert_allclose(record["taps"], SOBEL, atol=1e-4)
    assert run("filter", "a.png", "--kernel", "kernel.json", "--depth", "float", "-o", "c.tif").exit_code == 0
    np.testing.assert_allclose(ek.read_image("c.tif"), ek.read_image("b.tif"), atol=0.01)


@pytest.mark.usefixtures("pair")
def test_learn_warns_of_unreliable_kernels():
    ek.write_image("flat.png", np.full((20, 20), 7, np.uint8))
    result = run("learn", "--input", "flat.png", "--target", "flat.png", "-o", "k.json", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["errors"] == [[None] * 3] * 3
    assert "the images do not determine 9 of 9 coefficients" in result.stderr
    assert run("sobel", "a.png", "-o", "m.png").exit_code == 0
    result = run("learn", "--input", "a.png", "--target", "m.png", "-o", "m.json")
    assert "no kernel of this size explains the target" in result.stderr
    result = run("learn", "--input", "a.png", "--target", "b.tif", "-o", "s.json", "--steps", "3")
    assert "still falling after 3 steps" in result.stderr
    assert run("learn", "--input", "a.png", "--target", "b.tif", "-o", "q.json", "--steps", "3", "-q").stderr == ""


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--input", "a.png", "--target", "b.tif", "-o", "k.csv"], 2, "cannot write '.csv'; name a .json file"),
        (["--input", "a.png", "--target", "b.tif", "-o", "old.json"], 2, "the file exists already"),
        (["--input", "a.png", "--target", "b.tif", "-o", "k.json", "--plot", "l.gif"], 2, "cannot draw '.gif'"),
        (["--input", "a.png", "-o", "k.json"], 2, "--target"),
        (["--input", "a.png", "--input", "a.png", "--target", "b.tif", "-o", "k.json"], 2, "found 2 and 1"),
        (["--input", "missing.png", "--target", "b.tif", "-o", "k.json"], 1, "missing.png: no such file"),
        (["--input", "photo.png", "--target", "b.tif", "-o", "k.json"], 2, "its input's size"),
        (["--input", "a.png", "--target", "b.tif", "-o", "k.json", "--size", "4"], 2, "odd number"),
        (["--input", "a.png", "--target", "b.tif", "-o", "k.json", "--device", "nowhere"], 2, "available: cpu"),
    ],
)
def test_error_messages_of_learn(arguments, status, said):
    Path("old.json").write_text("{}")
    result = run("learn", *arguments)
    assert result.exit_code == status
    assert said in result.stderr
    assert not Path("k.json").exists()
