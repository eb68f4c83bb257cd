"""The peak of a sweep, by formulas and under noise; a search that drives simulated lenses."""

import importlib
import math
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import on_full

import edgekit as ek

STEPS = np.arange(9.0)
UNEQUAL = np.array([0, 0.7, 2.1, 2.9, 4.4, 5, 6.3, 7.7, 8])


def gaussian(x, centre, sigma=1.3, height=40.0, base=0.0):
    return base + height * np.exp(-(((x - centre) / sigma) ** 2) / 2)


@pytest.mark.parametrize("positions", [STEPS, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("centre", [1.6, 3.37, 4.0, 4.5, 6.9])
@pytest.mark.parametrize("base", [0.0, 25.0])
def test_a_gaussian_is_found_exactly(positions, centre, base):
    peak = ek.find_peak(positions, gaussian(positions, centre, base=base))
    assert peak.status == "peak"
    assert peak.position == pytest.approx(centre, abs=1e-6)
    assert peak.score == pytest.approx(40 + base)
    assert peak.confidence == pytest.approx(1, abs=1e-6)
    assert peak.error < 1e-6
    if not base:
        assert peak.width == pytest.approx(2 * math.sqrt(2 * math.log(2)) * 1.3)


@pytest.mark.parametrize("positions", [STEPS, UNEQUAL, STEPS[:5]], ids=["equal", "unequal", "five"])
@pytest.mark.parametrize("top", [100.0, -3.0])
def test_a_parabola_is_found_exactly(positions, top):
    peak = ek.find_peak(positions, top - (positions - 2.71) ** 2)
    assert peak.position == pytest.approx(2.71, abs=1e-6)
    assert peak.score == pytest.approx(top)


def test_three_scores():
    """The vertex of the parabola through three logarithms, Guo 2011."""
    peak = ek.find_peak([0, 1, 2], gaussian(np.arange(3), 1.2))
    assert peak.position == pytest.approx(1.2, abs=1e-6)
    assert peak.error is None
    assert peak.confidence <= 0.5
    # Without logarithms: (y₋ − y₊) / (2 (y₋ − 2 y₀ + y₊)) steps from the middle.
    assert ek.find_peak([0, 1, 2], [-3, 2, 0]).position == pytest.approx(1 + (-3 - 0) / (2 * (-3 - 4 + 0)))


def test_few_scores_that_differ_clearly_are_half_sure():
    for scores in ([2, 5.9, 9.2, 6.4, 3.9], [2, 2.3, 6.1, 9.2, 6.4, 3.9]):
        peak = ek.find_peak(range(len(scores)), scores)
        assert peak.status == "peak"
        assert 0 < peak.confidence <= 0.5


@pytest.mark.parametrize("centre", [-4.0, -0.5, 0.0])
def test_a_peak_at_or_beyond_an_end(centre):
    scores = gaussian(STEPS, centre, sigma=4)
    start = ek.find_peak(STEPS, scores)
    assert (start.position, start.status, start.score) == (0, "start", pytest.approx(scores[0]))
    end = ek.find_peak(8 - STEPS, scores)
    assert (end.position, end.status) == (8, "end")
    assert min(start.confidence, end.confidence) > 0.9
    assert ek.find_peak(STEPS, STEPS).status == "end"
    assert ek.find_peak(STEPS, np.exp(STEPS)).status == "end"


@pytest.mark.parametrize("count", [3, 6, 20, *on_full(5, 9)])
def test_flat_scores_and_noise_have_no_peak(count):
    assert ek.find_peak(range(count), [7.3] * count).status == "none"
    assert ek.find_peak(range(count), 0.1 * np.ones(count) + 1e-12 * np.arange(count)).status == "none"
    found = [ek.find_peak(range(count), np.random.default_rng(seed).normal(500, 5, count)).status for seed in range(20)]
    assert found.count("none") >= 19
    peak = ek.find_peak(range(count), [7.3] * count)
    assert math.isnan(peak.position)
    assert peak.confidence == 0


def test_a_valley_and_two_peaks_are_no_peak():
    assert ek.find_peak(STEPS, (STEPS - 4) ** 2).status == "none"
    assert ek.find_peak(STEPS, gaussian(STEPS, 1, 0.8) + gaussian(STEPS, 7, 0.8)).status == "none"


@pytest.mark.parametrize(("noise", "steps"), [(0.02, 0.2), (0.05, 0.4), (0.1, 0.8)])
def test_noise_moves_the_peak_little(noise, steps):
    x = np.arange(15.0)
    errors = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        centre = random.uniform(3, 11)
        peak = ek.find_peak(x, gaussian(x, centre, 2.5, 100, 30) + random.normal(0, 100 * noise, 15))
        assert peak.status == "peak"
        errors.append(abs(peak.position - centre))
    assert np.quantile(errors, 0.95) < steps


def test_the_error_is_that_of_the_position():
    x = np.arange(25.0)
    ratios = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        peak = ek.find_peak(x, gaussian(x, 12.3, 4, 100, 30) + random.normal(0, 3, 25))
        ratios.append((peak.position - 12.3) / peak.error)
    assert 0.6 < np.sqrt(np.mean(np.square(ratios))) < 1.8


def test_noise_lowers_the_confidence():
    x = np.arange(15.0)
    random = np.random.default_rng(3).normal(0, 1, 15)
    sure = [ek.find_peak(x, gaussian(x, 6.2, 2, 100, 30) + level * random).confidence for level in (0, 5, 15, 40)]
    assert sure == sorted(sure, reverse=True)
    assert sure[0] > 0.99
    assert sure[-1] < 0.5


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(0, 1e3), st.integers(0, 10**6), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_units_brightness_and_order_do_not_matter(gain, offset, seed, unit, origin):
    random = np.random.default_rng(seed)
    scores = gaussian(UNEQUAL, 3.3) + random.normal(0, 1, 9)
    plain = ek.find_peak(UNEQUAL, scores)
    order = random.permutation(9)
    other = ek.find_peak((unit * UNEQUAL + origin)[order], (gain * (scores + offset))[order])
    assert other.status == plain.status
    assert other.confidence == pytest.approx(plain.confidence, abs=1e-4)
    scaled = ek.find_peak(unit * UNEQUAL + origin, gain * scores)
    assert (scaled.position - origin) / unit == pytest.approx(plain.position, abs=1e-3)


def test_repeated_positions_are_averaged():
    positions = np.repeat(STEPS, 2)
    scores = np.repeat(gaussian(STEPS, 3.4), 2) + np.tile([5, -5], 9)
    assert ek.find_peak(positions, scores).position == pytest.approx(3.4, abs=1e-6)


def test_what_is_not_finite_is_left_out():
    scores = gaussian(STEPS, 3.4)
    scores[[1, 4, 8]] = math.nan, math.inf, -math.inf
    assert ek.find_peak(STEPS, scores).position == pytest.approx(3.4, abs=1e-6)


def test_extreme_scores_do_not_warn():
    for scale in (1e-300, 1e300):
        assert ek.find_peak(STEPS, gaussian(STEPS, 3.4) * scale / 50).position == pytest.approx(3.4, abs=1e-6)
    close = 1 + 1e-12 * STEPS
    assert ek.find_peak(close, gaussian(STEPS, 3.4)).status == "peak"
    with np.errstate(all="raise"):
        assert ek.find_peak(STEPS, gaussian(STEPS, 3.4, 0.2)).status == "peak"


@pytest.mark.parametrize(
    ("positions", "scores", "error", "said"),
    [
        ([1, 2, 3], [1, 2], ek.ShapeError, r"\(3,\) and \(2,\)"),
        ([[1, 2, 3]], [[1, 2, 1]], ek.ShapeError, "one score"),
        ([1, 2, math.nan], [1, 2, 1], ek.ParameterError, "nan"),
        ([1, math.inf, 3], [1, 2, 1], ek.ParameterError, "inf"),
        ([1, 2, 3], [1, math.nan, 1], ek.ParameterError, "found 2"),
        ([1, 1, 2, 2], [1, 2, 1, 3], ek.ParameterError, "found 2"),
        ([], [], ek.ParameterError, "found 0"),
        (["a", "b", "c"], [1, 2, 1], ek.DtypeError, "numbers"),
    ],
)  # fmt: skip
def test_what_is_no_sweep_is_refused(positions, scores, error, said):
    with pytest.raises(error, match=said):
        ek.find_peak(positions, scores)


class Bench:
    """A lens on a bench: a formula, noise, and a drive with play."""

    def __init__(self, focus, noise=0.0, backlash=0.0, seed=0):
        self.focus, self.noise, self.backlash = focus, noise, backlash
        self.place, self.random, self.visited = 100.0, np.random.default_rng(seed), []

    def __call__(self, position):
        self.visited.append(position)
        self.place = min(max(self.place, position), position + self.backlash)
        return 50 / (1 + ((self.place - self.focus) / 8) ** 2) + self.random.normal(0, self.noise)


@pytest.mark.parametrize("focus", [6.0, 31.4, 50.0, 77.7, 95.0])
def test_a_search_without_noise(focus):
    lens = Bench(focus)
    found = ek.autofocus(lens, 0, 100)
    assert found.position == pytest.approx(focus, abs=0.2)
    assert found.status == "peak"
    assert found.confidence > 0.9
    assert len(found.measurements) == len(lens.visited) <= 20
    assert [p for p, _ in found.measurements] == lens.visited
    assert all(0 <= p <= 100 for p in lens.visited)


@pytest.mark.parametrize("budget", [9, 10, 12, 20, 40])
def test_the_budget_is_kept(budget):
    for measure in (Bench(40, 1), lambda _: 1.0, lambda _: math.nan):
        assert len(ek.autofocus(measure, 0, 100, budget=budget, backlash=3).measurements) <= budget
        assert len(ek.autofocus(measure, 0, 100, budget=budget).measurements) <= budget


def test_a_search_that_is_sure_ends_early():
    assert len(ek.autofocus(Bench(43), 0, 100, budget=100).measurements) < 40
    close = ek.autofocus(Bench(43), 0, 100, budget=100, tolerance=1e-4)
    assert close.position == pytest.approx(43, abs=1e-3)


def test_backlash():
    """The picture is taken from below; without the option the search is behind by the play."""
    taken = {4.0: [], 0.0: []}
    for option, errors in taken.items():
        for seed in range(30):
            focus = np.random.default_rng(seed).uniform(12, 90)
            found = ek.autofocus(Bench(focus, 0.5, 4.0, seed), 0, 100, backlash=option)
            errors.append(abs(found.position - focus))
    assert max(taken[4.0]) < 1
    assert np.median(taken[0.0]) > 1


def test_with_backlash_the_drive_goes_below_and_comes_up():
    lens = Bench(60, 0.5)
    ek.autofocus(lens, 0, 100, backlash=4)
    turns = [n for n in range(1, len(lens.visited)) if lens.visited[n] < lens.visited[n - 1]]
    assert len(turns) == 1
    assert lens.visited[turns[0] + 1] - lens.visited[turns[0]] == pytest.approx(4)


def test_with_backlash_what_may_come_from_above_does_not_count():
    lens = Bench(60)
    found = ek.autofocus(lambda z: lens(z) + 1000 * (len(lens.visited) == 1), 0, 100, backlash=4)
    assert found.position == pytest.approx(60, abs=0.5)


@pytest.mark.parametrize(("lo", "hi", "backlash"), [(0, 0.7, 0.56), (0.3, 1, 0.56), (0.2, 0.7, 0.4), (0.3, 2, 1.36)])
def test_with_backlash_a_position_as_far_above_the_start_counts(lo, hi, backlash):
    """Eight of ten steps are the backlash, though their sum is rounded to less: the last three scores count."""
    places = np.linspace(lo, hi, 11)
    found = ek.autofocus(
        lambda z: 1 / (1 + 900 * (z - places[9]) ** 2), lo, hi, samples=11, budget=11, backlash=backlash
    )
    assert found.status == "peak"
    assert found.position == pytest.approx(places[9])


def test_a_peak_at_the_end_of_the_range():
    for focus, status, position in ((-5, "start", 0), (0, "start", 0), (100, "end", 100), (110, "end", 100)):
        found = ek.autofocus(Bench(focus), 0, 100)
        assert (found.status, found.position) == (status, position)


def test_a_flat_measure_and_one_without_scores():
    for measure in (lambda _: 3.0, lambda _: math.nan, lambda _: math.inf):
        found = ek.autofocus(measure, 0, 1)
        assert found.status == "none"
        assert math.isnan(found.position)
        assert found.confidence == 0
        assert len(found.measurements) == 20
    noise = [ek.autofocus(Bench(1e9, 1, seed=s), 0, 100).status for s in range(10)]
    assert noise.count("none") >= 9


def test_a_peak_between_the_first_samples_is_found():
    """The first sweep sees nothing of it; the one between does."""
    found = ek.autofocus(lambda z: gaussian(z, 43.0, 1.5, 50, 10), 0, 100)
    assert found.status == "peak"
    assert found.position == pytest.approx(43, abs=1)


def test_scores_that_are_missing_are_left_out():
    random = np.random.default_rng(0)
    found = ek.autofocus(lambda z: math.nan if random.random() < 0.3 else 50 / (1 + ((z - 37) / 8) ** 2), 0, 100)
    assert found.position == pytest.approx(37, abs=1)
    assert any(math.isnan(score) for _, score in found.measurements)


@pytest.mark.parametrize("fail", [lambda: 1 / 0, lambda: "sharp", lambda: None])
def test_a_measure_that_fails_loses_nothing(fail):
    lens = Bench(40)

    def measure(position):
        return fail() if len(lens.visited) == 11 else lens(position)

    with pytest.raises(ek.MeasureError, match="after 11 measurements") as caught:
        ek.autofocus(measure, 0, 100)
    error = caught.value
    assert isinstance(error, RuntimeError)
    assert isinstance(error.__cause__, ZeroDivisionError | ValueError | TypeError)
    assert [p for p, _ in error.measurements] == lens.visited
    assert 0 <= error.position <= 100
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.position, again.measurements) == (str(error), error.position, error.measurements)


def test_an_interruption_is_none_of_ours():
    def measure(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ek.autofocus(measure, 0, 1)


@pytest.mark.parametrize(
    "wrong",
    [{"hi": 0}, {"hi": math.inf}, {"lo": math.nan}, {"budget": 8}, {"samples": 2}, {"tolerance": 0},
     {"tolerance": math.nan}, {"backlash": -1}, {"backlash": 100}],
)  # fmt: skip
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ek.ParameterError):
        ek.autofocus(Bench(4), **{"lo": 0, "hi": 100} | wrong)


@pytest.fixture(scope="module")
def blurs():
    """Tenengrad of the photograph by the radius of its blur, in half pixels, and its scatter under noise."""
    gray = ek.read_image(Path(__file__).parents[1] / "samples" / "camera.png", colour=False)
    small = cv2.resize(gray, (128, 128), interpolation=cv2.INTER_AREA).astype(np.float32)
    random = np.random.default_rng(0)
    table = []
    for radius in np.arange(0, 30.5, 0.5):
        blurred = cv2.GaussianBlur(small, (0, 0), radius / 2) if radius else small
        noisy = (blurred + random.normal(0, 3, (3, *small.shape))).round().clip(0, 255).astype(np.uint8)
        table.append([ek.sharpness(picture, "tenengrad") for picture in noisy])
    return np.array(table)


def test_a_photograph_out_of_focus(blurs):
    """Within a hundredth of the range, with 50 lenses: scores between those in the table, and 1 % of flicker."""
    radii, scores = np.arange(0, 30.5, 0.5), blurs.mean(1)
    found = []
    for seed in range(50):
        random = np.random.default_rng(seed)
        focus, slope = random.uniform(0.05, 0.95), random.uniform(10, 30)

        def measure(z, focus=focus, slope=slope, random=random):
            return np.interp(slope * abs(z - focus), radii, scores) * random.normal(1, 0.01)

        result = ek.autofocus(measure, 0, 1)
        assert len(result.measurements) <= 20
        found.append(abs(result.position - focus) < 0.01)
    assert sum(found) >= 49


def test_the_simulated_lens_of_the_script(monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "scripts")
    lens = importlib.import_module("evaluation.autofocus")
    for blur in (lens.disc, lens.gaussian):
        taps = blur(6.0)
        x = np.arange(len(taps)) - len(taps) // 2
        assert taps.sum() == pytest.approx(1)
        # The variance of a disc along an axis is a quarter of its squared radius.
        assert (taps.sum(0) * x**2).sum() == pytest.approx(9, rel=0.05)
        np.testing.assert_array_equal(np.argwhere(blur(0.0) > 1e-9), [[len(blur(0.0)) // 2] * 2])
    lens.main(["--seeds", "6"])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[4:]]
    assert [row[0] for row in rows] == list(lens.METHODS)
    assert rows[0][1] == "6"
    assert all(int(row[4]) <= lens.BUDGET for row in rows)
