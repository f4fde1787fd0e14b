"""From the integer graph to the dataflow graph: one operator of `cores` per node."""

from dataclasses import replace

import numpy as np

from cores.argmax import ArgMax
from cores.mvau import MatVec
from cores.op import Op
from cores.thresholding import MultiThreshold
from cores.types import StreamType
from hwgen.integer import IntArgMax, IntMatMul, Step
from hwgen.ir import Graph, Value


def lower(graph: Graph) -> Graph:
    """Each integer op as the operator that computes it, not folded.

    Requires: an integer graph.
    Ensures: a dataflow graph; thresholds that are equal in all channels stand in one row; each
    operator's input type is its producer's output type.
    Keeps: the function of the graph, and node names.
    """
    inputs = {name: StreamType(kind.shape, kind.dtype) for name, kind in graph.inputs.items()}
    types = {Value(name, ""): kind for name, kind in inputs.items()}
    nodes = []
    for node in graph:
        op = _operator(node.op, types[node.inputs[0]])
        nodes.append(replace(node, op=op))
        types[node.out] = op.outputs["o"]
    return replace(graph, inputs=inputs, nodes=tuple(nodes))


def _operator(op: IntMatMul | Step | IntArgMax, x: StreamType) -> Op:
    match op:
        case IntMatMul(weights, offset):
            return MatVec(weights, x.dtype, offset=offset, positions=x.shape[:-1])
        case Step(starts, values):
            return MultiThreshold(x.shape, x.dtype, *_shared_rows(starts, values))
        case IntArgMax(offset, rank):
            return ArgMax(x.shape, x.dtype, offset=offset, rank=rank)


def _shared_rows(starts: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if (starts == starts[0]).all() and (values == values[0]).all():
        return starts[:1], values[:1]
    return starts, values
