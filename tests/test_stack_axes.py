"""`edgekit focus` on stacks with channels, times and positions: OME-TIFF, ImageJ, Zarr, and folders."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

import edgekit as ek
from edgekit.cli import main

DEPTHS = 7

#: Where each channel is in focus.
FOCI = (2.0, 4.0, 3.3)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plane(z: float, focus: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).random((64, 80)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), np.hypot(1.2, 0.4 + abs(z - focus))) * 40000


def stack(*foci: float) -> np.ndarray:
    """Return planes (z, c, rows, columns)."""
    return np.stack([[plane(z, f, n) for n, f in enumerate(foci)] for z in range(DEPTHS)]).astype(np.uint16)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["focus", *map(str, arguments)])


def records(*arguments: object) -> list[dict]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def peaks(*arguments: object) -> dict[str, float]:
    """Return the peak of each stack by its label."""
    return {
        ",".join(f"{a}={v}" for a, v in found["select"].items()): found["peak"]["position"]
        for found in records(*arguments)
    }


OME = {"PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "µm", "Channel": {"Name": ["DAPI", "GFP"]}}


@pytest.mark.parametrize("axes", ["ZCYX", "CZYX"])
def test_channels_of_ome(axes):
    planes = stack(*FOCI[:2])
    planes = planes if axes == "ZCYX" else planes.swapaxes(0, 1)
    tifffile.imwrite("a.ome.tif", planes, metadata={"axes": axes, **OME})
    found = peaks("a.ome.tif")
    assert found == pytest.approx({"c=DAPI": 1.0, "c=GFP": 2.0}, abs=0.03)
    assert peaks("a.ome.tif", "--select", "c=GFP") == {"c=GFP": found["c=GFP"]}
    assert peaks("a.ome.tif", "--select", "c=1") == {"c=GFP": found["c=GFP"]}
    assert peaks("a.ome.tif", "--select", "c=DAPI", "--select", "c=GFP") == found
    lines = run("a.ome.tif").stdout.splitlines()
    assert [line for line in lines if line.endswith(":")] == ["c=DAPI:", "c=GFP:"]
    assert sum("peak at z = " in line and " µm ± " in line for line in lines) == 2
    names = {image["name"] for image in records("a.ome.tif", "--select", "c=DAPI")[0]["images"]}
    # The planes of the channel, and not of the other one.
    expected = range(1, 2 * DEPTHS, 2) if axes == "ZCYX" else range(1, DEPTHS + 1)
    assert names == {f"a.ome.tif:{n}" for n in expected}


def test_times_and_channels_of_ome():
    planes = np.stack([stack(*FOCI[:2]), stack(3.0, 3.0)])
    tifffile.imwrite("a.ome.tif", planes, metadata={"axes": "TZCYX"})
    found = peaks("a.ome.tif")
    assert found == pytest.approx({"t=0,c=0": 2, "t=0,c=1": 4, "t=1,c=0": 3, "t=1,c=1": 3}, abs=0.05)
    assert list(peaks("a.ome.tif", "--select", "c=1,t=0")) == ["t=0,c=1"]


def test_positions_of_ome():
    with tifffile.TiffWriter("a.ome.tif", ome=True) as file:
        for focus in (2.0, 4.0):
            file.write(stack(focus)[:, 0], metadata={"axes": "ZYX", "PhysicalSizeZ": 3})
    assert peaks("a.ome.tif") == pytest.approx({"s=0": 6, "s=1": 12}, abs=0.1)
    assert list(peaks("a.ome.tif", "--select", "s=1")) == ["s=1"]


def test_imagej():
    planes = stack(*FOCI[:2])
    tifffile.imwrite("a.tif", planes, imagej=True, metadata={"axes": "ZCYX", "spacing": 0.25, "unit": "micron"})
    assert peaks("a.tif") == pytest.approx({"c=0": 0.5, "c=1": 1.0}, abs=0.02)
    assert {r["unit"] for r in records("a.tif")} == {"µm"}


@pytest.mark.parametrize("version", [2, 3])
def test_zarr(version):
    zarr = pytest.importorskip("zarr")
    planes = stack(*FOCI[:2]).swapaxes(0, 1)
    group = zarr.open_group("a.zarr", mode="w", zarr_format=version)
    group.create_array("0", data=planes, chunks=(1, 2, 64, 80))
    pyramid = {
        "axes": [{"name": "c"}, {"name": "z", "unit": "micrometer"}, {"name": "y"}, {"name": "x"}],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 0.5, 1, 1]}]}],
        "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 1, 1]}],
    }
    attributes = {"multiscales": [pyramid], "omero": {"channels": [{"label": "DAPI"}, {"label": "GFP"}]}}
    group.attrs.update({"ome": attributes} if version == 3 else attributes)
    assert peaks("a.zarr") == pytest.approx({"c=DAPI": 2.0, "c=GFP": 4.0}, abs=0.06)
    assert records("a.zarr")[0]["unit"] == "µm"


def test_a_zarr_without_axes_is_refused():
    zarr = pytest.importorskip("zarr")
    zarr.create_array("a.zarr", data=stack(*FOCI[:2]), chunks=(1, 1, 64, 80))
    refused = run("a.zarr")
    assert refused.exit_code == 2
    assert "--axes ZT, --axes TZ" in refused.stderr
    assert peaks("a.zarr", "--axes", "ZC") == pytest.approx({"c=0": 2, "c=1": 4}, abs=0.06)


@pytest.mark.parametrize(
    ("axes", "shape", "said"),
    [("TYX", (7,), "--axes Z"), ("CYX", (7,), "--axes Z"), ("QQYX", (7, 2), "--axes ZT, --axes TZ"),
     ("TCYX", (7, 2), "--axes ZC, --axes TZ")],
)  # fmt: skip
def test_axes_without_a_depth_are_refused(axes, shape, said):
    planes = stack(*FOCI[:2])[:, : shape[1]] if len(shape) == 2 else stack(2.0)[:, 0]
    tifffile.imwrite("a.tif", planes, metadata={"axes": axes}, photometric="minisblack")
    refused = run("a.tif")
    assert refused.exit_code == 2
    assert f"its axes {axes} (" in refused.stderr
    assert said in refused.stderr
    for choice in said.split(", ")[:1]:
        assert next(iter(peaks("a.tif", *choice.split()).values())) == pytest.approx(2, abs=0.06)


@pytest.mark.parametrize("stated", ["C", "CT", "ZZ", "ZCT", "CYX"])
def test_stated_axes_that_do_not_fit(stated):
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX"})
    refused = run("a.ome.tif", "--axes", stated)
    assert refused.exit_code == 2
    assert f"--axes {stated} does not fit its 7 x 2 images" in refused.stderr
    assert peaks("a.ome.tif", "--axes", "ZCYX") == peaks("a.ome.tif")


@pytest.mark.parametrize(
    ("select", "said"),
    [("c=RFP", "choose one of DAPI, GFP"), ("c=2", "choose one of DAPI, GFP"), ("t=0", "choose one of c"),
     ("c", "is not AXIS=VALUE"), ("channel=GFP", "is not AXIS=VALUE")],
)  # fmt: skip
def test_selections_that_do_not_fit(select, said):
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX", **OME})
    refused = run("a.ome.tif", "--select", select)
    assert refused.exit_code == 2
    assert said in refused.stderr


def write_folder(name: str) -> None:
    """Write planes of three channels; `name` is formatted with c and z."""
    Path("stack").mkdir()
    for c, focus in enumerate(FOCI):
        for z in range(DEPTHS):
            ek.write_image(f"stack/{name.format(c=c, z=z)}", plane(z, focus).astype(np.uint16))


@pytest.mark.parametrize(
    "name", ["cell_c{c}_z{z:03}.png", "Z{z}-Ch{c}.png", "run2_channel {c} slice {z}.png", "img_channel00{c}_z00{z}.png"]
)
def test_names_with_indices(name):
    write_folder(name)
    assert peaks("stack") == pytest.approx({f"c={n}": focus for n, focus in enumerate(FOCI)}, abs=0.1)
    assert list(peaks("stack", "--select", "c=1")) == ["c=1"]


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


def test_positions_file_for_each_stack():
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX", **OME})
    Path("z.txt").write_text("\n".join(str(10 * z) for z in range(DEPTHS)))
    assert peaks("a.ome.tif", "--positions", "z.txt") == pytest.approx({"c=DAPI": 20, "c=GFP": 40}, abs=0.6)


def test_a_region_and_tiles():
    """The plane of focus is tilted: the left side is in focus at 1.5, the right side at 4.5."""
    texture = np.random.default_rng(0).random((120, 180)).astype(np.float32) * 200
    planes = []
    for z in range(DEPTHS):
        levels = [
            cv2.GaussianBlur(texture, (0, 0), np.hypot(0.8, 0.8 * abs(z - (1.5 + 3 * n / 59)))) for n in range(60)
        ]
        planes.append(np.concatenate([level[:, 3 * n : 3 * n + 3] for n, level in enumerate(levels)], axis=1))
    tifffile.imwrite("a.tif", np.stack(planes).astype(np.uint8), photometric="minisblack")
    left, right = (records("a.tif", "--roi", roi)[0]["peak"]["position"] for roi in ("0,0,45,120", "135,0,45,120"))
    assert (left, right) == pytest.approx((1.5 + 3 / 8, 4.5 - 3 / 8), abs=0.2)
    found = records("a.tif", "--tiles", "4")[0]
    positions = np.reshape([tile["position"] for tile in found["tiles"]], (4, 4))
    np.testing.assert_allclose(positions, np.tile(1.5 + 3 * (np.arange(4) + 0.5) / 4, (4, 1)), atol=0.25)
    assert found["surface"]["tilt_x"] == pytest.approx(3, abs=0.3)
    assert found["surface"]["tilt_y"] == pytest.approx(0, abs=0.2)
    assert found["surface"]["centre"] == pytest.approx(3, abs=0.1)
    line = run("a.tif", "--tiles", "4").stdout.splitlines()[-1]
    assert line.startswith("tiles: 16 of 16 have a peak; tilt +")
    outside = run("a.tif", "--roi", "100,0,100,50")
    assert outside.exit_code == 1
    assert "the region 100,0,100,50 is not within the 180x120 pixels" in outside.stderr


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


def test_axes_of_a_file_in_a_store():
    fsspec = pytest.importorskip("fsspec")
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX"})
    tifffile.imwrite("pages.tif", stack(2.0)[:, 0], photometric="minisblack")
    memory = fsspec.filesystem("memory")
    for name in ("a.ome.tif", "pages.tif"):
        memory.pipe(f"/stacks/{name}", Path(name).read_bytes())
    refused = run("memory://stacks/a.ome.tif")
    assert refused.exit_code == 2
    assert "its axes ZCYX can be told apart only in a file on this machine; copy it" in refused.stderr
    assert peaks("memory://stacks/pages.tif") == pytest.approx({"": 2}, abs=0.06)
