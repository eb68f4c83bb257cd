"""Large image files: windows, pages and planes, Zarr, memory limits and errors."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from command_line import run
from test_large import SIZE, pixels, run_in_windows

import edgekit as ek
from edgekit.batch import large_files
from edgekit.batch.engines import heartbeat
from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.large import WindowOptions
from edgekit.common.extras import install_command
from edgekit.io.opening import open_windows


def sobel(image):
    """Return the 8-bit image that the command line writes for a plane."""
    return FilterJob("sobel").show(image).image


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


STORAGES = [
    {"tile": (64, 80)},
    {"tile": (64, 80), "compression": "zlib", "predictor": 2},
    {"tile": (32, 32), "compression": "packbits"},
    {"rowsperstrip": 9, "compression": "lzw"},
    {"rowsperstrip": 9, "compression": "zstd"},
    {"rowsperstrip": 9},
]


@pytest.mark.parametrize("storage", STORAGES, ids=str)
def test_outputs_keep_tiling_and_compression(storage):
    if storage.get("compression") in ("lzw", "zstd"):
        pytest.importorskip("imagecodecs")
    image = pixels()
    tifffile.imwrite("in.tif", image, resolution=(300, 200), resolutionunit="INCH", **storage)
    assert run_in_windows("sobel", "in.tif", "-o", "out.tif").exit_code == 0
    np.testing.assert_array_equal(tifffile.imread("out.tif"), sobel(image))
    with tifffile.TiffFile("in.tif") as before, tifffile.TiffFile("out.tif") as after:
        old, new = before.pages.first, after.pages.first
        names = ("compression", "predictor", "is_tiled", "tilelength", "tilewidth", "resolution", "resolutionunit")
        assert [getattr(new, n) for n in names] == [getattr(old, n) for n in names]
        if old.compression != 1 or old.is_tiled:
            assert new.chunks == old.chunks
    # `read_image` agrees.
    np.testing.assert_array_equal(ek.read_image("out.tif"), sobel(image))


def test_results_of_windows_and_whole_images_are_equal():
    tifffile.imwrite("in.tif", pixels(), tile=(64, 64))
    run("sobel", "in.tif", "-o", "whole.tif")
    run_in_windows("sobel", "in.tif", "-o", "windows.tif")
    with tifffile.TiffFile("whole.tif") as whole, tifffile.TiffFile("windows.tif") as windows:
        assert (whole.pages.first.is_tiled, windows.pages.first.is_tiled) == (False, True)
        np.testing.assert_array_equal(whole.asarray(), windows.asarray())


def test_whole_images_may_need_half_of_the_free_memory(monkeypatch):
    tifffile.imwrite("in.tif", pixels(), tile=(64, 64))
    with open_windows("in.tif") as source:
        needed = large_files.needed(source.series[0])
    for free, tiled in ((2 * needed, False), (2 * needed - 2, True)):
        monkeypatch.setattr(large_files, "free_memory", lambda free=free: free)
        run("sobel", "in.tif", "-o", "out.tif", "--force")
        with tifffile.TiffFile("out.tif") as made:
            assert made.pages.first.is_tiled is tiled


def test_images_above_max_pixels_are_processed_in_windows():
    tifffile.imwrite("in.tif", pixels(), tile=(64, 64))
    for most, tiled in ((SIZE[0] * SIZE[1], False), (SIZE[0] * SIZE[1] - 1, True)):
        assert run("sobel", "in.tif", "-o", "out.tif", "--max-pixels", most, "--force").exit_code == 0
        with tifffile.TiffFile("out.tif") as made:
            assert made.pages.first.is_tiled is tiled
    found = json.loads(run("score", "in.tif", "--measure", "laplacian_variance", "--max-pixels", 9, "--json").stdout)
    assert found["laplacian_variance"] == pytest.approx(ek.sharpness(pixels()), rel=1e-12)
    assert "allow more with --memory and --max-pixels" in run("canny", "in.tif", "--max-pixels", 9).stderr


def test_allowance_is_between_1_mib_and_1_pib():
    assert 2**20 < large_files.allowance() < 2**50


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_memory_option():
    """sobel of a TIFF file runs in windows; canny needs the whole image and fails."""
    image = np.zeros((10000, 10000), np.uint8)
    image[:, 5000:] = 200
    tifffile.imwrite("in.tif", image, tile=(256, 256), compression="zlib")
    limits = ("--memory", "1G", "--timeout", "300")
    done = run("sobel", "in.tif", "-o", "out.tif", *limits)
    assert done.exit_code == 0, done.stderr
    with tifffile.TiffFile("out.tif") as made:
        assert made.pages.first.is_tiled
        np.testing.assert_array_equal(made.asarray(), sobel(image))
    done = run("canny", "in.tif", "-o", "canny.tif", *limits)
    assert done.exit_code == 1
    assert "allow more with --memory" in done.stderr


def test_clipped_values_are_counted_once():
    image = pixels("float32") * 3
    image[0, 0] = -1
    tifffile.imwrite("in.tif", image, tile=(64, 64))
    whole, windows = (
        json.loads(do("sobel", "in.tif", "-o", name, "--scale", "raw", "--channel", "max", "--json").stdout)
        for name, do in (("whole.tif", run), ("windows.tif", run_in_windows))
    )
    expected = FilterJob("sobel", scale="raw", channel="max").show(image).clipped
    assert whole["clipped"] == windows["clipped"] == expected


def test_large_outputs_are_bigtiff(monkeypatch):
    tifffile.imwrite("in.tif", pixels(), tile=(64, 64))
    for limit, big in ((SIZE[0] * SIZE[1], False), (SIZE[0] * SIZE[1] - 1, True)):
        monkeypatch.setattr("edgekit.io.tiff_writer.MAX_CLASSIC_TIFF", limit)
        run_in_windows("sobel", "in.tif", "-o", "out.tif", "--force")
        with tifffile.TiffFile("out.tif") as made:
            assert made.is_bigtiff is big


def test_progress_reports_each_window_of_each_pass(monkeypatch):
    monkeypatch.setattr(large_files, "allowance", lambda: 0)
    tifffile.imwrite("in.tif", pixels(), tile=(64, 64))
    reported = []
    means = WindowOptions(2, lambda done, total: reported.append((done, total)))
    job = FilterJob("sobel", display="stretch", ending=".tif")
    beats = []
    heartbeat.set(lambda: beats.append(1))
    large_files.filter_file(Path("in.tif"), job, Path("out.tif"), means)
    # The image has four rows of tiles. One pass finds the largest response, the other writes the result.
    assert reported == [(n, 8) for n in range(1, 9)]
    assert len(beats) == 8


@pytest.mark.parametrize("do", [run, run_in_windows])
def test_all_pages_are_kept(do):
    pages = [pixels(seed=n) for n in range(3)]
    other = pixels("uint16", (50, 60))
    with tifffile.TiffWriter("in.tif") as file:
        for page in pages:
            file.write(page, photometric="minisblack", metadata=None)
        file.write(other, photometric="minisblack", metadata=None)
    assert do("sobel", "in.tif", "-o", "out.tif").exit_code == 0
    with tifffile.TiffFile("out.tif") as made:
        assert len(made.pages) == 4
        for page, image in zip(made.pages, [*pages, other], strict=True):
            np.testing.assert_array_equal(page.asarray(), sobel(image))


def test_imagej_stacks_keep_all_pages():
    stack = np.stack([pixels(seed=n) for n in range(3)])
    tifffile.imwrite("in.tif", stack, imagej=True)
    run("sobel", "in.tif", "-o", "out.tif")
    np.testing.assert_array_equal(tifffile.imread("out.tif"), [sobel(p) for p in stack])


def test_ome_planes_keep_axes_and_sizes():
    stack = pixels("uint16", (2, 3, 90, 110))
    facts = {"axes": "CZYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm"}
    tifffile.imwrite("in.ome.tif", stack, metadata=facts, tile=(64, 64))
    assert run_in_windows("sobel", "in.ome.tif", "-o", "out.ome.tif").exit_code == 0
    with tifffile.TiffFile("out.ome.tif") as made:
        assert made.is_ome
        assert (made.series[0].axes, made.series[0].shape) == ("CZYX", stack.shape)
        assert 'PhysicalSizeX="0.25"' in made.ome_metadata
        expected = [[sobel(p) for p in planes] for planes in stack]
        np.testing.assert_array_equal(made.asarray(), expected)


@pytest.mark.parametrize("colour", [False, True])
def test_windows_of_colour_equal_the_whole_image(colour):
    image = pixels(shape=(150, 170, 3))
    tifffile.imwrite("in.tif", image, photometric="rgb", tile=(64, 64))
    how = ("--channel", "each") if colour else ()
    run("sobel", "in.tif", "-o", "whole.tif", *how)
    run_in_windows("sobel", "in.tif", "-o", "windows.tif", *how)
    whole, windows = (ek.read_image(f"{n}.tif") for n in ("whole", "windows"))
    assert whole.shape == ((150, 170, 3) if colour else (150, 170))
    np.testing.assert_array_equal(windows, whole)


@pytest.mark.parametrize("channel", ["luminance", "each"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("opacity", ["unassalpha", "assocalpha", "unspecified"])
def test_windows_with_opacity_equal_the_whole_image(dtype, opacity, channel):
    image = pixels(dtype, (90, 101, 4))
    tifffile.imwrite("colour.tif", image, photometric="rgb", extrasamples=[opacity], tile=(32, 32))
    gray = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": [opacity]}
    tifffile.imwrite("gray.tif", image[..., 2:], **gray)
    # A second channel that is not specified is not opacity.
    for name in ("colour", "gray")[: 1 if opacity == "unspecified" else 2]:
        for do, output in ((run, "whole.tif"), (run_in_windows, "windows.tif")):
            assert do("sobel", f"{name}.tif", "-o", output, "--channel", channel, "--force").exit_code == 0
        np.testing.assert_array_equal(tifffile.imread("windows.tif"), tifffile.imread("whole.tif"))


def test_windows_of_colour_planes_equal_the_whole_image():
    tifffile.imwrite("in.tif", pixels("uint16", (3, 90, 101)), photometric="rgb", planarconfig="separate")
    run("sobel", "in.tif", "-o", "whole.tif")
    run_in_windows("sobel", "in.tif", "-o", "windows.tif")
    np.testing.assert_array_equal(tifffile.imread("windows.tif"), tifffile.imread("whole.tif"))


def test_axis_of_length_1_is_dropped():
    tifffile.imwrite("in.tif", pixels(shape=(90, 101, 1)), photometric="minisblack")
    run_in_windows("sobel", "in.tif", "-o", "out.tif")
    np.testing.assert_array_equal(tifffile.imread("out.tif"), sobel(ek.read_image("in.tif")))


@pytest.mark.parametrize("do", [run, run_in_windows])
def test_channels_that_are_not_colours_are_all_kept(do):
    image = pixels(shape=(90, 101, 2))
    tifffile.imwrite("in.tif", image, photometric="minisblack", planarconfig="contig", extrasamples=["unspecified"])
    assert do("sobel", "in.tif", "-o", "out.tif").exit_code == 0
    expected = [sobel(image[..., c]) for c in range(2)]
    np.testing.assert_array_equal(np.moveaxis(tifffile.imread("out.tif"), -1, 0), expected)


def test_windows_with_overlay_equal_the_whole_image():
    image = pixels(shape=(150, 170, 3))
    tifffile.imwrite("in.tif", image, photometric="rgb", tile=(64, 64))
    run("sobel", "in.tif", "-o", "whole.tif", "--overlay")
    run_in_windows("sobel", "in.tif", "-o", "windows.tif", "--overlay")
    np.testing.assert_array_equal(ek.read_image("windows.tif"), ek.read_image("whole.tif"))


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_versions(version):
    stack = pixels("uint16", (2, 150, 170))
    made = zarr.create_array("in.zarr", shape=stack.shape, chunks=(2, 40, 50), dtype="uint16", zarr_format=version)
    made[:] = stack
    assert run("sobel", "in.zarr", "-o", "out.zarr", "--depth", "16").exit_code == 0
    result = zarr.open("out.zarr", mode="r")
    job = FilterJob("sobel", depth="16", ending=".zarr")
    np.testing.assert_array_equal(result[:], [job.show(p).image for p in stack])
    assert (result.chunks[1:], result.metadata.zarr_format) == ((40, 50), version)
    assert result.compressors == made.compressors
    # The second run is current; a changed input replaces the output.
    again = json.loads(run("sobel", "in.zarr", "-o", "out.zarr", "--depth", "16", "--json").stdout)
    assert again["status"] == "current"
    made[0, 0, 0] += 1
    assert json.loads(run("sobel", "in.zarr", "-o", "out.zarr", "--depth", "16", "--json").stdout)["status"] == "done"


def test_zarr_shards_are_kept():
    image = pixels(shape=(150, 170))
    made = zarr.create_array("in.zarr", shape=image.shape, chunks=(32, 32), shards=(64, 64), dtype="uint8")
    made[:] = image
    run("sobel", "in.zarr", "-o", "out.zarr")
    result = zarr.open("out.zarr", mode="r")
    assert (result.chunks, result.shards) == ((32, 32), (64, 64))
    np.testing.assert_array_equal(result[:], sobel(image))


def test_zarr_to_tiff_and_tiff_to_zarr():
    image = pixels(shape=(150, 170))
    zarr.create_array("in.zarr", shape=image.shape, chunks=(40, 50), dtype="uint8")[:] = image
    run("sobel", "in.zarr", "-o", "out.tif")
    tifffile.imwrite("in.tif", image, rowsperstrip=11)
    run("sobel", "in.tif", "-o", "out.zarr")
    np.testing.assert_array_equal(tifffile.imread("out.tif"), sobel(image))
    np.testing.assert_array_equal(zarr.open("out.zarr", mode="r")[:], sobel(image))


def test_full_resolution_of_ome_zarr_is_filtered():
    image = pixels("uint16", (2, 64, 80))
    group = zarr.open_group("in.zarr", mode="w", zarr_format=2)
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    levels = [{"path": "0"}, {"path": "1"}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    group.create_array("0", shape=image.shape, chunks=(1, 32, 32), dtype="uint16")[:] = image
    group.create_array("1", shape=(2, 32, 40), chunks=(1, 32, 32), dtype="uint16")
    assert run("sobel", "in.zarr", "-o", "out.zarr").exit_code == 0
    made = zarr.open("out.zarr", mode="r")
    assert made.attrs["multiscales"][0]["datasets"] == levels[:1]
    assert made.attrs["multiscales"][0]["axes"] == axes
    assert sorted(made) == ["0"]
    np.testing.assert_array_equal(made["0"][:], [sobel(p) for p in image])


def test_a_zarr_in_a_folder_is_one_image():
    image = pixels(shape=(64, 80))
    zarr.create_array("images/in.zarr", shape=image.shape, chunks=(32, 32), dtype="uint8")[:] = image
    done = run("score", "images", "--measure", "laplacian_variance", "--measure", "tenengrad", "--json")
    row = json.loads(done.stdout)
    assert (row["path"], row["width"]) == ("images/in.zarr", 80)
    assert row["laplacian_variance"] == ek.sharpness(image)
    assert row["tenengrad"] == ek.sharpness(image, "tenengrad")


REFUSED = [
    (["sobel", "in.tif", "-o", "out.png"], ".tif, .tiff, .zarr; choose such an output with -o"),
    (["canny", "in.tif", "-o", "out.tif"], "canny needs the whole image"),
    (["threshold", "in.tif", "-o", "out.tif"], "need 0.0 GiB; reduce the image, or allow more with --memory"),
    (["score", "in.tif"], "the score needs the whole image in memory"),
    (["score", "in.tif", "--measure", "laplacian_variance", "--map", "maps"], "--map and --report need the whole"),
    (["score", "in.tif", "--roi", "300,0,64,64"], "is not within the 331x203 pixels"),
]


@pytest.mark.parametrize(("command", "said"), REFUSED)
def test_commands_that_cannot_run_in_windows_are_refused(command, said):
    tifffile.imwrite("in.tif", pixels(), tile=(64, 64))
    done = run_in_windows(*command)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "in.tif" in done.stderr


@pytest.mark.parametrize("ending", [".tif", ".zarr"])
def test_damaged_files_leave_no_output(ending):
    tifffile.imwrite("in.tif", pixels(), tile=(64, 64), compression="zlib")
    with tifffile.TiffFile("in.tif") as file:
        place = file.pages.first.dataoffsets[-3]
    with open("in.tif", "r+b") as file:  # noqa: PTH123
        file.seek(place)
        file.write(b"\xff" * 64)
    done = run_in_windows("sobel", "in.tif", "-o", f"out/made{ending}")
    assert done.exit_code == 1
    assert "in.tif: cannot be decoded" in done.stderr
    assert [p.name for p in _files("out")] == []


@pytest.mark.parametrize("ending", [".tif", ".zarr"])
def test_interrupted_runs_keep_the_old_output(ending, monkeypatch):
    tifffile.imwrite("in.tif", pixels(), tile=(64, 64))
    output = f"out/made{ending}"
    assert run_in_windows("sobel", "in.tif", "-o", output).exit_code == 0
    before = {p: p.stat().st_mtime_ns for p in _files("out")}

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("edgekit.cli.output.WindowProgress.__call__", stop)
    assert run_in_windows("sobel", "in.tif", "-o", output, "--scale", "raw").exit_code == 130
    assert {p: p.stat().st_mtime_ns for p in _files("out")} == before


@pytest.mark.parametrize(
    ("library", "name"), [("zarr", "in.zarr"), ("imagecodecs", "lzw.tif"), ("imagecodecs", "in.tif")]
)
def test_missing_packages_are_named_only_if_needed(library, name):
    """Zarr and LZW need the extra, deflate does not."""
    image = pixels(shape=(64, 80))
    tifffile.imwrite("in.tif", image, tile=(32, 32), compression="zlib", predictor=2)
    pytest.importorskip("imagecodecs")
    tifffile.imwrite("lzw.tif", image, tile=(32, 32), compression="lzw")
    zarr.create_array("in.zarr", shape=image.shape, chunks=(32, 32), dtype="uint8")
    code = (
        f"import sys; sys.modules['{library}'] = None\n"
        "from edgekit.batch import large_files; large_files.allowance = lambda: 0\n"
        "from edgekit.cli import run; run()"
    )
    command = [sys.executable, "-c", code, "sobel", name, "-o", "out.tif"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if name == "in.tif":
        assert (done.returncode, done.stderr) == (0, "")
        np.testing.assert_array_equal(tifffile.imread("out.tif"), sobel(image))
    else:
        assert done.returncode == 1
        assert f"edgekit: {name}" in done.stderr
        assert f"needs {library}: {install_command('large')}" in done.stderr


def _files(folder):
    return sorted(p for p in Path(folder).rglob("*") if p.is_file() and not p.name.startswith(".edgekit"))
