from dataclasses import dataclass, replace

import numpy as np
import pytest

from cores.mvau import MatVec
from cores.types import IntType, StreamType
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.graph.stages import stage
from hwgen.graph.verify import verify
from hwgen.integer.op import IntegerOp, IntTensor
from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntStep
from hwgen.tensor.elementwise import Binary, Unary
from hwgen.tensor.op import TensorType
from hwgen.tensor.products import MatMul
from tests.hwgen.integer.foreign import Halve

X = Value("x", "")
FLOATS = TensorType((1, 2), "FLOAT")
INTS = IntTensor((2,), np.array([0, 0]), np.array([3, 3]))
STREAM = StreamType((2,), IntType(0, 3))


def graph(kind, op) -> Graph:
    return Graph({"x": kind}, (Node("n", op, (X,)),), {"y": Value("n")})


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (graph(FLOATS, Unary("relu")), "tensor"),
        (graph(INTS, IntMatMul(np.ones((1, 2), int), np.zeros(1, int))), "integer"),
        (graph(STREAM, MatVec(np.ones((1, 2), int), IntType(0, 3))), "dataflow"),
    ],
)
def test_legal_graphs_of_each_stage(found, name):
    assert stage(found) == name
    verify(found)


MORE = np.array([0, 1])


@dataclass(frozen=True, eq=False)
class Silent(Halve):
    """One that says nothing of its result."""

    def result_type(self, *inputs):
        return None


class Plain(IntegerOp):
    """One whose fields nobody can read."""

    def result_type(self, *inputs):
        return inputs[0]

    def compute(self, *x):
        return x[0]

    def lower(self, types):
        return None


def test_an_integer_op_from_elsewhere_is_legal():
    found = graph(INTS, Halve(MORE))
    verify(found)
    assert found.types[Value("n")].hi.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (graph(INTS, Plain()), r"^n: op must be a dataclass, not Plain$"),
        (graph(INTS, Silent(MORE)), r"^n: Silent must have a result_type, not None$"),
        (
            Graph({"x": INTS}, (Node("n", Halve(MORE), (Value("x", "left"),)),), {"y": Value("n")}),
            r"^n: input must be a port of a node, not x\.left$",
        ),
        (
            graph(TensorType((2, 2), "FLOAT"), Unary("relu")),
            r"^x: batch axis must have length 1, not \(2, 2\)$",
        ),
        (graph(FLOATS, Binary("add")), r"^n: Binary must have 2 inputs, not 1$"),
        (graph(FLOATS, INTS), r"^n: op must be a TensorOp, not IntTensor$"),
        (graph(INTS, MatMul()), r"^n: op must be an IntegerOp, not MatMul$"),
        (
            graph(INTS, IntMatMul(np.ones((1, 2)), np.zeros(1, int))),
            r"^n: weights must be int64, not float64$",
        ),
        (
            Graph(
                {"x": INTS},
                (Node("n", IntMatMul(np.ones((1, 2), int), np.zeros(1, int)), (X, X)),),
                {"y": Value("n")},
            ),
            r"^n: IntMatMul must have 1 input, not 2$",
        ),
        (
            graph(INTS, IntMatMul(np.ones((1, 3), int), np.zeros(1, int))),
            r"^n: weights must have the shape \(1, 2\) for this input, not \(1, 3\)$",
        ),
        (
            graph(INTS, IntStep(np.array([[1, 2], [2, 1]]), np.zeros((2, 3), int))),
            r"^n: starts must ascend in each channel, not fall as in 1$",
        ),
        (
            graph(
                replace(INTS, lo=np.array([0, 4])),
                IntStep(np.zeros((2, 0), int), np.zeros((2, 1), int)),
            ),
            r"^x: range must have lo <= hi, not u2$",
        ),
        (
            graph(STREAM, MatVec(np.ones((1, 2), int), IntType(0, 2))),
            r"^n\.i: x must lie within 0\.\.2, not u2$",
        ),
        (
            graph(STREAM, MatVec(np.ones((1, 3), int), IntType(0, 3))),
            r"^n\.i: shape must have the elements of \(3,\), not \(2,\)$",
        ),
        (
            Graph({"x": STREAM, "z": INTS}, (), {"y": X}, "mixed"),
            r"^mixed: inputs must be all of one stage, not IntTensor, StreamType$",
        ),
    ],
)
def test_a_broken_rule_names_its_node(found, message):
    with pytest.raises(CheckError, match=message):
        verify(found)
