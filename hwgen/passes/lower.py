"""From the integer graph to the dataflow graph: each op as the operator that computes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from cores.op import Op
from cores.types import StreamType
from cores.vvau import DepthwiseVec
from hwgen.errors import ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.joins import IntAdd
from hwgen.integer.op import require_op
from hwgen.integer.windows import IntWindow


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
    CheckError
        An op is no `IntegerOp`, or does not fit its inputs.
    ModelError
        An operator does not take what an op asks of it.
    """
    inputs = {name: StreamType(kind.shape, kind.dtype) for name, kind in graph.inputs.items()}
    types = {Value(name, ""): kind for name, kind in inputs.items()}
    standing: dict[Value, Value] = {}
    windows: dict[Value, list[Value]] = {}
    nodes: list[Node] = []

    def add(name: str, op: Op, sources: tuple[Value, ...]) -> Value:
        nodes.append(Node(name, op, sources))
        types[nodes[-1].out] = op.outputs["o"]
        return nodes[-1].out

    def source(value: Value) -> Value:
        if value in windows:
            return windows[value].pop()
        return standing.get(value, value)

    for node in graph:
        sources = tuple(map(source, node.inputs))
        kinds = [types[value] for value in node.inputs]
        with _named(node):
            match require_op(node.op, node.name):
                case IntWindow() as window if users := _users_by_channel(graph, node):
                    op = window.lower_by_channel(kinds)
                    names = [node.name, *(f"{node.name}.{k}" for k in range(2, users + 1))]
                    windows[node.out] = [add(name, op, sources) for name in names]
                case IntAdd(factors, offset) as whole if not whole.uniform:
                    parts = tuple(
                        add(f"{node.name}.{k}", _products(row, kind), (value,))
                        for k, (row, kind, value) in enumerate(
                            zip(factors, kinds, sources, strict=True)
                        )
                    )
                    plain = IntAdd(np.ones_like(factors), offset)
                    add(node.name, plain.lower([types[value] for value in parts]), parts)
                case integer:
                    op = integer.lower(kinds)
                    if op is not None:
                        add(node.name, op, sources)
                        continue
                    (standing[node.out],) = sources
                    shape = graph.types[node.out].shape
                    types[node.out] = StreamType(shape, kinds[0].dtype)
    outputs = {name: standing.get(value, value) for name, value in graph.outputs.items()}
    return replace(graph, inputs=inputs, nodes=tuple(nodes), outputs=outputs)


@contextmanager
def _named(node: Node) -> Iterator[None]:
    """What an operator refuses, with the name of the node that asks for it."""
    try:
        yield
    except ValueError as error:
        raise ModelError(f"{node.name}: {error}") from error


def _users_by_channel(graph: Graph, window: Node) -> int:
    """How many ops take the window channel by channel; 0 if any takes it otherwise."""
    users = graph.users(window.out)
    whole = window.out in graph.outputs.values()
    apart = all(require_op(user.op, user.name).by_channel for user, _ in users)
    return len(users) if apart and not whole else 0


def _products(factors: np.ndarray, x: StreamType) -> DepthwiseVec:
    """Each channel times its own factor."""
    return DepthwiseVec(factors.reshape(-1, 1), x.dtype, x.channels, positions=x.shape[:-1])
