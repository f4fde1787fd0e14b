import numpy as np
import onnx.reference
import pytest

from hwgen.frontend.reader import read
from hwgen.numerics.functions import BINARY, UNARY
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.referee import evaluate
from tests.hwgen.frontend.runtime import run
from tests.onnx_models import Maker

X = (np.arange(-32, 32, dtype=np.float32) / 8).reshape(1, 64)
"""Eighths from -4 on: sums, products and small powers of two are exact in float32."""

EXACT = {
    "Relu": {},
    "Abs": {},
    "Neg": {},
    "Sign": {},
    "LeakyRelu": {"alpha": 0.25},
    "HardSigmoid": {"alpha": 0.25, "beta": 0.5},
    "ThresholdedRelu": {"alpha": 0.5},
}
CLOSE = {
    "LeakyRelu": {},
    "HardSigmoid": {},
    "HardSwish": {},
    "Sigmoid": {},
    "Tanh": {},
    "Exp": {},
    "Erf": {},
    "Softplus": {},
    "Softsign": {},
    "Elu": {"alpha": 0.5},
    "Celu": {"alpha": 2.0},
    "Selu": {},
    "Mish": {},
    "Gelu": {},
    "ThresholdedRelu": {},
}


def values(maker: Maker, folder, x=X) -> np.ndarray:
    model = read(maker.save(folder))
    assert model.problems == ()
    for node in model.graph:
        assert isinstance(node.op, Constant | Unary | Binary)
        assert getattr(node.op, "fn", "relu") in (*UNARY, *BINARY)
    (y,) = evaluate(model.graph, {"x": x}).values()
    return y


def ort(maker: Maker, x=X) -> np.ndarray:
    return run(maker.model(), x)[0]


@pytest.mark.parametrize("op", EXACT)
def test_exact_function(tmp_path, op):
    maker = Maker(X.shape, opset=20)
    maker.node(op, "x", name="f", **EXACT[op])
    assert (values(maker, tmp_path) == ort(maker)).all()


@pytest.mark.parametrize("op", CLOSE)
def test_function_within_the_noise_of_float32(tmp_path, op):
    maker = Maker(X.shape, opset=20)
    maker.node(op, "x", name="f", **CLOSE[op])
    expected = ort(maker)
    error = np.abs(values(maker, tmp_path) - expected)
    assert (error <= 2e-6 * np.maximum(1, np.abs(expected))).all()


@pytest.mark.parametrize(("op", "attributes"), [("Gelu", {"approximate": "tanh"}), ("Swish", {})])
def test_function_of_newer_opsets(tmp_path, op, attributes):
    maker = Maker(X.shape, opset=24 if op == "Swish" else 20)
    maker.node(op, "x", **attributes)
    (expected,) = onnx.reference.ReferenceEvaluator(maker.model()).run(None, {"x": X})
    assert np.abs(values(maker, tmp_path) - expected).max() < 2e-6


@pytest.mark.parametrize("op", ["Sqrt", "Log", "Reciprocal"])
def test_function_of_positive_numbers(tmp_path, op):
    x = np.abs(X) + 1
    maker = Maker(X.shape)
    maker.node(op, "x")
    assert np.abs(values(maker, tmp_path, x) - ort(maker, x)).max() < 1e-6


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_two_tensors_broadcast(tmp_path, op):
    maker = Maker((1, 4, 16))
    maker.node(op, "x", maker.constant([[0.5], [2.0], [-4.0], [1.0]]))
    x = X.reshape(1, 4, 16)
    assert (values(maker, tmp_path, x) == ort(maker, x)).all()


def test_pow_of_stored_numbers_stays_a_node(tmp_path):
    maker = Maker(X.shape)
    root = maker.node("Pow", maker.constant([318.25]), maker.constant(0.5), name="root")
    maker.node("Div", "x", root, name="y")
    model = read(maker.save(tmp_path))
    assert model.graph.by_name["root"].op == Binary("pow")
    assert model.sources[0].nodes == ("root",)


@pytest.mark.parametrize("op", ["Min", "Max", "Sum", "Mean"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_tensors(tmp_path, op, count):
    maker = Maker(X.shape)
    others = [maker.constant([0.5]), maker.constant([-0.25])][:count]
    maker.node(op, "x", *others)
    assert np.abs(values(maker, tmp_path) - ort(maker)).max() < 1e-6


def test_prelu_has_a_slope_per_channel(tmp_path):
    maker = Maker((1, 4, 16))
    maker.node("PRelu", "x", maker.constant([[0.25], [-1.0], [2.0], [0.0]]))
    x = X.reshape(1, 4, 16)
    assert (values(maker, tmp_path, x) == ort(maker, x)).all()


@pytest.mark.parametrize("ends", [(-1.0, 1.5), (None, 1.5), (-1.0, None), (None, None)])
def test_clip_with_ends_as_inputs(tmp_path, ends):
    maker = Maker(X.shape)
    maker.node("Clip", "x", *("" if end is None else maker.constant(end) for end in ends))
    assert (values(maker, tmp_path) == ort(maker)).all()
    graph = read(maker.save(tmp_path)).graph
    assert sum(isinstance(n.op, Binary) for n in graph) == 2 - ends.count(None)


def test_clip_with_ends_as_attributes(tmp_path):
    maker = Maker(X.shape, opset=9)
    maker.node("Clip", "x", min=0.0, max=6.0)
    assert values(maker, tmp_path).tolist() == np.clip(X, 0, 6).tolist()


@pytest.mark.parametrize("end", [np.inf, float(np.finfo(np.float32).max)])
def test_clip_without_effect_is_no_node(tmp_path, end):
    maker = Maker(X.shape)
    maker.node("Clip", maker.node("Relu", "x"), maker.constant(-end), maker.constant(end))
    assert len(read(maker.save(tmp_path)).graph.nodes) == 1


def test_clip_at_nan_is_refused(tmp_path):
    maker = Maker(X.shape)
    maker.node("Clip", "x", maker.constant(np.nan), name="c")
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == "c: ends of Clip must be numbers, not NaN as min"


def test_shapes_that_do_not_broadcast_are_refused(tmp_path):
    maker = Maker((1, 4))
    maker.node("Add", "x", maker.constant([1.0, 2.0, 3.0]), name="a")
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == "a: input shapes must broadcast, not (1, 4) and (3,)"


def test_float_arithmetic_on_stored_numbers_is_not_evaluated(tmp_path):
    maker = Maker((1, 2))
    total = maker.node("Add", maker.constant([0.1]), maker.constant([0.2]), name="total")
    maker.node("Mul", "x", total)
    assert read(maker.save(tmp_path)).graph.by_name["total"].op == Binary("add")


@pytest.mark.parametrize(("ends", "made"), [((-1.0, None), ["c"]), ((-1.0, 1.0), ["c#lo", "c"])])
def test_last_node_of_a_decomposition_has_the_name(tmp_path, ends, made):
    maker = Maker((1, 2))
    maker.node("Clip", "x", *("" if e is None else maker.constant(e) for e in ends), name="c")
    assert list(read(maker.save(tmp_path)).sources[0].nodes) == made


def test_default_attributes_are_float32_numbers(tmp_path):
    maker = Maker(X.shape)
    maker.node("LeakyRelu", "x", name="f")
    assert float(read(maker.save(tmp_path)).graph.by_name["f#alpha"].op.value) == np.float32(0.01)
