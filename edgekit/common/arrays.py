"""Conversion of image objects to arrays. May import `errors`.

Optional libraries are looked up in `sys.modules` and not imported: an object of a library exists only if it is loaded.
"""

import os
import sys
from typing import Any

import numpy as np

from edgekit.errors import DtypeError

#: PIL modes whose pixels are gray levels or RGB, with or without opacity. All other modes are converted.
_PIL_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N", "RGB", "RGBA")


def as_array(image: Any) -> Any:
    """Return an object as a NumPy array or a torch tensor of the same pixels.

    Parameters
    ----------
    image : object
        A NumPy array or a tensor is returned as it is. A PIL image gives (H, W) or (H, W, C) in RGB order. Any
        other object with ``__array__``, such as an xarray DataArray or a pandas DataFrame, gives its values.

    Raises
    ------
    DtypeError
        If the object is not an array, or an array whose pixels cannot be used.
    """
    if type(image) is np.ndarray:
        return image
    if isinstance(image, loaded("numpy.ma", "MaskedArray")):
        raise DtypeError("the mask of a masked array would be ignored; pass image.data and mask=~image.mask")
    if isinstance(image, np.ndarray):
        return np.asarray(image)
    if isinstance(image, loaded("torch", "Tensor")):
        _check_tensor(image)
        return image
    if isinstance(image, loaded("PIL.Image", "Image")):
        return np.asarray(image if image.mode in _PIL_MODES else image.convert(_plain_mode(image)))
    if hasattr(image, "__array__") and not isinstance(image, type):
        try:
            return as_array(np.asarray(image))
        except Exception as error:  # The object's own code may raise anything.
            if isinstance(error, DtypeError):
                raise
            raise DtypeError(f"a {_name(image)} cannot be converted to a NumPy array: {error}") from error
    advice = "Convert it, for instance with numpy.asarray"
    if image is None or isinstance(image, str | os.PathLike):
        advice = "Read the image first, for instance with edgekit.read_image"
    elif hasattr(image, "image"):
        advice = "Pass its attribute image"
    raise DtypeError(f"expected a NumPy array or a torch tensor; found {_name(image)}. {advice}")


def _check_tensor(image: Any) -> None:
    """Raise unless a tensor is dense and not quantized."""
    if image.is_nested or str(image.layout) != "torch.strided":
        kind = "nested" if image.is_nested else str(image.layout).removeprefix("torch.")
        raise DtypeError(f"expected a dense tensor; found a {kind} one. Convert it, for instance with to_dense()")
    if image.is_quantized:
        raise DtypeError(f"expected plain numbers; found a quantized tensor ({image.dtype}). Call dequantize() first")


def _plain_mode(image: Any) -> str:
    """Return the PIL mode, RGB or RGBA, that holds the colors of a palette or of another color space."""
    return "RGBA" if image.mode in ("PA", "La", "RGBa") or "transparency" in image.info else "RGB"


def _name(image: Any) -> str:
    kind = type(image)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def loaded(module: str, name: str) -> Any:
    """Return a class for `isinstance`, or an empty tuple if its module is not loaded.

    A module that another thread is importing may not have the class yet.
    """
    return getattr(sys.modules.get(module), name, ())
