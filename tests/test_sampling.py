"""The sample of tests that a plain run takes holds every pair of values, and the option and names take all."""

import math
import os
import subprocess
import sys
import textwrap
from itertools import combinations, product
from pathlib import Path

import pytest
from sampling import covering

HERE = Path(__file__).parent

#: A fixture with values is a parameter, and the names in one mark are one parameter.
TESTS = """
    import pytest

    @pytest.fixture(params=["k0", "k1", "k2", "k3"])
    def kind(request):
        return request.param

    @pytest.mark.parametrize("a", [1, 2, 3])
    @pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (1, 0)])
    def test_many(a, b, c, kind):
        pass

    @pytest.mark.full
    def test_long():
        pass

    @pytest.mark.parametrize("a", range(4))
    def test_one_parameter(a):
        pass

    def test_no_parameter():
        pass
"""


def pairs(rows, strength=2):
    return {held for row in rows for held in combinations(enumerate(row), strength)}


@pytest.mark.parametrize("strength", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(4,), (3, 5), (2, 2, 2), (6, 5, 4, 3), (21, 12, 6)])
def test_every_pair_is_held(sizes, strength):
    rows = list(product(*map(range, sizes)))
    chosen = covering(rows, seed="a", strength=strength)
    strength = min(strength, len(sizes))
    assert pairs([rows[n] for n in chosen], strength) == pairs(rows, strength)
    # No sample is smaller than the product of the largest sizes, and this one is not much larger.
    largest = sorted(sizes)[-strength:]
    assert len(chosen) <= 1.5 * math.prod(largest)
    assert chosen == covering(rows, seed="a", strength=strength)


def test_pairs_that_never_meet_are_not_asked_for():
    rows = [(a, b, c) for a, b, c in product(range(5), range(5), range(3)) if (a + b) % 2 and a != c]
    assert pairs([rows[n] for n in covering(rows, seed="a")]) == pairs(rows)
    assert covering([(), ()], seed="a") in ([0], [1])


@pytest.fixture
def choose(tmp_path, monkeypatch):
    """Return what pytest would run of `TESTS`."""
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    (tmp_path / "test_made.py").write_text(textwrap.dedent(TESTS))
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p sampling -p no:cacheprovider -q\n")

    def chosen(*arguments):
        command = [sys.executable, "-m", "pytest", "--collect-only", *arguments]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return [line.partition("::")[2] for line in ran.stdout.splitlines() if "::" in line]

    return chosen


def test_a_plain_run_takes_a_sample_and_no_long_test(choose):
    everything, plain = choose("--full"), choose()
    assert len(everything) == 3 * 3 * 4 + 1 + 4 + 1
    assert set(plain) < set(everything)
    assert "test_long" not in plain
    assert {"test_no_parameter", *(f"test_one_parameter[{a}]" for a in range(4))} < set(plain)
    every, some = ([name[10:-1].split("-") for name in names if "many" in name] for names in (everything, plain))
    assert len(every) == 36
    # Four kinds by three values, and the two names in one mark are one parameter.
    assert len(some) <= 14
    for kept in ((0, 3), (1, 2, 3), (0, 1, 2)):
        assert {tuple(row[n] for n in kept) for row in some} == {tuple(row[n] for n in kept) for row in every}


def test_a_sample_is_taken_of_what_is_selected(choose):
    assert len(choose("-k", "many and k0")) == 9
    assert len(choose("test_made.py::test_many")) == 36
    assert choose("test_made.py::test_many[k1-0-1-3]") == ["test_many[k1-0-1-3]"]
    assert choose("test_made.py::test_long") == ["test_long"]
