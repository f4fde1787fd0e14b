"""A residual network with depthwise layers and skips, quantised as people do it: by onnxruntime."""

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from hwgen.frontend.reader import read
from hwgen.tensor.referee import evaluate
from tests.hwgen.frontend.definition import in_float64
from tests.onnx_models import Maker, save

SHAPE = (1, 3, 8, 8)
FORMATS = {"QDQ": QuantFormat.QDQ, "QOperator": QuantFormat.QOperator}


class Samples(CalibrationDataReader):
    def __init__(self, samples: np.ndarray):
        self.samples = iter(samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        x = next(self.samples, None)
        return None if x is None else {"x": x[np.newaxis]}


def network(rng: np.random.Generator) -> onnx.ModelProto:
    maker = Maker(SHAPE, opset=19)

    def weights(*shape: int) -> str:
        return maker.constant(rng.normal(size=shape).astype(np.float32) / 2)

    def conv(x: str, inputs: int, outputs: int, size: int, groups: int = 1, **attributes) -> str:
        w = weights(outputs, inputs // groups, size, size)
        return maker.node("Conv", x, w, weights(outputs), group=groups, **attributes)

    stem = maker.node("Relu", conv("x", 3, 8, 3, pads=[1, 1, 1, 1]))
    y = maker.node("Relu", conv(stem, 8, 8, 3, 8, pads=[0, 1, 2, 1]))
    y = maker.node("Relu", maker.node("Add", stem, conv(y, 8, 8, 1)))
    pooled = maker.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    means = maker.node("AveragePool", y, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = maker.node("Concat", pooled, means, axis=1)
    maker.node("Split", y, outputs=("left", "right"), axis=1, num_outputs=2)
    left, right = maker.node("Sigmoid", "left"), maker.node("LeakyRelu", "right", alpha=0.1)
    y = maker.node("Add", left, right)
    scales = maker.constant([1.0, 1.0, 2.0, 2.0])
    asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    wide = maker.node("Resize", y, "", scales, mode="nearest", **asymmetric)
    ends = [maker.constant(numbers) for numbers in ([1, 1], [7, 7], [2, 3])]
    wide = maker.node("Slice", wide, *ends)
    pads = maker.constant([0, 0, 1, 0, 0, 0, 0, 1])
    wide = conv(maker.node("Pad", wide, pads, maker.constant(0.0)), 8, 4, 2)
    deep = maker.node("ConvTranspose", y, weights(8, 4, 2, 2), weights(4), strides=[2, 2])
    ends = [maker.constant(numbers) for numbers in ([0, 0], [6, 6], [2, 3])]
    y = maker.node("Mul", maker.node("Slice", deep, *ends), wide)
    y = maker.node("Flatten", maker.node("GlobalAveragePool", y))
    maker.node("Gemm", y, weights(5, 4), weights(5), name="last", transB=1)
    return maker.model()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("form", FORMATS)
def test_model_of_a_quantiser(tmp_path: Path, form, per_channel):
    rng = np.random.default_rng(3)
    samples = rng.normal(size=(16, *SHAPE[1:])).astype(np.float32)
    path = tmp_path / "quantised.onnx"
    logging.disable(logging.WARNING)
    quantize_static(
        save(network(rng), tmp_path, "float.onnx"),
        path,
        Samples(samples),
        quant_format=FORMATS[form],
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
    )
    logging.disable(logging.NOTSET)
    model = read(path)
    assert model.problems == ()
    (y,) = evaluate(model.graph, {"x": samples}).values()
    assert y.tolist() == in_float64(onnx.load(path), samples).tolist()
    assert len(np.unique(y)) > 20
