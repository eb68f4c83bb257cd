"""The Berkeley boundary measure, compared with SciPy, exhaustive search and results by hand."""

import importlib
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def measure():
    """The module of the script."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("evaluation.boundary_measure")


def within_reach(found, drawn, reach):
    """Return which pairs of found and drawn pixels are within reach."""
    a, b = np.argwhere(found), np.argwhere(drawn)
    return np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1)) <= reach


def maximum_matching(found, drawn, reach):
    """Return the size of the maximum matching, by SciPy."""
    partner = maximum_bipartite_matching(csr_array(within_reach(found, drawn, reach)), perm_type="column")
    return int((partner >= 0).sum())


def tolerance(shape, reach):
    """Return a distance in pixels as a fraction of the diagonal, slightly rounded up."""
    return reach / np.hypot(*shape) * (1 + 1e-12)


@pytest.mark.parametrize("reach", [1, 2.5, 4.4])
@pytest.mark.parametrize("density", [0.03, 0.2, 0.7])
@pytest.mark.parametrize("seed", range(3))
def test_matching_is_maximum(measure, seed, density, reach):
    rng = np.random.default_rng(seed)
    found, drawn = rng.random((2, 37, 23)) < density
    matched = measure.match(found, drawn, tolerance(found.shape, reach))
    assert not (matched & ~found).any()
    assert matched.sum() == maximum_matching(found, drawn, reach)
    # All matched pixels can be matched one to one within the distance.
    assert maximum_matching(matched, drawn, reach) == matched.sum()


# The first call compiles.
@settings(deadline=None)
@given(st.integers(0, 2**9 - 1), st.integers(0, 2**9 - 1), st.sampled_from([0, 1, 1.5, 2]))
def test_matching_equals_exhaustive_search(measure, first, second, reach):
    found, drawn = (np.array([n >> i & 1 for i in range(9)], bool).reshape(3, 3) for n in (first, second))
    pairs = within_reach(found, drawn, reach)
    pairs = pairs if pairs.shape[0] <= pairs.shape[1] else pairs.T
    assume(pairs.shape[0] < 5)  # More permutations would be too slow.
    best = max(sum(pairs[i, j] for i, j in enumerate(p)) for p in permutations(range(pairs.shape[1]), pairs.shape[0]))
    assert measure.match(found, drawn, tolerance((3, 3), reach)).sum() == best


def test_matching_is_not_greedy(measure):
    # The found pixel at 2 is on a drawn pixel, but only it can match the drawn pixel at 1.
    found, drawn = np.zeros((2, 1, 6), bool)
    found[0, [2, 3]] = drawn[0, [1, 2]] = True
    assert measure.match(found, drawn, tolerance((1, 6), 1)).sum() == 2


def test_the_nearer_pixel_is_matched(measure):
    found, drawn = np.zeros((2, 1, 9), bool)
    found[0, [2, 3]] = drawn[0, 5] = True
    for mirror in (np.s_[:, :], np.s_[:, ::-1]):
        matched = measure.match(found[mirror], drawn[mirror], tolerance((1, 9), 3))[mirror]
        assert np.flatnonzero(matched).tolist() == [3]


def test_distance_is_a_fraction_of_the_diagonal(measure):
    found, drawn = np.zeros((2, 300, 400), bool)
    found[10, 10] = drawn[10, 13] = True
    assert measure.match(found, drawn, 3 / 500).sum() == 1
    assert measure.match(found, drawn, 2.9 / 500).sum() == 0
    assert measure.match(found, drawn).sum() == 1  # 0.0075 of 500 is 3.75.
    drawn[10, 13], drawn[10, 14] = False, True
    assert measure.match(found, drawn).sum() == 0


def test_matching_takes_any_layout_and_refuses_other_shapes(measure):
    found, drawn = np.random.default_rng(5).random((2, 20, 30)) < 0.3
    wanted = measure.match(found, drawn)
    np.testing.assert_array_equal(measure.match(np.asfortranarray(found), np.asfortranarray(drawn)), wanted)
    with pytest.raises(ValueError, match=r"\(20, 30\).*\(30, 20\)"):
        measure.match(found, drawn.T)


def lines(*rows, shape=(40, 60)):
    """Draw horizontal lines from column 5 to 55."""
    out = np.zeros(shape, bool)
    out[list(rows), 5:55] = True
    return out


def test_measures_of_a_perfect_detection(measure):
    people = [lines(8, 20), lines(8, 20)]
    result = measure.agree([measure.tally(people[0].astype(float), people)])
    assert (result.precision == 1).all()
    assert (result.recall == 1).all()
    assert (result.ods, result.ois) == (1, 1)
    assert result.ap == 0  # One recall makes no curve: the benchmark returns 0.


def test_tally_counts_pixels_of_all_annotators(measure):
    # One annotator drew one line, the other two. Found: both, and a weak line that nobody drew.
    people = [lines(8), lines(8, 20)]
    strength = 0.8 * lines(8) + 0.5 * lines(20) + 0.2 * lines(30)
    counts = measure.tally(strength, people, np.array([0.1, 0.3, 0.6, 0.9]))
    assert counts.found.tolist() == [150, 100, 50, 0]
    assert counts.matched.tolist() == [100, 100, 50, 0]
    assert counts.recalled.tolist() == [150, 150, 100, 0]
    assert counts.drawn.tolist() == [150, 150, 150, 150]


def test_broad_edges_are_thinned(measure):
    # Five rows around one drawn line: without thinning, four of five pixels have no match.
    broad = lines(18, 19, 20, 21, 22).astype(float)
    (found,), (matched,) = measure.tally(broad, [lines(20)], np.array([0.5]))[1::-1]
    assert matched == found
    assert 44 <= found <= 50


def test_thresholds_are_compared_in_single_precision(measure):
    strength = np.float32(0.57) * lines(8).astype(np.float32)
    assert strength.max() < np.float64(0.57)
    assert measure.tally(strength, [lines(8)], np.array([0.57, 0.58])).found.tolist() == [50, 0]


def test_measures_are_0_without_matches(measure):
    nothing = np.zeros((40, 60))
    for strength, person in ((nothing, lines(8)), (lines(8), nothing.astype(bool)), (nothing, nothing.astype(bool))):
        result = measure.agree([measure.tally(strength, [person])])
        assert (result.ods, result.ois, result.ap) == (0, 0, 0)


def tally_of(measure, *columns):
    """Make a tally from one (matched, found, recalled, drawn) for each threshold."""
    return measure.Tally(*np.array(columns).T)


def test_ods_is_interpolated_between_thresholds(measure):
    # Precision runs from 0.5 to 1, recall from 0.8 to 0.4. With d from 0 to 1,
    # F = (0.8 + 0.4 d - 0.4 d^2) / (1.3 + 0.1 d), largest where 0.44 - 1.04 d - 0.04 d^2 = 0.
    counts = tally_of(measure, (50, 100, 80, 100), (20, 20, 40, 100))
    result = measure.agree([counts], np.array([0.2, 0.8]))
    d = (np.sqrt(1.04**2 + 4 * 0.04 * 0.44) - 1.04) / 0.08
    assert result.ods == pytest.approx((0.8 + 0.4 * d - 0.4 * d**2) / (1.3 + 0.1 * d), abs=1e-4)
    assert result.threshold == pytest.approx(0.2 + 0.6 * d, abs=0.6 / 99)
    assert result.precision.tolist() == [0.5, 1]
    assert result.recall.tolist() == [0.8, 0.4]


def test_ois_uses_the_best_threshold_of_each_image(measure):
    # F of the first image: 0.8 and 2/11; of the second: 0.4 and 0.8. With the best of each: 120 of 150.
    first = tally_of(measure, (80, 100, 80, 100), (10, 10, 10, 100))
    second = tally_of(measure, (20, 50, 20, 50), (40, 50, 40, 50))
    result = measure.agree([first, second], np.array([0.3, 0.6]))
    assert result.ois == pytest.approx(0.8)
    # With one threshold for both, the lower is best: 100 of 150.
    assert result.ods == pytest.approx(2 / 3)
    assert result.threshold == 0.3


def test_average_precision_is_the_area_under_the_curve(measure):
    # Precision falls from 1 to 0.5 while recall grows from 0.25 to 0.75: 51 hundredths of 0.75 on average.
    counts = tally_of(measure, (75, 150, 75, 100), (25, 25, 25, 100))
    assert measure.agree([counts], np.array([0.3, 0.6])).ap == pytest.approx(0.51 * 0.75)


def test_read_boundaries(measure, tmp_path):
    people = [lines(8), lines(8, 20)]
    cell = np.empty((1, 2), object)
    for i, person in enumerate(people):
        cell[0, i] = {"Segmentation": person.astype(np.uint16), "Boundaries": person.astype(np.uint8)}
    savemat(tmp_path / "two.mat", {"groundTruth": cell})
    read = measure.read_boundaries(tmp_path / "two.mat")
    assert [person.dtype for person in read] == [bool, bool]
    np.testing.assert_array_equal(read, people)


@pytest.mark.parametrize("content", [b"", b"no matrix at all", None])
def test_files_without_boundaries_are_refused(measure, tmp_path, content):
    path = tmp_path / "broken.mat"
    if content is None:
        savemat(path, {"other": 1})
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="boundaries"):
        measure.read_boundaries(path)
    with pytest.raises(OSError, match="missing"):
        measure.read_boundaries(tmp_path / "missing.mat")
