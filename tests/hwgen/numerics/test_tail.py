"""Expressions of one integer."""

import pytest

from hwgen.numerics.exact import HALF, ONE, ZERO, Real
from hwgen.numerics.tail import Apply, Const, Quantise, StepCount, Var, evaluate, reals

N = Var()


def test_evaluation_by_hand():
    """relu(3n - 1) at scale 2, zero point 1, range 0..4: n = 2 gives 5, 7/2 rounds to 4, so 6."""
    line = Apply("sub", (Apply("mul", (N, Const(Real.of(3)))), Const(ONE)))
    expr = Quantise(Apply("relu", (line,)), Real.of(2), ONE, 0, 4)
    assert [evaluate(expr, n) for n in (-5, 0, 1, 2, 3)] == [0, 0, 2, 6, 6]


def test_parameters_per_channel():
    expr = Apply("mul", (N, Const(reals([0.5, -2.0]))))
    assert [evaluate(expr, 3, channel) for channel in (0, 1)] == [1.5, -6]


def test_count_by_hand():
    expr = StepCount(N, reals([[0.0, 2.0], [1.0, 1.0]]), Real.of(2), Real.of(-1))
    assert [evaluate(expr, n, 0) for n in (-1, 0, 2)] == [-1, 1, 3]
    assert [evaluate(expr, n, 1) for n in (0, 1)] == [-1, 3]
    shared = StepCount(N, reals([[0.0, 2.0]]), ONE, ZERO)
    assert evaluate(shared, 5, 1) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Apply("sin", (N,)),
            "^fn must be one of relu, .*, softplus, add, .*, max, not 'sin'$",
        ),
        (lambda: Apply("add", (N,)), "^add must have 2 arguments, not 1$"),
        (lambda: Apply("abs", (N, N)), "^abs must have 1 arguments, not 2$"),
        (lambda: Quantise(N, ONE, ZERO, 0, 1, "ROUND"), "^rounding must be one of .*, not ROUND$"),
        (
            lambda: Quantise(N, reals([1.0, 0.0]), ZERO, 0, 1),
            "^the scale of a quantiser must not be zero$",
        ),
        (
            lambda: Quantise(N, ONE, HALF, 0, 1, round_first=True),
            "^zero_point must be an integer with round_first, not 1/2$",
        ),
    ],
)
def test_rejects(make, message):
    with pytest.raises(ValueError, match=message):
        make()
