"""Reads the frames of video files by PyAV, which the extra ``video`` installs.

May import `common` and what is below it.
"""

import errno
import math
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.extras import install_command
from edgekit.common.read_options import DEFAULT_READ_OPTIONS, ReadOptions
from edgekit.errors import DecodeError, EdgekitError, MissingExtraError, ParameterError, UnreadableError
from edgekit.io.files import head_of
from edgekit.io.formats import HEIF_BRANDS
from edgekit.io.stores import StorePath

#: Offset and first bytes of the common containers: MP4 and MOV, Matroska and WebM, AVI, MPEG, FLV.
_SIGNATURES = (
    (4, b"ftypqt"),
    (4, b"ftyp"),
    (0, b"\x1aE\xdf\xa3"),
    (8, b"AVI "),
    (0, b"\x00\x00\x01\xba"),
    (0, b"FLV\x01"),
)

#: Types of still images and sound in files that begin like MP4.
_NO_VIDEO = (*HEIF_BRANDS, b"avif", b"avis", b"avio", b"crx ", b"jxl ", b"M4A ", b"M4B ", b"M4P ")

#: A video that ends this many seconds before its stated duration is truncated.
MAX_MISSING = 0.5

#: Times are rounded: a frame may be early by this fraction of the interval between frames.
TOLERANCE = 1e-3


class Frame(NamedTuple):
    """One frame of a video.

    Attributes
    ----------
    number : int
        Its number among all frames, from 0.
    time : float
        Seconds since the start of the video.
    image : ndarray of uint8 or uint16
        (H, W), or (H, W, 3) in RGB order, upright.
    bits : int
        Bits of a value in the video, such as 8 or 10.
    """

    number: int
    time: float
    image: NDArray[Any]
    bits: int = 8


def bits_lost(bits: int, kept: int) -> str:
    """Return a note if the values of a video have more bits than are kept."""
    return f"{kept} bits of {bits}" if bits > kept else ""


def is_video(path: Path) -> bool:
    """Tell whether a file begins like a video; False if it cannot be read."""
    head = head_of(path, 16)
    return any(head[at:].startswith(magic) for at, magic in _SIGNATURES) and head[8:12] not in _NO_VIDEO


def read_frames(
    path: Path,
    *,
    every: int = 1,
    rate: float | None = None,
    start: float = 0.0,
    end: float = math.inf,
    colour: bool = False,
    depth: Literal[8, 16] = 8,
    only: Container[int] | None = None,
    read_options: ReadOptions = DEFAULT_READ_OPTIONS,
) -> Iterator[Frame]:
    """Give the frames of a video, one at a time.

    Parameters
    ----------
    path : Path
        The file.
    every : int
        Read every Nth frame.
    rate : float, optional
        Read at most this number of frames per second.
    start, end : float
        Read only the frames from `start` to `end`, in seconds. Frames before are counted.
    colour : bool
        Give RGB instead of gray.
    depth : {8, 16}
        Bits of the values. With 16 those of a video of 8 bits stay at 8.
    only : container of int, optional
        Read only the frames with these numbers.
    read_options : ReadOptions
        Options for each frame.

    Raises
    ------
    UnreadableError
        If the file is missing, or access is denied.
    DecodeError
        If it is not a video; or, after the frames that can be decoded, if it is damaged or truncated.
    MissingExtraError
        If PyAV is not installed.
    ParameterError
        If `every` or `rate` is not positive, or the video is in a store.
    """
    if isinstance(path, StorePath):
        raise ParameterError(f"{path}: videos are read from local files; copy it to this machine first")
    if every < 1 or (rate is not None and not rate > 0):
        raise ParameterError(f"every={every} and rate={rate} must be positive")
    due = -math.inf
    for number, time, frame in _decoded(path, read_options):
        if time > end:
            return
        if number % every or (only is not None and number not in only) or time < max(due, start):
            continue
        if rate is not None:
            # The next multiple of 1 / rate.
            due = (math.floor(time * rate + TOLERANCE) + 1 - TOLERANCE) / rate
        bits = max(component.bits for component in frame.format.components)
        deep = depth == 16 and bits > 8
        layout = ("rgb48le" if deep else "rgb24") if colour else ("gray16le" if deep else "gray")
        yield Frame(number, time, _upright(frame, layout), bits)


