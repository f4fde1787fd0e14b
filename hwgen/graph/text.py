"""Text form of graphs: one line a node, arrays by content hash with an npz file beside the text.

    graph "tfc"
    input "x" = StreamType((784,), u1, 1, 1, "dense")
    "fc1" = MatVec("x", @3f0c5e2a9d41, u1, offset=@90a1c3b2e4d5, pe=4, arithmetic=popcount)
    output "y" = "fc1"

Every stage can be written and read back. A value is its node's name, followed by ``.port`` unless
the port is ``o``. Fields of an op stand in the order of its class, those at their default left out
where the class takes them by keyword. A field that is a text stands by name, as do those behind it:
texts without one are values.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cores.choices import Arithmetic, Comparison, Memory
from cores.fields.key import content_key
from cores.types import IntType
from hwgen.errors import InputError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.graph.line import LineParser
from hwgen.graph.stages import BUILT_IN, INPUTS, Classes

HASH_DIGITS = 12
"""Of an array's content: enough for the arrays of one graph."""


def write(graph: Graph) -> tuple[str, dict[str, np.ndarray]]:
    """The text and, by hash, the arrays that it names."""
    arrays: dict[str, np.ndarray] = {}
    lines = [f"graph {json.dumps(graph.name)}"]
    for name, kind in graph.inputs.items():
        lines.append(f"input {json.dumps(name)} = {_format(kind, arrays)}")
    for node in graph:
        sources = [_value(value) for value in node.inputs]
        lines.append(f"{json.dumps(node.name)} = {_format(node.op, arrays, sources)}")
    for name, value in graph.outputs.items():
        lines.append(f"output {json.dumps(name)} = {_value(value)}")
    return "\n".join(lines) + "\n", arrays


def save(graph: Graph, path: Path) -> None:
    """Writes `path`.txt and `path`.npz, and the folder where it is missing."""
    text, arrays = write(graph)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".txt").write_text(text)
    np.savez_compressed(path.with_name(path.name + ".npz"), allow_pickle=False, **arrays)


def load(path: Path, classes: Classes = BUILT_IN) -> Graph:
    """Reads what `save` wrote; arguments and errors as `parse`."""
    with np.load(path.with_name(path.name + ".npz")) as stored:
        arrays = dict(stored)
    return parse(path.with_name(path.name + ".txt").read_text(), arrays, classes)


def parse(text: str, arrays: Mapping[str, np.ndarray], classes: Classes = BUILT_IN) -> Graph:
    """A graph from its text form.

    Parameters
    ----------
    text : str
    arrays : mapping of str to array
        By hash, as `write` gives them.
    classes : mapping of str to mapping of str to type
        By stage and name; see `hwgen.graph.stages.classes`. The first input tells the stage.

    Raises
    ------
    InputError
        Names the line that is not in the form, or an array that is missing.
    """
    name = "graph"
    inputs: dict[str, Any] = {}
    outputs: dict[str, Value] = {}
    nodes: list[Node] = []
    known = classes["dataflow"]
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            reader = LineParser(line, arrays)
            kind = reader.keyword()
            title = reader.string()
            if kind == "graph":
                name = title
            elif kind == "input":
                reader.equals()
                known = _of_stage(reader.ahead(), classes, known)
                inputs[title] = reader.object(known)
            elif kind == "output":
                reader.equals()
                outputs[title] = reader.value(inputs)
            elif kind:
                raise ValueError(f"a line must be of a graph, input, output or node, not {kind}")
            else:
                reader.equals()
                nodes.append(Node(title, *reader.op(known, inputs)))
            reader.end()
        except (ValueError, TypeError) as error:
            raise InputError(f"line {number}: {line.strip()[:80]!r}: {error}") from error
    try:
        return Graph(inputs, tuple(nodes), outputs, name)
    except ValueError as error:
        raise InputError(f"graph {name}: {error}") from error


def _of_stage(word: str, classes: Classes, otherwise: Mapping[str, type]) -> Mapping[str, type]:
    """The classes of the stage whose inputs are described by `word`."""
    for stage, kind in INPUTS.items():
        if word == kind.__name__:
            return classes[stage]
    return otherwise


def content_hash(array: np.ndarray) -> str:
    """Of element type, shape and elements."""
    return content_key(array)[:HASH_DIGITS]


def _value(value: Value) -> str:
    port = "" if value.port in ("o", "") else f".{value.port}"
    return json.dumps(value.node) + port


def _format(item: Any, arrays: dict[str, np.ndarray], first: list[str] | None = None) -> str:
    match item:
        case np.ndarray():
            key = content_hash(item)
            arrays[key] = item
            return f"@{key}"
        case np.generic():
            return _format(item.item(), arrays)
        case None | True | False:
            return str(item).lower()
        case int() | float():
            return repr(item)
        case str():
            return json.dumps(item)
        case IntType():
            return str(item)
        case Arithmetic() | Memory() | Comparison():
            return item.text
        case tuple():
            inner = ", ".join(_format(part, arrays) for part in item)
            return f"({inner},)" if len(item) == 1 else f"({inner})"
    assert is_dataclass(item), f"{type(item).__name__} has no text form"
    parts = first or []
    text = False
    for part in fields(item):
        value = getattr(item, part.name)
        # A text in an op must not be taken for one of its inputs.
        text |= first is not None and isinstance(value, str)
        if not (text or part.kw_only):
            parts.append(_format(value, arrays))
        elif not (part.kw_only and _is_default(part, value)):
            parts.append(f"{part.name}={_format(value, arrays)}")
    return f"{type(item).__name__}({', '.join(parts)})"


def _is_default(part: Any, value: Any) -> bool:
    if isinstance(value, np.ndarray) or part.default is MISSING:
        return False
    return value == part.default
