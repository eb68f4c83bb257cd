"""When compiled loops are loaded, and what happens if they cannot be loaded."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from sampling import on_full

import edgekit as ek
from edgekit.backends import opencv
from edgekit.backends.opencv import fused, jit_loops
from edgekit.errors import MissingExtraError

IMAGE = np.indices((300, 300)).sum(0).astype(np.uint8)


@pytest.fixture
def automatic(monkeypatch):
    """Automatic mode before the first image, without Numba. `_load` returns whether the loops are required."""
    monkeypatch.setattr(fused, "MODE", "")
    monkeypatch.setattr(fused, "_pixels", 0)
    monkeypatch.setattr(fused, "_load", lambda *, required: f"{required=}")
    monkeypatch.delitem(sys.modules, "numba", raising=False)


def test_loops_are_loaded_at_break_even(automatic):
    assert fused.loops(fused.BREAK_EVEN - 1) is None
    assert fused.loops(fused.SMALLEST) == "required=False"
    assert fused.loops(fused.SMALLEST) == "required=False"


def test_small_images_are_not_counted(automatic, monkeypatch):
    monkeypatch.setattr(fused, "BREAK_EVEN", 2 * fused.SMALLEST)
    for _ in range(3):
        assert fused.loops(fused.SMALLEST - 1) is None
    assert fused.loops(fused.SMALLEST) is None
    assert fused.loops(fused.SMALLEST) == "required=False"
    assert fused.loops(fused.SMALLEST - 1) is None


def test_loops_are_used_at_once_if_numba_is_loaded(automatic, monkeypatch):
    assert fused.loops(fused.SMALLEST) is None
    monkeypatch.setitem(sys.modules, "numba", object())
    assert fused.loops(fused.SMALLEST) == "required=False"
    assert fused.loops(fused.SMALLEST - 1) is None


@pytest.mark.parametrize("pixels", [1, 10**9])
def test_mode_1_requires_loops_and_mode_0_disables_them(pixels, automatic, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", object())
    monkeypatch.setattr(fused, "MODE", "1")
    assert fused.loops(pixels) == "required=True"
    monkeypatch.setattr(fused, "MODE", "0")
    assert fused.loops(pixels) is None


def test_pixels_of_images_are_counted(automatic):
    ek.sobel(IMAGE)
    assert fused._pixels == 300 * 300
    # Tiles are not counted again.
    ek.sobel(IMAGE.astype(np.float32))
    ek.sobel(IMAGE, mask=IMAGE > 0)
    assert fused._pixels == 3 * 300 * 300
    fused._pixels = 300 * 300
    # No loop supports integers of 64 bits.
    ek.sobel(IMAGE.astype(np.int64))
    assert fused._pixels == 300 * 300
    ek.sharpness(IMAGE)
    assert fused._pixels == 2 * 300 * 300
    # Post-processing is not counted: compiled, it saves little.
    ek.picture(IMAGE)
    assert fused._pixels == 3 * 300 * 300


@pytest.fixture
def broken(monkeypatch):
    """Return a function that makes the import of the loops fail, and a list of the attempts."""
    monkeypatch.delattr(opencv, "jit_loops", raising=False)
    monkeypatch.delitem(sys.modules, "edgekit.backends.opencv.jit_loops", raising=False)
    fused._load.cache_clear()
    attempts = []

    def fail(error):
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "edgekit.backends.opencv.jit_loops":
                    attempts.append(name)
                    raise error

        monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])

    yield fail, attempts
    fused._load.cache_clear()


ERRORS = (
    ModuleNotFoundError("No module named 'numba'", name="numba"),
    ImportError("Numba needs NumPy 2.0 or less. Got NumPy 2.4."),
    SystemError("initialization of _internal failed without raising an exception"),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_mode_1_without_loops_names_the_extra(error, broken, monkeypatch):
    broken[0](error)
    monkeypatch.setattr(fused, "MODE", "1")
    for _ in range(2):
        with pytest.raises(MissingExtraError, match=r"EDGEKIT_FAST=1 .*pip install .*\[fast\]") as caught:
            ek.sobel(IMAGE)
        assert str(error) in str(caught.value)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_automatic_mode_works_without_loops(error, broken, monkeypatch):
    expected = ek.sobel(IMAGE), ek.picture(IMAGE).image, ek.sharpness(IMAGE)
    fail, attempts = broken
    fail(error)
    monkeypatch.setattr(fused, "MODE", "")
    monkeypatch.setattr(fused, "BREAK_EVEN", 0)
    for _ in range(2):
        found = ek.sobel(IMAGE), ek.picture(IMAGE).image, ek.sharpness(IMAGE)
        for made, plain in zip(found, expected, strict=True):
            np.testing.assert_array_equal(made, plain)
    # A failed import is not repeated.
    assert len(attempts) == 1


def test_numba_not_installed(broken, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(fused, "MODE", "")
    assert fused.loops(fused.SMALLEST) is None
    monkeypatch.setattr(fused, "MODE", "1")
    with pytest.raises(MissingExtraError, match=r"pip install .*\[fast\]"):
        fused.loops(fused.SMALLEST)


def run(code, folder=None, **environment):
    """Run code in a fresh process and return what it prints."""
    around = {k: v for k, v in os.environ.items() if k != "EDGEKIT_FAST"}
    if folder is not None:
        around["PYTHONPATH"] = str(folder)
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=around | environment, capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.split()


def test_a_few_images_do_not_load_numba():
    code = """
        import sys
        import numpy as np
        import edgekit as ek
        for size in ((40, 50), (2048, 4096)):
            image = np.ones(size, np.uint8)
            ek.sobel(image), ek.picture(image), ek.sharpness(image)
            print("numba" in sys.modules)
    """
    assert run(code) == ["False", "False"]


CODE = """
    import sys
    import numpy as np
    import edgekit as ek
    from edgekit.backends.opencv import fused
    {first}
    made = set()
    for n in range(3):
        made.add(ek.sobel(np.arange(90000, dtype=np.uint16).reshape(300, 300)).tobytes())
        loops = sys.modules.get("edgekit.backends.opencv.jit_loops")
        print(bool(loops) and len(loops.gradient_magnitude.signatures))
    assert len(made) == 1
