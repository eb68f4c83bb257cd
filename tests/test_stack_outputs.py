"""What `edgekit focus` writes: the sharpest image, the all-in-focus image, the depth map, the plot."""

import json
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from stacks import DEPTHS, FOCI, OME, InOrder, plane, run, stack, write_folder

import edgekit as ek
from edgekit.batch.stack import Request, measure_stack
from edgekit.batch.stack_planes import stacks_of
from edgekit.common.read_options import ReadOptions


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_positions_in_any_order():
    """The pages of a file that was not taken in the order of the focus."""
    order = [3, 0, 5, 1, 6, 2, 4]
    planes = stack(4.0)[order, 0]
    tifffile.imwrite("a.tif", planes, photometric="minisblack")
    Path("z.txt").write_text("\n".join(str(10 * z) for z in order))
    result = run("a.tif", "--positions", "z.txt", "--depth-map", "depth.tif", "--fuse", "sharp.tif")
    assert result.exit_code == 0, result.stderr
    expected = ek.depth_map(list(stack(4.0)[:, 0]), [10 * z for z in range(DEPTHS)])
    np.testing.assert_array_equal(ek.read_image("depth.tif"), expected.depth)
    np.testing.assert_array_equal(ek.read_image("sharp.tif"), ek.fuse(list(stack(4.0)[:, 0])))


def test_the_sharpest_image_of_each_stack():
    planes = stack(*FOCI[:2])
    tifffile.imwrite("a.ome.tif", planes, metadata={"axes": "ZCYX", **OME})
    result = run("a.ome.tif", "-o", "best.tif")
    assert result.exit_code == 0, result.output
    for n, name in enumerate(("DAPI", "GFP")):
        written = ek.read_image(f"best.c{name}.tif")
        np.testing.assert_array_equal(written, planes[int(FOCI[n]), n])
    # Its own files are replaced, others are not.
    assert run("a.ome.tif", "-o", "best.tif").exit_code == 0
    Path("best.cGFP.tif").write_text("precious")
    refused = run("a.ome.tif", "-o", "best.tif")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert Path("best.cGFP.tif").read_text() == "precious"
    assert run("a.ome.tif", "-o", "best.tif", "--force").exit_code == 0


def test_fused_image_and_depth_map():
    scene = np.random.default_rng(0).integers(0, 256, (64, 90, 3), dtype=np.uint8)
    images = []
    for z in range(DEPTHS):
        near, far = (cv2.GaussianBlur(scene, (0, 0), 0.01 + 1.5 * abs(z - f)) for f in (1, 5))
        images.append(np.concatenate([near[:, :45], far[:, 45:]], axis=1))
    Path("stack").mkdir()
    for z, image in enumerate(images):
        ek.write_image(f"stack/{z}.png", image)
    Path("stack/4.png").write_bytes(b"broken")
    Path("z.csv").write_text("\n".join(f"{z}.png,{10 * z}" for z in range(DEPTHS)))
    result = run("stack", "--fuse", "sharp.png", "--depth-map", "depth.tif", "--positions", "z.csv")
    assert result.exit_code == 1, "one image is broken"
    assert [line for line in result.stdout.splitlines() if line.endswith((".png", ".tif"))][-3:] == [
        "sharp.png", "depth.tif", "depth.confidence.tif",
    ]  # fmt: skip
    kept = [image for z, image in enumerate(images) if z != 4]
    difference = np.abs(ek.read_image("sharp.png").astype(int) - ek.fuse(kept))
    # The command decodes gray images, whose luminance is rounded in another way.
    assert difference.max() <= 3
    assert (difference > 0).mean() < 0.02
    found = ek.depth_map(kept, [10 * z for z in range(DEPTHS) if z != 4])
    np.testing.assert_allclose(ek.read_image("depth.tif"), found.depth, atol=1)
    # An island has no confidence.
    written = ek.read_image("depth.confidence.tif")
    np.testing.assert_allclose(written, np.where(found.confidence > 0, found.confidence, written), atol=0.03)
    assert "write it into a .tif or .npy" in run("stack", "--depth-map", "depth.png").stderr
    # A fused image in the folder is not an image of the stack.
    assert run("stack", "--fuse", "stack/sharp.png").exit_code == 1
    assert run("stack", "--fuse", "stack/sharp.png").stdout.count("sharp.png") == 1


def test_a_message_about_images_that_are_not_aligned():
    texture = cv2.GaussianBlur(np.random.default_rng(0).random((160, 220)).astype(np.float32), (0, 0), 1.5) * 400
    Path("stack").mkdir()
    for z in range(4):
        ek.write_image(f"stack/{z}.png", np.roll(texture, 3 * z, 1).clip(0, 255).astype(np.uint8))
    result = run("stack", "--fuse", "sharp.png")
    assert result.exit_code == 0
    assert "the images are not aligned: they are shifted by up to" in result.stderr


def test_a_plot_for_each_stack_and_of_tiles():
    pytest.importorskip("matplotlib")
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX", **OME})
    assert run("a.ome.tif", "--plot", "focus.png", "--tiles", "3").exit_code == 0
    assert ek.read_image("focus.png").shape[:2] == (2 * 540, 12 * 120)
    # Its own plot is replaced.
    assert run("a.ome.tif", "--plot", "focus.png", "--select", "c=GFP").exit_code == 0
    assert ek.read_image("focus.png").shape[:2] == (540, 960)
    assert run("a.ome.tif", "--plot", "focus.svg").exit_code == 0
    text = Path("focus.svg").read_text()
    assert "z in" in text


