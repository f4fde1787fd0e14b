import numpy as np
import onnx.reference
import pytest
from onnx import TensorProto

from hwgen.frontend.reader import read
from hwgen.tensor.elementwise import Constant
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.referee import evaluate
from tests.onnx_models import Maker

X = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)


def agrees(maker: Maker, folder, *outputs, x=X):
    """Checks shape and numbers against onnx's reference evaluator; returns the graph."""
    model = read(maker.save(folder, *outputs))
    assert model.problems == ()
    (y,) = evaluate(model.graph, {"x": x}).values()
    (expected,) = onnx.reference.ReferenceEvaluator(maker.model(*outputs)).run(None, {"x": x})
    # the referee puts the sample where the batch axis was, or before an axis longer than 1
    y = y if y.ndim == expected.ndim else y[0]
    assert y.tolist() == expected.tolist()
    return model.graph


@pytest.mark.parametrize("axis", [0, 1, 2, 4, -1])
def test_flatten(tmp_path, axis):
    maker = Maker(X.shape)
    maker.node("Flatten", maker.node("Neg", "x"), axis=axis)
    agrees(maker, tmp_path)


@pytest.mark.parametrize("shape", [[1, -1], [0, 0, -1], [4, 6], [-1, 2, 0, 2]])
def test_reshape(tmp_path, shape):
    maker = Maker(X.shape)
    maker.node("Reshape", "x", maker.constant(shape), name="r")
    (node,) = agrees(maker, tmp_path).nodes
    assert -1 not in node.op.shape


def test_reshape_with_allowzero_keeps_the_zero(tmp_path):
    maker = Maker(X.shape, opset=14)
    maker.node("Reshape", "x", maker.constant([0, 24]), name="r", allowzero=1)
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "r: Reshape must keep the 24 elements of shape (1, 2, 3, 4), not shape [0, 24]; "
        "export the model with batch 1"
    )


@pytest.mark.parametrize("shape", [[5, -1], [2, 2], [-1, -1], [32, -1]])
def test_reshape_to_other_sizes_is_refused(tmp_path, shape):
    maker = Maker(X.shape)
    maker.node("Reshape", "x", maker.constant(shape))
    (problem,) = read(maker.save(tmp_path)).problems
    assert problem.found == f"shape {shape}"


@pytest.mark.parametrize("perm", [None, [0, 2, 3, 1]])
def test_transpose(tmp_path, perm):
    maker = Maker(X.shape)
    maker.node("Transpose", "x", **({} if perm is None else {"perm": perm}))
    (node,) = agrees(maker, tmp_path).nodes
    assert node.op == Transpose(tuple(perm or (3, 2, 1, 0)))


@pytest.mark.parametrize("opset", [11, 13])
def test_squeeze_and_unsqueeze_take_axes_as_attribute_or_input(tmp_path, opset):
    maker = Maker((1, 3, 1, 2), opset=opset)

    def axes(*values):
        return ((), {"axes": values}) if opset < 13 else ((maker.constant(list(values)),), {})

    inputs, attributes = axes(0, -3)
    y = maker.node("Unsqueeze", "x", *inputs, **attributes)
    inputs, attributes = axes(-2)
    y = maker.node("Squeeze", y, *inputs, **attributes)
    graph = agrees(maker, tmp_path, x=X[:, :1].reshape(1, 3, 1, 4)[..., :2])
    assert [node.op for node in graph] == [Reshape((1, 1, 3, 1, 1, 2)), Reshape((1, 1, 3, 1, 2))]


def test_squeeze_without_axes_takes_all_ones(tmp_path):
    maker = Maker((1, 3, 1, 2))
    maker.node("Squeeze", "x")
    assert [node.op for node in read(maker.save(tmp_path)).graph] == [Reshape((3, 2))]


def test_squeeze_of_a_long_dimension_is_refused(tmp_path):
    maker = Maker(X.shape, opset=11)
    maker.node("Squeeze", "x", name="s", axes=[1])
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "s: Squeeze must remove dimensions of length 1, not length 2 in (1, 2, 3, 4)"
    )


