"""Nodes that emit another order than the dense one: they follow their consumer."""

from cores.facets import Following
from cores.op import Op
from cores.types import StreamType
from hwgen.graph.ir import Graph


def following(op: Op, wanted: StreamType) -> Op:
    """The op folded so that its output has the beats and the order of `wanted`.

    Raises
    ------
    ValueError
        It has no such folding.
    """
    if isinstance(op, Following):
        return op.emitting(wanted)
    if op.outputs["o"].order != wanted.order:
        raise ValueError(
            f"{type(op).__name__} must emit {wanted.order} order to follow its consumer, "
            f"not {op.outputs['o'].order}"
        )
    return op


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
