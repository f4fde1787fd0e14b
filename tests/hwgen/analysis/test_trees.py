from itertools import pairwise

import numpy as np
import pytest

from hwgen.analysis.trees import (
    MIXED,
    decides,
    directions,
    map_parameters,
    substitute,
    with_sign,
)
from hwgen.numerics.exact import Real
from hwgen.numerics.tail import Apply, Const, Expr, Quantise, StepCount, Var, evaluate, reals

N = Var()
TWO, EACH = Const(Real.of(2)), Const(reals([3.0, -1.0, 0.0]))


def quantised(arg: Expr, scale: float = 1.0) -> Quantise:
    return Quantise(arg, Real.of(scale), Real.of(0), -8, 7)


def counted(scale: float) -> StepCount:
    return StepCount(N, reals([[0.0, 2.0]]), Real.of(scale), Real.of(1))


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        (N, [1, 1, 1]),
        (TWO, [0, 0, 0]),
        (Apply("neg", (N,)), [-1, -1, -1]),
        (Apply("mul", (N, EACH)), [1, -1, 0]),
        (Apply("mul", (EACH, N)), [1, -1, 0]),
        (Apply("div", (N, Const(Real.of(-2)))), [-1, -1, -1]),
        (Apply("div", (TWO, N)), [MIXED] * 3),
        (Apply("add", (N, Apply("mul", (N, EACH)))), [1, MIXED, 1]),
        (Apply("sub", (TWO, N)), [-1, -1, -1]),
        (Apply("max", (Apply("sigmoid", (N,)), TWO)), [1, 1, 1]),
        (Apply("min", (N, Apply("neg", (N,)))), [MIXED] * 3),
        (Apply("abs", (N,)), [MIXED] * 3),
        (Apply("abs", (TWO,)), [0, 0, 0]),
        (quantised(Apply("mul", (N, EACH)), -0.5), [1, -1, 0]),
        (counted(2.0), [1, 1, 1]),
        (counted(-2.0), [-1, -1, -1]),
        (Apply("mul", (N, Apply("sigmoid", (N,)))), [MIXED] * 3),
    ],
)
def test_directions(tree, wanted):
    assert directions(tree, 3).tolist() == wanted


def test_what_is_told_to_rise_or_fall_does():
    for tree in (
        Apply("relu", (Apply("sub", (TWO, N)),)),
        Apply("tanh", (Apply("mul", (N, EACH)),)),
        quantised(Apply("div", (Apply("neg", (N,)), Const(Real.of(-3)))), -0.5),
    ):
        for c, way in enumerate(directions(tree, 3).tolist()):
            values = [evaluate(tree, n, c) for n in range(-5, 6)]
            steps = [(b - a).sign() for a, b in pairwise(values)]
            assert set(steps) <= {0, way}


def test_a_quantiser_anywhere_decides():
    assert decides(Apply("relu", (quantised(N),)))
    assert decides(counted(1.0))
    assert not decides(Apply("relu", (N,)))


def test_another_sign_of_the_integer():
    sign = np.array([1, -1, -1])
    for tree in (quantised(Apply("mul", (N, EACH))), counted(2.0), Apply("sub", (TWO, N))):
        turned = with_sign(tree, sign)
        for c, s in enumerate(sign.tolist()):
            for n in range(-4, 5):
                assert evaluate(turned, s * n, c) == evaluate(tree, n, c)


def test_a_subtree_is_replaced_by_identity():
    inner = Apply("relu", (N,))
    tree = Apply("add", (inner, Apply("relu", (N,))))
    assert evaluate(substitute(tree, inner, TWO), 5) == 7


def test_parameters_of_some_channels():
    tree = Quantise(Apply("mul", (N, EACH)), reals([1.0, 2.0, 4.0]), Real.of(0), -8, 7)
    last = map_parameters(tree, lambda rows: rows[[1, 2]])
    for n in (-3, 2):
        assert evaluate(last, n, 0) == evaluate(tree, n, 1)
    rows = StepCount(N, reals([[0.0], [2.0], [4.0]]), Real.of(1), Real.of(0))
    assert evaluate(map_parameters(rows, lambda part: part[[2]]), 3, 0) == 0
