"""Size of a pixel, geographic tags, pixels without data; `info` and `open_image`."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from command_line import run
from test_large import run_in_windows

import edgekit as ek

#: Pixels of 10 x 20 m on a UTM grid.
TAGS = [
    (33550, "d", 3, (10.0, 20.0, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 5e5, 5.4e6, 0.0), True),
    (34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 32632, 3076, 0, 1, 9001), True),
    (42112, "s", 0, "<GDALMetadata/>", True),
]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def slope(dtype=np.float32):
    """Return heights that rise by 20 m per column and by 30 m per row."""
    y, x = np.mgrid[:60, :80]
    return (20 * x + 30 * y + 500).astype(dtype)


def write(name, image, *, nodata=None, **options):
    tags = [*TAGS, *([] if nodata is None else [(42113, "s", 0, str(nodata), True)])]
    tifffile.imwrite(name, image, extratags=tags, metadata=None, photometric="minisblack", **options)


def tags_of(name):
    with tifffile.TiffFile(name) as file:
        return {tag.code: tag.value for tag in file.pages[0].tags if tag.code > 33000}


@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_pixels_without_data_are_masked(dtype, do):
    image = slope(dtype)
    image[20:30, 30:40] = -9999
    write("heights.tif", image, nodata=-9999, tile=(16, 16))
    assert do("sobel", "heights.tif", "--angle", "0", "--depth", "float", "-o", "slope.tif").exit_code == 0
    found = tifffile.imread("slope.tif")
    missing = found == -9999
    # A kernel of 3x3 with zeros in the middle column.
    hole = image == -9999
    covered = cv2.dilate(hole.astype(np.uint8), np.array([[1, 0, 1]] * 3, np.uint8)) > 0
    np.testing.assert_array_equal(missing, covered)
    inner = ~covered
    inner[:, [0, -1]] = False
    np.testing.assert_array_equal(found[inner], 20)
    assert tags_of("slope.tif")[42113] == "-9999"


@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
def test_results_keep_geographic_tags(do):
    write("heights.tif", slope(), tile=(16, 16))
    for border in ("reflect", "valid"):
        assert do("sobel", "heights.tif", "-o", f"{border}.tif", "--border", border).exit_code == 0
        found = tags_of(f"{border}.tif")
        assert found[33550] == TAGS[0][3]
        assert found[34735] == TAGS[2][3]
        assert found[42112] == "<GDALMetadata/>"
        # Without its border the result begins one pixel later.
        first = -1 if border == "valid" else 0
        assert found[33922] == (first, first, 0, 5e5, 5.4e6, 0)
        assert 42113 not in found


@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
def test_gradients_per_unit_of_length(do):
    write("heights.tif", slope(), tile=(16, 16))
    command = ("sobel", "heights.tif", "--depth", "float", "--force", "-o", "g.tif")
    for spacing, expected in (("auto", np.hypot(20 / 10, 30 / 20)), ("2", np.hypot(10, 15)), ("20,10", 2.5)):
        assert do(*command, "--spacing", spacing).exit_code == 0
        np.testing.assert_allclose(tifffile.imread("g.tif")[1:-1, 1:-1], expected, rtol=1e-6)
    tifffile.imwrite("plain.tif", slope(), metadata=None)
    failed = do("sobel", "plain.tif", "--spacing", "auto", "--depth", "float", "-o", "h.tif")
    assert "the file states no size of its pixels" in failed.stderr
    assert "neither a number, nor two numbers" in run("sobel", "plain.tif", "--spacing", "1,2,3").stderr


def test_nodata_option_with_depth_images():
    image = slope(np.uint16)
    image[20:30, 30:40] = 0
    cv2.imwrite("depth.png", image)
    Path("out").mkdir()
    for nodata, largest in (((), 200), (("--nodata", "0"), 20)):
        done = run("sobel", "depth.png", "--angle", "0", "--depth", "float", "-o", "out/", "--force", *nodata)
        assert done.exit_code == 0
        found = tifffile.imread("out/depth.sobel-0.tif")
        response = np.abs(found[found != 0]).max() if nodata else np.abs(found).max()
        assert (response <= largest) == bool(nodata)
        assert ("100 pixels without data (0)" in done.stderr) == bool(nodata)
    row = json.loads(run("score", "depth.png", "--nodata", "0", "--json").stdout)
    assert row["reason"].endswith("100 pixels without data (0)")
    assert np.isnan(ek.read_image("depth.png", nodata=0)).sum() == 100


def test_nodata_values_outside_the_type_are_ignored():
    for nodata in (-9999, 300, 1.5, "inf", "nan"):
        image = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
        write("bytes.tif", image, nodata=nodata)
        np.testing.assert_array_equal(ek.read_image("bytes.tif"), image)
        for do in (run, run_in_windows):
            assert do("sobel", "bytes.tif", "-o", "edges.tif", "--force").exit_code == 0, nodata


def test_measures_leave_out_pixels_without_data():
    image = slope()
    image[20:30, 30:40] = -9999
    write("heights.tif", image, nodata=-9999, tile=(16, 16))
    command = ("score", "heights.tif", "--measure", "laplacian_variance", "--json")
    for do, roi in ((run, ()), (run_in_windows, ()), (run_in_windows, ("--roi", "25,15,20,20"))):
        row = json.loads(do(*command, *roi).stdout)
        assert row["status"] == "ok"
        part = image if not roi else image[15:35, 25:45]
        expected = np.nanvar(ek.laplacian(np.where(part == -9999, np.nan, part)))
        assert row["laplacian_variance"] == pytest.approx(expected, rel=1e-6)
        assert "-9999" in row["reason"]


def test_open_image_info():
    write("heights.tif", slope(), nodata=-1)
    info = ek.open_image("heights.tif").info
    assert (info.format, info.pages, info.axes, info.width, info.height) == ("TIFF", 1, "YX", 80, 60)
    assert (info.spacing, info.unit, info.nodata, info.channels) == ((20.0, 10.0), "m", -1, ("gray",))
    stack = np.arange(2 * 3 * 8 * 9, dtype=np.uint16).reshape(2, 3, 8, 9)
    metadata = {"axes": "TCYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25,
                "PhysicalSizeYUnit": "µm", "Channel": {"Name": ["DAPI", "GFP", "RFP"]}}  # fmt: skip
    tifffile.imwrite("cells.ome.tif", stack, photometric="minisblack", metadata=metadata)
    file = ek.open_image("cells.ome.tif")
    assert (file.pages, file.axes, file.info.names) == (6, "TCYX", ("DAPI", "GFP", "RFP"))
    assert (file.info.spacing, file.info.unit) == ((0.25, 0.5), "µm")
    np.testing.assert_array_equal(file.read(page=5), stack[1, 1])
    with pytest.warns(UserWarning, match=r"cells.ome.tif: image 1 of 6 in the file; pass page="):
        np.testing.assert_array_equal(ek.read_image("cells.ome.tif"), stack[0, 0])
    np.testing.assert_array_equal(ek.read_image("cells.ome.tif", page=6), stack[1, 2])
    with pytest.raises(ek.DecodeError, match="expected an image with the number 7; found 6"):
        file.read(page=7)
    colours = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    ek.write_image("colours.png", colours)
    file = ek.open_image("colours.png")
    assert (file.info.channels, file.axes) == (("red", "green", "blue"), "YXS")
    np.testing.assert_array_equal(file.read(channel=1), colours[..., 1])
    with pytest.raises(ek.ParameterError, match="channel=3 must be an integer from 0 to 2"):
        file.read(channel=3)
    tifffile.imwrite("imagej.tif", stack[0], imagej=True, resolution=(2, 4), metadata={"unit": "um"})
    assert ek.open_image("imagej.tif").info.spacing == (0.25, 0.5)


def test_info_command():
    write("heights.tif", slope(), nodata=-1)
    Path("broken.png").write_bytes(b"no image")
    done = run("info", "heights.tif", "broken.png", "--json")
    assert done.exit_code == 1
    assert "broken.png: expected an image" in done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["path"] == "heights.tif"
    assert (found["spacing"], found["unit"], found["dtype"]) == ([20.0, 10.0], "m", "float32")
    text = run("info", "heights.tif").stdout
    for expected in ("80 x 60 pixels", "type         float32", "10 x 20 m", "no data      -1"):
        assert expected in text, expected


def microscope(kind, shape, axes, **metadata):
    """Write a stack as ImageJ or OME writes it, and return it."""
    stack = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    options = {"imagej": True, "resolution": (4, 2)} if kind == "imagej" else {"ome": True}
    tifffile.imwrite("in.tif", stack, photometric="minisblack", metadata={"axes": axes, **metadata}, **options)
    return stack


@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
@pytest.mark.parametrize("axes", ["TZCYX", "ZYX", "YX"])
@pytest.mark.parametrize("depth", ["8", "float"])
def test_imagej_results_keep_axes_labels_and_sizes(depth, axes, do):
    shape = (2, 3, 2, 40, 50)[-len(axes) :] if len(axes) != 3 else (3, 40, 50)
    labels = [f"DAPI {n}" for n in range(np.prod(shape[:-2], dtype=int))]
    stack = microscope("imagej", shape, axes, unit=r"\u00B5m", spacing=2.5, finterval=0.5, Labels=labels)
    assert do("sobel", "in.tif", "-o", "out.tif", "--depth", depth).exit_code == 0
    with tifffile.TiffFile("out.tif") as made:
        assert made.is_imagej
        assert (made.series[0].axes, made.series[0].shape) == (axes, shape)
        found = made.imagej_metadata
        assert (found["unit"], found["spacing"], found["finterval"]) == (r"\u00B5m", 2.5, 0.5)
        assert found["Labels"] == labels if len(labels) > 1 else [found["Labels"]] == labels
        if depth == "float":
            expected = [ek.sobel(plane) for plane in stack.reshape(-1, 40, 50)]
            np.testing.assert_array_equal(made.asarray(), np.reshape(expected, shape))
    info = ek.open_image("out.tif").info
    assert (info.spacing, info.unit) == ((0.5, 0.25), "µm")


def test_imagej_stacks_without_axis_names():
    stack = np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8)
    stated = "ImageJ=1.11a\nunit=µm\nzunit=7\n".encode()
    tifffile.imwrite("in.tif", stack, photometric="minisblack", metadata=None, description=stated)
    assert run("sobel", "in.tif", "-o", "out.tif").exit_code == 0
    with tifffile.TiffFile("out.tif") as made:
        assert (made.is_imagej, made.series[0].axes, made.imagej_metadata["unit"]) == (True, "ZYX", r"\u00B5m")


def test_results_that_imagej_cannot_hold_are_plain_tiff():
    image = np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3), np.uint8)
    tifffile.imwrite("in.tif", image, imagej=True, metadata={"axes": "TYXS", "unit": "um"}, resolution=(4, 2))
    for depth, held in (("8", True), ("16", False), ("float", False)):
        assert run("sobel", "in.tif", "-o", "out.tif", "--channel", "each", "--depth", depth, "--force").exit_code == 0
        with tifffile.TiffFile("out.tif") as made:
            assert (made.is_imagej, made.asarray().shape) == (held, image.shape)


@pytest.mark.parametrize("do", [run, run_in_windows], ids=["whole", "windows"])
@pytest.mark.parametrize(("shape", "axes"), [((3, 2, 40, 50), "TCYX"), ((40, 50), "YX")])
def test_ome_results_keep_channels_and_sizes(shape, axes, do):
    names = ["DAPI", "GFP"] if "C" in axes else ["DAPI"]
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "mm"}
    microscope("ome", shape, axes, Channel={"Name": names}, **sizes)
    assert do("sobel", "in.tif", "-o", "out.tif").exit_code == 0
    info = ek.open_image("out.tif").info
    assert (info.axes, info.names, info.spacing, info.unit) == (axes, tuple(names), (0.5, 0.25), "mm")
