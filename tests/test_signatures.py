"""Public signatures: data by position, options by name, annotations, docstrings, type checkers."""

import inspect
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpydoc.validate import validate

import edgekit as ek
from edgekit import nn

#: Functions that take more than one image by position.
DATA = {
    "autofocus": ("measure", "lo", "hi"),
    "correlate": ("image", "kernel"),
    "edge_distance": ("image", "p", "q"),
    "depth_map": ("images", "positions"),
    "filter_files": ("paths", "output"),
    "find_peak": ("positions", "scores"),
    "fit_circle": ("points",),
    "fit_ellipse": ("points",),
    "fit_kernel": ("inputs", "targets"),
    "fit_line": ("points",),
    "fuse": ("images",),
    "hysteresis": ("strength", "low", "high"),  # As skimage.filters.apply_hysteresis_threshold.
    "mtf": ("image", "roi"),
    "nonmax_suppress": ("strength", "direction"),
    "kernel": ("operator",),
    "open_image": ("path",),
    "oriented": ("image", "angles"),
    "outline": ("mask",),
    "overlay": ("image", "shown"),
    "picture": ("image", "operator", "parameters"),
    "read_image": ("source",),
    "score_files": ("paths",),
    "sharpness": ("image", "measure"),
    "threshold": ("image", "method"),
    "to_display": ("response", "mode"),
    "white_level": ("image", "operator", "parameters"),
    "write_image": ("path", "image"),
}

#: Modules that take one argument by position.
POSITIONAL = {
    "Filter": ("kernel",),
    "GradientLoss": ("operator",),
    "GradientMagnitude": ("operator",),
    "Oriented": ("angle",),
    "Sharpness": ("measure",),
    "SharpnessLoss": ("measure",),
}


def by_position(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(name for name, p in inspect.signature(function).parameters.items() if p.kind in kinds)


def test_functions_take_options_by_name_only():
    functions = {name: f for name in ek.__all__ if inspect.isfunction(f := getattr(ek, name))}
    assert DATA.keys() <= functions.keys()
    for name, function in functions.items():
        assert by_position(function) == DATA.get(name, ("image",)), name


def test_modules_take_options_by_name_only():
    modules = {n: m for n in nn.__all__ if isinstance(m := getattr(nn, n), type) and issubclass(m, torch.nn.Module)}
    assert POSITIONAL.keys() <= modules.keys()
    for name, module in modules.items():
        assert by_position(module) == POSITIONAL.get(name, ()), name


def test_canny_refuses_positional_thresholds():
    with pytest.raises(TypeError, match="positional argument"):
        ek.canny(np.zeros((9, 9)), 50, 150)


def functions():
    return {name: f for name in ek.__all__ if inspect.isfunction(f := getattr(ek, name))}


def modules():
    return {n: m for n in nn.__all__ if isinstance(m := getattr(nn, n), type) and issubclass(m, torch.nn.Module)}


def test_options_are_explicit_and_annotated():
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, function in (functions() | modules()).items():
        parameters = inspect.signature(function).parameters.values()
        assert [p.name for p in parameters if p.kind in kinds] == (["responses"] if name == "show" else []), name
        assert not [p for p in parameters if p.annotation is inspect.Parameter.empty], name


#: Rules of numpydoc: summary, sections and parameters.
RULES = {"GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "SS01", "SS03", "SS05", "PR01", "PR02", "PR03", "PR04",
         "PR05", "PR07", "PR10", "RT01", "RT03", "EX01"}  # fmt: skip


@pytest.mark.parametrize("of", ["functions", "modules", "types"])
def test_docstrings_follow_numpydoc(of):
    names = (
        "Display", "Focus", "Gradient", "KernelFit", "OperatorKernel", "Panels", "Peak",
        "Contour", "EdgeDistance", "Line", "Circle", "Ellipse", "Mtf",
    )  # fmt: skip
    types = {f"edgekit.{name}": getattr(ek, name) for name in names}
    named = {
        "functions": {f"edgekit.{name}": f for name, f in functions().items()},
        "modules": {f"edgekit.nn.{name}": m for name, m in modules().items()},
        "types": types,
    }[of]
    # The attributes of a type describe its parameters. Types are returned by functions, and need no example.
    rules = RULES - ({"PR01", "EX01", "RT01"} if of == "types" else {"RT01"} if of == "modules" else set())
    wrong = {n: [e for e in validate(n)["errors"] if e[0] in rules] for n in named}
    assert not {n: errors for n, errors in wrong.items() if errors}
    for name, value in named.items():
        if of != "types":
            assert "Raises\n" in value.__doc__, name


#: A script for type checkers, which must report the lines that end in ``# error``.
SCRIPT = """
import numpy as np
import numpy.typing as npt
import torch
import edgekit as ek

array: npt.NDArray[np.uint8] = np.zeros((9, 9), np.uint8)
tensor = torch.zeros(1, 9, 9)

def wants_array(values: npt.NDArray[np.generic]) -> None: ...
def wants_tensor(values: torch.Tensor) -> None: ...

wants_array(ek.sobel(array, angle=45, border="wrap"))
wants_tensor(ek.sobel(tensor, angle=45, border="wrap"))
wants_array(ek.gradient(array).magnitude)
wants_tensor(ek.gradient(tensor).direction)
wants_array(ek.canny(array, low="95%"))
wants_tensor(ek.picture(tensor).image)
wants_tensor(ek.nn.Sobel(border="wrap")(tensor))
ek.correlate(array, [[-1, 0, 1]])
ek.sobel(array, border="reflct")  # error
ek.sobel(array, angel=45)  # error
ek.sobel(array, size=4)  # error
wants_array(ek.sobel(tensor))  # error
wants_tensor(ek.canny(array))  # error
ek.laplacian(array, angle=45)  # error
ek.gradient(array, scale="units")  # error
ek.nn.Sobel(bordr="edge")  # error
ek.threshold(array, "otsoo")  # error
"""


@pytest.mark.parametrize("checker", [pytest.param("mypy", marks=pytest.mark.full), "basedpyright"])
def test_type_checkers_find_wrong_calls(checker, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    if checker == "mypy":
        command = ["mypy", "--hide-error-context", "--cache-dir", str(tmp_path), str(script)]
    else:
        (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "standard"}))
        command = ["basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=tmp_path, check=False)
    if checker == "mypy":
        found = {int(line) for line in re.findall(r"script\.py:(\d+): error", done.stdout)}
    else:
        answer = json.loads(done.stdout)["generalDiagnostics"]
        found = {d["range"]["start"]["line"] + 1 for d in answer if d["severity"] == "error"}
    wrong = {n for n, line in enumerate(SCRIPT.splitlines(), 1) if line.endswith("# error")}
    assert found == wrong, done.stdout
