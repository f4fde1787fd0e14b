"""What the ONNX standard says that a quantised model computes, in float64.

Operators on integers are spelled out as their definition: dequantise, the float operator,
quantise. onnx's own evaluator runs that, so no kernel of a processor takes part, and the rounding
of float32 decides nothing.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


@dataclass(frozen=True)
class Form:
    """An operator on integers: its float operator, and the numbers of its inputs.

    Parameters
    ----------
    op : the float operator
    operands : integers, scale and zero point of each; scales of a second one follow its axis 0
    result : scale and zero point
    bias : integers of the product of both scales
    """

    op: str
    operands: tuple[tuple[int, int, int], ...]
    result: tuple[int, int]
    bias: int | None = None


ONE, TWO = ((0, 1, 2),), ((0, 1, 2), (3, 4, 5))
FORMS = {
    "QLinearConv": Form("Conv", TWO, (6, 7), bias=8),
    "QGemm": Form("Gemm", TWO, (7, 8), bias=6),
    "QLinearAdd": Form("Add", TWO, (6, 7)),
    "QLinearMul": Form("Mul", TWO, (6, 7)),
    "QLinearConcat": Form("Concat", ((2, 3, 4), (5, 6, 7)), (0, 1)),
    "QLinearSigmoid": Form("Sigmoid", ONE, (3, 4)),
    "QLinearLeakyRelu": Form("LeakyRelu", ONE, (3, 4)),
    "QLinearAveragePool": Form("AveragePool", ONE, (3, 4)),
    "QLinearGlobalAveragePool": Form("GlobalAveragePool", ONE, (3, 4)),
}


def spelled_out(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A node on integers as nodes on real numbers."""
    form, made = FORMS[node.op_type], []

    def add(op: str, *inputs: str, **attributes) -> str:
        name = f"{node.output[0]}#{len(made)}"
        made.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    reals = []
    for axis, operand in zip((1, 0), form.operands, strict=False):
        reals.append(add("DequantizeLinear", *(node.input[n] for n in operand), axis=axis))
    if form.bias is not None:
        scale = add("Mul", *(node.input[operand[1]] for operand in form.operands))
        reals.append(add("DequantizeLinear", node.input[form.bias], scale, axis=0))
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    attributes.pop("channels_last", None)
    y = add(form.op, *reals, **attributes)
    grid = [node.input[n] for n in form.result]
    made.append(helper.make_node("QuantizeLinear", [y, *grid], node.output))
    return made


def in_float64(model: onnx.ModelProto, samples: np.ndarray) -> np.ndarray:
    """Output of a model with one input ``x``, sample by sample."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for tensor in wide.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    nodes = [
        part
        for node in model.graph.node
        for part in (spelled_out(node) if node.op_type in FORMS else [node])
    ]
    del wide.graph.node[:]
    wide.graph.node.extend(nodes)
    run = ReferenceEvaluator(wide).run
    return np.concatenate([run(None, {"x": x[np.newaxis].astype(float)})[0] for x in samples])
