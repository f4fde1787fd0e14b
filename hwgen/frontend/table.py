"""Which function reads which ONNX operator."""

from collections.abc import Callable

import numpy as np

from hwgen.frontend import (
    convolution,
    linear,
    parts,
    pooling,
    qdq,
    qoperator,
    quantizers,
    resize,
    shapes,
    structure,
    transposed,
)
from hwgen.frontend.call import Call, RefusalError, Tensor
from hwgen.frontend.elementwise import ELEMENTWISE
from hwgen.frontend.model_file import QUANT_DOMAINS

Reader = Callable[[Call], "Tensor | tuple[Tensor, ...]"]


def constant(call: Call) -> Tensor:
    """Constant, in each of its attribute forms."""
    forms = {
        "value": None,
        "value_float": (np.float32, "FLOAT"),
        "value_floats": (np.float32, "FLOAT"),
        "value_int": (np.int64, "INT64"),
        "value_ints": (np.int64, "INT64"),
    }
    given = [name for name in forms if name in call.attributes]
    if not given:
        raise RefusalError(
            "Constant must hold dense numbers", ", ".join(call.attributes) or "no value"
        )
    value, form = call.attributes[given[0]], forms[given[0]]
    array, elem = value if form is None else (np.array(value, form[0]), form[1])
    name = {"name": call.label, "origin": call.index}
    return Tensor(array.shape, elem, const=array, **name)


STANDARD: dict[str, Reader] = {
    **ELEMENTWISE,
    "Constant": constant,
    "ConstantOfShape": shapes.filled,
    "Shape": shapes.shape_of,
    "Size": shapes.size_of,
    "MatMul": linear.matmul,
    "Gemm": linear.gemm,
    "BatchNormalization": linear.batch_normalization,
    "Conv": convolution.conv,
    "ConvTranspose": transposed.conv_transpose,
    "MaxPool": pooling.max_pool,
    "AveragePool": pooling.average_pool,
    "GlobalMaxPool": pooling.global_max_pool,
    "GlobalAveragePool": pooling.global_average_pool,
    "ReduceMean": pooling.reduce_mean,
    "ReduceSum": pooling.reduce_sum,
    "ReduceMax": pooling.reduce_max,
    "Concat": parts.concat,
    "Split": parts.split,
    "Slice": parts.slice_,
    "Gather": parts.gather,
    "Pad": parts.pad,
    "DepthToSpace": parts.depth_to_space,
    "SpaceToDepth": parts.space_to_depth,
    "Resize": resize.resize,
    "Upsample": resize.upsample,
    "QuantizeLinear": qdq.quantize_linear,
    "DequantizeLinear": qdq.dequantize_linear,
    **qoperator.QOPERATORS,
    "Identity": structure.identity,
    "Dropout": structure.dropout,
    "Cast": structure.cast,
    "Flatten": structure.flatten,
    "Reshape": structure.reshape,
    "Transpose": structure.transpose,
    "Squeeze": structure.squeeze,
    "Unsqueeze": structure.unsqueeze,
    "Softmax": structure.softmax,
    "ArgMax": structure.arg_extreme,
    "ArgMin": structure.arg_extreme,
    "TopK": structure.top_k,
}

QUANTISERS: dict[str, Reader] = {
    "Quant": quantizers.quant,
    "IntQuant": quantizers.quant,
    "BipolarQuant": quantizers.bipolar_quant,
    "Trunc": quantizers.trunc,
    "MultiThreshold": quantizers.multi_threshold,
}

CONTRIBUTED: dict[str, Reader] = {
    **qoperator.CONTRIBUTED,
    "QuantizeLinear": qdq.quantize_linear,
    "DequantizeLinear": qdq.dequantize_linear,
}
"""Operators of com.microsoft."""


def reader_of(op_type: str, domain: str) -> Reader | None:
    if domain in ("", "ai.onnx"):
        return STANDARD.get(op_type) or QUANTISERS.get(op_type)
    if domain in QUANT_DOMAINS:
        return QUANTISERS.get(op_type)
    return CONTRIBUTED.get(op_type) if domain == "com.microsoft" else None
