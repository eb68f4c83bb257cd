"""Gradient operators. May import `backends` and what is below it."""

from typing import Literal

from edgekit.common.types import ChannelAxis, ImageT
from edgekit.filters.apply import filter_image
from edgekit.filters.documentation import documented
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import AngleOf, Channel, Rotate, Scale, Tone
from edgekit.operators.spacing import Spacing
from edgekit.operators.table import OPERATORS


@documented
def sobel(
    image: ImageT,
    *,
    size: Literal[3, 5, 7] = 3,
    angle: float | ImageT | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with the Sobel operator.

    Parameters
    ----------
    size : {3, 5, 7}
        Rows and columns of the kernel.

    References
    ----------
    Sobel and Feldman, A 3x3 isotropic gradient operator for image processing, 1968.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ramp = np.tile(np.arange(5, dtype=np.uint8), (4, 1))
    >>> ek.sobel(ramp, angle=0)[1:-1, 1:-1]
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    >>> float(ek.sobel(ramp, angle=45)[1, 1])
    0.7071067690849304
    """
    return filter_image(
        image, OPERATORS["sobel"], {"size": size},
        angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def scharr(
    image: ImageT,
    *,
    angle: float | ImageT | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with the Scharr operator: 3x3, with a more accurate direction than Sobel's.

    References
    ----------
    Scharr, Optimal operators in digital image processing, 2000.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.scharr(np.eye(3), angle=0, scale="raw")[1]
    array([0., 0., 0.])
    """
    return filter_image(
        image, OPERATORS["scharr"], {},
        angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def prewitt(
    image: ImageT,
    *,
    angle: float | ImageT | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with the Prewitt operator: 3x3, with unweighted smoothing.

    References
    ----------
    Prewitt, Object enhancement and extraction, 1970.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> step = np.repeat(np.uint8([[0, 0, 90, 90]]), 3, axis=0)
    >>> ek.prewitt(step)[1]
    array([ 0., 45., 45.,  0.], dtype=float32)
    """
    return filter_image(
        image, OPERATORS["prewitt"], {},
        angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def roberts(
    image: ImageT,
    *,
    angle: float | ImageT | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with the Roberts cross: 2x2, the smallest operator and the most sensitive to noise.

    A response belongs to the point half a pixel to the right of its pixel and half a pixel below.

    References
    ----------
    Roberts, Machine perception of three-dimensional solids, 1963.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.roberts(np.uint8([[0, 0], [0, 9]]), angle=45, scale="raw")[0, 0]
    np.float32(9.0)
    """
    return filter_image(
        image, OPERATORS["roberts"], {},
        angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def farid(
    image: ImageT,
    *,
    size: Literal[5, 7] = 5,
    angle: float | ImageT | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with the Farid and Simoncelli operator, designed for accurate directions.

    Parameters
    ----------
    size : {5, 7}
        Rows and columns of the kernel.

    References
    ----------
    Farid and Simoncelli, Differentiation of discrete multidimensional signals, 2004, 10.1109/TIP.2004.823819.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> y, x = np.mgrid[:9, :9].astype(float)
    >>> round(float(ek.farid(x + y)[4, 4]), 6)
    1.414214
    """
    return filter_image(
        image, OPERATORS["farid"], {"size": size},
        angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def gaussian_gradient(
    image: ImageT,
    *,
    sigma: float = 1.0,
    angle: float | ImageT | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with the first derivative of a Gaussian: a gradient at a chosen scale.

    Parameters
    ----------
    sigma : float
        Standard deviation in pixels, at least 0.15.

    References
    ----------
    Canny, A computational approach to edge detection, 1986, 10.1109/TPAMI.1986.4767851.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ramp = np.tile(np.arange(32.0), (32, 1))
    >>> round(float(ek.gaussian_gradient(ramp, sigma=2)[16, 16]), 12)
    1.0
    """
    return filter_image(
        image, OPERATORS["gaussian"], {"sigma": sigma},
        angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def kirsch(
    image: ImageT,
    *,
    angle: float | ImageT | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with the Kirsch compass operator: eight 3x3 kernels, by default the maximum of their responses.

    Parameters
    ----------
    angle : float, optional
        Direction in degrees, clockwise from +x: a multiple of 45. The response is then signed, that of one kernel.
        Without an angle the response is the maximum over all eight kernels.
    rotate : {"steer", "ring"}
        Has no effect: the eight kernels are rotated versions of one.

    References
    ----------
    Kirsch, Computer determination of the constituent structure of biological images, 1971,
    10.1016/0010-4809(71)90034-6.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> step = np.repeat(np.uint8([[0, 0, 8, 8]]), 3, axis=0)
    >>> ek.kirsch(step, scale="raw")[1]
    array([  0., 120.,  72.,   0.], dtype=float32)
    """
    return filter_image(
        image, OPERATORS["kirsch"], {},
        angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


@documented
def robinson(
    image: ImageT,
    *,
    levels: Literal[3, 5] = 3,
    angle: float | ImageT | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> ImageT:
    """Filter with a Robinson compass operator: eight 3x3 kernels, by default the maximum of their responses.

    Parameters
    ----------
    levels : {3, 5}
        Number of different coefficients: -1, 0 and 1, or also -2 and 2.
    angle : float, optional
        Direction in degrees, clockwise from +x: a multiple of 45. The response is then signed, that of one kernel.
        Without an angle the response is the maximum over all eight kernels.
    rotate : {"steer", "ring"}
        Has no effect: the eight kernels are rotated versions of one.

    References
    ----------
    Robinson, Edge detection by compass gradient masks, 1977, 10.1016/S0146-664X(77)80024-5.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> step = np.repeat(np.uint8([[0, 0, 8, 8]]), 3, axis=0)
    >>> ek.robinson(step)[1]
    array([0., 4., 4., 0.], dtype=float32)
    """
    return filter_image(
        image, OPERATORS["robinson"], {"levels": levels},
        angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip
