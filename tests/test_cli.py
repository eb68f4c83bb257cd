"""The command line: outputs, messages and exit codes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import run, shown

import edgekit as ek
from edgekit.operators.table import OPERATORS

pytestmark = pytest.mark.usefixtures("at_home")


def test_output_name_and_values_of_one_image():
    result = run("sobel", "photo.png", "--angle", "45")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "photo.sobel-45.png\n", "")
    gray = cv2.imread("photo.png", cv2.IMREAD_GRAYSCALE)
    gx, gy = (cv2.Sobel(gray, cv2.CV_64F, *d, borderType=cv2.BORDER_REFLECT_101) for d in ((1, 0), (0, 1)))
    response = np.abs((gx + gy) * np.sqrt(0.5)) / 8
    white = 255 / 8
    np.testing.assert_allclose(shown("photo.sobel-45.png"), np.clip(response * 255 / white, 0, 255), atol=0.5001)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_is_a_command(name):
    result = run(name, "photo.png", "-o", "out.tif", "--depth", "float", "--border", "wrap")
    assert result.exit_code == 0, result.output
    options = {"border": "wrap", "channel": "luminance"}
    function = {"gaussian": ek.gaussian_gradient, "central": None}.get(name, getattr(ek, name, None))
    if function is None:
        expected = ek.gradient(ek.read_image("photo.png"), operator=name, **options).magnitude
    else:
        expected = function(ek.read_image("photo.png"), **options)
    np.testing.assert_array_equal(shown("out.tif"), expected)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["sobel", "--size", "5"], "photo.sobel-size5.png"),
        (["sobel", "--angle", "30", "--angle-of", "edge"], "photo.sobel-edge30.png"),
        (["gaussian", "--sigma", "2.5"], "photo.gaussian-sigma2.5.png"),
        (["laplacian", "--stencil", "isotropic"], "photo.laplacian-stencilisotropic.png"),
        (["robinson", "--levels", "5", "--angle", "90"], "photo.robinson-levels5-90.png"),
        (["sobel", "--format", "webp"], "photo.sobel.webp"),
        (["sobel", "--depth", "float"], "photo.sobel.tif"),
        (["sobel", "--depth", "float", "--format", "npy"], "photo.sobel.npy"),
        (["prewitt", "--rotate", "ring", "--angle", "135", "--format", "jpg"], "photo.prewitt-135-ring.jpg"),
    ],
)
def test_default_output_names(arguments, name):
    command, *rest = arguments
    result = run(command, "photo.png", *rest)
    assert result.stdout == f"{name}\n", result.output
    assert Path(name).stat().st_size > 0


def test_several_angles_give_several_outputs():
    result = run("sobel", "photo.png", "--angle", "0", "--angle", "90")
    assert result.stdout.split() == ["photo.sobel-0.png", "photo.sobel-90.png"]
    assert run("sobel", "photo.png", "--angle", "0", "--angle", "90", "-o", "one.png").exit_code == 2


def test_backends_write_the_same_image():
    assert run("sobel", "photo.png", "--angle", "30", "-o", "a.png").exit_code == 0
    assert run("sobel", "photo.png", "--angle", "30", "-o", "b.png", "--backend", "torch").exit_code == 0
    assert run("sobel", "photo.png", "-o", "c.png", "--channel", "each").exit_code == 0
    assert run("sobel", "photo.png", "-o", "d.png", "--channel", "each", "--backend", "torch").exit_code == 0
    np.testing.assert_array_equal(shown("a.png"), shown("b.png"))
    assert shown("c.png").shape == (30, 40, 3)
    # Magnitudes agree to two units in the last place and may be rounded to neighbouring levels.
    np.testing.assert_allclose(shown("c.png").astype(int), shown("d.png"), atol=1)


def test_displays_and_depths():
    run("sobel", "photo.png", "--angle", "0", "-o", "raw.npy", "--depth", "float")
    response = np.load("raw.npy")
    assert response.min() < 0
    run("sobel", "photo.png", "--angle", "0", "-o", "stretch.png", "--display", "stretch")
    assert shown("stretch.png").max() == 255
    run("sobel", "photo.png", "--angle", "0", "-o", "signed.png", "--display", "signed", "--depth", "16")
    signed = shown("signed.png")
    assert signed.dtype == np.uint16
    np.testing.assert_array_equal(signed > 32768, response > 0)
    np.testing.assert_array_equal(signed == 32768, response == 0)


@pytest.mark.parametrize("tone", ["linear", "log"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int16", "int32", "float16", ">f4", "float64"])
def test_float_outputs_equal_the_python_functions(tone, dtype):
    """Colour files of every type with `--depth float`."""
    colour = ek.read_image("photo.png").astype(dtype)
    np.save("photo.npy", colour)
    result = run("sobel", "photo.npy", "--tone", tone, "--depth", "float", "-o", "out.npy")
    assert result.exit_code == 0, result.output
    native = colour.astype(colour.dtype.newbyteorder("="))
    expected = ek.sobel(native, tone=tone, channel="luminance")
    np.testing.assert_array_equal(np.load("out.npy"), expected)


def test_8_bit_output_uses_the_gray_of_the_decoder():
    run("sobel", "photo.png", "-o", "picture.png")
    gray = cv2.imread("photo.png", cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(shown("picture.png"), ek.to_display(ek.sobel(gray)).image)


def test_overlay_colours_the_edges():
    assert run("sobel", "photo.png", "--overlay", "-o", "overlay.png").exit_code == 0
    drawn, photo = shown("overlay.png").astype(int), shown("photo.png").astype(int)
    edges = ek.sobel(cv2.cvtColor(cv2.imread("photo.png"), cv2.COLOR_BGR2GRAY))
    changed = np.abs(drawn - photo).max(axis=2)
    # A quarter of a full step is opaque.
    assert changed[edges > 32].min() > 10
    assert (shown("overlay.png")[edges > 33] == (200, 255, 0)).all()
    assert changed[edges < 0.05].max() <= 1


def test_standard_input_and_output():
    data = Path("photo.png").read_bytes()
    piped = run("sobel", "-", input=data)
    assert piped.exit_code == 0
    assert piped.stderr == ""
    Path("piped.png").write_bytes(piped.stdout_bytes)
    run("sobel", "photo.png", "-o", "file.png")
    np.testing.assert_array_equal(shown("piped.png"), shown("file.png"))
    assert run("sobel", "photo.png", "-o", "-").stdout_bytes == piped.stdout_bytes
    # Outputs of streams are known and can be replaced, too.
    for _ in range(2):
        assert run("sobel", "-", "-o", "again.png", input=data).exit_code == 0
    empty = run("sobel", "-", input=b"")
    assert empty.exit_code == 1
    assert "standard input: empty" in empty.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["sobel", "missing.png"], 1, "missing.png: no such file"),
        (["sobel", "."], 2, "choose one with -o"),
        (["sobel", "photo.png", "--size", "4"], 2, "choose one of 3, 5, 7"),
        (["sobel", "photo.png", "--angle", "inf"], 2, "must be finite"),
        (["sobel", "photo.png", "--rotate", "ring", "--angle", "30"], 2, "multiple of 45"),
        (["gaussian", "photo.png", "--sigma", "-1"], 2, "sigma=-1.0 must be a positive"),
        (["laplacian", "photo.png", "--stencil", "5"], 2, "choose one of 4, 8"),
        (["laplacian", "photo.png", "--channel", "dizenzo"], 2, "not a gradient operator"),
        (["sobel", "photo.png", "-o", "a.gif"], 2, "cannot write '.gif'"),
        (["sobel", "photo.png", "-o", "a.jpg", "--depth", "16"], 2, "JPEG cannot hold depth 16"),
        (["sobel", "photo.png", "-o", "a.png", "--format", "jpg"], 2, "do not agree"),
        (["sobel", "photo.png", "--device", "cpu"], 2, "needs the torch backend"),
        (["sobel", "photo.png", "--backend", "torch", "--device", "nowhere"], 2, "cannot be used here"),
        (["sobel", "photo.png", "--overlay", "--border", "valid"], 2, "border other than"),
        (["sobel", "photo.png", "--overlay", "--depth", "16"], 2, "8 bits"),
        (["filter", "photo.png"], 2, "--kernel"),
        (["filter", "photo.png", "--kernel", "missing.json"], 2, "missing.json: cannot be read"),
        (["sobel", ""], 2, "name is empty"),
        (["sobel", "photo.png", "photo.png", "-o", "two.png"], 2, "several results need a folder"),
        (["sobel", "photo.png", "--rotate", "ring"], 2, "needs an angle"),
        (["sobel", "photo.png", "-o", "-", "--json"], 2, "not both"),
        (["sobel", "photo.png", "--overlay", "--display", "signed"], 2, "no sign"),
        (["sobel", "photo.png", "--depth", "float", "--display", "stretch"], 2, "no effect"),
        (["laplacian", "photo.png", "--stencil", "8", "--sigma", "2"], 2, "exclude each other"),
        (["sobel", "photo.png", "-o", "n" * 300 + ".png"], 1, "File name too long"),
        (["sobel"], 2, "INPUT"),
        (["nonsense"], 2, "No such command"),
        (["kernels", "nonsense"], 2, "choose one of sobel"),
        (["kernels", "laplacian", "--angle", "45"], 2, "has no direction"),
    ],
)  # fmt: skip
def test_error_messages_and_exit_codes(arguments, status, said):
    result = run(*arguments)
    assert result.exit_code == status
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback():
    assert "Traceback" in run("sobel", "missing.png", "--debug").stderr


def test_filter_with_kernel_files():
    Path("k.json").write_text('{"taps": [[-1, 0, 1]]}')
    Path("k.csv").write_text("-1, 0, 1\n")
    np.save("k.npy", [[-1, 0, 1]])
    for ending in ("json", "csv", "npy"):
        result = run("filter", "photo.png", "--kernel", f"k.{ending}", "-o", f"{ending}.tif", "--depth", "float")
        assert result.exit_code == 0, result.output
        expected = ek.correlate(ek.read_image("photo.png"), [[-1, 0, 1]], channel="luminance")
        np.testing.assert_array_equal(shown(f"{ending}.tif"), expected)
    assert run("filter", "photo.png", "--kernel", "k.csv").stdout == "photo.filter-k.png\n"


def test_kernels_lists_every_operator():
    assert {r["name"] for r in json.loads(run("kernels", "--json").stdout)} == set(OPERATORS)
    assert all(name in run("kernels").stdout for name in OPERATORS)
