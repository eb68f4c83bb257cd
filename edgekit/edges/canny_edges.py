"""Edges as lines one pixel wide. May import dispatch, suppression and what is below them."""

import math
from numbers import Real
from typing import Any, Unpack

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.names import unknown
from edgekit.edges.thinning import label, offsets, shifted, suppress, thinned
from edgekit.errors import ParameterError, ShapeError
from edgekit.filters.apply import Common, apply, apply_vector, cos_sin_each
from edgekit.filters.channel_axis import AUTO, ChannelAxis, Layout, take
from edgekit.operators.filter_spec import SCALES

#: The part of the high threshold that is the low one, where only one is given. Canny recommends a half to a third.
LOW = 0.4

#: The high threshold where none is given, in root mean squares of the magnitude. Of rules tried on the
#: training images of the Berkeley boundaries (quantiles, Otsu, Li, triangle, means) it is the best.
AUTOMATIC = 2.5

#: OpenCV's 3x3 Sobel operator reads this on a ramp of one level per pixel.
OPENCV = 8


@np.errstate(all="ignore")
def nonmax_suppress(
    strength: Array, direction: Array, *, subpixel: bool = False, channel_axis: ChannelAxis = AUTO
) -> Any:
    """Thin edges to one pixel: keep what is strongest across the edge.

    Parameters
    ----------
    strength : ndarray or Tensor
        At least 0, such as a gradient's magnitude; NaN counts as 0, as does what lies beyond the border.
        Infinity counts as the largest number.
    direction : ndarray or Tensor
        Degrees clockwise from +x, across the edge, of the same shape: a gradient's direction, or its opposite.
    subpixel : bool
        Also return where between the pixels each edge lies.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`; each channel is thinned by itself.

    Returns
    -------
    thin : ndarray or Tensor
        `strength` at edges, 0 elsewhere.
    offset : ndarray or Tensor
        With `subpixel`: how far from the pixel's centre towards `direction` the edge lies, in pixels within
        -0.71 and 0.71, by a parabola through three strengths; NaN where there is no edge.

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
    strength, layout = take(strength, channel_axis)
    direction, _ = take(direction, channel_axis)
    backend = backend_of(strength)
    if backend_of(direction) is not backend or tuple(direction.shape) != tuple(strength.shape):
        raise ShapeError(
            f"strength and direction must be arrays of one kind and shape; found {type(strength).__name__} "
            f"{tuple(strength.shape)} and {type(direction).__name__} {tuple(direction.shape)}"
        )
    work, dtype = backend.dtypes(strength, wide=False)
    xp, known = backend.xp, _known(backend.cast(strength, work))
    cos, sin = cos_sin_each(xp.nan_to_num(backend.cast(direction, work)), xp)
    thin = thinned(suppress(known, cos, sin, interpolate=True))
    thin = xp.where((thin > 0) & xp.isinf(strength), math.inf, thin)
    if not subpixel:
        return layout.leave(backend.cast(thin, dtype))
    offset = xp.where(thin > 0, offsets(known, cos, sin), math.nan)
    return layout.leave(backend.cast(thin, dtype)), layout.leave(backend.cast(offset, dtype))


def hysteresis(strength: Array, low: Any, high: Any, *, channel_axis: ChannelAxis = AUTO) -> Array:
    """Keep strong pixels, and weak ones that are connected with strong ones through weak ones.

    Parameters
    ----------
    strength : ndarray or Tensor
        Any layout of images; each plane by itself.
    low, high : float, or array that broadcasts
        Above `low` a pixel is weak, above `high` strong.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`; each channel is connected by itself.

    Returns
    -------
    ndarray or Tensor of bool
        Of the same shape. Pixels are connected with all eight neighbours.

    Raises
    ------
    ParameterError
        If `low` is above `high`, or one is NaN.

    References
    ----------
    Canny, A computational approach to edge detection, 1986, 10.1109/TPAMI.1986.4767851.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.hysteresis(np.float32([[2, 2, 5, 0, 2]]), 1, 4)
    array([[ True,  True,  True, False, False]])
    """
    strength, layout = take(strength, channel_axis)
    backend = backend_of(strength)
    for name, level in (("low", low), ("high", high)):
        if isinstance(level, bool) or not (isinstance(level, int | float) or hasattr(level, "dtype")):
            raise ParameterError(f"{name}={level!r} must be a number, or an array of numbers as the strength is one")
    # torch does not compare all whole numbers.
    strength = backend.cast(strength, backend.dtypes(strength, wide=False)[0])
    low, high = (layout.enter_values(level, reduced=False) for level in (low, high))
    return layout.leave(_connected(strength, low, high))


@np.errstate(all="ignore")
def canny(
    image: Array,
    *,
    sigma: float = 1.4,
    low: float | str | None = None,
    high: float | str | None = None,
    interpolate: bool = True,
    **options: Unpack[Common],
) -> Array:
    """Find edges with Canny's detector: the maxima of a Gaussian gradient, by hysteresis.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sobel`.
    sigma : float
        Standard deviation of the Gaussian in pixels; 0 takes the 3x3 Sobel operator.
    low, high : float or str, optional
        Hysteresis thresholds of the gradient's magnitude: in levels per pixel, or a percentile of it such as
        ``"95%"``. If one is given the other follows, `low` being 0.4 of `high`; if none is, `high` is 2.5
        times the magnitude's root mean square. OpenCV's thresholds are 8 times as large: see ``scale``.
    interpolate : bool
        Compare each magnitude with those interpolated across the edge, and thin the edges; else
        compare with the nearest of the eight neighbours, as OpenCV does.
    **options
        See `Common`, without ``out``. The default of ``channel`` is "luminance"; "dizenzo" sees
        edges between colours of one luminance. With ``scale="raw"`` the thresholds are in units of
        OpenCV's 3x3 Sobel operator at every `sigma`: 8 times the levels per pixel.

    Returns
    -------
    ndarray or Tensor of bool
        True at edges, in the layout of a response.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.
    ShapeError, DtypeError
        If an array does not fit.

    Notes
    -----
    Where OpenCV has the same parameters it gives the same pixels: ``cv2.Canny(grey, low, high, L2gradient=True)``
    is ``canny(grey, sigma=0, low=low, high=high, scale="raw", border="edge", interpolate=False)``.

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
    if "out" in options:
        raise ParameterError("canny does not take out=: it returns a new mask")
    image, layout, given = _taken(image, options)
    gx, gy, magnitude = _steepness(image, sigma, **given)
    low, high = _limits(low, high, magnitude)
    edges = _connected(suppress(magnitude, gx, gy, interpolate=interpolate), low, high)
    return layout.leave(thinned(edges) if interpolate else edges)


