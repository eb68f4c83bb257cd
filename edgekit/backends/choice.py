"""Chooses the backend for an array. Only this module asks for the kind of an array.

May import `operators` and what is below it.
"""

import numpy as np

from edgekit.backends.interface import Array, Backend
from edgekit.common.arrays import loaded
from edgekit.common.extras import install_command
from edgekit.errors import DtypeError, MissingExtraError, ParameterError


def load(name: str, device: str | None = None) -> Backend:
    """Return the backend called `name`, ready to compute on `device`.

    Raises
    ------
    ParameterError
        If there is no such backend, or no such device on this machine.
    MissingExtraError
        If the backend's library is not installed.
    """
    if name == "cv2":
        from edgekit.backends.opencv import backend

        return backend
    if name != "torch":
        raise ParameterError(f"backend={name!r} is not known; choose cv2 or torch")
    try:
        from edgekit.backends.pytorch import backend as torch_backend
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"the torch backend needs {error.name}: {install_command('torch')}") from error
    torch_backend.check_device(device)
    return torch_backend


def backend_of(array: Array) -> Backend:
    """Return the backend that computes on an array.

    torch is not imported to recognise a tensor: a program that has a tensor has imported it.

    Raises
    ------
    DtypeError
        If it is neither a NumPy array nor a torch tensor.
    """
    if isinstance(array, np.ndarray):
        from edgekit.backends.opencv import backend

        return backend
    if isinstance(array, loaded("torch", "Tensor")):
        from edgekit.backends.pytorch import backend as torch_backend

        return torch_backend
    raise DtypeError(f"expected a NumPy array or a torch tensor; found {type(array).__name__}")


def is_same_kind(array: object, other: Array) -> bool:
    """Tell whether an object is an array of the same backend as another array."""
    return isinstance(array, np.ndarray if isinstance(other, np.ndarray) else loaded("torch", "Tensor"))
