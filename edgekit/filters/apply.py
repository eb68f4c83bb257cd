"""The one way from options to a response: every filter and every job comes through `apply`.

May import plans, responses and what is below them.
"""

import math
from collections.abc import Hashable, Sequence
from typing import Any, TypedDict

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.errors import DtypeError, KernelError, ParameterError, ShapeError
from edgekit.filters.channel_axis import ChannelAxis, fill
from edgekit.filters.execute import respond
from edgekit.operators import filter_spec
from edgekit.operators.table import Kind, Operator, find, own


class Common(TypedDict, total=False):
    """Options of every filter.

    None means that something is absent, such as the mask; options that cannot be absent refuse it.

    Attributes
    ----------
    scale : {"unit", "raw"}
        ``unit`` (default): a first derivative reads 1 on a ramp of one level per pixel along its own
        direction, a Laplacian reads 1 on x²/2. ``raw``: the taps as the books print them.
    border : {"reflect", "symmetric", "edge", "constant", "wrap", "valid"}
        What lies beyond the edge, in the words of `numpy.pad`; ``constant`` is zero, and ``valid``
        shrinks the result by the kernel instead. Default ``reflect``.
    channel : {"each", "luminance", "max", "dizenzo"}
        Filter each channel (default), filter 0.299 R + 0.587 G + 0.114 B, keep the channel with the
        largest absolute response, or join the channels' gradients by the structure tensor. All but
        ``each`` reduce the channels: NumPy (H, W, C) to (H, W), torch (..., C, H, W) to (..., 1, H, W).
    channel_axis : int or None
        Which axis holds the channels; None if the image has none. Default: the last axis of a NumPy array of
        three axes, the third from the end of a tensor. A shape that tells that the other of the two was meant
        raises ShapeError unless the axis is given. The response keeps the axis where it is.
    tone : {"linear", "log"}
        ``log`` filters log(x + half a level), so that the response does not depend on exposure
        where levels are well above one. A level is 1 for integers and 1/255 for floating types.
    mask : array of bool
        True where the image is valid. The response is NaN where a tap that is not zero touches an
        invalid or non-finite pixel, and nowhere else.
    out : array
        Receives the result; must have its shape and type.
    """

    scale: str
    border: str
    channel: str
    channel_axis: ChannelAxis
    tone: str
    mask: Array | None
    out: Array | None


class Directional(Common, total=False):
    """Options of filters with a direction.

    Attributes
    ----------
    angle : float, or array of float
        Direction in degrees, clockwise from +x (45 looks towards the lower right). With one the
        response is signed, positive where it gets brighter that way; without, it is the magnitude.
        An array or tensor of angles broadcasts against the response: one angle per sample, or per pixel.
    angle_of : {"gradient", "edge"}
        What `angle` is the direction of; the gradient's is the edge's minus 90 degrees.
    rotate : {"steer", "ring"}
        ``steer`` (default) gives any angle as cos·gx + sin·gy; ``ring`` shifts the outer taps of a
        3x3 kernel round, for multiples of 45 degrees.
    """

    angle: Any
    angle_of: str
    rotate: str


#: Options that no plan depends on, or that it is given by themselves.
_APART = ("angle", "channel_axis", "mask", "out")


def apply(
    image: Array,
    operator: str | Operator,
    parameters: dict[str, Any],
    *,
    angle: Any = None,
    mask: Array | None = None,
    out: Array | None = None,
    **options: Any,
) -> Array:
    """Filter with an operator given by its name or row.

    Parameters
    ----------
    image, mask, out, **options
        As for `edgekit.sobel`.
    operator : str or Operator
        A row, or its name.
    parameters : dict
        Values for the operator's own parameters; None stands for the default.
    angle : float or array, optional
        An array steers by one angle for each sample or pixel.
    """
    row = operator if isinstance(operator, Operator) else find(operator)
    if getattr(angle, "ndim", 0) or getattr(angle, "requires_grad", False):
        return _steer(image, row, parameters, angle, mask, out, **options)
    return respond(image, plan_for(row, parameters, angle, **options), mask, out)


def apply_bank(
    image: Array, operator: str, parameters: dict[str, Any], angles: Any, *,
    mask: Array | None = None, out: Array | None = None, **options: Any,
) -> Array:  # fmt: skip
    """Filter as `apply` does in several directions, the responses on a new first axis."""
    angles = angles.tolist() if hasattr(angles, "tolist") else angles
    if not isinstance(angles, Sequence) or isinstance(angles, str) or not angles:
        raise ParameterError(f"angles={angles!r} must be a sequence of at least one direction in degrees")
    return respond(image, _plan(find(operator), parameters, angles, options, many=True), mask, out)


def apply_vector(
    image: Array, operator: str, parameters: dict[str, Any], *, mask: Array | None = None, **options: Any
) -> Array:
    """Return the gradient's two components on a new first axis."""
    return respond(image, _plan(find(operator), parameters, None, options, components=True), mask)


def apply_taps(
    image: Array, taps: Array, *, mask: Array | None = None, out: Array | None = None, **options: Any
) -> Array:
    """Correlate with taps that are a tensor, to which gradients flow.

    Parameters
    ----------
    image, mask, out, **options
        As for `edgekit.correlate`.
    taps : Tensor
        (rows, columns), both odd.
    """
    if backend_of(taps) is not backend_of(image):
        raise DtypeError(f"the image is a {type(image).__name__} and the taps a {type(taps).__name__}; convert one")
    if taps.ndim != 2:
        raise KernelError(f"expected taps of shape (rows, columns); found {tuple(taps.shape)}")
    return respond(image, _plan_of_size(tuple(taps.shape), options), mask, out, taps=taps)


