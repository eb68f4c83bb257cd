"""`edgekit focus` on folders whose file names have indices of the channel, the time and the depth."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from stacks import DEPTHS, FOCI, peaks, plane, run, stack, write_folder

import edgekit as ek


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_selection_without_a_stack():
    write_folder("t{c}_c{z}_z0.png")
    for path in sorted(Path("stack").glob("t0*")):
        path.rename(path.with_name(path.name.replace("z0", "z1")))
    Path("stack/t0_c3_z1.png").unlink()
    refused = run("stack", "--select", "c=3,t=0")
    assert refused.exit_code == 2
    assert "--select c=3,t=0: no stack has all of these; there are c=0, t=0; c=0, t=1; " in refused.stderr
    Path("empty").mkdir()
    assert "no images found" in run("empty", "--select", "c=3").stderr


@pytest.mark.parametrize(
    "name",
    ["cell_c{c}_z{z:03}.png", "Z{z}-Ch{c}.png", "run2_channel {c} slice {z}.png", "img_channel00{c}_z00{z}.png",
     "img_c_{c}_z_{z}.png", "img_w{c}_z{z}.png", "c{c}/z{z}.png", "z{z}/c{c}.png", "20260131T120000_c{c}_z{z}.png",
     "2026-01-31T12-00-00 c{c} z{z}.png"],
)  # fmt: skip
def test_names_with_indices(name):
    write_folder(name)
    files = "stack/*/*.png" if "/" in name else "stack"
    assert peaks(files) == pytest.approx({f"c={n}": focus for n, focus in enumerate(FOCI)}, abs=0.1)
    assert list(peaks(files, "--select", "c=1")) == ["c=1"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("img_q{c}_z{z}.png", "have the same indices"), ("DAPI{c}/z{z}.png", "have the same indices"),
     ("c{c}_00{z}.png", "an index of the channel, and none of the depth")],
)  # fmt: skip
def test_channels_that_names_do_not_tell_are_not_mixed(name, said):
    write_folder(name)
    files = "stack/*/*.png" if "/" in name else "stack"
    refused = run(files)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert "with --pattern, such as {c}_{t}_{z}.tif" in refused.stderr
    found = peaks(files, "--pattern", name)
    assert found == pytest.approx({f"c={n}": focus for n, focus in enumerate(FOCI)}, abs=0.1)


def test_planes_that_are_missing_move_nothing():
    write_folder("c{c}_z{z}.png")
    for name in ("c1_z1", "c1_z2", "c2_z5"):
        Path(f"stack/{name}.png").unlink()
    result = run("stack")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "edgekit: c=1: no image has the depth 1, 2", "edgekit: c=2: no image has the depth 5"
    ]  # fmt: skip
    assert peaks("stack") == pytest.approx({f"c={n}": focus for n, focus in enumerate(FOCI)}, abs=0.3)
    # One stack, from 1 on.
    Path("stack/c2_z0.png").unlink()
    assert peaks("stack/c2*.png") == pytest.approx({"": FOCI[2]}, abs=0.3)
    assert "no image has the depth 5\n" in run("stack/c2*.png").stderr
    assert run("stack/c2*.png", "--quiet").stderr == ""


def test_depths_in_names():
    Path("stack").mkdir()
    for n in range(DEPTHS):
        ek.write_image(f"stack/z{0.5 * n}um.png", plane(n, 4.0).astype(np.uint16))
        ek.write_image(f"stack/{n}.png", plane(n, 4.0).astype(np.uint16))
    assert peaks("stack/z*.png") == pytest.approx({"": 2.0}, abs=0.05)
    refused = run("stack")
    assert refused.exit_code == 2
    assert "an index of the depth, and some such as 0.png do not" in refused.stderr
    assert run("stack/[0-9].png").stderr == ""


@pytest.mark.parametrize("name", ["DAPI_{}.png", "{}DAPI.png", "DAPI/{}.png", "DAPI405-{}.png"])
def test_channels_that_are_words_are_not_mixed(name):
    for z in range(DEPTHS):
        for channel, focus in (("DAPI405", 2.0), ("GFP488", 4.0)):
            path = Path("stack", name.format(z).replace("DAPI405", channel).replace("DAPI", channel[:-3]))
            path.parent.mkdir(parents=True, exist_ok=True)
            ek.write_image(path, plane(z, focus).astype(np.uint16))
    files = "stack/*/*.png" if "/" in name else "stack"
    refused = run(files)
    assert refused.exit_code == 2
    assert "the names look like those of several stacks, such as" in refused.stderr
    pattern = name.replace("{}", "{z}").replace("DAPI405", "{c}").replace("DAPI", "{c}")
    assert sorted(peaks(files, "--pattern", pattern).values()) == pytest.approx([2.0, 4.0], abs=0.1)
    # Names of one channel, and of another image.
    for path in Path("stack").rglob("*.png"):
        if "GFP" in str(path) and not (path.stem.startswith("1") or path.stem.endswith("1")):
            path.unlink()
    assert run(files).exit_code == 0


@pytest.mark.parametrize(("name", "peak"), [("z{}.png", -1.0), ("z-{}.png", 4.0), ("z_{}um.png", -1.0)])
def test_depths_below_zero(name, peak):
    Path("stack").mkdir()
    for n in range(DEPTHS):
        ek.write_image(f"stack/{name.format(n if '-' in name else n - 5)}", plane(n, 4.0).astype(np.uint16))
    assert peaks("stack") == pytest.approx({"": peak}, abs=0.05)


def test_a_pattern():
    write_folder("{z:02}_wave{c}_a.png")
    Path("stack/notes.png").write_bytes(b"")
    found = run("stack", "--pattern", "{z}_{c}_*.png")
    assert found.exit_code == 0, found.output
    assert "1 skipped" in found.stderr
    assert peaks("stack", "--pattern", "{z}_{c}_*.png") == pytest.approx(
        {f"c=wave{n}": focus for n, focus in enumerate(FOCI)}, abs=0.1
    )


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("{c}.png", "must contain {z}"), ("{z}_{z}.png", "must contain {z}"), ("{z}_{q}.png", "must contain {z}"),
     ("{z}_{c}.tif", "no name fits the pattern {z}_{c}.tif; one of them is"),
     ("*z{z}.png", "have the same indices")],
)  # fmt: skip
def test_patterns_that_do_not_fit(pattern, said):
    write_folder("c{c}_z{z}.png")
    refused = run("stack", "--pattern", pattern)
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_names_that_are_ambiguous():
    write_folder("c{c}_z{z}.png")
    Path("stack/z3.png").write_bytes(Path("stack/c0_z3.png").read_bytes())
    refused = run("stack")
    assert refused.exit_code == 2
    assert "z3.png do not; state where the indices are with --pattern" in refused.stderr


def test_a_file_with_several_images_among_others():
    write_folder("z{z}_{c}.png")
    tifffile.imwrite("stack/z9.tif", stack(2.0)[:, 0], photometric="minisblack")
    result = run("stack/z9.tif", "stack/z1_0.png", "stack/z2_0.png", "stack/z3_0.png")
    assert result.exit_code == 1
    assert "image 1 of 7 in the file, but one of several files" in result.stderr
