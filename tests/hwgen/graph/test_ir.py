from dataclasses import replace

import numpy as np
import pytest

from cores.duplicate import Duplicate
from cores.eltwise import Add
from cores.mvau import MatVec
from cores.types import IntType, StreamType
from hwgen.errors import CheckError, ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.joins import IntConcat
from hwgen.integer.op import IntTensor
from hwgen.integer.products import IntMatMul
from hwgen.tensor.op import TensorType

X = Value("x", "")
BIT = IntType(0, 1)
KIND = IntTensor((2,), np.array([0, -4]), np.array([3, 4]))


def forked() -> Graph:
    """x -> product -> both sides of an addition."""
    product = MatVec(np.array([[1, 1], [1, 0]]), BIT)
    fork = Duplicate(product.outputs["o"], 2)
    join = Add((2,), (IntType(0, 2), IntType(0, 2)), (1, 1), np.zeros(1, int))
    nodes = (
        Node("fc", product, (X,)),
        Node("fork", fork, (Value("fc"),)),
        Node("sum", join, tuple(Value("fork", port) for port in fork.outputs)),
    )
    return Graph({"x": StreamType((2,), BIT)}, nodes, {"y": Value("sum")}, "forked")


def test_a_dataflow_graph_knows_the_stream_of_every_port():
    graph = forked()
    assert graph.types[X] == StreamType((2,), BIT)
    assert graph.types[Value("fc")].dtype == IntType(0, 2)
    assert [str(value) for value in graph.types] == ["x", "fc", "fork.o_0", "fork.o_1", "sum"]
    assert graph.types is graph.types  # made once


def test_an_integer_graph_knows_the_range_of_every_channel():
    product = IntMatMul(np.array([[1, -1]]), np.array([10]))
    nodes = (Node("fc", product, (X,)), Node("both", IntConcat(), (Value("fc"), X)))
    found = Graph({"x": KIND}, nodes, {"y": Value("both")}).types[Value("both")]
    assert (found.shape, found.lo.tolist(), found.hi.tolist()) == ((3,), [6, 0, -4], [17, 3, 4])


def test_another_graph_has_types_of_its_own():
    graph = forked()
    wider = replace(graph, inputs={"x": StreamType((2,), BIT, 2)})
    assert (graph.types[X].lanes, wider.types[X].lanes) == (1, 2)


def test_ends_and_what_lies_between():
    graph = forked()
    assert graph.ends == (X, Value("sum"))
    assert graph.end_types == (StreamType((2,), BIT), StreamType((2,), IntType(0, 4)))
    assert graph.stream_names == ("input", "output", "fc", "fork.o_0", "fork.o_1")


def test_the_only_value_of_a_graph_without_nodes_is_both_ends():
    graph = Graph({"x": KIND}, (), {"y": X})
    assert graph.end_types == (KIND, KIND)
    assert graph.inner == ()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"inputs": {"x": KIND, "z": KIND}}, r"2 inputs x, z"),
        ({"outputs": {"y": X, "q": X}}, r"2 outputs y, q"),
        ({"outputs": {}}, r"0 outputs "),
    ],
)
def test_several_ends_are_refused_where_one_is_asked_for(change, found):
    graph = replace(Graph({"x": KIND}, (), {"y": X}, "g"), **change)
    with pytest.raises(
        ModelError,
        match=rf"^g: an accelerator must have one input and one output, not the {found}$",
    ):
        _ = graph.ends


class Loaded:
    def __init__(self, image: bytes):
        self.image = image


@pytest.mark.parametrize(
    ("images", "wanted"), [([], b""), ([b"", b""], b""), ([b"", b"weights"], b"weights")]
)
def test_the_image_is_that_of_the_only_op_that_has_one(images, wanted):
    nodes = tuple(Node(f"n{k}", Loaded(image)) for k, image in enumerate(images))
    assert Graph({}, nodes, {}).weight_image == wanted


def test_two_images_are_refused():
    nodes = tuple(Node(f"n{k}", Loaded(b"w")) for k in range(2))
    with pytest.raises(ModelError, match=r"^g: one core must be loaded with weights, not 2$"):
        _ = Graph({}, nodes, {}, "g").weight_image


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (TensorType((1,), "FLOAT"), r"op must have outputs or a result_type, not be TensorType"),
        (
            IntMatMul(np.ones((1, 3), int), np.zeros(1, int)),
            r"weights must have the shape \(1, 2\) for this input, not \(1, 3\)",
        ),
    ],
)
def test_a_node_without_a_type_is_named(op, message):
    graph = Graph({"x": KIND}, (Node("n", op, (X,)),), {"y": Value("n")})
    with pytest.raises(CheckError, match=rf"^n: {message}$"):
        _ = graph.types


@pytest.mark.parametrize(
    ("nodes", "outputs", "message"),
    [
        (
            [Node("a", None, (X,)), Node("a", None, (X,))],
            {},
            r"^node names must be unique, not 'a' twice$",
        ),
        (
            [Node("a", None, (Value("b"),)), Node("b", None, (X,))],
            {},
            r"^a: input must come from an earlier node, not b$",
        ),
        ([], {"y": Value("b")}, r"^output y: value must come from a node of the graph, not b$"),
    ],
)
def test_order_and_names_are_checked_at_once(nodes, outputs, message):
    with pytest.raises(ValueError, match=message):
        Graph({"x": KIND}, tuple(nodes), outputs)