def frame_count(
    path: Path, *, every: int = 1, rate: float | None = None, start: float = 0.0, end: float = math.inf
) -> int:
    """Return about how many frames `read_frames` will give; 1 if the file does not tell."""
    try:
        av = _library()
        with _opened(path, av) as container:
            stream = container.streams.video[0]
            seconds = _duration(container, stream, av)
            count = stream.frames or round(seconds * float(stream.average_rate or 0))
    except (EdgekitError, OSError):
        return 1
    part = max(0.0, min(end, seconds) - start)
    count = math.ceil(count / every * (part / seconds if seconds else 1))
    return max(1, count if rate is None or not seconds else min(count, math.ceil(part * rate)))


def _decoded(path: Path, read_options: ReadOptions) -> Iterator[tuple[int, float, Any]]:
    """Give number, time and frame of each frame; raise at the end if a part could not be decoded."""
    av = _library()
    count, last, end, wrong = 0, 0.0, 0.0, ""
    with _opened(path, av) as container:
        stream = container.streams.video[0]
        read_options.check_size((stream.width, stream.height), str(path))
        # With one thread per frame, the frames that can be decoded after damage would differ from run to run.
        stream.thread_type = "SLICE"
        start = float((stream.start_time or 0) * (stream.time_base or 0))
        step = float(1 / stream.average_rate) if stream.average_rate else 0.0
        packets = container.demux(stream)
        while True:
            packet = None
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                frames = packet.decode()
            except av.error.FFmpegError as error:
                # The frames after a damaged part can often be decoded again.
                wrong = wrong or f"damaged after frame {count - 1} at {last:.2f} s ({error.strerror})"
                if packet is None:
                    break
                continue
            for frame in frames:
                if frame.is_corrupt:
                    wrong = wrong or f"damaged after frame {count - 1} at {last:.2f} s"
                    continue
                time = end if frame.time is None else frame.time - start
                if count and time <= last:
                    # The times of joined videos start again at 0: continue from the end of the last frame.
                    start -= end - time
                    time = end
                last = time
                end = last + (float(frame.duration * frame.time_base) if frame.duration and frame.time_base else step)
                yield count, last, frame
                count += 1
        expected = _duration(container, stream, av)
    if not wrong and count and end < expected - MAX_MISSING:
        wrong = f"truncated: it ends after {end:.2f} of {expected:.2f} s"
    if not count:
        raise DecodeError(f"{path}: no frame could be read{': ' * bool(wrong)}{wrong}; export the clip again")
    if wrong:
        raise DecodeError(f"{path}: {wrong}; {count} frames could be read. Copy or export the clip again")


def _duration(container: Any, stream: Any, av: Any) -> float:
    """Return the stated duration of the images in seconds, 0 if there is none."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska writes hours:minutes:seconds.
    if found := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, found.groups())
        return 3600 * hours + 60 * minutes + seconds
    alone = len(container.streams) == 1
    return float(container.duration / av.time_base) if alone and container.duration else 0.0


@contextmanager
def _opened(path: Path, av: Any) -> Iterator[Any]:
    try:
        # Without file: a name such as "12:30.mp4" would be taken for a protocol.
        container = av.open(f"file:{path}", metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.EACCES, errno.EISDIR):
            raise UnreadableError(f"{path}: cannot be read: {error.strerror}") from None
        said = getattr(error, "strerror", None) or error
        raise DecodeError(
            f"{path}: expected a video; it cannot be opened as one ({said}). Copy or export it again"
        ) from None
    with container:
        if not container.streams.video:
            raise DecodeError(f"{path}: expected a video; found a file without images")
        yield container


def _upright(frame: Any, layout: str) -> NDArray[Any]:
    image: NDArray[Any] = frame.to_ndarray(format=layout)
    # The rotation that the camera recorded, counter-clockwise.
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _library() -> Any:
    try:
        import av
    except ModuleNotFoundError:
        raise MissingExtraError(f"reading videos needs PyAV: {install_command('video')}") from None
    # No log messages: edgekit reports what is wrong with a file.
    av.logging.set_level(None)
    return av
