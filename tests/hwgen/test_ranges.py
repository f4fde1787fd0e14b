"""The analysis: integer graph and host edges equal the referee, and every problem is named."""

import json

import numpy as np
import pytest

from hwgen.host.edges import apply
from hwgen.input_type import parse_input_type
from hwgen.integer import IntArgMax, IntMatMul, Step
from hwgen.interpret import interpret_integer
from hwgen.ir import Graph
from hwgen.ranges import Analysis, analyse
from hwgen.referee import evaluate
from hwgen.tensor import (
    ArgMax,
    Binary,
    Constant,
    MatMul,
    MultiThreshold,
    Reshape,
    Softmax,
    Transpose,
    Unary,
    Unsupported,
)
from tests.hwgen.chains import Chain, bipolar, quant, random_model


def run(analysis: Analysis, x: np.ndarray) -> np.ndarray:
    """What the accelerator with its host edges returns; edges go through JSON."""
    assert analysis.problems == []
    assert analysis.graph is not None
    ((name, entry),) = analysis.input_edges.items()
    ((output, leave),) = analysis.output_edges.items()
    entry, leave = json.loads(json.dumps([entry, leave]))
    integers = interpret_integer(analysis.graph, {name: apply(entry, x)})
    return apply(leave, integers[output])


def assert_equals_the_referee(graph: Graph, x: np.ndarray) -> Analysis:
    analysis = analyse(graph)
    y = run(analysis, x)
    wanted = evaluate(graph, {"x": x})["y"].astype(y.dtype)
    assert y.shape == wanted.shape
    assert np.array_equal(y, wanted)
    return analysis


def ops(analysis: Analysis) -> list[type]:
    assert analysis.graph is not None
    return [type(node.op) for node in analysis.graph]


def op(analysis: Analysis, name: str):
    assert analysis.graph is not None
    return analysis.graph.by_name[name].op


def quarters(rng: np.random.Generator, shape: tuple[int, ...], frames: int = 12) -> np.ndarray:
    return rng.integers(-16, 17, (frames, *shape)) / 4


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


def test_bipolar_products_count_equal_bits():
    chain = Chain((4,)).then(bipolar(1.0))
    chain.matmul(chain.constant([[1.0], [-1.0], [1.0], [-1.0]]), name="fc")
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (4,)))
    fc = op(analysis, "fc")
    assert (fc.weights.tolist(), fc.offset.tolist()) == ([[1, -1, 1, -1]], [2])
    x = np.array([[1.0, -1.0, 1.0, -1.0]])
    assert interpret_integer(analysis.graph, {"x": apply(analysis.input_edges["x"], x)})[
        "y"
    ].tolist() == [[4]]


def test_zero_points_of_weights_are_folded_into_them():
    chain = Chain((2,)).then(quant(1.0, 0, 255, zero_point=128, round_first=True))
    stored = chain.constant([[100.0], [-127.0]])
    weights = chain.node(quant(1.0, 0, 255, zero_point=127, round_first=True), stored)
    chain.matmul(weights, name="fc")
    analysis = assert_equals_the_referee(
        chain.graph, np.array([[3.0, -128.0], [127.0, 127.0], [0.0, 0.0]])
    )
    assert op(analysis, "fc").weights.tolist() == [[100, -127]]


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
    assert ops(analysis) == [IntMatMul, Step, IntMatMul]


def test_a_value_with_two_users_is_one_step():
    chain = Chain((2,)).then(quant(0.25, -8, 7))
    chain.matmul(chain.constant([[1.0], [3.0]])).then(quant(0.75, -8, 7), name="q")
    shared = chain.value
    chain.matmul(chain.constant([[2.0]]), name="left")
    left = chain.value
    chain.value = chain.node(MatMul(), shared, chain.constant([[3.0]]), name="right")
    chain.value = chain.node(Binary("add"), left, chain.value, name="sum")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "sum: one of its inputs must be a constant, not two streams, left and right; "
        "joins of streams (residual Add, Concat, products of activations) are not supported yet; "
        "use a model without branches"
    )


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


def test_scales_per_channel_fold_into_the_weights():
    chain = Chain((3,)).then(quant([[0.5, 1.0, 1.5]], -4, 3))
    chain.matmul(chain.constant([[1.0], [1.0], [-1.0]]), name="fc")
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (3,)))
    assert op(analysis, "fc").weights.tolist() == [[1, 2, -3]]


def test_unrelated_scales_per_channel_are_refused():
    scale = np.array([[0.1, 0.2, 0.3]], np.float32)
    chain = Chain((3,)).then(quant(scale, -4, 3))
    chain.matmul(chain.constant(np.ones((3, 1))), name="fc")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "fc: the scales of its input channels must be multiples of a common one by integers of at "
        "most 16 bits, weights included, not 3 scales between 0.1 and 0.3; give the quantiser in "
        "front one scale for all channels"
    )


def test_weights_without_a_quantiser_are_refused():
    chain = Chain((3,)).then(quant(1.0, 0, 3))
    raw = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    chain.matmul(chain.constant(raw), name="fc")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "fc: weights must lie on an integer grid of at most 16 bits, not weights without a "
        "quantiser (row 0 has 3 different values); quantise the weights and export their "
        "quantiser with them"
    )


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


def test_products_of_activations_are_refused():
    chain = Chain((2, 2)).then(quant(1.0, 0, 3))
    chain.value = chain.node(MatMul(), chain.value, chain.value, name="attention")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "attention: one factor must be a constant weight matrix, not two activations; products of "
        "activations (attention) are not supported yet"
    )


