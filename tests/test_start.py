"""Start-up: modules that a new process loads, and messages about missing libraries."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import edgekit as ek
from edgekit.common.extras import install_command

HEAVY = ("fsspec", "numpy", "cv2", "torch", "scipy", "skimage", "PIL", "tifffile", "tqdm", "matplotlib", "sqlite3")


def loaded(arguments: list[str], folder: Path, **environment: str) -> set[str]:
    """Run a command in a fresh process and return which heavy modules it loaded."""
    code = textwrap.dedent(f"""
        import sys
        try:
            from edgekit.cli import main
            main({arguments!r}, prog_name="edgekit")
        finally:
            print("loaded:", *(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr)
    """)
    home = {"XDG_CONFIG_HOME": str(folder / "config")}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | home | environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stderr.split("loaded:")[1].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["sobel", "--help"], ["filter", "--help"], ["kernels"]]
)
def test_help_loads_no_heavy_modules(arguments, tmp_path):
    assert loaded(arguments, tmp_path) == set()


@pytest.mark.parametrize("words", ["edgekit ", "edgekit sobel --bor", "edgekit sobel --border "])
def test_completion_loads_no_heavy_modules(words, tmp_path):
    count = str(len(words.split()) if words.endswith(" ") else len(words.split()) - 1)
    asked = {"_EDGEKIT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    assert loaded([], tmp_path, **asked) == set()


def test_completion_of_commands(tmp_path):
    environment = {"_EDGEKIT_COMPLETE": "bash_complete", "COMP_WORDS": "edgekit sc", "COMP_CWORD": "1"}
    code = "from edgekit.cli import main; main(prog_name='edgekit')"
    ran = subprocess.run([sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True)
    assert ran.stdout == "plain,scharr\nplain,score\n"


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ([], set()),
        (["--angle", "45", "--overlay"], set()),
        (["--backend", "torch"], {"torch"}),
    ],
)
def test_filters_load_only_needed_modules(options, more, tmp_path):
    ek.write_image(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    found = loaded(["sobel", "a.png", *options], tmp_path)
    # torch loads further modules.
    assert found == {"numpy", "cv2", "sqlite3"} if not more else more <= found


def test_library_is_loaded_at_first_use():
    code = "import sys, edgekit; assert 'numpy' not in sys.modules; edgekit.sobel; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def missing(module: str, message: str, tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` where importing `module` fails with `message`."""
    (tmp_path / "site").mkdir(parents=True)
    (tmp_path / "site" / f"{module}.py").write_text(f"raise {message}")
    path = os.pathsep.join([str(tmp_path / "site"), str(Path(ek.__file__).parents[1])])
    environment = os.environ | {"PYTHONPATH": path, "XDG_CONFIG_HOME": str(tmp_path)}
    return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)


def test_missing_libgl_is_reported(tmp_path):
    error = "ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    code = "from edgekit.cli import main; main(['sobel', 'a.png'])"
    ran = missing("cv2", error, tmp_path, code)
    assert ran.returncode == 2
    assert "libGL.so.1" in ran.stderr
    assert "apt-get install libgl1" in ran.stderr
    assert "opencv-python-headless" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_missing_fsspec_is_reported(tmp_path):
    error = "ModuleNotFoundError(\"No module named 'fsspec'\", name='fsspec')"
    for command in (["sobel", "s3://bucket/a.png"], ["score", "s3://bucket/photos"]):
        code = f"from edgekit.cli import main; main({command!r})"
        ran = missing("fsspec", error, tmp_path / command[0], code)
        assert ran.returncode == 2
        assert f"URLs need fsspec: {install_command('remote')}" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_missing_torch_is_reported(tmp_path):
    ek.write_image(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    error = "ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
    code = "from edgekit.cli import main; main(['sobel', 'a.png', '--backend', 'torch'])"
    ran = missing("torch", error, tmp_path, code)
    assert ran.returncode == 2
    assert install_command("torch") in ran.stderr
    assert "Traceback" not in ran.stderr
