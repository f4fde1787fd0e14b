import numpy as np
import pytest

from hwgen.frontend.reader import read
from hwgen.tensor.products import Conv
from hwgen.tensor.referee import evaluate
from tests.hwgen.frontend.agreement import agrees, kinds, refusal, whole
from tests.onnx_models import Maker, save


def convolved(shape, weights, *, bias=None, **attributes) -> Maker:
    maker = Maker(shape)
    inputs = ["x", maker.constant(weights)]
    if bias is not None:
        inputs.append(maker.constant(bias))
    maker.node("Conv", *inputs, name="c", **attributes)
    return maker


@pytest.mark.parametrize(
    ("shape", "weights", "attributes"),
    [
        ((1, 2, 5, 6), (3, 2, 3, 3), {}),
        ((1, 2, 5, 6), (3, 2, 3, 2), {"strides": [2, 1], "pads": [1, 0, 0, 2]}),
        ((1, 2, 7, 8), (3, 2, 3, 2), {"dilations": [2, 3], "pads": [1, 2, 2, 0]}),
        ((1, 4, 5, 5), (4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
        ((1, 3, 5, 5), (6, 1, 3, 3), {"group": 3, "strides": [2, 2]}),
        ((1, 6, 4, 4), (4, 3, 2, 2), {"group": 2}),
        ((1, 3, 9), (2, 3, 4), {"strides": [2], "pads": [1, 3]}),
        ((1, 3, 9), (3, 1, 3), {"group": 3, "dilations": [2]}),
        ((1, 2, 5, 6), (3, 2, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((1, 2, 5, 6), (3, 2, 4, 2), {"auto_pad": "SAME_UPPER"}),
        ((1, 2, 5, 6), (3, 2, 4, 2), {"auto_pad": "SAME_LOWER"}),
        ((1, 2, 6, 6), (3, 2, 1, 1), {"auto_pad": "SAME_UPPER", "strides": [3, 2]}),
        ((1, 2, 5, 6), (3, 2, 3, 3), {"auto_pad": "VALID", "strides": [2, 2]}),
    ],
)
def test_every_geometry(tmp_path, shape, weights, attributes):
    maker = convolved(shape, whole(*weights), bias=whole(weights[0]), **attributes)
    graph = agrees(maker, tmp_path, whole(*shape))
    assert kinds(graph) == ["Conv", "Binary"]


def test_hand_worked_asymmetric_padding(tmp_path):
    maker = convolved((1, 1, 3), np.array([[[1, 2]]], np.float32), pads=[1, 0], strides=[2])
    graph = agrees(maker, tmp_path, np.array([[[3, 4, 5]]], np.float32))
    assert graph.by_name["c"].op == Conv((2,), (1,), ((1, 0),), 1)


def test_padding_of_the_letters_same_is_resolved(tmp_path):
    maker = convolved((1, 1, 6, 5), whole(1, 1, 4, 2), auto_pad="SAME_LOWER", strides=[2, 1])
    op = agrees(maker, tmp_path, whole(1, 1, 6, 5)).by_name["c"].op
    assert op.pads == ((1, 1), (1, 0))


def test_bias_that_other_nodes_compute_gets_the_shape_of_a_column(tmp_path):
    maker = Maker((1, 2, 4, 4))
    bias = maker.quant(maker.constant([1.0, -2.0, 3.0]), name="b")
    maker.node("Conv", "x", maker.constant(whole(3, 2, 3, 3)), bias, name="c")
    graph = read(maker.save(tmp_path)).graph
    assert kinds(graph) == ["Quant", "Conv", "Reshape", "Binary"]
    assert graph.by_name["c#bias"].op.shape == (3, 1, 1)


def test_names_and_order_of_the_nodes_do_not_matter(tmp_path):
    maker = Maker((1, 2, 6, 6))
    w = maker.quant(maker.constant(whole(4, 2, 3, 3)), name="w")
    y = maker.node("Conv", maker.quant("x", name="q"), w, name="c", pads=[1] * 4)
    y = maker.node("MaxPool", maker.node("Relu", y), name="p", kernel_shape=[2, 2])
    other = maker.node("Neg", y, name="neg")
    maker.node("Concat", y, other, name="last", axis=1)
    plain = maker.model()
    shuffled = maker.model()
    nodes = [plain.graph.node[index] for index in (6, 3, 5, 0, 4, 2, 1)]
    del shuffled.graph.node[:]
    shuffled.graph.node.extend(nodes)
    for node in shuffled.graph.node:
        node.name = ""
    graphs = [read(save(model, tmp_path)).graph for model in (plain, shuffled)]
    assert kinds(graphs[0]) == kinds(graphs[1])
    x = whole(2, 2, 6, 6)
    first, second = (evaluate(graph, {"x": x})["last_out"] for graph in graphs)
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("shape", "weights", "attributes", "message"),
    [
        (
            (1, 2, 4, 4, 4),
            (1, 2, 1, 1, 1),
            {},
            (
                "c: Conv must work on 1 sample of channels and 1 or 2 spatial axes, not shape "
                "(1, 2, 4, 4, 4); export the model with batch 1; put a Reshape around the operator"
            ),
        ),
        (
            (1, 3, 4, 4),
            (2, 2, 1, 1),
            {},
            "c: weights of Conv must fit 3 channels in 1 groups, not shape (2, 2, 1, 1)",
        ),
        (
            (1, 4, 4, 4),
            (3, 2, 1, 1),
            {"group": 2},
            "c: weights of Conv must fit 4 channels in 2 groups, not shape (3, 2, 1, 1)",
        ),
        (
            (1, 1, 4, 4),
            (1, 1, 5, 1),
            {},
            "c: the kernel of Conv must fit into its padded input, not 5 on 4",
        ),
        (
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            {"kernel_shape": [3, 2]},
            "c: kernel_shape must be that of the weights, not [3, 2] and [3, 3]",
        ),
        (
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            {"pads": [1, -1, 0, 0]},
            (
                "c: pads of Conv must be 4 numbers, none negative, not [1, -1, 0, 0]; "
                "cut with Slice where less is wanted"
            ),
        ),
        (
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            {"strides": [0, 1]},
            "c: strides of Conv must be 2 positive numbers, not [0, 1]",
        ),
        (
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            {"dilations": [1]},
            "c: dilations of Conv must be 2 positive numbers, not [1]",
        ),
        (
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            {"auto_pad": "SAME"},
            "c: auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, not SAME; give pads",
        ),
    ],
)
def test_refuses(tmp_path, shape, weights, attributes, message):
    assert refusal(convolved(shape, whole(*weights), **attributes), tmp_path) == message
