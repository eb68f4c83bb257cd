"""Edges where the Laplacian of Gaussian changes sign. May import `filters` and what is below it."""

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.edges.thinning import as_single, by_plane, shifted, thinned
from edgekit.errors import ParameterError
from edgekit.filters.apply import apply
from edgekit.filters.documentation import documented
from edgekit.filters.inputs import check_image
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import Channel, Scale, Tone


@documented
@np.errstate(all="ignore")
def zero_crossings(
    image: ImageT,
    *,
    sigma: float = 2.0,
    scale: Scale = "unit",
    border: Border = "reflect",
    channel: Channel = "luminance",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
) -> ImageT:
    """Find edges where the Laplacian of Gaussian changes sign (Marr and Hildreth).

    Parameters
    ----------
    sigma : float
        Standard deviation of the Gaussian in pixels, at least 0.3.

    Returns
    -------
    ndarray or Tensor
        Slope of the Laplacian at a change of sign, in units of the Laplacian per pixel; 0 elsewhere. Lines are one
        pixel wide. Pixels above a threshold are edges; see `hysteresis`.

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
    if sigma is None:
        raise ParameterError("sigma=None must be a number of pixels, at least 0.3")
    pixels, order = check_image(image, channel_axis)
    response = apply(
        as_single(pixels), "laplacian", {"sigma": sigma},
        scale=scale, border=border, channel=channel, tone=tone, mask=order.apply_to_mask(mask),
    )  # fmt: skip
    backend = backend_of(response)
    xp = backend.xp

    def crossing(planes: Array) -> Array:
        here = planes
        steepest = xp.zeros_like(planes)
        layout = backend.image_layout(planes)
        padded = backend.pad(planes, layout, 0, layout.rows, (1, 1, 1, 1), "edge", planes.dtype, 0)
        for down, right in ((0, 1), (1, 0)):
            before, after = shifted(padded, -down, -right), shifted(padded, down, right)
            # The sign changes between two pixels: the pixel nearer to zero is the edge, of two equal ones the first.
            for other, nearer in ((after, xp.abs(here) <= xp.abs(after)), (before, xp.abs(here) < xp.abs(before))):
                jump = xp.where((xp.sign(here) * xp.sign(other) < 0) & nearer, xp.abs(here - other), 0)
                steepest = xp.maximum(steepest, jump)
            on = (here == 0) & (xp.sign(before) * xp.sign(after) < 0)
            steepest = xp.maximum(steepest, xp.where(on, xp.abs(after - before) / 2, 0))
        return steepest

    slopes = thinned(by_plane(crossing, response))
    result: ImageT = order.restore(backend.cast(slopes, backend.array_types(pixels).result))
    return result
