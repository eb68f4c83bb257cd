"""The command line as its users type it: what is written, what is said, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

import edgekit as ek
from edgekit.cli import main
from edgekit.kernels import OPERATORS


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    """A user with an own home, standing in a folder with one photograph of 40x30 pixels."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    y, x = np.mgrid[:30, :40]
    photo = np.stack([5 * x, 8 * y, 255 - 3 * (x + y)], axis=-1).astype(np.uint8)
    photo[8:20, 10:25] = (250, 240, 10)
    ek.write_image("photo.png", photo)
    return folder


def run(*arguments: str, **extra: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], **extra)


def shown(path: str) -> np.ndarray:
    return cv2.imread(path, cv2.IMREAD_UNCHANGED)


def test_one_image_lies_beside_its_input_under_a_name_that_tells_the_filter():
    result = run("sobel", "photo.png", "--angle", "45")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "photo.sobel-45.png\n", "")
    grey = cv2.imread("photo.png", cv2.IMREAD_GRAYSCALE)
    gx, gy = (cv2.Sobel(grey, cv2.CV_64F, *d, borderType=cv2.BORDER_REFLECT_101) for d in ((1, 0), (0, 1)))
    response = np.abs((gx + gy) * np.sqrt(0.5)) / 8
    # White is an ideal step from 0 to 255 across 45 degrees: three taps of 2·cos(45) on one side, over 8.
    white = 255 * 6 * np.sqrt(0.5) / 8
    np.testing.assert_allclose(shown("photo.sobel-45.png"), np.clip(response * 255 / white, 0, 255), atol=0.5001)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_is_a_command(name):
    result = run(name, "photo.png", "-o", "out.tif", "--depth", "float", "--border", "wrap")
    assert result.exit_code == 0, result.output
    grey = cv2.imread("photo.png", cv2.IMREAD_GRAYSCALE)
    function = {"gaussian": ek.gaussian_gradient, "central": None}.get(name, getattr(ek, name, None))
    if function is None:
        expected = ek.gradient(grey, operator=name, border="wrap").magnitude
    else:
        expected = function(grey, border="wrap")
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
        (["prewitt", "--rotate", "ring", "--angle", "135", "--format", "jpg"], "photo.prewitt-135.jpg"),
    ],
)
def test_names(arguments, name):
    command, *rest = arguments
    result = run(command, "photo.png", *rest)
    assert result.stdout == f"{name}\n", result.output
    assert Path(name).stat().st_size > 0


def test_several_angles_give_several_outputs():
    result = run("sobel", "photo.png", "--angle", "0", "--angle", "90")
    assert result.stdout.split() == ["photo.sobel-0.png", "photo.sobel-90.png"]
    assert run("sobel", "photo.png", "--angle", "0", "--angle", "90", "-o", "one.png").exit_code == 2


def test_both_backends_write_the_same_picture():
    assert run("sobel", "photo.png", "--angle", "30", "-o", "a.png").exit_code == 0
    assert run("sobel", "photo.png", "--angle", "30", "-o", "b.png", "--backend", "torch").exit_code == 0
    assert run("sobel", "photo.png", "-o", "c.png", "--channel", "each").exit_code == 0
    assert run("sobel", "photo.png", "-o", "d.png", "--channel", "each", "--backend", "torch").exit_code == 0
    np.testing.assert_array_equal(shown("a.png"), shown("b.png"))
    assert shown("c.png").shape == (30, 40, 3)
    # Magnitudes agree to two units in the last place, which may fall on either side of a rounding.
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


def test_overlay_draws_in_colour_where_the_edges_are():
    assert run("sobel", "photo.png", "--overlay", "-o", "overlay.png").exit_code == 0
    drawn, photo = shown("overlay.png").astype(int), shown("photo.png").astype(int)
    edges = ek.sobel(cv2.cvtColor(cv2.imread("photo.png"), cv2.COLOR_BGR2GRAY))
    changed = np.abs(drawn - photo).max(axis=2)
    assert changed[edges > 40].min() > 10
    assert changed[edges < 0.2].max() <= 1


