"""Jobs that find edges in an image. May import `io` and what is below it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.interface import Array
from edgekit.batch.jobs.render import RenderJob
from edgekit.edges.boundaries import detect
from edgekit.edges.canny_edges import canny, why_no_edges
from edgekit.edges.thresholding import outline, threshold, why_no_mask
from edgekit.errors import ParameterError


def _threshold(image: Array, *, outlined: bool = False, **parameters: Any) -> Array:
    mask = threshold(image, **parameters)
    return outline(mask) if outlined else mask


def _detect(image: Array, *, above: float | None = None, **parameters: Any) -> Array:
    strength = detect(image, **parameters)
    return strength if above is None else strength > above


def _why_no_mask(image: Array, *, outlined: bool = False, **parameters: Any) -> str:
    if outlined and threshold(image, **parameters).any():
        return "every pixel is brighter than the threshold, so there is no outline"
    return why_no_mask(image, **parameters)


def _why_not_detected(image: Array, *, above: float | None = None, **parameters: Any) -> str:
    largest = float(detect(image, **parameters).max())
    return f"no pixel has a probability above {above or 0:g}; the largest is {largest:.3g}"


class Method(NamedTuple):
    """A function that finds edges, and one that explains why there are none."""

    find: Callable[..., Array]
    explain: Callable[..., str]


#: Methods by the names of their commands.
METHODS: Mapping[str, Method] = {
    "canny": Method(canny, why_no_edges),
    "threshold": Method(_threshold, _why_no_mask),
    "detect": Method(_detect, _why_not_detected),
}


@dataclass(frozen=True)
class EdgeJob(RenderJob):
    """Find edges in an image and render them: white on black, or as probabilities.

    Attributes
    ----------
    method : {"canny", "threshold", "detect"}
        The method.
    parameters : tuple of (name, value)
        Arguments of the function, without those that have their default value. Also `outlined`, to draw the outline of
        a mask, and `above`, to show the pixels whose probability is above it.
    """

    method: str
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def tag(self) -> str:
        return "-".join((self.method, *(_named(n, v) for n, v in self.parameters), *(("overlay",) * self.overlay)))

    def check(self) -> None:
        """Check the job itself, before any image is read.

        Raises
        ------
        ParameterError, MissingExtraError
            For the first invalid option.
        """
        super().check()
        if self.overlay and dict(self.parameters).get("border") == "valid":
            raise ParameterError('an overlay needs edges of the image\'s size; choose a border other than "valid"')
        # The border "valid" could fail for the size of this image alone.
        tried = {name: "reflect" if value == "valid" else value for name, value in self.parameters}
        METHODS[self.method].find(np.zeros((64, 64), np.uint8), **tried)

    @property
    def uses_bands(self) -> bool:
        return bool(dict(self.parameters).get("channel", "luminance") != "luminance")

    def respond(self, image: Array) -> Array:
        return METHODS[self.method].find(image, **dict(self.parameters))

    def remark(self, image: Array, shown: NDArray[Any]) -> str:
        """Return why no edge was found."""
        return "" if shown.any() else METHODS[self.method].explain(image, **dict(self.parameters))


def _named(name: str, value: Any) -> str:
    """Return the part of an output's name for a parameter: a word alone, a number with the parameter's name."""
    if value is True or str(value).isalpha():
        return name if value is True else str(value)
    return f"{name}{value:g}" if isinstance(value, float) else f"{name}{value}"
