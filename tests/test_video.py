"""Frames of clips: numbers, times, orientation, damaged files."""

import itertools
import subprocess
import sys

import cv2
import numpy as np
import pytest
from clips import RATE, pattern, turn, write_clip

from edgekit.common.extras import install_command
from edgekit.errors import DecodeError, ParameterError, UnreadableError
from edgekit.io.video import is_video, read_frames


@pytest.fixture
def clip(tmp_path):
    """Forty frames with forty different mean gray levels."""
    return write_clip(tmp_path / "clip.mp4", [np.full((48, 64), 20 + 5 * n, np.uint8) for n in range(40)])


def test_numbers_and_times_of_frames(clip):
    frames = list(read_frames(clip))
    assert [f.number for f in frames] == list(range(40))
    np.testing.assert_allclose([f.time for f in frames], np.arange(40) / RATE, atol=1e-3)
    np.testing.assert_allclose([f.image.mean() for f in frames], 20 + 5 * np.arange(40), atol=2.5)
    assert {(f.image.shape, f.image.dtype.name) for f in frames} == {((48, 64), "uint8")}
    assert is_video(clip)


def test_gray_frames_match_cv2(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [pattern(n) for n in range(3)])
    capture = cv2.VideoCapture(str(path))
    for frame in read_frames(path):
        there, other = capture.read()
        assert there
        assert abs(frame.image.astype(int) - cv2.cvtColor(other, cv2.COLOR_BGR2GRAY)).mean() < 2


def test_colour_frames(clip):
    first = next(iter(read_frames(clip, colour=True)))
    assert first.image.shape == (48, 64, 3)


def test_every_only_and_rate_options(clip):
    assert [f.number for f in read_frames(clip, every=7)] == list(range(0, 40, 7))
    assert [f.number for f in read_frames(clip, only={3, 30})] == [3, 30]
    # Three of ten frames per second: the first at or after each third of a second.
    expected = sorted({int(np.ceil(k / 3 * RATE - 1e-6)) for k in range(12)})
    assert [f.number for f in read_frames(clip, rate=3)] == expected
    assert [f.number for f in read_frames(clip, rate=1000)] == list(range(40))


def test_uneven_frame_times(tmp_path):
    times = [0.0, 0.1, 0.5, 0.55, 1.5, 1.6]
    path = write_clip(tmp_path / "clip.mkv", [pattern(n) for n in range(6)], times)
    np.testing.assert_allclose([f.time for f in read_frames(path)], times, atol=1e-3)
    assert [f.number for f in read_frames(path, rate=2)] == [0, 2, 4]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_of_clips_is_applied(tmp_path, degrees):
    picture = np.zeros((48, 64), np.uint8)
    picture[:20, :20] = 250
    path = write_clip(tmp_path / "clip.mp4", [picture] * 3)
    turn(path, degrees)
    (frame, *_) = read_frames(path)
    expected = np.rot90(picture, -degrees // 90)
    assert frame.image.shape == expected.shape
    assert abs(frame.image.astype(int) - expected).mean() < 4
    there, opencvs = cv2.VideoCapture(str(path)).read()
    assert there
    assert abs(frame.image.astype(int) - opencvs[..., 0]).mean() < 4


def test_truncated_clips_give_frames_and_an_error(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", [pattern(n, (240, 320)) for n in range(40)])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    given = []
    with pytest.raises(DecodeError, match=r"clip\.mkv: .*(truncated|damaged).* frames could be read") as caught:
        given.extend(frame.number for frame in read_frames(path))
    assert 15 <= len(given) < 30
    assert f"{len(given)} frames" in str(caught.value)


def test_damaged_clips_give_frames_and_an_error(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [pattern(n, (240, 320)) for n in range(40)])
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    path.write_bytes(data)

    runs = ([], [])
    for run in runs:
        with pytest.raises(DecodeError, match="damaged after frame"):
            run.extend((frame.number, frame.image.sum()) for frame in read_frames(path))
    assert runs[0] == runs[1]
    assert 20 <= len(runs[0]) < 40


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00\x00\x00\x20ftypisom" + bytes(100)])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=r"clip\.mp4: expected a video"):
        list(read_frames(path))


def test_missing_files_are_reported(tmp_path):
    with pytest.raises(UnreadableError, match=r"none\.mp4: cannot be read: No such file"):
        list(read_frames(tmp_path / "none.mp4"))
    assert not is_video(tmp_path / "none.mp4")


@pytest.mark.parametrize("options", [{"every": 0}, {"rate": 0.0}, {"rate": -1.0}])
def test_wrong_options(clip, options):
    with pytest.raises(ParameterError, match="must be positive"):
        list(read_frames(clip, **options))


def test_missing_pyav_is_reported(clip):
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from pathlib import Path\nfrom edgekit.io.video import read_frames\n"
        "try: list(read_frames(Path(sys.argv[1])))\nexcept ImportError as error: print(type(error).__name__, error)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(clip)], capture_output=True, text=True)
    assert ran.stdout == f"MissingExtraError reading videos needs PyAV: {install_command('video')}\n"


def test_memory_does_not_grow_with_the_clip(tmp_path):
    """Frames are not stored after they are returned."""
    path = write_clip(tmp_path / "clip.mp4", [pattern(n, (480, 640)) for n in range(60)])
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom edgekit.io.video import read_frames\n"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "frames = read_frames(Path(sys.argv[1]))\n[next(frames) for _ in range(10)]\nbefore = most()\n"
        "print(sum(1 for _ in frames), most() - before)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    count, grown = map(int, ran.stdout.split())
    assert count == 50
    # Fifty frames are 15 MB.
    assert grown < 6000


def test_times_of_concatenated_clips_increase(tmp_path):
    path = write_clip(tmp_path / "clip.ts", [pattern(n) for n in range(12)])
    path.write_bytes(2 * path.read_bytes())
    times = [f.time for f in read_frames(path)]
    assert len(times) >= 22
    assert all(b > a for a, b in itertools.pairwise(times))


def test_unusual_names_of_clips(tmp_path):
    path = write_clip(tmp_path / "12:30 #1%.mp4", [pattern()] * 3)
    assert len(list(read_frames(path))) == 3


def test_long_pause_before_the_last_frame(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [pattern(n) for n in range(4)], [0.0, 0.1, 0.2, 5.0])
    assert [f.number for f in read_frames(path)] == [0, 1, 2, 3]
