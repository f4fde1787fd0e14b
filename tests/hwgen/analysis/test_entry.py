"""The host edge of an input decides exactly what the model's quantiser decides."""

from fractions import Fraction

import numpy as np
import pytest

from hwgen.host.edges import apply
from hwgen.numerics.exact import ROUNDINGS
from hwgen.tensor.elementwise import Binary, Unary
from hwgen.tensor.products import MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.referee import trace
from hwgen.tensor.walk import analyse
from tests.hwgen.chains import Chain, bipolar, quant


def first_quantiser(chain: Chain):
    """Edge and integer graph input of a chain that ends in its first quantiser."""
    quantised = chain.value
    chain.matmul(chain.constant(np.eye(chain.inputs["x"].shape[-1]) * 0.5))
    analysis = analyse(chain.graph)
    assert analysis.problems == []
    return analysis.input_edges["x"], quantised


def assert_equals_the_referee(chain: Chain, x: np.ndarray):
    edge, quantised = first_quantiser(chain)
    wanted = trace(chain.graph, {"x": x}).integers(quantised)
    assert np.array_equal(apply(edge, x), wanted)
    return edge


@pytest.mark.parametrize("round_first", [False, True])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("slope", [3.0, -3.0])
def test_thresholds_behind_a_scaled_input_tie_as_the_model_does(slope, rounding, round_first):
    # 3x / 1.5 = 2x: multiples of 1/4 of x are ties, integers and halfway points.
    chain = Chain((2,)).binary("mul", slope).binary("sub", 1.5)
    chain.then(quant(1.5, -3, 4, zero_point=1, rounding=rounding, round_first=round_first))
    x = np.arange(-24, 24).reshape(-1, 2) / 8
    beside = np.concatenate([x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf)])
    edge = assert_equals_the_referee(chain, beside)
    assert [step["op"] for step in edge] == ["reshape", "step", "int64"]


def test_a_division_that_float64_cannot_hold_is_decided_exactly():
    # floor(x / 255 * 15) = floor(x / 17): 1/17 is no float64, multiples of 17 are the tests.
    chain = Chain((1,)).binary("div", 255.0).binary("mul", 15.0)
    chain.then(quant(1.0, 0, 15, rounding="FLOOR"))
    edge, _ = first_quantiser(chain)
    x = np.arange(256.0).reshape(-1, 1)
    assert apply(edge, x).ravel().tolist() == [n // 17 for n in range(256)]


def test_a_bare_quantiser_stays_one():
    edge = assert_equals_the_referee(
        Chain((3,)).then(quant(0.3, -8, 7)), np.arange(-30, 30).reshape(-1, 3) / 8
    )
    assert [step["op"] for step in edge] == ["reshape", "quantise", "reshape", "int64"]


def test_bipolar_takes_zero_as_one():
    chain = Chain((3,)).binary("mul", 2.0).binary("sub", 1.0).then(bipolar(1.0))
    edge, _ = first_quantiser(chain)
    assert apply(edge, np.array([[0.5, 0.4, 0.6]])).tolist() == [[1, 0, 1]]


def test_thresholds_per_channel_and_their_order():
    op = MultiThreshold(np.array([[1.0, 0.0], [5.0, 5.0]]), 1.0, 0.0, 1)
    for chain in (Chain((2,)), Chain((2,)).binary("mul", -2.0)):
        assert_equals_the_referee(chain.then(op), np.arange(-12, 12).reshape(-1, 2) / 2)


def test_scale_per_channel_of_a_scaled_input():
    chain = Chain((2,)).binary("div", 3.0).then(quant([[0.5, 0.25]], -8, 7))
    assert_equals_the_referee(chain, np.arange(-40, 40).reshape(-1, 2) / 16)


def test_a_curve_in_front_is_computed_on_the_host():
    chain = Chain((2,))
    gate = chain.node(Unary("sigmoid"), chain.value)
    chain.value = chain.node(Binary("mul"), chain.value, gate)
    chain.then(quant(0.125, 0, 31))
    assert_equals_the_referee(chain, np.linspace(-3, 5, 64).reshape(-1, 2))


def test_rounding_without_a_range_is_left_to_the_host():
    chain = Chain((2,)).then(Quant(np.array(0.25), np.array(0.0), None, None, "FLOOR"))
    edge = assert_equals_the_referee(
        chain.then(quant(0.5, -8, 7)), np.arange(-40, 40).reshape(-1, 2) / 16
    )
    assert [step["op"] for step in edge].count("quantise") == 2


def test_an_input_is_quantised_once():
    chain = Chain((2,))
    x = chain.value
    first = chain.node(quant(1.0, 0, 3), x, name="q1")
    second = chain.node(quant(0.5, 0, 3), x, name="q2")
    weights = chain.constant(np.eye(2))
    a, b = (chain.node(MatMul(), q, weights, name=f"fc_{q.node}") for q in (first, second))
    chain.value = chain.node(Binary("add"), a, b, name="sum")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "q2: input x must be quantised once, not a second time after q1; "
        "quantise the input in front of the branch"
    )


def test_integer_inputs_need_no_quantiser():
    chain = Chain((2,), "INT8").binary("sub", -128.0).binary("mul", float(Fraction(1, 256)))
    chain.matmul(chain.constant(np.array([[1.0], [-2.0]])))
    analysis = analyse(chain.graph)
    assert analysis.graph is not None
    assert str(analysis.graph.inputs["x"].dtype) == "s8"
    x = np.array([[-128, 127]], np.int8)
    assert apply(analysis.input_edges["x"], x).tolist() == [[-128, 127]]
