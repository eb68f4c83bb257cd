"""Images that are processed in windows: the results equal those of whole images."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from command_line import run

import edgekit as ek
from edgekit.batch import large_files
from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.large import WindowOptions, filter_windows
from edgekit.batch.large_scoring import score_windows
from edgekit.batch.window_grid import grid_for
from edgekit.errors import DecodeError
from edgekit.io.conversion import to_gray_as_tiff
from edgekit.io.opening import open_windows
from edgekit.io.tiff_writer import TiffWriter
from edgekit.io.windows import Cache, read_error

SIZE = (203, 331)


def run_in_windows(*arguments):
    """Run the command line as if every image were too large for the memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_files, "allowance", lambda: 0)
        return run(*arguments)


def pixels(dtype="uint8", shape=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (rng.random(shape) * top).astype(dtype)


def filtered(path, job, tmp_path, window=1, threads=1):
    """Filter a file in small windows, and return the pixels of the output."""
    output = tmp_path / "made.tif"
    with open_windows(path) as source, output.open("wb") as file, TiffWriter(file, output, 0, source) as writer:
        filter_windows(source, job, writer, WindowOptions(threads=threads), window)
    return tifffile.imread(output)


JOBS = [
    FilterJob(operator, angle=angle, border=border, depth="float", scale="raw")
    for (operator, angle), border in itertools.product(
        [("sobel", None), ("sobel", 30.0), ("laplacian", None), ("kirsch", None)],
        ["reflect", "symmetric", "edge", "constant", "wrap", "valid"],
    )
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.tag)
@pytest.mark.parametrize("storage", [{"tile": (64, 80)}, {"rowsperstrip": 7, "compression": "zlib"}, {}], ids=str)
def test_windows_equal_the_whole_image(job, storage, tmp_path):
    image = pixels()
    tifffile.imwrite(tmp_path / "in.tif", image, **storage)
    expected = job.respond(image)
    # Integer responses are equal; roots and cosines agree to 2 units in the last place.
    exact = job.operator != "sobel"
    made = filtered(tmp_path / "in.tif", job, tmp_path)
    assert made.dtype == np.float32
    if exact:
        np.testing.assert_array_equal(made, expected)
    else:
        np.testing.assert_array_max_ulp(made, expected, 2)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float16", "float32", "float64"])
@pytest.mark.parametrize("display", ["full", "stretch", "signed"])
def test_displays_of_all_dtypes(dtype, display, tmp_path):
    image = pixels(dtype)
    if image.dtype.kind == "f":
        # Values above 1 in one corner change the white level in all windows.
        image[180:, 300:] *= 7
        image[3, 5] = np.nan
    job = FilterJob("scharr", display=display, ending=".tif")
    tifffile.imwrite(tmp_path / "in.tif", image, tile=(48, 64))
    np.testing.assert_array_equal(filtered(tmp_path / "in.tif", job, tmp_path), job.show(image).image)


@pytest.mark.parametrize("threads", [1, 3])
def test_kernels_wider_than_tiles(threads, tmp_path):
    image = pixels(shape=(61, 70))
    tifffile.imwrite(tmp_path / "in.tif", image, tile=(16, 16))
    expected = ek.laplacian(image, sigma=4.0, border="wrap")
    job = FilterJob("laplacian", (("sigma", 4.0),), depth="float", border="wrap")
    np.testing.assert_allclose(filtered(tmp_path / "in.tif", job, tmp_path, threads=threads), expected, atol=1e-4)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("channel", ["each", "luminance", "max", "dizenzo"])
def test_colours_and_channel_options(planar, channel, tmp_path):
    image = pixels(shape=(*SIZE, 3))
    stored = image if planar == "contig" else np.moveaxis(image, -1, 0)
    tifffile.imwrite(tmp_path / "in.tif", stored, photometric="rgb", planarconfig=planar, tile=(64, 64))
    job = FilterJob("sobel", channel=channel, depth="float", angle=0.0)
    np.testing.assert_array_max_ulp(filtered(tmp_path / "in.tif", job, tmp_path), job.respond(image), 2)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_gray_equals_read_image(dtype, tmp_path):
    image = pixels(dtype, (64, 4096, 3))
    tifffile.imwrite(tmp_path / "in.tif", image, photometric="rgb")
    np.testing.assert_array_equal(to_gray_as_tiff(image), ek.read_image(tmp_path / "in.tif", colour=False))


def test_channels_that_are_not_colours_are_filtered_each(tmp_path):
    image = pixels("uint16", (*SIZE, 5))
    tifffile.imwrite(tmp_path / "in.tif", image, photometric="minisblack", planarconfig="contig", tile=(64, 64))
    job = FilterJob("sobel", depth="float", angle=90.0, scale="raw")
    expected = np.stack([ek.sobel(image[..., c], angle=90, scale="raw") for c in range(5)], axis=-1)
    np.testing.assert_array_equal(filtered(tmp_path / "in.tif", job, tmp_path), expected)


def test_miniswhite_is_inverted(tmp_path):
    image = pixels()
    tifffile.imwrite(tmp_path / "in.tif", 255 - image, photometric="miniswhite", tile=(64, 64))
    job = FilterJob("sobel", depth="float", angle=0.0, scale="raw")
    np.testing.assert_array_equal(filtered(tmp_path / "in.tif", job, tmp_path), ek.sobel(image, angle=0, scale="raw"))


@pytest.mark.parametrize(("tile", "size"), [((64, 64), (200, 300)), ((16, 16), (200, 300)), ((7, 300), (200, 300))])
def test_windows_cover_each_pixel_once_in_tile_order(tile, size):
    count = np.zeros((2, *size), int)
    tiles = []
    grid = grid_for(*size, tile, 5000)
    found = [*grid.windows(0), *grid.windows(1)]
    assert len(found) == 2 * grid.window_count
    for place in found:
        count[place.plane, place.top : place.bottom, place.left : place.right] += 1
        tiles += [
            (place.plane, i, j)
            for i in range(place.top, place.bottom, tile[0])
            for j in range(place.left, place.right, tile[1])
        ]
    assert (count == 1).all()
    assert tiles == sorted(tiles)
    assert len(tiles) == 2 * -(-size[0] // tile[0]) * -(-size[1] // tile[1])


def test_cache_drops_the_least_recently_used_item():
    cache, made = Cache(3000), []

    def get(key):
        return cache.get(key, lambda: made.append(key) or np.zeros(1000, np.uint8))

    for key in (1, 2, 3, 1, 4, 1, 2):
        get(key)
    assert made == [1, 2, 3, 4, 2]


@pytest.mark.parametrize("storage", [{"tile": (64, 80), "compression": "zlib"}, {"tile": (64, 80)}, {}], ids=str)
def test_stated_sizes_larger_than_the_file_are_refused(storage, tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", pixels(), **storage)
    with tifffile.TiffFile(tmp_path / "in.tif", mode="r+") as file:
        file.pages.first.tags["ImageLength"].overwrite(2**30)
    with pytest.raises(DecodeError, match="claims 331 x 1,073,741,824 pixels, but the file is too short"):
        open_windows(tmp_path / "in.tif")


def test_read_error_of_library_errors():
    path = Path("in.tif")
    assert "in.tif: cannot be read: broken pipe" in str(read_error(path, OSError(32, "broken pipe")))
    assert "in.tif: cannot be decoded: nonsense. Copy" in str(read_error(path, ValueError("nonsense")))
    known = DecodeError("known")
    assert read_error(path, known) is known
    with pytest.raises(MemoryError):
        read_error(path, MemoryError())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("storage", [{"tile": (64, 80)}, {"rowsperstrip": 7}], ids=str)
@pytest.mark.parametrize("measure", ek.MEASURES)
def test_measures_equal_those_of_the_whole_image(dtype, storage, measure, tmp_path):
    image = pixels(dtype)
    tifffile.imwrite(tmp_path / "in.tif", image, **storage)
    with open_windows(tmp_path / "in.tif") as source:
        scored = score_windows(source, ScoreJob((measure,)), "in.tif", WindowOptions(threads=2), 5000)
    expected = ek.sharpness(image, measure)
    assert (scored.width, scored.height) == SIZE[::-1]
    assert scored.values == (pytest.approx(expected, rel=1e-9),)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_variance_with_a_large_mean(dtype, tmp_path):
    """The Laplacian of a paraboloid is 2 nearly everywhere: the mean is much larger than the variance."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    image = (1e4 + (x - 165) ** 2 / 2 + (y - 101) ** 2 / 2).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", image, tile=(64, 64))
    with open_windows(tmp_path / "in.tif") as source:
        scored = score_windows(source, ScoreJob(("laplacian_variance",)), "in.tif", window_pixels=5000)
    assert scored.values[0] == pytest.approx(ek.sharpness(image), rel=1e-9)


def test_pixels_that_are_not_finite_are_excluded(tmp_path):
    image = pixels("float32")
    image[150, 200] = np.inf
    tifffile.imwrite(tmp_path / "in.tif", image, tile=(64, 64))
    with open_windows(tmp_path / "in.tif") as source:
        scored = score_windows(source, ScoreJob(("laplacian_variance",)), "in.tif", window_pixels=5000)
    assert scored.status == "ok"
    assert scored.values[0] == pytest.approx(ek.sharpness(image), rel=1e-6)
    assert scored.values[0] == pytest.approx(np.nanvar(ek.laplacian(image).astype(float)), rel=1e-5)


def test_score_of_a_roi(tmp_path):
    image = pixels()
    tifffile.imwrite(tmp_path / "in.tif", image, tile=(64, 64))
    path = tmp_path / "in.tif"
    done = run_in_windows("score", path, "--measure", "tenengrad", "--roi", "100,50,120,90", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["tenengrad"] == ek.sharpness(image[50:140, 100:220], "tenengrad")
