"""Quantisers in front of the largest element: windows of few bits instead of wide sums."""

from dataclasses import replace

import numpy as np

from hwgen.analysis.coded import combine
from hwgen.analysis.known import Known, quantise
from hwgen.analysis.trees import RISING
from hwgen.graph.ir import Graph, Node, Value
from hwgen.numerics.exact import ZERO
from hwgen.numerics.functions import apply
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.moves import Pad, Reshape, Transpose
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant

NARROW, WIDE, OTHER = range(3)
"""Integers of a quantiser; sums; what a MaxPool cannot take: the model's input, or a function that
may both rise and fall."""

PARTIAL = ("sqrt", "log")
"""Functions that not every number has: they stay where they see the largest element alone."""


def quantise_before_pooling(graph: Graph) -> Graph:
    """Moves each MaxPool behind the quantiser that follows it and what stands between them.

    Let f be a function that never falls, as every quantiser with a positive scale is: rounding and
    clipping never fall. Of numbers x_1, ..., x_n let x_k be the largest. Then f(x_k) is one of
    f(x_1), ..., f(x_n), and none of them is larger, as each x_i <= x_k: f of the largest is the
    largest f. A position of a MaxPool sees at least one element, and padding never wins. So both
    orders give the same if f is the same function at all positions of a channel.

    A MaxPool of integers of a quantiser stays, and one of sums that may take all positions at once:
    that has no windows to store. A Pad of the model's input moves behind the quantiser in the same
    way, as the quantiser sees what it pads with like any other element.

    Requires: a tensor graph.
    Ensures: a tensor graph; a MaxPool of windows from which functions that never fall lead to a
    quantiser, with one user each, has integers of a quantiser as its input.
    Keeps: the outputs, and the names of nodes.
    """
    for name in [node.name for node in reversed(graph.nodes)]:
        node = graph.by_name[name]
        match node.op:
            case MaxPool():
                chain = _until_quantiser(graph, node) if _gains(graph, node) else []
                graph = _behind(graph, node, chain)
            case Pad() if _is_input(graph, node.inputs[0]):
                graph = _padded_integers(graph, node)
    return graph


def _gains(graph: Graph, pool: Node) -> bool:
    kind, op = _kind(graph, pool.inputs[0]), pool.op
    windows = set(op.strides) != {1} or any(map(any, op.pads))
    return kind == OTHER or (kind == WIDE and windows)


def _kind(graph: Graph, value: Value) -> int:
    """What a value is made of; through everything that a MaxPool may stand behind."""
    node = graph.producer(value)
    if node is None:
        return OTHER
    streams = [x for x in node.inputs if _constant(graph, x) is None]
    match node.op:
        case Quant() | MultiThreshold():
            return NARROW
        case Unary(fn) if fn not in (*RISING, "neg"):
            return OTHER
        case Binary(fn) if len(streams) > 1:
            return WIDE if fn in ("add", "sub") else OTHER
        case Binary(fn) if fn == "pow" or (fn == "div" and node.inputs[1] in streams):
            return OTHER
        case Conv() | MatMul() | AveragePool() | Mean():
            return WIDE
    return max((_kind(graph, x) for x in streams), default=NARROW)


def _until_quantiser(graph: Graph, pool: Node) -> list[Node]:
    """The nodes behind it up to a quantiser, all of them functions that never fall; else none."""
    chain, value, rank = [], pool.out, 2 + len(pool.op.kernel)
    while True:
        users = graph.users(value)
        if len(users) != 1 or value in graph.outputs.values():
            return []
        node = users[0][0]
        if not _rises(graph, node, rank):
            return []
        chain.append(node)
        if isinstance(node.op, Quant | MultiThreshold):
            return chain
        value = node.out


def _rises(graph: Graph, node: Node, rank: int) -> bool:
    """Whether the node is one function per channel that never falls, and has a result for every
    number; a quantiser must have bounds."""
    match node.op:
        case Quant(scale, zero_point, lo, hi):
            same = _per_channel(np.shape(scale), rank) and _per_channel(np.shape(zero_point), rank)
            return same and lo is not None and hi is not None and bool((scale > 0).all())
        case MultiThreshold(thresholds, out_scale, _, axis):
            return out_scale >= 0 and (len(thresholds) == 1 or axis == 1)
        case Unary(fn):
            return fn in RISING and fn not in PARTIAL
        case Binary(fn):
            first, second = (_constant(graph, x) for x in node.inputs)
            number = first or second
            if number is None or not _per_channel(number.shape, rank):
                return False
            least = min(number.reals.palette, default=ZERO).sign()
            match fn:
                case "add" | "min" | "max":
                    return True
                case "sub":
                    return second is not None
                case "mul":
                    return least >= 0
                case "div":
                    return second is not None and least > 0
    return False


def _per_channel(shape: tuple[int, ...], rank: int) -> bool:
    """Whether numbers of this shape are the same at all positions of (1, channels, *space)."""
    shape = (1,) * (rank - len(shape)) + tuple(shape)
    return len(shape) == rank and shape[0] == 1 and set(shape[2:]) <= {1}


def _constant(graph: Graph, value: Value) -> Known | None:
    """The numbers of a value that elementwise functions make of stored ones."""
    node = graph.producer(value)
    if node is None:
        return None
    if isinstance(node.op, Constant):
        return Known(np.asarray(node.op.value))
    if not isinstance(node.op, Unary | Binary):
        return None
    known = []
    for x in node.inputs:
        arg = _constant(graph, x)
        if arg is None:
            return None
        known.append(arg.reals)
    fn = node.op.fn
    return Known(computed=combine(lambda *numbers: apply(fn, *numbers), *known))


def _is_input(graph: Graph, value: Value) -> bool:
    """Whether the value is the model's input in some order."""
    node = graph.producer(value)
    ordered = isinstance(node and node.op, Reshape | Transpose)
    return node is None or (ordered and _is_input(graph, node.inputs[0]))


def _padded_integers(graph: Graph, pad: Node) -> Graph:
    users = graph.users(pad.out)
    if len(users) != 1 or pad.out in graph.outputs.values():
        return graph
    quantiser = users[0][0]
    q = quantiser.op
    if not isinstance(q, Quant) or np.size(q.scale) * np.size(q.zero_point) != 1:
        return graph
    filled, _ = quantise(Known(np.full(np.broadcast_shapes(np.shape(q.scale)), pad.op.value)), q)
    value = filled.reals.item()
    if value != float(value):
        return graph  # the product of scale and integer is no float64
    return _behind(graph, replace(pad, op=replace(pad.op, value=float(value))), [quantiser])


def _behind(graph: Graph, node: Node, chain: list[Node]) -> Graph:
    """The graph with a node of one input behind the last of those that follow it in a row."""
    if not chain:
        return graph
    last, before, value = chain[-1], node.out, node.inputs[0]
    moved = []
    for other in chain:
        inputs = tuple(value if x == before else x for x in other.inputs)
        moved.append(replace(other, inputs=inputs))
        before = value = other.out
    moved.append(replace(node, inputs=(last.out,)))
    gone = {node.name, *(other.name for other in chain)}
    nodes: list[Node] = []
    for other in graph:
        if other.name == last.name:
            nodes += moved
        elif other.name not in gone:
            inputs = tuple(node.out if x == last.out else x for x in other.inputs)
            nodes.append(replace(other, inputs=inputs))
    outputs = {name: node.out if x == last.out else x for name, x in graph.outputs.items()}
    return replace(graph, nodes=tuple(nodes), outputs=outputs)
