"""Arithmetic of kernels: composition, rotation, moments, and the two forms in which kernels run."""

import math

import numpy as np
import pytest
from oracle import ROWS, correlate, turn

from edgekit.operators import kernels
from edgekit.operators.kernels import Kernel
from edgekit.operators.table import find

SOBEL = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))


def all_kernels():
    """Yield all kernels of all operators, and some random ones."""
    for row in ROWS:
        yield from find(row.operator).kernels(**row.parameters)
    rng = np.random.default_rng(5)
    for rows, columns in ((1, 1), (1, 5), (5, 1), (3, 3), (5, 3), (3, 7), (9, 9)):
        table = rng.integers(-9, 10, (rows, columns))
        yield Kernel.dense(table.tolist())
        if rows * columns > 1:
            table[0, 0] -= table.sum()
            yield Kernel.dense(table.tolist())


def each_kernel(test):
    """Turn a test of one kernel into a test of all kernels."""

    def run():
        for kernel in all_kernels():
            test(kernel)

    return run


def sums_to_zero(kernel):
    table = np.array(kernel.coefficients)
    return abs(table.sum()) < 1e-9 * np.abs(table).sum()


@each_kernel
def test_rounded_form_has_the_same_coefficients(kernel):
    expected = np.array(kernel.coefficients, float)
    np.testing.assert_allclose(kernel.rounded.coefficients, expected, rtol=0, atol=1e-14 * np.abs(expected).max())
    assert kernel.rounded.shape == kernel.shape == expected.shape
    for chain in kernel.rounded.chains:
        height, width = (sum(n) - len(n) + 1 for n in zip(*map(kernels.shape, chain), strict=True))
        assert (height, width) == kernel.shape


@each_kernel
def test_rounded_form_begins_with_differences(kernel):
    for chain in kernel.rounded.chains:
        few = len(chain) > 1 or min(kernel.shape) == 1 or max(kernel.shape) <= 7
        assert bool(kernels.differences(chain[0])) == (sums_to_zero(kernel) and few)


@each_kernel
def test_differences_have_the_same_coefficients(kernel):
    for table in {table for chain in kernel.chains for table in chain}:
        pairs = kernels.differences(table)
        out = np.zeros(np.shape(table))
        for weight, first, second in pairs:
            assert table[first[0]][first[1]] != 0
            assert table[second[0]][second[1]] != 0
            out[first] += weight
            out[second] -= weight
        if pairs:
            np.testing.assert_allclose(out, table, rtol=0, atol=1e-15 * np.abs(table).max())


def test_antisymmetric_coefficients_are_paired():
    assert kernels.differences(((-1, -2, 0, 2, 1),)) == ((2, (0, 3), (0, 1)), (1, (0, 4), (0, 0)))
    assert len(kernels.differences(((-2, -1, 0), (-1, 0, 1), (0, 1, 2)))) == 3
    # Other coefficients are paired with the largest one.
    assert kernels.differences(((1, -2, 1),)) == ((1, (0, 0), (0, 1)), (1, (0, 2), (0, 1)))
    assert kernels.differences(((1, 2, 1),)) == ()


@each_kernel
def test_integer_kernels_stay_integer(kernel):
    whole = all(float(t).is_integer() for line in kernel.coefficients for t in line)
    assert {k.common_factor >= 1 for k in (kernel, kernel.rounded)} == {whole}


def test_common_factor_is_a_power_of_two():
    assert kernels.common_factor(((4, -12), (0, 8))) == 4
    assert kernels.common_factor(((0.75, 1.5),)) == 0.25
    assert kernels.common_factor(((1 / 3,),)) == 2.0**-54
    assert kernels.common_factor(((0, 0),)) == 1
    assert kernels.Kernel.separable(((1, 2, 1), (-2, 0, 2)), ((4,) * 3, (4,) * 3)).common_factor == 2


def test_scaled_kernels_have_scaled_coefficients():
    kernel = kernels.Kernel.separable(((1, 2, 1), (-1, 0, 1)), ((1, 1, 1), (1, 1, 1)))
    np.testing.assert_array_equal(kernel.scaled(0.25).coefficients, np.array(kernel.coefficients) / 4)


