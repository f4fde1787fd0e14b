"""What is legal in a graph at each stage; broken rules are faults of a pass, not of the user."""

from dataclasses import fields, is_dataclass
from math import prod

import numpy as np

from cores.op import Op
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Node
from hwgen.graph.stages import stage
from hwgen.integer.op import IntTensor, require_op
from hwgen.tensor.op import require_op as require_tensor_op


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
        require_tensor_op(node)
        _count(node, node.op.arity)


def _verify_integer(graph: Graph) -> None:
    for name, kind in graph.inputs.items():
        _range(name, kind)
    for node in graph:
        require_op(node.op, node.name)
        _require(is_dataclass(node.op), node.name, "op must be a dataclass", type(node.op).__name__)
        for part in fields(node.op):
            array = getattr(node.op, part.name)
            if isinstance(array, np.ndarray):
                rule = f"{part.name} must be int64"
                _require(array.dtype == np.int64, node.name, rule, array.dtype)
    for node in graph:
        kind = graph.types[node.out]
        rule = f"result_type of {type(node.op).__name__} must be an IntTensor"
        _require(isinstance(kind, IntTensor), node.name, rule, type(kind).__name__)
        _range(node.name, kind)


def _range(name: str, kind: IntTensor) -> None:
    for end in (kind.lo, kind.hi):
        wanted = kind.shape[-1:]
        _require(end.shape == wanted, name, f"range must have the shape {wanted}", end.shape)
    _require(bool((kind.lo <= kind.hi).all()), name, "range must have lo <= hi", kind.dtype)


def _verify_dataflow(graph: Graph) -> None:
    for node in graph:
        known = isinstance(node.op, Op)
        _require(known, node.name, "op must be an Op of cores", type(node.op).__name__)
    for node in graph:
        _count(node, len(node.op.inputs))
        for (port, wanted), value in zip(node.op.inputs.items(), node.inputs, strict=True):
            where = f"{node.name}.{port}"
            found = graph.types[value]
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
    for name, value in graph.outputs.items():
        _require(value in graph.types, name, "output must be a port of a node", value)


def _count(node: Node, wanted: int | None) -> None:
    found = len(node.inputs)
    more = "" if wanted == 1 else "s"
    rule = f"{type(node.op).__name__} must have {wanted} input{more}"
    _require(wanted in (None, found), node.name, rule, found)


def _require(holds: bool, where: str, rule: str, found: object) -> None:
    if not holds:
        raise CheckError(f"{where}: {rule}, not {found}")
