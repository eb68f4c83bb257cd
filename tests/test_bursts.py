"""Moments: bursts of photographs, resting cameras, parts of clips, and the bits of their frames."""

import json
import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import write_clip
from command_line import run, shown
from PIL import Image

import edgekit as ek
from edgekit.focus.likeness import Fingerprint, fingerprint, group_bursts, motion, path_travelled
from edgekit.io.capture_time import capture_time

pytestmark = pytest.mark.usefixtures("at_home")


def scene(seed=3, size=(240, 1600)):
    """A picture with structures of all sizes, in colour."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.normal(0, 1, (8, 50, 3)), size[::-1], interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.normal(0, 1, (*size, 3)), (0, 0), 1.2)
    mixed = coarse / coarse.std() + fine / fine.std()
    return cv2.normalize(mixed, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def view(at=0, sigma=0.0, seed=3):
    """A view of a scene: 320 pixels wide, from `at` on, blurred."""
    image = scene(seed)[:, at : at + 320]
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


def gray(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def write_photo(path, image, taken, fraction="00", offset=None):
    """Write a JPEG file with the time of its capture, as cameras do."""
    photo = Image.fromarray(image)
    exif = photo.getexif()
    tags = exif.get_ifd(0x8769)
    tags[0x9003], tags[0x9291] = taken, fraction
    if offset:
        tags[0x9011] = offset
    path.parent.mkdir(exist_ok=True)
    photo.save(path, exif=exif, quality=95)


def test_the_shift_is_measured_and_blur_is_no_motion():
    still = fingerprint(gray(view(600)))
    for pixels in (1, 8, 32):
        found = motion(still, fingerprint(gray(view(600 + pixels))))
        assert found.shift == pytest.approx(pixels / 320, abs=0.004)
        assert found.likeness > 0.9
    for sigma in (1, 3, 6):
        found = motion(still, fingerprint(gray(view(600, sigma))))
        assert found.is_rest
    assert not motion(still, fingerprint(gray(view(600, seed=4)))).is_same_moment
    assert not motion(still, fingerprint(gray(view(1000)))).is_same_moment
    brighter = cv2.convertScaleAbs(gray(view(600)), alpha=0.6, beta=40)
    assert motion(still, fingerprint(brighter)).is_rest
    flat = fingerprint(np.full((240, 320), 90, np.uint8))
    assert motion(flat, flat).is_rest
    assert not motion(flat, still).is_same_moment
    assert not motion(still, fingerprint(gray(view(600)).T)).is_same_moment


def test_detail_falls_with_blur_whatever_the_contrast():
    base = gray(view(600))
    values = [fingerprint(cv2.GaussianBlur(base, (0, 0), 1.2**k)).detail for k in range(10)]
    assert values == sorted(values, reverse=True)
    dim = fingerprint(np.rint(cv2.GaussianBlur(base, (0, 0), 2) * 0.5 + 20).astype(np.uint8)).detail
    assert dim > fingerprint(cv2.GaussianBlur(base, (0, 0), 2.4)).detail
    assert np.isnan(fingerprint(np.full((240, 320), 90, np.uint8)).detail)


def test_a_fingerprint_is_kept_as_bytes():
    made = fingerprint(gray(view(600)).astype(np.uint16) * 200, taken=12.5)
    kept = Fingerprint.from_bytes(made.to_bytes())
    assert (kept.detail, kept.taken, kept.image.shape) == (made.detail, 12.5, (48, 64))
    assert np.abs(kept.image - made.image).max() <= 0.5


def test_a_camera_that_rests_travels_no_path():
    rng = np.random.default_rng(0)
    places = [0] * 10 + [2 * n for n in range(20)] + [38] * 10
    frames = [np.clip(gray(view(at)) + rng.normal(0, 3, (240, 320)), 0, 255).astype(np.uint8) for at in places]
    path = path_travelled([fingerprint(frame) for frame in frames])
    assert path[:10] == [0.0] * 10
    assert path[29:] == [path[-1]] * 11
    assert path[-1] == pytest.approx(38 / 320, abs=0.01)
    assert path == sorted(path)


def test_groups_end_with_time_motion_and_scene():
    images = [fingerprint(gray(view(at))) for at in (0, 4, 8, 8, 60, 120)]
    times = [0.0, 0.5, 1.0, 5.0, 5.5, 6.0]
    assert group_bursts(times, images, 2.0) == [0, 0, 0, 1, 2, 3]
    assert group_bursts(times[:3], [images[0], None, images[2]], 2.0) == [0, 1, 2]
    assert group_bursts([], [], 1.0) == []


def test_capture_times():
    write_photo(Path("p/a.jpg"), view(), "2024:05:01 10:00:00", "25", "+02:00")
    write_photo(Path("p/b.jpg"), view(), "2024:05:01 08:00:00", "250")
    first, second = (capture_time(Path("p", name).read_bytes()) for name in ("a.jpg", "b.jpg"))
    # 2024-05-01 08:00:00.25 UTC.
    assert first == second == 1714550400.25
    write_photo(Path("p/c.jpg"), view(), "0000:00:00 00:00:00")
    assert np.isnan(capture_time(Path("p/c.jpg").read_bytes()))
    assert np.isnan(capture_time(b"broken"))


@pytest.mark.parametrize("offset", ["   :  ", "rubbish", "+02", "+99:00"])
def test_an_offset_that_cannot_be_read_is_no_offset(offset):
    write_photo(Path("p/a.jpg"), view(), "2024:05:01 08:00:00", "25", offset)
    assert capture_time(Path("p/a.jpg").read_bytes()) == 1714550400.25


def bursts():
    """Write three bursts of known blur, a pan, and a photograph by the time of its file; return the best names."""
    best = []
    for number, seed in enumerate((3, 4, 5)):
        for n, sigma in enumerate([2.0, 1.2, 1.44] if number % 2 else [3.0, 3.6, 2.5]):
            name = f"s{number}{'cab'[n]}.jpg"
            write_photo(
                Path("photos", name),
                view(3 * n, sigma, seed),
                f"2024:05:01 10:00:{10 * number:02}",
                str(2 * n),
            )
        best.append(["s0b.jpg", "s1a.jpg", "s2b.jpg"][number])
    for n in range(3):
        write_photo(Path("photos", f"pan{n}.jpg"), view(100 * n), "2024:05:01 11:00:00", str(n))
        best.append(f"pan{n}.jpg")
    return sorted(best)


def test_the_sharpest_of_each_burst():
    best = bursts()
    result = run("pick", "photos", "--burst", "2s", "-o", "best")
    assert result.exit_code == 0, result.stderr
    assert sorted(p.name for p in Path("best").glob("*.jpg")) == best
    said = json.loads(Path("best/picked.json").read_text())
    assert (said["method"], said["of"], len(said["moments"])) == ("bursts", 12, 6)
    group = next(g for g in said["moments"] if g["images"][0]["source"] == "photos/s1a.jpg")
    assert [image["picked"] for image in group["images"]] == [True, False, False]
    assert group["images"][0]["reason"] == f"rank 1 of 3 of moment {group['moment']}, taken within 0.4 s"
    assert group["images"][1]["reason"] == "less sharp than photos/s1a.jpg"
    run("pick", "photos", "--burst", "500ms", "-n", "2", "-o", "two")
    assert len(list(Path("two").glob("*.jpg"))) == 9
    result = run("pick", "photos", "--burst", "2s", "--measure", "tenengrad", "--above", "1e9", "-o", "none")
    assert result.exit_code == 2
    assert "nothing with a score of 1e+09 or more to pick from" in result.stderr


def test_the_lowest_score_comes_before_the_rank_in_the_burst():
    """Noise looks sharper than the scene when images are compared, and has a lower score."""
    noise = np.random.default_rng(0).normal(0, 14, view().shape)
    noisy = np.clip(view(0, 3.0) + noise, 0, 255).astype(np.uint8)
    for n, image in enumerate((view(0, 2.0), noisy)):
        write_photo(Path("photos", f"{n}.jpg"), image, "2024:05:01 10:00:00", str(n))
    run("pick", "photos", "--burst", "2s", "-o", "all")
    assert [p.name for p in Path("all").glob("*.jpg")] == ["1.jpg"]
    result = run("pick", "photos", "--burst", "2s", "--above", "0.02", "-o", "best")
    assert result.exit_code == 0, result.stderr
    assert [p.name for p in Path("best").glob("*.jpg")] == ["0.jpg"]
    (moment,) = json.loads(Path("best/picked.json").read_text())["moments"]
    assert [(image["picked"], image["reason"]) for image in moment["images"]] == [
        (True, "rank 1 of 1 of moment 1, taken within 0.1 s"),
        (False, "no score of 0.02 or more"),
    ]


def test_file_times_where_there_is_no_exif():
    for n, sigma in enumerate((2.0, 1.0, 3.0)):
        path = Path("photos", f"{n}.png")
        path.parent.mkdir(exist_ok=True)
        ek.write_image(path, view(0, sigma))
        os.utime(path, (1000 + n, 1000 + n))
    run("pick", "photos", "--burst", "1.5", "-o", "best")
    assert [p.name for p in Path("best").glob("*.png")] == ["1.png"]
    run("pick", "photos", "--burst", "0.5", "-o", "all")
    assert len(list(Path("all").glob("*.png"))) == 3


@pytest.mark.parametrize(
    "wrong", [("--burst", "soon"), ("--burst", "2s", "--window", "3"), ("-n", "1", "--depth", "16", "--format", "jpg")]
)
def test_options_that_do_not_agree(wrong):
    assert run("pick", "photos", *wrong, "-o", "best").exit_code == 2


def test_resting_frames_are_one_moment_and_the_path_is_divided():
    places = [0] * 40 + [4 * n for n in range(20)]
    write_clip(Path("clip.mp4"), [gray(view(at)) for at in places], codec="libx264")
    result = run("pick", "clip.mp4", "-n", "4", "-o", "frames")
    assert result.exit_code == 0, result.stderr
    frames = [p["frame"] for p in json.loads(Path("frames/picked.json").read_text())["picked"]]
    assert len(frames) == 4
    assert min(np.diff([places[n] for n in frames])) >= 8
    write_clip(Path("rest.mp4"), [gray(view(0))] * 12, codec="libx264")
    result = run("pick", "rest.mp4", "-n", "4", "-o", "rest")
    assert "1 of 4: the other frames show the same moments" in result.stderr


def test_parts_of_clips():
    write_clip(Path("clip.mp4"), [gray(view(8 * n)) for n in range(30)], codec="libx264")
    run("pick", "clip.mp4", "-n", "2", "--start", "1", "--end", "1.9", "-o", "frames")
    said = json.loads(Path("frames/picked.json").read_text())
    assert said["of"] == 10
    assert all(10 <= p["frame"] <= 19 for p in said["picked"])
    result = run("score", "clip.mp4", "--start", "2.5", "--json")
    assert sorted(json.loads(line)["frame"] for line in result.stdout.splitlines()) == [25, 26, 27, 28, 29]
    assert "the start before the end" in run("score", "clip.mp4", "--start", "3", "--end", "2").stderr


def deep_clip(path):
    """Write a clip of 10 bits: a ramp of all levels, moving."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.options = 1024, 64, "yuv420p10le", {"qp": "0"}
        stream.codec_context.time_base = Fraction(1, 10)
        for n in range(4):
            levels = np.tile(np.roll(np.arange(1024, dtype=np.uint16) * 64, 100 * n), (64, 1))
            frame = av.VideoFrame.from_ndarray(levels, format="gray16le").reformat(format="yuv420p10le")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_clips_of_ten_bits():
    deep_clip(Path("deep.mp4"))
    lost = run("pick", "deep.mp4", "-n", "1", "-o", "a", "--json")
    assert json.loads(lost.stdout)["reason"].endswith("; 8 bits of 10")
    assert shown(json.loads(lost.stdout)["output"]).dtype == np.uint8
    for arguments in (("--format", "tif"), ("--depth", "16")):
        kept = json.loads(run("pick", "deep.mp4", "-n", "1", "-o", "b", "--json", *arguments).stdout)
        assert "bits" not in kept["reason"]
        image = shown(kept["output"])
        assert image.dtype == np.uint16
        assert len(np.unique(image[32])) > 256
    row = json.loads(run("score", "deep.mp4", "--json").stdout.splitlines()[0])
    assert "8 bits of 10" in row["reason"]


def test_bars_and_round_fields_are_not_preferred():
    """The same views without a frame, between bars, and in a round field; those in frames are blurred a little more."""
    y, x = np.mgrid[:240, :320]
    bars, field = (y < 40) | (y >= 200), np.hypot(y - 120, x - 160) > 110
    frames = []
    for n in range(12):
        image = gray(view(8 * n, 2.0 if n % 3 == 0 else 2.6))
        frames.append(np.where(bars, 0, image) if n % 3 == 1 else np.where(field, 0, image) if n % 3 == 2 else image)
    write_clip(Path("clip.mp4"), frames, codec="libx264")
    run("pick", "clip.mp4", "--method", "best", "-n", "4", "-o", "frames")
    picked = [p["frame"] for p in json.loads(Path("frames/picked.json").read_text())["picked"]]
    assert [n % 3 for n in picked] == [0] * 4