def _steepness(image: Array, sigma: float, *, scale: str = "unit", **options: Any) -> tuple[Array, Array, Array]:
    """Return the components of the gradient, and its magnitude in units of the thresholds."""
    if scale not in SCALES:
        raise ParameterError(unknown("scale", scale, SCALES))
    given = {"channel": "luminance", **options}
    operator, parameters = ("sobel", {}) if sigma == 0 else ("gaussian", {"sigma": sigma})
    gx, gy = apply_vector(_single(image), operator, parameters, **given)
    magnitude = backend_of(image).xp.hypot(gx, gy)
    # A factor of 8 is exact: at sigma 0 this is the magnitude that OpenCV compares.
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
    """Say why `canny` with the same options finds no edge in this image."""
    *_, magnitude = _steepness(image, sigma, scale=scale, **options)
    known = magnitude[backend_of(magnitude).xp.isfinite(magnitude)]
    if 0 in known.shape:
        return "no gradient is finite: every pixel is NaN or infinite, or the kernel covers such a pixel"
    largest = float(known.max())
    if not largest:
        return "every gradient is 0: the image has the same level everywhere"
    needed = _limits(low, high, magnitude)[1]
    # The threshold may differ between planes.
    needed = float(needed.min()) if hasattr(needed, "min") else needed
    unit = "levels per pixel" if scale == "unit" else "in units of OpenCV's 3x3 Sobel operator"
    found = f"the largest gradient is {float(f'{largest:.3g}'):g}"
    if largest >= needed:
        return f"no local maximum of the gradient is above high={needed:g} {unit}; {found}"
    hint = f" (OpenCV's thresholds are {OPENCV} times as large: --scale raw)" if scale == "unit" else ""
    return f"no pixel reaches high={needed:g} {unit}; {found}{hint}"


