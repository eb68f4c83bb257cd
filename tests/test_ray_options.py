"""Division of work for a Ray cluster, and errors without a cluster; needs no Ray."""

import socket
import sys

import pytest
from command_line import run

from edgekit.batch.engines import ray as engines
from edgekit.common.extras import install_command


@pytest.mark.parametrize("count", [1, 7, 64, 1000, 5000])
def test_blocks_have_all_items_and_equal_sizes(count):
    items = list(range(count))
    blocks = engines._blocks(items, 16)
    assert [item for block in blocks for item in block] == items
    sizes = [len(block) for block in blocks]
    assert len(set(sizes[:-1])) <= 1
    assert max(sizes) <= engines.BLOCK
    # About 16 blocks, or more where blocks would be too large.
    assert len(blocks) >= min(count, 16) - 1


def test_portions_are_limited_by_count_and_bytes(monkeypatch):
    monkeypatch.setattr(engines, "BYTES", 1000)
    items = [b"x" * n for n in (1, 2, 3, 4, 600, 300, 600, 2000, 5)]
    portions = list(engines._portions(items, 3))
    assert [[len(item) for item, _ in portion] for portion in portions] == [
        [1, 2, 3],
        [4, 600, 300],
        [600],
        [2000],
        [5],
    ]


def test_address_requires_engine_ray(at_home):
    ran = run("sobel", "photo.png", "--address", "localhost:6379")
    assert ran.exit_code == 2
    assert "add --engine ray" in ran.stderr


def test_engine_ray_without_ray_installed(at_home, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    for command in (("score", "photo.png"), ("sobel", "photo.png")):
        ran = run(*command, "--engine", "ray")
        assert ran.exit_code == 2
        assert f"needs Ray: {install_command('ray')}" in ran.stderr


def test_unreachable_ray_clusters_are_reported(at_home):
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ran = run("sobel", "photo.png", "--engine", "ray", "--address", f"127.0.0.1:{port}")
    assert ran.exit_code == 2
    assert f"Ray cluster 127.0.0.1:{port}: cannot be reached" in ran.stderr
