"""Automatic thresholds between the scores of blurred and sharp images."""

import numpy as np

from edgekit.focus.blur_threshold import automatic


def test_thresholds_of_probabilities():
    random = np.random.default_rng(0)
    sharp, soft = 1 / (1 + np.exp(-random.normal(4, 1, 30))), 1 / (1 + np.exp(random.normal(4, 1, 20)))
    found = automatic([*sharp, *soft], probabilities=True)
    assert soft.max() < found.value < sharp.min()
    assert 0.1 <= found.value <= 0.9
    for one in (sharp, soft, [0.7] * 20, [0.0] * 9, [1.0] * 9):
        assert automatic(one, probabilities=True).value == 0.5
    assert "too few" in automatic([0.1, 0.9], probabilities=True).note


def test_one_group_of_scores_has_no_threshold():
    scores = np.random.default_rng(0).normal(0.7, 0.05, 500)
    assert automatic(scores).value is None
    assert "only one group" in automatic(scores).note
    # Logarithms and their mean are rounded: equal scores seem to vary a little.
    for count in range(8, 60):
        for score in (0.1, 0.37, 0.5, 0.9, 123.4):
            assert automatic([score] * count).value is None
    both = automatic([*scores, *np.random.default_rng(1).normal(0.2, 0.03, 60), 0.0])
    assert 0.25 < both.value < 0.55
    assert both.note == "found between 61 blurred and 500 sharp"


def test_threshold_is_in_the_widest_gap():
    """The logits of blurred images vary widely, those of sharp images hardly."""
    blurred = [0.004, 0.01, 0.03, 0.06, 0.12, 0.2, 0.3, 0.33]
    sharp = [0.97, 0.98, 0.985, 0.99, 0.992, 0.994, 0.995, 0.996]
    found = automatic([*blurred, *sharp], probabilities=True)
    assert 0.33 < found.value < 0.97
    assert found.note == "found between 8 blurred and 8 sharp"
