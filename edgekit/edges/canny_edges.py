"""Edges of one pixel: Canny's detector and its steps. May import `filters` and what is below it."""

import math
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of, is_same_kind
from edgekit.backends.interface import Array
from edgekit.backends.opencv import fused
from edgekit.common.choices import check_choice, check_flag, plain_number, real_number, shown
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.edges.edge_thresholds import OPENCV, thresholds
from edgekit.edges.thinning import as_single, by_numpy_plane, label, offsets, suppress, thinned, thinned_mask
from edgekit.errors import ParameterError, ShapeError
from edgekit.filters.apply import apply_bank, cos_sin_each
from edgekit.filters.documentation import documented
from edgekit.filters.inputs import check_image
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import SCALES, Channel, Scale, Tone
from edgekit.operators.table import OPERATORS


@np.errstate(all="ignore")
def nonmax_suppress(
    strength: ImageT, direction: ImageT, *, subpixel: bool = False, channel_axis: ChannelAxis = "auto"
) -> Any:
    """Thin edges to one pixel: keep the local maxima across the edge.

    Parameters
    ----------
    strength : ndarray or Tensor
        At least 0, such as a gradient's magnitude. NaN counts as 0, as do pixels beyond the image. Infinity counts as
        the largest number.
    direction : ndarray or Tensor
        Of the same shape: degrees clockwise from +x, across the edge. It is the direction of a gradient, or the
        opposite one.
    subpixel : bool
        Also return the position of each edge between pixels.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`; each channel is thinned separately.

    Returns
    -------
    thin : ndarray or Tensor
        `strength` at edges, 0 elsewhere.
    offset : ndarray or Tensor
        With `subpixel`: distance of the edge from the pixel's centre along `direction`, in pixels from -0.71 to 0.71,
        by a parabola through the logarithms of three strengths; NaN where there is no edge. `edgekit.contours` places
        edges in the same way.

    Raises
    ------
    ShapeError, DtypeError
        If the arrays do not fit.

    References
    ----------
    Canny, A computational approach to edge detection, 1986, 10.1109/TPAMI.1986.4767851.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> strength = np.tile([0.0, 2, 3, 1, 0], (3, 1))
    >>> ek.nonmax_suppress(strength, np.zeros((3, 5)))[1]
    array([0., 0., 3., 0., 0.])
    """
    check_flag("subpixel", subpixel)
    strength, order = check_image(strength, channel_axis)
    direction, _ = check_image(direction, channel_axis)
    backend = backend_of(strength)
    if backend_of(direction) is not backend or tuple(direction.shape) != tuple(strength.shape):
        raise ShapeError(
            f"strength and direction must be arrays of one kind and shape; found {type(strength).__name__} "
            f"{tuple(strength.shape)} and {type(direction).__name__} {tuple(direction.shape)}"
        )
    types, xp = backend.array_types(strength), backend.xp
    known = xp.nan_to_num(backend.cast(strength, types.work))
    cos, sin = cos_sin_each(xp.nan_to_num(backend.cast(direction, types.work)), xp)
    thin = thinned(suppress(known, cos, sin, interpolate=True))
    thin = xp.where((thin > 0) & xp.isinf(strength), math.inf, thin)
    if not subpixel:
        return order.restore(backend.cast(thin, types.result))
    offset = offsets(known, cos, sin, thin > 0)
    return order.restore(backend.cast(thin, types.result)), order.restore(backend.cast(offset, types.result))


def hysteresis(strength: ImageT, low: Any, high: Any, *, channel_axis: ChannelAxis = "auto") -> ImageT:
    """Apply a hysteresis threshold: keep pixels above `low` that are connected to pixels above `high`.

    Parameters
    ----------
    strength : ndarray or Tensor
        Such as a gradient magnitude, in the layout of an image; each channel separately.
    low, high : float, or array that broadcasts
        Lower and upper threshold.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor of bool
        Of the same shape. Pixels are connected to all eight neighbours.

    Raises
    ------
    ParameterError
        If `low` is above `high`, or one is NaN or not a number.
    ShapeError, DtypeError
        If the arrays do not fit.

    References
    ----------
    Canny, A computational approach to edge detection, 1986, 10.1109/TPAMI.1986.4767851.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.hysteresis(np.float32([[2, 2, 5, 0, 2]]), 1, 4)
    array([[ True,  True,  True, False, False]])
    """
    values, order = check_image(strength, channel_axis)
    backend = backend_of(values)
    # torch does not compare all integer types.
    values = backend.cast(values, backend.array_types(values).work)
    low, high = (order.apply_to_values(_limit(n, v, values), reduced=False) for n, v in (("low", low), ("high", high)))
    edges: ImageT = order.restore(_connected(values, low, high))
    return edges


