"""Completes the docstrings of functions that share parameters. Standard library only.

A docstring in the source holds what is special about a function. `documented` adds the shared parameters, results and
errors, so that ``help()`` shows all of them.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

#: Descriptions of shared parameters.
PARAMETERS = {
    "image": """
    image : ndarray or Tensor
        NumPy: (H, W) or (H, W, C), colour in RGB order. torch: (H, W) or (..., C, H, W). Bool, integers or floats.
        Integers are not rescaled.
    """,
    "angle": """
    angle : float, or array of float, optional
        Direction in degrees, clockwise from +x: 45 is towards the lower right. The response is then signed, positive
        where the image gets brighter in this direction. Without an angle the response is the magnitude. An array or
        tensor of angles broadcasts against the response: shape (N, 1, 1, 1) for one angle for each sample of a batch,
        (H, W) for one for each pixel.
    """,
    "angle_of": """
    angle_of : {"gradient", "edge"}
        ``gradient``: `angle` is the direction of the gradient. ``edge``: it is the direction along the edge, which is
        the direction of the gradient plus 90 degrees.
    """,
    "rotate": """
    rotate : {"steer", "ring"}
        ``steer``: any angle, as cos·gx + sin·gy. ``ring``: multiples of 45 degrees, by shifting the outer coefficients
        of a 3x3 kernel.
    """,
    "scale": """
    scale : {"unit", "raw"}
        ``unit``: a first derivative is 1 on a ramp of one gray level per pixel along its direction, a Laplacian is 1
        on x²/2. ``raw``: kernel coefficients as the reference prints them, such as those of ``cv2.Sobel`` and
        ``cv2.Scharr``.
    """,
    "spacing": """
    spacing : float or (float, float)
        Distance of neighbouring pixels, or the distances (dy, dx) along y and x, as for `numpy.gradient`. A first
        derivative is per unit of this distance (gx / dx, gy / dy), a second derivative per squared unit. Angles are
        directions in the physical plane. Sizes and standard deviations of kernels stay in pixels. Two different
        distances are an error with ``rotate="ring"``, for roberts, kirsch, robinson and dog, and for the Laplacian
        stencils 8 and ``"isotropic"``. ``scale="raw"`` takes no spacing.
    """,
    "border": """
    border : {"reflect", "symmetric", "edge", "constant", "wrap", "valid"}
        How pixels beyond the image are extrapolated, with the names of `numpy.pad`. ``reflect`` is OpenCV's
        BORDER_REFLECT_101, ``symmetric`` its BORDER_REFLECT, ``edge`` its BORDER_REPLICATE; ``constant`` is zero. With
        ``valid`` nothing is extrapolated, and the result is smaller.
    """,
    "channel": """
    channel : {"each", "luminance", "max", "dizenzo"}
        ``each``: every channel separately. ``luminance``: 0.299 R + 0.587 G + 0.114 B. ``max``: the channel with the
        largest absolute response. ``dizenzo``: the channels' gradients combined by the structure tensor. All but
        ``each`` reduce the channels: NumPy (H, W, C) to (H, W), torch (..., C, H, W) to (..., 1, H, W).
    """,
    "tone": """
    tone : {"linear", "log"}
        ``log`` filters the logarithm of the image plus half a gray level. The response then does not depend on the
        exposure where the image is well above one level. A level is 1 for integers and 1/255 for floating types.
    """,
    "channel_axis": """
    channel_axis : int, None or "auto"
        The axis of the channels; None if the image has none. ``auto``: the last axis of a NumPy array of three axes,
        the third from the end of a tensor. A shape in the other library's order raises ShapeError unless the axis is
        given. The response keeps the position of the axis.
    """,
    "nan": """
    nan : {"ignore", "propagate"}
        What an exported graph (torch.export, ONNX, torch.jit.trace) does with pixels that are not finite.
        ``propagate``: the response is NaN exactly where the kernel covers one, as without export. ``ignore``: responses
        near such pixels are not defined, and the graph takes less time.
    """,
    "mask": """
    mask : array of bool, optional
        True where the image is valid. The response is NaN where a coefficient that is not zero covers an invalid or
        non-finite pixel.
    """,
    "out": """
    out : ndarray or Tensor, optional
        Receives the result; must have its shape and type.
    """,
    "operator": """
    operator : str
        Name of the operator.
    """,
    "size": """
    size : int, optional
        Kernel size of the operator; its default unless given.
    """,
    "sigma": """
    sigma : float, optional
        Standard deviation of the operator in pixels; its default unless given.
    """,
}  # fmt: skip

RETURNS = """
    Returns
    -------
    ndarray or Tensor
        The response, in the layout of the image. It has the size of the image, except with ``border="valid"``, and its
        channels, except where `channel` combines them. Floating types keep their type; bool and integers of up to 16
        bits give float32, wider integers float64.
    """

RAISES = """
    Raises
    ------
    ParameterError
        If an option has an invalid value.
    ShapeError, DtypeError
        If an array does not fit.
    """

_SECTIONS = ("Parameters", "Attributes", "Returns", "Raises", "Notes", "References", "Examples")


def documented(function: F) -> F:
    """Add the shared parameters of a function or class, and missing sections Returns and Raises, to its docstring."""
    if function.__doc__ is None:  # Python runs without docstrings.
        return function
    summary, sections = _split(inspect.cleandoc(function.__doc__))
    own = _entries(sections.get("Parameters", ""))
    shared = {name: inspect.cleandoc(text) for name, text in PARAMETERS.items()}
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    entries = (next((text for key, text in own.items() if name in key), None) or shared[name] for name in names)
    sections["Parameters"] = "Parameters\n----------\n" + "\n".join(dict.fromkeys(entries))
    if not inspect.isclass(function):
        sections.setdefault("Returns", inspect.cleandoc(RETURNS))
    sections.setdefault("Raises", inspect.cleandoc(RAISES))
    function.__doc__ = "\n\n".join([summary, *(sections[name] for name in _SECTIONS if name in sections)]) + "\n"
    return function


def _split(text: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into its summary and its sections."""
    parts = re.split(r"\n\n(?=(\w+)\n-{3,}\n)", text)
    return parts[0], {name: body.strip("\n") for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def _entries(section: str) -> dict[tuple[str, ...], str]:
    """Return the entries of a section of parameters by the names that they describe."""
    body = section.split("\n", 2)[2] if section else ""
    found = (part.strip("\n") for part in re.split(r"\n(?=\S)", body) if part.strip())
    return {tuple(re.split(r",\s*", entry.split("\n", 1)[0].split(" :", 1)[0])): entry for entry in found}