def test_streams():
    data = Path("photo.png").read_bytes()
    piped = run("sobel", "-", input=data)
    assert piped.exit_code == 0
    assert piped.stderr == ""
    Path("piped.png").write_bytes(piped.stdout_bytes)
    run("sobel", "photo.png", "-o", "file.png")
    np.testing.assert_array_equal(shown("piped.png"), shown("file.png"))
    assert run("sobel", "photo.png", "-o", "-").stdout_bytes == piped.stdout_bytes
    empty = run("sobel", "-", input=b"")
    assert empty.exit_code == 1
    assert "standard input: empty" in empty.stderr


@pytest.fixture
def tree():
    """A folder as they are: odd names, wrong endings, broken files, files that are no images."""
    data = Path("photo.png").read_bytes()
    for name in (
        "a b.png",
        "ÜBER.PNG",
        "sub/no-ending",
        "sub/wrong.jpg",
        "sub/same.png",
        "sub/same.bmp",
        ".hidden.png",
    ):
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    Path("photos/notes.txt").write_text("hello")
    Path("photos/broken.png").write_bytes(data[:200])
    Path("photos/empty.jpg").write_bytes(b"")
    return Path("photos")


def listing(folder: str) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())


def test_a_folder_is_mirrored_and_a_broken_file_costs_one_row(tree):
    result = run("sobel", "photos", "-r", "-o", "edges", "-j", "2")
    assert result.exit_code == 1
    assert listing("edges") == [
        ".edgekit.sqlite",
        "a b.sobel.png",
        "sub/no-ending.sobel.png",
        "sub/same.bmp.sobel.png",
        "sub/same.png.sobel.png",
        "sub/wrong.sobel.png",
        "ÜBER.sobel.png",
    ]
    assert sorted(result.stdout.splitlines()) == [f"edges/{p}" for p in listing("edges")[1:]]
    *failures, summary = result.stderr.splitlines()
    assert len(failures) == 2
    assert any("photos/broken.png: a PNG file that cannot be decoded" in line for line in failures)
    assert any("photos/empty.jpg: the file is empty (0 bytes)" in line for line in failures)
    assert summary.startswith("edgekit: 6 done, 2 failed, 1 passed over (no images) in ")


def test_without_recursive_folders_within_are_left(tree):
    run("sobel", "photos", "-o", "edges", "-q")
    assert listing("edges") == [".edgekit.sqlite", "a b.sobel.png", "ÜBER.sobel.png"]


def test_include_and_exclude(tree):
    run("sobel", "photos", "-r", "-o", "edges", "--include", "*.png", "--exclude", "sub/*")
    assert listing("edges") == [".edgekit.sqlite", "a b.sobel.png"]


def test_a_glob_keeps_the_tree_below_its_fixed_part(tree):
    assert run("sobel", "photos/**/same.*", "-o", "edges").exit_code == 0
    assert listing("edges")[1:] == ["sub/same.bmp.sobel.png", "sub/same.png.sobel.png"]
    nothing = run("sobel", "photos/*.xyz", "-o", "edges")
    assert nothing.exit_code == 2
    assert "no file matches" in nothing.stderr


def test_two_folders_keep_their_names(tree):
    Path("more").mkdir()
    Path("more/a b.png").write_bytes(Path("photo.png").read_bytes())
    run("sobel", "photos", "more", "-o", "edges", "--include", "a*")
    assert listing("edges")[1:] == ["more/a b.sobel.png", "photos/a b.sobel.png"]


def test_a_folder_needs_a_place_for_its_results(tree):
    result = run("sobel", "photos")
    assert result.exit_code == 2
    assert "name a folder with -o" in result.stderr


def test_an_empty_folder_is_no_error():
    Path("empty").mkdir()
    result = run("sobel", "empty", "-o", "edges")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no images found" in result.stderr


