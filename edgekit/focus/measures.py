"""Focus measures: the sharpness of an image as one number, higher for a sharper image.

To add a measure, add its row to `_ROWS`; see docs/architecture.md. May import `display` and what is below it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.choices import check_choice
from edgekit.common.types import ChannelAxis
from edgekit.filters.inputs import check_image
from edgekit.focus.maps import (
    BLUR_EFFECT,
    DIFFERENCES_OF_ONE,
    DIFFERENCES_OF_TWO,
    GRADIENT_ENERGY,
    HAAR,
    LAPLACIAN,
    LEVELS,
    PRODUCTS_OF_ONE,
    PRODUCTS_OF_TWO,
    SECOND_DIFFERENCES,
)
from edgekit.focus.moments import Map, Moments, finite_moments, moments
from edgekit.focus.planes import invalid_as_nan, mask_of, planes_of, scaling
from edgekit.focus.windowed import moments_of_image
from edgekit.operators.filter_spec import Nan


@dataclass(frozen=True)
class Measure:
    """A focus measure.

    Attributes
    ----------
    name : str
        The name in Python and on the command line.
    formula : str
        Its definition; I is the image in gray levels, E the mean over its pixels.
    range : tuple of float
        Least and largest value.
    contrast : int
        The value is proportional to this power of the contrast; 0: it does not depend on the exposure.
    reference : str
    maps : tuple of Map
        The values that are averaged.
    value : callable
        Takes the moments of these values, and returns the measure.
    """

    name: str
    formula: str
    range: tuple[float, float]
    contrast: int
    reference: str
    maps: tuple[Map, ...]
    value: Callable[..., Any]


def sharpness(
    image: Any, measure: str = "laplacian_variance", *, mask: Any = None, channel_axis: ChannelAxis = "auto"
) -> Any:
    """Return a focus measure of an image; higher is sharper.

    Parameters
    ----------
    image : ndarray or Tensor
        NumPy (H, W) or (H, W, C); torch (H, W) or (..., C, H, W). Colour images are measured by their luminance.
        Integers are not rescaled.
    measure : str
        A name in `MEASURES`.
    mask : ndarray or Tensor of bool, optional
        (H, W), or a shape that broadcasts to the image's; True where the image is valid. Responses that are affected by
        invalid pixels do not count, nor do those of pixels that are not finite.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    float or Tensor
        A float for a NumPy image. For a tensor one value for each image of the batch, of its floating type (float32
        for half types, float64 for integers), with a gradient where the formula has one. NaN where the measure is
        undefined: a ratio on a flat image, or an image or a mask too small for the formula.

    Raises
    ------
    ParameterError
        If there is no such measure.
    ShapeError, DtypeError
        If the image or the mask does not fit.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    >>> ek.sharpness(noise) > ek.sharpness(noise // 2)
    True
    >>> ek.sharpness(np.full((8, 8), 7, np.uint8))
    0.0
    """
    check_choice("measure", measure, MEASURES)
    return sharpness_of(image, (measure,), mask=mask, channel_axis=channel_axis)[measure]


def sharpness_of(
    image: Any, names: Sequence[str], *, mask: Any = None, channel_axis: ChannelAxis = "auto", nan: Nan = "propagate"
) -> dict[str, Any]:
    """Return several measures of an image. What they have in common is computed once.

    Parameters
    ----------
    image, mask, channel_axis
        As for `sharpness`.
    names : sequence of str
        Names in `MEASURES`.
    nan : {"ignore", "propagate"}
        As for `edgekit.nn.Sharpness`.
    """
    image, _ = check_image(image, channel_axis)
    valid = mask_of(mask, image)
    if not names:
        return {}
    if isinstance(image, np.ndarray):
        with np.errstate(all="ignore"):
            measured, power = moments_of_image(image, valid, maps_of(names))
            return {name: float(value_of(name, measured, power)) for name in names}
    planes = planes_of(image)
    if not planes.numel():
        # An empty batch has no values.
        return dict.fromkeys(names, planes.sum((-2, -1)))
    if nan == "ignore" and valid is None and backend_of(planes).exporting():
        found = {m: [finite_moments(values.array) for values in m.compute(planes, nan)] for m in maps_of(names)}
        return {name: value_of(name, found) for name in names}
    xp: Any = backend_of(planes).xp
    exponent: Any = None
    planes = invalid_as_nan(planes, valid)
    levels = xp.where(xp.isnan(planes), 0, planes)
    # Not on a GPU, which would have to finish all work, and not where a graph is recorded.
    if backend_of(planes).extent(levels) is not None:
        exponent = scaling(xp.amax(xp.abs(levels), (-2, -1)), planes)
        planes = xp.ldexp(planes, -exponent[..., None, None]) if exponent.any() else planes
    found = {m: [moments(values.array) for values in m.compute(planes, "propagate")] for m in maps_of(names)}
    return {name: value_of(name, found, exponent) for name in names}


def maps_of(names: Iterable[str]) -> tuple[Map, ...]:
    """Return the maps of some measures, each once."""
    return tuple(dict.fromkeys(m for name in names for m in MEASURES[name].maps))


def value_of(name: str, found: Mapping[Map, Sequence[Moments]], exponent: Any = None) -> Any:
    """Return a measure from the moments of an image that was divided by a power of two."""
    measure = MEASURES[name]
    value = measure.value(*(each for m in measure.maps for each in found[m]))
    for _ in range(measure.contrast if exponent is not None else 0):
        value = np.ldexp(value, exponent) if isinstance(value, float) else backend_of(value).xp.ldexp(value, exponent)
    return value


def _ratio(part: Array, whole: Array) -> Array:
    """Divide; NaN where the whole is 0."""
    if isinstance(whole, float):
        return part / whole if whole > 0 else math.nan
    xp = backend_of(whole).xp
    return xp.where(whole > 0, part / xp.where(whole > 0, whole, 1), math.nan)


def _larger(a: Array, b: Array) -> Array:
    return np.maximum(a, b) if isinstance(a, float) else backend_of(a).xp.maximum(a, b)


def _blur_effect(before_x: Moments, after_x: Moments, before_y: Moments, after_y: Moments) -> Array:
    return _larger(_ratio(after_x.mean, before_x.mean), _ratio(after_y.mean, before_y.mean))


_ALL = (0.0, math.inf)
_PERTUZ = "Pertuz, Puig, Garcia 2013, 10.1016/j.patcog.2012.11.011"

_ROWS = (
    Measure("laplacian_variance", "E(L²) − E(L)², L = ∇²I with 4 neighbours", _ALL, 2,
            "Pech-Pacheco et al. 2000, 10.1109/ICPR.2000.903548",
            (LAPLACIAN,), lambda laplacian: laplacian.variance),
    Measure("laplacian_energy", "E(L²)", _ALL, 2, "Subbarao, Choi, Nikzad 1993, 10.1117/12.147706",
            (LAPLACIAN,), lambda laplacian: laplacian.mean_square),
    Measure("modified_laplacian", "E(|[−1 2 −1] on I| + |the same along y|)", _ALL, 1,
            "Nayar and Nakagawa 1994, 10.1109/34.308479",
            (SECOND_DIFFERENCES,), lambda differences: differences.mean),
    Measure("tenengrad", "E(Gx² + Gy²), Sobel as printed", _ALL, 2, "Krotkov 1988, 10.1007/BF00127822",
            (GRADIENT_ENERGY,), lambda energy: energy.mean),
    Measure("tenengrad_variance", "the variance of Gx² + Gy²", _ALL, 4, _PERTUZ,
            (GRADIENT_ENERGY,), lambda energy: energy.variance),
    Measure("brenner", "E((I(x+2) − I(x))²), or along y where that is larger", _ALL, 2,
            "Brenner et al. 1976, 10.1177/24.1.1254907",
            (DIFFERENCES_OF_TWO,), lambda along_x, along_y: _larger(along_x.mean, along_y.mean)),
    Measure("squared_gradient", "E((I(x+1) − I(x))²) + E((I(y+1) − I(y))²)", _ALL, 2, _PERTUZ,
            (DIFFERENCES_OF_ONE,), lambda along_x, along_y: along_x.mean + along_y.mean),
    Measure("normalised_variance", "the variance of I over its mean", _ALL, 1, "Groen, Young, Ligthart 1985",
            (LEVELS,), lambda levels: _ratio(levels.variance, levels.mean)),
    Measure("vollath_f4", "E(I(x)·I(x+1)) − E(I(x)·I(x+2))", (-math.inf, math.inf), 2,
            "Vollath 1987, 10.1111/j.1365-2818.1987.tb02839.x",
            (PRODUCTS_OF_ONE, PRODUCTS_OF_TWO), lambda near, far: near.mean - far.mean),
    Measure("vollath_f5", "E(I(x)·I(x+1)) − E(I)²", (-math.inf, math.inf), 2,
            "Vollath 1987, 10.1111/j.1365-2818.1987.tb02839.x",
            (PRODUCTS_OF_ONE, LEVELS), lambda products, levels: products.mean - levels.mean**2),
    Measure("laplacian_gradient_ratio", "E(L²) / E(|∇I|²), about 1/σ² of the blur", _ALL, 0,
            "the width of the spectrum, by its second moments",
            (LAPLACIAN, GRADIENT_ENERGY), lambda laplacian, energy: _ratio(laplacian.mean_square, energy.mean / 64)),
    Measure("crete_roffet", "1 − blur effect", (0.0, 1.0), 0, "Crete et al. 2007, 10.1117/12.702790",
            (BLUR_EFFECT,), lambda *sizes: 1 - _blur_effect(*sizes)),
    Measure("wavelet_ratio", "energy of Haar details over the energy of all variation", (0.0, 1.0), 0,
            "Yang and Nelson 2003, Wavelet-based autofocusing, IROS",
            (HAAR,), lambda details, sums: _ratio(details.mean, details.mean + sums.variance)),
)  # fmt: skip

#: Every measure by name.
MEASURES: dict[str, Measure] = {m.name: m for m in _ROWS}
