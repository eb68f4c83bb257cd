"""From an operator and its options to a response. All filters and jobs use these functions.

May import `backends` and what is below it.
"""

import math
from collections.abc import Hashable, Sequence
from typing import Any, Literal

from edgekit.backends.choice import backend_of, is_same_kind
from edgekit.backends.interface import Array
from edgekit.common.choices import plain_number, shown
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.errors import DtypeError, KernelError, ParameterError, ShapeError
from edgekit.filters.execute import respond
from edgekit.filters.inputs import as_image, fill
from edgekit.operators.filter_spec import FilterSpec, filter_spec
from edgekit.operators.spacing import PIXELS, pixel_spacing
from edgekit.operators.table import Kind, Operator, find, own_operator

#: Values of an operator's own parameters, by name.
Parameters = dict[str, Any]


def filter_image(
    image: ImageT,
    operator: str | Operator | Array,
    parameters: Parameters,
    *,
    angle: Any = None,
    angles: Any = None,
    components: bool = False,
    channel_axis: ChannelAxis = "auto",
    mask: Any = None,
    out: Any = None,
    **options: Any,
) -> ImageT:
    """Filter a caller's image: in any accepted axis order, with the response in the same order.

    Parameters
    ----------
    image, operator, parameters, angle, mask, out, **options
        As for `apply`.
    angles : sequence of float, optional
        Several directions; the responses are on a new first axis.
    components : bool
        Return the gradient's two components on a new first axis.
    channel_axis : int, None or "auto"
        As for `edgekit.sobel`.
    """
    pixels, order = as_image(image, channel_axis)
    mask = None if mask is None else order.apply_to_mask(mask)
    stacked = components or angles is not None
    if order.given == order.usual:
        target = out
    else:
        # The response is copied into `out` in the caller's order.
        target = None
        angle = order.apply_to_values(angle, reduced=options.get("channel", "each") != "each")
    if stacked:
        response: Any = apply_bank(pixels, operator, parameters, angles, mask=mask, out=target, **options)
        response = backend_of(pixels).xp.stack(response) if isinstance(response, list) else response
    else:
        response = apply(pixels, operator, parameters, angle=angle, mask=mask, out=target, **options)
    if order.given != order.usual:
        response = fill(out, order.restore(response, stacked=stacked))
    return response  # type: ignore[no-any-return]  # arrays have no type inside the package


def apply(
    image: Array,
    operator: str | Operator | Array,
    parameters: Parameters,
    *,
    angle: Any = None,
    mask: Array | None = None,
    out: Array | None = None,
    **options: Any,
) -> Array:
    """Filter an image in the backend's axis order.

    Parameters
    ----------
    image, mask, out
        As for `edgekit.sobel`.
    operator : str, Operator or Tensor
        An operator, its name, or a kernel that has a gradient.
    parameters : dict
        Values of the operator's own parameters.
    angle : float or array, optional
        With an array each sample or pixel has its own angle.
    **options
        ``angle_of``, ``rotate``, ``scale``, ``spacing``, ``border``, ``channel`` and ``tone``, as for `edgekit.sobel`.
    """
    if isinstance(operator, str):
        operator = find(operator)
    elif not isinstance(operator, Operator):
        return apply_learned(image, operator, mask=mask, out=out, **options)
    if getattr(angle, "ndim", 0) or getattr(angle, "requires_grad", False):
        return _steered(image, operator, parameters, angle, mask, out, **options)
    return respond(image, specification(operator, parameters, angle, options), mask, out)


def apply_bank(
    image: Array,
    operator: str | Operator,
    parameters: Parameters,
    angles: Any = None,
    *,
    mask: Array | None = None,
    out: Array | None = None,
    **options: Any,
) -> Array:
    """Filter as `apply` does in several directions, with the responses on a new first axis.

    Without angles these are the two components of the gradient, in an exported graph as a list.
    """
    if isinstance(operator, str):
        operator = find(operator)
    if angles is None:
        return respond(image, specification(operator, parameters, None, options, "gradient"), mask, out)
    angles = angles.tolist() if hasattr(angles, "tolist") and not isinstance(angles, type) else angles
    if not isinstance(angles, Sequence) or isinstance(angles, str | bytes) or not angles:
        raise ParameterError(f"angles={shown(angles)} must be a sequence of at least one direction in degrees")
    return respond(image, specification(operator, parameters, tuple(angles), options, "stack"), mask, out)


def apply_learned(
    image: Array, kernel: Array, *, mask: Array | None = None, out: Array | None = None, **options: Any
) -> Array:
    """Correlate with a kernel that is a tensor, so that it has a gradient.

    Parameters
    ----------
    image, mask, out, **options
        As for `apply`.
    kernel : Tensor
        (rows, columns), both odd.
    """
    if not is_same_kind(kernel, image):
        raise DtypeError(f"the image is a {type(image).__name__} and the kernel a {type(kernel).__name__}; convert one")
    if kernel.ndim != 2:
        raise KernelError(f"expected a kernel of shape (rows, columns); found {tuple(kernel.shape)}")
    return respond(image, _spec_of_size(tuple(kernel.shape), options), mask, out, kernel=kernel)


