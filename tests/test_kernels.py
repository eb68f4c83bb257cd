"""Coefficients, divisors and rotations of all operators, compared with tables written by hand."""

import math

import numpy as np
import pytest
from oracle import COMPASSES, GRADIENTS, ROWS, turn

from edgekit.errors import KernelError, ParameterError
from edgekit.operators import table
from edgekit.operators.filter_spec import filter_spec
from edgekit.operators.table import Kind, cos_sin, find


def by_id(row):
    return row.id


def component(operator, angle, rotate, scale="unit", **parameters):
    """Return the kernel coefficients of one response in the direction `angle`."""
    made = filter_spec(find(operator), (angle,), rotate=rotate, scale=scale, **parameters)
    return np.array(made.components[0].coefficients)


def ramp_towards(angle, size=3):
    """Return the values under a kernel on the ramp of one level per pixel along `angle`."""
    y, x = np.mgrid[:size, :size] - size // 2
    return x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))


def test_every_operator_has_rows_in_the_oracle():
    assert {row.operator for row in ROWS} == set(table.OPERATORS)
    for name, operator in table.OPERATORS.items():
        rows = [row for row in ROWS if row.operator == name]
        (first,) = list(operator.parameters)[:1] or [None]
        assert {row.parameters.get(first) for row in rows} >= set(operator.choices)


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_coefficients(row):
    made = find(row.operator).kernels(**row.parameters)
    expected = [row.along, row.across] if row.kind == "gradient" else [row.along]
    assert len(made) == len(expected)
    for kernel, coefficients in zip(made, expected, strict=True):
        if row.integer:
            np.testing.assert_array_equal(kernel.coefficients, coefficients)
        else:
            np.testing.assert_allclose(kernel.coefficients, coefficients, rtol=0, atol=1e-14)


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_divisors(row):
    operator = find(row.operator)
    kernel = operator.kernels(**row.parameters)[0]
    assert operator.divisor(kernel, row.axis) == pytest.approx(row.divisor, rel=1e-12)


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_kind_order_and_accuracy(row):
    operator = find(row.operator)
    assert operator.kind is Kind(row.kind)
    assert operator.order == (2 if row.kind == "laplacian" else 1)
    assert operator.accuracy == row.accuracy
    assert operator.title
    assert operator.reference


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_coefficients_sum_to_zero(row):
    for kernel in find(row.operator).kernels(**row.parameters):
        assert abs(math.fsum(t for line in kernel.coefficients for t in line)) <= 1e-15 * kernel.absolute_sum


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 135, 180, 200.5, 270, 359])
@pytest.mark.parametrize("row", GRADIENTS, ids=by_id)
def test_steered_coefficients(row, angle):
    taps = component(row.operator, angle, "steer", "raw", **row.parameters)
    np.testing.assert_allclose(taps, row.at(angle), rtol=0, atol=1e-12 * np.abs(row.along).max())


@pytest.mark.parametrize("angle", [0, 10, 45, 90, 225, 300])
@pytest.mark.parametrize("row", [r for r in GRADIENTS if r.along.shape[0] % 2], ids=by_id)
def test_response_of_steered_kernels_to_a_ramp_is_1(row, angle):
    taps = component(row.operator, angle, "steer", **row.parameters)
    assert (taps * ramp_towards(angle, len(taps))).sum() == pytest.approx(1, rel=1e-12)


def test_steered_sobel_at_45_degrees():
    expected = [[-2, -2, 0], [-2, 0, 2], [0, 2, 2]]
    taps = component("sobel", 45, "steer", "raw")
    np.testing.assert_allclose(taps, np.multiply(expected, math.sqrt(0.5)), rtol=1e-15)
    assert taps[0, 2] == taps[2, 0] == 0


def test_ring_sobel_at_45_degrees():
    expected = np.array([[-2, -1, 0], [-1, 0, 1], [0, 1, 2]])
    np.testing.assert_array_equal(component("sobel", 45, "ring", "raw"), expected)
    np.testing.assert_allclose(component("sobel", 45, "ring"), expected / (6 * math.sqrt(2)), rtol=1e-15)


@pytest.mark.parametrize(
    ("operator", "gain"),
    # The ramp response of ring kernels is 6√2, 26√2 and 4√2, that of steered kernels 8, 32 and 6:
    # 6.1 % and 14.9 % more, and 5.7 % less.
    [("sobel", 1.061), ("scharr", 1.149), ("prewitt", 0.943)],
)
def test_ratio_of_ring_to_steered_response(operator, gain):
    ramp = ramp_towards(45)
    ring, steered = ((component(operator, 45, how, "raw") * ramp).sum() for how in ("ring", "steer"))
    assert ring / steered == pytest.approx(gain, abs=5e-4)


