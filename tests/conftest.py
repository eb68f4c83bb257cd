"""Kinds of arrays for all filters: NumPy arrays, with compiled loops or not, and tensors."""

import numpy as np
import pytest
import torch
from hypothesis import settings

import edgekit as ek
from edgekit.backends.opencv import fused

pytest_plugins = ["sampling"]

# By default few examples, always the same; --hypothesis-profile=long takes many and different ones.
settings.register_profile("short", derandomize=True, deadline=None, max_examples=25)
settings.register_profile("long", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("short")


class Kind:
    """Converts NumPy arrays to images of one kind, and responses to NumPy arrays."""

    def __init__(self, name):
        self.name = name
        self.is_torch = name == "torch"

    def __repr__(self):
        return self.name

    def image(self, array, writeable=False):
        """Convert (H, W) or (H, W, C), and switch compiled loops on or off for the next filters.

        Arrays of the kind numpy are read-only unless `writeable` is set.
        """
        fused.MODE = "1" if self.name == "compiled" else "0"
        array = np.array(array)
        if self.is_torch:
            return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, 2, 0) if array.ndim == 3 else array))
        if self.name == "strided":
            wide = np.zeros((2 * array.shape[0], 3 * array.shape[1], *array.shape[2:]), array.dtype)
            wide[::2, ::3] = array
            return wide[::2, ::3]
        array.flags.writeable = writeable or self.name != "numpy"
        return array

    def plain(self, response, channels=False):
        """Convert a response to a NumPy array. `channels` is True if it has a channel axis."""
        if not self.is_torch:
            return np.asarray(response)
        response = response.detach().cpu()
        array = (response.float() if response.dtype == torch.bfloat16 else response).numpy()
        return np.moveaxis(array, -3, -1) if channels else array

    def dtype(self, response):
        """Return the name of a response's type."""
        return str(response.dtype).removeprefix("torch.")


KINDS = tuple(map(Kind, ("numpy", "compiled", "strided", "torch")))


@pytest.fixture(autouse=True)
def _plain_loops(monkeypatch):
    # Tests choose compiled loops; without this the amount of earlier work would.
    monkeypatch.setattr(fused, "MODE", "0")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    # Threads that wait for one another are slow for small images, most of all with xdist.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=KINDS, ids=repr)
def kind(request):
    """One kind of array."""
    return request.param


@pytest.fixture
def kinds():
    """All kinds of arrays, for comparison."""
    return KINDS


@pytest.fixture
def kind_of():
    """Kinds of arrays by name."""
    return {k.name: k for k in KINDS}


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """An empty home folder, and a working folder with one photograph of 40x30 pixels."""
    folder = tmp_path / "album"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    y, x = np.mgrid[:30, :40]
    photo = np.stack([5 * x, 8 * y, 255 - 3 * (x + y)], axis=-1).astype(np.uint8)
    photo[8:20, 10:25] = (250, 240, 10)
    ek.write_image("photo.png", photo)
    return folder


@pytest.fixture(scope="session")
def server():
    """An S3 server on this machine: its module, its address, and the object that injects faults."""
    import store_server

    with store_server.serve() as served:
        yield store_server, *served


@pytest.fixture
def store(server, monkeypatch, tmp_path):
    """An empty bucket, and an empty folder for configuration; no wait between attempts."""
    from bucket import Bucket

    from edgekit.io import store_requests

    module, address, faulty = server
    for name, value in (module.environment(address) | {"XDG_CONFIG_HOME": str(tmp_path / "config")}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store_requests, "FIRST_WAIT", 0.0)
    store_requests._shared_file_system.cache_clear()
    faulty.reset()
    yield Bucket(address, faulty)
    faulty.reset()