@np.errstate(all="ignore")
def zero_crossings(image: Array, *, sigma: float = 2.0, **options: Unpack[Common]) -> Array:
    """Find edges where the Laplacian of Gaussian changes sign (Marr and Hildreth).

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sobel`.
    sigma : float
        Standard deviation of the Gaussian in pixels, at least 0.3.
    **options
        See `Common`, without ``out``. The default of ``channel`` is "luminance".

    Returns
    -------
    ndarray or Tensor
        How steeply the sign changes, in units of the Laplacian per pixel; 0 where it does not. Lines
        are one pixel wide. What is above a threshold is an edge; see `hysteresis`.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.
    ShapeError, DtypeError
        If an array does not fit.

    References
    ----------
    Marr and Hildreth, Theory of edge detection, 1980, 10.1098/rspb.1980.0020.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> image = np.zeros((32, 32), np.uint8)
    >>> image[:, 16:] = 200
    >>> np.flatnonzero(ek.zero_crossings(image)[8])
    array([15])
    """
    if "out" in options:
        raise ParameterError("zero_crossings does not take out=: it returns a new array")
    if sigma is None:
        raise ParameterError("sigma=None must be a number of pixels, at least 0.3")
    image, layout, given = _taken(image, options)
    response = apply(_single(image), "laplacian", {"sigma": sigma}, **given)
    backend = backend_of(response)
    frame, xp = backend.frame(response), backend.xp

    def crossing(planes: Array) -> Array:
        here = planes
        steepest = xp.zeros_like(planes)
        padded = backend.window(planes, backend.frame(planes), 0, frame.rows, (1, 1, 1, 1), "edge", planes.dtype, 0)
        for down, right in ((0, 1), (1, 0)):
            before, after = shifted(padded, -down, -right), shifted(padded, down, right)
            # Between two pixels the sign changes: the one nearer to zero is the edge, of equals the first.
            for other, nearer in ((after, xp.abs(here) <= xp.abs(after)), (before, xp.abs(here) < xp.abs(before))):
                jump = xp.where((xp.sign(here) * xp.sign(other) < 0) & nearer, xp.abs(here - other), 0)
                steepest = xp.maximum(steepest, jump)
            on = (here == 0) & (xp.sign(before) * xp.sign(after) < 0)
            steepest = xp.maximum(steepest, xp.where(on, xp.abs(after - before) / 2, 0))
        return steepest

    steps = thinned(backend.by_plane(crossing, response))
    return layout.leave(backend.cast(steps, backend.dtypes(image, wide=False)[1]))


def _taken(image: Any, options: Common) -> tuple[Array, Layout, dict[str, Any]]:
    """Return an image in the backend's layout, that layout, and the options for the filter."""
    given: dict[str, Any] = {"channel": "luminance", **options}
    image, layout = take(image, given.pop("channel_axis", AUTO))
    given["mask"] = layout.enter_mask(given.get("mask"))
    return image, layout, given


def _connected(strength: Array, low: Any, high: Any) -> Array:
    """Return where a strength is above `low` and connected to pixels above `high`."""
    ordered = low <= high
    if not bool(ordered if isinstance(ordered, bool) else ordered.all()):
        raise ParameterError(f"low={low} must not be above high={high}")

    def connected(weak: Array, strong: Array) -> Array:
        count, labels = label(weak)
        reached = np.zeros(count, bool)
        reached[labels[strong]] = True
        kept: Array = reached[labels]
        return kept

    return backend_of(strength).by_plane_in_numpy(connected, strength > low, strength > high)


def _single(image: Array) -> Array:
    """Return half precision as single: its squares would overflow."""
    backend = backend_of(image)
    work, _ = backend.dtypes(image, wide=False)
    return backend.cast(image, work) if backend.limits(image)[1] == math.inf else image


def _known(strength: Array) -> Array:
    """Return 0 where it is not known how strong an edge is, and finite numbers."""
    xp = backend_of(strength).xp
    return xp.nan_to_num(strength)


def _limits(low: Any, high: Any, magnitude: Array) -> tuple[Any, Any]:
    """Return both thresholds, for each plane where they follow from the image."""
    if low is None and high is None:
        high = backend_of(magnitude).by_plane_in_numpy(_automatic, magnitude)
        return high * LOW, high
    strong: Any = None if high is None else _level(high, magnitude)
    weak: Any = strong * LOW if low is None else _level(low, magnitude)
    if strong is None:
        strong = weak / LOW
    if isinstance(low, str) != isinstance(high, str):
        # A number takes precedence over a percentile: on a flat image every percentile is 0.
        strong = backend_of(magnitude).xp.where(weak > strong, weak, strong)
    return weak, strong


def _automatic(magnitude: Array) -> float:
    magnitude = magnitude[np.isfinite(magnitude)]
    largest = float(magnitude.max(initial=0))
    # Divided first: the squares of large numbers would overflow.
    return AUTOMATIC * largest * float(np.sqrt(np.mean(np.square(magnitude / largest)))) if largest else 0.0


def _level(level: float | str, magnitude: Array) -> Any:
    """Return a threshold in units of the magnitude."""
    if not isinstance(level, str):
        if isinstance(level, bool) or not isinstance(level, Real):
            raise ParameterError(f"threshold {level!r} must be a number, or a percentile such as '95%'")
        return float(level)
    number = level.removesuffix("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = math.nan
    if not level.endswith("%") or not 0 <= share <= 1:
        raise ParameterError(f"threshold {level!r} must be a number, or a percentile such as '95%'")
    return backend_of(magnitude).by_plane_in_numpy(lambda plane: _quantile(plane, share), magnitude)


def _quantile(plane: Array, share: float) -> Any:
    known = plane[np.isfinite(plane)]
    return np.quantile(known, share) if known.size else 0.0
