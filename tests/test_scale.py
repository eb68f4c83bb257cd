"""Estimates of docs/scale.md, compared with calculations by hand."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def scale(monkeypatch):
    """The script, imported as a module."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("benchmarks.ray_cluster")


def test_cost_of_100_million_images(scale):
    """50 images/s per core, 1 MB per image; the driver handles 5000 images/s and writes 100,000 rows/s."""
    rates = scale.Rates(listed=1e5, entered=1e4, sent=1e4, written=1e5)
    assert rates.driven == pytest.approx(5000)
    # Cores: 1e8 / (50 · 320) = 6250 s. Network: 8e14 bits / 1e11 = 8000 s. Driver: 20,000 s. Parquet: 1000 s.
    # Three drivers take 6667 s, less than the network; with them it is 8000 + 1000 / 3 s, on 320 cores.
    expected = "| 10 | 1.74 | 2.22 | 5.56 | 5.83 | driver | 3 | 2.31 | 741 |"
    assert scale.cost(10, 50, 1_000_000, rates) == expected
    # One machine: 62,500 and 80,000 s; the driver keeps up.
    assert scale.cost(1, 50, 1_000_000, rates) == "| 1 | 17.36 | 22.22 | 5.56 | 22.50 | network | 1 | 22.50 | 720 |"


def test_page_has_a_block_for_measurements(scale):
    assert "<!-- scale -->\n" in scale.PAGE.read_text("utf-8")
