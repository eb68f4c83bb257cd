"""Shell completion, and the messages for mistyped names."""

import os
import subprocess
import sys

import numpy as np
import pytest
from command_line import run
from test_start import loaded

import edgekit as ek
from edgekit.common.choices import MEASURE_NAMES
from edgekit.edges.thresholding import METHODS
from edgekit.operators.table import OPERATORS


def test_names_of_measures_are_those_of_their_rows():
    assert tuple(ek.MEASURES) == MEASURE_NAMES


MEASURES = ["score", *MEASURE_NAMES]

OFFERED = {
    "edgekit score --measure ": MEASURES,
    "edgekit pick --measure ": MEASURES,
    "edgekit focus --measure ": [*MEASURES[1:], "blur"],
    "edgekit score --measure lap": [name for name in MEASURES if name.startswith("lap")],
    "edgekit kernels ": list(OPERATORS),
    "edgekit kernels s": ["sobel", "scharr"],
    "edgekit score --threshold ": ["auto", "relative"],
    "edgekit threshold --method ": list(METHODS),
    "edgekit pick --method ": ["spread", "windows", "best", "outliers"],
    "edgekit laplacian --stencil ": ["4", "8", "isotropic"],
    "edgekit canny --border ": ["reflect", "symmetric", "edge", "constant", "wrap", "valid"],
}


def completion(words):
    """Return the environment by which bash asks for the completion of words."""
    last = len(words.split()) - (not words.endswith(" "))
    return {"_EDGEKIT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(last)}


def offered(words):
    code = "from edgekit.cli import main; main(prog_name='edgekit')"
    asked = os.environ | completion(words)
    ran = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True)
    return ran.stdout.split()


@pytest.mark.parametrize(("words", "expected"), OFFERED.items(), ids=OFFERED)
def test_values_are_offered(words, expected, tmp_path):
    assert sorted(offered(words)) == sorted(f"plain,{word}" for word in expected)
    assert loaded([], tmp_path, **completion(words)) == set()


@pytest.mark.parametrize(
    ("shell", "expected"),
    [("zsh", ["plain", "sobel", "_", "plain", "scharr", "_"]), ("fish", ["plain,sobel", "plain,scharr"])],
)
def test_other_shells_get_the_same_values(shell, expected):
    code = "from edgekit.cli import main; main(prog_name='edgekit')"
    words = {"COMP_WORDS": "edgekit kernels s", "COMP_CWORD": "2" if shell == "zsh" else "s"}
    asked = os.environ | words | {"_EDGEKIT_COMPLETE": f"{shell}_complete"}
    ran = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == expected
    source = os.environ | {"_EDGEKIT_COMPLETE": f"{shell}_source"}
    ran = subprocess.run([sys.executable, "-c", code], env=source, capture_output=True, text=True, check=True)
    assert "_EDGEKIT_COMPLETE" in ran.stdout


@pytest.mark.parametrize("command", ["sobel", "canny", "score", "pick", "focus", "sobel -o", "score --rows x -o"])
def test_files_are_offered_for_inputs_and_outputs(command):
    """By `file` the shell itself is asked for their names."""

    assert offered(f"edgekit {command} pho") == ["file,pho"]


def test_folders_are_offered_for_folders():
    assert offered("edgekit score --report pa") == ["dir,pa"]


MISTYPED = [
    (["soble", "a.png"], "sobel"),
    (["treshold", "a.png"], "threshold"),
    (["kernels", "soble"], "sobel"),
    (["sobel", "a.png", "--angel", "45"], "--angle"),
    (["sobel", "a.png", "--border", "reflct"], "reflect"),
    (["threshold", "a.png", "--method", "otzu"], "otsu"),
    (["score", "a.png", "--threshold", "autto"], "auto"),
    (["score", "a.png", "--measure", "lapacian_variance"], "laplacian_variance"),
    (["pick", "a.png", "-n", "1", "-o", "out", "--measure", "scor"], "score"),
    (["focus", "a.png", "b.png", "c.png", "--measure", "tenengrat"], "tenengrad"),
]


@pytest.mark.parametrize(("command", "meant"), MISTYPED, ids=lambda value: " ".join(value))
def test_what_was_probably_meant_is_named_on_the_command_line(command, meant, at_home):
    ran = run(*command)
    assert ran.exit_code == 2
    assert "did you mean" in ran.stderr.lower()
    assert f"'{meant}'" in ran.stderr


@pytest.mark.parametrize("command", [["qqqq", "a.png"], ["kernels", "qqqq"], ["sobel", "a.png", "--border", "qqqq"]])
def test_nothing_is_suggested_for_a_name_like_no_other(command, at_home):
    ran = run(*command)
    assert ran.exit_code == 2
    assert "did you mean" not in ran.stderr.lower()


IMAGE = np.zeros((9, 9))

CALLS = [
    (lambda: ek.sharpness(IMAGE, "lapacian_variance"), "laplacian_variance"),
    (lambda: ek.gradient(IMAGE, operator="sobell"), "sobel"),
    (lambda: ek.sobel(IMAGE, border="reflct"), "reflect"),
    (lambda: ek.threshold(IMAGE, "otzu"), "otsu"),
]


@pytest.mark.parametrize(("call", "meant"), CALLS, ids=[meant for _, meant in CALLS])
def test_what_was_probably_meant_is_named_in_python(call, meant):
    with pytest.raises(ek.ParameterError, match=f"Did you mean '{meant}'\\?"):
        call()