def test_stored_tensors_are_moved_while_reading(tmp_path):
    maker = Maker((1, 3))
    w = maker.node("Transpose", maker.constant(np.arange(6.0, dtype=np.float32).reshape(2, 3)))
    maker.node("MatMul", "x", w)
    graph = read(maker.save(tmp_path)).graph
    assert [type(node.op).__name__ for node in graph] == ["Constant", "MatMul"]
    assert graph.nodes[0].op.value.tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("batch", [1, "batch"])
def test_shape_chain_becomes_one_reshape(tmp_path, batch):
    # Shape - Gather - Unsqueeze - Concat - Reshape, as PyTorch writes view(x.size(0), -1)
    maker = Maker((batch, *X.shape[1:]), opset=11)
    size = maker.node("Gather", maker.node("Shape", "x"), maker.constant(0), axis=0)
    size = maker.node("Unsqueeze", size, axes=[0])
    shape = maker.node("Concat", size, maker.constant([-1]), axis=0)
    maker.node("Reshape", "x", shape)
    assert [node.op for node in agrees(maker, tmp_path)] == [Reshape((1, 24))]


def test_shape_chain_with_slice_product_and_cast(tmp_path):
    maker = Maker(X.shape, opset=13)
    ends = [maker.constant([n]) for n in (1, 2**31)]
    rest = maker.node("Slice", maker.node("Shape", "x"), *ends)
    rest = maker.node("ReduceProd", rest, keepdims=1)
    rest = maker.node("Cast", rest, to=TensorProto.INT32)
    rest = maker.node("Cast", rest, to=TensorProto.INT64)
    rest = maker.node("Div", rest, maker.constant([2]))
    shape = maker.node("Concat", maker.constant([-1]), rest, axis=0)
    maker.node("Reshape", "x", shape)
    assert [node.op for node in agrees(maker, tmp_path)] == [Reshape((2, 12))]


@pytest.mark.parametrize(
    ("opset", "axis", "ops"),
    [
        (13, None, [Softmax(3)]),
        (13, 1, [Softmax(1)]),
        (11, 3, [Softmax(3)]),
        (11, None, [Reshape((1, 24)), Softmax(1), Reshape((1, 2, 3, 4))]),
        (11, 2, [Reshape((2, 12)), Softmax(1), Reshape((1, 2, 3, 4))]),
    ],
)
def test_softmax_before_opset_13_joins_dimensions(tmp_path, opset, axis, ops):
    maker = Maker(X.shape, opset=opset)
    maker.node("Softmax", "x", **({} if axis is None else {"axis": axis}))
    assert [node.op for node in read(maker.save(tmp_path)).graph] == ops


def test_old_softmax_over_all_but_the_batch(tmp_path):
    maker = Maker((1, 1, 5), opset=9)
    maker.node("Softmax", "x")
    assert [node.op for node in read(maker.save(tmp_path)).graph] == [Softmax(2)]


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize(("axis", "keepdims"), [(None, None), (2, 0), (-1, 1)])
def test_index_of_the_largest(tmp_path, op, axis, keepdims):
    maker = Maker(X.shape)
    given = {"axis": axis, "keepdims": keepdims}
    maker.node(op, "x", **{k: v for k, v in given.items() if v is not None})
    x = np.array([3, 1, 3, 1] * 6, np.float32).reshape(X.shape)
    agrees(maker, tmp_path, x=x)


def test_last_index_at_ties_is_refused(tmp_path):
    maker = Maker(X.shape)
    maker.node("ArgMax", "x", name="a", select_last_index=1)
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "a: ArgMax must take the first index at ties, not select_last_index = 1; "
        "export with select_last_index = 0"
    )


@pytest.mark.parametrize("largest", [1, 0])
def test_top_1_index(tmp_path, largest):
    maker = Maker((1, 10))
    maker.node("TopK", "x", maker.constant([1]), outputs=["v", "i"], largest=largest)
    x = np.array([[5, 2, 9, 9, 1, 0, 0, 3, 4, 7]], np.float32)
    (node,) = agrees(maker, tmp_path, "i", x=x).nodes
    assert node.op == ArgMax(1, True, bool(largest))


