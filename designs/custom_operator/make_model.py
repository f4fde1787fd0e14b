"""Writes `model.onnx` and `vectors.npz`: 16 samples of a signal, their running sum, a product.

python make_model.py
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SAMPLES, OUTPUTS = 16, 4
STEP, SUM_STEP, WEIGHT_STEP = 2.0**-4, 2.0**-2, 2.0**-3


def model(weights: np.ndarray) -> onnx.ModelProto:
    """CumSum between two quantisers in QDQ form, then a product with stored integers."""
    constants = {
        "step": np.float32(STEP),
        "sum_step": np.float32(SUM_STEP),
        "weight_step": np.float32(WEIGHT_STEP),
        "zero": np.int8(0),
        "axis": np.int64(1),
        "weights": weights.astype(np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["x_int"], "quantise"),
        helper.make_node("DequantizeLinear", ["x_int", "step", "zero"], ["x_real"]),
        helper.make_node("CumSum", ["x_real", "axis"], ["sum"], "running_sum"),
        helper.make_node(
            "QuantizeLinear", ["sum", "sum_step", "zero"], ["sum_int"], "quantise_sum"
        ),
        helper.make_node("DequantizeLinear", ["sum_int", "sum_step", "zero"], ["sum_real"]),
        helper.make_node("DequantizeLinear", ["weights", "weight_step", "zero"], ["weights_real"]),
        helper.make_node("MatMul", ["sum_real", "weights_real"], ["y"], "product"),
    ]
    graph = helper.make_graph(
        nodes,
        "running_sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SAMPLES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, OUTPUTS])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def quantise(x: np.ndarray, step: float) -> np.ndarray:
    """Integers of a QuantizeLinear to int8; steps are powers of two, so all of this is exact."""
    return np.clip(np.rint(x / step), -128, 127)


def main() -> None:
    rng = np.random.default_rng(1)
    folder = Path(__file__).parent
    weights = rng.integers(-8, 8, (SAMPLES, OUTPUTS))
    onnx.save(model(weights), folder / "model.onnx")
    x = rng.normal(0, 1, (64, SAMPLES)).astype(np.float32)
    sums = np.cumsum(quantise(x, STEP) * STEP, axis=1)
    output = (quantise(sums, SUM_STEP) * SUM_STEP) @ (weights * WEIGHT_STEP)
    np.savez_compressed(folder / "vectors.npz", input=x, output=output.astype(np.float32))


if __name__ == "__main__":
    main()
