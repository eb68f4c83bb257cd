"""The job of scoring an image. May import `io` and what is below it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from edgekit.common.choices import DETAILS, SCORE, unknown_choice
from edgekit.common.read_options import DEFAULT_READ_OPTIONS, ReadOptions
from edgekit.errors import ParameterError
from edgekit.focus.blur_score import VIEW, At, judge
from edgekit.focus.likeness import fingerprint
from edgekit.focus.measures import MEASURES, sharpness, sharpness_of
from edgekit.focus.version import SCORER
from edgekit.io.capture_time import capture_time
from edgekit.io.decoders import gray_by_opencv
from edgekit.io.pixels import Range
from edgekit.io.reduced import decode_gray

#: The measure whose thresholds are written for what `cv2.imread` reads.
_OPENCV = "laplacian_variance"


class Scored(NamedTuple):
    """The scores of one image.

    Attributes
    ----------
    width, height : int
        Of the whole image in pixels.
    values : tuple of float
        In the order of the job's columns; NaN where undefined.
    measures : int
        How many of them are measures. The row is undefined if one of these is.
    reason : str
        Why a value is undefined, and what was left out or converted when the image was read.
    truncated : bool
        Whether the file is truncated.
    fingerprint : bytes
        That of `edgekit.focus.likeness`, if the job asks for it.
    """

    width: int
    height: int
    values: tuple[float, ...]
    measures: int
    reason: str = ""
    truncated: bool = False
    fingerprint: bytes = b""

    @property
    def status(self) -> str:
        """``undefined`` if a value is; ``truncated`` if the file is; otherwise ``ok``."""
        if any(map(math.isnan, self.values[: self.measures])):
            return "undefined"
        return "truncated" if self.truncated else "ok"


@dataclass(frozen=True)
class ScoreJob:
    """Measure the sharpness of an image; a value that can be pickled and hashed.

    Attributes
    ----------
    measures : tuple of str
        ``score``, or names in `edgekit.MEASURES`.
    roi : tuple of int, optional
        x, y, width and height of the part to measure, in pixels of the upright image.
    every : int
        Measure every Nth frame of a video.
    rate : float, optional
        Measure at most this number of frames per second of a video.
    at : {"view", "full"}
        Whether the score judges images at viewing size or at full size.
    read_options : ReadOptions
        Options for reading an image.
    start, end : float
        The part of a video to measure, in seconds.
    fingerprints : {"none", "likeness", "detail"}
        Whether images are compared with one another: then each has a fingerprint, with or without its detail.
    """

    measures: tuple[str, ...] = (SCORE,)
    roi: tuple[int, int, int, int] | None = None
    every: int = 1
    rate: float | None = None
    at: At = "view"
    read_options: ReadOptions = DEFAULT_READ_OPTIONS
    # The key contains them only if they are given: rows of earlier runs stay valid.
    start: float = field(default=0.0, repr=False)
    end: float = field(default=math.inf, repr=False)
    fingerprints: Literal["none", "likeness", "detail"] = field(default="none", repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the values: those of the measures, and what the score was computed from."""
        return (*self.measures, *(DETAILS if SCORE in self.measures else ()))

    @property
    def key(self) -> str:
        """A text that contains everything the scores depend on; equal for equal jobs, in every process."""
        kept = "" if self.fingerprints == "none" else f" with {self.fingerprints}"
        part = "" if (self.start, self.end) == (0.0, math.inf) else f" from {self.start!r} to {self.end!r}"
        return f"{self!r} {SCORER}{part}{kept}"

    def check(self) -> None:
        """Check the job itself, before any image is read.

        Raises
        ------
        ParameterError
            If a measure is unknown, or the region has no pixels.
        """
        self.read_options.check()
        if not self.measures:
            raise ParameterError("no measure is given; choose score, or names in edgekit.MEASURES")
        for name in self.measures:
            if name != SCORE and name not in MEASURES:
                raise ParameterError(unknown_choice("measure", name, (SCORE, *MEASURES)))
        if len(set(self.measures)) < len(self.measures):
            raise ParameterError("a measure is given twice")
        if self.roi is not None and (min(self.roi[:2]) < 0 or min(self.roi[2:]) < 1):
            raise ParameterError(f"roi={','.join(map(str, self.roi))} must be x,y,width,height with a width and height")
        if self.every < 1 or (self.rate is not None and not 0 < self.rate < math.inf):
            raise ParameterError(f"every={self.every} and rate={self.rate} must be positive")
        if not 0 <= self.start < self.end:
            raise ParameterError(f"start={self.start:g} and end={self.end:g} must be seconds, the start before the end")

    def run(self, data: bytes, name: str, page: int | None = None) -> Scored:
        """Measure the image in `data`, or that with the number `page`, from 1 on.

        Raises
        ------
        EdgekitError
            If it is not an image, or the region is outside the image.
        """
        # The score uses a reduced image, and the decoder reduces fastest.
        reduced = SCORE in self.measures and self.roi is None and self.at == "view"
        decoded = decode_gray(data, name, least=VIEW if reduced else None, read_options=self.read_options, page=page)
        known, reason = self._judged(decoded.image, max(decoded.size), decoded.pixels.range) if reduced else ({}, "")
        if not set(self.measures) <= set(known):
            if decoded.image.shape[:2] != decoded.size[::-1]:
                decoded = decode_gray(data, name, read_options=self.read_options, page=page)
            first = page in (None, 1)
            if first and _OPENCV in self.measures and decoded.opencv_differs:
                gray = gray_by_opencv(data)
                if gray is not None:
                    known[_OPENCV] = sharpness(self.crop(gray, name), _OPENCV)
        columns, rows = decoded.size
        values, more = self._measured(decoded.image, name, known, decoded.pixels.range)
        reasons = "; ".join(filter(None, (reason, more, decoded.note)))
        print_of = self._fingerprint(decoded.image, capture_time(data) if self.fingerprints == "detail" else math.nan)
        return Scored(columns, rows, values, len(self.measures), reasons, decoded.truncated, print_of)

    def measure(self, image: Any, name: str, in_range: Range | None = None) -> Scored:
        """Measure a decoded image; `in_range` are its black and white.

        Raises
        ------
        EdgekitError
            If the region is outside the image.
        """
        rows, columns = image.shape[:2]
        values, reason = self._measured(image, name, {}, in_range)
        return Scored(columns, rows, values, len(self.measures), reason, fingerprint=self._fingerprint(image))

    def _fingerprint(self, image: Any, taken: float = math.nan) -> bytes:
        if self.fingerprints == "none":
            return b""
        return fingerprint(np.asarray(image), taken, detail=self.fingerprints == "detail").to_bytes()

    def _measured(
        self, image: Any, name: str, known: Mapping[str, float], in_range: Range | None
    ) -> tuple[tuple[float, ...], str]:
        """Return the values of all columns, and why the score is undefined; `known` values are not measured again."""
        values, reason = dict(known), ""
        if not set(self.measures) <= set(values):
            part = self.crop(image, name)
            if SCORE in self.measures and SCORE not in values:
                longer = max(part.shape[:2])
                judged, reason = self._judged(part, longer, in_range, VIEW * longer / max(image.shape[:2]))
                values |= judged
            # A value that overflows is undefined.
            with np.errstate(all="ignore"):
                values |= sharpness_of(part, [m for m in self.measures if m not in values])
        return tuple(v if math.isfinite(v := values[m]) else math.nan for m in self.columns), reason

    def _judged(
        self, image: Any, longer: int, in_range: Range | None, view: float = VIEW
    ) -> tuple[dict[str, float], str]:
        """Return the score and its details, and why they are undefined."""
        found = judge(image, at=self.at, in_range=in_range, full_size=longer, view=view)
        return dict(zip((SCORE, *DETAILS), found[:-1], strict=True)), found.reason

    def crop(self, image: Any, name: str) -> Any:
        """Return the region of an image.

        Raises
        ------
        ParameterError
            If it is outside the image.
        """
        if self.roi is None:
            return image
        rows, columns = image.shape[:2]
        self.check_region(rows, columns, name)
        x, y, w, h = self.roi
        return image[y : y + h, x : x + w]

    def check_region(self, rows: int, columns: int, name: str) -> None:
        """Raise if there is a region that is not within the image."""
        x, y, w, h = self.roi or (0, 0, 0, 0)
        if x + w > columns or y + h > rows:
            raise ParameterError(
                f"{name}: the region {x},{y},{w},{h} is not within the {columns}x{rows} pixels of the image"
            )