"""


@pytest.mark.parametrize(
    ("first", "mode", "expected"),
    [
        ("fused.BREAK_EVEN = 180000", "", ["False", "1", "1"]),
        pytest.param("import numba", "", ["1", "1", "1"], marks=pytest.mark.full),
        ("", "1", ["1", "1", "1"]),
        ("import numba; fused.BREAK_EVEN = 1", "0", ["False", "False", "False"]),
    ],
)
def test_environment_variable_edgekit_fast(first, mode, expected):
    assert run(CODE.format(first=first), **({"EDGEKIT_FAST": mode} if mode else {})) == expected


@pytest.mark.parametrize("writable", [True, *on_full(False)])
def test_compiled_code_is_cached_if_a_folder_is_writable(writable, tmp_path):
    package, nowhere = tmp_path / "site" / "edgekit", tmp_path / "file"
    shutil.copytree(Path(ek.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    # Not even root can create a folder in a file.
    nowhere.touch()
    (package / "backends" / "opencv" / "__pycache__").touch()
    home = str(nowhere / "home")
    cache = str(tmp_path / "cache") if writable else home
    code = """
        import numpy as np
        import edgekit as ek
        print(ek.sharpness(np.eye(3, dtype=np.uint8)), ek.__file__)
    """
    environment = {"HOME": home, "XDG_CACHE_HOME": home, "NUMBA_CACHE_DIR": cache, "EDGEKIT_FAST": "1"}
    found = run(code, package.parent, **environment)
    # The Laplacian of the unit matrix, reflected, is [[-4, 3, 0], [3, -4, 3], [0, 3, -4]].
    assert float(found[0]) == pytest.approx((3 * 16 + 4 * 9) / 9, rel=1e-12)
    assert found[1] == str(package / "__init__.py")
    kept = [p.name for p in tmp_path.rglob("*.nbi")]
    assert bool(kept) == writable
    assert all("laplacian_sums" in name for name in kept)


def test_loops_release_the_gil():
    for name in ("gradient_magnitude", "laplacian_sums", "quantize"):
        assert getattr(jit_loops, name).targetoptions["nogil"]
