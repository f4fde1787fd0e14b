"""Models in onnxruntime, where its numbers are the same on every processor.

Its kernels for 8-bit products differ: with AVX2 but without VNNI it adds two products of a signed
weight in 16 bits, which saturate (255 * 127 + 255 * 127), and its optimisations replace float
operators between quantisers by such products. So nothing is optimised here, and signed weights
must be small enough for every pair.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

PAIR = 2**15 - 1
"""What the sum of two products may be."""

READS_FLOATS = ("DequantizeLinear", "QuantizeLinear")


def saturating_weights(model: onnx.ModelProto) -> list[str]:
    """Nodes with signed 8-bit weights two of whose products with 0..255 may exceed 16 bits.

    Signed activations count as unsigned ones: the kernels move them by 128.
    """
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        for name in node.input:
            weights = stored.get(name)
            if weights is None or weights.dtype != np.int8 or weights.ndim < 2:
                continue
            largest = sorted(abs(weights.astype(int)).ravel().tolist())[-2:]
            if node.op_type not in READS_FLOATS and 255 * sum(largest) > PAIR:
                found.append(node.name)
    return found


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """Outputs of a model whose input is ``x``."""
    assert saturating_weights(model) == [], "signed weights must be within -64..64"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})


def clear_of_ties(levels: np.ndarray) -> bool:
    """Whether float32 rounds each of these numbers as exact arithmetic does."""
    return bool((abs(levels - np.floor(levels) - 0.5) > 1e-3).all())
