"""What `edgekit focus` writes: the sharpest image, the all-in-focus image, the depth map, the plot."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from stacks import DEPTHS, FOCI, OME, run, stack

import edgekit as ek


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
