"""The gradient vector, and banks of directions. May import `backends` and what is below it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.common.html_views import fields_table
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.errors import ParameterError
from edgekit.filters.apply import filter_image
from edgekit.filters.documentation import documented
from edgekit.filters.reduction import at_any_size
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import AngleOf, Channel, Rotate, Scale, Tone
from edgekit.operators.spacing import Spacing
from edgekit.operators.table import find


@dataclass(frozen=True, repr=False)
class Gradient(Generic[ImageT]):
    """A gradient: its two components, its magnitude and its direction. ``gx, gy = gradient`` gives the components.

    Attributes
    ----------
    gx, gy : ndarray or Tensor
        Positive where the image gets brighter to the right, and downward; per pixel, or per unit of the spacing.
    """

    gx: ImageT
    gy: ImageT

    @property
    def magnitude(self) -> ImageT:
        """The root of gx² + gy², exactly 0 where both are 0."""
        backend, parts = backend_of(self.gx), self._parts()
        with backend.quiet():
            return self._cast(at_any_size(backend.magnitude, parts, backend))

    @property
    def direction(self) -> ImageT:
        """Degrees clockwise from +x, in [0, 360); 0 where the gradient is 0."""
        xp, (gx, gy) = backend_of(self.gx).xp, self._parts()
        degrees = xp.rad2deg(xp.arctan2(gy, gx))
        degrees = self._cast(xp.where(degrees < 0, degrees + 360, degrees))
        # A direction just below 360 is rounded to 360; the components of a gradient of 0 may be -0.0.
        result: ImageT = xp.where((degrees >= 360) | ((gx == 0) & (gy == 0)), 0, degrees)
        return result

    def __iter__(self) -> Iterator[ImageT]:
        return iter((self.gx, self.gy))

    def __repr__(self) -> str:
        return f"Gradient({self._kind})"

    def _repr_html_(self) -> str:
        ranges = {name: _range(getattr(self, name)) for name in ("gx", "gy", "magnitude")}
        return fields_table(f"Gradient, {self._kind}", ranges)

    @property
    def _kind(self) -> str:
        return f"gx and gy of shape {tuple(self.gx.shape)}, {str(self.gx.dtype).removeprefix('torch.')}"

    def _parts(self) -> list[Any]:
        """Return the components in the type of the computation: half precision does not hold their squares."""
        backend = backend_of(self.gx)
        return [backend.cast(part, backend.array_types(part).work) for part in (self.gx, self.gy)]

    def _cast(self, array: Any) -> ImageT:
        result: ImageT = backend_of(self.gx).cast(array, self.gx.dtype)
        return result


def _range(array: Any) -> str:
    """Return the smallest and the largest value that is not NaN, as a text."""
    values = backend_of(array).to_numpy(array)
    values = values[~np.isnan(values)]
    return f"{values.min():.4g} to {values.max():.4g}" if values.size else "no values"


@documented
def gradient(
    image: ImageT,
    *,
    operator: str = "sobel",
    size: int | None = None,
    sigma: float | None = None,
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
) -> Gradient[ImageT]:
    """Return the components of the gradient, its magnitude and its direction.

    Parameters
    ----------
    operator : {"sobel", "scharr", "prewitt", "roberts", "central", "farid", "gaussian"}
        Name of the operator.

    Returns
    -------
    Gradient
        With ``.gx``, ``.gy``, ``.magnitude`` and ``.direction``; ``gx, gy = gradient(image)`` gives the components.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> down = np.tile(np.arange(5.0)[:, None], (1, 5))
    >>> gx, gy = ek.gradient(down)
    >>> float(gx[2, 2]), float(gy[2, 2])
    (0.0, 1.0)
    >>> float(ek.gradient(down, operator="scharr").direction[2, 2])
    90.0
    >>> float(ek.gradient(down, spacing=(0.5, 1.0)).gy[2, 2])
    2.0
    """
    gx, gy = filter_image(
        image, operator, operator_parameters(operator, size=size, sigma=sigma), components=True,
        scale=scale, spacing=spacing, border=border, channel=channel, tone=tone, channel_axis=channel_axis, mask=mask,
    )  # fmt: skip
    return Gradient(gx, gy)


@documented
def oriented(
    image: ImageT,
    angles: Sequence[float] | ImageT,
    *,
    operator: str = "sobel",
    size: int | None = None,
    sigma: float | None = None,
    levels: int | None = None,
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
    """Filter with one operator in several directions.

    With ``rotate="steer"`` the two components of the gradient are computed only once.

    Parameters
    ----------
    angles : sequence of float
        Directions in degrees; multiples of 45 for a compass operator or ``rotate="ring"``.
    operator : str
        Name of an operator with a direction.
    levels : int, optional
        Of the operator robinson: 3 or 5.

    Returns
    -------
    ndarray or Tensor
        Signed responses, one for each angle on a new first axis.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.oriented(np.eye(8), [0, 22.5, 45], operator="farid").shape
    (3, 8, 8)
    """
    return filter_image(
        image, operator, operator_parameters(operator, size=size, sigma=sigma, levels=levels), angles=angles,
        angle_of=angle_of, rotate=rotate, scale=scale, border=border, channel=channel, tone=tone,
        spacing=spacing, channel_axis=channel_axis, mask=mask, out=out,
    )  # fmt: skip


def operator_parameters(operator: str, **given: Any) -> dict[str, Any]:
    """Return the parameters that were given.

    Raises
    ------
    ParameterError
        If there is no such operator, or it has no such parameter.
    """
    given = {name: value for name, value in given.items() if value is not None}
    known = find(operator).parameters
    for name in given:
        if name not in known:
            takes = ", ".join(known) or "no parameter of its own"
            raise ParameterError(f"{operator} does not take {name}=; it takes {takes}")
    return given
