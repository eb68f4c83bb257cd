"""Arguments of wrong types or in the wrong order: errors of edgekit with the found value and a remedy."""

import inspect
import warnings

import cv2
import numpy as np
import pytest
import torch

import edgekit as ek
from edgekit.cli import main
from edgekit.common.choices import did_you_mean, shown
from edgekit.operators.borders import OTHER_NAMES, index_map

IMAGE = np.arange(480, dtype=np.uint8).reshape(20, 24)

#: A bright bar, and points of an ellipse.
BAR = np.tile(np.where(abs(np.arange(40) - 20) < 6, 200.0, 50.0), (40, 1))
POINTS = np.stack((30 + 20 * np.cos(np.arange(12.0)), 20 + 9 * np.sin(np.arange(12.0))), axis=1)

#: Valid arguments by position, where a function takes more than an image.
VALID = {
    "autofocus": (lambda z: -((z - 3) ** 2), 0, 9),
    "correlate": (IMAGE, [[1, 0, -1]]),
    "depth_map": ([IMAGE, IMAGE], [0, 1]),
    "filter_files": ("image.png", "out"),
    "find_peak": ([0, 1, 2, 3], [1, 3, 2, 1]),
    "edge_distance": (BAR, (5, 20), (35, 20)),
    "fit_circle": (POINTS,),
    "fit_ellipse": (POINTS,),
    "fit_kernel": (IMAGE, ek.sobel(IMAGE)),
    "fit_line": (POINTS,),
    "fuse": ([IMAGE, IMAGE],),
    "hysteresis": (IMAGE, 3, 9),
    "mtf": (IMAGE, (0, 0, 20, 20)),
    "nonmax_suppress": (ek.sobel(IMAGE), np.zeros((20, 24), np.float32)),
    "kernel": ("sobel",),
    "open_image": ("image.png",),
    "oriented": (IMAGE, [0, 45]),
    "outline": (IMAGE > 9,),
    "overlay": (IMAGE, IMAGE),
    "picture": (IMAGE, "sobel", {}),
    "read_image": ("image.png",),
    "score_files": ("image.png",),
    "sharpness": (IMAGE, "brenner"),
    "threshold": (IMAGE, "otsu"),
    "to_display": (ek.sobel(IMAGE), "full"),
    "white_level": (IMAGE, "sobel", {}),
    "write_image": ("response.png", IMAGE),
}

WRONG = {
    "text": "hello", "none": None, "list": [1, 2, 3], "uneven": [[1, 2], [3]], "dict": {}, "bytes": b"x", "nan": np.nan,
    "function": len, "class": np.ndarray, "negative": -1, "line": np.zeros(5), "empty": np.zeros((0, 4)),
    "objects": np.full((5, 5), None), "texts": np.full((5, 5), "a"), "complex": np.zeros((5, 5), complex),
    "number": np.array(3.0), "tensor": torch.zeros(3), "image": IMAGE,
}  # fmt: skip

#: Values that functions refuse as the first argument. `to_display` accepts arrays of any shape.
NEVER_FIRST = ("none", "list", "dict", "function", "class", "line", "empty", "objects", "texts", "complex")
ANY_SHAPE = {"to_display": ("line", "empty")}

FUNCTIONS = {name: f for name in ek.__all__ if inspect.isfunction(f := getattr(ek, name))}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ek.write_image("image.png", IMAGE)


def error_of(function, *arguments, **options):
    """Return the error of a call; None if it succeeds. Errors of other libraries, and warnings, are raised."""
    found = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            function(*arguments, **options)
    except ek.EdgekitError as error:
        found = error
    assert found is None or len(str(found)) < 400
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_wrong_arguments_by_position(name):
    function, valid = FUNCTIONS[name], VALID.get(name, (IMAGE,))
    assert error_of(function, *valid) is None
    for n in range(len(valid)):
        for kind, wrong in WRONG.items():
            error = error_of(function, *valid[:n], wrong, *valid[n + 1 :])
            assert error or n or kind not in NEVER_FIRST or kind in ANY_SHAPE.get(name, ()), kind


