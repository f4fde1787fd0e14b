"""From the integer graph to the dataflow graph: one operator of `cores` per node."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cores.argmax import ArgMax
from cores.concat import Concat
from cores.crop import Crop
from cores.eltwise import Add
from cores.mvau import MatVec
from cores.op import Op
from cores.pooling import Reduce
from cores.swg import SlidingWindow
from cores.thresholding import MultiThreshold
from cores.total import Total
from cores.types import StreamType
from cores.upsample import Dilate, Repeat
from cores.vvau import DepthwiseVec
from cores.weigh import Weigh
from hwgen.errors import ModelError
from hwgen.graph.ir import Graph, Node, Value
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


def lower(graph: Graph) -> Graph:
    """Each integer op as the operator that computes it, not folded.

    Requires: an integer graph.
    Ensures: a dataflow graph; thresholds that are equal in all channels stand in one row; each
    operator's input type is its producer's output type; windows in depthwise order have one user.
    Keeps: the function of the graph, and node names; reshapes are gone, a window that several ops
    take in depthwise order is made once for each, and factors of an addition that differ per
    channel are products in front of it.

    Raises
    ------
    ModelError
        An operator does not take what an op asks of it.
    """
    inputs = {name: StreamType(kind.shape, kind.dtype) for name, kind in graph.inputs.items()}
    types = {Value(name, ""): kind for name, kind in inputs.items()}
    standing: dict[Value, Value] = {}
    windows: dict[Value, list[Value]] = {}
    nodes: list[Node] = []

    def add(node: Node, op: Op) -> Value:
        nodes.append(replace(node, op=op))
        types[nodes[-1].out] = op.outputs["o"]
        return nodes[-1].out

    def source(value: Value) -> Value:
        if value in windows:
            return windows[value].pop()
        return standing.get(value, value)

    for node in graph:
        node_in = replace(node, inputs=tuple(map(source, node.inputs)))
        match node.op:
            case IntReshape(shape):
                (value,) = node_in.inputs
                standing[node.out] = value
                types[node.out] = StreamType(shape, types[value].dtype)
            case IntWindow() if users := _depthwise_users(graph, node):
                op = _window(node.op, types[node_in.inputs[0]], "depthwise")
                names = [node.name, *(f"{node.name}.{k}" for k in range(2, users + 1))]
                windows[node.out] = [add(replace(node_in, name=name), op) for name in names]
            case IntAdd(factors, offset) if (factors != factors[:, :1]).any():
                parts = []
                for k, (value, row) in enumerate(zip(node_in.inputs, factors, strict=True)):
                    op = _products(row, types[node.inputs[k]])
                    parts.append(add(Node(f"{node.name}.{k}", op, (value,)), op))
                plain = Node(node.name, IntAdd(np.ones_like(factors), offset), tuple(parts))
                add(plain, _operator(plain, [types[value] for value in parts]))
            case _:
                add(node_in, _operator(node_in, [types[value] for value in node.inputs]))
    outputs = {name: standing.get(value, value) for name, value in graph.outputs.items()}
    return replace(graph, inputs=inputs, nodes=tuple(nodes), outputs=outputs)


def _depthwise_users(graph: Graph, window: Node) -> int:
    """How many ops take the window channel by channel; 0 if any takes it otherwise."""
    users = graph.users(window.out)
    whole = window.out in graph.outputs.values()
    apart = all(isinstance(user.op, IntDepthwise | IntReduce) for user, _ in users)
    return len(users) if apart and not whole else 0


def _products(factors: np.ndarray, x: StreamType) -> DepthwiseVec:
    """Each channel times its own factor."""
    return DepthwiseVec(factors.reshape(-1, 1), x.dtype, x.channels, positions=x.shape[:-1])


def _window(op: IntWindow, x: StreamType, order: str) -> SlidingWindow:
    return SlidingWindow(
        x.shape,
        x.dtype,
        op.kernel,
        strides=op.strides,
        dilations=op.dilations,
        pads=op.pads,
        fill=op.fill,
        order=order,
    )


def _operator(node: Node, types: Sequence[StreamType]) -> Op:
    try:
        return _made(node.op, types)
    except ValueError as error:
        raise ModelError(f"{node.name}: {error}") from error


def _made(op: IntOp, types: Sequence[StreamType]) -> Op:
    x = types[0]
    match op:
        case IntMatMul(weights, offset):
            return MatVec(weights, x.dtype, offset=offset, positions=x.shape[:-1])
        case Step(starts, values):
            return MultiThreshold(x.shape, x.dtype, *_shared_rows(starts, values))
        case IntArgMax(offset, rank):
            return ArgMax(x.shape, x.dtype, offset=offset, rank=rank)
        case IntWindow():
            return _window(op, x, "dense")
        case IntDepthwise(weights, offset):
            channels = x.channels // weights.shape[1]
            return DepthwiseVec(weights, x.dtype, channels, offset=offset, positions=x.shape[:-1])
        case IntReduce(fn, taps):
            return Reduce(x.channels // taps, taps, x.dtype, fn=fn, positions=x.shape[:-1])
        case IntTotal(fn):
            return Total(x.shape, x.dtype, fn=fn)
        case IntWeigh(weights):
            return Weigh(x.shape, x.dtype, weights)
        case IntConcat():
            channels, dtypes = zip(*((kind.channels, kind.dtype) for kind in types), strict=True)
            return Concat(channels, dtypes, positions=x.shape[:-1])
        case IntCrop(starts, stops, steps):
            return Crop(x.shape, x.dtype, starts, stops, steps)
        case IntRepeat(factors):
            return Repeat(x.shape, x.dtype, factors)
        case IntDilate(factors, fill):
            return Dilate(x.shape, x.dtype, factors, fill=fill)
        case IntAdd(factors, offset):
            shared = offset[:1] if (offset == offset[0]).all() else offset
            numbers = tuple(factors[:, 0].tolist())
            return Add(x.shape, tuple(kind.dtype for kind in types), numbers, shared)
    raise TypeError(f"{type(op).__name__} has no operator")


def _shared_rows(starts: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if (starts == starts[0]).all() and (values == values[0]).all():
        return starts[:1], values[:1]
    return starts, values
