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


def write_folder(name: str) -> None:
    """Write planes of three channels; `name` is formatted with c and z."""
    for c, focus in enumerate(FOCI):
        for z in range(DEPTHS):
            path = Path("stack", name.format(c=c, z=z))
            path.parent.mkdir(parents=True, exist_ok=True)
            ek.write_image(path, plane(z, focus).astype(np.uint16))


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


def test_stated_positions_have_no_unit():
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX", **OME})
    Path("z.txt").write_text("\n".join(str(10 * z) for z in range(DEPTHS)))
    assert {found["unit"] for found in records("a.ome.tif", "--positions", "z.txt")} == {""}
    assert "µm" not in run("a.ome.tif", "--positions", "z.txt").stdout


#: Unequal, equal, and none.
STAGE = {"unequal": [0, 0.4, 1.1, 1.5, 2.1, 2.6, 3.0], "descending": [9, 8, 7, 6, 5, 4, 3],
         "equal": [100 + 0.5 * z for z in range(DEPTHS)], "same": [5] * DEPTHS}  # fmt: skip


@pytest.mark.parametrize("kind", list(STAGE))
@pytest.mark.parametrize("unit", ["mm", None])
def test_positions_that_ome_states(kind, unit):
    places = STAGE[kind]
    metadata = {"axes": "ZCYX", **OME, "Plane": {"PositionZ": [z for z in places for _ in range(2)]}}
    if unit:
        metadata["Plane"]["PositionZUnit"] = [unit] * 2 * DEPTHS
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata=metadata)
    stated = kind in ("unequal", "descending")
    for found in records("a.ome.tif"):
        assert [i["position"] for i in found["images"]] == (places if stated else [0.5 * z for z in range(DEPTHS)])
        assert found["unit"] == ((unit or "") if stated else "µm")
    damage("a.ome.tif", b'TheZ="3"', b'TheZ="2"')
    assert [i["position"] for i in records("a.ome.tif")[0]["images"]] == [0.5 * z for z in range(DEPTHS)]


def test_each_image_of_ome_has_its_own_metadata():
    with tifffile.TiffWriter("a.ome.tif", ome=True) as file:
        for step in (1, 3):
            file.write(stack(4.0)[:, 0], metadata={"axes": "ZYX", "PhysicalSizeZ": step})
    assert peaks("a.ome.tif") == pytest.approx({"s=0": 4, "s=1": 12}, abs=0.1)


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


@pytest.mark.parametrize("described", [False, True])
@pytest.mark.parametrize("kind", ["one bit", "turned"])
def test_pages_that_cannot_be_read_by_windows(kind, described):
    planes = stack(*FOCI[:2]) if described else stack(4.0)[:, 0]
    turned = [(274, "H", 1, 6, False)] if kind == "turned" else []
    metadata = {"axes": "ZCYX", **OME} if described else None
    tifffile.imwrite(
        "a.ome.tif", planes if turned else planes > 20000, ome=described, metadata=metadata,
        photometric="minisblack", extratags=turned,
    )  # fmt: skip
    expected = {"c=DAPI": 1.0, "c=GFP": 2.0} if described else {"": 4.0}
    assert peaks("a.ome.tif") == pytest.approx(expected, abs=0.2)
    assert run("a.ome.tif", "-o", "best.tif").exit_code == 0
    best = ek.read_image("best.cGFP.tif" if described else "best.tif")
    sharpest = planes[4, 1] if described else planes[4]
    np.testing.assert_array_equal(best > 0, np.rot90(sharpest, -1) > 0 if turned else sharpest > 20000)


def damage(path: str, old: bytes, new: bytes) -> None:
    data = Path(path).read_bytes()
    assert old in data
    Path(path).write_bytes(data.replace(old, new.ljust(len(old))))


@pytest.mark.parametrize(("old", "new"), [(b"<Pixels", b"<Pixel>"), (b'SizeZ="7"', b'SizeZ="q"'), (b"OME>", b"OM")])
def test_damaged_metadata_of_ome_are_named(old, new):
    tifffile.imwrite("a.ome.tif", stack(2.0)[:, 0], metadata={"axes": "ZYX", **OME})
    damage("a.ome.tif", old, new)
    result = run("a.ome.tif")
    assert result.exit_code == 0, result.output
    assert "a.ome.tif: its OME metadata cannot be read; its 7 pages are measured in the order of the file" in (
        result.stderr
    )
    assert "peak at 2.0" in result.stdout
    refused = run("a.ome.tif", "--axes", "ZC")
    assert refused.exit_code == 2
    assert "--axes ZC does not fit its 7 images" in refused.stderr
