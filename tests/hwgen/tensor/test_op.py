"""Tensor ops by their methods alone: an op that the tree lacks, and ops that break the contract."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pytest

from cores.op import Op
from cores.types import StreamType
from hwgen.analysis.coded import Coded
from hwgen.analysis.context import Context
from hwgen.analysis.scaled import Defined, Scaled
from hwgen.errors import CheckError
from hwgen.graph.verify import verify
from hwgen.integer.op import IntegerOp, IntTensor
from hwgen.numerics import enclosed, functions
from hwgen.numerics.enclosed import Enclosed
from hwgen.numerics.intervals import Interval
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.op import Shape, TensorOp
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.referee import evaluate
from hwgen.tensor.unsupported import Unsupported
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, quarters, run
from tests.hwgen.chains import Chain, bipolar, quant


@dataclass(frozen=True)
class IntCumSum(IntegerOp):
    """Sums of the channels up to each one."""

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        return IntTensor(x.shape, np.cumsum(x.lo), np.cumsum(x.hi))

    def compute(self, *x: np.ndarray) -> np.ndarray:
        return np.cumsum(*x, axis=-1)

    def lower(self, types: Sequence[StreamType]) -> Op | None:
        raise ValueError("no core")


@dataclass(frozen=True)
class CumSum(TensorOp):
    """Sums along an axis up to each element."""

    axis: int

    def result_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x
        bounds = Interval(*(np.cumsum(end, self.axis + 1) for end in (y.bounds.lo, y.bounds.hi)))
        index = np.arange(bounds.lo.size).reshape(y.shape)
        lines = np.moveaxis(index, self.axis + 1, -1)

        def exact(k: int):
            (line,) = (row for row in lines.reshape(-1, lines.shape[-1]) if k in row)
            return functions.total(y.exact(int(i)) for i in line[: list(line).index(k) + 1])

        return Enclosed(bounds, exact)

    def analyse(self, at: Context, *x: Defined) -> Scaled:
        stream = at.integers(*x)
        at.require_channels(stream, self.axis)
        at.one_scale(stream)
        sums = accumulate(stream.bias.item(c) for c in range(stream.layout.channels))
        return at.behind(IntCumSum(), stream, scale=stream.scale, bias=Coded.of_list(list(sums)))

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index


class TestAnOpFromElsewhere:
    def test_its_integers_are_the_referees(self):
        # scale 2s and bias -s per channel, then a scale and a shift behind
        chain = Chain((3,)).then(bipolar(0.5)).then(CumSum(1), name="sums")
        chain.binary("mul", 0.5).binary("add", [1.0, 2.0, 3.0])
        analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(1), (3,)))
        assert isinstance(op(analysis, "sums"), IntCumSum)
        assert analysis.fates["sums"] == "CumSum"

    def test_hand_worked(self):
        chain = Chain((3,)).then(quant(0.5, 0, 7)).then(CumSum(1))
        assert run(analyse(chain.graph), np.array([[0.5, 1.0, 2.0]])).tolist() == [[0.5, 1.5, 3.5]]

    def test_between_a_quantiser_and_a_convolution(self):
        chain = Chain((2, 3, 3)).then(quant(0.5, -4, 3)).then(CumSum(1), name="sums")
        chain.binary("add", 0.25).then(quant(0.5, -8, 7)).conv(np.ones((1, 2, 2, 2)))
        x = quarters(np.random.default_rng(2), (2, 3, 3))
        assert isinstance(op(assert_equals_the_referee(chain.graph, x), "sums"), IntCumSum)

    def test_its_trail_is_told(self):
        chain = Chain((3,)).then(quant(0.5, 0, 7)).binary("mul", 3.0, name="scaled")
        analysis = analyse(chain.then(CumSum(1), name="sums").graph)
        assert analysis.fates["scaled"] == "folded into sums"

    @pytest.mark.parametrize(
        ("chain", "message"),
        [
            (
                Chain((3,)).then(CumSum(1), name="s"),
                (
                    "s: input x must be quantised in front of its first CumSum, not float numbers; "
                    "pass its type, such as --input-type u8 (integers 0..255) or --input-type "
                    "s8:2^-5 (-128..127 in steps of 1/32)"
                ),
            ),
            (
                Chain((2, 3)).then(quant(1.0, 0, 7)).then(CumSum(2), name="s"),
                (
                    "s: it must work along the channels of its input, not axis 2 of (1, 2, 3) in a "
                    "(3, 2) stream; remove the Reshape or Transpose in front, or choose the axis "
                    "of the channels"
                ),
            ),
            (
                Chain((2,)).then(quant([[1.0, 0.5]], 0, 7)).then(CumSum(1), name="s"),
                (
                    "s: all channels of its input must have one scale, not 2 scales between 0.5 "
                    "and 1; put a quantiser in front of it, with one scale for all channels"
                ),
            ),
        ],
    )
    def test_it_refuses_in_the_words_of_the_tree(self, chain, message):
        assert [str(problem) for problem in analyse(chain.graph).problems] == [message]


@dataclass(frozen=True)
class Narrow(CumSum):
    """Promises one element less than it gives."""

    def result_shape(self, *shapes: Shape) -> Shape:
        return (1, shapes[0][1] - 1)


class TestTheContract:
    WRONG = r"^n: Narrow must give the shape \(1, 2\), not \(1, 3\)$"
    NARROW = Chain((3,)).then(quant(1.0, 0, 7)).then(Narrow(1), name="n").graph

    def test_the_analysis_holds_an_op_to_its_shape(self):
        with pytest.raises(
            CheckError, match=r"^n: Narrow must give the shape \(1, 2\), not \(1, 3\)$"
        ):
            analyse(self.NARROW)

    def test_the_referee_holds_an_op_to_its_shape(self):
        with pytest.raises(
            CheckError, match=r"^n: Narrow must give the shape \(1, 2\), not \(1, 3\)$"
        ):
            evaluate(self.NARROW, {"x": np.zeros((1, 3))})

    @pytest.mark.parametrize(
        "check", [verify, analyse, lambda g: evaluate(g, {"x": np.ones((1, 2))})]
    )
    def test_an_op_of_another_kind_is_named(self, check):
        graph = Chain((2,)).then("relu", name="act").graph
        with pytest.raises(CheckError, match=r"^act: op must be a TensorOp, not str$"):
            check(graph)

    def test_an_op_that_does_not_take_its_inputs_is_named(self):
        chain = Chain((2,))
        chain.value = chain.node(Slice((0,), (1,), (1,)), chain.value, name="cut")
        message = r"^cut: starts must be given for the 2 axes of the input, not 1$"
        with pytest.raises(CheckError, match=message):
            evaluate(chain.graph, {"x": np.zeros((1, 2))})


POOL = ((2, 2), (2, 1), (1, 2), ((0, 0), (1, 0)))


@pytest.mark.parametrize(
    ("op", "shapes", "wanted"),
    [
        (Constant(np.zeros((2, 3))), [], (2, 3)),
        (Unary("relu"), [(1, 4)], (1, 4)),
        (Binary("add"), [(1, 3, 1), (4,)], (1, 3, 4)),
        (quant([[0.5], [1.0]], 0, 3), [(1, 2, 1)], (1, 2, 1)),
        (quant(np.ones((1, 2, 1)), 0, 3), [(1, 4)], (1, 2, 4)),
        (MultiThreshold(np.zeros((3, 2)), 1.0, 0.0, 1), [(1, 3, 5)], (1, 3, 5)),
        (MatMul(), [(1, 4), (4, 5)], (1, 5)),
        (MatMul(), [(4,), (4, 5)], (5,)),
        (MatMul(), [(2, 1, 3, 4), (7, 4, 5)], (2, 7, 3, 5)),
        (MatMul(), [(6, 4), (4,)], (6,)),
        (MatMul(), [(4,), (4,)], ()),
        (MatMul(), [(2, 1, 5, 4), (3, 4, 6)], (2, 3, 5, 6)),
        (Conv((2,), (3,), ((1, 2),), 2), [(1, 4, 9), (6, 2, 3)], (1, 6, 3)),
        (MaxPool(*POOL), [(1, 3, 5, 4)], (1, 3, 2, 3)),
        (AveragePool(*POOL, True), [(1, 3, 5, 4)], (1, 3, 2, 3)),
        (Mean((-1, 1), True), [(1, 2, 3, 4)], (1, 1, 3, 1)),
        (Mean((-1, 1), False), [(1, 2, 3, 4)], (1, 3)),
        (Pad(((0, 0), (1, 2)), 0.0), [(1, 3)], (1, 6)),
        (Concat(1), [(1, 2, 5), (1, 3, 5)], (1, 5, 5)),
        (Slice((0, 1), (1, 9), (1, 3)), [(1, 8)], (1, 3)),
        (Repeat((1, 3)), [(1, 4)], (1, 12)),
        (Dilate((1, 3)), [(1, 4)], (1, 10)),
        (Reshape((1, 2, 3)), [(1, 6)], (1, 2, 3)),
        (Transpose((0, 2, 1)), [(1, 2, 3)], (1, 3, 2)),
        (Softmax(-1), [(1, 4)], (1, 4)),
        (ArgMax(-1, False), [(1, 4, 5)], (1, 4)),
        (ArgMax(1, True), [(1, 4, 5)], (1, 1, 5)),
    ],
)
def test_the_shape_is_that_of_what_the_op_evaluates_to(op, shapes, wanted):
    assert op.result_shape(*shapes) == wanted
    args = [enclosed.stored(np.ones((1, *shape))) for shape in shapes]
    assert op.evaluate(*args).shape == (1, *wanted)


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (Binary("add"), [(2,), (3,)], "input shapes must broadcast, not (2,) and (3,)"),
        (
            quant(np.ones(2), 0, 3),
            [(1, 3)],
            "shapes of input, scale and zero point must broadcast, not (1, 3), (2,), ()",
        ),
        (
            MultiThreshold(np.zeros((3, 2)), 1.0, 0.0, 1),
            [(1, 4)],
            "thresholds must be given for 1 or all channels of axis 1 of (1, 4), not 3",
        ),
        (
            MatMul(),
            [(1, 3), (4, 5)],
            "factors of a matrix product must fit, not shapes (1, 3) and (4, 5)",
        ),
        (
            MatMul(),
            [(2, 1, 3), (5, 3, 1)],
            "stacks of matrices must broadcast, not (2, 1, 3) and (5, 3, 1)",
        ),
        (
            Conv((1,), (1,), ((0, 0),)),
            [(1, 2), (1, 2, 1)],
            "input and weights must have 3 axes, not (1, 2) and (1, 2, 1)",
        ),
        (
            Conv((1,), (1,), ((0, 0),), 2),
            [(1, 2, 9), (4, 2, 3)],
            "weights must fit 2 channels in 2 groups, not (4, 2, 3)",
        ),
        (
            Conv((1,), (2,), ((0, 0),)),
            [(1, 1, 4), (1, 1, 3)],
            "the kernel (3,) must fit the padded input, not (4,)",
        ),
        (MaxPool(*POOL), [(1, 3, 4)], "the input must have 4 axes, not (1, 3, 4)"),
        (
            AveragePool(*POOL),
            [(1, 3, 1, 4)],
            "the kernel (2, 2) must fit the padded input, not (1, 4)",
        ),
        (Mean((2,), True), [(1, 3)], "axes must be among the 2 of the input, not (2,)"),
        (Pad(((0, 0),), 0.0), [(1, 3)], "pads must be given for the 2 axes of the input, not 1"),
        (
            Concat(1),
            [(1, 2, 3), (1, 2, 4)],
            "shapes must differ on axis 1 only, not (1, 2, 3) and (1, 2, 4)",
        ),
        (Repeat((1,)), [(1, 3)], "factors must be given for the 2 axes of the input, not 1"),
        (Dilate((1,)), [(1, 3)], "factors must be given for the 2 axes of the input, not 1"),
        (Reshape((1, 5)), [(1, 6)], "shape must keep the 6 elements of (1, 6), not be (1, 5)"),
        (Transpose((0, 2)), [(1, 6)], "perm must order the 2 axes of the input, not (0, 2)"),
        (Softmax(2), [(1, 6)], "axis must be among the 2 of the input, not 2"),
        (ArgMax(2, True), [(1, 6)], "axis must be among the 2 of the input, not 2"),
        (Unsupported("LRN", "no"), [(1, 6)], "LRN has no known shape: no"),
    ],
)
def test_inputs_that_do_not_fit_are_told(op, shapes, message):
    with pytest.raises(ValueError) as caught:
        op.result_shape(*shapes)
    assert str(caught.value) == message


def test_every_op_of_the_tree_says_how_many_inputs_it_takes():
    kinds = [kind for kind in TensorOp.__subclasses__() if kind.__module__.startswith("hwgen")]
    assert {kind.__name__: kind.arity for kind in kinds if kind.arity != 1} == {
        "Constant": 0,
        "Binary": 2,
        "MatMul": 2,
        "Conv": 2,
        "Concat": None,
        "Unsupported": None,
    }
    assert Quant in kinds
