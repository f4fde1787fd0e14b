"""Interpreters of the integer graph and of the dataflow graph: whole batches in int64."""

from collections.abc import Mapping

import numpy as np

from cores.types import IntType
from hwgen.errors import InputError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.op import require_op

FRAMES = 64
"""Frames that are computed together: bounds the memory that windows take."""


def interpret_integer(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs of an integer graph for a batch.

    Parameters
    ----------
    inputs : mapping of input name to int array, (samples, ...)
        Natural shape, channels last, within the declared range.

    Raises
    ------
    InputError
        An input is missing, or has another shape or range.
    CheckError
        An op is no `IntegerOp`; names its node.
    """
    samples = {len(x) for x in inputs.values()}
    parts = range(0, max(samples), FRAMES) if len(samples) == 1 and max(samples) else [0]
    found = [
        _outputs(graph, {name: x[first : first + FRAMES] for name, x in inputs.items()})
        for first in parts
    ]
    return {name: np.concatenate([part[name] for part in found]) for name in graph.outputs}


def _outputs(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As `trace_integer`, but an array goes when its last user has it."""
    values = _inputs(graph, inputs)
    last = {value: node.name for node in graph for value in node.inputs}
    kept = {*graph.outputs.values()}
    for node in graph:
        values[node.out] = _compute(node, values)
        for value in {*node.inputs} - kept:
            if last[value] == node.name:
                del values[value]
    return {name: values[value] for name, value in graph.outputs.items()}


def trace_integer(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[Value, np.ndarray]:
    """Every value of an integer graph for a batch; arguments and errors as `interpret_integer`."""
    values = _inputs(graph, inputs)
    for node in graph:
        values[node.out] = _compute(node, values)
    return values


def _inputs(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[Value, np.ndarray]:
    return {
        Value(name, ""): _checked(name, kind.shape, (kind.lo, kind.hi), inputs)
        for name, kind in graph.inputs.items()
    }


def _compute(node: Node, values: Mapping[Value, np.ndarray]) -> np.ndarray:
    op = require_op(node.op, node.name)
    return op.compute(*(values[value] for value in node.inputs))


def interpret_dataflow(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs of a dataflow graph for a batch, by `compute` of its ops; arguments as
    `interpret_integer`."""
    values = trace_dataflow(graph, inputs)
    return {name: values[value] for name, value in graph.outputs.items()}


def trace_dataflow(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[Value, np.ndarray]:
    """Every value of a dataflow graph for a batch."""
    values: dict[Value, np.ndarray] = {}
    for name, kind in graph.inputs.items():
        ends = (np.array(kind.dtype.lo), np.array(kind.dtype.hi))
        values[Value(name, "")] = _checked(name, kind.shape, ends, inputs)
    for node in graph:
        tensors = (
            values[value].reshape(-1, *kind.shape)
            for value, kind in zip(node.inputs, node.op.inputs.values(), strict=True)
        )
        result = node.op.compute(*tensors)
        results = result if isinstance(result, tuple) else (result,)
        for port, array in zip(node.op.outputs, results, strict=True):
            values[node[port]] = array
    return values


def _checked(
    name: str,
    shape: tuple[int, ...],
    ends: tuple[np.ndarray, np.ndarray],
    inputs: Mapping[str, np.ndarray],
) -> np.ndarray:
    if name not in inputs:
        raise InputError(f"input {name}: an array must be given; given are {', '.join(inputs)}")
    x = np.asarray(inputs[name])
    if x.dtype.kind not in "iu":
        raise InputError(f"input {name}: the array must hold integers, not {x.dtype}")
    if x.shape[1:] != shape:
        wanted = ", ".join(["N", *map(str, shape)])
        raise InputError(f"input {name}: the array must have the shape ({wanted}), not {x.shape}")
    x = x.astype(np.int64)
    if (x < ends[0]).any() or (x > ends[1]).any():
        allowed = IntType(int(ends[0].min()), int(ends[1].max()))
        raise InputError(
            f"input {name}: values must lie within {allowed.lo}..{allowed.hi} of their channel, "
            f"the array holds {x.min()}..{x.max()}"
        )
    return x
