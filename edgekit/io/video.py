"""Frames of video files, by PyAV. May import errors; the library is of the extra ``video``."""

import errno
import math
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.extras import install_command
from edgekit.common.read_limits import DEFAULT, Limits
from edgekit.errors import DecodeError, MissingExtraError, ParameterError, UnreadableError
from edgekit.io.files import head_of
from edgekit.io.stores import StorePath

#: First bytes, from an offset on, of the containers that are common: MP4 and MOV, Matroska and WebM, AVI, MPEG, FLV.
_MAGIC = ((4, b"ftypqt"), (4, b"ftyp"), (0, b"\x1aE\xdf\xa3"), (8, b"AVI "), (0, b"\x00\x00\x01\xba"), (0, b"FLV\x01"))

#: Still pictures and sound that begin as MP4 does.
_OTHER = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"crx ", b"M4A ", b"M4B ", b"M4P ")

#: A clip that ends sooner than this before its time, in seconds, was cut off.
SLACK = 0.5


#: A frame that is early by less than this part of a step is on time: times are rounded.
EARLY = 1e-3


class Frame(NamedTuple):
    """One frame of a clip.

    Attributes
    ----------
    number : int
        Counted from 0 among all frames of the clip.
    time : float
        In seconds from the clip's begin.
    image : ndarray of uint8
        (H, W), or (H, W, 3) in RGB order; upright.
    """

    number: int
    time: float
    image: NDArray[np.uint8]


def is_video(path: Path) -> bool:
    """Tell whether a file begins as a video does; False where it cannot be read."""
    head = head_of(path, 16)
    return any(head[at:].startswith(magic) for at, magic in _MAGIC) and head[8:12] not in _OTHER


def read_frames(
    path: Path,
    *,
    every: int = 1,
    rate: float | None = None,
    colour: bool = False,
    only: Container[int] | None = None,
    limits: Limits = DEFAULT,
) -> Iterator[Frame]:
    """Give the frames of a clip as they are decoded, one at a time in memory.

    Parameters
    ----------
    path : Path
        The file.
    every : int
        Take one of so many frames.
    rate : float, optional
        Take at most so many frames a second.
    colour : bool
        RGB instead of grey.
    only : container of int, optional
        Take these frames, by number.
    limits : Limits
        What may be taken on of each frame.

    Raises
    ------
    UnreadableError
        If the file is missing or may not be read.
    DecodeError
        If it is no video; or, after the frames that could be read, if it is damaged or cut off.
    MissingExtraError
        If PyAV is not installed.
    ParameterError
        If `every` or `rate` is not positive, or the clip lies in a store.
    """
    if isinstance(path, StorePath):
        raise ParameterError(f"{path}: clips are read from local files; copy it to this machine first")
    if every < 1 or (rate is not None and not rate > 0):
        raise ParameterError(f"every={every} and rate={rate} must be positive")
    due = -math.inf
    for number, time, frame in _decoded(path, limits):
        if number % every or (only is not None and number not in only) or time < due:
            continue
        if rate is not None:
            # The next of the moments that are 1 / rate apart; a frame just short of it is on time.
            due = (math.floor(time * rate + EARLY) + 1 - EARLY) / rate
        yield Frame(number, time, _upright(frame, "rgb24" if colour else "gray"))


def _decoded(path: Path, limits: Limits) -> Iterator[tuple[int, float, Any]]:
    """Give number, time and frame; raise in the end if there was something wrong."""
    av = _library()
    count, last, end, wrong = 0, 0.0, 0.0, ""
    with _opened(path, av) as container:
        stream = container.streams.video[0]
        limits.admit((stream.width, stream.height), str(path))
        # With threads for frames, what can be read after damage would differ from run to run.
        stream.thread_type = "SLICE"
        begin = float((stream.start_time or 0) * (stream.time_base or 0))
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
                # What follows a damaged part can often be read again.
                wrong = wrong or f"damaged after frame {count - 1} at {last:.2f} s ({error.strerror})"
                if packet is None:
                    break
                continue
            for frame in frames:
                if frame.is_corrupt:
                    wrong = wrong or f"damaged after frame {count - 1} at {last:.2f} s"
                    continue
                time = end if frame.time is None else frame.time - begin
                if count and time <= last:
                    # Clips that were put together begin to count anew: what follows goes on from there.
                    begin -= end - time
                    time = end
                last = time
                end = last + (float(frame.duration * frame.time_base) if frame.duration and frame.time_base else step)
                yield count, last, frame
                count += 1
        expected = _duration(container, stream, av)
    if not wrong and count and end < expected - SLACK:
        wrong = f"cut off: it ends after {end:.2f} of {expected:.2f} s"
    if not count:
        raise DecodeError(f"{path}: no frame could be read{': ' * bool(wrong)}{wrong}; export the clip again")
    if wrong:
        raise DecodeError(f"{path}: {wrong}; {count} frames could be read. Copy or export the clip again")


def _duration(container: Any, stream: Any, av: Any) -> float:
    """Return how long the pictures should go on in seconds, 0 where the file does not say."""
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
        # In a name such as "12:30.mp4" the library would see a protocol.
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
            raise DecodeError(f"{path}: expected a video; found a file without pictures")
        yield container


def _upright(frame: Any, layout: str) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = frame.to_ndarray(format=layout)
    # Cameras turn the picture by what they write beside it, counter-clockwise here.
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _library() -> Any:
    try:
        import av
    except ModuleNotFoundError:
        raise MissingExtraError(f"reading videos needs PyAV: {install_command('video')}") from None
    # What is wrong with a file is said once, by us.
    av.logging.set_level(None)
    return av
