"""Makes a video of a photograph: a view that moves over it, blurred by fast motion.

make_samples.py calls it. Needs PyAV, of the extra `video`.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

#: Rows and columns of the view, number of frames, and frames per second.
SIZE, COUNT, RATE = (240, 320), 60, 20

#: Number of times that the view stops.
STOPS = 3

#: Number of views whose mean is a frame.
MOMENTS = 24


def places(photograph: Image) -> Iterator[tuple[float, float]]:
    """Return the upper left corner (x, y) of the view at the start of each frame, and at the end of the last one."""
    for n in range(COUNT + 1):
        share = n / COUNT
        # The speed is 0 at the stops.
        way = share - math.sin(2 * math.pi * STOPS * share) / (2 * math.pi * STOPS)
        yield way * (photograph.shape[1] - SIZE[1]), way * (photograph.shape[0] - SIZE[0])


def frames(photograph: Image) -> Iterator[Image]:
    """Yield each frame: the mean of the views during its exposure."""
    for (x0, y0), (x1, y1) in pairwise(places(photograph)):
        seen = np.zeros((*SIZE, 3))
        for t in (np.arange(MOMENTS) + 0.5) / MOMENTS:
            shift = np.float32([[1, 0, -(x0 + t * (x1 - x0))], [0, 1, -(y0 + t * (y1 - y0))]])
            seen += cv2.warpAffine(photograph, shift, SIZE[::-1], flags=cv2.INTER_LINEAR)
        yield np.rint(seen / MOMENTS).astype(np.uint8)


def write(path: Path, photograph: Image) -> None:
    """Write the video, with the same bytes each time."""
    with av.open(str(path), "w") as container:
        # One thread: with several the bytes depend on their timing.
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "slow", "threads": "1"})
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for n, image in enumerate(frames(photograph)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
