"""A plugin of pytest: of tests with many combinations of parameters only a sample runs, in which all pairs occur."""

import heapq
import random
from collections import defaultdict
from itertools import combinations

import pytest


def covering(rows, seed, strength=2):
    """Return the places of some rows that hold every combination of `strength` values that any row holds.

    Rows are tuples of one length. Greedy: the next row is one with the most combinations that are still missing. The
    same rows and seed give the same sample.
    """
    combined = [set(combinations(enumerate(row), min(strength, len(row)))) for row in rows]
    missing = set().union(*combined)
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    # What a row would add only shrinks: one that is still ahead of the others after a new count is the best.
    heap = [(-len(combined[place]), rank, place) for rank, place in enumerate(order)]
    heapq.heapify(heap)
    chosen = []
    while missing:
        _, rank, place = heapq.heappop(heap)
        entry = (-len(combined[place] & missing), rank, place)
        if heap and entry > heap[0]:
            heapq.heappush(heap, entry)
        else:
            chosen.append(place)
            missing -= combined[place]
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
        by_function[item.nodeid.partition("[")[0]].append(item)
    kept = set()
    for name, cases in by_function.items():
        kept.update(cases[place] for place in covering([*map(parameters, cases)], seed=name))
    plain = {item for item in kept if item.get_closest_marker("full") is None}
    return [item for item in items if item in plain], [item for item in items if item not in plain]


def pytest_addoption(parser):
    """Add the option that runs all tests."""
    parser.addoption("--full", action="store_true", help="run every combination of parameters, and tests marked full")


def pytest_report_header(config):
    """Say what is left out."""
    return None if config.option.full else "every pair of parameters; --full runs every combination and long tests"


# After -k and -m: of what they leave every pair is run.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Leave out what a plain run does not need; a test that is named runs in full."""
    if not config.option.full and not any("::" in name for name in config.args):
        items[:], rest = sampled(items)
        config.hook.pytest_deselected(items=rest)