@pytest.mark.parametrize("angle", range(0, 360, 45))
@pytest.mark.parametrize("operator", ["sobel", "scharr", "prewitt", "central"])
def test_response_of_ring_kernels_to_a_ramp_is_1(operator, angle):
    along = next(row.along for row in ROWS if row.operator == operator)
    np.testing.assert_array_equal(component(operator, angle, "ring", "raw"), turn(along, angle // 45))
    assert (component(operator, angle, "ring") * ramp_towards(angle)).sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("angle", range(0, 360, 45))
@pytest.mark.parametrize("row", COMPASSES, ids=by_id)
def test_compass_kernels_have_one_divisor(row, angle):
    taps = component(row.operator, angle, "steer", **row.parameters)
    np.testing.assert_allclose(taps, turn(row.along, angle // 45) / row.divisor, rtol=1e-15)


def test_cos_sin_is_exact_at_right_angles():
    for quarters in range(-8, 9):
        assert cos_sin(90 * quarters) == ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]


def test_cos_sin():
    for angle in (*range(-720, 721, 15), 0.1, 22.5, 123.456, 359.999):
        expected = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        assert cos_sin(angle) == pytest.approx(expected, abs=1e-14)


def test_cos_sin_of_an_angle_just_below_zero():
    assert cos_sin(-1e-20) == (1, 0)


@pytest.mark.parametrize("angle", [45, 405, -315, 360045])
def test_ring_angles_repeat_after_360_degrees(angle):
    sobel = find("sobel")
    assert sobel.turned(sobel.kernels()[0], angle).coefficients == ((-2, -1, 0), (-1, 0, 1), (0, 1, 2))


@pytest.mark.parametrize("angle", [45, 135, 225, 315])
def test_cos_and_sin_are_equal_on_diagonals(angle):
    c, s = cos_sin(angle)
    assert abs(c) == abs(s)


def test_default_sigma2_of_dog_is_1_6_sigma():
    assert find("dog").kernels(sigma=2.0)[0].coefficients == find("dog").kernels(sigma=2.0, sigma2=3.2)[0].coefficients


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5, 6.0])
def test_radius_of_gaussians_is_four_sigma(sigma):
    side = 2 * int(4 * sigma + 0.5) + 1
    assert find("gaussian").kernels(sigma=sigma)[0].shape == (side, side)
    assert find("laplacian").kernels(sigma=sigma)[0].shape == (side, side)


@pytest.mark.parametrize("sigma", [0.3, 0.8, 2.0])
def test_second_derivative_of_a_gaussian(sigma):
    xs = np.arange(-99, 100)
    bell = np.exp(-(xs**2) / (2 * sigma**2))
    bell /= bell.sum()
    made = np.zeros(199)
    taps = table.gaussian(sigma, order=2)
    made[99 - len(taps) // 2 : 100 + len(taps) // 2] = taps
    # The kernel is corrected to zero sum and truncated at four sigma.
    exact = (xs**2 / sigma**4 - (xs**2 / sigma**4 * bell).sum()) * bell
    np.testing.assert_allclose(made, exact, rtol=0, atol=2e-3 * np.abs(exact).max())
    assert abs(made.sum()) < 1e-15 * np.abs(made).sum()


def test_shapes_of_the_smallest_gaussians():
    assert len(table.gaussian(0.15)) == 3
    assert find("gaussian").kernels(sigma=0.15)[0].shape == (3, 3)
    assert find("laplacian").kernels(sigma=0.3)[0].shape == (3, 3)
    assert find("dog").kernels(sigma=0.15, sigma2=0.3)[0].shape == (3, 3)
    # The response to a parabola is small, but these values are accepted.
    assert find("dog").kernels(sigma=0.5, sigma2=0.6)[0].shape == (5, 5)


def test_own_kernel():
    operator = table.own_operator([[1, 2.5, 0]])
    assert operator.kernels()[0].coefficients == ((1, 2.5, 0),)


@pytest.mark.parametrize(
    ("taps", "message"),
    [
        ([[1, 2], [3, 4]], "odd number of rows and columns.*2x2"),
        ([[1, 2, 3], [4, 5, 6]], "odd number of rows and columns.*2x3"),
        ([[1, 2]], "odd number of rows and columns.*1x2"),
        ([[1, 2, 3], [4, 5]], "one length"),
        ([], "no rows"),
        ([[]], "one length"),
        ([[1, math.nan, 1]], "finite"),
        ([[0, 0, 0]], "not zero"),
        ([1, 2, 3], "table of numbers"),
        ("abc", "table of numbers"),
        (7, "table of numbers"),
        ([["a"]], "table of numbers"),
    ],
)
def test_invalid_own_kernels_are_refused(taps, message):
    with pytest.raises(KernelError, match=message):
        table.own_operator(taps)


@pytest.mark.parametrize("name", ["Sobel", "", None, 3, ["sobel"]])
def test_unknown_operators_are_refused(name):
    with pytest.raises(ParameterError, match=r"is not known.*[Cc]hoose one of sobel"):
        find(name)


def test_wide_kernels_are_separated():
    """Own kernels, and the support that finds invalid pixels, are separated if the coefficients allow it."""
    bell = np.array(table.gaussian(2.0))
    for taps, lines in ((np.outer(bell, bell), 2), (np.outer(bell, bell) + np.eye(bell.size), 1)):
        ((chain,),) = (kernel.chains for kernel in table.own_operator(taps.tolist()).kernels())
        assert len(chain) == lines
    for angle, lines in ((0, 2), (90, 2), (30, 1)):
        (chain,) = filter_spec(find("gaussian"), (angle,), sigma=3.0).components[0].support.chains
        assert len(chain) == lines