@each_kernel
def test_absolute_sum_bounds_the_sum_of_coefficients(kernel):
    assert kernel.absolute_sum >= np.abs(np.array(kernel.coefficients, float)).sum() * (1 - 1e-12)


@each_kernel
def test_transposed_kernels(kernel):
    np.testing.assert_allclose(kernel.transposed.coefficients, np.array(kernel.coefficients).T, rtol=1e-12, atol=1e-15)


def test_compose_equals_two_correlations():
    rng = np.random.default_rng(0)
    first, second = rng.integers(-5, 6, (2, 3)), rng.integers(-5, 6, (4, 2))
    image = rng.integers(0, 100, (12, 11))
    both = kernels.compose(tuple(map(tuple, first)), tuple(map(tuple, second)))
    expected = correlate(correlate(image, first, "valid"), second, "valid")
    np.testing.assert_array_equal(correlate(image, both, "valid"), expected)


def test_separable_is_an_outer_product():
    kernel = Kernel.separable(((1, 2, 1), (-1, 0, 1)), ((0, 3, 0), (1, 1, 1)))
    np.testing.assert_array_equal(kernel.coefficients, [[-1, 0, 1], [1, 3, 5], [-1, 0, 1]])


def test_weighted_sum():
    assert kernels.weighted_sum([2, -1], [((1, 2),), ((5, 6),)]) == ((-3, -2),)


@each_kernel
def test_groups_have_the_same_coefficients(kernel):
    for table in {table for chain in kernel.chains for table in chain}:
        one = kernels.ShiftedSum.of(table)
        assert (one.coefficients, one.shape) == (table, kernels.shape(table))
        out = np.zeros(one.shape)
        for group in one.groups:
            # Each group has additions.
            assert group.plus
            for place in group.plus:
                out[place] += group.weight
            for place in group.minus:
                out[place] -= group.weight
        np.testing.assert_allclose(out, np.array(table, float), rtol=0, atol=1e-14 * max(np.abs(out).max(), 1))
        # Groups without a multiplication come first.
        assert [g.weight != 1 for g in one.groups] == sorted(g.weight != 1 for g in one.groups)


def test_groups_of_opposite_coefficients_are_differences():
    assert kernels.ShiftedSum.of(((-2, 0, 2),)).groups == ((2, ((0, 2),), ((0, 0),)),)
    assert kernels.ShiftedSum.of(((1, -3),)).groups == ((1, ((0, 0),), ()), (-3, ((0, 1),), ()))
    assert kernels.ShiftedSum.of(((3, 0, 1),)).groups == ((1, ((0, 2),), ()), (3, ((0, 0),), ()))


def test_sums_to_zero_within_rounding():
    assert kernels.sums_to_zero(((0, 0),))
    assert kernels.sums_to_zero(((1e9, 1e-4 - 1e9),))
    assert not kernels.sums_to_zero(((1e9, 1e-2 - 1e9),))
    assert not kernels.sums_to_zero(((1e-9, -2e-9),))


def test_support_of_chains_of_factors():
    cross = Kernel.dense(((0, -1, 0), (1, 0, 2), (0, 0, 0)))
    assert kernels.support([cross]) == ((0, 1, 0), (1, 0, 1), (0, 0, 0))
    # The support of a product is that of its factors, although coefficients cancel.
    product = Kernel(((((1.0, 1.0),), ((1.0, -1.0),), ((1.0,), (0.0,), (0.0,))),))
    assert product.coefficients == ((1, 0, -1), (0, 0, 0), (0, 0, 0))
    assert kernels.support([product]) == ((1, 1, 1), (0, 0, 0), (0, 0, 0))
    assert kernels.support([product, cross]) == ((1, 1, 1), (1, 0, 1), (0, 0, 0))


def test_ring_is_shifted_clockwise():
    table = ((1, 2, 3), (8, 9, 4), (7, 6, 5))
    for steps in range(-9, 10):
        np.testing.assert_array_equal(kernels.ring(table, steps), turn(table, steps))


def test_ring_of_sobel():
    assert kernels.ring(SOBEL, 1) == ((-2, -1, 0), (-1, 0, 1), (0, 1, 2))
    assert kernels.ring(SOBEL, 2) == ((-1, -2, -1), (0, 0, 0), (1, 2, 1))
    assert kernels.ring(SOBEL, 4) == ((1, 0, -1), (2, 0, -2), (1, 0, -1))


