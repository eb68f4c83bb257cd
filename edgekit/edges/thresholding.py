"""Masks: what is brighter than a level, and the outline of that. May import dispatch and what is below it."""

from functools import partial

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.names import suggestion, unknown
from edgekit.edges.thinning import shifted
from edgekit.errors import DtypeError, ParameterError
from edgekit.filters.apply import apply
from edgekit.filters.channel_axis import AUTO, ChannelAxis, take
from edgekit.operators.table import own

#: How a level can be found.
METHODS = ("otsu", "li", "triangle", "adaptive")

#: No surroundings are larger, in pixels along a side.
LARGEST = 10_000

#: How colours become levels.
CHANNELS = ("luminance", "each", "max")


def threshold(
    image: Array, method: str | float = "otsu", *, channel: str = "luminance", size: int = 35,
    channel_axis: ChannelAxis = AUTO,
) -> Array:  # fmt: skip
    """Separate what is bright from what is dark.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sobel`.
    method : {"otsu", "li", "triangle", "adaptive"} or float
        How the level is found, in each plane by itself: by Otsu's between-class variance, Li's cross
        entropy, the triangle below the histogram's long flank, or at each pixel as the Gaussian mean of
        its surroundings. A number is the level itself.
    channel : {"luminance", "each", "max"}
        What is compared of colour images.
    size : int
        Pixels along each side of the surroundings, odd, for ``"adaptive"``.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor of bool
        True where the image is brighter than the level; False where it is not finite, and throughout an
        image of a single level.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.
    ShapeError, DtypeError
        If the image does not fit.

    References
    ----------
    Otsu 1979, 10.1109/TSMC.1979.4310076; Li and Tam 1998, 10.1016/S0167-8655(98)00057-9; Zack, Rogers
    and Latt 1977, 10.1177/25.7.70454; levels of whole images are computed by `skimage.filters`.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.threshold(np.uint8([[10, 12, 200, 210]]))
    array([[False, False,  True,  True]])
    """
    method = method.item() if isinstance(method, np.number) else method
    if isinstance(method, bool) or (not isinstance(method, int | float) and method not in METHODS):
        known = ", ".join(METHODS)
        raise ParameterError(f"method={method!r} must be a number or one of {known}.{suggestion(method, METHODS)}")
    if isinstance(size, bool) or not isinstance(size, int) or not 3 <= size < LARGEST or size % 2 == 0:
        raise ParameterError(f"size={size!r} must be an odd number of pixels, from 3 to {LARGEST}")
    if method != method:
        raise ParameterError("method=nan: the level must be a number that others can be compared with")
    if channel not in CHANNELS:
        raise ParameterError(unknown("channel", channel, CHANNELS))
    image, layout = take(image, channel_axis)
    backend, values = backend_of(image), _levels(image, channel)
    if not isinstance(method, str):
        return layout.leave(values > method)
    # For integers of up to 16 bits the histogram has one bin for each level.
    whole = backend.limits(image)[1] < 2**16
    return layout.leave(backend.by_plane_in_numpy(partial(_brighter, method=method, size=size, whole=whole), values))


def _levels(image: Array, channel: str) -> Array:
    """Return the levels that are compared with the threshold."""
    backend = backend_of(image)
    frame = backend.frame(image)
    work, _ = backend.dtypes(image, wide=True)
    # A kernel of one tap reduces the channels and leaves the levels as they are.
    return apply(backend.cast(image, work), own([[1.0]]), {}, channel=channel if frame.channels else "each")


def why_no_mask(image: Array, method: str | float = "otsu", *, channel: str = "luminance", size: int = 35) -> str:
    """Say why `threshold` with the same options leaves no pixel of this image."""
    values = _levels(image, channel)
    known = values[backend_of(values).xp.isfinite(values)]
    if 0 in known.shape:
        return "no pixel is finite"
    found = f"the levels of the image are {float(known.min()):g} to {float(known.max()):g}"
    limit = f"the threshold found by {method}" if isinstance(method, str) else f"method={method:g}"
    return f"no pixel is brighter than {limit}; {found}"


def _brighter(plane: Array, method: str, size: int, whole: bool) -> Array:
    from scipy import ndimage
    from skimage import filters

    finite = np.isfinite(plane)
    known = plane[finite]
    if not known.size or known.min() == known.max():
        return np.zeros(plane.shape, bool)
    if whole:
        shares = np.rint(plane).astype(np.int64)
    else:
        # Between 0 and 1 no histogram or entropy overflows; halves, since the range itself may.
        least = known.min() / 2
        shares = np.where(finite, (plane / 2 - least) / (known.max() / 2 - least), 0)
    if method == "adaptive":
        sigma = (size - 1) / 6
        mean = ndimage.gaussian_filter(shares.astype(float), sigma)
        if not finite.all():
            mean /= np.maximum(ndimage.gaussian_filter(finite.astype(float), sigma), 1e-9)
        return finite & (shares > mean)
    return finite & (shares > getattr(filters, f"threshold_{method}")(shares[finite]))


def outline(mask: Array, *, channel_axis: ChannelAxis = AUTO) -> Array:
    """Return the edges of a mask: its pixels that have one of four neighbours outside.

    Parameters
    ----------
    mask : ndarray or Tensor of bool
        In an image's layout.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`; each channel is outlined separately.

    Returns
    -------
    ndarray or Tensor of bool
        Of the same shape. Beyond the image the mask goes on as it is at the border: there is no edge.

    Raises
    ------
    ShapeError, DtypeError
        If the mask does not fit.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> disc = np.zeros((5, 5), bool)
    >>> disc[1:4, 1:4] = True
    >>> ek.outline(disc).astype(int)
    array([[0, 0, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 1, 0, 1, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0]])
    """
    mask, layout = take(mask, channel_axis)
    backend = backend_of(mask)
    if str(mask.dtype).removeprefix("torch.") != "bool":
        raise DtypeError(f"expected a mask of type bool; found {mask.dtype}. Make one with threshold")

    def edge(planes: Array) -> Array:
        frame = backend.frame(planes)
        padded = backend.window(planes, frame, 0, frame.rows, (1, 1, 1, 1), "edge", planes.dtype, 0)
        inside = planes
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            inside = inside & shifted(padded, down, right)
        kept: Array = planes & ~inside
        return kept

    return layout.leave(backend.by_plane(edge, mask))
