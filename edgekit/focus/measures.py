"""Focus measures, each a row of `MEASURES`: how sharp an image is, as one number. Higher is sharper.

May import dispatch, display and what is below them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.names import unknown
from edgekit.errors import ParameterError, ShapeError
from edgekit.filters.apply import apply, apply_vector
from edgekit.filters.channel_axis import AUTO, ChannelAxis, check_exact, take
from edgekit.filters.execute import EXPONENTS, LUMINANCE
from edgekit.operators.table import own


@dataclass(frozen=True)
class Measure:
    """One row: a focus measure.

    Attributes
    ----------
    name : str
        The name in Python and on the command line.
    formula : str
        Its definition; I is the image in levels, E the mean over its pixels.
    limits : tuple of float
        Least and largest value.
    contrast : int
        The power of contrast that the value grows with; 0 compares across exposures.
    reference : str
        Where it is from.
    function : callable
        Takes planes (..., rows, columns) of floating type, gives a value for each.
    by_moments : callable, optional
        The same from mean and mean square of the Laplacian, which 8 bits have a short cut to.
    """

    name: str
    formula: str
    limits: tuple[float, float]
    contrast: int
    reference: str
    function: Callable[[Array], Array]
    by_moments: Callable[[float, float], float] | None = None


def sharpness(image: Array, measure: str = "laplacian_variance", *, channel_axis: ChannelAxis = AUTO) -> Any:
    """Return one focus measure; higher is sharper.

    Parameters
    ----------
    image : ndarray or Tensor
        NumPy (H, W) or (H, W, C); torch (H, W) or (..., C, H, W). Colour is measured on its
        luminance. Integers are not rescaled.
    measure : str
        A name in `MEASURES`.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`.

    Returns
    -------
    float or Tensor
        A float for a NumPy image; for a tensor one value for each image of the batch, of its
        floating type (float32 for half types, float64 for integers), with a gradient where the
        formula has one. NaN where the measure is undefined: an image with a pixel that is not finite,
        a ratio on a flat one, an image too small for the formula.

    Raises
    ------
    ParameterError
        If there is no such measure.
    ShapeError, DtypeError
        If the image does not fit.

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
    if not isinstance(measure, str) or measure not in MEASURES:
        raise ParameterError(unknown("measure", measure, MEASURES))
    row = MEASURES[measure]
    image, _ = take(image, channel_axis)
    backend = backend_of(image)
    if backend.name != "cv2":
        planes = planes_of(image)
        # An empty batch has no value, whatever is measured.
        return _where_finite(row, planes) if planes.numel() else planes.sum((-2, -1))
    if row.by_moments is not None and image.dtype == np.uint8 and image.ndim == 2 and image.size:
        from edgekit.backends.opencv.moments import laplacian_moments

        return row.by_moments(*laplacian_moments(image))
    with np.errstate(all="ignore"):
        return float(_where_finite(row, planes_of(image)))


def planes_of(image: Array) -> Array:
    """Return luminance as (..., rows, columns) of a floating type."""
    backend = backend_of(image)
    frame = backend.frame(image)
    work = measured_type(image)
    check_exact(image)
    if frame.channels is None:
        return backend.cast(image, work)
    if frame.channels not in (1, 3, 4):
        raise ShapeError(f"sharpness needs 1, 3 (RGB) or 4 (RGBA) channels; found {frame.channels}")
    planes = [
        backend.cast(image[..., i] if frame.channel_axis == -1 else image[..., i, :, :], work)
        for i in range(min(frame.channels, 3))
    ]
    return planes[0] if len(planes) == 1 else sum(p * w for p, w in zip(planes, LUMINANCE, strict=True))


def measured_type(image: Array) -> Any:
    """Return the floating type in which an image is measured: double for integers, at least single for floats."""
    backend = backend_of(image)
    if backend.limits(image)[1] < math.inf:
        return backend.xp.float64
    return backend.dtypes(image, wide=backend.name == "cv2")[0]


def _where_finite(row: Measure, planes: Array) -> Array:
    """Measure planes; NaN for those with a pixel that is not finite, even one that the formula leaves out."""
    backend = backend_of(planes)
    xp = backend.xp
    finite = xp.isfinite(planes).all(-1).all(-1)
    planes = xp.where(finite[..., None, None], planes, 0)
    if backend.extent(planes)[0] == 0:  # Flat, or too dear to ask.
        return xp.where(finite, row.function(planes), math.nan)
    exponent = xp.frexp(xp.amax(xp.abs(planes), (-2, -1)))[1]
    largest = EXPONENTS[backend.digits(planes.dtype)]
    if int(xp.abs(exponent).max()) < largest // 8:
        return xp.where(finite, row.function(planes), math.nan)
    # Each image times a power of two, which rounds nothing: no power of its levels overflows or vanishes on the way.
    exponent = exponent.clip(-largest * 3 // 4, largest * 3 // 4)
    value = row.function(xp.ldexp(planes, -exponent[..., None, None]))
    for _ in range(row.contrast):
        value = xp.ldexp(value, exponent)
    return xp.where(finite, value, math.nan)


def _mean(values: Array) -> Array:
    xp = backend_of(values).xp
    if 0 in values.shape[-2:]:
        return xp.sum(values, axis=(-2, -1)) + math.nan
    return xp.mean(values, axis=(-2, -1))


def _variance(values: Array) -> Array:
    return _mean((values - _mean(values)[..., None, None]) ** 2)


def _laplacian(planes: Array) -> Array:
    return apply(planes, "laplacian", {})


def _gradient_energy(planes: Array) -> Array:
    gx, gy = apply_vector(planes, "sobel", {}, scale="raw")
    return gx**2 + gy**2


def _along(planes: Array, step: int, axis: int) -> tuple[Array, Array]:
    """Return pixels and those `step` further along `axis`."""
    if axis == -1:
        return planes[..., :-step], planes[..., step:]
    return planes[..., :-step, :], planes[..., step:, :]


def _squared_difference(planes: Array, step: int, axis: int) -> Array:
    near, far = _along(planes, step, axis)
    return _mean((far - near) ** 2)


def _products(planes: Array, step: int) -> Array:
    near, far = _along(planes, step, -1)
    return _mean(near * far)


_SECOND_DIFFERENCES = own([[-1, 2, -1]]), own([[-1], [2], [-1]])
_BOXES = own([[1 / 11] * 11]), own([[1 / 11]] * 11)


def _modified_laplacian(planes: Array) -> Array:
    xp = backend_of(planes).xp
    along_x, along_y = (xp.abs(apply(planes, kernel, {})) for kernel in _SECOND_DIFFERENCES)
    return _mean(along_x + along_y)


def _brenner(planes: Array) -> Array:
    xp = backend_of(planes).xp
    return xp.maximum(_squared_difference(planes, 2, -1), _squared_difference(planes, 2, -2))


def _laplacian_gradient_ratio(planes: Array) -> Array:
    gx, gy = apply_vector(planes, "sobel", {})
    return _ratio(_mean(_laplacian(planes) ** 2), _mean(gx**2 + gy**2))


def _blur_effect(planes: Array) -> Array:
    """Compare neighbours' differences before and after blurring along each axis."""
    xp = backend_of(planes).xp
    blurred = []
    for angle, box in zip((0.0, 90.0), _BOXES, strict=True):
        smooth = apply(planes, box, {}, border="symmetric")
        before, after = (xp.abs(apply(p, "sobel", {}, angle=angle))[..., 2:-1, 2:-1] for p in (planes, smooth))
        lost = (before - after).clip(0)
        blurred.append(_ratio(_mean(before) - _mean(lost), _mean(before)))
    return 1 - xp.maximum(*blurred)


def _wavelet_ratio(planes: Array) -> Array:
    """Compare the details of a one-level Haar transform with all that varies."""
    rows, columns = (n // 2 * 2 for n in planes.shape[-2:])
    # Then the sums of a flat image are 0, not rounded.
    planes = planes - planes[..., :1, :1]
    a, b = planes[..., :rows:2, :columns:2], planes[..., :rows:2, 1:columns:2]
    c, d = planes[..., 1:rows:2, :columns:2], planes[..., 1:rows:2, 1:columns:2]
    details = _mean((a - b + c - d) ** 2 + (a + b - c - d) ** 2 + (a - b - c + d) ** 2)
    return _ratio(details, details + _variance(a + b + c + d))


def _ratio(part: Array, whole: Array) -> Array:
    """Divide; NaN where the whole is 0."""
    if isinstance(whole, float):  # NumPy's mean of one plane.
        return part / whole if whole > 0 else math.nan
    xp = backend_of(whole).xp
    return xp.where(whole > 0, part / xp.where(whole > 0, whole, 1), math.nan)


_ALL = (0.0, math.inf)
_PERTUZ = "Pertuz, Puig, Garcia 2013, 10.1016/j.patcog.2012.11.011"

_ROWS = (
    Measure("laplacian_variance", "E(L²) − E(L)², L = ∇²I with 4 neighbours", _ALL, 2,
            "Pech-Pacheco et al. 2000, 10.1109/ICPR.2000.903548",
            lambda p: _variance(_laplacian(p)), lambda mean, square: square - mean**2),
    Measure("laplacian_energy", "E(L²)", _ALL, 2, "Subbarao, Choi, Nikzad 1993, 10.1117/12.147706",
            lambda p: _mean(_laplacian(p) ** 2), lambda mean, square: square),
    Measure("modified_laplacian", "E(|[−1 2 −1] on I| + |the same along y|)", _ALL, 1,
            "Nayar and Nakagawa 1994, 10.1109/34.308479", _modified_laplacian),
    Measure("tenengrad", "E(Gx² + Gy²), Sobel as printed", _ALL, 2, "Krotkov 1988, 10.1007/BF00127822",
            lambda p: _mean(_gradient_energy(p))),
    Measure("tenengrad_variance", "the variance of Gx² + Gy²", _ALL, 4, _PERTUZ,
            lambda p: _variance(_gradient_energy(p))),
    Measure("brenner", "E((I(x+2) − I(x))²), or along y where that is larger", _ALL, 2,
            "Brenner et al. 1976, 10.1177/24.1.1254907", _brenner),
    Measure("squared_gradient", "E((I(x+1) − I(x))²) + E((I(y+1) − I(y))²)", _ALL, 2, _PERTUZ,
            lambda p: _squared_difference(p, 1, -1) + _squared_difference(p, 1, -2)),
    Measure("normalised_variance", "the variance of I over its mean", _ALL, 1, "Groen, Young, Ligthart 1985",
            lambda p: _ratio(_variance(p), _mean(p))),
    Measure("vollath_f4", "E(I(x)·I(x+1)) − E(I(x)·I(x+2))", (-math.inf, math.inf), 2,
            "Vollath 1987, 10.1111/j.1365-2818.1987.tb02839.x",
            lambda p: _products(p, 1) - _products(p, 2)),
    Measure("vollath_f5", "E(I(x)·I(x+1)) − E(I)²", (-math.inf, math.inf), 2,
            "Vollath 1987, 10.1111/j.1365-2818.1987.tb02839.x",
            lambda p: _products(p, 1) - _mean(p) ** 2),
    Measure("laplacian_gradient_ratio", "E(L²) / E(|∇I|²), about 1/σ² of the blur", _ALL, 0,
            "the width of a spectrum, by its second moments", _laplacian_gradient_ratio),
    Measure("crete_roffet", "1 − blur effect", (0.0, 1.0), 0, "Crete et al. 2007, 10.1117/12.702790", _blur_effect),
    Measure("wavelet_ratio", "energy of Haar details over that of all that varies", (0.0, 1.0), 0,
            "Yang and Nelson 2003, Wavelet-based autofocusing, IROS", _wavelet_ratio),
)  # fmt: skip

#: Every measure by name.
MEASURES: dict[str, Measure] = {m.name: m for m in _ROWS}
