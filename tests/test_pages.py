"""Files with several images (pages, frames, stacks): their number, and the image that is read."""

import io
import json
import sys
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from command_line import run
from format_files import RGB, dng, heif_of
from PIL import Image
from test_pixel_values import SCENE, by_pillow, by_tifffile, read

import edgekit as ek
from edgekit.common.read_options import ReadOptions
from edgekit.io.pages import image_count, images_in


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def stacks():
    """Yield name and content of files with three images; only the second image is sharp."""
    blurred = cv2.GaussianBlur(SCENE, (0, 0), 5)
    images = [blurred, SCENE, blurred]
    first, *rest = map(Image.fromarray, images)
    yield "stack.tif", by_tifffile(np.stack(images), photometric="minisblack")
    for ending, format, options in (
        ("png", "PNG", {}), ("webp", "WEBP", {"lossless": True}), ("gif", "GIF", {}),
    ):  # fmt: skip
        yield f"moving.{ending}", by_pillow(first, format, save_all=True, append_images=rest, duration=50, **options)


def test_each_image_of_a_file_has_a_row_and_an_output():
    for name, data in stacks():
        Path(name).write_bytes(data)
        assert images_in(data, "an image") == 3, name
        rows = sorted(map(json.loads, run("score", name, "--json").stdout.splitlines()), key=lambda row: row["page"])
        assert [row["page"] for row in rows] == [1, 2, 3], name
        assert rows[1]["score"] > 0.6 > 0.2 > max(rows[0]["score"], rows[2]["score"]), name
        (second,) = run("score", name, "--json", "--page", "2").stdout.splitlines()
        assert json.loads(second)["score"] == rows[1]["score"]
        stem = Path(name).stem
        assert run("sobel", name, "-o", "out/").exit_code == 0
        made = [cv2.imread(f"out/{stem}.{n}.sobel.png", cv2.IMREAD_UNCHANGED) for n in (1, 2, 3)]
        np.testing.assert_array_equal(made[1], ek.picture(SCENE).image, name)
        np.testing.assert_array_equal(made[0], made[2], name)
        assert run("canny", name, "--page", "2", "-o", f"{stem}-2.png").exit_code == 0
        failed = run("sobel", name, "--page", "4", "-o", "no.png")
        assert failed.exit_code == 1
        assert f"{name}:4: expected an image with the number 4; found 3" in failed.stderr
        # The note states which image is read.
        assert read(data).note == "image 1 of 3 in the file"
    assert run("sobel", "stack.tif", "-o", "all.tif").exit_code == 0
    assert tifffile.imread("all.tif").shape == (3, *SCENE.shape)


def test_default_image_of_apng_counts_as_an_image():
    first, *rest = (Image.fromarray(np.roll(SCENE, n, 0)) for n in range(3))
    data = by_pillow(first, "PNG", save_all=True, append_images=rest, default_image=True, duration=50)
    assert images_in(data, "an image") == 3
    np.testing.assert_array_equal(read(data, page=3).image, np.roll(SCENE, 2, 0))


def test_apng_frames_with_16_bits(monkeypatch):
    frames = np.random.default_rng(0).integers(0, 65536, (3, 12, 16, 3), dtype=np.uint16)
    data = imagecodecs.apng_encode(frames)
    for page, frame in enumerate(frames, 1):
        found = read(data, page=page)
        np.testing.assert_array_equal(found.image, frame)
        assert found.note == ""
    # Too large to decode all frames together, or the library is missing.
    few = ReadOptions(max_pixels=12 * 16 * 3 - 1)
    for options, hidden in ((few, False), (ReadOptions(), True)):
        if hidden:
            monkeypatch.setitem(sys.modules, "imagecodecs", None)
        found = read(data, page=2, read_options=options)
        assert (found.image.dtype, found.note) == (np.uint8, "read with 8 of its 16 bits")


def test_previews_of_raw_photographs_are_not_counted(tmp_path):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(SCENE[::4, ::4], photometric="minisblack", metadata=None)
        writer.write(SCENE, photometric=32803, metadata=None)
    for name in ("photo.dng", "photo.tif"):
        for data in (dng(), file.getvalue()):
            (tmp_path / name).write_bytes(data)
            assert image_count(tmp_path / name) == images_in(data, "an image") == 1
        (tmp_path / name).write_bytes(dng())
        (row,) = run("score", name, "--json").stdout.splitlines()
        assert json.loads(row)["width"] == 64


def test_rows_of_pages_are_resumed():
    for name, data in stacks():
        Path(name).write_bytes(data)
    first = run("score", "stack.tif", "moving.gif", "-o", "scores.csv")
    again = run("score", "stack.tif", "moving.gif", "-o", "scores.csv")
    assert (first.exit_code, again.exit_code) == (0, 0)
    table = Path("scores.csv").read_text("utf-8").splitlines()
    assert len(table) == 7
    assert [line.split(",")[:2] for line in table[1:]] == [
        [n, f"{p}"] for n in ("moving.gif", "stack.tif") for p in (1, 2, 3)
    ]


def test_reduced_images_of_tiff_files_are_not_counted():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(SCENE[::4, ::4], subfiletype=1, photometric="minisblack", metadata=None)
        writer.write(SCENE, photometric="minisblack", metadata=None)
        writer.write(SCENE[::2, ::2], subfiletype=1, photometric="minisblack", metadata=None)
    assert images_in(file.getvalue(), "an image") == 1
    np.testing.assert_array_equal(read(file.getvalue()).image, SCENE)


def test_images_of_heif_files():
    Path("two.heic").write_bytes(heif_of(RGB, 255 - RGB, primary=1))
    assert image_count(Path("two.heic")) == 2
    rows = run("score", "two.heic", "--json").stdout.splitlines()
    assert sorted(json.loads(row)["page"] for row in rows) == [1, 2]
    assert run("sobel", "two.heic", "--page", "2", "-o", "second.png").exit_code == 0
    file = ek.open_image("two.heic")
    assert file.pages == 2
    # The primary image is the first one.
    np.testing.assert_array_equal(file.read(), 255 - RGB)
    assert np.abs(file.read(page=2).astype(int) - RGB).max() <= 2
    assert read(Path("two.heic").read_bytes()).note == "image 1 of 2 in the file"


def test_heif_files_without_pillow_heif(monkeypatch):
    Path("two.heic").write_bytes(heif_of(RGB, 255 - RGB))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert image_count(Path("two.heic")) == 1
    for page in ((), ("--page", "2")):
        done = run("score", "two.heic", *page)
        assert done.exit_code == 1
        assert "two.heic: HEIF needs pillow-heif: " in done.stderr.replace(":2:", ":")
        assert "[heif]" in done.stderr
    with pytest.raises(ek.MissingExtraError, match=r"two.heic: HEIF needs pillow-heif: .*\[heif\]"):
        ek.open_image("two.heic")