def plan_for(operator: Operator, parameters: dict[str, Any], angle: Any = None, **options: Any) -> filter_spec.Plan:
    """Return the plan for one response, from the cache if it was made before."""
    return _plan(operator, parameters, None if angle is None else (angle,), options)


def _plan(
    operator: Operator, parameters: dict[str, Any], angles: Sequence[Any] | None, options: dict[str, Any], **how: bool
) -> filter_spec.Plan:
    """Check that every option is one that the operator takes, and a plain value."""
    known = (Directional if operator.directed else Common).__annotations__
    # None stands for a parameter that is not there, where the operator can do without it.
    given = {k: v for k, v in parameters.items() if v is not None or operator.parameters.get(k) is not None}
    for name, value in {**given, **options}.items():
        if (name not in known or name in _APART) and name not in parameters:
            takes = ", ".join(sorted({*operator.parameters, *known}))
            raise ParameterError(f"{operator.name} does not take {name}=; it takes {takes}")
        # The cache takes True for 1.
        if isinstance(value, bool) or not isinstance(value, Hashable):
            raise ParameterError(f"{operator.name}: {name}={value!r} must be a number or a name")
    directions = None if angles is None else tuple(map(_degrees, angles))
    return filter_spec.plan(operator, tuple(given.items()), directions, **how, **options)


def _plan_of_size(size: tuple[int, int], options: dict[str, Any]) -> filter_spec.Plan:
    """Return the plan of a kernel whose taps are given elsewhere."""
    rows, columns = size
    return _plan(own([[1.0] * columns] * rows), {}, None, options)


# Sets what torch.compiler.assume_constant_result sets, without torch: the compiler asks for a plan once, and keeps it.
vars(_plan)["_dynamo_marked_constant"] = vars(_plan_of_size)["_dynamo_marked_constant"] = True


def _degrees(angle: Any) -> float:
    """Return an angle as a plain float; the scalars of NumPy and torch are taken too."""
    number = angle.item() if hasattr(angle, "item") else angle
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ParameterError(f"angle={angle!r} must be a number of degrees; for several directions use oriented")
    return float(number)


def _steer(
    image: Array, operator: Operator, parameters: dict[str, Any], angle: Array,
    mask: Array | None, out: Array | None, *, angle_of: str = "gradient", rotate: str = "steer", **options: Any,
) -> Array:  # fmt: skip
    """Steer by an array of angles, one per sample or per pixel."""
    if operator.kind is not Kind.GRADIENT or rotate != "steer" or options.get("channel") in ("max", "dizenzo"):
        raise ParameterError(
            "an array of angles steers gradients channel by channel: it needs a gradient operator, "
            'rotate="steer", and channel="each" or "luminance"'
        )
    backend = backend_of(image)
    if backend_of(angle) is not backend:
        raise DtypeError(f"the image is a {type(image).__name__} and its angles a {type(angle).__name__}; convert one")
    if angle.ndim and angle.device != image.device:
        raise DtypeError(f"the image is on {image.device} and its angles on {angle.device}; move one")
    degrees = backend.cast(angle, backend.dtypes(angle, wide=False)[0])
    if backend.some_not_finite(degrees):
        raise ParameterError("angles must be finite; found nan or inf among them")
    if angle_of == "edge":
        degrees = degrees - 90
    plan_for(operator, parameters, 0.0, angle_of=angle_of, **options)  # Checks what is not passed on below.
    work, dtype = backend.dtypes(image, wide=False)
    # Half precision is computed in single, and rounded once.
    gx, gy = respond(
        backend.cast(image, work) if backend.limits(image)[1] == math.inf else image,
        _plan(operator, parameters, None, options, components=True),
        mask,
    )
    cos, sin = (backend.cast(part, gx.dtype) for part in cos_sin_each(degrees, backend.xp))
    try:
        with backend.quiet():
            response = backend.cast(_scaled(gx, cos, backend.xp) + _scaled(gy, sin, backend.xp), dtype)
    except (ValueError, RuntimeError):
        response = None
    if response is None or response.shape != gx.shape:
        raise ShapeError(
            f"angles of shape {tuple(angle.shape)} do not broadcast to the response's shape {tuple(gx.shape)}; "
            "for one angle per sample give a tensor the shape (N, 1, 1, 1)"
        )
    return fill(out, response)


def cos_sin_each(degrees: Array, xp: Any) -> tuple[Array, Array]:
    """Return cosine and sine, exact at multiples of 90 degrees."""
    # From the nearest multiple of 90 on, whose own cosine and sine are exact, and so are their slopes.
    quarters = xp.round(degrees / 90)
    rest = xp.deg2rad(degrees - 90 * quarters)
    cos, sin, turn = xp.cos(rest), xp.sin(rest), xp.remainder(quarters, 4)
    odd = (turn == 1) | (turn == 3)
    sign_cos, sign_sin = (xp.where(t, -1, xp.ones_like(cos)) for t in ((turn == 1) | (turn == 2), turn >= 2))
    return xp.where(odd, sin, cos) * sign_cos, xp.where(odd, cos, sin) * sign_sin


def _scaled(response: Array, weight: Array, xp: Any) -> Array:
    """Multiply, leaving out what has no weight, NaN included."""
    return xp.where((weight == 0) & xp.isnan(response), 0, response) * weight
