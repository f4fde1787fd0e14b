"""One line of the text form of a graph, read from left to right."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from cores.choices import ARITHMETIC, COMPARISON, MEMORY
from cores.types import IntType
from hwgen.graph.ir import Value

WORDS = {
    **(ARITHMETIC | MEMORY | COMPARISON),
    "none": None,
    "true": True,
    "false": False,
    "inf": float("inf"),
    "nan": float("nan"),
}
"""What a word in the place of a field stands for; others are integer types."""

TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<array>@[0-9a-f]+)"""
    r"""|(?P<range>-?\d+\.\.-?\d+)|(?P<real>-?(?:\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|inf\b))"""
    r"""|(?P<number>-?\d+)|(?P<word>\w+)|(?P<sign>[(),=.]))"""
)


@dataclass(eq=False)
class LineParser:
    """Recursive descent over the tokens of one line; each method reads what it is named after.

    Parameters
    ----------
    line : str
    arrays : mapping of str to array
        By what follows ``@``.

    Raises
    ------
    ValueError, TypeError
        From the constructor and from every method: the line has something else there, or a class
        does not take its fields.
    """

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
                raise ValueError(f"column {place + 1} must be a known sign, not {line[place]!r}")
            yield match.lastgroup, match[match.lastgroup]
            place = match.end()

    def _next(self, *kinds: str) -> str:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("end", "end of line")
        if kind not in kinds:
            raise ValueError(f"next must be {' or '.join(kinds)}, not {text}")
        self.at += 1
        return text

    def _sign(self, sign: str) -> None:
        if (found := self._next("sign")) != sign:
            raise ValueError(f"next must be {sign!r}, not {found!r}")

    def _is(self, *signs: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] in [("sign", s) for s in signs]

    def keyword(self) -> str:
        return self._next("word") if self.tokens[0][0] == "word" else ""

    def string(self) -> str:
        return json.loads(self._next("string"))

    def equals(self) -> None:
        self._sign("=")

    def ahead(self) -> str:
        """What comes next, still to be read."""
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise ValueError(f"next must be the end of the line, not {self.ahead()}")

    def value(self, inputs: Mapping[str, Any]) -> Value:
        """One of `inputs` has no port."""
        node = self.string()
        if self._is("."):
            self._sign(".")
            return Value(node, self._next("word"))
        return Value(node, "" if node in inputs else "o")

    def op(
        self, classes: Mapping[str, type], inputs: Mapping[str, Any]
    ) -> tuple[Any, tuple[Value, ...]]:
        """An op with its inputs."""
        sources: list[Value] = []
        return self._call(classes, lambda: sources.append(self.value(inputs))), tuple(sources)

    def object(self, classes: Mapping[str, type]) -> Any:
        """A type, or a part of an op."""
        return self._call(classes)

    def _call(self, classes: Mapping[str, type], source: Callable[[], None] | None = None) -> Any:
        """Texts at a place of their own are values, read by `source`, if there is one."""
        name = self._next("word")
        if name not in classes:
            raise ValueError(f"class must be one of {', '.join(classes)}, not {name}")
        positional: list[Any] = []
        named: dict[str, Any] = {}
        self._sign("(")
        while not self._is(")"):
            if source is not None and self._kind() == "string":
                source()
            elif self._names():
                key = self._next("word")
                self._sign("=")
                named[key] = self._field(classes)
            else:
                positional.append(self._field(classes))
            if not self._is(")"):
                self._sign(",")
        self._sign(")")
        order = [part.name for part in fields(classes[name]) if part.init and not part.kw_only]
        if len(positional) > len(order):
            rule = f"must have at most {len(order)} fields without a name"
            raise ValueError(f"{name} {rule}, not {len(positional)}")
        return classes[name](**dict(zip(order, positional, strict=False)), **named)

    def _names(self) -> bool:
        """Whether a name comes next that is given a field."""
        return self._kind() == "word" and self.tokens[self.at + 1 :][:1] == [("sign", "=")]

    def _kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else "end"

    def _field(self, classes: Mapping[str, type]) -> Any:
        if self._kind() == "word" and self.ahead() in classes:
            return self._call(classes)
        if self._is("("):
            return self._tuple(classes)
        kind = self._kind()
        text = self._next("array", "real", "number", "string", "range", "word")
        match kind:
            case "array":
                if text[1:] not in self.arrays:
                    raise ValueError(f"array {text} must be in the npz file")
                return self.arrays[text[1:]]
            case "real":
                return float(text)
            case "number":
                return int(text)
            case "string":
                return json.loads(text)
            case "word" if text in WORDS:
                return WORDS[text]
        return IntType.parse(text)

    def _tuple(self, classes: Mapping[str, type]) -> tuple[Any, ...]:
        self._sign("(")
        items = []
        while not self._is(")"):
            items.append(self._field(classes))
            if not self._is(")"):
                self._sign(",")
        self._sign(")")
        return tuple(items)
