"""Arrays of enclosed numbers: bounds hold the exact elements, integer forms stay exact."""

import numpy as np
import pytest

from hwgen.numerics import enclosed
from hwgen.numerics.enclosed import Enclosed, Multiples
from hwgen.numerics.exact import Real
from hwgen.numerics.intervals import Interval


def in_bounds(x: Enclosed) -> bool:
    size = x.bounds.lo.size
    return all(x.bounds.lo.flat[k] <= x.exact(k) <= x.bounds.hi.flat[k] for k in range(size))


def thirds(n: np.ndarray) -> Enclosed:
    """n / 3, without the integer form."""
    return enclosed.elementwise("div", enclosed.stored(n), enclosed.stored(np.full((1, 1), 3.0)))


@pytest.mark.parametrize("width", [0.0, 1e-9, 2.0])
def test_matmul_bounds_hold_products_of_any_points_inside(width):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 3, 4)), rng.normal(size=(1, 4, 2))

    def wide(a: np.ndarray) -> Enclosed:
        return Enclosed(Interval(a - width, a + width), lambda k: Real.of(a.flat[k]))

    bounds = enclosed.matmul(wide(x), wide(y)).bounds
    for _ in range(40):
        a = x + width * rng.choice([-1, 1], x.shape)
        b = y + width * rng.choice([-1, 1], y.shape)
        inside = enclosed.matmul(enclosed.stored(a), enclosed.stored(b))
        for k in range(bounds.lo.size):
            assert bounds.lo.flat[k] <= inside.exact(k) <= bounds.hi.flat[k]


def test_matmul_of_integers_keeps_row_and_column_scales():
    rng = np.random.default_rng(2)
    scales = [Real.of(0.1), Real.of(3).sqrt(), Real.of(0.5)]
    n, m = rng.integers(-9, 10, (2, 3, 4)).astype(float), rng.integers(-9, 10, (1, 4, 2))
    rows = np.broadcast_to(np.array([[0], [1], [2]]), n.shape)
    columns = np.broadcast_to(np.array([0, 1]), m.shape)
    x = enclosed.of_multiples(Multiples(n, rows, scales))
    y = enclosed.of_multiples(Multiples(m.astype(float), columns, scales[1:]))
    found = enclosed.matmul(x, y)
    assert found.multiples is not None
    for k, (sample, row, column) in enumerate(np.ndindex(2, 3, 2)):
        total = int(n[sample, row] @ m[0, :, column])
        assert found.exact(k) == Real.of(total) * scales[row] * scales[1 + column]
    assert in_bounds(found)


def test_matmul_with_a_scale_per_term_is_not_one_multiple():
    n = np.arange(4.0).reshape(1, 2, 2)
    x = enclosed.of_multiples(Multiples(n, np.array([[[0, 1], [0, 1]]]), [Real.of(1), Real.of(2)]))
    y = enclosed.whole(np.ones((1, 2, 1)))
    found = enclosed.matmul(x, y)
    assert found.multiples is None
    assert [found.exact(k) for k in range(2)] == [0 * 1 + 1 * 2, 2 * 1 + 3 * 2]
    assert enclosed.matmul(y.rearrange(lambda a: a.transpose(0, 2, 1)), x).multiples is not None


def test_sums_beyond_float64_are_not_kept_as_integers():
    x = enclosed.whole(np.full((1, 1, 4), 2.0**27))
    found = enclosed.matmul(x, x.rearrange(lambda a: a.transpose(0, 2, 1)))
    assert found.multiples is None
    assert found.exact(0) == 2**56


@pytest.mark.parametrize("zero_point", [0.0, 3.0, 0.5, 0.1])
def test_grid_of_a_quantiser(zero_point):
    n = np.arange(-2.0, 4.0).reshape(1, 2, 3)
    scale = enclosed.stored(np.array([[[0.1], [0.7]]]))
    found = enclosed.grid(n, scale, enclosed.stored(np.full((1, 1, 1), zero_point)))
    assert (found.multiples is not None) == (zero_point != 0.1)
    assert found.quantised is not None and found.quantised.tolist() == n.tolist()
    for k in range(6):
        assert found.exact(k) == (Real.of(n.flat[k]) - zero_point) * [0.1, 0.7][k // 3]
    assert in_bounds(found)


def test_rearranged_elements_stay_themselves():
    n = np.arange(6.0).reshape(1, 2, 3)
    for x in (thirds(n), enclosed.grid(n, enclosed.stored([[[0.5]]]), enclosed.stored([[[1]]]))):
        moved = x.rearrange(lambda a: a.transpose(0, 2, 1).reshape(1, 6))
        assert [moved.exact(k) for k in range(6)] == [x.exact(k) for k in (0, 3, 1, 4, 2, 5)]
        assert in_bounds(moved)
        assert (moved.quantised is None) == (x.quantised is None)
    assert moved.quantised is not None and moved.quantised.tolist() == [[0, 3, 1, 4, 2, 5]]


def test_floats_are_the_nearest():
    found = thirds(np.array([[1, 2, 3]])).floats()
    assert found.tolist() == [[1 / 3, 2 / 3, 1.0]]


def test_integers_beyond_float64_are_enclosed():
    x = enclosed.stored(np.array([[2**53 + 1, -(2**60) - 1]]))
    assert x.multiples is None
    assert x.exact(0) == 2**53 + 1
    assert in_bounds(x)


def test_signs_that_bounds_leave_open_are_decided():
    third = thirds(np.array([[1.0, -1.0, 0.0]]))
    double = enclosed.elementwise("add", third, third)
    back = enclosed.elementwise("sub", enclosed.elementwise("sub", double, third), third)
    assert (back.bounds.lo < 0).any()
    assert enclosed.sign(back).floats().tolist() == [[0, 0, 0]]
    assert enclosed.sign(double).floats().tolist() == [[1, -1, 0]]


@pytest.mark.parametrize(
    ("fn", "args", "scales", "values"),
    [
        ("neg", (), [-0.5, -2.0], [1.5, -8.0]),
        ("relu", (), [0.5, 2.0], [0.0, 8.0]),
        ("mul", (0.25,), [0.125, 0.5], [-0.375, 2.0]),
        ("div", (4.0,), [0.125, 0.5], [-0.375, 2.0]),
    ],
)
def test_integers_stay_on_their_grids(fn, args, scales, values):
    n, code = np.array([[-3.0, 4.0]]), np.array([[0, 1]])
    x = enclosed.of_multiples(Multiples(n, code, [Real.of(0.5), Real.of(2)]))
    y = enclosed.elementwise(fn, x, *(enclosed.stored(np.array([[a]])) for a in args))
    assert y.multiples is not None
    assert [float(scale) for scale in y.multiples.scales] == scales
    assert [float(y.exact(k)) for k in range(2)] == values


def test_negative_grids_lose_their_form_at_zero():
    x = enclosed.of_multiples(Multiples(np.array([[-3.0]]), np.array([[0]]), [Real.of(-0.5)]))
    y = enclosed.elementwise("relu", x)
    assert y.multiples is None
    assert y.exact(0) == 1.5
