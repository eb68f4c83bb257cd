"""Makes a clip of a photograph: a view that wanders over it, blurred by motion where it hurries.

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

#: Rows and columns of the view, frames, and frames a second.
SIZE, COUNT, RATE = (240, 320), 60, 20

#: So many times within the clip the view stops and hurries on.
STOPS = 3

#: Moments of one exposure whose mean is a frame.
MOMENTS = 24


def places(photograph: Image) -> Iterator[tuple[float, float]]:
    """Give the view's upper left corner (x, y) from frame to frame, one more than there are frames."""
    for n in range(COUNT + 1):
        share = n / COUNT
        # Slow at the stops: the slope of this is 0 there.
        way = share - math.sin(2 * math.pi * STOPS * share) / (2 * math.pi * STOPS)
        yield way * (photograph.shape[1] - SIZE[1]), way * (photograph.shape[0] - SIZE[0])


def frames(photograph: Image) -> Iterator[Image]:
    """Give each frame: the mean of what is seen while the shutter is open."""
    for (x0, y0), (x1, y1) in pairwise(places(photograph)):
        seen = np.zeros((*SIZE, 3))
        for t in (np.arange(MOMENTS) + 0.5) / MOMENTS:
            shift = np.float32([[1, 0, -(x0 + t * (x1 - x0))], [0, 1, -(y0 + t * (y1 - y0))]])
            seen += cv2.warpAffine(photograph, shift, SIZE[::-1], flags=cv2.INTER_LINEAR)
        yield np.rint(seen / MOMENTS).astype(np.uint8)


def write(path: Path, photograph: Image) -> None:
    """Write the clip, of the same bytes each time."""
    with av.open(str(path), "w") as container:
        # One thread: several share the bits out as they come.
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "slow", "threads": "1"})
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for n, image in enumerate(frames(photograph)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