@pytest.mark.parametrize("name", FUNCTIONS)
def test_wrong_options(name):
    function, valid = FUNCTIONS[name], VALID.get(name, (IMAGE,))
    for option, parameter in inspect.signature(function).parameters.items():
        # Errors of a callback are not converted.
        if parameter.kind is parameter.KEYWORD_ONLY and option != "progress":
            for wrong in WRONG.values():
                error_of(function, *valid, **{option: wrong})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ek.write_image(IMAGE, "a.png"), ek.ParameterError, r"expected write_image\(path, image\).*Swap"),
        (lambda: ek.write_image(None, IMAGE), ek.ParameterError, "expected a path or a URL; found None"),
        (lambda: ek.write_image("a\0.png", IMAGE), ek.ParameterError, "null character"),
        (lambda: ek.write_image(".", IMAGE), ek.OutputError, "expected the name of a file; found a folder"),
        (lambda: ek.write_image("a.png", np.float16(IMAGE)), ek.ParameterError, "float16.*convert it to float32"),
        (lambda: ek.write_image("a.png", np.float32(IMAGE)), ek.ParameterError, "float32; write .tif or .npy, or choo"),
        (lambda: ek.write_image("a.npy", np.full((2, 2), None)), ek.DtypeError, "expected numbers.*found.*object"),
        (lambda: ek.open_image(IMAGE), ek.ParameterError, r"found <ndarray of shape \(20, 24\)>"),
        (lambda: ek.read_image("image.png", page=0), ek.ParameterError, "page=0 must be an integer, from 1 on"),
        (lambda: ek.read_image("image.png", colour="no"), ek.ParameterError, "colour='no' must be True or False"),
        (lambda: ek.read_image("image.png", nodata="0"), ek.ParameterError, "nodata='0' must be a number"),
        (lambda: ek.open_image("image.png").read(channel="red"), ek.ParameterError, "channel='red' must be an integer"),
        (lambda: ek.open_image("image.png").read(page="1"), ek.ParameterError, "page='1' must be an integer"),
        (lambda: ek.autofocus(0, 9, len), ek.ParameterError, r"measure=0 must be a function.*autofocus\(measure, lo"),
        (lambda: ek.autofocus(abs, 9, 0), ek.ParameterError, "lo must be below hi; found 9 and 0"),
        (lambda: ek.autofocus(abs, "0", 9), ek.ParameterError, "lo='0' must be a finite number"),
        (lambda: ek.autofocus(abs, 0, 9, budget=9.5), ek.ParameterError, "budget=9.5 must be an integer"),
        (lambda: ek.autofocus(abs, 0, 9, tolerance=0), ek.ParameterError, "tolerance=0 must be a number above 0"),
        (lambda: ek.autofocus(abs, 0, 9, backlash="1"), ek.ParameterError, "backlash='1' must be a finite number"),
        (lambda: ek.find_peak([1, [2]], [1, 2]), ek.DtypeError, r"two sequences of numbers; found positions=\[1, \[2"),
        (lambda: ek.overlay(IMAGE, IMAGE, colour="red"), ek.ParameterError, r"colour='red' must be.*\(red, green, b"),
        (lambda: ek.overlay(IMAGE, IMAGE, colour=(1, 2)), ek.ParameterError, r"colour=\(1, 2\) must be three numbers"),
        (lambda: ek.overlay(IMAGE, IMAGE, colour=(256, 0, 0)), ek.ParameterError, "from 0 to 255"),
        (lambda: ek.overlay(IMAGE, IMAGE > 9), ek.DtypeError, r"found bool. Convert a mask by mask \* np.uint8\(255\)"),
        (lambda: ek.overlay(IMAGE, IMAGE, in_range=(9, 1)), ek.ParameterError, r"in_range=\(9, 1\) must be two finite"),
        (lambda: ek.score(IMAGE, in_range=255), ek.ParameterError, "in_range=255 must be two finite numbers"),
        (lambda: ek.white_level(IMAGE, in_range=(0, np.nan)), ek.ParameterError, "in_range=nan must be two finite"),
        (lambda: ek.white_level(IMAGE, step_fraction="1"), ek.ParameterError, "step_fraction='1' must be a finite num"),
        (lambda: ek.picture(IMAGE, "sobel", 5), ek.ParameterError, 'parameters=5 must be a dict, such as {"size": 5}'),
        (lambda: ek.picture("sobel", IMAGE), ek.ParameterError, r"operator=<ndarray of shape \(20, 24\)> is not known"),
        (lambda: ek.sharpness("brenner", IMAGE), ek.ParameterError, r"measure=<ndarray of shape \(20, 24\)> is not kn"),
        (
            lambda: ek.hysteresis(IMAGE, np.zeros(5), 9),
            ek.ShapeError,
            r"broadcast to.*\(20, 24\); found \(5,\) and \(\)",
        ),
        (lambda: ek.hysteresis(IMAGE, 1, torch.zeros(24)), ek.ParameterError, "high=<Tensor.*same kind of array"),
        (lambda: ek.nonmax_suppress(IMAGE, IMAGE, subpixel="no"), ek.ParameterError, "must be True or False"),
        (lambda: ek.canny(IMAGE, interpolate="no"), ek.ParameterError, "interpolate='no' must be True or False"),
        (lambda: ek.canny(IMAGE, sigma=IMAGE), ek.ParameterError, "sigma=<ndarray.*or 0 for the 3x3 Sobel operator"),
        (lambda: ek.sobel(IMAGE, channel_axis=IMAGE), ek.ParameterError, "channel_axis=<ndarray.*must be an integer"),
        (lambda: ek.correlate(IMAGE, "kernel"), ek.KernelError, "table of numbers: rows of coefficients; found 'kern"),
        (lambda: ek.fit_kernel(IMAGE, IMAGE, device="gpu"), ek.ParameterError, "device='gpu'.*available: cpu$"),
        (
            lambda: ek.fit_kernel(IMAGE, IMAGE, device="meta"),
            ek.ParameterError,
            "available: cpu. Torch says: Tensor.ite",
        ),
        (lambda: ek.fit_kernel(IMAGE, IMAGE, progress=1), ek.ParameterError, "progress=1 must be a function"),
        (lambda: ek.nn.GradientLoss(norm="1"), ek.ParameterError, "norm='1' must be at least 1"),
        (lambda: ek.nn.GradientLoss(norm=0.5), ek.ParameterError, "norm=0.5 must be at least 1"),
        (lambda: ek.nn.GradientLoss(norm=np.nan), ek.ParameterError, "norm=nan must be at least 1"),
    ],
)
def test_messages_of_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


