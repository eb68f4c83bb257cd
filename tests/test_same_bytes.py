"""Outputs are equal byte for byte for all numbers and kinds of workers."""

from pathlib import Path

import numpy as np
import pytest
from command_line import run

import edgekit as ek

WORKERS = {"one": ("-j", "1"), "four": ("-j", "4"), "processes": ("-j", "3", "--timeout", "30")}


@pytest.fixture(autouse=True)
def many(tmp_path, monkeypatch):
    """Images of different sizes with constant regions, blocks and noise."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(8)
    for n in range(24):
        blocks = rng.integers(0, 256, (3 + n % 5, 7)).astype(np.uint8).repeat(20, 0).repeat(20, 1)
        noise = rng.integers(0, 8, blocks.shape).astype(np.uint8)
        ek.write_image(f"many/{n:02}.png", np.where(blocks < 100, 20, blocks // 2 + noise).astype(np.uint8))


@pytest.mark.parametrize(
    "command",
    [
        ("sobel",), ("sobel", "--angle", "30", "--depth", "16"), ("laplacian", "--depth", "float"), ("canny",),
        ("detect",), ("farid", "--overlay"), ("gaussian", "--sigma", "6", "--display", "stretch"),
        ("sobel", "--format", "jpg"), ("sobel", "--format", "webp"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_output_images_are_equal_for_all_workers(command):
    for name, workers in WORKERS.items():
        assert run(*command, "many", "-o", name, *workers).exit_code == 0
    found = [{p.name: p.read_bytes() for p in Path(name).iterdir() if p.suffix != ".sqlite"} for name in WORKERS]
    assert len(found[0]) == 24
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_rows_are_equal_for_all_workers(form):
    measures = [
        part for name in ("score", "laplacian_variance", "tenengrad", "brenner") for part in ("--measure", name)
    ]
    for name, workers in WORKERS.items():
        assert run("score", "many", *measures, "-o", f"{name}.{form}", *workers).exit_code == 0
        assert run("sobel", "many", "-o", "edges", "--force", "--rows", f"{name}-rows.{form}", *workers).exit_code == 0
    assert len({Path(f"{name}.{form}").read_bytes() for name in WORKERS}) == 1
    assert len({Path(f"{name}-rows.{form}").read_bytes() for name in WORKERS}) == 1