@documented
@np.errstate(all="ignore")
def canny(
    image: ImageT,
    *,
    sigma: float = 1.4,
    low: float | str | None = None,
    high: float | str | None = None,
    interpolate: bool = True,
    scale: Scale = "unit",
    border: Border = "reflect",
    channel: Channel = "luminance",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
) -> ImageT:
    """Find edges with Canny's detector: local maxima of a Gaussian gradient, above a hysteresis threshold.

    Parameters
    ----------
    sigma : float
        Standard deviation of the Gaussian in pixels; 0 uses the 3x3 Sobel operator.
    low, high : float or str, optional
        Lower and upper hysteresis threshold of the gradient magnitude, in gray levels per pixel or as a percentile
        such as ``"95%"``. Without `low` it is 0.4 times `high`; without `high` it is 2.5 times `low`. Without both
        they depend on the image: see the notes. OpenCV's thresholds are 8 times as large; see `scale`.
    interpolate : bool
        Compare the magnitude with values interpolated across the edge, and thin the edges. False compares with the
        nearest of the eight neighbours, as OpenCV does.
    scale : {"unit", "raw"}
        Unit of the thresholds. ``raw`` is that of OpenCV's 3x3 Sobel operator, at every `sigma`: 8 times the gray
        levels per pixel.

    Returns
    -------
    ndarray or Tensor of bool
        True at edges, in the layout of a response. `edgekit.contours` locates the same edges with subpixel
        accuracy.

    Notes
    -----
    Without thresholds `high` is the 92nd percentile of the local maxima, but at least 3 % and at most a quarter of the
    largest. `low` is 0.4 times `high`. But `high` is at least five times, and `low` at least three times, the standard
    deviation of the noise, which is estimated from the smallest gradients.

    Where OpenCV has the same parameters it gives the same pixels: ``cv2.Canny(gray, low, high, L2gradient=True)``
    is ``canny(gray, sigma=0, low=low, high=high, scale="raw", border="edge", interpolate=False)``.

    References
    ----------
    Canny, A computational approach to edge detection, 1986, 10.1109/TPAMI.1986.4767851.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> image = np.zeros((32, 32), np.uint8)
    >>> image[:, 16:] = 200
    >>> edges = ek.canny(image, low=10, high=20)
    >>> np.flatnonzero(edges.any(axis=0))
    array([15])
    """
    check_flag("interpolate", interpolate)
    pixels, order = check_image(image, channel_axis)
    mask = order.apply_to_mask(mask)
    options = {"border": border, "channel": channel, "tone": tone, "mask": mask}
    result: ImageT = order.restore(find_edges(pixels, sigma, low, high, interpolate, scale, options)[3])
    return result


def find_edges(
    image: Array, sigma: float, low: Any, high: Any, interpolate: bool, scale: str, options: dict[str, Any]
) -> tuple[Array, Array, Array, Array]:
    """Return the components of the gradient, its magnitude in the unit of the thresholds, and the mask of the edges."""
    gx, gy, magnitude = _gradient(image, sigma, scale, options)
    thin = suppress(magnitude, gx, gy, interpolate=interpolate)
    edges = _connected(thin, *thresholds(low, high, magnitude, thin))
    return gx, gy, magnitude, thinned_mask(edges) if interpolate else edges


