"""The analysis: integer graph and host edges equal the referee, and every problem is named."""

import numpy as np
import pytest

from hwgen.graph.ir import Graph, Value
from hwgen.tensor.elementwise import Constant, Unary
from hwgen.tensor.ends import Softmax
from hwgen.tensor.input_type import parse_input_type
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.products import MatMul
from hwgen.tensor.unsupported import Unsupported
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, quarters, run
from tests.hwgen.chains import Chain, quant, random_model


@pytest.mark.parametrize("seed", range(150))
def test_random_models_equal_the_referee(seed):
    rng = np.random.default_rng(seed)
    graph = random_model(rng)
    analysis = analyse(graph)
    if analysis.problems:  # a max between levels: no common grid
        assert all("must lie on an integer grid" in str(p) for p in analysis.problems)
        return
    shape = graph.inputs["x"].shape[1:]
    x = np.concatenate([quarters(rng, shape), rng.normal(size=(12, *shape)).astype(np.float32)])
    assert_equals_the_referee(graph, x)


def test_a_hand_worked_layer():
    # n in 0..3, weights 2 and -1 in steps of 1/2: y = m / 4 with m = 2n0 - n1. A quantiser of step
    # 1/2 sees m / 2: its ties 1/2, 3/2 and 5/2 go to 0, 2 and 2, so it changes at m = 2, 3 and 6.
    chain = Chain((2,)).then(quant(0.5, 0, 3), name="q")
    weights = chain.node(quant(0.5, -4, 3), chain.constant([[1.0], [-0.5]]))
    chain.matmul(weights, name="fc").then(Unary("relu")).then(quant(0.5, 0, 3), name="act")
    chain.matmul(chain.constant([[1.0]]), name="last")
    analysis = analyse(chain.graph)
    assert op(analysis, "fc").weights.tolist() == [[2, -1]]
    assert op(analysis, "act").starts.tolist() == [[2, 3, 6]]
    assert op(analysis, "act").values.tolist() == [[0, 1, 2, 3]]
    assert run(analysis, np.array([[1.5, 0.0], [1.0, 0.5]])).tolist() == [[1.5], [1.0]]


def test_a_float_input_asks_for_its_type():
    chain = Chain((2,)).binary("mul", 2.0).matmul_of([[1.0], [2.0]], name="fc")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "fc: input x must be quantised in front of its first MatMul, not float numbers; pass its "
        "type, such as --input-type u8 (integers 0..255) or --input-type s8:2^-5 (-128..127 in "
        "steps of 1/32)"
    )
    analysis = analyse(chain.graph, {"x": parse_input_type("s4:0.25")})
    assert run(analysis, np.array([[0.3, -99.0]])).tolist() == [[2 * (0.25 - 4.0)]]


def test_all_problems_come_at_once_and_nobody_is_blamed_twice():
    chain = Chain((2,))
    chain.matmul_of([[1.0], [2.0]], name="fc")  # no quantiser
    chain.then(quant(1.0, 0, 3)).matmul_of([[1.0]], name="fc2")
    bad = chain.constant([[np.nan]])
    known = chain.node(Unary("relu"), bad, name="bad_constant")
    chain.value = chain.node(MatMul(), chain.value, known, name="fc3")
    assert [problem.node for problem in analyse(chain.graph).problems] == ["fc", "bad_constant"]


def test_behind_an_unsupported_node_nothing_is_blamed():
    chain = Chain((2,)).then(Unsupported("Gelu", "it is not mapped")).matmul_of([[1.0], [2.0]])
    analysis = analyse(chain.graph)
    assert (analysis.problems, analysis.graph) == ([], None)


@pytest.mark.parametrize("layer", [True, False])
def test_further_outputs_of_an_unsupported_node_are_not_blamed(layer):
    chain = Chain((2,)).then(Unsupported("LSTM", "it is not mapped"), name="lstm")
    chain.at(Value("lstm", "o2"))
    if layer:
        chain.matmul_of([[1.0], [2.0]])
    analysis = analyse(chain.graph)
    assert (analysis.problems, analysis.graph) == ([], None)


def test_products_of_activations_are_refused():
    chain = Chain((2, 2)).then(quant(1.0, 0, 3))
    chain.value = chain.node(MatMul(), chain.value, chain.value, name="attention")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "attention: one factor must be a constant weight matrix, not two activations; products of "
        "activations (attention) are not supported yet"
    )


def test_a_model_has_one_output():
    chain = Chain((2,)).then(quant(1.0, 0, 3)).matmul_of([[1.0], [2.0]])
    graph = Graph(chain.inputs, tuple(chain.nodes), {"y": chain.value, "z": chain.value})
    (problem,) = analyse(graph).problems
    assert (
        str(problem)
        == "y, z: a model must have one output, not 2; cut the model so that one output is left"
    )


def test_any_mix_of_rearrangements_is_exact():
    rng = np.random.default_rng(5)
    chain = Chain((2, 3, 2)).then(quant(0.5, -4, 3))
    chain.then(Transpose((0, 2, 3, 1))).then(Reshape((1, 4, 3))).then(Transpose((0, 2, 1)))
    chain.then(Reshape((1, 12, 1, 1))).then(Reshape((1, 12)))
    chain.matmul(chain.constant(rng.integers(-3, 4, (12, 6)).astype(float)))
    chain.then(Reshape((1, 2, 3))).then(Transpose((0, 2, 1))).then(quant(0.5, -4, 3))
    chain.then(Reshape((1, 6))).matmul(chain.constant(rng.integers(-3, 4, (6, 4)).astype(float)))
    chain.then(Reshape((1, 2, 2))).then(Transpose((0, 2, 1)))
    assert_equals_the_referee(chain.graph, quarters(rng, (2, 3, 2)))


def test_fates_tell_where_each_node_went():
    chain = Chain((2,)).binary("div", 255.0, name="pixels").then(quant(0.5, 0, 3), name="q")
    chain.then(Reshape((1, 1, 2)), name="view").then(Reshape((1, 2)))
    chain.matmul(chain.node(Constant(np.eye(2)), name="w"), name="fc")
    chain.binary("mul", 0.3, name="gamma").then(Unary("relu"), name="relu")
    chain.then(quant(0.1, 0, 3), name="act").binary("mul", 2.0, name="scale")
    chain.matmul_of(np.eye(2), name="last").then(Softmax(1), name="soft")
    fates = analyse(chain.graph).fates
    wanted = {
        "pixels": "host: before the accelerator",
        "q": "host: quantises the input",
        "view": "vanishes",
        "w": "constant",
        "fc": "MatVec 2x2",
        "gamma": "folded into the thresholds of act",
        "relu": "folded into the thresholds of act",
        "act": "MultiThreshold 2 x 2",
        "scale": "folded into last",
        "last": "MatVec 2x2",
        "soft": "host: softmax",
    }
    assert {name: fates[name] for name in wanted} == wanted