def specification(
    operator: Operator,
    parameters: Parameters,
    angles: Any,
    options: dict[str, Any],
    result: Literal["reduced", "stack", "gradient"] = "reduced",
) -> FilterSpec:
    """Return the specification of a filter, from the cache if possible.

    Parameters
    ----------
    angles : float or tuple of float, optional
        One direction, or several for ``result="stack"``.
    """
    if angles is not None:
        angles = tuple(map(_degrees, angles if result == "stack" else (angles,)))
    if "spacing" in options:
        spacing = options["spacing"]
        # The default needs no check.
        is_default = type(spacing) is float and spacing == 1
        options = {**options, "spacing": PIXELS if is_default else pixel_spacing(spacing)}
    try:
        return filter_spec(operator, angles, result=result, **parameters, **options)
    except TypeError:
        # The cache accepts hashable values only.
        for name, value in {**parameters, **options}.items():
            if not isinstance(value, Hashable):
                raise ParameterError(f"{operator.name}: {name}={shown(value)} must be a number or a name") from None
        raise


def _spec_of_size(size: tuple[int, int], options: dict[str, Any]) -> FilterSpec:
    """Return the specification of a kernel whose coefficients are given elsewhere."""
    rows, columns = size
    return specification(own_operator([[1.0] * columns] * rows), {}, None, options)


# As torch.compiler.assume_constant_result does, without importing torch: the compiler calls these functions once.
vars(specification)["_dynamo_marked_constant"] = vars(_spec_of_size)["_dynamo_marked_constant"] = True


def _degrees(angle: Any) -> float:
    """Return an angle as a float; scalars of NumPy and torch are accepted."""
    number = plain_number(angle)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ParameterError(f"angle={shown(angle)} must be a number of degrees; for several directions use oriented")
    return float(number)


def _steered(
    image: Array, operator: Operator, parameters: Parameters, angle: Array,
    mask: Array | None, out: Array | None, *, angle_of: str = "gradient", rotate: str = "steer", **options: Any,
) -> Array:  # fmt: skip
    """Steer by an array of angles, one for each sample or pixel."""
    if operator.kind is not Kind.GRADIENT or rotate != "steer" or options.get("channel") in ("max", "dizenzo"):
        raise ParameterError(
            "an array of angles steers gradients channel by channel: it needs a gradient operator, "
            'rotate="steer", and channel="each" or "luminance"'
        )
    backend = backend_of(image)
    if not is_same_kind(angle, image):
        raise DtypeError(f"the image is a {type(image).__name__} and its angles a {type(angle).__name__}; convert one")
    if angle.ndim and angle.device != image.device:
        raise DtypeError(f"the image is on {image.device} and its angles on {angle.device}; move one")
    degrees = backend.cast(angle, backend.array_types(angle).work)
    known = backend.extent(degrees) if 0 not in degrees.shape else None
    if known is not None and not known[1]:
        raise ParameterError("angles must be finite; found nan or inf among them")
    if angle_of == "edge":
        degrees = degrees - 90
    # Checks the options that are not passed on below.
    specification(operator, parameters, 0.0, {"angle_of": angle_of, **options})
    types = backend.array_types(image)
    # Half precision is computed in single precision, and rounded once.
    gx, gy = apply_bank(
        backend.cast(image, types.work) if types.floating else image, operator, parameters, mask=mask, **options
    )
    cos, sin = (backend.cast(part, gx.dtype) for part in cos_sin_each(degrees, backend.xp))
    try:
        with backend.quiet():
            if options.get("nan") == "ignore" and mask is None and backend.exporting():
                response = gx * cos + gy * sin
            else:
                response = _scaled(gx, cos, backend.xp) + _scaled(gy, sin, backend.xp)
            response = backend.cast(response, types.result)
    except (ValueError, RuntimeError):
        response = None
    if response is None or response.shape != gx.shape:
        raise ShapeError(
            f"angles of shape {tuple(angle.shape)} do not broadcast to the response's shape {tuple(gx.shape)}; "
            "for one angle for each sample pass a tensor of shape (N, 1, 1, 1)"
        )
    return fill(out, response)


def cos_sin_each(degrees: Array, xp: Any) -> tuple[Array, Array]:
    """Return cosine and sine, exact at multiples of 90 degrees."""
    # Relative to the nearest multiple of 90, where cosine, sine and their slopes are exact.
    quarters = xp.round(degrees / 90)
    # deg2rad, which the older exporter to ONNX does not know.
    rest = (degrees - 90 * quarters) * (math.pi / 180)
    cos, sin, turn = xp.cos(rest), xp.sin(rest), xp.remainder(quarters, 4)
    odd = (turn == 1) | (turn == 3)
    sign_cos, sign_sin = (xp.where(t, -1, xp.ones_like(cos)) for t in ((turn == 1) | (turn == 2), turn >= 2))
    return xp.where(odd, sin, cos) * sign_cos, xp.where(odd, cos, sin) * sign_sin


def _scaled(response: Array, weight: Array, xp: Any) -> Array:
    """Multiply; a response of weight 0 does not count, even if it is NaN."""
    return xp.where((weight == 0) & xp.isnan(response), 0, response) * weight