def test_moment_is_the_response_to_a_power():
    assert kernels.moment(SOBEL, 1) == 8
    assert kernels.moment(SOBEL, 1, 0, 1) == 0
    assert kernels.moment(SOBEL, 0) == 0
    assert kernels.moment(((1, -2, 1),), 2) == 2
    # The centre of an even kernel is between two coefficients.
    assert kernels.moment(((-1, 1),), 1) == 1
    assert kernels.moment(((-1, 1),), 2) == 0
    assert kernels.moment(((1,), (2,)), 1, 0, 1) == 0.5


@pytest.mark.parametrize(
    ("table", "cos", "sin", "expected"),
    [
        (SOBEL, 1, 0, 4),
        (SOBEL, 0, 1, 0),
        (((-2, -1, 0), (-1, 0, 1), (0, 1, 2)), math.sqrt(0.5), math.sqrt(0.5), 4),
        (((0, 1, 0), (1, -4, 1), (0, 1, 0)), 1, 0, 1),
        (((1, 1, 1), (1, -8, 1), (1, 1, 1)), 1, 0, 3),
        (((-1, -2, 0, 2, 1),), 1, 0, 3),
        (((3, -2),), 1, 0, 2),
        # Lines of coefficients less than a pixel apart.
        (((1, -4, 0), (0, 0, 0), (0, 5, -2)), math.cos(0.4), math.sin(0.4), 3),
        (((0, 0, 5), (-5, 0, 0), (0, 0, 0)), math.cos(0.4), math.sin(0.4), 5),
        # Lines of coefficients at equal positions, except for rounding.
        (((0, 7, 0, 0, 0), (0, 0, 0, 0, -7)), 3e-10, 1, 7),
        (((0, 7), (-7, 0)), math.sqrt(0.5), math.sqrt(0.5), 0),
    ],
)
def test_step_peak(table, cos, sin, expected):
    assert kernels.step_peak(table, cos, sin) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 5), (31, 31)])
def test_factors_of_separable_kernels(size):
    rng = np.random.default_rng(size)
    for along_y, along_x in (
        (rng.normal(size=size[0]), rng.normal(size=size[1])),
        (np.eye(1, size[0], size[0] // 2)[0], rng.normal(size=size[1]) * 1e-200),
    ):
        table = np.outer(along_y, along_x)
        column, row = kernels.factors(tuple(map(tuple, table)))
        np.testing.assert_allclose(np.outer(column, row), table, rtol=1e-15, atol=0)


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (3, 5), (31, 31)])
def test_factors_of_integer_kernels_are_integers(size):
    rng = np.random.default_rng(size)
    for _ in range(20):
        table = np.outer(
            rng.integers(1, 10, size[0]) * rng.choice([-3, 4], size[0]), rng.integers(-9, 10, size[1]) * 6.0
        )
        if table.any():
            column, row = kernels.factors(tuple(map(tuple, table)))
            assert all(float(t).is_integer() for t in (*column, *row))
            np.testing.assert_array_equal(np.outer(column, row), table)


@pytest.mark.parametrize("at", [(0, 0), (4, 7), (8, 8)])
def test_nearly_separable_kernels_have_no_factors(at):
    table = np.outer(np.arange(1.0, 10), np.arange(2.0, 11))
    table[at] *= 1 + 1e-14
    assert kernels.factors(tuple(map(tuple, table))) is None
    table[at] = 0
    assert kernels.factors(tuple(map(tuple, table))) is None


@pytest.mark.parametrize("weights", [(0.0, -3.0), (-0.5, 0.0), (0.25, 4.0), (0.0, 0.0)])
def test_weighted_sums_with_zero_and_negative_weights(weights):
    first, second = np.random.default_rng(2).normal(size=(2, 3, 4))
    first[0, 0] = second[0, 0] = 0
    found = np.array(kernels.weighted_sum(weights, [tuple(map(tuple, first)), tuple(map(tuple, second))]))
    np.testing.assert_allclose(found, weights[0] * first + weights[1] * second, rtol=1e-15)
    assert not np.signbit(found[0, 0])