def test_json_has_one_object_for_each_item(tree):
    result = run("sobel", "photos", "-o", "edges", "--json")
    rows = {r["input"]: r for r in map(json.loads, result.stdout.splitlines())}
    assert set(rows) == {f"photos/{n}" for n in ("a b.png", "ÜBER.PNG", "broken.png", "empty.jpg")}
    assert rows["photos/a b.png"] == {
        "input": "photos/a b.png", "output": "edges/a b.sobel.png", "filter": "sobel", "status": "done",
        "width": 40, "height": 30, "clipped": rows["photos/a b.png"]["clipped"],
    }  # fmt: skip
    assert rows["photos/empty.jpg"]["status"] == "failed"
    assert "0 bytes" in rows["photos/empty.jpg"]["reason"]


def test_quiet_says_errors_only(tree):
    result = run("sobel", "photos", "-o", "edges", "-q")
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2


def test_what_is_done_is_taken_up_again_and_what_is_stale_is_redone(tree):
    def made() -> dict[str, int]:
        return {p: Path("edges", p).stat().st_mtime_ns for p in listing("edges")[1:]}

    run("sobel", "photos", "-o", "edges")
    first = made()
    again = run("sobel", "photos", "-o", "edges")
    assert "2 up to date" in again.stderr
    assert made() == first
    # Another job under the same name, then a changed input.
    run("sobel", "photos", "-o", "edges", "--border", "wrap")
    assert all(made()[p] > first[p] for p in first)
    second = made()
    ek.write_image("photos/a b.png", np.zeros((9, 9), np.uint8))
    result = run("sobel", "photos", "-o", "edges", "--border", "wrap")
    assert "1 done, 1 up to date" in result.stderr
    assert {p for p in first if made()[p] > second[p]} == {"a b.sobel.png"}
    assert shown("edges/a b.sobel.png").shape == (9, 9)


def test_an_output_folder_can_be_moved(tree):
    run("sobel", "photos", "-o", "edges")
    Path("edges").rename("moved")
    assert "2 up to date" in run("sobel", "photos", "-o", "moved").stderr


@pytest.mark.parametrize("output", ["mine.png", "edges/"])
def test_a_file_that_edgekit_did_not_write_is_replaced_only_by_force(output):
    target = Path(output if output.endswith(".png") else "edges/photo.sobel.png")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"precious")
    refused = run("sobel", "photo.png", "-o", output)
    assert refused.exit_code == 1
    assert "edgekit did not write" in refused.stderr
    assert target.read_bytes() == b"precious"
    assert run("sobel", "photo.png", "-o", output, "--force").exit_code == 0
    assert run("sobel", "photo.png", "-o", output, "--border", "wrap").exit_code == 0
    # Once somebody has changed it, it is not edgekit's any more.
    target.write_bytes(b"precious again")
    assert run("sobel", "photo.png", "-o", output).exit_code == 1
    assert target.read_bytes() == b"precious again"


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_output_never_falls_on_an_input(force):
    before = Path("photo.png").read_bytes()
    Path("link.png").symlink_to("photo.png")
    for output in ("photo.png", "../work/photo.png", "link.png"):
        result = run("sobel", "photo.png", "-o", output, *force)
        assert result.exit_code == 1
        assert "would be written over" in result.stderr
    assert Path("photo.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["sobel", "missing.png"], 1, "missing.png: no such file"),
        (["sobel", "."], 2, "name a folder with -o"),
        (["sobel", "photo.png", "--size", "4"], 2, "choose one of 3, 5, 7"),
        (["sobel", "photo.png", "--angle", "nan"], 2, "must be finite"),
        (["sobel", "photo.png", "--rotate", "ring", "--angle", "30"], 2, "multiple of 45"),
        (["gaussian", "photo.png", "--sigma", "-1"], 2, "sigma=-1.0 must be a positive"),
        (["laplacian", "photo.png", "--stencil", "5"], 2, "choose one of 4, 8"),
        (["laplacian", "photo.png", "--channel", "dizenzo"], 2, "not a gradient operator"),
        (["sobel", "photo.png", "-o", "a.gif"], 2, "cannot write '.gif'"),
        (["sobel", "photo.png", "-o", "a.jpg", "--depth", "16"], 2, "JPEG cannot hold depth 16"),
        (["sobel", "photo.png", "-o", "a.png", "--format", "jpg"], 2, "do not agree"),
        (["sobel", "photo.png", "--device", "cpu"], 2, "for the torch backend"),
        (["sobel", "photo.png", "--backend", "torch", "--device", "nowhere"], 2, "cannot be used here"),
        (["sobel", "photo.png", "--overlay", "--border", "valid"], 2, "border other than"),
        (["sobel", "photo.png", "--overlay", "--depth", "16"], 2, "8 bits"),
        (["filter", "photo.png"], 2, "--kernel"),
        (["filter", "photo.png", "--kernel", "missing.json"], 2, "missing.json: cannot be read"),
        (["sobel"], 2, "INPUT"),
        (["nonsense"], 2, "No such command"),
        (["kernels", "nonsense"], 2, "choose one of sobel"),
        (["kernels", "laplacian", "--angle", "45"], 2, "has no direction"),
    ],
)  # fmt: skip
def test_wrong_use_says_what_to_do(arguments, status, said):
    result = run(*arguments)
    assert result.exit_code == status
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback():
    assert "Traceback" in run("sobel", "missing.png", "--debug").stderr


