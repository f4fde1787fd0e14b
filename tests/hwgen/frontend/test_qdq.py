import numpy as np
import onnx
import pytest
from onnx import TensorProto

from hwgen.frontend.reader import read
from hwgen.tensor.elementwise import Constant
from hwgen.tensor.quantisers import Quant
from hwgen.tensor.referee import evaluate
from tests.hwgen.frontend.runtime import run
from tests.onnx_models import Maker


def pair(maker: Maker, x: str, scale, zero, *, clip=None, axis=1, name="") -> str:
    """QuantizeLinear, Clip, DequantizeLinear on x."""
    parameters = maker.constant(scale), maker.constant(zero)
    n = maker.node("QuantizeLinear", x, *parameters, name=f"{name}q", axis=axis)
    if clip is not None:
        ends = [maker.constant(np.asarray(end, zero.dtype)) for end in clip]
        n = maker.node("Clip", n, *ends, name=f"{name}clip")
    return maker.node("DequantizeLinear", n, *parameters, name=f"{name}dq", axis=axis)


def scalar(value, dtype):
    return np.array(value, dtype)


def ort(path, x):
    return run(onnx.load(path), x)[0]


def agrees(maker: Maker, folder, x) -> None:
    """Our meaning and onnxruntime's are the same numbers."""
    path = maker.save(folder)
    model = read(path)
    assert model.problems == ()
    (y,) = evaluate(model.graph, {"x": x}).values()
    assert (y == ort(path, x)).all()


TIES = (np.arange(-40, 40, dtype=np.float32) / 2).reshape(1, 80)


def test_pair_is_one_quantiser_that_rounds_first(tmp_path):
    maker = Maker((1, 80))
    pair(maker, "x", np.float32(0.5), scalar(3, np.uint8))
    model = read(maker.save(tmp_path))
    (node,) = model.graph.nodes
    assert node.name == "q"
    assert (node.op.scale, node.op.zero_point) == (0.5, 3)
    assert (node.op.lo, node.op.hi, node.op.round_first) == (0, 255, True)
    assert [source.nodes for source in model.sources] == [("q",), ("q",)]


@pytest.mark.parametrize(("zero", "dtype"), [(3, np.uint8), (-7, np.int8), (0, np.int8)])
def test_ties_are_those_of_onnxruntime(tmp_path, zero, dtype):
    maker = Maker((1, 80))
    pair(maker, "x", np.float32(1), scalar(zero, dtype))
    agrees(maker, tmp_path, TIES)


def test_clip_narrows_the_quantiser(tmp_path):
    maker = Maker((1, 80))
    pair(maker, "x", np.float32(0.5), scalar(0, np.uint8), clip=(0, 3))
    agrees(maker, tmp_path, TIES)
    model = read(maker.save(tmp_path))
    (node,) = model.graph.nodes
    assert (node.op.lo, node.op.hi) == (0, 3)
    assert [source.nodes for source in model.sources] == [("q",)] * 3


def test_clip_beside_another_user_does_not_narrow_it(tmp_path):
    maker = Maker((1, 80))
    parameters = maker.constant(np.float32(0.5)), maker.constant(scalar(0, np.uint8))
    n = maker.node("QuantizeLinear", "x", *parameters, name="q")
    same = maker.node("Identity", n)
    top = maker.constant(scalar(3, np.uint8))
    low = maker.node("Clip", same, "", top, name="clip")
    low = maker.node("DequantizeLinear", low, *parameters)
    wide = maker.node("DequantizeLinear", n, *parameters)
    maker.node("Add", low, wide)
    agrees(maker, tmp_path, TIES)
    graph = read(maker.save(tmp_path)).graph
    assert [(n.op.lo, n.op.hi) for n in graph if isinstance(n.op, Quant)] == [(0, 255), (0, 3)]


def test_relu_on_integers(tmp_path):
    maker = Maker((1, 80), opset=14)
    parameters = maker.constant(np.float32(0.5)), maker.constant(scalar(0, np.int8))
    n = maker.node("Relu", maker.node("QuantizeLinear", "x", *parameters))
    maker.node("DequantizeLinear", n, *parameters)
    (node,) = read(maker.save(tmp_path)).graph.nodes
    assert (node.op.lo, node.op.hi) == (0, 127)


def test_per_channel_scales_follow_the_axis(tmp_path):
    x = np.arange(-24, 24, dtype=np.float32).reshape(1, 3, 16) / 4
    scale = np.array([0.5, 1, 0.25], np.float32)
    zero = np.array([0, 3, -4], np.int8)
    maker = Maker(x.shape)
    pair(maker, "x", scale, zero)
    agrees(maker, tmp_path, x)
    (node,) = read(maker.save(tmp_path)).graph.nodes
    assert node.op.scale.shape == (1, 3, 1)


