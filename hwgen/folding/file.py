"""Folding files: a table for each node, as a user reviews it."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from cores.choices import ARITHMETIC, COMPARISON, MEMORY
from cores.op import Op
from hwgen.errors import FoldingError
from hwgen.folding.followers import followers, following, follows
from hwgen.graph.ir import Graph, Node

FOLDED_FIELDS = (
    *("pe", "simd", "pixels", "lanes", "arithmetic", "memory", "comparison", "block_stages"),
)
NAMED_FIELDS = {"arithmetic": ARITHMETIC, "memory": MEMORY, "comparison": COMPARISON}


def fold_from_file(graph: Graph, text: str, *, source: str) -> Graph:
    """Applies a reviewed folding file: a table per node with fields of `FOLDED_FIELDS`.

    Raises
    ------
    FoldingError
        Not TOML, an unknown node or field, or a folding that the op refuses.
    """
    try:
        table: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FoldingError(f"{source}: must be TOML: {error}") from error
    for name in table:
        if name not in graph.by_name:
            raise FoldingError(
                f"{source}: [{name}] must name a node; nodes: {', '.join(graph.by_name)}"
            )
    users = followers(graph)
    for name in users:
        if name in table:
            raise FoldingError(
                f"{source}: [{name}] follows {users[name][0]}: remove it, and fold {users[name][0]}"
            )
    folded = graph.map_ops(
        lambda node: _folded(node.name, node.op, table.get(node.name, {}), source)
    )

    def follow(node: Node) -> Op:
        if node.name not in users:
            return node.op
        user, port = users[node.name]
        return following(node.op, folded.by_name[user].op.inputs[port])

    return folded.map_ops(follow)


def folding_text(nodes: Iterable[Node]) -> str:
    """The folding of nodes as the text that `fold_from_file` reads."""
    lines = []
    for node in nodes:
        entries = [] if follows(node.op) else _fold_fields(node.op)
        if entries:
            lines.append(f'["{node.name}"]')
            for name in entries:
                value = getattr(node.op, name)
                lines.append(
                    f"{name} = " + (str(value) if isinstance(value, int) else f'"{value.text}"')
                )
            lines.append("")
    return "\n".join(lines)


def _fold_fields(op: Op) -> list[str]:
    known = {f.name for f in fields(op)}
    return [name for name in FOLDED_FIELDS if name in known]


def _folded(name: str, op: Op, table: Mapping[str, Any], source: str) -> Op:
    legal = _fold_fields(op)
    changes: dict[str, Any] = {}
    for key, value in table.items():
        if key not in legal:
            raise FoldingError(f"{source}: {name}.{key} must be one of {', '.join(legal)}")
        named = NAMED_FIELDS.get(key)
        if named is None:
            if not isinstance(value, int) or isinstance(value, bool):
                raise FoldingError(f"{source}: {name}.{key} must be an integer, not {value!r}")
            changes[key] = value
        elif value in named:
            changes[key] = named[value]
        else:
            raise FoldingError(
                f"{source}: {name}.{key} must be one of {', '.join(named)}, not {value!r}"
            )
    try:
        return replace(op, **changes)
    except ValueError as error:
        raise FoldingError(f"{source}: {name}: {error}") from error
