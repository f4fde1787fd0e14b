"""Interpreters of the integer graph and of the dataflow graph: whole batches in int64."""

from collections.abc import Mapping

import numpy as np

from cores.types import IntType
from hwgen.errors import InputError
from hwgen.graph.ir import Graph, Value
from hwgen.integer.ops import (
    IntAdd,
    IntArgMax,
    IntConcat,
    IntCrop,
    IntDepthwise,
    IntDilate,
    IntMatMul,
    IntOp,
    IntReduce,
    IntRepeat,
    IntReshape,
    IntTotal,
    IntWeigh,
    IntWindow,
    Step,
)

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
        values[node.out] = compute(node.op, *(values[value] for value in node.inputs))
        for value in {*node.inputs} - kept:
            if last[value] == node.name:
                del values[value]
    return {name: values[value] for name, value in graph.outputs.items()}


def trace_integer(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[Value, np.ndarray]:
    """Every value of an integer graph for a batch, as `interpret_integer` computes it."""
    values = _inputs(graph, inputs)
    for node in graph:
        values[node.out] = compute(node.op, *(values[value] for value in node.inputs))
    return values


def _inputs(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[Value, np.ndarray]:
    return {
        Value(name, ""): _checked(name, kind.shape, (kind.lo, kind.hi), inputs)
        for name, kind in graph.inputs.items()
    }


def compute(op: IntOp, *inputs: np.ndarray) -> np.ndarray:
    """One op of the integer graph on a batch, int64."""
    if isinstance(op, IntAdd):
        return sum((f * x for f, x in zip(op.factors, inputs, strict=True)), op.offset)
    if isinstance(op, IntConcat):
        return np.concatenate(inputs, axis=-1)
    (x,) = inputs
    match op:
        case IntMatMul(weights, offset):
            return _product(x, weights) + offset
        case Step(starts, values):
            return _stepped(x, starts, values)
        case IntArgMax(offset, rank):
            keys = (x + offset) * (int(rank.max()) + 1) + rank
            return keys.argmax(axis=-1, keepdims=True).astype(np.int64)
        case IntWindow():
            return _windows(op, x)
        case IntDepthwise(weights, offset):
            return _depthwise(x, weights) + offset
        case IntReduce(fn, taps):
            windows = x.reshape(*x.shape[:-1], taps, -1)
            return windows.max(axis=-2) if fn == "max" else windows.sum(axis=-2)
        case IntTotal(fn):
            space = tuple(range(1, x.ndim - 1))
            return x.max(axis=space) if fn == "max" else x.sum(axis=space)
        case IntWeigh():
            return x * op.by_position
        case IntCrop(starts, stops, steps):
            return x[:, *map(slice, starts, stops, steps)]
        case IntRepeat(factors):
            for axis, factor in enumerate(factors, 1):
                x = x.repeat(factor, axis)
            return x
        case IntDilate(factors, fill):
            space = (n * f - f + 1 for n, f in zip(x.shape[1:-1], factors, strict=True))
            result = np.broadcast_to(fill, (len(x), *space, len(fill))).copy()
            result[:, *(slice(None, None, factor) for factor in factors)] = x
            return result
        case IntReshape(shape):
            return x.reshape(len(x), *shape)


def _depthwise(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rows, taps = weights.shape
    windows = x.reshape(*x.shape[:-1], taps, -1)
    source = np.arange(rows) // (rows // windows.shape[-1])
    result = np.zeros((*x.shape[:-1], rows), np.int64)
    for k in range(taps):
        result += windows[..., k, source] * weights[:, k]
    return result


def _stepped(x: np.ndarray, starts: np.ndarray, values: np.ndarray) -> np.ndarray:
    result = np.empty_like(x)
    for c in range(x.shape[-1]):
        result[..., c] = values[c][np.searchsorted(starts[c], x[..., c], side="right")]
    return result


def _windows(op: IntWindow, x: np.ndarray) -> np.ndarray:
    places = op.places(x.shape[1:-1])
    margins = [
        (max(0, -int(at.min())), max(0, int(at.max()) + 1 - n))
        for at, n in zip(places, x.shape[1:-1], strict=True)
    ]
    shape = [sum(m) + n for m, n in zip(margins, x.shape[1:-1], strict=True)]
    padded = np.broadcast_to(op.fill, (len(x), *shape, x.shape[-1])).copy()
    inner = (slice(m[0], m[0] + n) for m, n in zip(margins, x.shape[1:-1], strict=True))
    padded[:, *inner] = x
    # One index array (out, kernel) per axis; together (*out, *kernel).
    at = []
    for axis, (place, margin) in enumerate(zip(places, margins, strict=True)):
        shape = [1] * (2 * len(places))
        shape[axis], shape[axis + len(places)] = place.shape
        at.append((place + margin[0]).reshape(shape))
    windows = padded[:, *at]
    return windows.reshape(len(x), *op.out_space(x.shape[1:-1]), -1)


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
