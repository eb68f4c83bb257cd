"""A plugin of pytest: of the combinations of a test's parameters only a sample runs, in which every value occurs."""

import heapq
import math
import random
from collections import defaultdict
from itertools import combinations

import pytest

#: A plain run takes more cases of one test only as long as some value of a parameter would not occur.
MOST = 8


def covering(rows, seed, most=math.inf):
    """Return the places of some rows that hold every value of every parameter, and as many pairs as `most` rows can.

    Rows are tuples of one length. All pairs, and no more rows than these need, where `most` is large; more than
    `most` rows only as long as some value is missing. Greedy: the next row is one with the most values, and later the
    most pairs, that are still missing. The same rows and seed give the same sample.
    """
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    chosen = []
    for strength, end in ((1, math.inf), (2, most)):
        held = [set(combinations(enumerate(row), min(strength, len(row)))) for row in rows]
        missing = set().union(*held).difference(*(held[place] for place in chosen))
        # What a row would add only shrinks: one that is still ahead of the others after a new count is the best.
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
    """Return the values of a test's parameters, as numbers; names that one mark lists together are one parameter."""
    left = {name: id(value) for name, value in item.callspec.params.items()} if hasattr(item, "callspec") else {}
    together = []
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
        together.append(tuple(left.pop(name.strip()) for name in names))
    return (*together, *left.values())


def sampled(items):
    """Divide tests as pytest collected them into those of a plain run and the rest."""
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
    """Return values of one parameter as such that only --full runs."""
    return [pytest.param(value, marks=pytest.mark.full) for value in values]


def pytest_addoption(parser):
    """Add the option that runs all tests."""
    parser.addoption("--full", action="store_true", help="run every combination of parameters, and tests marked full")


def pytest_report_header(config):
    """Say what is left out."""
    return None if config.option.full else "every value of each parameter; --full runs every combination and long tests"


# After -k and -m: the sample is taken of what they leave.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Leave out what a plain run does not need; a test that is named runs in full."""
    if not config.option.full and not any("::" in name for name in config.args):
        items[:], rest = sampled(items)
        config.hook.pytest_deselected(items=rest)
