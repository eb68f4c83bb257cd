"""Video clips for tests."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

RATE = 10


def pattern(shift: int = 0, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """Return a checkerboard."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.where(((x + shift) // 16 + y // 16) % 2, 200, 60).astype(np.uint8)


def write_clip(path: Path, frames: list[np.ndarray], times: list[float] | None = None, codec: str = "mpeg4") -> Path:
    """Write gray images as a clip of key frames, at `times` in seconds or with ten frames per second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 8_000_000
        # Lossless for x264.
        stream.options = {"qp": "0"} if codec == "libx264" else {}
        stream.gop_size = 1
        stream.codec_context.time_base = Fraction(1, 1000)
        for n, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, 2), format="rgb24")
            frame.pts = round(1000 * (n / RATE if times is None else times[n]))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def blurred(sharpness: list[float], size: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    """Return images of a moving pattern; a smaller number gives more blur."""
    return [cv2.GaussianBlur(pattern(n, size), (0, 0), 0.4 + 4 * (1 - s)) for n, s in enumerate(sharpness)]


def turn(path: Path, degrees: int) -> None:
    """Set the clockwise rotation in an MP4 file, as telephones do."""
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = np.array([a * 65536, b * 65536, 0, -b * 65536, a * 65536, 0, 0, 0, 1 << 30], ">i4").tobytes()
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 40
    path.write_bytes(data[:at] + matrix + data[at + 36 :])
