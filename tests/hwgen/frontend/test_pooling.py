import numpy as np
import pytest
from onnx import TensorProto

from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from tests.hwgen.frontend.agreement import agrees, kinds, refusal, whole
from tests.onnx_models import Maker


def pooled(kind, shape, *, opset=19, **attributes) -> Maker:
    maker = Maker(shape, opset=opset)
    maker.node(kind, "x", name="p", **attributes)
    return maker


GEOMETRIES = [
    ((1, 2, 5, 6), {"kernel_shape": [2, 2]}),
    ((1, 2, 5, 6), {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 2, 1]}),
    ((1, 2, 5, 6), {"kernel_shape": [2, 4], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 2, 5, 6), {"kernel_shape": [2, 4], "strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ((1, 2, 7, 7), {"kernel_shape": [2, 2], "dilations": [2, 3]}),
    ((1, 2, 9), {"kernel_shape": [4], "strides": [2], "pads": [1, 1]}),
    ((1, 2, 5, 6), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ((1, 2, 7, 8), {"kernel_shape": [4, 4], "strides": [4, 4], "ceil_mode": 1}),
    ((1, 2, 8), {"kernel_shape": [3], "strides": [3], "pads": [1, 1], "ceil_mode": 1}),
]


@pytest.mark.parametrize(("shape", "attributes"), GEOMETRIES)
def test_max_pool(tmp_path, shape, attributes):
    graph = agrees(pooled("MaxPool", shape, opset=12, **attributes), tmp_path, whole(*shape))
    assert kinds(graph) == ["MaxPool"]


@pytest.mark.parametrize(("shape", "attributes"), GEOMETRIES)
def test_average_pool(tmp_path, shape, attributes):
    """On multiples of 144, whose means are integers."""
    graph = agrees(pooled("AveragePool", shape, **attributes), tmp_path, 144 * whole(*shape))
    assert kinds(graph) == ["AveragePool"]
    assert not graph.by_name["p"].op.include_pad


def test_average_pool_that_counts_padding(tmp_path):
    attributes = {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1], "strides": [2, 2]}
    maker = pooled("AveragePool", (1, 2, 5, 6), count_include_pad=1, **attributes)
    op = agrees(maker, tmp_path, 6 * whole(1, 2, 5, 6)).by_name["p"].op
    assert op == AveragePool((3, 2), (2, 2), (1, 1), ((1, 2), (0, 1)), True)


def test_padding_that_is_none_need_not_be_counted(tmp_path):
    maker = pooled("AveragePool", (1, 1, 4), kernel_shape=[2], count_include_pad=1)
    assert not agrees(maker, tmp_path, 2 * whole(1, 1, 4)).by_name["p"].op.include_pad


def test_counted_padding_may_stay_where_ceil_mode_adds_no_window(tmp_path):
    attributes = {"kernel_shape": [2], "strides": [2], "pads": [0, 1], "ceil_mode": 1}
    maker = pooled("AveragePool", (1, 1, 4), count_include_pad=1, **attributes)
    op = agrees(maker, tmp_path, 2 * whole(1, 1, 4)).by_name["p"].op
    assert (op.pads, op.include_pad) == (((0, 1),), True)


def test_ceil_mode_pads_behind(tmp_path):
    maker = pooled("MaxPool", (1, 1, 6), kernel_shape=[3], strides=[2], ceil_mode=1)
    op = agrees(maker, tmp_path, np.array([[[1, 2, 3, 4, 5, 6]]], np.float32)).by_name["p"].op
    assert op == MaxPool((3,), (2,), (1,), ((0, 1),))


def test_a_window_that_begins_behind_the_input_is_left_out(tmp_path):
    maker = pooled("MaxPool", (1, 1, 4), kernel_shape=[1], strides=[3], pads=[0, 0], ceil_mode=1)
    agrees(maker, tmp_path, whole(1, 1, 4))
    maker = pooled("MaxPool", (1, 1, 3), kernel_shape=[2], strides=[3], pads=[1, 1], ceil_mode=1)
    assert agrees(maker, tmp_path, whole(1, 1, 3)).by_name["p"].op.pads == ((1, 1),)


@pytest.mark.parametrize("kind", ["AveragePool", "GlobalAveragePool"])
@pytest.mark.parametrize("space", [(4, 2), (8,)])
def test_average_of_everything_is_a_mean(tmp_path, kind, space):
    attributes = {"kernel_shape": space} if kind == "AveragePool" else {}
    graph = agrees(pooled(kind, (1, 3, *space), **attributes), tmp_path, whole(1, 3, *space))
    assert graph.by_name["p"].op == Mean(tuple(range(2, 2 + len(space))), True)


@pytest.mark.parametrize("space", [(4, 2), (8,)])
def test_global_max_pool(tmp_path, space):
    graph = agrees(pooled("GlobalMaxPool", (1, 3, *space)), tmp_path, whole(1, 3, *space))
    assert graph.by_name["p"].op.kernel == space


def test_integers_keep_their_grid_through_max_pool(tmp_path):
    maker = Maker((1, 2, 4, 4))
    scale, zero = maker.constant(0.5), maker.constant(np.uint8(3))
    y = maker.node("QuantizeLinear", "x", scale, zero)
    y = maker.node("MaxPool", y, kernel_shape=[2, 2], pads=[1] * 4)
    maker.node("DequantizeLinear", y, scale, zero)
    assert kinds(agrees(maker, tmp_path, whole(1, 2, 4, 4))) == ["Quant", "MaxPool"]


def test_the_order_of_integers_turns_with_a_negative_scale(tmp_path):
    maker = Maker((1, 1, 4))
    scale, zero = maker.constant(-0.5), maker.constant(np.int8(1))
    y = maker.node("QuantizeLinear", "x", scale, zero)
    maker.node("DequantizeLinear", maker.node("MaxPool", y, kernel_shape=[2]), scale, zero)
    graph = agrees(maker, tmp_path, np.array([[[1, 2, -3, 4]]], np.float32))
    assert kinds(graph) == ["Quant", "Binary", "Binary", "MaxPool", "Binary", "Binary"]


def test_integers_of_the_input_are_pooled_as_they_are(tmp_path):
    maker = Maker((1, 2, 4, 4), elem=TensorProto.INT8)
    maker.node("MaxPool", "x", kernel_shape=[2, 2])
    x = whole(1, 2, 4, 4).astype(np.int8)
    assert kinds(agrees(maker, tmp_path, x, elem=TensorProto.INT8)) == ["MaxPool"]


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("axes", [[2, 3], [1, 2], [-1], [-1, 1], [3]])
@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceMax", "ReduceSum"])
def test_reductions(tmp_path, kind, opset, axes, keepdims):
    maker = Maker((1, 2, 4, 8), opset=opset)
    if opset == 18 or kind == "ReduceSum":
        maker.node(kind, "x", maker.constant(axes), keepdims=keepdims)
    else:
        maker.node(kind, "x", axes=axes, keepdims=keepdims)
    agrees(maker, tmp_path, whole(1, 2, 4, 8))


def test_reduction_without_axes(tmp_path):
    maker = Maker((1, 2, 4), opset=18)
    maker.node("ReduceMean", "x", noop_with_empty_axes=1, name="none")
    assert kinds(agrees(maker, tmp_path, whole(1, 2, 4))) == []
    maker = Maker((1, 2, 4), opset=18)
    maker.node("ReduceMean", "x", name="all")
    assert agrees(maker, tmp_path, whole(1, 2, 4)).by_name["all"].op == Mean((0, 1, 2), True)


def test_maximum_over_the_spatial_axes_needs_no_move(tmp_path):
    maker = Maker((1, 3, 4, 4))
    maker.node("ReduceMax", "x", axes=[2, 3], keepdims=0)
    assert kinds(agrees(maker, tmp_path, whole(1, 3, 4, 4))) == ["MaxPool", "Reshape"]


@pytest.mark.parametrize(
    ("kind", "attributes", "message"),
    [
        ("MaxPool", {}, "p: MaxPool must have a kernel_shape, not none"),
        (
            "MaxPool",
            {"kernel_shape": [2, 2], "pads": [0, 0, 3, 0]},
            (
                "p: every kernel position of MaxPool must touch its input, not one that lies "
                "on padding alone (pads [0, 3], kernel 2, dilation 1); use less padding"
            ),
        ),
        (
            "AveragePool",
            {"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]},
            (
                "p: every kernel position of AveragePool must touch its input, not one that lies "
                "on padding alone (pads [2, 0], kernel 2, dilation 1); use less padding"
            ),
        ),
        (
            "MaxPool",
            {"kernel_shape": [2, 2], "dilations": [5, 1], "pads": [1, 0, 1, 0]},
            (
                "p: every kernel position of MaxPool must touch its input, not one that lies "
                "on padding alone (pads [1, 1], kernel 2, dilation 5); use less padding"
            ),
        ),
        (
            "AveragePool",
            {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1, "count_include_pad": 1},
            (
                "p: AveragePool with ceil_mode must not count padding, not count_include_pad = 1 "
                "with windows that end 1 behind it; use ceil_mode = 0, or count_include_pad = 0"
            ),
        ),
        (
            "GlobalLpPool",
            {},
            (
                "p: operator must be one that hwgen maps, not GlobalLpPool (pooling by this "
                "function is not built); nearest form: MaxPool or AveragePool"
            ),
        ),
        (
            "ReduceMax",
            {"axes": [0, 1]},
            (
                "p: ReduceMax must reduce 1 or 2 axes, not the batch, not axes [0, 1]; "
                "ReduceMax over the spatial axes"
            ),
        ),
    ],
)
def test_refuses(tmp_path, kind, attributes, message):
    size = 4 if attributes.get("dilations") or "strides" in attributes else 5
    assert refusal(pooled(kind, (1, 1, size, size), opset=13, **attributes), tmp_path) == message


def test_refuses_indices(tmp_path):
    maker = Maker((1, 1, 4, 4))
    maker.node("MaxPool", "x", name="p", outputs=("y", "i"), kernel_shape=[2, 2])
    maker.node("Add", "y", maker.node("Cast", "i", to=TensorProto.FLOAT))
    assert refusal(maker, tmp_path) == "p: MaxPool must give at most 1 outputs, not 2"
