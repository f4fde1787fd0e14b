import numpy as np
import pytest

from hwgen.frontend.reader import read
from hwgen.tensor.quantisers import Quant
from tests.hwgen.frontend.agreement import agrees, kinds, refusal, whole
from tests.onnx_models import Maker


def transposed(shape, weights, **attributes) -> Maker:
    maker = Maker(shape)
    maker.node("ConvTranspose", "x", maker.constant(weights), name="t", **attributes)
    return maker


@pytest.mark.parametrize(
    ("shape", "weights", "attributes", "ops"),
    [
        ((1, 2, 3, 4), (2, 3, 3, 2), {}, ["Conv"]),
        ((1, 2, 3, 4), (2, 3, 3, 2), {"strides": [2, 3]}, ["Dilate", "Conv"]),
        ((1, 2, 3, 4), (2, 3, 3, 2), {"pads": [1, 0, 2, 1]}, ["Conv"]),
        ((1, 2, 3, 4), (2, 3, 3, 3), {"dilations": [2, 1], "strides": [1, 2]}, ["Dilate", "Conv"]),
        (
            (1, 2, 3, 4),
            (2, 3, 3, 3),
            {"strides": [2, 2], "pads": [1] * 4, "output_padding": [1, 0]},
            ["Dilate", "Conv"],
        ),
        ((1, 4, 3, 4), (4, 3, 2, 2), {"group": 2, "strides": [2, 2]}, ["Dilate", "Conv"]),
        ((1, 3, 3, 4), (3, 1, 3, 3), {"group": 3}, ["Conv"]),
        ((1, 2, 5), (2, 3, 4), {"strides": [3]}, ["Dilate", "Conv"]),
        ((1, 2, 5, 5), (2, 1, 2, 2), {"pads": [2, 0, 2, 1]}, ["Conv", "Slice"]),
        ((1, 2, 3, 4), (2, 3, 3, 3), {"strides": [2, 2], "output_shape": [6, 8]}, None),
        ((1, 2, 3, 4), (2, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, None),
        ((1, 2, 3, 4), (2, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}, None),
        ((1, 2, 3, 4), (2, 3, 3, 3), {"strides": [2, 2], "auto_pad": "VALID"}, None),
    ],
)
def test_every_geometry(tmp_path, shape, weights, attributes, ops):
    maker = transposed(shape, whole(*weights), **attributes)
    graph = agrees(maker, tmp_path, whole(*shape))
    assert ops is None or kinds(graph) == ops


def test_bias(tmp_path):
    maker = Maker((1, 2, 3, 3))
    constants = maker.constant(whole(2, 3, 2, 2)), maker.constant(whole(3))
    maker.node("ConvTranspose", "x", *constants, name="t", strides=[2, 2])
    assert kinds(agrees(maker, tmp_path, whole(1, 2, 3, 3))) == ["Dilate", "Conv", "Binary"]


def test_quantiser_of_the_weights_turns_round_with_them(tmp_path):
    """Scales per output channel lie on axis 1 of (channels, outputs / groups, *kernel)."""
    maker = Maker((1, 4, 3, 3), opset=13)
    n = maker.constant(whole(4, 3, 2, 2).astype(np.int8))
    scales = maker.constant([1.0, 0.5, 4.0]), maker.constant(np.zeros(3, np.int8))
    w = maker.node("DequantizeLinear", n, *scales, name="w", axis=1)
    maker.node("ConvTranspose", "x", w, name="t", group=2)
    model = read(maker.save(tmp_path))
    (op,) = (node.op for node in model.graph if isinstance(node.op, Quant))
    assert op.scale.tolist() == [[[[scale]]] for scale in [1, 0.5, 4] * 2]
    assert model.sources[0].nodes == ("w_1",)
    agrees(maker, tmp_path, whole(1, 4, 3, 3))


def test_refuses_weights_that_are_computed(tmp_path):
    maker = Maker((1, 1, 2, 2))
    w = maker.node("Neg", maker.constant(whole(1, 1, 2, 2)))
    maker.node("ConvTranspose", "x", w, name="t")
    assert refusal(maker, tmp_path) == (
        "t: weights of ConvTranspose must be stored, with one quantiser at most, not computed by "
        "other nodes; export with constant folding"
    )


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"pads": [1, 2, 1, 2]},
            "t: ConvTranspose must keep a part of its full result [3, 3], not shape [1, -1]",
        ),
        (
            {"output_shape": [3, 4]},
            "t: ConvTranspose must keep a part of its full result [3, 3], not shape [3, 4]",
        ),
        (
            {"group": 2},
            "t: weights of ConvTranspose must fit 3 channels in 2 groups, not shape (3, 1, 2, 2)",
        ),
    ],
)
def test_refuses(tmp_path, attributes, message):
    assert refusal(transposed((1, 3, 2, 2), whole(3, 1, 2, 2), **attributes), tmp_path) == message
