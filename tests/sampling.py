"""A pytest plugin: plain runs take a sample of the combinations of parameters, with every value of each."""

import heapq
import math
import random
from collections import defaultdict
from itertools import combinations

import pytest

#: The most cases of one test in a plain run, unless more are needed for all values of its parameters.
MOST = 8


def covering(rows, seed, most=math.inf):
    """Return the indices of some rows that contain every value of every parameter, and many pairs of values.

    Rows are tuples of one length. If `most` is large, the sample contains all pairs. More than `most` rows are taken
    only while a value is missing. The algorithm is greedy: each step takes a row with the most missing values, later
    with the most missing pairs. Equal rows and seeds give equal samples.
    """
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    chosen = []
    for strength, end in ((1, math.inf), (2, most)):
        held = [set(combinations(enumerate(row), min(strength, len(row)))) for row in rows]
        missing = set().union(*held).difference(*(held[place] for place in chosen))
        # The gain of a row never grows: a row that is still first after a new count is the best.
        heap = [(-len(held[place]), rank, place) for rank, place in enumerate(order)]
        heapq.heapify(heap)
        while missing and len(chosen) < end:
            _, rank, place = heapq.heappop(heap)
            entry = (-len(held[place] & missing), rank, place)
            if heap and entry > heap[0]:
                heapq.heappush(heap, entry)
            else:
                chosen.append(place)
                missing -= held[place]
    return sorted(chosen)


def parameters(item):
    """Return the values of a test's parameters as numbers; the names in one mark are one parameter."""
    left = {name: id(value) for name, value in item.callspec.params.items()} if hasattr(item, "callspec") else {}
    together = []
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
        together.append(tuple(left.pop(name.strip()) for name in names))
    return (*together, *left.values())


def sampled(items):
    """Divide collected tests into those of a plain run and the rest."""
    by_function = defaultdict(list)
    for item in items:
        if item.get_closest_marker("full") is None:
            by_function[item.nodeid.partition("[")[0]].append(item)
    kept = set()
    for name, cases in by_function.items():
        mark = cases[0].get_closest_marker("sample")
        most = MOST if mark is None else mark.args[0]
        kept.update(cases[place] for place in covering([*map(parameters, cases)], seed=name, most=most))
    return [item for item in items if item in kept], [item for item in items if item not in kept]


def on_full(*values):
    """Return values of a parameter that run only with --full."""
    return [pytest.param(value, marks=pytest.mark.full) for value in values]


def pytest_addoption(parser):
    """Add the option that runs all tests."""
    parser.addoption("--full", action="store_true", help="run every combination of parameters, and tests marked full")


def pytest_report_header(config):
    """Report that only a sample runs."""
    return None if config.option.full else "every value of each parameter; --full runs every combination and long tests"


# After -k and -m: the sample is taken from the tests that they select.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Deselect tests that a plain run does not take; tests given by name run with all combinations."""
    if not config.option.full and not any("::" in name for name in config.args):
        items[:], rest = sampled(items)
        config.hook.pytest_deselected(items=rest)
