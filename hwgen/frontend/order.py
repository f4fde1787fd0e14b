"""Names and order of a file's nodes: unique names, and each node after what it reads."""

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

import onnx

from hwgen.errors import ModelError


def node_labels(nodes: Sequence[onnx.NodeProto], taken: Mapping[str, Any]) -> tuple[str, ...]:
    """A unique name for every node, in file order; ``<OpType>_<index>`` for unnamed ones."""
    seen, labels = set(taken), []
    for index, node in enumerate(nodes):
        name = node.name or f"{node.op_type}_{index}"
        label, count = name, 0
        while label in seen:
            count += 1
            label = f"{name}_{count}"
        seen.add(label)
        labels.append(label)
    return tuple(labels)


def topological(
    nodes: Sequence[onnx.NodeProto],
    given: Mapping[str, Any],
    outputs: Sequence[str],
    labels: tuple[str, ...],
) -> list[int]:
    """Indices of the nodes that the outputs depend on, each after what it reads, else in file
    order.

    Raises
    ------
    ModelError
        A tensor is made twice or by nothing, or the nodes form a cycle.
    """
    maker: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in maker or name in given:
                raise ModelError(f"{labels[index]}: tensor {name!r} must be made once, not twice")
            maker[name] = index
    live, stack = set(), []
    for name in outputs:
        if name not in maker and name not in given:
            raise ModelError(f"output {name}: must be made by a node; none makes it")
        stack += [maker[name]] if name in maker else []
    while stack:
        index = stack.pop()
        if index in live:
            continue
        live.add(index)
        for name in filter(None, nodes[index].input):
            if name in maker:
                stack.append(maker[name])
            elif name not in given:
                raise ModelError(
                    f"{labels[index]}: input {name!r} must be made by a node; none makes it"
                )
    return _sorted(nodes, maker, live, labels)


def _sorted(
    nodes: Sequence[onnx.NodeProto],
    maker: Mapping[str, int],
    live: set[int],
    labels: tuple[str, ...],
) -> list[int]:
    needs = {i: {maker[name] for name in nodes[i].input if name in maker} for i in live}
    users: dict[int, list[int]] = {}
    for index, sources in needs.items():
        for source in sources:
            users.setdefault(source, []).append(index)
    missing = {index: len(sources) for index, sources in needs.items()}
    ready, order = sorted(index for index, count in missing.items() if not count), []
    while ready:
        index = heappop(ready)
        order.append(index)
        for user in users.get(index, ()):
            missing[user] -= 1
            if not missing[user]:
                heappush(ready, user)
    if len(order) < len(live):
        cycle = sorted(live - set(order))
        names = ", ".join(labels[index] for index in cycle[:5])
        raise ModelError(f"{names}: nodes must not form a cycle")
    return order
