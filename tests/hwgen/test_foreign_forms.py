"""Small models in the forms that quantisers and converters write: from the file to the dataflow
graph, every output equal to the referee's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from hwgen.frontend.reader import read
from hwgen.graph.interpret import interpret_dataflow, interpret_integer
from hwgen.graph.verify import verify
from hwgen.host.edges import apply
from hwgen.passes.continue_lines import continue_lines
from hwgen.passes.lower import lower
from hwgen.tensor.referee import evaluate
from hwgen.tensor.walk import analyse
from tests.onnx_models import QONNX, Maker

AROUND = [1, 1, 1, 1]


class Form(Maker):
    """Random layers of 8 bits; the numbers of a model depend on its name alone."""

    def __init__(self, shape: tuple[int, ...], name: str, opset: int = 13, elem: int = 1):
        super().__init__(shape, opset=opset, elem=elem)
        self.rng = np.random.default_rng([ord(letter) for letter in name])

    def pair(self, x: str, scale: float, zero: int = 0, dtype: type = np.int8) -> str:
        """Quantised, and back in real numbers."""
        grid = [self.constant(scale), self.constant(dtype(zero))]
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, *grid), *grid)

    def weights(self, *shape: int, axis: int = 0) -> str:
        numbers = self.rng.integers(-127, 128, shape).astype(np.int8)
        scales = self.rng.uniform(0.002, 0.01, shape[axis]).astype(np.float32)
        zeros = np.zeros(shape[axis], np.int8)
        parts = map(self.constant, (numbers, scales, zeros))
        return self.node("DequantizeLinear", *parts, axis=axis)

    def conv(self, x: str, inputs: int, outputs: int, size: int, **attributes) -> str:
        w = self.weights(outputs, inputs // attributes.get("group", 1), size, size)
        return self.node("Conv", x, w, **attributes)

    def norm(self, x: str, channels: int) -> str:
        gamma, variance = self.rng.uniform(0.5, 2, (2, channels))
        beta, mean = self.rng.normal(0, 0.3, (2, channels))
        return self.batch_norm(x, gamma * self.rng.choice([-1, 1], channels), beta, mean, variance)


def unprepared_residual(name: str) -> Form:
    """BatchNorms stay, with quantisers on both sides; a projection; a mean without its axes."""
    m = Form((1, 2, 6, 6), name)
    x = m.pair("x", 0.02)
    stem = m.pair(m.conv(x, 2, 4, 3, pads=AROUND), 0.031, 3)
    stem = m.pair(m.node("Relu", m.norm(stem, 4)), 0.017, -128)
    y = m.pair(m.conv(stem, 4, 4, 3, pads=AROUND, strides=[2, 2]), 0.023, 9)
    y = m.pair(m.norm(y, 4), 0.04, -7)
    skip = m.pair(m.conv(stem, 4, 4, 1, strides=[2, 2]), 0.029, 5)
    y = m.pair(m.node("Add", y, skip), 0.05, 11)
    y = m.pair(m.node("ReduceMean", y, axes=[2, 3], keepdims=0), 0.02, -3)
    m.node("Softmax", m.node("Gemm", y, m.weights(3, 4), transB=1))
    return m


def quantised_gates(name: str) -> Form:
    """x * sigmoid(x), the gate quantised too; a pool behind a HardSwish; pools of the SPPF kind."""
    m = Form((1, 2, 6, 6), name, opset=14)
    y = m.pair(m.conv(m.pair("x", 0.02), 2, 4, 3, pads=AROUND), 0.05, -20)
    y = m.pair(m.node("Mul", y, m.pair(m.node("Sigmoid", y), 1 / 256, -128)), 0.03, -100)
    y = m.node("HardSwish", m.pair(m.conv(y, 4, 4, 1), 0.04))
    y = m.pair(m.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), 0.03, -100)
    pool = {"kernel_shape": [3, 3], "pads": AROUND}
    first = m.node("MaxPool", y, **pool)
    y = m.node("Concat", y, first, m.node("MaxPool", first, **pool), axis=1)
    m.conv(y, 12, 2, 1)
    return m


def pools_with_padding(name: str) -> Form:
    """Means that leave padding out, of windows that lie partly outside, and slopes per channel."""
    m = Form((1, 3, 7, 5), name)
    y = m.conv(m.pair("x", 0.02, 4), 3, 4, 3, auto_pad="SAME_LOWER", strides=[1, 2])
    slopes = m.rng.uniform(0.05, 0.5, (4, 1, 1)).astype(np.float32)
    y = m.pair(m.node("PRelu", y, m.constant(slopes)), 0.03, -90)
    a = m.node("AveragePool", y, kernel_shape=[3, 3], pads=AROUND)
    b = m.node("AveragePool", y, kernel_shape=[3, 2], pads=[1, 0, 1, 1], count_include_pad=1)
    y = m.node("Concat", m.pair(a, 0.03, -90), m.pair(b, 0.03, -90), axis=1)
    y = m.node("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    m.conv(m.pair(y, 0.027, -80), 8, 2, 1)
    return m


def converted_from_nhwc(name: str) -> Form:
    """Integers of pixels in NHWC, transposes around the layers, Reshape and MatMul at the end."""
    m = Form((1, 8, 6, 3), name, elem=TensorProto.UINT8)
    x = m.node("Mul", m.node("Cast", "x", to=TensorProto.FLOAT), m.constant(1 / 255))
    y = m.pair(m.node("Transpose", x, perm=[0, 3, 1, 2]), 1 / 255, -128)
    y = m.conv(y, 3, 4, 3, auto_pad="SAME_UPPER", strides=[2, 2])
    y = m.pair(m.node("Clip", y, m.constant(0.0), m.constant(6.0)), 6 / 255, -128)
    y = m.conv(y, 4, 8, 3, group=4, auto_pad="SAME_UPPER")
    y = m.node("Transpose", m.pair(y, 0.04, 2), perm=[0, 2, 3, 1])
    y = m.pair(m.node("ReduceMean", y, axes=[1, 2], keepdims=1), 0.03)
    y = m.node("MatMul", m.node("Reshape", y, m.constant([-1, 8])), m.weights(8, 3, axis=1))
    m.node("Add", y, m.constant([0.25, -0.5, 1.0]))
    return m


def trained_in_one_dimension(name: str) -> Form:
    """QONNX: pools in front of quantisers, a bias with a quantiser of its own, a Trunc."""
    m = Form((1, 2, 20), name, opset=9)
    y, inputs = m.quant("x", scale=0.043, bits=8.0, name="input"), 2
    for k in range(2):
        raw = m.constant(m.rng.normal(size=(4, inputs, 3)).astype(np.float32))
        scale = m.rng.uniform(0.1, 0.4, (4, 1, 1)).astype(np.float32)
        bias = m.quant(m.constant([0.3, -1.2, 0.0, 2.0]), scale=0.01, bits=16.0)
        w = m.quant(raw, scale=scale, bits=4.0, narrow=True)
        y, inputs = m.node("Conv", y, w, bias, pads=[1, 1], dilations=[1 + k]), 4
        y = m.node("MaxPool", m.norm(y, 4), kernel_shape=[3], strides=[2], pads=[1, 0])
        y = m.node("Dropout", m.node("Relu", y))
        y = m.quant(y, scale=0.1, bits=4.0, signed=False)
    y = m.node("AveragePool", y, kernel_shape=[2], strides=[2])
    trunc = [m.constant(number) for number in (0.1 / 2, 0.0, 5.0, 4.0)]
    y = m.node("Flatten", m.node("Trunc", y, *trunc, domain=QONNX, rounding_mode="FLOOR"))
    raw = m.constant(m.rng.normal(size=(3, 8)).astype(np.float32))
    m.node("Gemm", y, m.quant(raw, scale=0.3, bits=4.0), m.constant([0.1, 0.2, 0.3]), transB=1)
    return m


FORMS: tuple[Callable[[str], Form], ...] = (
    unprepared_residual,
    quantised_gates,
    pools_with_padding,
    converted_from_nhwc,
    trained_in_one_dimension,
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_dataflow_graph_returns_what_the_model_means(form, tmp_path: Path):
    maker = form(form.__name__)
    model = read(maker.save(tmp_path))
    analysis = analyse(model.graph)
    assert [str(problem) for problem in (*model.problems, *analysis.problems)] == []
    assert analysis.graph is not None
    (kind,), ((output, leave),) = model.graph.inputs.values(), analysis.output_edges.items()
    x = maker.rng.normal(0, 1.2, (6, *kind.shape[1:])).astype(np.float32)
    if kind.elem == "UINT8":
        x = maker.rng.integers(0, 256, x.shape).astype(np.uint8)
    n = apply(analysis.input_edges["x"], x)
    integers = interpret_integer(analysis.graph, {"x": n})[output]
    y = apply(leave, integers)
    wanted = evaluate(model.graph, {"x": x})[output]
    assert np.array_equal(y, wanted.astype(y.dtype).reshape(y.shape))
    assert len(np.unique(y)) > 8
    graph = lower(continue_lines(analysis.graph))
    verify(graph)
    assert np.array_equal(interpret_dataflow(graph, {"x": n})[output], integers)
