"""Shell completion, and suggestions for mistyped names."""

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


def test_measure_names_equal_the_table():
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
    """Return the environment in which bash asks for the completion of words."""
    last = len(words.split()) - (not words.endswith(" "))
    return {"_EDGEKIT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(last)}


def offered(words):
    code = "from edgekit.cli import main; main(prog_name='edgekit')"
    asked = os.environ | completion(words)
    ran = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True)
    return ran.stdout.split()


@pytest.mark.parametrize(("words", "expected"), OFFERED.items(), ids=OFFERED)
def test_completion_offers_values(words, expected, tmp_path):
    assert sorted(offered(words)) == sorted(f"plain,{word}" for word in expected)
    assert loaded([], tmp_path, **completion(words)) == set()


@pytest.mark.parametrize(
    ("shell", "expected"),
    [("zsh", ["plain", "sobel", "_", "plain", "scharr", "_"]), ("fish", ["plain,sobel", "plain,scharr"])],
)
def test_completion_of_zsh_and_fish(shell, expected):
    code = "from edgekit.cli import main; main(prog_name='edgekit')"
    words = {"COMP_WORDS": "edgekit kernels s", "COMP_CWORD": "2" if shell == "zsh" else "s"}
    asked = os.environ | words | {"_EDGEKIT_COMPLETE": f"{shell}_complete"}
    ran = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == expected
    source = os.environ | {"_EDGEKIT_COMPLETE": f"{shell}_source"}
    ran = subprocess.run([sys.executable, "-c", code], env=source, capture_output=True, text=True, check=True)
    assert "_EDGEKIT_COMPLETE" in ran.stdout


@pytest.mark.parametrize("command", ["sobel", "canny", "score", "pick", "focus", "sobel -o", "score --rows x -o"])
def test_completion_offers_files(command):
    """The answer `file` lets the shell complete file names."""

    assert offered(f"edgekit {command} pho") == ["file,pho"]


def test_completion_offers_folders():
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
def test_command_line_suggests_similar_names(command, meant, at_home):
    ran = run(*command)
    assert ran.exit_code == 2
    assert "did you mean" in ran.stderr.lower()
    assert f"'{meant}'" in ran.stderr


@pytest.mark.parametrize("command", [["qqqq", "a.png"], ["kernels", "qqqq"], ["sobel", "a.png", "--border", "qqqq"]])
def test_no_suggestion_without_a_similar_name(command, at_home):
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
def test_python_errors_suggest_similar_names(call, meant):
    with pytest.raises(ek.ParameterError, match=f"Did you mean '{meant}'\\?"):
        call()