def write_planes(folder: str, count: int = DEPTHS) -> None:
    Path(folder).mkdir()
    for z in range(count):
        ek.write_image(f"{folder}/{z}.png", np.repeat(plane(z, 3.0)[..., None], 3, 2).astype(np.uint16))


@pytest.mark.parametrize("roi", [(), ("--roi", "0,0,40,40")])
@pytest.mark.parametrize("kind", ["type", "size"])
def test_a_plane_unlike_the_first_fails(kind, roi):
    write_planes("stack")
    odd = ek.read_image("stack/3.png")
    ek.write_image("stack/3.png", (odd // 256).astype(np.uint8) if kind == "type" else odd[:50, :60])
    result = run("stack", "--fuse", "sharp.tif", *roi, "--json")
    assert result.exit_code == 1
    (found,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert [n for n, image in enumerate(found["images"]) if image["status"] == "failed"] == [3]
    assert (
        found["images"][3]["reason"]
        == {
            "type": "stack/3.png: expected the type uint16, as of the first image; found uint8",
            "size": "stack/3.png: expected the shape (64, 80), as of the first image; found (50, 60)",
        }[kind]
    )
    kept = [ek.read_image(f"stack/{z}.png") for z in range(DEPTHS) if z != 3]
    np.testing.assert_array_equal(ek.read_image("sharp.tif"), ek.fuse(kept))


def test_colours_unlike_the_first_are_not_fused():
    write_planes("stack")
    ek.write_image("stack/3.png", plane(3, 3.0).astype(np.uint16))
    result = run("stack", "--fuse", "sharp.tif", "--depth-map", "depth.tif")
    assert result.exit_code == 1
    assert "stack/3.png: expected the shape (64, 80, 3), as of the first image; found (64, 80)" in result.stderr
    assert not Path("sharp.tif").exists()
    # In gray it is like the others.
    assert "peak at 3.0" in result.stdout
    assert run("stack", "--depth-map", "depth.tif").exit_code == 0


def test_a_stack_that_fails_costs_its_row():
    write_folder("c{c}_z{z}.png")
    for z in range(DEPTHS):
        Path(f"stack/c1_z{z}.png").write_bytes(b"broken")
    result = run("stack", "--fuse", "sharp.tif", "--tiles", "2", "--json")
    assert result.exit_code == 1
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["select"]["c"] for one in found] == ["0", "1", "2"]
    assert [one["peak"] is None for one in found] == [False, True, False]
    assert "edgekit: c=1: no image can be read, so that nothing can be fused" in result.stderr
    assert sorted(p.name for p in Path().glob("sharp*")) == ["sharp.c0.tif", "sharp.c2.tif"]
    pytest.importorskip("matplotlib")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = run("stack", "--tiles", "2", "--plot", "focus.png")
    assert drawn.exit_code == 1
    assert ek.read_image("focus.png").shape[0] == 3 * 540


def test_a_file_that_vanishes_costs_its_rows():
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX", **OME})
    (planes, _) = stacks_of([Path("a.ome.tif")], ReadOptions())
    Path("a.ome.tif").unlink()
    measured = measure_stack(planes, Request("tenengrad"), InOrder(), ReadOptions())
    assert {image.status for image in measured.images} == {"failed"}
    assert {image.reason for image in measured.images} == {"a.ome.tif: no such file; check the name"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [(("核", "膜"), ["核", "膜"]), (("GFP-1", "GFP 1"), ["GFP-1", "GFP_1"]), (("a/b", "a b"), None)],
)
def test_names_of_outputs(names, expected):
    metadata = {"axes": "ZCYX", "Channel": {"Name": list(names)}}
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata=metadata)
    result = run("a.ome.tif", "-o", "best.tif", "--fuse", "sharp.tif")
    if expected is None:
        assert result.exit_code == 2
        assert "best.ca_b.tif: the output of c=a/b and of c=a b; choose one of them with --select" in result.stderr
        assert not list(Path().glob("best*"))
        return
    assert result.exit_code == 0, result.stderr
    written = [ek.read_image(f"best.c{name}.tif") for name in expected]
    assert not np.array_equal(*written)
    assert len(list(Path().glob("*.c*.tif"))) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [(("-o", "a.tif", "--fuse", "./a.tif"), "a.tif: named by -o and --fuse"),
     (("--fuse", "a.confidence.tif", "--depth-map", "a.tif"), "a.confidence.tif: named by --fuse and --depth-map"),
     (("-o", "a.png", "--plot", "link.png"), "link.png: named by -o and --plot")],
)  # fmt: skip
def test_one_file_for_two_options_is_refused(options, said):
    write_planes("stack")
    Path("link.png").symlink_to("a.png")
    result = run("stack", *options, "--force")
    assert result.exit_code == 2
    assert said in result.stderr
    assert not Path("a.tif").exists()


@pytest.mark.parametrize("option", ["-o", "--fuse", "--plot", "--depth-map"])
def test_inputs_are_not_replaced(option):
    write_planes("stack")
    tifffile.imwrite("stack/3.tif", ek.read_image("stack/3.png"))
    Path("z.tif").write_text("\n".join(map(str, range(DEPTHS + 1))))
    names = ["stack/3.png"] if option == "--plot" else ["stack/3.tif", "z.tif"]
    for name in names:
        before = Path(name).read_bytes()
        result = run("stack", option, name, "--force", "--positions", "z.tif")
        assert result.exit_code == 2
        assert f"{name}: an input of this run; choose another output" in result.stderr
        assert Path(name).read_bytes() == before
