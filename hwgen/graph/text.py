"""Text form of graphs: one line a node, arrays by content hash with an npz file beside the text.

    graph "tfc"
    input "x" = StreamType((784,), u1, 1, 1, "dense")
    "fc1" = MatVec("x", @3f0c5e2a9d41, u1, offset=@90a1c3b2e4d5, pe=4, arithmetic=popcount)
    output "y" = "fc1"

Every stage can be written; dataflow graphs can be read back. A value is its node's name, followed
by ``.port`` unless the port is ``o``. Fields of an op stand in the order of its class, those at
their default left out where the class takes them by keyword.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from hashlib import blake2s
from pathlib import Path
from typing import Any

import numpy as np

from cores.choices import ARITHMETIC, COMPARISON, MEMORY, Arithmetic, Comparison, Memory
from cores.library import OPS
from cores.types import IntType, StreamType
from hwgen.errors import InputError
from hwgen.graph.ir import Graph, Node, Value

HASH_DIGITS = 12
WORDS = ARITHMETIC | MEMORY | COMPARISON | {"none": None, "true": True, "false": False}
CLASSES: dict[str, type] = {kind.__name__: kind for kind in (*OPS, StreamType)}

TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<array>@[0-9a-f]+)"""
    r"""|(?P<range>-?\d+\.\.-?\d+)|(?P<number>-?\d+)|(?P<word>\w+)|(?P<sign>[(),=.]))"""
)


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


def load(path: Path) -> Graph:
    """Reads what `save` wrote for a dataflow graph."""
    with np.load(path.with_name(path.name + ".npz")) as stored:
        arrays = dict(stored)
    return parse(path.with_name(path.name + ".txt").read_text(), arrays)


def parse(text: str, arrays: Mapping[str, np.ndarray]) -> Graph:
    """A dataflow graph from its text form.

    Raises
    ------
    InputError
        Names the line that is not in the form, or an array that is missing.
    """
    name = "graph"
    inputs: dict[str, Any] = {}
    outputs: dict[str, Value] = {}
    nodes: list[Node] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            reader = _Line(line, arrays)
            kind = reader.keyword()
            title = reader.string()
            if kind == "graph":
                name = title
            elif kind == "input":
                inputs[title] = reader.after_equals(lambda r: r.field())
            elif kind == "output":
                outputs[title] = reader.after_equals(lambda r: r.value(inputs))
            else:
                op, sources = reader.after_equals(lambda r: r.call(inputs))
                nodes.append(Node(title, op, tuple(sources)))
            reader.end()
        except (ValueError, TypeError) as error:
            raise InputError(f"line {number}: {line.strip()[:80]!r}: {error}") from error
    return Graph(inputs, tuple(nodes), outputs, name)


def content_hash(array: np.ndarray) -> str:
    """Of element type, shape and elements."""
    array = np.ascontiguousarray(array)
    head = f"{array.dtype.str}{array.shape}".encode()
    return blake2s(head + array.tobytes()).hexdigest()[:HASH_DIGITS]


def _value(value: Value) -> str:
    port = "" if value.port in ("o", "") else f".{value.port}"
    return json.dumps(value.node) + port


def _format(item: Any, arrays: dict[str, np.ndarray], first: list[str] | None = None) -> str:
    match item:
        case np.ndarray():
            key = content_hash(item)
            arrays[key] = item
            return f"@{key}"
        case None | True | False:
            return str(item).lower()
        case int() | float() | np.number():
            return repr(item) if isinstance(item, (int, float)) else repr(item.item())
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
    for part in fields(item):
        value = getattr(item, part.name)
        if not part.kw_only:
            parts.append(_format(value, arrays))
        elif not _is_default(part, value):
            parts.append(f"{part.name}={_format(value, arrays)}")
    return f"{type(item).__name__}({', '.join(parts)})"


def _is_default(part: Any, value: Any) -> bool:
    if isinstance(value, np.ndarray) or part.default is MISSING:
        return False
    return value == part.default


@dataclass(eq=False)
class _Line:
    """Recursive descent over the tokens of one line."""

    line: str
    arrays: Mapping[str, np.ndarray]

    def __post_init__(self):
        self.tokens = list(self._split())
        self.at = 0

    def _split(self) -> Iterator[tuple[str, str]]:
        place, line = 0, self.line.rstrip()
        while place < len(line):
            match = TOKEN.match(line, place)
            if match is None or match.lastgroup is None:
                raise ValueError(f"unknown sign at column {place + 1}")
            yield match.lastgroup, match[match.lastgroup]
            place = match.end()

    def _next(self, *kinds: str) -> str:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("end", "end of line")
        if kind not in kinds:
            raise ValueError(f"expected {' or '.join(kinds)}, not {text}")
        self.at += 1
        return text

    def _sign(self, sign: str) -> None:
        if (found := self._next("sign")) != sign:
            raise ValueError(f"expected {sign!r}, not {found!r}")

    def _is(self, *signs: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] in [("sign", s) for s in signs]

    def keyword(self) -> str:
        return self._next("word") if self.tokens[0][0] == "word" else ""

    def string(self) -> str:
        return json.loads(self._next("string"))

    def after_equals(self, read: Any) -> Any:
        self._sign("=")
        return read(self)

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise ValueError(f"expected the end of the line, not {self.tokens[self.at][1]}")

    def value(self, inputs: Mapping[str, Any]) -> Value:
        node = self.string()
        if self._is("."):
            self._sign(".")
            return Value(node, self._next("word"))
        return Value(node, "" if node in inputs else "o")

    def call(self, inputs: Mapping[str, Any] | None) -> tuple[Any, list[Value]]:
        """An op with its inputs, or with `inputs` None a type."""
        name = self._next("word")
        if name not in CLASSES:
            raise ValueError(f"operator must be one of {', '.join(CLASSES)}, not {name}")
        sources: list[Value] = []
        positional: list[Any] = []
        named: dict[str, Any] = {}
        self._sign("(")
        while not self._is(")"):
            if inputs is not None and self.tokens[self.at][0] == "string":
                sources.append(self.value(inputs))
            elif self.tokens[self.at][0] == "word" and self.tokens[self.at + 1] == ("sign", "="):
                key = self._next("word")
                self._sign("=")
                named[key] = self.field()
            else:
                positional.append(self.field())
            if not self._is(")"):
                self._sign(",")
        self._sign(")")
        kind = CLASSES[name]
        order = [part.name for part in fields(kind) if not part.kw_only]
        return kind(**dict(zip(order, positional, strict=True)), **named), sources

    def field(self) -> Any:
        kind, text = self.tokens[self.at]
        if kind == "word" and text in CLASSES:
            return self.call(None)[0]
        if self._is("("):
            return self._tuple()
        self.at += 1
        match kind:
            case "array":
                if text[1:] not in self.arrays:
                    raise ValueError(f"array {text} must be in the npz file")
                return self.arrays[text[1:]]
            case "number":
                return int(text)
            case "string":
                return json.loads(text)
            case "range":
                return IntType.parse(text)
            case "word":
                return WORDS[text] if text in WORDS else IntType.parse(text)
        raise ValueError(f"expected a field, not {text!r}")

    def _tuple(self) -> tuple[Any, ...]:
        self._sign("(")
        items = []
        while not self._is(")"):
            items.append(self.field())
            if not self._is(")"):
                self._sign(",")
        self._sign(")")
        return tuple(items)
