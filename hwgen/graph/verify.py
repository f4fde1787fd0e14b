"""What is legal in a graph at each stage; broken rules are faults of a pass, not of the user."""

from dataclasses import fields
from math import prod

import numpy as np

from cores.op import Op
from cores.types import StreamType
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer import ops as integer
from hwgen.integer.ops import IntTensor
from hwgen.integer.result_type import result_type
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.op import TensorType
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.unsupported import Unsupported

TENSOR_OPS: dict[type, int | None] = {
    Constant: 0,
    Concat: None,
    Quant: 1,
    MultiThreshold: 1,
    Unary: 1,
    Binary: 2,
    MatMul: 2,
    Conv: 2,
    MaxPool: 1,
    AveragePool: 1,
    Mean: 1,
    Pad: 1,
    Slice: 1,
    Repeat: 1,
    Dilate: 1,
    Reshape: 1,
    Transpose: 1,
    Softmax: 1,
    ArgMax: 1,
}
"""Ops of the tensor graph and how many inputs they take; None, as for `Unsupported`: any number."""

INPUTS = {"tensor": TensorType, "integer": IntTensor, "dataflow": StreamType}


def stage(graph: Graph) -> str:
    """``tensor``, ``integer`` or ``dataflow``, told by the type of the inputs.

    Raises
    ------
    CheckError
        The inputs are of no stage, or of several.
    """
    kinds = {type(kind) for kind in graph.inputs.values()}
    for name, kind in INPUTS.items():
        if kinds == {kind}:
            return name
    found = ", ".join(sorted(kind.__name__ for kind in kinds)) or "nothing"
    raise CheckError(f"{graph.name}: inputs must be all of one stage, not {found}")


def verify(graph: Graph) -> None:
    """Checks the rules of the graph's stage.

    Raises
    ------
    CheckError
        Names the first node that breaks one.
    """
    rules = {"tensor": _verify_tensor, "integer": _verify_integer, "dataflow": _verify_dataflow}
    rules[stage(graph)](graph)


def _verify_tensor(graph: Graph) -> None:
    for name, kind in graph.inputs.items():
        _require(kind.shape[:1] == (1,), name, "batch axis must have length 1", kind.shape)
    for node in graph:
        known = isinstance(node.op, (*TENSOR_OPS, Unsupported))
        _require(known, node.name, "op must be one of hwgen.tensor", type(node.op).__name__)
        if not isinstance(node.op, Unsupported):
            _count(node, TENSOR_OPS[type(node.op)])


def _verify_integer(graph: Graph) -> None:
    types: dict[Value, IntTensor] = {}
    for name, kind in graph.inputs.items():
        _range(name, kind)
        types[Value(name, "")] = kind
    for node in graph:
        op = node.op
        known = type(op) in integer.OPS
        _require(known, node.name, "op must be one of hwgen.integer", type(op).__name__)
        _count(node, integer.OPS[type(op)])
        for part in fields(op):
            array = getattr(op, part.name)
            if isinstance(array, np.ndarray):
                rule = f"{part.name} must be int64"
                _require(array.dtype == np.int64, node.name, rule, array.dtype)
        if isinstance(op, integer.Step):
            falls = np.flatnonzero((np.diff(op.starts) < 0).any(axis=1))
            _require(not falls.size, node.name, "starts must ascend", f"channel {falls[:1]}")
        try:
            types[node.out] = result_type(op, *(types[value] for value in node.inputs))
        except ValueError as error:
            raise CheckError(f"{node.name}: {error}") from error


def _range(name: str, kind: IntTensor) -> None:
    for end in (kind.lo, kind.hi):
        wanted = kind.shape[-1:]
        _require(end.shape == wanted, name, f"range must have the shape {wanted}", end.shape)
    _require(bool((kind.lo <= kind.hi).all()), name, "range must have lo <= hi", kind.dtype)


def _verify_dataflow(graph: Graph) -> None:
    types: dict[Value, StreamType] = {Value(name, ""): kind for name, kind in graph.inputs.items()}
    for node in graph:
        _require(
            isinstance(node.op, Op), node.name, "op must be one of cores", type(node.op).__name__
        )
        _count(node, len(node.op.inputs))
        for (port, wanted), value in zip(node.op.inputs.items(), node.inputs, strict=True):
            found = types[value]
            where = f"{node.name}.{port}"
            _require(
                prod(found.shape) == prod(wanted.shape),
                where,
                f"shape must have the elements of {wanted.shape}",
                found.shape,
            )
            _require(
                found.order == wanted.order, where, f"order must be {wanted.order}", found.order
            )
            _require(
                wanted.dtype.holds(found.dtype),
                where,
                f"{value} must lie within {wanted.dtype}",
                found.dtype,
            )
        types.update((node[port], kind) for port, kind in node.op.outputs.items())
    for name, value in graph.outputs.items():
        _require(value in types, name, "output must be a port of a node", value)


def _count(node: Node, wanted: int | None) -> None:
    found = len(node.inputs)
    _require(
        wanted in (None, found), node.name, f"{type(node.op).__name__} takes {wanted} inputs", found
    )


def _require(holds: bool, where: str, rule: str, found: object) -> None:
    if not holds:
        raise CheckError(f"{where}: {rule}, not {found}")
