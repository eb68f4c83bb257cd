"""Plain runs take a sample of tests with every value; --full and names of tests take all."""

import math
import os
import subprocess
import sys
import textwrap
from itertools import combinations, product
from pathlib import Path

import pytest
from sampling import MOST, covering

HERE = Path(__file__).parent

#: The values of a fixture are one parameter, and the names in one mark are one parameter.
TESTS = """
    import pytest

    @pytest.fixture(params=["k0", "k1", "k2", "k3"])
    def kind(request):
        return request.param

    @pytest.mark.parametrize("a", [1, 2, 3])
    @pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (1, 0)])
    def test_many(a, b, c, kind):
        pass

    @pytest.mark.sample(99)
    @pytest.mark.parametrize("a", [1, 2, 3])
    @pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (1, 0)])
    def test_pairs(a, b, c, kind):
        pass

    @pytest.mark.full
    def test_long():
        pass

    @pytest.mark.parametrize("a", range(4))
    def test_one_parameter(a):
        pass

    @pytest.mark.sample(0)
    @pytest.mark.parametrize("a", [1, pytest.param(2, marks=pytest.mark.full)])
    @pytest.mark.parametrize("b", [1, 2])
    def test_some_long(a, b):
        pass

    def test_no_parameter():
        pass
"""


def pairs(rows):
    return {held for row in rows for held in combinations(enumerate(row), min(2, len(row)))}


@pytest.mark.parametrize("sizes", [(4,), (3, 5), (2, 2, 2), (6, 5, 4, 3), (21, 12, 6)])
def test_covering_contains_all_pairs(sizes):
    rows = list(product(*map(range, sizes)))
    chosen = covering(rows, seed="a")
    assert pairs([rows[n] for n in chosen]) == pairs(rows)
    # The smallest possible sample has the product of the two largest sizes.
    assert len(chosen) <= 1.5 * math.prod(sorted(sizes)[-2:])
    assert chosen == covering(rows, seed="a")


@pytest.mark.parametrize("most", [0, 7, 30, 500])
def test_covering_with_a_limit_contains_all_values(most):
    rows = list(product(range(21), range(12), range(6)))
    chosen = [rows[n] for n in covering(rows, seed="a", most=most)]
    assert [set(values) for values in zip(*chosen, strict=True)] == [set(range(n)) for n in (21, 12, 6)]
    every = len(covering(rows, seed="a"))
    assert len(chosen) == min(max(21, most), every)
    # Few pairs occur twice before all have occurred.
    assert len(pairs(chosen)) >= min(0.9 * 3 * len(chosen), len(pairs(rows)))


def test_covering_ignores_impossible_pairs():
    rows = [(a, b, c) for a, b, c in product(range(5), range(5), range(3)) if (a + b) % 2 and a != c]
    assert pairs([rows[n] for n in covering(rows, seed="a")]) == pairs(rows)
    assert covering([(), ()], seed="a", most=0) in ([0], [1])


@pytest.fixture
def choose(tmp_path, monkeypatch):
    """Return a function that returns the tests of `TESTS` that pytest would run."""
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_made.py").write_text(textwrap.dedent(TESTS))
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p sampling -p no:cacheprovider -q\n")

    def chosen(*arguments):
        command = [sys.executable, "-m", "pytest", "--collect-only", *arguments]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return [line.partition("::")[2] for line in ran.stdout.splitlines() if "::" in line]

    return chosen


def test_plain_runs_take_a_sample_without_full_tests(choose):
    everything, plain = choose("--full"), choose()
    assert len(everything) == 2 * (3 * 3 * 4) + 1 + 4 + 4 + 1
    assert set(plain) < set(everything)
    assert "test_long" not in plain
    # Each value that is not marked full.
    assert [name for name in plain if "some_long" in name] == ["test_some_long[1-1]", "test_some_long[2-1]"]
    assert {"test_no_parameter", *(f"test_one_parameter[{a}]" for a in range(4))} < set(plain)
    for test, fewest, most in (("many", MOST, MOST), ("pairs", 12, 14)):
        every, some = (
            [name.partition("[")[2][:-1].split("-") for name in names if test in name] for names in (everything, plain)
        )
        assert len(every) == 36
        # All pairs need at least four kinds times three values.
        assert fewest <= len(some) <= most
        for kept in ((0,), (1, 2), (3,)) if test == "many" else ((0, 3), (1, 2, 3), (0, 1, 2)):
            assert {tuple(row[n] for n in kept) for row in some} == {tuple(row[n] for n in kept) for row in every}


def test_samples_of_selected_and_named_tests(choose):
    assert len(choose("-k", "pairs and k0")) == 9
    assert len(choose("test_made.py::test_many")) == 36
    assert choose("test_made.py::test_many[k1-0-1-3]") == ["test_many[k1-0-1-3]"]
    assert choose("test_made.py::test_long") == ["test_long"]
