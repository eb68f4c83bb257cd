"""Which backend computes on what: the only place that asks what kind of array it has.

May import arrays, errors and the backends, each when it is needed.
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


def backend_of(image: Array) -> Backend:
    """Return the backend that computes on `image`.

    torch is recognised without being imported: who holds a tensor has loaded it.

    Raises
    ------
    DtypeError
        If `image` is neither a NumPy array nor a torch tensor.
    """
    if isinstance(image, np.ndarray):
        from edgekit.backends.opencv import backend

        return backend
    if isinstance(image, loaded("torch", "Tensor")):
        from edgekit.backends.pytorch import backend as torch_backend

        return torch_backend
    raise DtypeError(f"expected a NumPy array or a torch tensor; found {type(image).__name__}")
