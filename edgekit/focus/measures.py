"""Focus measures: the sharpness of an image as one number, higher for a sharper image.

To add a measure, add its row to `_ROWS`; see docs/architecture.md. May import `display` and what is below it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.choices import check_choice
from edgekit.common.types import ChannelAxis
from edgekit.errors import ShapeError
from edgekit.filters.apply import apply, apply_bank
from edgekit.filters.inputs import broadcast_mask, check_image, check_integers
from edgekit.filters.luminance import luminance
from edgekit.operators.table import own_operator


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
    function : callable
        Takes planes (..., rows, columns) of floating type, returns a value for each.
    by_moments : callable, optional
        The measure as a function of mean and mean square of the Laplacian. These are computed faster for 8 bits.
    """

    name: str
    formula: str
    range: tuple[float, float]
    contrast: int
    reference: str
    function: Callable[[Array], Array]
    by_moments: Callable[[float, float], float] | None = None


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
    definition = MEASURES[measure]
    image, _ = check_image(image, channel_axis)
    backend = backend_of(image)
    if backend.name != "cv2":
        planes = planes_of(image)
        # An empty batch has no values.
        return _measure(definition, planes, _mask_of(mask, image)) if planes.numel() else planes.sum((-2, -1))
    if (
        definition.by_moments is not None
        and mask is None
        and image.dtype == np.uint8
        and image.ndim == 2
        and image.size
    ):
        from edgekit.backends.opencv.fused import laplacian_moments

        return definition.by_moments(*laplacian_moments(image))
    with np.errstate(all="ignore"):
        return float(_measure(definition, planes_of(image), _mask_of(mask, image)))


def planes_of(image: Array) -> Array:
    """Return luminance as (..., rows, columns) of a floating type."""
    backend = backend_of(image)
    layout, work = backend.image_layout(image), measured_type(image)
    check_integers(image)
    if layout.channels is None:
        return backend.cast(image, work)
    if layout.channels not in (1, 3, 4):
        raise ShapeError(f"sharpness needs 1, 3 (RGB) or 4 (RGBA) channels; found {layout.channels}")
    planes = [
        backend.cast(image[..., i] if layout.channel_axis == -1 else image[..., i, :, :], work)
        for i in range(min(layout.channels, 3))
    ]
    return planes[0] if len(planes) == 1 else luminance(planes)


def measured_type(image: Array) -> Any:
    """Return the floating type in which an image is measured: double for integers, at least single for floats."""
    backend = backend_of(image)
    types = backend.array_types(image, wide=backend.name == "cv2")
    return types.work if types.floating else backend.xp.float64