def test_top_1_with_k_as_attribute(tmp_path):
    maker = Maker((1, 10), opset=9)
    maker.node("TopK", "x", outputs=["v", "i"], k=1)
    assert [n.op for n in read(maker.save(tmp_path, "i")).graph] == [ArgMax(1, True)]


@pytest.mark.parametrize(
    ("k", "output", "message"),
    [
        (2, "i", "t: TopK must have k = 1, not k = 2; use ArgMax"),
        (1, "v", "t: TopK must give only its index, not its values used; use the index output"),
    ],
)
def test_other_top_k_is_refused(tmp_path, k, output, message):
    maker = Maker((1, 10))
    maker.node("TopK", "x", maker.constant([k]), name="t", outputs=["v", "i"])
    model = read(maker.save(tmp_path, output))
    assert [str(problem) for problem in model.problems] == [message]
    assert model.graph.outputs[output].port == ("o" if output == "v" else "o1")


def test_casts_that_change_no_number_vanish(tmp_path):
    maker = Maker(X.shape, elem=TensorProto.UINT8)
    y = maker.node("Cast", "x", to=TensorProto.FLOAT)
    y = maker.node("Cast", y, to=TensorProto.DOUBLE)
    maker.node("Cast", maker.node("Neg", y), to=TensorProto.FLOAT)
    assert len(read(maker.save(tmp_path)).graph.nodes) == 1


def test_cast_of_an_index_vanishes(tmp_path):
    maker = Maker((1, 10))
    maker.node("Cast", maker.node("ArgMax", "x", axis=1), to=TensorProto.INT32)
    assert len(read(maker.save(tmp_path)).graph.nodes) == 1


def test_cast_that_cuts_numbers_is_refused(tmp_path):
    maker = Maker(X.shape)
    maker.node("Cast", "x", name="c", to=TensorProto.INT8)
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "c: Cast must not change numbers, not FLOAT to INT8; "
        "put a quantiser there, or Floor or Round before it"
    )


def test_cast_of_stored_integers_to_floats(tmp_path):
    maker = Maker((1, 2))
    w = maker.node("Cast", maker.constant(np.array([[1, -1], [2, 3]], np.int8)), to=1)
    maker.node("MatMul", "x", w)
    (constant,) = [n.op for n in read(maker.save(tmp_path)).graph if isinstance(n.op, Constant)]
    assert constant.value.tolist() == [[1, -1], [2, 3]]


def test_dropout_passes_its_input_on(tmp_path):
    maker = Maker(X.shape)
    maker.node("Dropout", maker.node("Neg", "x"), outputs=["y", "mask"])
    assert len(read(maker.save(tmp_path, "y")).graph.nodes) == 1
    model = read(maker.save(tmp_path, "y", "mask"))
    assert [problem.found for problem in model.problems] == ["a used mask"]


@pytest.mark.parametrize(
    ("attributes", "values"),
    [
        ({"value_float": 0.5}, [0.5]),
        ({"value_floats": [0.5, 1.5]}, [0.5, 1.5]),
        ({"value": onnx.numpy_helper.from_array(np.array([2.5], np.float16))}, [2.5]),
    ],
)
def test_constant_forms(tmp_path, attributes, values):
    maker = Maker((1, 2))
    maker.node("Add", "x", maker.node("Constant", name="k", **attributes))
    op = read(maker.save(tmp_path)).graph.by_name["k"].op
    assert op.value.ravel().tolist() == values


def test_constant_of_strings_is_refused(tmp_path):
    maker = Maker((1, 2))
    maker.node("Add", "x", maker.node("Constant", name="k", value_string="a"), name="a")
    problem, *_ = read(maker.save(tmp_path)).problems
    assert str(problem) == "k: Constant must hold dense numbers, not value_string"
