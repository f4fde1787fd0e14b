"""A dataflow graph as beats that come and go, whatever they say: when each would, to the cycle.

No core is elaborated or compiled: what moves when follows from its schedule and its `stalling`. One
program in C++, compiled once, runs any graph.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cores.facets import Buffering
from cores.op import Op
from cores.stalling import Emitting, Reading, Rigid, Ring, Scanning, Stored
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph
from hwgen.simulators.cxx import compile_library
from hwgen.simulators.driver import NO_STALL, Stall, StreamRun
from hwgen.simulators.frame_driver import FrameDriver

_HERE = Path(__file__).parent
_RIGID, _EMITTING, _STORED, _SPARE, _RING, _READING, _SCANNING = range(7)
_PORTS, _DEEPEST = 16, 63
_STEADY, _FRAMES = 8, 200

STUCK, UNSETTLED = -1, -2
"""What `BeatSimulator.settle` gives where there is no interval."""


class BeatSimulator(FrameDriver):
    """Times of a dataflow graph with adapters in place, under any stalls.

    Parameters
    ----------
    graph : Graph
    cache : Path
        Folder for what is compiled.
    shallow : bool
        As if all pipelines had one stage: what a rigid one holds for certain. What does not stand
        still then never does, whatever stalls come.
    arrays : dict, optional
        Keeps what is made of each op, under its key, for the next simulator.
    compiler : sequence of str, optional
        See `hwgen.simulators.cxx.find_compiler`.

    Raises
    ------
    ToolError
        The C++ compiler is missing or fails.
    CheckError
        A core has more ports or stages than the program provides for.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        cache: Path,
        shallow: bool = False,
        arrays: dict[str, list[np.ndarray]] | None = None,
        compiler: Sequence[str] | None = None,
    ):
        self.graph = graph
        self.shallow = shallow
        sources = {name: (_HERE / name).read_text() for name in ("beats.cpp", "driver.hpp")}
        library = compile_library(sources, flags=("-O2",), cache=cache, compiler=compiler)
        super().__init__(library, graph.name)
        count, address = ctypes.c_int64, ctypes.c_void_p
        self._library.sim_create.argtypes, self._library.sim_create.restype = (
            [address, count],
            address,
        )
        self._library.sim_highest.argtypes = [address, address]
        self._library.sim_settle.argtypes = [address, *(count,) * 6]
        self._library.sim_settle.restype = count
        self._arrays = {} if arrays is None else arrays
        self._table = np.array(self._described(), np.int64)

    def simulate(self, frames: int, *, stall: Stall = NO_STALL, patience: int) -> StreamRun:
        """Whole frames through the graph; payloads mean nothing."""
        entry, exit_ = self.graph.end_types
        beats = np.zeros((frames * entry.beats, 1), np.uint8)
        return self.run(beats, frames * exit_.beats, stall=stall, patience=patience)

    def settle(self, interval: int, *, pauses: int = 0, jam: bool = False) -> int:
        """Cycles between frames that are offered all the time, once these are `interval` or two
        frames end in the same state.

        Parameters
        ----------
        pauses : int
            Frames before these with random pauses at both ends.
        jam : bool
            After that, nothing is taken before everything stands still.

        Returns
        -------
        int
            Cycles; `STUCK` if everything stands still before that, `UNSETTLED` after too many
            frames.
        """
        self.reset()
        beats = self.graph.end_types[1].beats
        return self._library.sim_settle(
            self.machine, beats, pauses, jam, interval, _STEADY, _FRAMES
        )

    def highest(self) -> dict[str, int]:
        """Most beats that each buffer has stored since power-on; of one that is no ring, such as a
        single register: its capacity."""
        rings = [node.name for node in self.graph if isinstance(node.op.timing.stalling, Ring)]
        found = np.zeros(len(rings), np.int64)
        self._library.sim_highest(self.machine, found.ctypes.data)
        levels = dict(zip(rings, found.tolist(), strict=True))
        ops = {node.name: node.op for node in self.graph if isinstance(node.op, Buffering)}
        return {name: levels.get(name, op.capacity) for name, op in ops.items()}

    def _create(self) -> int:
        return self._library.sim_create(self._table.ctypes.data, len(self._table))

    def _described(self) -> list[int]:
        """The table that ``beats.cpp`` reads."""
        start, end = self.graph.ends
        values = [start]
        values += [node[port] for node in self.graph for port in node.op.outputs]
        edges = {value: k for k, value in enumerate(value for value in values if value != end)}
        edges[end] = len(edges)
        table = [len(self.graph.nodes), len(edges)]
        for node in self.graph:
            places = [edges[value] for value in node.inputs]
            places += [edges[node[port]] for port in node.op.outputs]
            depth = 1 if self.shallow else node.op.depth
            outputs = len(node.op.outputs)
            if max(len(node.inputs), outputs) > _PORTS or depth > (_DEEPEST if outputs == 1 else 1):
                raise CheckError(
                    f"{node.name}: to be simulated as beats, a core must have at most {_PORTS} "
                    f"inputs and outputs and {_DEEPEST} stages, or one with several outputs"
                )
            kind, numbers = self._kind(node.op)
            table += [kind, len(node.inputs), outputs, *places, depth, *numbers]
        return table

    def _kind(self, op: Op) -> tuple[int, list[int]]:
        match op.timing.stalling:
            case Stored(words, latency):
                return _STORED, [words, latency]
            case Ring(1, False):
                return _SPARE, []
            case Ring(words, fetched):
                return _RING, [words, int(fetched)]
            case Reading(needed, credit):
                beats = op.inputs["i"].beats
                return _READING, [needed.size, beats, *self._kept(op, needed, credit)]
            case Scanning(beats, groups, tail, over, first, gaps):
                numbers = [beats, groups, tail, over, first, gaps.size]
                return _SCANNING, [*numbers, *self._kept(op, gaps)]
            case Rigid() | Emitting() as stalling:
                kind = _EMITTING if isinstance(stalling, Emitting) else _RIGID
                kept = self._kept(op)
                return kind, [self._arrays[op.key][0].size, *kept]
            case other:
                raise TypeError(f"{type(op).__name__}: no model of {type(other).__name__}")

    def _kept(self, op: Op, *arrays: np.ndarray) -> list[int]:
        """Addresses of arrays that live as long as this; without any, of what each step reads and
        emits."""
        if op.key not in self._arrays:
            self._arrays[op.key] = [
                np.ascontiguousarray(a, a.dtype if a.dtype == np.uint32 else np.int64)
                for a in arrays or (_steps(op),)
            ]
        return [array.ctypes.data for array in self._arrays[op.key]]


def _steps(op: Op) -> np.ndarray:
    """Ports that each step of a frame reads, a bit each, and from bit 16 on those it emits to; one
    step where all are the same, as those of a buffer of one beat."""
    steps = np.zeros(op.cycles, np.uint32)
    for k, port in enumerate(op.inputs):
        steps[op.timing.reads(port)] |= np.uint32(1 << k)
    for k, port in enumerate(op.outputs):
        steps[op.timing.emits(port)] |= np.uint32(1 << 16 + k)
    return steps[:1] if (steps == steps[0]).all() else steps
