"""`edgekit kernels` prints the kernels and divisors of all operators."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from oracle import GRADIENTS, ROWS, turn

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operators.md"

#: Responses of the 3x3 ring kernels of 45 degrees to the ramp of 45 degrees.
RING_AT_45 = {"sobel": 6 * 2**0.5, "scharr": 26 * 2**0.5, "prewitt": 4 * 2**0.5, "central": 2 * 2**0.5}

TURNED = [row for row in GRADIENTS if row.operator in RING_AT_45 and row.along.shape == (3, 3)]


def by_id(row):
    return row.id


def printed(row, *arguments):
    """Return (angle, kernel, divisor) of each response, from the JSON, and check that the text agrees."""
    options = [part for name, value in row.parameters.items() for part in (f"--{name}", str(value))]
    command = ["kernels", row.operator, *options, *arguments]
    entries = [json.loads(line) for line in run(*command, "--json").stdout.splitlines()]
    found = [(entry["angle"], np.array(entry["taps"]), entry["divisor"]) for entry in entries]
    blocks = run(*command).stdout.split("\n\n")
    for (angle, taps, divisor), block in zip(found, blocks, strict=True):
        head, *lines = block.strip("\n").splitlines()
        match = re.fullmatch(r"[^°]*?(?: at (?P<angle>[\d.]+)° .)?, divided by (?P<divisor>\S+):", head)
        assert match, head
        assert match["angle"] == (None if angle is None else f"{angle:g}")
        assert float(match["divisor"]) == pytest.approx(divisor, rel=1e-5)
        text = np.array([[float(cell) for cell in line.split()] for line in lines])
        np.testing.assert_allclose(text, taps, rtol=1e-5, atol=1e-15)
    return found


def check(found, expected):
    for (angle, taps, divisor), (angle_expected, taps_expected, divisor_expected) in zip(found, expected, strict=True):
        assert angle == angle_expected
        assert divisor == pytest.approx(divisor_expected, rel=1e-12)
        np.testing.assert_allclose(taps, taps_expected, rtol=0, atol=1e-14 * np.abs(taps_expected).max())


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_kernels_without_an_angle(row):
    angles, tables = {
        "gradient": [(row.axis, row.axis + 90), (row.along, row.across)],
        "compass": [range(0, 360, 45), row.bank],
        "laplacian": [(None,), row.bank],
    }[row.kind]
    check(printed(row), [(angle, taps, row.divisor) for angle, taps in zip(angles, tables, strict=True)])


@pytest.mark.parametrize("angle", [0, 45, 90, 225, 20])
@pytest.mark.parametrize("row", GRADIENTS, ids=by_id)
def test_steered_kernels(row, angle):
    check(printed(row, "--angle", str(angle)), [(angle, row.at(angle), row.divisor)])


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind == "compass"], ids=by_id)
def test_compass_kernels_at_angles(row):
    found = printed(row, "--angle", "0", "--angle", "45")
    check(found, [(45 * steps, turn(row.along, steps), row.divisor) for steps in (0, 1)])


@pytest.mark.parametrize("row", TURNED, ids=by_id)
def test_ring_kernels(row):
    divisor = RING_AT_45[row.operator]
    check(printed(row, "--rotate", "ring", "--angle", "0"), [(0, row.along, row.divisor)])
    check(printed(row, "--rotate", "ring", "--angle", "45"), [(45, turn(row.along, 1), divisor)])
    check(printed(row, "--rotate", "ring", "--angle", "135", "--angle-of", "edge"), [(45, turn(row.along, 1), divisor)])


def test_all_ring_operators_are_tested():
    assert {row.operator for row in TURNED} == {
        row.operator for row in GRADIENTS if row.along.shape == (3, 3) and row.axis == 0
    }


def test_table_of_operators_in_the_docs():
    """The default kernel of each operator: integer coefficients, divisor to four digits, and accuracy."""
    block = PAGE.read_text(encoding="utf-8").split("<!-- operators -->")[1].split("<!-- /operators -->")[0]
    table = {}
    for line in block.strip().splitlines()[2:]:
        command, _, taps, divisor, accuracy, _ = (cell.strip() for cell in line.strip("|").split("|"))
        table[command.split("`")[1]] = taps, divisor, int(accuracy)
    # The default of the Gaussian is sigma 1.
    defaults = {row.operator: row for row in reversed(ROWS) if row.parameters != {"sigma": 0.7}}
    assert table.keys() == defaults.keys()
    for name, (taps, divisor, accuracy) in table.items():
        row = defaults[name]
        assert float(divisor) == pytest.approx(row.divisor, rel=6e-4), name
        assert accuracy == row.accuracy
        if row.integer:
            lines = taps.split("`")[1].split(" / ")
            np.testing.assert_array_equal([[float(t) for t in line.split()] for line in lines], row.along)
            assert ("(at" in taps) == (row.axis != 0)
        else:
            assert taps.startswith("{}×{}".format(*row.along.shape))


def test_integers_are_printed_as_integers():
    text = run("kernels", "sobel", "--angle", "45", "--rotate", "ring").stdout
    assert text.splitlines() == ["Sobel at 45° ↘, divided by 8.48528:", "  -2 -1  0", "  -1  0  1", "   0  1  2"]
    assert run("kernels", "scharr").stdout.splitlines()[:2] == ["Scharr at 0° →, divided by 32:", "   -3   0   3"]
    assert json.loads(run("kernels", "dog", "--json").stdout)["divisor"] < 0