def test_division_by_zero_names_its_node():
    chain = Chain((2,)).then(quant(1.0, 0, 3)).binary("div", 0.0, name="halve")
    chain.matmul_of([[1.0], [2.0]])
    (problem,) = analyse(chain.graph).problems
    assert problem.node == "halve"


def test_a_model_has_one_output():
    chain = Chain((2,)).then(quant(1.0, 0, 3)).matmul_of([[1.0], [2.0]])
    graph = Graph(chain.inputs, tuple(chain.nodes), {"y": chain.value, "z": chain.value})
    (problem,) = analyse(graph).problems
    assert (
        str(problem)
        == "y, z: a model must have one output, not 2; cut the model so that one output is left"
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


def test_products_per_position():
    rng = np.random.default_rng(6)
    chain = Chain((3, 4)).then(quant(0.5, -4, 3))
    chain.matmul(chain.constant(rng.integers(-3, 4, (4, 5)).astype(float)), name="fc")
    chain.binary("add", rng.normal(size=5).astype(np.float32)).then(quant(0.5, -4, 3))
    chain.matmul(chain.constant(rng.integers(-3, 4, (5, 2)).astype(float)))
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (3, 4)))
    assert analysis.graph is not None
    assert analysis.graph.inputs["x"].shape == (3, 4)


def test_a_constant_that_differs_inside_a_channel_is_refused():
    chain = Chain((3, 4)).then(quant(0.5, -4, 3)).matmul_of(np.ones((4, 2)))
    chain.binary("add", np.arange(6.0).reshape(3, 2), name="position")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "position: the constant must be one number, or one per channel (last axis of (3, 2)), not "
        "numbers of the shape (3, 2) that differ inside a channel"
    )


def test_a_product_over_positions_is_refused():
    chain = Chain((3, 4)).then(quant(0.5, -4, 3)).matmul_of(np.ones((4, 2)))
    chain.then(quant(1.0, 0, 3)).then(Reshape((1, 6))).matmul_of(np.ones((6, 2)), name="flat")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "flat: each product must sum the channels of one position of its input, 2 here, not 6 "
        "elements of several positions of a (3, 2) stream; flatten in front of the first MatMul "
        "instead of between MatMuls"
    )


class TestEndings:
    def chain(self) -> Chain:
        rng = np.random.default_rng(7)
        chain = Chain((3,)).then(quant(0.5, -4, 3))
        return chain.matmul_of(rng.integers(-3, 4, (3, 4)), name="fc")

    def check(self, chain: Chain) -> Analysis:
        return assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(8), (3,), 40))

    def test_argmax_with_biases_compares_their_fractions(self):
        chain = self.chain().binary("add", [0.75, 0.75, 0.8, 0.5]).then(ArgMax(1, True), name="top")
        analysis = self.check(chain)
        assert ops(analysis) == [IntMatMul, IntArgMax]
        assert analysis.fates["top"] == "ArgMax of 4"
        # in units of 1/2: 1.5, 1.5, 1.6, 1 -> floors 1, ranks by the fractions 0.5, 0.5, 0.6, 0
        assert op(analysis, "top").offset.tolist() == [0, 0, 0, 0]
        assert op(analysis, "top").rank.tolist() == [1, 1, 2, 0]

    @pytest.mark.parametrize("factor", [1.0, -1.0])
    @pytest.mark.parametrize("largest", [True, False])
    def test_argmax_of_a_negative_scale_and_argmin_flip_the_weights(self, factor, largest):
        chain = self.chain().binary("mul", factor).binary("add", [0.3, 0.0, 0.0, -0.2])
        analysis = self.check(chain.then(ArgMax(-1, False, largest)))
        assert ops(analysis) == [IntMatMul, IntArgMax]

    def test_argmax_of_different_scales_is_on_the_host(self):
        chain = self.chain().binary("mul", [1.0, 2.0, 1.0, 1.0]).then(ArgMax(1, True), name="top")
        analysis = self.check(chain)
        assert ops(analysis) == [IntMatMul]
        assert analysis.fates["top"] == "host: argmax (its channels have different scales)"

    def test_argmax_behind_a_softmax_is_on_the_chip(self):
        analysis = self.check(self.chain().then(Softmax(1)).then(ArgMax(1, True)))
        assert ops(analysis) == [IntMatMul, IntArgMax]

    def test_an_output_quantiser_is_a_table_on_the_host(self):
        analysis = self.check(self.chain().binary("div", 3.0).then(quant(0.25, -8, 7)))
        assert [step["op"] for step in analysis.output_edges["y"]] == [
            "step", "affine", "reshape", "float32",
        ]  # fmt: skip

    def test_softmax_then_quantiser(self):
        self.check(self.chain().then(Softmax(1)).then(quant(1 / 256, 0, 255)))

    def test_softmax_in_the_middle_is_refused(self):
        chain = self.chain().then(Softmax(1)).matmul_of(np.ones((4, 2)), name="after")
        (problem,) = analyse(chain.graph).problems
        assert str(problem) == (
            "after: Softmax and argmax must stand behind the last MatMul, not one in front of "
            "this node; cut the model there"
        )

    def test_thresholds_at_the_end(self):
        op = MultiThreshold(np.array([[-1.0, 0.0, 2.5]]), 0.5, -1.0, 1)
        self.check(self.chain().then(op))

    def test_a_model_without_layers_is_refused(self):
        chain = Chain((3,)).then(quant(0.5, -4, 3))
        (problem,) = analyse(chain.graph).problems
        assert str(problem) == (
            "y: an output must come from a MatMul or a quantiser of a quantised stream, not a "
            "value that the host computes alone; give hwgen a model with at least one quantised "
            "layer"
        )


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
