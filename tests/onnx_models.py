"""Small ONNX models made in memory, for tests."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


class Maker:
    """Collects nodes and constants; a method adds one node and returns its output's name.

    Parameters
    ----------
    shape : shape of the input ``x``; None for a model without input
    opset : version of the standard operators
    """

    def __init__(
        self,
        shape: Sequence[Any] | None = (1, 4),
        *,
        opset: int = 13,
        elem: int = TensorProto.FLOAT,
    ):
        self.opset = opset
        self.inputs = []
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.count = 0
        if shape is not None:
            self.input("x", shape, elem)

    def input(self, name: str, shape: Sequence[Any], elem: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, elem, list(shape)))
        return name

    def constant(self, value: ArrayLike, name: str = "", dtype: Any = None) -> str:
        """An initialiser: float32 for Python floats, int64 for Python ints."""
        array = np.asarray(value, dtype)
        if dtype is None and array.dtype == np.float64 and not isinstance(value, np.ndarray):
            array = array.astype(np.float32)
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(
        self,
        op: str,
        *inputs: str,
        name: str = "",
        outputs: Sequence[str] = (),
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """A node; unnamed ones get ``n0``, ``n1``, … and outputs ``<name>_out``."""
        name = name or f"n{self.count}"
        self.count += 1
        outputs = outputs or [f"{name}_out"]
        made = helper.make_node(op, inputs, outputs, name=name, domain=domain, **attributes)
        self.nodes.append(made)
        return outputs[0]

    def quant(
        self,
        x: str,
        *,
        scale: ArrayLike = 1.0,
        zero_point: ArrayLike = 0.0,
        bits: ArrayLike = 4.0,
        signed: bool = True,
        narrow: bool = False,
        rounding: str = "ROUND",
        name: str = "",
        domain: str = QONNX,
        op: str = "Quant",
    ) -> str:
        parameters = [self.constant(value) for value in (scale, zero_point, bits)]
        return self.node(
            op,
            x,
            *parameters,
            name=name,
            domain=domain,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode=rounding,
        )

    def bipolar(self, x: str, *, scale: ArrayLike = 1.0, name: str = "", domain=QONNX) -> str:
        return self.node("BipolarQuant", x, self.constant(scale), name=name, domain=domain)

    def multi_threshold(self, x: str, thresholds: ArrayLike, **attributes: Any) -> str:
        given = {"out_dtype": "UINT8", **attributes}
        return self.node("MultiThreshold", x, self.constant(thresholds), domain=QONNX, **given)

    def batch_norm(self, x: str, gamma, beta, mean, var, *, name: str = "", eps=1e-5) -> str:
        parameters = [self.constant(np.asarray(v, np.float32)) for v in (gamma, beta, mean, var)]
        return self.node("BatchNormalization", x, *parameters, name=name, epsilon=eps)

    def model(self, *outputs: str, elem: int = TensorProto.FLOAT) -> onnx.ModelProto:
        """The model with the given tensors (default: the last node's) as outputs."""
        names = outputs or (self.nodes[-1].output[0],)
        infos = [helper.make_tensor_value_info(name, elem, None) for name in names]
        graph = helper.make_graph(self.nodes, "graph", self.inputs, infos, self.constants)
        versions = {"": self.opset, QONNX: 1, "com.microsoft": 1}
        imports = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)

    def save(self, folder: Path, *outputs: str, elem: int = TensorProto.FLOAT) -> Path:
        return save(self.model(*outputs, elem=elem), folder)


