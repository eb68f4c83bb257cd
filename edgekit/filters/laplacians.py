"""Laplacians, and correlation with a kernel of the user. May import `backends` and what is below it."""

from typing import Any, Literal

from edgekit.common.types import ChannelAxis, ImageT
from edgekit.filters.apply import filter_image
from edgekit.filters.documentation import documented
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import Channel, Scale, Tone
from edgekit.operators.spacing import Spacing
from edgekit.operators.table import OPERATORS, own_operator


@documented
def laplacian(
    image: ImageT,
    *,
    stencil: Literal[4, 8, "isotropic"] = 4,
    sigma: float | None = None,
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with the Laplacian: positive in dark valleys, negative on bright peaks.

    Parameters
    ----------
    stencil : {4, 8, "isotropic"}
        The neighbours that the kernel covers.
    sigma : float, optional
        Use the Laplacian of a Gaussian of this standard deviation in pixels, at least 0.3, instead of a stencil.

    References
    ----------
    Marr and Hildreth, Theory of edge detection, 1980, 10.1098/rspb.1980.0020.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> x = np.arange(6.0)
    >>> ek.laplacian(np.tile(x**2 / 2, (3, 1)), stencil=8)[1, 1:-1]
    array([1., 1., 1., 1.])
    """
    return filter_image(
        image, OPERATORS["laplacian"], {"stencil": stencil, "sigma": sigma},
        scale=scale, spacing=spacing, border=border, channel=channel, tone=tone,
        channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def dog(
    image: ImageT,
    *,
    sigma: float = 1.0,
    sigma2: float | None = None,
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with a difference of Gaussians, a band-pass close to the Laplacian of Gaussian.

    With ``scale="unit"`` it is a Laplacian and has a Laplacian's sign. With ``scale="raw"`` it is the Gaussian of
    `sigma` minus that of `sigma2`.

    Parameters
    ----------
    sigma : float
        Standard deviation of the first Gaussian in pixels, at least 0.15.
    sigma2 : float, optional
        Standard deviation of the second Gaussian in pixels, at least 0.15; 1.6 times `sigma` unless given.

    References
    ----------
    Marr and Hildreth, Theory of edge detection, 1980, 10.1098/rspb.1980.0020.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> bool((ek.dog(np.full((9, 9), 0.1), sigma=1.5) == 0).all())
    True
    """
    return filter_image(
        image, OPERATORS["dog"], {"sigma": sigma, "sigma2": sigma2},
        scale=scale, spacing=spacing, border=border, channel=channel, tone=tone,
        channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def correlate(
    image: ImageT,
    kernel: Any,
    *,
    scale: Scale = "unit",
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Correlate with a kernel of your own. The kernel is not flipped.

    Parameters
    ----------
    kernel : array of float
        (rows, columns), both odd. A tensor that requires a gradient gets one.
    scale : {"unit", "raw"}
        Has no effect: a kernel of your own has no unit.

    Raises
    ------
    KernelError
        If `kernel` is not a table of finite numbers with odd sides.
    ParameterError, ShapeError, DtypeError
        As for `sobel`.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.correlate(np.arange(5.0)[None], [[-1, 0, 1]], border="edge")
    array([[1., 2., 2., 2., 1.]])
    """
    # A kernel without a gradient becomes an operator, so that its specification is cached.
    learned = getattr(kernel, "requires_grad", False)
    operator = kernel if learned else own_operator(kernel)
    return filter_image(
        image, operator, {}, scale=scale, border=border, channel=channel, tone=tone,
        channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip
