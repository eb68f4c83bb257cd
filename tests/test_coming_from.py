"""The tables of calls of other libraries: the results of each row agree as its last column states."""

import math
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from command_line import run
from scipy import ndimage

import edgekit as ek

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "coming-from"


def rows(name):
    """Return the rows of a page's table as lists of cells, without the backquotes of calls."""
    lines = [line for line in (PAGES / f"{name}.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))] for line in lines[1:]]


def call(cell):
    assert cell.startswith("`"), cell
    return cell.strip("`")


@pytest.fixture
def names(monkeypatch):
    """The names that the calls use."""
    import kornia
    from skimage import feature, filters, measure

    monkeypatch.chdir(ROOT)
    gray = ek.read_image("samples/camera.png")[100:260, 200:400]
    kernel = np.float32([[0, 1, 0], [-3, 4, 2], [1, -2, 5]])
    return {
        "ek": ek, "np": np, "cv2": cv2, "torch": torch, "kornia": kornia, "ndimage": ndimage,
        "filters": filters, "feature": feature, "measure": measure,
        "gray": gray, "kernel": kernel, "x": torch.from_numpy(gray.copy()).float()[None, None] / 255,
        "k": torch.from_numpy(kernel), "I": gray.astype(float), "h": kernel.astype(float),
    }  # fmt: skip


def check(theirs, ours, result):
    """Compare two results in the way that the last column of a row names."""
    pairs = list(zip(theirs, ours, strict=True)) if isinstance(theirs, tuple) else [(theirs, ours)]
    for one, other in pairs:
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape
        if result == "equal":
            np.testing.assert_array_equal(one, other)
        else:
            difference = np.abs(one.astype(float) - other).max() / np.abs(one).max()
            if result == "close":
                assert difference < 1e-5
            else:
                assert re.match(r"other: \S", result)
                assert difference > 1e-7, "it is equal or close"


CALLS = [(name, *row) for name in ("opencv", "scikit-image", "scipy", "kornia") for row in rows(name)]


@pytest.mark.parametrize(("name", "what", "theirs", "ours", "result"), CALLS, ids=[f"{r[0]}: {r[1]}" for r in CALLS])
def test_calls_of_a_row_agree_as_stated(name, what, theirs, ours, result, names):
    names["f"] = names["gray"].astype(np.float32 if name == "opencv" else np.float64)
    check(eval(call(theirs), names), eval(call(ours), names), result)


SOBEL, PREWITT = np.array([1.0, 2.0, 1.0]), np.ones(3)


def along_x(image, smooth):
    """Return the derivative of MATLAB's imgradientxy: replicated border, not divided."""
    columns = ndimage.correlate1d(image, smooth, axis=0, mode="nearest")
    return ndimage.correlate1d(columns, [-1, 0, 1], axis=1, mode="nearest")


def along_y(image, smooth):
    return along_x(image.T, smooth).T


#: The calls of MATLAB, by the formulas of its documentation.
MATLAB = {
    "Gx = imgradientxy(I)": lambda i, h: along_x(i, SOBEL),
    "[~, Gy] = imgradientxy(I)": lambda i, h: along_y(i, SOBEL),
    "Gmag = imgradient(I)": lambda i, h: np.hypot(along_x(i, SOBEL), along_y(i, SOBEL)),
    "[~, Gdir] = imgradient(I)": lambda i, h: np.degrees(np.arctan2(-along_y(i, SOBEL), along_x(i, SOBEL))),
    "imgradientxy(I, 'prewitt')": lambda i, h: along_x(i, PREWITT),
    "gradient(I)": lambda i, h: (i[1:-1, 2:] - i[1:-1, :-2]) / 2,
    "4 * del2(I)": lambda i, h: i[1:-1, 2:] + i[1:-1, :-2] + i[2:, 1:-1] + i[:-2, 1:-1] - 4 * i[1:-1, 1:-1],
    "imfilter(I, h)": lambda i, h: ndimage.correlate(i, h, mode="constant"),
    "conv2(I, h, 'valid')": lambda i, h: ndimage.convolve(i, h)[1:-1, 1:-1],
    "fspecial('laplacian', 0)": lambda i, h: np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "-fspecial('sobel')": lambda i, h: -np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]),
}


@pytest.mark.parametrize("row", rows("matlab"), ids=lambda row: row[0])
def test_calls_of_matlab(row, names):
    what, theirs, ours, result = row
    expected, found = MATLAB[call(theirs)](names["I"], names["h"]), eval(call(ours), names)
    if what == "direction":
        # The same direction, modulo 360 degrees.
        assert np.abs(np.exp(1j * np.radians(expected)) - np.exp(1j * np.radians(found))).max() < 1e-9
        # The range of MATLAB includes 180.
        assert found.min() >= -180
        assert math.isclose(np.abs(expected - found).max() % 360, 0, abs_tol=1e-9)
    else:
        check(expected, found, result)


COMMANDS = [(name, row[-1]) for name in ("cleanvision", "sharp-frames") for row in rows(name)]


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[f"{n}: {c}" for n, c in COMMANDS])
def test_commands_of_a_row_run(name, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    if "s3://" in command:
        return
    if call(command).startswith("ek."):
        assert 0 < eval(call(command), {"ek": ek, "image": ek.read_image("samples/coffee.png")}) < 1
        return
    program, *arguments = shlex.split(call(command))
    assert program == "edgekit"
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    made = arguments[arguments.index("-o") + 1] if "-o" in arguments else None
    assert Path(made).exists() if made else done.stdout or Path("review/index.html").exists()
