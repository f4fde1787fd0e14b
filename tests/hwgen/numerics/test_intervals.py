"""Interval arithmetic: every result holds the exact value, and short numbers stay points."""

import numpy as np
import pytest

from hwgen.numerics import functions, intervals
from hwgen.numerics.exact import ROUNDINGS, DomainError, Real
from hwgen.numerics.functions import BINARY, UNARY
from hwgen.numerics.intervals import Interval, point

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, 1e-310, -1e-200, 1e200, 0.1, 708.0, -745.0, 40.0, 2.5e-9]


def samples(rng, count):
    values = rng.normal(size=count) * 10.0 ** rng.integers(-6, 4, count)
    values = np.where(rng.random(count) < 0.3, np.rint(values), values)
    values[: len(SPECIAL)] = SPECIAL
    return rng.permutation(values)


@pytest.mark.parametrize("fn", UNARY + BINARY)
def test_results_hold_the_exact_values(fn):
    """Intervals around random points; the exact image of ends and of a point inside is held."""
    rng = np.random.default_rng(3)
    count, arity = 150, 2 if fn in BINARY else 1
    args, inside = [], []
    for _ in range(arity):
        x = samples(rng, count)
        width = np.abs(x) * rng.choice([0.0, 1e-15, 0.1, 3.0], count)
        if fn == "pow" and args:
            x = rng.choice([2.0, 3.0, -1.0, 0.5, 0.37, 0.0, -3.0, -0.5], count)
            width = np.zeros(count)
        args.append(Interval(x - width, x + width))
        inside.append([x - width, x, x + width])
    result = intervals.apply(fn, *args)
    assert not np.isnan(result.lo).any()
    assert (result.lo <= result.hi).all()
    held = 0
    for picks in np.ndindex(*(3,) * arity):
        for k in range(count):
            numbers = [Real.of(inside[a][pick][k]) for a, pick in enumerate(picks)]
            if fn in ("tanh", "erf", "sigmoid") and abs(numbers[0]) > 40:
                continue  # too near the asymptote to be told from it
            if fn in ("pow", "exp", "softplus") and abs(numbers[0]) > 10**6:
                continue  # finite, but slow
            try:
                value = functions.apply(fn, *numbers)
            except DomainError:
                continue
            assert result.lo[k] == -np.inf or value >= result.lo[k], (fn, numbers, result[k])
            assert result.hi[k] == np.inf or value <= result.hi[k], (fn, numbers, result[k])
            held += 1
    assert held > count


def test_products_and_sums_of_short_numbers_are_points():
    """float32 constants and integers up to 2^24, and quotients that are integers."""
    rng = np.random.default_rng(4)
    n = point(rng.integers(-(2**24), 2**24, 100))
    s = point(rng.normal(size=100).astype(np.float32))
    product = intervals.apply("mul", n, s)
    assert (product.lo == product.hi).all()
    back = intervals.apply("div", product, s)
    assert (back.lo == n.lo).all() and (back.hi == n.lo).all()
    total = intervals.apply("add", n, point(0.5))
    assert (total.lo == total.hi).all()
    third = intervals.apply("div", point(1.0), point(3.0))
    assert third.lo < third.hi


def test_division_by_an_interval_around_zero_is_unbounded():
    x = intervals.apply("div", point(1.0), Interval(np.array(-1.0), np.array(2.0)))
    assert (x.lo, x.hi) == (-np.inf, np.inf)


@pytest.mark.parametrize("mode", ROUNDINGS)
def test_rounding_equals_that_of_exact_numbers(mode):
    near = 0.5 - 2.0**-54  # its distance to -1 or 1 is no float64
    x = np.array([*np.arange(-20, 21) / 4, near, -near, 0.5 + 2**-53, -0.5 - 2**-53, 2**52 + 1.0])
    expected = [Real.of(value).round(mode) for value in x]
    assert intervals.rounded(x, mode).tolist() == expected


def test_rounding_rejects_an_unknown_mode():
    modes = "HALF_EVEN, HALF_UP, HALF_DOWN, HALF_CEIL, CEIL, FLOOR, UP, DOWN"
    with pytest.raises(ValueError, match=f"^rounding must be one of {modes}, not 'X'$"):
        intervals.rounded(np.zeros(1), "X")


def test_reached_counts_entries_not_above():
    table = np.array([[1.0, 2.0, 2.0], [-1.0, 0.0, 5.0]])
    row = np.array([0, 0, 0, 0, 1, 1, 1])
    x = np.array([0.9, 1.0, 2.0, np.inf, -np.inf, 4.9, 5.0])
    assert intervals.reached(table, row, x).tolist() == [0, 1, 3, 3, 0, 2, 3]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8])
def test_reached_equals_searchsorted(count):
    rng = np.random.default_rng(5)
    table = np.sort(rng.integers(0, 9, (1, count)), axis=1).astype(float)
    x = np.arange(-1, 11, dtype=float)
    found = intervals.reached(table, np.zeros(len(x), dtype=int), x)
    assert found.tolist() == np.searchsorted(table[0], x, side="right").tolist()
