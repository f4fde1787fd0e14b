"""The graph that every stage uses: immutable, single assignment, named inputs and outputs.

The ops of a stage are those of `hwgen.tensor`, of `hwgen.integer`, or the operators of `cores`; the
graph itself only knows nodes, values and their order, and asks the ops for the types of values.
`hwgen.graph.stages` tells the stages apart.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from cores.facets import image_of
from hwgen.errors import CheckError, ModelError


@dataclass(frozen=True)
class Value:
    """One output of a node, or a graph input (`node` is then the input's name and `port` is "")."""

    node: str
    port: str = "o"

    def __str__(self) -> str:
        return self.node if self.port in ("o", "") else f"{self.node}.{self.port}"


@dataclass(frozen=True)
class Node:
    """One operation.

    Parameters
    ----------
    name : str
        Unique in the graph; taken from the model where it comes from, so that messages can name it.
    op : object
        What is done; immutable.
    inputs : tuple of Value
    """

    name: str
    op: Any
    inputs: tuple[Value, ...] = ()

    def __getitem__(self, port: str) -> Value:
        return Value(self.name, port)

    @property
    def out(self) -> Value:
        return Value(self.name, "o")


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order between named inputs and named outputs.

    Parameters
    ----------
    inputs : mapping of name to type
        The stage's own description of each graph input.
    nodes : tuple of Node
    outputs : mapping of name to Value

    Raises
    ------
    ValueError
        A name stands twice, or a node uses a value that no earlier node makes.
    """

    inputs: Mapping[str, Any]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Value]
    name: str = field(default="graph")

    def __post_init__(self):
        known = set(self.inputs)
        for node in self.nodes:
            if node.name in known:
                raise ValueError(f"node names must be unique, not {node.name!r} twice")
            for value in node.inputs:
                if value.node not in known:
                    raise ValueError(
                        f"{node.name}: input must come from an earlier node, not {value}"
                    )
            known.add(node.name)
        for name, value in self.outputs.items():
            if value.node not in known:
                raise ValueError(
                    f"output {name}: value must come from a node of the graph, not {value}"
                )

    @cached_property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def types(self) -> Mapping[Value, Any]:
        """The type of every value: an `IntTensor` in an integer graph, a `StreamType` in a dataflow
        graph.

        Raises
        ------
        CheckError
            Names the first node that uses no port of a node, or whose op does not fit its inputs or
            says nothing of what it makes.
        """
        types = {Value(name, ""): kind for name, kind in self.inputs.items()}
        for node in self.nodes:
            for value in node.inputs:
                if value not in types:
                    raise CheckError(f"{node.name}: input must be a port of a node, not {value}")
            types.update((node[port], kind) for port, kind in _made(node, types).items())
        return types

    @cached_property
    def ends(self) -> tuple[Value, Value]:
        """The only input and the only output.

        Raises
        ------
        ModelError
            The graph has more than one input or output.
        """
        for what, ends in (("inputs", self.inputs), ("outputs", self.outputs)):
            if len(ends) != 1:
                raise ModelError(
                    f"{self.name}: an accelerator must have one input and one output, "
                    f"not the {len(ends)} {what} {', '.join(ends)}"
                )
        (entry,) = self.inputs
        (exit_,) = self.outputs.values()
        return Value(entry, ""), exit_

    @property
    def end_types(self) -> tuple[Any, Any]:
        """Types of the `ends`.

        Raises
        ------
        ModelError
            The graph has more than one input or output.
        """
        entry, exit_ = self.ends
        return self.types[entry], self.types[exit_]

    @cached_property
    def inner(self) -> tuple[Value, ...]:
        """What nodes take from other nodes, in the order of the inputs that take it."""
        used = (value for node in self.nodes for value in node.inputs)
        return tuple(value for value in used if value.node not in self.inputs)

    @property
    def stream_names(self) -> tuple[str, ...]:
        """Names of all streams of an accelerator: its ends, then the `inner` ones, each named after
        its producer."""
        return "input", "output", *map(str, self.inner)

    @cached_property
    def weight_image(self) -> bytes:
        """What must be loaded before the first frame: the `image` of the op that has one, of a
        dataflow graph.

        Raises
        ------
        ModelError
            More than one op has an image.
        """
        images = [image for node in self.nodes if (image := image_of(node.op))]
        if len(images) > 1:
            raise ModelError(
                f"{self.name}: one core must be loaded with weights, not {len(images)}"
            )
        return images[0] if images else b""

    @cached_property
    def _users(self) -> dict[Value, tuple[tuple[Node, int], ...]]:
        users: dict[Value, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for index, value in enumerate(node.inputs):
                users.setdefault(value, []).append((node, index))
        return {value: tuple(found) for value, found in users.items()}

    def users(self, value: Value) -> tuple[tuple[Node, int], ...]:
        """The nodes that use `value`, each with the index of the input."""
        return self._users.get(value, ())

    def producer(self, value: Value) -> Node | None:
        """The node that makes `value`; None for a graph input."""
        return self.by_name.get(value.node)

    def replace(self, node: Node, new: Iterable[Node], result: Value | None = None) -> "Graph":
        """The graph with `new` in the place of `node`, whose ``o`` is afterwards `result`
        (default: its input 0)."""
        result = node.inputs[0] if result is None else result
        old = node.out

        def redirect(value: Value) -> Value:
            return result if value == old else value

        nodes: list[Node] = []
        for other in self.nodes:
            if other.name == node.name:
                nodes.extend(new)
            else:
                nodes.append(replace(other, inputs=tuple(map(redirect, other.inputs))))
        outputs = {name: redirect(value) for name, value in self.outputs.items()}
        return replace(self, nodes=tuple(nodes), outputs=outputs)

    def map_ops(self, change: Callable[[Node], Any]) -> "Graph":
        """The graph with each node's op replaced by ``change(node)``."""
        return replace(self, nodes=tuple(replace(node, op=change(node)) for node in self.nodes))

    def without_dead_nodes(self) -> "Graph":
        """The graph without nodes that no output depends on."""
        live = {value.node for value in self.outputs.values()}
        for node in reversed(self.nodes):
            if node.name in live:
                live.update(value.node for value in node.inputs)
        return replace(self, nodes=tuple(node for node in self.nodes if node.name in live))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)


def _made(node: Node, types: Mapping[Value, Any]) -> Mapping[str, Any]:
    """Types of what a node makes: its op declares them, or derives one from those of its inputs."""
    op = node.op
    # By its members, not by its class: this module lies below the contracts of both stages.
    if hasattr(type(op), "outputs"):
        return op.outputs
    if not hasattr(type(op), "result_type"):
        raise CheckError(
            f"{node.name}: op must have outputs or a result_type, not be {type(op).__name__}"
        )
    if op.arity not in (None, len(node.inputs)):
        raise CheckError(
            f"{node.name}: {type(op).__name__} must have {op.arity} input{'s' * (op.arity != 1)}, "
            f"not {len(node.inputs)}"
        )
    try:
        kind = op.result_type(*(types[value] for value in node.inputs))
    except ValueError as error:
        raise CheckError(f"{node.name}: {error}") from error
    if kind is None:
        raise CheckError(f"{node.name}: {type(op).__name__} must have a result_type, not None")
    return {"o": kind}
