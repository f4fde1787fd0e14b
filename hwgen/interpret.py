"""Interpreters of the integer graph and of the dataflow graph: whole batches in int64."""

from collections.abc import Mapping

import numpy as np

from cores.types import IntType
from hwgen.errors import InputError
from hwgen.integer import IntArgMax, IntMatMul, Step
from hwgen.ir import Graph, Value


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
    """
    values = trace_integer(graph, inputs)
    return {name: values[value] for name, value in graph.outputs.items()}


def trace_integer(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[Value, np.ndarray]:
    """Every value of an integer graph for a batch, as `interpret_integer` computes it."""
    values: dict[Value, np.ndarray] = {}
    for name, kind in graph.inputs.items():
        values[Value(name, "")] = _checked(name, kind.shape, (kind.lo, kind.hi), inputs)
    for node in graph:
        values[node.out] = compute(node.op, *(values[value] for value in node.inputs))
    return values


def compute(op: IntMatMul | Step | IntArgMax, x: np.ndarray) -> np.ndarray:
    """One op of the integer graph on a batch, int64."""
    match op:
        case IntMatMul(weights, offset):
            return _product(x, weights) + offset
        case Step(starts, values):
            result = np.empty_like(x)
            for c in range(x.shape[-1]):
                result[..., c] = values[c][np.searchsorted(starts[c], x[..., c], side="right")]
            return result
        case IntArgMax(offset, rank):
            keys = (x + offset) * (int(rank.max()) + 1) + rank
            return keys.argmax(axis=-1, keepdims=True).astype(np.int64)


def _product(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # float64 is exact below 2**53 and many times faster than integer products in numpy.
    bound = float(np.abs(weights).sum(axis=1).max()) * float(np.abs(x).max(initial=0))
    if bound < 2**53:
        return (x.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)
    return x @ weights.T


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
        result = node.op.compute(*(values[value] for value in node.inputs))
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
