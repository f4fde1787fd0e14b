"""Compiled simulation of a dataflow graph, cycle by cycle: a unit per core, wired by a table.

Each core is compiled on its own and kept, so that a change of one layer compiles one core. The
wires are those of `hwgen.builder`: valid, payload and ready between the two ends of an edge.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cores.facets import Buffering
from cores.types import StreamType
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Value
from hwgen.simulators.cxx import compile_library
from hwgen.simulators.frame_driver import FrameDriver
from hwgen.simulators.unit_library import CompiledUnit, compile_units

_HERE = Path(__file__).parent
_FLAGS = ("-O2",)

Place = tuple[int, int]
"""A unit, -1 for the graph's own inputs, and a word of its state."""


class GraphSimulator(FrameDriver):
    """A dataflow graph with adapters in place, compiled.

    Parameters
    ----------
    graph : Graph
    cache : Path
        Folder for what is compiled.
    optimise : str
        Level for the C++ compiler.
    compiler : sequence of str, optional
        See `hwgen.simulators.cxx.find_compiler`.

    Raises
    ------
    ToolError
        The C++ compiler is missing or fails.
    CheckError
        Handshakes of the graph form a combinational loop.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        cache: Path,
        optimise: str = "-O1",
        compiler: Sequence[str] | None = None,
    ):
        self.graph = graph
        ends = graph.end_types  # there is one of each, or nothing need be compiled
        units = compile_units(
            [node.op for node in graph], cache=cache, optimise=optimise, compiler=compiler
        )
        library = compile_library(
            {name: (_HERE / name).read_text() for name in ("units.cpp", "driver.hpp")},
            flags=_FLAGS,
            cache=cache,
            compiler=compiler,
        )
        super().__init__(library, graph.name)
        self._library.sim_create.argtypes = [ctypes.c_void_p]
        self._library.sim_create.restype = ctypes.c_void_p
        self._library.sim_level.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self._library.sim_level.restype = ctypes.c_int64
        self._buffers = [node.name for node in graph if isinstance(node.op, Buffering)]
        self._kept: list[object] = []  # alive as long as the description points to it
        self._description = _Wiring(graph, units, ends).description(self._buffers, self._kept)

    def highest(self) -> dict[str, int]:
        """Most beats that each buffer has stored since power-on."""
        return {
            name: int(self._library.sim_level(self.machine, number))
            for number, name in enumerate(self._buffers)
        }

    def _create(self) -> int:
        machine = self._library.sim_create(ctypes.addressof(self._description))
        if not machine:
            raise CheckError(f"{self._name}: a compiled unit is gone from the cache; run again")
        return machine


UNCONNECTED = "unconnected"
"""What inputs read that are no streams, such as an image of weights: 0."""


class _Description(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("units", "ports", "steps", "watched")),
        *(
            (name, ctypes.c_void_p)
            for name in (
                *("library", "symbol", "image_size", "image", "inputs", "sources", "step"),
                *("name", "port", "level"),
            )
        ),
    ]


class _Wiring:
    """Which word each input of each unit reads, and the order of evaluation."""

    def __init__(
        self,
        graph: Graph,
        units: Sequence[CompiledUnit],
        ends: tuple[StreamType, StreamType],
    ):
        self.graph, self.units = graph, units
        self.number = {node.name: k for k, node in enumerate(graph)}
        entry, exit_ = ends
        self.widths = {"i__payload": entry.width, "i__valid": 1, "o__ready": 1, UNCONNECTED: 64}
        places = np.cumsum([0, *(-(-width // 64) for width in self.widths.values())])
        self.entries = {name: (-1, int(at)) for name, at in zip(self.widths, places, strict=False)}
        self.sources: dict[tuple[int, str], Place] = {}
        self.drivers: dict[tuple[int, str], tuple[int, str]] = {}
        self.exits: dict[str, Place] = {}
        producers: dict[Value, tuple[int, str]] = {}
        start, end = graph.ends
        for k, node in enumerate(graph):
            producers.update({node[port]: (k, port) for port in node.op.outputs})
        for k, node in enumerate(graph):
            for port, value in zip(node.op.inputs, node.inputs, strict=True):
                if value == start:
                    self.sources[k, f"{port}__payload"] = self.entries["i__payload"]
                    self.sources[k, f"{port}__valid"] = self.entries["i__valid"]
                    self.exits["i__ready"] = self._place(k, f"{port}__ready")
                    continue
                at, source = producers[value]
                self._wire((at, f"{source}__payload"), (k, f"{port}__payload"))
                self._wire((at, f"{source}__valid"), (k, f"{port}__valid"))
                self._wire((k, f"{port}__ready"), (at, f"{source}__ready"))
        at, source = producers[end]
        self.sources[at, f"{source}__ready"] = self.entries["o__ready"]
        self.exits["o__payload"] = self._place(at, f"{source}__payload")
        self.exits["o__valid"] = self._place(at, f"{source}__valid")
        self.widths |= {"i__ready": 1, "o__payload": exit_.width, "o__valid": 1}

    def _place(self, unit: int, port: str) -> Place:
        code = self.units[unit].code
        return unit, code.places[code.outputs.index(port)]

    def _wire(self, source: tuple[int, str], sink: tuple[int, str]) -> None:
        self.drivers[sink] = source
        self.sources[sink] = self._place(*source)

    def steps(self) -> list[tuple[int, int]]:
        """Unit and function of each call within a cycle.

        Raises
        ------
        CheckError
            A combinational loop.
        """
        steps = [(k, 0) for k in range(len(self.units))]
        done: set[tuple[int, str]] = set()
        path: list[tuple[int, str]] = []

        def visit(unit: int, port: str) -> None:
            if (unit, port) in done:
                return
            if (unit, port) in path:
                loop = dict.fromkeys(k for k, _ in path[path.index((unit, port)) :])
                names = ", ".join(sorted(self.graph.nodes[k].name for k in loop))
                raise CheckError(f"combinational loop through the handshakes of {names}")
            code = self.units[unit].code
            path.append((unit, port))
            for needed in code.depends[port]:
                if (unit, needed) in self.drivers:
                    visit(*self.drivers[unit, needed])
            path.pop()
            done.add((unit, port))
            if code.depends[port]:
                steps.append((unit, 2 + code.outputs.index(port)))

        for k, unit in enumerate(self.units):
            for port in unit.code.outputs:
                visit(k, port)
        return steps

    def description(self, buffers: Sequence[str], kept: list[object]) -> _Description:
        """The table that ``units.cpp`` reads; `kept` gets what must outlive it."""

        def numbers(rows: Sequence[object]) -> int:
            array = np.ascontiguousarray(np.array(rows, np.int64).ravel())
            kept.append(array)
            return array.ctypes.data

        def texts(rows: Sequence[str]) -> int:
            array = (ctypes.c_char_p * len(rows))(*(row.encode() for row in rows))
            kept.append(array)
            return ctypes.addressof(array)

        images = [np.ascontiguousarray(unit.code.image) for unit in self.units]
        kept.append(images)
        sources = [
            self.sources.get((k, port), self.entries[UNCONNECTED])
            for k, unit in enumerate(self.units)
            for port in unit.code.inputs
        ]
        steps = self.steps()
        places = {**self.entries, **self.exits}
        levels = [
            [
                *(self.sources[self.number[name], "i__valid"], self._at(name, "i__ready")),
                *(self._at(name, "o__valid"), self.sources[self.number[name], "o__ready"]),
            ]
            for name in buffers
        ]
        return _Description(
            units=len(self.units),
            ports=len(self.widths),
            steps=len(steps),
            watched=len(buffers),
            library=texts([str(unit.library.resolve()) for unit in self.units]),
            symbol=texts([unit.code.symbol for unit in self.units]),
            image_size=numbers([len(image) for image in images]),
            image=numbers([image.ctypes.data for image in images]),
            inputs=numbers([len(unit.code.inputs) for unit in self.units]),
            sources=numbers(sources),
            step=numbers(steps),
            name=texts([*self.widths]),
            port=numbers([(width, *places[name]) for name, width in self.widths.items()]),
            level=numbers(levels),
        )

    def _at(self, node: str, port: str) -> Place:
        return self._place(self.number[node], port)