def _gradient(image: Array, sigma: float, scale: str, options: dict[str, Any]) -> tuple[Array, Array, Array]:
    """Return the components of the gradient, and its magnitude in the unit of the thresholds."""
    check_choice("scale", scale, SCALES)
    real_number("sigma", sigma, "a positive, finite number of pixels, or 0 for the 3x3 Sobel operator")
    operator, parameters = ("sobel", {}) if sigma == 0 else ("gaussian", {"sigma": sigma})
    # Single precision takes half the time. Its last digit decides only between neighbours that are nearly equal.
    gx, gy = apply_bank(as_single(image), OPERATORS[operator], parameters, double=False, **options)
    backend = backend_of(image)
    # The squares of an integer image's gradient do not overflow, and take less time.
    floating = backend.array_types(image).floating
    magnitude = backend.xp.hypot(gx, gy) if floating else backend.magnitude((gx, gy))
    # A factor of 8 is exact: with sigma=0 this is the magnitude that OpenCV compares.
    return gx, gy, magnitude * OPENCV if scale == "raw" else magnitude


@np.errstate(all="ignore")
def why_no_edges(
    image: Array,
    *,
    sigma: float = 1.4,
    low: float | str | None = None,
    high: float | str | None = None,
    scale: str = "unit",
    interpolate: bool = True,
    **options: Any,
) -> str:
    """Return the reason why `canny` with the same options finds no edge in this image."""
    gx, gy, magnitude = _gradient(image, sigma, scale, {"channel": "luminance", **options})
    known = magnitude[backend_of(magnitude).xp.isfinite(magnitude)]
    if 0 in known.shape:
        return "no gradient is finite: every pixel is NaN or infinite, or the kernel covers such a pixel"
    largest = float(known.max())
    if not largest:
        return "every gradient is 0: the image has the same level everywhere"
    thin = suppress(magnitude, gx, gy, interpolate=interpolate)
    needed = thresholds(low, high, magnitude, thin)[1]
    # The threshold may differ between planes.
    needed = float(needed.min()) if hasattr(needed, "min") else needed
    unit = "gray levels per pixel" if scale == "unit" else "in units of OpenCV's 3x3 Sobel operator"
    found = f"the largest gradient is {float(f'{largest:.3g}'):g}"
    if largest >= needed:
        return f"no local maximum of the gradient is above high={needed:g} {unit}; {found}"
    hint = f" (OpenCV's thresholds are {OPENCV} times as large: --scale raw)" if scale == "unit" else ""
    return f"no pixel reaches high={needed:g} {unit}; {found}{hint}"


def _limit(name: str, threshold: Any, strength: Array) -> Any:
    """Return a threshold of `hysteresis`: a number, or an array of the kind of the strength."""
    threshold = plain_number(threshold)
    if isinstance(threshold, int | float) and not isinstance(threshold, bool):
        return threshold
    expected = f"{name}={shown(threshold)} must be a number, or an array of numbers that broadcasts to the strength's"
    if not is_same_kind(threshold, strength):
        raise ParameterError(f"{expected} shape {tuple(strength.shape)}, of the same kind of array")
    backend = backend_of(threshold)
    return backend.cast(threshold, backend.array_types(threshold).work)


def _connected(strength: Array, low: Any, high: Any) -> Array:
    """Return where a strength is above `low` and connected to pixels above `high`."""
    try:
        weak, strong, ordered = strength > low, strength > high, low <= high
        fits = weak.shape == strong.shape == strength.shape
    except (ValueError, RuntimeError):
        fits = False
    if not fits:
        shapes = " and ".join(str(tuple(getattr(level, "shape", ()))) for level in (low, high))
        raise ShapeError(f"low and high must broadcast to the strength's shape {tuple(strength.shape)}; found {shapes}")
    if not bool(ordered if isinstance(ordered, bool) else ordered.all()):
        raise ParameterError(f"low={shown(low)} must not be above high={shown(high)}")

    return by_numpy_plane(_reached, weak, strong)


def _reached(weak: Array, strong: Array) -> Array:
    """Return the pixels of a NumPy plane that are weak and connected to a strong one."""
    if (compiled := fused.loops(weak.size, counts=False)) is not None:
        levels = np.pad(np.ascontiguousarray(weak.view(np.uint8) + strong), 1)
        compiled.connected(levels)
        return levels[1:-1, 1:-1] == 2
    count, labels = label(weak)
    reached = np.zeros(count, bool)
    reached[labels[strong]] = True
    kept: Array = reached[labels]
    return kept
