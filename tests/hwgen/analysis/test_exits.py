import numpy as np
import pytest

from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntArgMax
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.quantisers import MultiThreshold
from hwgen.tensor.walk import Analysis, analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, ops, quarters
from tests.hwgen.chains import Chain, quant


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
            "y: an output must come from a MatMul, a Conv or a quantiser of a quantised stream, "
            "not a value that the host computes alone; give hwgen a model with at least one "
            "quantised layer"
        )