OPENCV_BORDERS = ("BORDER_CONSTANT", "BORDER_REPLICATE", "BORDER_REFLECT", "BORDER_WRAP", "BORDER_REFLECT_101")


@pytest.mark.parametrize("name", OPENCV_BORDERS)
def test_messages_suggest_names_for_opencv_borders(name):
    constant = getattr(cv2, name)
    row = np.uint8([[1, 2, 3, 4]])
    padded = cv2.copyMakeBorder(row, 0, 0, 3, 3, constant, value=0)[0].tolist()
    for found in (constant, name, f"cv2.{name}", name.lower()):
        with pytest.raises(ek.ParameterError, match="Did you mean") as caught:
            ek.sobel(IMAGE, border=found)
        meant = str(caught.value).split("'")[-2]
        values = [0, *row[0].tolist()]
        assert [values[i + 1] for i in index_map(-3, 7, 4, meant)] == padded


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("replicate", "edge"),
        ("reflect101", "reflect"),
        ("mirror", "reflect"),
        ("circular", "wrap"),
        ("zeros", "constant"),
    ],
)
def test_messages_suggest_names_for_borders_of_other_libraries(name, meant, capsys):
    with pytest.raises(ek.ParameterError, match=f"border='{name}' is not known. Did you mean '{meant}'"):
        ek.canny(IMAGE, border=name)
    with pytest.raises(SystemExit):
        main(["sobel", "image.png", "--border", name])
    assert f"Did you mean '{meant}'?" in capsys.readouterr().err


def test_no_suggestion_for_other_numbers():
    assert did_you_mean(True, ["reflect"], OTHER_NAMES) == did_you_mean(7, ["reflect"], OTHER_NAMES) == ""


def test_long_values_are_shortened():
    assert shown(np.zeros((20, 30))) == "<ndarray of shape (20, 30)>"
    assert shown(np.array([1, 2])) == "array([1, 2])"
    assert shown({"a": ["line"] * 99}).endswith("...")
    assert len(shown("x" * 999)) == 60
