"""Selection of images, compared with all possible choices in short lists."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import ParameterError
from edgekit.focus.selection import AROUND, pick

#: Multiples of 1/64: their sums are exact, so that rounding gives no ties.
grid = st.integers(0, 640).map(lambda n: n / 64)
scored = st.lists(st.tuples(grid, grid), min_size=1, max_size=9).map(
    lambda pairs: tuple(zip(*sorted(pairs), strict=True))
)


def numbers(choices):
    return [c.number for c in choices]


def apart(positions, chosen, gap):
    return all(b - a >= gap - 1e-6 for a, b in itertools.pairwise(positions[i] for i in chosen))


def windows_of(positions, count=None, window=None):
    first = positions[0]
    length = window or (positions[-1] - first) / count or 1.0
    return [int(min((p - first) / length, math.inf if count is None else count - 1)) for p in positions]


@settings(deadline=None, max_examples=150)
@given(scored, st.integers(1, 6), st.sampled_from([0.0, 0.5, 2.0, 7.0]))
def test_spread_is_the_best_choice_with_one_per_window(data, count, gap):
    positions, scores = data
    windows = windows_of(positions, count=count)
    chosen = numbers(pick(positions, scores, count=count, min_gap=gap))
    assert chosen == sorted(set(chosen))
    assert apart(positions, chosen, gap)
    assert len({windows[i] for i in chosen}) == len(chosen)
    allowed = [
        c
        for size in range(len(positions) + 1)
        for c in itertools.combinations(range(len(positions)), size)
        if apart(positions, c, gap) and len({windows[i] for i in c}) == size
    ]
    most = max(len(c) for c in allowed)
    best = max(sum(scores[i] for i in c) for c in allowed if len(c) == most)
    assert len(chosen) == most
    assert sum(scores[i] for i in chosen) == pytest.approx(best, abs=1e-9)


@settings(deadline=None)
@given(scored, st.floats(0.3, 5))
def test_windows_give_the_best_image_of_each_window(data, window):
    positions, scores = data
    chosen = numbers(pick(positions, scores, "windows", window=window))
    windows = windows_of(positions, window=window)
    assert [windows[i] for i in chosen] == sorted(set(windows))
    assert all(scores[i] == max(s for s, w in zip(scores, windows, strict=True) if w == windows[i]) for i in chosen)


@settings(deadline=None)
@given(scored, st.integers(1, 6), st.sampled_from([0.0, 1.0, 4.0]))
def test_best_takes_images_in_order_of_score(data, count, gap):
    positions, scores = data
    taken = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if len(taken) < count and all(abs(positions[i] - positions[j]) >= gap for j in taken):
            taken.append(i)
    assert sorted(numbers(pick(positions, scores, "best", count=count, min_gap=gap))) == sorted(taken)


def test_spread_without_gap_takes_the_best_of_each_window():
    scores = [0.1, 0.5, 0.2, 0.9, 0.8, 0.3, 0.0, 0.01]
    choices = pick(range(8), scores, count=4)
    assert numbers(choices) == [1, 3, 4, 7]
    assert choices[0].reason == "best of 2 from 0 to 1.75"


def test_spread_takes_blurred_images_where_all_are_blurred():
    assert numbers(pick(range(6), [0.9, 0.8, 0.01, 0.02, 0.7, 0.9], count=3)) == [0, 3, 5]


def test_outliers_are_relative_to_their_neighbours():
    scores = [1.0] * 40 + [0.01] * 40
    scores[10], scores[60] = 0.3, 0.004
    assert set(range(80)) - set(numbers(pick(range(80), scores, "outliers"))) == {10, 60}
    # A slow decrease has no outliers, although its end is far below its start.
    falling = [0.9**i for i in range(80)]
    assert len(pick(range(80), falling, "outliers")) >= 80 - AROUND


def test_undefined_scores_are_the_lowest():
    assert numbers(pick(range(4), [math.nan, 0.0, math.nan, -5.0], count=2)) == [1, 3]
    assert len(pick(range(4), [math.nan] * 4, count=2)) == 2


def test_min_gap_is_kept():
    positions = [i / 30 for i in range(300)]
    scores = [1 + math.sin(i) for i in range(300)]
    for method, options in (("spread", {"count": 9}), ("best", {"count": 50}), ("windows", {"window": 0.5})):
        chosen = numbers(pick(positions, scores, method, min_gap=0.7, **options))
        assert apart(positions, chosen, 0.7)
        assert len(chosen) >= 8
    assert pick([], [], count=3) == []
    assert numbers(pick([5.0], [0.1], count=3)) == [0]


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("worst", {}, "worst"),
        ("spread", {}, "needs count"),
        ("best", {"window": 1}, "needs count"),
        ("windows", {"window": 1, "count": 2}, "does not take count"),
        ("outliers", {"count": 2}, "does not take count"),
        ("spread", {"count": 0}, "count=0"),
        ("windows", {"window": math.inf}, "window=inf"),
        ("spread", {"count": 2, "min_gap": -1}, "min_gap=-1"),
    ],
)
def test_wrong_options_are_refused(method, options, said):
    with pytest.raises(ParameterError, match=said):
        pick([0, 1], [0, 1], method, **options)


def test_undefined_scores_are_outliers():
    scores = [1000.0, 1001.0, math.nan, 1002.0, 1000.0]
    assert numbers(pick(range(5), scores, "outliers")) == [0, 1, 3, 4]
    assert len(pick(range(3), [math.nan] * 3, "outliers")) == 3
    assert len(pick(range(3), [-1.0, -1.1, -0.9], "outliers")) == 3


def test_min_gap_allows_rounding_errors():
    for method in ("best", "spread"):
        assert len(pick([0.05, 0.15], [1, 1], method, count=2, min_gap=0.1)) == 2


def test_positions_must_be_ascending():
    with pytest.raises(ParameterError, match="ascending order"):
        pick([0, 2, 1], [1, 1, 1], count=2)
