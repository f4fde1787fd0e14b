"""Nodes that emit another order than the dense one: they follow their consumer."""

from cores.op import Op
from hwgen.graph.ir import Graph


def follows(op: Op) -> bool:
    return any(kind.order != "dense" for kind in op.outputs.values())


def followers(graph: Graph) -> dict[str, tuple[str, str]]:
    """Nodes that follow their consumer: its name, and the port that they feed."""
    found = {}
    for node in graph:
        if follows(node.op):
            ((user, index),) = graph.users(node.out)
            found[node.name] = user.name, list(user.op.inputs)[index]
    return found
