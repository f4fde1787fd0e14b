import numpy as np
import pytest

from hwgen.integer.joins import IntAdd
from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntStep
from hwgen.tensor.elementwise import Binary, Unary
from hwgen.tensor.products import MatMul
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, ops, quarters
from tests.hwgen.chains import Chain, quant


def test_streams_are_not_multiplied():
    chain = Chain((2,)).then(quant(0.25, -8, 7))
    chain.matmul(chain.constant([[1.0], [3.0]])).then(quant(0.75, -8, 7), name="q")
    shared = chain.value
    chain.matmul(chain.constant([[2.0]]), name="left")
    left = chain.value
    chain.value = chain.node(MatMul(), shared, chain.constant([[3.0]]), name="right")
    chain.value = chain.node(Binary("mul"), left, chain.value, name="gate")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "gate: one of its inputs must be a constant, not two streams, left and right; "
        "two streams can be added, subtracted or concatenated"
    )


def test_division_by_zero_names_its_node():
    chain = Chain((2,)).then(quant(1.0, 0, 3)).binary("div", 0.0, name="halve")
    chain.matmul_of([[1.0], [2.0]])
    (problem,) = analyse(chain.graph).problems
    assert problem.node == "halve"


def test_a_constant_that_differs_inside_a_channel_is_refused():
    chain = Chain((3, 4)).then(quant(0.5, -4, 3)).matmul_of(np.ones((4, 2)))
    chain.binary("add", np.arange(6.0).reshape(3, 2), name="position")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "position: the constant must be one number, or one per channel (last axis of (3, 2)), not "
        "numbers of the shape (3, 2) that differ inside a channel"
    )


@pytest.mark.parametrize("fn", ["max", "min"])
@pytest.mark.parametrize("scale", [0.5, -0.5])
def test_a_clip_on_the_grid_stays_on_it(scale, fn):
    chain = Chain((3,)).then(quant(scale, -4, 3)).binary(fn, 0.5, name="clip")
    chain.matmul_of(np.eye(3), name="fc")
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))
    assert op(analysis, "clip").starts.shape[1] < 7
    assert np.abs(op(analysis, "fc").weights).tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("fn", ["sub", "div", "pow"])
def test_a_constant_on_the_left(fn):
    chain = Chain((3,)).then(quant(0.5, 1, 4)).binary(fn, 2.0, swapped=True)
    chain.then(quant(0.25, -8, 7)).matmul_of(np.ones((3, 2)))
    assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))


def test_a_constant_minus_the_input():
    chain = Chain((3,)).binary("add", 0.5).binary("sub", 0.75, swapped=True).binary("mul", 3.0)
    chain.then(quant(0.25, -8, 7)).matmul_of(np.ones((3, 2)))
    assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))


@pytest.mark.parametrize("quantised", [True, False])
def test_functions_of_the_same_integer_meet(quantised):
    # HardSwish: x * clip(x + 3, 0, 6) / 6
    chain = Chain((3,)).then(quant(0.5, -4, 3)).matmul_of(np.ones((3, 2))).binary("mul", 0.3)
    x = chain.value
    gate = chain.binary("add", 3.0).binary("max", 0.0).binary("min", 6.0).value
    chain.value = chain.node(Binary("mul"), x, gate)
    chain.binary("div", 6.0)
    if quantised:
        chain.then(quant(0.25, -8, 7)).matmul_of(np.ones((2, 2)))
    assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))


def test_sums_of_the_same_integer_stay_integers():
    chain = Chain((3,)).then(quant(0.5, -4, 3))
    x = chain.value
    other = chain.binary("mul", -3.0).binary("add", 1.0).value
    chain.value = chain.node(Binary("sub"), x, other)
    chain.matmul_of(np.eye(3), name="fc")
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))
    assert ops(analysis) == [IntMatMul]


@pytest.mark.parametrize("quantised", [True, False])
def test_a_quantised_gate_meets_its_own_input(quantised):
    # x * sigmoid(x) as exporters write it: the gate has a quantiser of its own
    chain = Chain((3,)).then(quant(0.5, -4, 3)).matmul_of(np.ones((3, 2)))
    x = chain.then(quant(0.75, -8, 7)).value
    gate = chain.then(Unary("sigmoid")).then(quant(1 / 16, 0, 15)).value
    chain.value = chain.node(Binary("mul"), x, gate)
    if quantised:
        chain.then(quant(0.25, -8, 7)).matmul_of(np.ones((2, 2)))
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))
    steps = [IntStep, IntStep] if quantised else [IntStep]
    assert [kind for kind in ops(analysis) if kind is IntStep] == steps


def test_both_sides_of_a_slope_are_one_function():
    # PRelu: relu(x) + slope * min(x, 0)
    chain = Chain((3,)).then(quant(0.5, -4, 3)).matmul_of(np.ones((3, 2)))
    x = chain.value
    above = chain.then(Unary("relu")).value
    chain.at(x).binary("min", 0.0).binary("mul", [0.3, 0.07])
    chain.value = chain.node(Binary("add"), above, chain.value)
    chain.then(quant(0.25, -8, 7)).matmul_of(np.ones((2, 2)))
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))
    assert ops(analysis) == [IntMatMul, IntStep, IntMatMul]


def test_two_quantisers_of_a_wide_integer_stay_two_streams():
    chain = Chain((3,)).then(quant(0.5, -4, 3)).matmul_of([[99.0, 1.0], [0.0, -99.0], [1.0, 99.0]])
    x = chain.value
    first = chain.then(quant(0.5, -8, 7)).value
    chain.at(x).binary("sub", 3.0).then(quant(0.25, -8, 7))
    chain.value = chain.node(Binary("add"), first, chain.value)
    chain.matmul_of(np.ones((2, 2)))
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))
    assert ops(analysis) == [IntMatMul, IntStep, IntStep, IntAdd, IntMatMul]
