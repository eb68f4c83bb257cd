"""`edgekit focus` on files with channels, times and positions: OME-TIFF, ImageJ, Zarr."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from stacks import DEPTHS, FOCI, OME, peaks, records, run, stack

import edgekit as ek


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


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


def test_positions_file_for_each_stack():
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX", **OME})
    Path("z.txt").write_text("\n".join(str(10 * z) for z in range(DEPTHS)))
    assert peaks("a.ome.tif", "--positions", "z.txt") == pytest.approx({"c=DAPI": 20, "c=GFP": 40}, abs=0.6)


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


def test_axes_of_a_file_in_a_store():
    fsspec = pytest.importorskip("fsspec")
    tifffile.imwrite("a.ome.tif", stack(*FOCI[:2]), metadata={"axes": "ZCYX"})
    tifffile.imwrite("pages.tif", stack(2.0)[:, 0], photometric="minisblack")
    memory = fsspec.filesystem("memory")
    for name in ("a.ome.tif", "pages.tif"):
        memory.pipe(f"/stacks/{name}", Path(name).read_bytes())
    refused = run("memory://stacks/a.ome.tif")
    assert refused.exit_code == 2
    assert "a stack with the axes ZCYX is not read from a store; copy the file to this machine" in refused.stderr
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


def test_planes_that_are_not_in_the_file_fail():
    tifffile.imwrite("a.ome.tif", stack(2.0)[:, 0], metadata={"axes": "ZYX", **OME})
    damage("a.ome.tif", b'SizeZ="7"', b'SizeZ="9"')
    result = run("a.ome.tif", "--json")
    assert result.exit_code == 1
    images = json.loads(result.stdout)["images"]
    assert [image["status"] for image in images] == ["ok"] * 7 + ["failed"] * 2
    assert images[8]["reason"] == "a.ome.tif:9: stated, but not in the file. Copy or export it again"


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
