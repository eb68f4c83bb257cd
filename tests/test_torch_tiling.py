"""Strips of rows on several threads: equal results, unchanged settings of threads."""

import os
import subprocess
import sys

import pytest
import torch
from oracle import ROWS, picture

import edgekit as ek
from edgekit.backends.pytorch import tiling
from edgekit.filters.apply import apply


@pytest.fixture
def threads(monkeypatch):
    """Three threads, and strips of a few rows."""
    monkeypatch.setattr(tiling, "_tile_height", lambda layout, rows, halo: 5)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    assert torch.get_num_threads() == 3
    torch.set_num_threads(before)


def tensor(dtype="float32", shape=(2, 3, 33, 34)):
    return torch.from_numpy(picture(dtype, shape).copy())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_strips_equal_the_whole_image(row, threads, monkeypatch):
    image, leaf = tensor(), tensor("float64").requires_grad_()
    found = apply(image, row.operator, row.parameters)
    (slope,) = torch.autograd.grad(apply(leaf, row.operator, row.parameters).square().sum(), leaf)
    monkeypatch.setattr(tiling, "_tile_height", lambda layout, rows, halo: rows)
    torch.testing.assert_close(found, apply(image, row.operator, row.parameters), rtol=0, atol=0)
    (whole,) = torch.autograd.grad(apply(leaf, row.operator, row.parameters).square().sum(), leaf)
    torch.testing.assert_close(slope, whole)


def test_torch_modes_apply_in_all_threads(threads):
    image = tensor().requires_grad_()
    with torch.no_grad():
        assert not ek.sobel(image).requires_grad
    with torch.inference_mode():
        inside = ek.sobel(image)
    assert inside.is_inference()
    assert not ek.sobel(image.detach()).is_inference()
    out = torch.empty(2, 3, 33, 34)
    assert ek.sobel(image.detach(), out=out) is out
    torch.testing.assert_close(out, ek.sobel(image).detach(), rtol=0, atol=0)


@pytest.mark.parametrize("rows", [0, 4, 40])
def test_out_may_overlap_the_image(rows, threads):
    """The result may replace the image, or overlap it: both are views of one memory, `rows` apart."""
    memory = tensor(shape=(2, 3, 33 + 40, 34)).clone()
    image, out = memory[..., :33, :], memory[..., rows : rows + 33, :]
    expected = ek.sobel(image.clone())
    assert ek.sobel(image, out=out) is out
    torch.testing.assert_close(out, expected, rtol=0, atol=0)


def test_errors_of_threads_are_raised(threads):
    failing = tiling.TileFilter(tensor(), lambda image, start, stop: (image, None), lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(tiling._each(lambda start: tiling._filtered(failing, start, start + 1), range(4)))


def test_new_threads_keep_the_number_of_torch_threads(threads):
    ek.sobel(tensor())
    from threading import Thread

    seen = []
    one = Thread(target=lambda: seen.append(torch.get_num_threads()))
    one.start()
    one.join()
    assert seen == [3]


FORK = """
import os, signal, torch, edgekit
from edgekit.backends.pytorch import tiling
tiling._tile_height = lambda layout, rows, halo: 5
torch.set_num_threads(2)
edgekit.sobel(torch.rand(40, 41))
child = os.fork()
if not child:
    signal.alarm(20)
    edgekit.sobel(torch.rand(40, 41))
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_filters_run_in_forked_processes():
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "0\n", ran.stderr


@pytest.mark.parametrize(
    ("shape", "halo"), [((1, 1, 2160, 3840), 2), ((64, 3, 224, 224), 2), ((100_000, 3), 80), ((3, 5), 2)]
)
def test_heights_of_strips(shape, halo):
    """No strip has only a few rows, or more halo than rows of the result."""
    *leading, channels, rows, columns = (1, *shape) if len(shape) > 2 else (1, 1, *shape)
    layout = tiling.ImageLayout(rows, columns, channels, tuple(leading), -3)
    height = tiling._tile_height(layout, rows, halo)
    last = rows - (rows - 1) // height * height
    assert 0.5 * height <= last <= height
    assert height >= min(rows, 2 * halo)
