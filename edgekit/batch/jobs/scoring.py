"""What to measure on one image, as a value: picklable, hashable, the same on every engine."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from edgekit.common.names import SCORE, unknown
from edgekit.common.read_limits import DEFAULT, Limits
from edgekit.errors import ParameterError
from edgekit.focus.composite import SIZE, VERSION, score
from edgekit.focus.measures import MEASURES, sharpness
from edgekit.io.reading import decode_grey

#: Raised when a measure of an image changes, so that old rows count as stale.
REVISION = 1

#: What made a row.
SCORER = f"edgekit-{REVISION}.{VERSION}"


class Scored(NamedTuple):
    """One image's row.

    Attributes
    ----------
    width, height : int
        Of the whole image in pixels.
    values : tuple of float
        In the order of the job's measures; NaN where undefined.
    reason : str
        What the user should know of the image; nothing where it is whole.
    """

    width: int
    height: int
    values: tuple[float, ...]
    reason: str = ""

    @property
    def status(self) -> str:
        """``ok``; ``truncated`` where the file breaks off; ``undefined`` where a value is."""
        return "undefined" if any(map(math.isnan, self.values)) else "truncated" if self.reason else "ok"


@dataclass(frozen=True)
class ScoreJob:
    """Measure the sharpness of an image.

    Attributes
    ----------
    measures : tuple of str
        ``score``, or names in `edgekit.MEASURES`.
    roi : tuple of int, optional
        x, y, width and height of the part to measure, in pixels of the upright image.
    every : int
        Of clips: one of so many frames.
    rate : float, optional
        Of clips: at most so many frames a second.
    limits : Limits
        What may be taken on of each image.
    """

    measures: tuple[str, ...] = (SCORE,)
    roi: tuple[int, int, int, int] | None = None
    every: int = 1
    rate: float | None = None
    limits: Limits = DEFAULT

    @property
    def key(self) -> str:
        """A text of everything that decides the row; equal for equal jobs, in every process."""
        return f"{self!r} {SCORER}"

    def check(self) -> None:
        """Raise what is wrong with the job itself, before any image is read.

        Raises
        ------
        ParameterError
            If a measure is not known, or the region has no pixels.
        """
        self.limits.check()
        for name in self.measures:
            if name != SCORE and name not in MEASURES:
                raise ParameterError(unknown("measure", name, (SCORE, *MEASURES)))
        if len(set(self.measures)) < len(self.measures):
            raise ParameterError("a measure was asked for twice")
        if self.roi is not None and (min(self.roi[:2]) < 0 or min(self.roi[2:]) < 1):
            raise ParameterError(f"roi={','.join(map(str, self.roi))} must be x,y,width,height with a width and height")
        if self.every < 1 or (self.rate is not None and not 0 < self.rate < math.inf):
            raise ParameterError(f"every={self.every} and rate={self.rate} must be positive")

    def run(self, data: bytes, name: str) -> Scored:
        """Measure the image in `data`.

        Raises
        ------
        EdgekitError
            If it is not an image, or the region lies outside it.
        """
        values: dict[str, float] = {}
        # The score looks at a reduced image, and the decoder reduces fastest; the last half is left to averaging.
        apart = SCORE in self.measures and self.roi is None
        decoded = decode_grey(data, name, least=2 * SIZE if apart else None, limits=self.limits)
        if apart:
            values[SCORE] = score(decoded.image)
        if len(self.measures) == len(values):
            return Scored(*decoded.size, self._defined(values), decoded.note)
        if decoded.image.shape[:2] != decoded.size[::-1]:
            decoded = decode_grey(data, name, limits=self.limits)
        return self.measure(decoded.image, name, values)._replace(reason=decoded.note)

    def measure(self, image: Any, name: str, known: Mapping[str, float] | None = None) -> Scored:
        """Measure a whole image; what is known already is taken as it is.

        Raises
        ------
        EdgekitError
            If the region lies outside it.
        """
        part, values = self.cut(image, name), dict(known or {})
        # What overflows is undefined, and said to be.
        with np.errstate(all="ignore"):
            values |= {m: score(part) if m == SCORE else sharpness(part, m) for m in self.measures if m not in values}
        rows, columns = image.shape[:2]
        return Scored(columns, rows, self._defined(values))

    def _defined(self, values: Mapping[str, float]) -> tuple[float, ...]:
        return tuple(v if math.isfinite(v := values[m]) else math.nan for m in self.measures)

    def cut(self, image: Any, name: str) -> Any:
        """Return the region of an image.

        Raises
        ------
        ParameterError
            If it lies outside.
        """
        if self.roi is None:
            return image
        rows, columns = image.shape[:2]
        self.check_region(rows, columns, name)
        x, y, w, h = self.roi
        return image[y : y + h, x : x + w]

    def check_region(self, rows: int, columns: int, name: str) -> None:
        """Raise unless the region, if there is one, lies within so many rows and columns."""
        x, y, w, h = self.roi or (0, 0, 0, 0)
        if x + w > columns or y + h > rows:
            raise ParameterError(f"{name}: the region {x},{y},{w},{h} does not lie within {columns}x{rows} pixels")
