"""Operators that hwgen does not map: what is told about them, and the shape they leave behind."""

from collections.abc import Mapping

import onnx
from onnx import helper, numpy_helper, shape_inference

from hwgen.frontend.call import Shape, Tensor, UnmappedError

CONVOLUTION = ("convolutions at computed places are not built", "Conv")
UNFOLDING = ("kernel positions as a tensor are not read", "Conv, which holds them and the product")
POOLING = ("pooling by this function is not built", "MaxPool or AveragePool")
QOPERATOR = (
    "this operator on integers is not read",
    "the QDQ form: QuantizeLinear and DequantizeLinear around the float operator",
)
REDUCTION = ("this reduction is not built", "ReduceMean, ReduceSum or ReduceMax")
MOVE = ("picking and repeating elements by index is not built", "Slice, Concat, Pad or Resize")
NORM = ("normalisation by statistics of the input is not built yet", "BatchNormalization")
CONTROL = ("control flow is not built", "the branch that is taken, exported alone")
RECURRENT = ("recurrent layers are not built", "MatMul and elementwise operators, one step")
CHOICE = ("comparisons of activations are not built", "Clip, Sign, Min or Max")
DYNAMIC = ("scales must be stored, not computed from the input", "QuantizeLinear")

REASONS: dict[str, tuple[str, str]] = {
    "DeformConv": CONVOLUTION,
    "Im2Col": UNFOLDING,
    **dict.fromkeys(("LpPool", "GlobalLpPool", "MaxRoiPool", "MaxUnpool"), POOLING),
    "QuantAvgPool2d": ("averages cut to fewer bits are not read", "AveragePool and Trunc"),
    **dict.fromkeys(("QLinearWhere", "QAttention"), QOPERATOR),
    **dict.fromkeys(
        (
            *("ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"),
            *("ReduceLogSum", "ReduceLogSumExp", "CumSum"),
        ),
        REDUCTION,
    ),
    **dict.fromkeys(
        ("GatherElements", "GatherND", "ScatterND", "Tile", "Expand", "ReverseSequence"),
        MOVE,
    ),
    **dict.fromkeys(
        ("LayerNormalization", "InstanceNormalization", "GroupNormalization", "LRN"), NORM
    ),
    **dict.fromkeys(("If", "Loop", "Scan"), CONTROL),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), RECURRENT),
    **dict.fromkeys(("Where", "Equal", "Greater", "Less", "Not", "And", "Or"), CHOICE),
    **dict.fromkeys(("DynamicQuantizeLinear", "DynamicQuantizeMatMul"), DYNAMIC),
    "LogSoftmax": ("the logarithm of a softmax is not built", "Softmax, or the scores before it"),
    "FloatQuant": ("quantisers to small floats are not built", "Quant with integer bit width"),
    "XnorPopcountMatMul": ("packed binary products are not read", "MatMul of BipolarQuant values"),
}


def unmapped(op_type: str, domain: str) -> UnmappedError:
    """What to tell about an operator that the table of readers does not have."""
    reason, nearest = REASONS.get(op_type, ("no such operator is built", ""))
    if domain.startswith("finn.custom_op.fpgadataflow"):
        reason, nearest = "hardware layers of FINN are not read", "the model before conversion"
    return UnmappedError(full_name(op_type, domain), reason, nearest)


def full_name(op_type: str, domain: str) -> str:
    return f"{domain}.{op_type}" if domain not in ("", "ai.onnx") else op_type


def output_shapes(
    node: onnx.NodeProto,
    inputs: Mapping[str, Tensor],
    declared: Mapping[str, Shape],
    opsets: Mapping[str, int],
) -> tuple[tuple[Shape | None, str], ...]:
    """Shape and element type of each output: by ONNX's own inference, else as the file declares
    them, else unknown."""
    inferred: dict[str, onnx.TypeProto] = {}
    known = {name: t for name, t in inputs.items() if t.shape is not None}
    try:
        schema = onnx.defs.get_schema(node.op_type, opsets.get(node.domain, 1), node.domain)
        types = {
            name: helper.make_tensor_type_proto(_elem(tensor), tensor.shape)
            for name, tensor in known.items()
        }
        data = {
            name: numpy_helper.from_array(tensor.const, name)
            for name, tensor in known.items()
            if tensor.const is not None and not tensor.is_float
        }
        imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
        inferred = shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=imports
        )
    except (
        onnx.defs.SchemaError,
        onnx.checker.ValidationError,
        shape_inference.InferenceError,
        KeyError,
        ValueError,
    ):
        inferred = {}
    return tuple(_outcome(inferred.get(name), declared.get(name), inputs) for name in node.output)


def _elem(tensor: Tensor) -> int:
    if tensor.const is not None and not tensor.is_float:
        return helper.np_dtype_to_tensor_dtype(tensor.const.dtype)
    return onnx.TensorProto.DataType.Value(tensor.elem)


def _outcome(
    inferred: onnx.TypeProto | None, declared: Shape | None, inputs: Mapping[str, Tensor]
) -> tuple[Shape | None, str]:
    first = next(iter(inputs.values()), None)
    elem = first.elem if first is not None else "FLOAT"
    if inferred is None or not inferred.HasField("tensor_type"):
        return declared, elem
    tensor_type = inferred.tensor_type
    if tensor_type.elem_type:
        elem = onnx.TensorProto.DataType.Name(tensor_type.elem_type)
    dims = [d.dim_value if d.HasField("dim_value") else None for d in tensor_type.shape.dim]
    known = tuple(dim for dim in dims if dim is not None)
    if not tensor_type.HasField("shape") or len(known) != len(dims):
        return declared, elem
    return known, elem
