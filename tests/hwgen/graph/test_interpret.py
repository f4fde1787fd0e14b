from dataclasses import replace

import numpy as np
import pytest

from cores.mvau import MatVec
from cores.types import IntType, StreamType
from hwgen.errors import CheckError, InputError
from hwgen.graph.interpret import interpret_dataflow, interpret_integer, trace_integer
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.joins import IntAdd
from hwgen.integer.moves import IntReshape
from hwgen.integer.op import IntTensor
from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntArgMax, IntStep
from tests.hwgen.integer.foreign import Halve

X = Value("x", "")


def graph(*ops) -> Graph:
    nodes, value = [], X
    for k, op in enumerate(ops):
        nodes.append(Node(f"n{k}", op, (value,)))
        value = nodes[-1].out
    kind = IntTensor((2,), np.array([0, -4]), np.array([3, 4]))
    return Graph({"x": kind}, tuple(nodes), {"y": value})


def test_each_value_of_a_worked_example():
    product = IntMatMul(np.array([[1, 2], [-1, 0]]), np.array([10, 0]))
    step = IntStep(np.array([[12, 14], [-2, -1]]), np.array([[0, 1, 2], [7, 8, 9]]))
    top = IntArgMax(np.array([0, -7]), np.array([0, 1]))
    found = graph(product, step, top)
    x = np.array([[3, 1], [2, 0], [0, -4]])
    values = trace_integer(found, {"x": x})
    assert values[Value("n0")].tolist() == [[15, -3], [12, -2], [2, 0]]
    assert values[Value("n1")].tolist() == [[2, 7], [1, 8], [0, 9]]
    # keys: (2, 0) (0, 1) - (1, 0) (1, 1) - (0, 0) (2, 1)
    assert interpret_integer(found, {"x": x})["y"].tolist() == [[0], [1], [1]]


def test_many_frames_come_back_in_their_order():
    x = np.arange(300) % 4
    found = interpret_integer(graph(), {"x": np.stack([x, x], axis=1)})["y"]
    assert np.array_equal(found[:, 0], x)


def test_a_value_with_two_users_reaches_both():
    nodes = (
        Node("a", IntReshape((2,)), (X,)),
        Node("b", IntAdd(np.ones((2, 2), int), np.zeros(2, int)), (Value("a"), X)),
        Node("c", IntAdd(np.ones((2, 2), int), np.zeros(2, int)), (Value("a"), Value("b"))),
    )
    whole = replace(graph(), nodes=nodes, outputs={"y": Value("c"), "z": Value("a")})
    found = interpret_integer(whole, {"x": np.array([[1, 2]])})
    assert (found["y"].tolist(), found["z"].tolist()) == ([[3, 6]], [[1, 2]])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.array([[4, 0]]),
            r"^input x: values must lie within -4\.\.4 of their channel, the array holds 0\.\.4$",
        ),
        (np.array([[0.0, 0.0]]), r"^input x: the array must hold integers, not float64$"),
        (
            np.zeros((1, 3), int),
            r"^input x: the array must have the shape \(N, 2\), not \(1, 3\)$",
        ),
    ],
)
def test_other_inputs_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        interpret_integer(graph(), {"x": x})


def test_an_op_from_elsewhere_computes():
    found = interpret_integer(graph(Halve(np.array([0, 1]))), {"x": np.array([[3, -2], [2, 4]])})
    assert found["y"].tolist() == [[1, -1], [1, 2]]


@pytest.mark.parametrize("run", [interpret_integer, trace_integer])
def test_what_is_no_integer_op_is_named(run):
    op = MatVec(np.array([[1, 2]]), IntType(0, 3))
    with pytest.raises(CheckError, match=r"^n0: op must be an IntegerOp, not MatVec$"):
        run(graph(op), {"x": np.array([[3, 1]])})


def test_a_missing_input_is_named():
    with pytest.raises(InputError, match=r"^input x: an array must be given; given are z$"):
        interpret_integer(graph(), {"z": np.zeros((1, 2), int)})


def test_dataflow_ops_compute():
    op = MatVec(np.array([[1, 2]]), IntType(0, 3))
    found = Graph(
        {"x": StreamType((2,), IntType(0, 3))}, (Node("fc", op, (X,)),), {"y": Value("fc")}
    )
    assert interpret_dataflow(found, {"x": np.array([[3, 1]])})["y"].tolist() == [[5]]