def test_integers_may_be_moved_between_the_two(tmp_path):
    x = np.arange(-12, 12, dtype=np.float32).reshape(1, 2, 12) / 4
    for scale, zero in (
        (np.float32(0.5), scalar(1, np.int8)),
        (np.array([0.5, 0.25], np.float32), np.array([1, -1], np.int8)),
    ):
        maker = Maker(x.shape)
        parameters = maker.constant(scale), maker.constant(zero)
        n = maker.node("QuantizeLinear", "x", *parameters, axis=1)
        n = maker.node("Transpose", n, perm=[0, 2, 1])
        maker.node("DequantizeLinear", n, *parameters, axis=2)
        agrees(maker, tmp_path, x)


def test_integer_input_and_output(tmp_path):
    x = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    maker = Maker(x.shape, elem=TensorProto.INT8)
    y = maker.node("DequantizeLinear", "x", maker.constant(0.5), maker.constant(np.int8(-5)))
    maker.node("QuantizeLinear", y, maker.constant(0.75), maker.constant(np.uint8(9)))
    path = maker.save(tmp_path, elem=TensorProto.UINT8)
    model = read(path)
    assert model.problems == () and model.graph.inputs["x"].elem == "INT8"
    (y,) = evaluate(model.graph, {"x": x}).values()
    assert y.tolist() == ort(path, x).tolist()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_stored_integers_become_a_quantiser_on_their_numbers(tmp_path, dtype):
    info = np.iinfo(dtype)
    stored = np.array([[info.min, 0, 1, 77, info.max]], dtype)
    zero = 0 if dtype == np.int32 else 3
    maker = Maker((1, 5))
    scale = maker.constant(0.1)
    w = maker.node(
        "DequantizeLinear", maker.constant(stored, "w"), scale, maker.constant(dtype(zero))
    )
    maker.node("Add", "x", w)
    graph = read(maker.save(tmp_path)).graph
    assert [type(node.op) for node in graph][:2] == [Constant, Quant]
    op = graph.nodes[1].op
    assert (op.lo, op.hi, op.round_first) == (info.min, info.max, True)
    n = np.round(graph.by_name["w"].op.value / op.scale) + op.zero_point
    assert n.tolist() == stored.tolist()


def test_stored_integers_keep_the_ends_of_their_clip(tmp_path):
    maker = Maker((1, 3))
    ends = [maker.constant(np.int8(end)) for end in (-1, 1)]
    w = maker.node("Clip", maker.constant(np.array([[-3, 0, 1]], np.int8), "w"), *ends, name="c")
    w = maker.node("DequantizeLinear", w, maker.constant(0.5), maker.constant(np.int8(0)), name="d")
    maker.node("Add", "x", w, name="add")
    model = read(maker.save(tmp_path))
    op = model.graph.by_name["d"].op
    assert (op.lo, op.hi) == (-1, 1)
    agrees(maker, tmp_path, np.array([[1, 2, 3]], np.float32))


def test_four_bit_integers(tmp_path):
    maker = Maker((1, 80), opset=21)
    scale = maker.constant(0.5)
    n = maker.node("QuantizeLinear", "x", scale, output_dtype=TensorProto.INT4, name="q")
    maker.node("DequantizeLinear", n, scale)
    (node,) = read(maker.save(tmp_path)).graph.nodes
    assert (node.op.lo, node.op.hi, float(node.op.zero_point)) == (-8, 7, 0)


def test_two_sides_that_differ_are_refused(tmp_path):
    maker = Maker((1, 80))
    zero = maker.constant(np.uint8(0))
    n = maker.node("QuantizeLinear", "x", maker.constant(0.5), zero)
    maker.node("DequantizeLinear", n, maker.constant(0.25), zero, name="dq")
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "dq: the maker of integers and DequantizeLinear must have the same scale and zero point, "
        "not scale 0.5, zero point 0 and scale 0.25, zero point 0; "
        "export the pair with shared parameters"
    )


def test_integer_arithmetic_is_refused(tmp_path):
    maker = Maker((1, 80))
    n = maker.node("QuantizeLinear", "x", maker.constant(0.5), maker.constant(np.int8(0)))
    maker.node("Add", n, n, name="add")
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "add: Add must work on floats, not INT8 at input 0; "
        "integer arithmetic wraps; put a DequantizeLinear or Cast before it"
    )


def test_blocks_are_refused(tmp_path):
    maker = Maker((1, 4), opset=21)
    scale = maker.constant(np.ones((1, 2), np.float32))
    maker.node("QuantizeLinear", "x", scale, name="q", block_size=2)
    (problem,) = read(maker.save(tmp_path)).problems
    assert problem.rule == "scales must be given for the tensor or for each channel"


def test_scale_that_does_not_fit_the_channels_is_refused(tmp_path):
    maker = Maker((1, 4))
    pair(maker, "x", np.ones(3, np.float32), np.zeros(3, np.int8))
    problem, *_ = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "q: scale must have one value for each channel of axis 1 of shape (1, 4), not 3 values"
    )
