"""A new operator needs one table row: the example of docs/architecture.md is added, used and removed."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import edgekit as ek
from edgekit.cli import main
from edgekit.operators import table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "architecture.md"


@pytest.fixture
def example(monkeypatch):
    (row,) = re.findall(r"```python\n(Operator\(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    # Under another name, because the table may contain this operator already.
    operator = replace(eval(row, vars(table)), name="example")
    monkeypatch.setitem(table.OPERATORS, operator.name, operator)
    yield operator.name
    monkeypatch.undo()
    assert operator.name not in table.OPERATORS


def test_an_operator_needs_only_a_table_row(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    image = np.random.default_rng(3).integers(0, 256, (21, 33), dtype=np.uint8)
    taps = np.outer([17, 61, 17], [-1, 0, 1]).astype(np.float32)
    expected = np.stack([cv2.filter2D(image, cv2.CV_32F, t) for t in (taps, taps.T)])

    by_cv2 = ek.gradient(image, operator=example, scale="raw")
    by_torch = ek.gradient(torch.from_numpy(image), operator=example, scale="raw")
    np.testing.assert_array_equal(np.stack([by_cv2.gx, by_cv2.gy]), expected)
    np.testing.assert_array_equal(torch.stack([by_torch.gx, by_torch.gy]), expected)

    ramp = np.tile(np.arange(9.0), (9, 1))
    np.testing.assert_allclose(ek.oriented(ramp, [0, 60], operator=example)[:, 4, 4], [1, 0.5], rtol=1e-12)

    ek.write_image("image.png", image)
    ran = CliRunner().invoke(main, [example, "image.png", "--angle", "0", "--scale", "raw", "--depth", "float"])
    assert (ran.exit_code, ran.stdout) == (0, "image.example-0-raw.tif\n"), ran.output
    np.testing.assert_array_equal(ek.read_image("image.example-0-raw.tif"), expected[0])
    assert example in CliRunner().invoke(main, ["--help"]).stdout


def test_the_example_operator_is_removed():
    with pytest.raises(ek.ParameterError, match="example"):
        ek.gradient(np.zeros((3, 3)), operator="example")