def test_a_kernel_of_ones_own():
    Path("k.json").write_text('{"taps": [[-1, 0, 1]]}')
    Path("k.csv").write_text("-1, 0, 1\n")
    np.save("k.npy", [[-1, 0, 1]])
    for ending in ("json", "csv", "npy"):
        result = run("filter", "photo.png", "--kernel", f"k.{ending}", "-o", f"{ending}.tif", "--depth", "float")
        assert result.exit_code == 0, result.output
        expected = cv2.filter2D(cv2.imread("photo.png", 0), cv2.CV_32F, np.float32([[-1, 0, 1]]))
        np.testing.assert_array_equal(shown(f"{ending}.tif"), expected)
    assert run("filter", "photo.png", "--kernel", "k.csv").stdout == "photo.filter-k.png\n"


def test_kernels_prints_taps_with_an_arrow():
    text = run("kernels", "sobel", "--angle", "45", "--rotate", "ring").stdout
    assert text.splitlines() == ["Sobel at 45° ↘, divided by 8.48528:", "  -2 -1  0", "  -1  0  1", "   0  1  2"]
    row = json.loads(run("kernels", "dog", "--json").stdout)
    assert row["divisor"] < 0
    assert {r["name"] for r in json.loads(run("kernels", "--json").stdout)} == set(OPERATORS)
    assert all(name in run("kernels").stdout for name in OPERATORS)


def test_interrupting_keeps_what_is_finished_and_leaves_no_partial_file():
    photo = np.random.default_rng(0).integers(0, 256, (1500, 2000), dtype=np.uint8)
    Path("many").mkdir()
    for n in range(40):
        ek.write_image(f"many/{n:02}.png", photo) if n == 0 else os.link("many/00.png", f"many/{n:02}.png")
    command = [sys.executable, "-m", "edgekit", "sobel", "many", "-o", "edges", "-j", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(Path().glob("edges/*.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "not begun" in err
    assert "Traceback" not in err
    finished = sorted(Path("edges").glob("*.png"))
    assert 0 < len(finished) < 40
    assert all(shown(str(p)).shape == (1500, 2000) for p in finished)
    assert not list(Path("edges").glob("*part*"))
    assert not list(Path("edges").glob(".*part*"))
    again = run("sobel", "many", "-o", "edges")
    assert again.exit_code == 0
    assert f"{len(finished)} up to date" in again.stderr