def _measure(definition: Measure, planes: Array, mask: Array | None) -> Array:
    """Measure planes. Pixels that are masked or not finite are NaN, and responses that they affect do not count."""
    backend = backend_of(planes)
    xp = backend.xp
    valid = xp.isfinite(planes) if mask is None else xp.isfinite(planes) & mask
    known = backend.extent(xp.where(valid, planes, 0))
    planes = xp.where(valid, planes, math.nan)
    if known is None or known[0] == 0:
        return definition.function(planes)
    exponent = xp.frexp(xp.amax(xp.abs(xp.where(valid, planes, 0)), (-2, -1)))[1]
    largest = backend.array_types(planes).exponent
    if int(xp.abs(exponent).max()) < largest // 8:
        return definition.function(planes)
    # Each image is multiplied by a power of two, which is exact: no power of its levels overflows or underflows.
    exponent = exponent.clip(-largest * 3 // 4, largest * 3 // 4)
    value = definition.function(xp.ldexp(planes, -exponent[..., None, None]))
    for _ in range(definition.contrast):
        value = xp.ldexp(value, exponent)
    return value


def _mask_of(mask: Any, image: Array) -> Array | None:
    """Return a mask that broadcasts against the planes of an image."""
    if mask is None:
        return None
    layout = backend_of(image).image_layout(image)
    whole = broadcast_mask(mask, image, layout)
    if layout.channels is None:
        return whole
    return whole.all(-1) if layout.channel_axis == -1 else whole.all(-3)


def _mean(values: Array) -> Array:
    """Return the mean over the pixels that are not NaN; NaN if there are none."""
    xp = backend_of(values).xp
    if 0 in values.shape[-2:]:
        return xp.sum(values, axis=(-2, -1)) + math.nan
    if isinstance(values, np.ndarray):
        mean = np.mean(values, axis=(-2, -1))
        return mean if not np.isnan(mean).any() or np.isnan(values).all() else np.nanmean(values, axis=(-2, -1))
    return xp.nanmean(values, (-2, -1))


def _known(values: Array, operation: Callable[[Array], Array]) -> Array:
    """Apply an operation where values are not NaN: the gradient of torch would be NaN elsewhere too."""
    if isinstance(values, np.ndarray):
        return operation(values)
    xp = backend_of(values).xp
    known = ~xp.isnan(values)
    return xp.where(known, operation(xp.where(known, values, 0)), math.nan)


def _square(values: Array) -> Array:
    return _known(values, lambda known: known**2)


def _variance(values: Array) -> Array:
    return _mean(_square(values - _mean(values)[..., None, None]))


def _laplacian(planes: Array) -> Array:
    return apply(planes, "laplacian", {})


def _gradient_energy(planes: Array) -> Array:
    gx, gy = apply_bank(planes, "sobel", {}, scale="raw")
    return _square(gx) + _square(gy)


def _along(planes: Array, step: int, axis: int) -> tuple[Array, Array]:
    """Return pixels, and the pixels `step` further along `axis`."""
    if axis == -1:
        return planes[..., :-step], planes[..., step:]
    return planes[..., :-step, :], planes[..., step:, :]


def _squared_difference(planes: Array, step: int, axis: int) -> Array:
    near, far = _along(planes, step, axis)
    return _mean(_square(far - near))


def _products(planes: Array, step: int) -> Array:
    near, far = _along(planes, step, -1)
    # The product of two numbers is the difference of two squares.
    return _mean(_square((near + far) / 2) - _square((near - far) / 2))


_SECOND_DIFFERENCES = own_operator([[-1, 2, -1]]), own_operator([[-1], [2], [-1]])
_BOXES = own_operator([[1 / 11] * 11]), own_operator([[1 / 11]] * 11)


def _modified_laplacian(planes: Array) -> Array:
    xp = backend_of(planes).xp
    along_x, along_y = (xp.abs(apply(planes, kernel, {})) for kernel in _SECOND_DIFFERENCES)
    return _mean(along_x + along_y)


def _brenner(planes: Array) -> Array:
    xp = backend_of(planes).xp
    return xp.maximum(_squared_difference(planes, 2, -1), _squared_difference(planes, 2, -2))


def _laplacian_gradient_ratio(planes: Array) -> Array:
    gx, gy = apply_bank(planes, "sobel", {})
    return _ratio(_mean(_square(_laplacian(planes))), _mean(_square(gx) + _square(gy)))


def _blur_effect(planes: Array) -> Array:
    """Compare the differences of neighbours before and after blurring along each axis."""
    xp = backend_of(planes).xp
    blurred = []
    for angle, box in zip((0.0, 90.0), _BOXES, strict=True):
        smooth = apply(planes, box, {}, border="symmetric")
        before, after = (xp.abs(apply(p, "sobel", {}, angle=angle))[..., 2:-1, 2:-1] for p in (planes, smooth))
        # Both means are over the same pixels.
        before = xp.where(xp.isnan(after), math.nan, before)
        lost = (before - after).clip(0)
        blurred.append(_ratio(_mean(before) - _mean(lost), _mean(before)))
    return 1 - xp.maximum(*blurred)


def _wavelet_ratio(planes: Array) -> Array:
    """Divide the energy of the details of a one-level Haar transform by the energy of all variation."""
    rows, columns = (n // 2 * 2 for n in planes.shape[-2:])
    # On a flat image the sums are then exactly 0.
    xp = backend_of(planes).xp
    planes = planes - xp.amin(xp.where(xp.isnan(planes), math.inf, planes), (-2, -1))[..., None, None]
    a, b = planes[..., :rows:2, :columns:2], planes[..., :rows:2, 1:columns:2]
    c, d = planes[..., 1:rows:2, :columns:2], planes[..., 1:rows:2, 1:columns:2]
    details = _mean(_square(a - b + c - d) + _square(a + b - c - d) + _square(a - b - c + d))
    return _ratio(details, details + _variance(a + b + c + d))


def _ratio(part: Array, whole: Array) -> Array:
    """Divide; NaN where the whole is 0."""
    if isinstance(whole, float):  # NumPy's mean of one plane is a float.
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
            lambda p: _mean(_square(_laplacian(p))), lambda mean, square: square),
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
            "the width of the spectrum, by its second moments", _laplacian_gradient_ratio),
    Measure("crete_roffet", "1 − blur effect", (0.0, 1.0), 0, "Crete et al. 2007, 10.1117/12.702790", _blur_effect),
    Measure("wavelet_ratio", "energy of Haar details over the energy of all variation", (0.0, 1.0), 0,
            "Yang and Nelson 2003, Wavelet-based autofocusing, IROS", _wavelet_ratio),
)  # fmt: skip

#: Every measure by name.
MEASURES: dict[str, Measure] = {m.name: m for m in _ROWS}