def save(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


@dataclass(frozen=True, eq=False)
class Dense:
    """One layer of `mlp`: quantised weights, then bias or BatchNorm, Relu and a quantiser.

    Parameters
    ----------
    weights : (rows, cols), the numbers before their quantiser
    bits, scale, narrow : of the weight quantiser; 1 bit is a BipolarQuant
    bias : (rows,) or None
    norm : gamma, beta, mean, var, each (rows,), or None
    act_bits, act_scale, act_signed, act_zero_point, rounding : of the activation quantiser; None
        for none, 1 for a BipolarQuant
    """

    weights: np.ndarray
    bits: int = 3
    scale: ArrayLike = 1.0
    narrow: bool = True
    bias: ArrayLike | None = None
    norm: Sequence[ArrayLike] | None = None
    relu: bool = False
    act_bits: int | None = 2
    act_scale: ArrayLike = 1.0
    act_signed: bool = False
    act_zero_point: float = 0.0
    rounding: str = "ROUND"


def mlp(
    layers: Sequence[Dense],
    *,
    input_bits: int | None = 4,
    input_scale: float = 1.0,
    input_signed: bool = False,
    head: str = "",
    opset: int = 13,
    domain: str = QONNX,
) -> onnx.ModelProto:
    """A QONNX MLP; `head` is an operator after the last layer: Softmax, ArgMax or TopK."""
    maker = Maker((1, layers[0].weights.shape[1]), opset=opset)
    x = "x"
    if input_bits is not None:
        x = maker.quant(
            x, scale=input_scale, bits=float(input_bits), signed=input_signed, name="input"
        )
    for index, layer in enumerate(layers):
        x = _dense(maker, x, layer, f"layer{index}", domain)
    if head == "Softmax":
        x = maker.node("Softmax", x, name="head", axis=1)
    elif head == "ArgMax":
        x = maker.node("ArgMax", x, name="head", axis=1, keepdims=0)
    elif head == "TopK":
        maker.node("TopK", x, maker.constant([1]), name="head", outputs=("values", "x_top"))
        x = "x_top"
    return maker.model(
        x, elem=TensorProto.INT64 if head in ("ArgMax", "TopK") else TensorProto.FLOAT
    )


def _dense(maker: Maker, x: str, layer: Dense, name: str, domain: str) -> str:
    weights = maker.constant(layer.weights.astype(np.float32), f"{name}_weights")
    if layer.bits == 1:
        w = maker.bipolar(weights, scale=layer.scale, name=f"{name}_wq", domain=domain)
    else:
        w = maker.quant(
            weights,
            scale=np.asarray(layer.scale, np.float32),
            bits=float(layer.bits),
            narrow=layer.narrow,
            name=f"{name}_wq",
            domain=domain,
        )
    w = maker.node("Transpose", w, name=f"{name}_wt", perm=[1, 0])
    x = maker.node("MatMul", x, w, name=name)
    if layer.bias is not None:
        bias = maker.constant(np.asarray(layer.bias, np.float32))
        x = maker.node("Add", x, bias, name=f"{name}_bias")
    if layer.norm is not None:
        x = maker.batch_norm(x, *layer.norm, name=f"{name}_norm")
    if layer.relu:
        x = maker.node("Relu", x, name=f"{name}_relu")
    if layer.act_bits == 1:
        return maker.bipolar(x, scale=layer.act_scale, name=f"{name}_act", domain=domain)
    if layer.act_bits is not None:
        return maker.quant(
            x,
            scale=layer.act_scale,
            zero_point=layer.act_zero_point,
            bits=float(layer.act_bits),
            signed=layer.act_signed,
            rounding=layer.rounding,
            name=f"{name}_act",
            domain=domain,
        )
    return x


def random_mlp(
    rng: np.random.Generator,
    sizes: Sequence[int],
    *,
    weight_bits: int = 3,
    act_bits: int = 2,
    head: str = "",
    opset: int = 13,
) -> onnx.ModelProto:
    """Random weights on their grid, BatchNorms with gammas of both signs, no last quantiser."""
    layers = []
    for index, (cols, rows) in enumerate(itertools.pairwise(sizes)):
        top = 1 if weight_bits == 1 else 2 ** (weight_bits - 1) - 1
        weights = rng.integers(-top, top + 1, (rows, cols))
        scale = 2.0**-3
        norm = (
            rng.choice([-1, 1], rows) * rng.uniform(0.5, 2, rows),
            rng.normal(0, 1, rows),
            rng.normal(0, 2, rows),
            rng.uniform(0.5, 4, rows),
        )
        last = index == len(sizes) - 2
        layers.append(
            Dense(
                weights * scale,
                bits=weight_bits,
                scale=scale,
                norm=None if last else norm,
                relu=not last and act_bits > 1,
                act_bits=None if last else act_bits,
                act_scale=0.5,
            )
        )
    return mlp(layers, head=head, opset=opset)
