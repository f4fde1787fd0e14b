import numpy as np
import pytest

from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntStep
from hwgen.numerics.exact import ROUNDINGS
from hwgen.tensor.elementwise import Unary
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, ops, quarters
from tests.hwgen.chains import Chain, quant


def test_a_step_that_keeps_the_grid_costs_nothing():
    chain = Chain((2,)).then(quant(0.5, -4, 3)).then(quant(0.5, -4, 3)).then(Unary("neg"))
    chain.then(quant(0.5, -3, 4))
    chain.matmul(chain.constant([[1.0], [3.0]]))
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (2,)))
    assert ops(analysis) == [IntMatMul]


def test_quantisers_in_a_row_become_one_step():
    chain = Chain((2,)).then(quant(0.25, -8, 7))
    chain.matmul(chain.constant([[1.0], [3.0]])).then(quant(0.75, -8, 7)).then(Unary("tanh"))
    chain.then(quant(0.125, -8, 7)).binary("mul", 3.0).then(quant(0.5, -8, 7), name="last")
    chain.matmul(chain.constant([[1.0]]))
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (2,)))
    assert ops(analysis) == [IntMatMul, IntStep, IntMatMul]


def test_levels_without_a_quantiser_find_their_grid():
    for last in (Unary("relu"), Unary("sign"), Unary("abs")):
        chain = Chain((3,)).then(quant(0.5, -4, 3)).binary("add", 0.25).then(last)
        chain.matmul(chain.constant(np.array([[1.0], [3.0], [-2.0]])))
        assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (3,)))


def test_levels_without_a_grid_are_refused():
    chain = Chain((3,)).then(quant(0.5, -4, 3)).then(Unary("sigmoid"), name="curve")
    chain.matmul(chain.constant(np.ones((3, 2))), name="fc")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "fc: its input must lie on an integer grid of at most 16 bits, not the values that curve "
        "makes; put a Quant behind curve"
    )


def test_too_many_levels_are_refused():
    chain = Chain((3,)).then(quant(0.5, -512, 511))
    chain.matmul(chain.constant(np.ones((3, 1))), name="fc").binary("add", 0.3)
    chain.then(Unary("relu"), name="relu").matmul(chain.constant([[1.0]]), name="last")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "last: its input must be quantised, not the result of relu with 3070 different inputs per "
        "channel; put a Quant behind relu"
    )


def test_weights_off_their_grid_are_told_once():
    chain = Chain((2,)).then(quant(1.0, 0, 3))
    for name in ("a", "b"):
        weights = chain.node(quant(0.5, -4, 3), chain.constant(np.full((2, 2), 0.7)), name=name)
        chain.matmul(weights).then(quant(1.0, 0, 3))
    chain.matmul_of(np.eye(2))
    (warning,) = analyse(chain.graph).warnings
    assert warning.startswith("a, b: the stored weights are not on the grid of their quantiser.")


def test_weights_beyond_their_range_are_on_their_grid():
    chain = Chain((2,)).then(quant(1.0, 0, 3))
    weights = chain.node(quant(0.5, -1, 1), chain.constant([[1.7], [0.5]]))
    assert analyse(chain.matmul(weights).graph).warnings == []


def test_quantisers_of_constants_round_like_those_of_streams():
    rng = np.random.default_rng(3)
    for rounding in ROUNDINGS:
        for round_first in (False, True):
            q = quant(0.5, -5, 6, zero_point=1, rounding=rounding, round_first=round_first)
            chain = Chain((2,)).then(quant(1.0, 0, 1))
            weights = chain.node(q, chain.constant(rng.integers(-12, 13, (2, 8)) / 4))
            assert_equals_the_referee(chain.matmul(weights).graph, np.eye(2))
            computed = chain.node(Unary("neg"), chain.constant(rng.integers(-12, 13, (8, 2)) / 4))
            chain.then(quant(1.0, -8, 7)).matmul(chain.node(q, computed))
            assert_equals_the_referee(chain.graph, np.eye(2))


def test_a_wide_quantiser_of_the_sum_costs_nothing():
    # 2^-8 divides the sum's scale of 2^-4 and 24 bits hold it: no table of all sums is made.
    chain = Chain((2,)).then(quant(2.0**-4, -(2**15), 2**15 - 1))
    chain.matmul_of([[3.0], [-5.0]]).binary("add", 0.25)
    chain.then(quant(2.0**-8, -(2**23), 2**23 - 1), name="wide").matmul_of([[1.0]])
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (2,)))
    assert ops(analysis) == [IntMatMul, IntMatMul]
    assert analysis.fates["wide"] == "vanishes: its grid is that of its input"


@pytest.mark.parametrize(("lo", "hi", "zero_point"), [(-4, 7, 0.0), (-8, 3, 0.0), (-8, 7, 0.5)])
def test_a_quantiser_that_clips_or_shifts_is_kept(lo, hi, zero_point):
    chain = Chain((2,)).then(quant(0.5, -8, 7)).then(quant(0.5, lo, hi, zero_point=zero_point))
    chain.matmul_of(np.eye(2))
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (2,)))
    assert ops(analysis) == [IntStep, IntMatMul]


def test_the_integers_are_those_of_the_quantiser():
    chain = Chain((2,)).then(quant(1.0, 0, 1)).matmul_of([[1.0], [2.0]])
    chain.then(quant(2.0, 0, 255, zero_point=128, round_first=True), name="act")
    analysis = analyse(chain.matmul_of([[1.0]]).graph)
    # the sums 0, 1, 2, 3 halved and rounded to even: 0, 0, 1, 2
    assert op(analysis, "act").starts.tolist() == [[2, 3]]
    assert op(analysis, "act").values.tolist() == [[128, 129, 130]]
