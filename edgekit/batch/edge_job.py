"""Jobs that find edges in an image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.backends.interface import Array
from edgekit.batch.job import PictureJob
from edgekit.detector import detect
from edgekit.edges import canny
from edgekit.errors import ParameterError
from edgekit.masks import outline, threshold


def _threshold(image: Array, *, outlined: bool = False, **parameters: Any) -> Array:
    mask = threshold(image, **parameters)
    return outline(mask) if outlined else mask


def _detect(image: Array, *, above: float | None = None) -> Array:
    strength = detect(image)
    return strength if above is None else strength > above


#: Each way to find edges by the name of its command.
METHODS: Mapping[str, Callable[..., Array]] = {"canny": canny, "threshold": _threshold, "detect": _detect}


@dataclass(frozen=True)
class EdgeJob(PictureJob):
    """Find edges in an image and make a picture of them: white on black, or how sure they are.

    Attributes
    ----------
    method : {"canny", "threshold", "detect"}
        How edges are found.
    parameters : tuple of (name, value)
        What the function of that name is told; only what is not its default. Also `outlined`, to draw
        a mask's edges, and `above`, to make a mask of what `detect` is so sure of.
    """

    method: str
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def tag(self) -> str:
        return "-".join((self.method, *(_named(n, v) for n, v in self.parameters), *(("overlay",) * self.overlay)))

    def check(self) -> None:
        """Raise what is wrong with the job itself, before any image is read.

        Raises
        ------
        ParameterError, MissingExtraError
            For the first option that does not fit.
        """
        super().check()
        if self.overlay and dict(self.parameters).get("border") == "valid":
            raise ParameterError('an overlay needs edges of the image\'s size; choose a border other than "valid"')
        # Whatever the size of the images, a border that they have room for decides nothing here.
        tried = {name: "reflect" if value == "valid" else value for name, value in self.parameters}
        METHODS[self.method](np.zeros((64, 64), np.uint8), **tried)

    def respond(self, image: Array) -> Array:
        return METHODS[self.method](image, **dict(self.parameters))


def _named(name: str, value: Any) -> str:
    """Return a parameter's part of an output's name: a word speaks for itself, a number needs its name."""
    if value is True or str(value).isalpha():
        return name if value is True else str(value)
    return f"{name}{value:g}" if isinstance(value, float) else f"{name}{value}"
