"""A whole network as one row: its cores, adapters and buffers, without a host link."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import connect, flipped

from cores.choices import AdderGraph, Block, Logic, Shift
from cores.cost import Count
from cores.facets import cost_of, macs_of
from cores.mvau import MatVec
from cores.op import Core, Op
from cores.thresholding import MultiThreshold
from cores.timing import Timing
from cores.types import StreamType
from hwgen.builder import Accelerator
from hwgen.errors import CheckError
from hwgen.folding.file import fold_from_file
from hwgen.graph.interpret import interpret_integer
from hwgen.graph.ir import Graph
from hwgen.prepare import adapt, load
from hwgen.simulators.compiled import CompiledSimulator
from hwgen.timing.schedule import Schedule, schedule
from platforms.device import Device
from platforms.devices import device
from platforms.tools import Tools

MODELS = Path(__file__).parents[3] / "shared" / "models"


@dataclass(frozen=True, eq=False)
class Network(Op):
    """A folded graph with adapters and buffers.

    Parameters
    ----------
    meaning : Graph
        The integer graph that it computes.
    folded : Graph
    """

    meaning: Graph
    folded: Graph

    @property
    def inputs(self) -> dict[str, StreamType]:
        (kind,) = self.folded.inputs.values()
        return {"i": kind}

    @property
    def outputs(self) -> dict[str, StreamType]:
        (value,) = self.folded.outputs.values()
        return {"o": self.folded.by_name[value.node].op.outputs[value.port]}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        (name,) = self.meaning.inputs
        (found,) = interpret_integer(self.meaning, {name: tensors[0]}).values()
        return found

    @cached_property
    def schedule(self) -> Schedule:
        return schedule(self.folded)

    @property
    def timing(self) -> Timing:
        found, (end,) = self.schedule, self.folded.outputs.values()
        return Timing(
            cycles=found.interval,
            depth=0,
            reads=lambda port: self._steady(next(iter(found.taken.values()))),
            emits=lambda port: self._steady(found.valid[end]),
        )

    def _steady(self, times: np.ndarray) -> np.ndarray:
        """Cycles of the last frame that was tried, from when it was offered."""
        found = self.schedule
        return times.reshape(found.frames, -1)[-1] - found.interval * (found.frames - 1)

    @property
    def macs(self) -> int:
        return sum(macs_of(node.op) for node in self.folded)

    def cost(self, device: Device) -> Count:
        return reduce(add, (cost_of(node.op, device) for node in self.folded))

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Network"]:
        return ()

    def core(self, device: Device | None = None) -> "NetworkCore":
        return NetworkCore(self, device)


class NetworkCore(Core):
    """The cores of a `Network`, one after the other.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: Network
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cores = cores = Accelerator(self.op.folded, self.device)
        ports: Any = cores
        connect(m, flipped(self.i), ports.i)
        connect(m, ports.o, flipped(self.o))
        return m


def check_rate(op: Network, x: np.ndarray, *, cache: Path, tools: Tools) -> None:
    """Once buffers are filled, a frame comes out every `op.cycles` cycles.

    Raises
    ------
    CheckError
    """
    simulator = CompiledSimulator(op.core(), cache=cache, tools=tools)
    _, run = simulator.run_tensor(x, op.inputs["i"], op.outputs["o"])
    ends = run.out_cycles.reshape(len(x), -1)[:, -1]
    intervals = set(np.diff(ends[len(x) // 2 :]).tolist())
    if intervals != {op.cycles}:
        raise CheckError(f"frames come out every {intervals} cycles, not every {op.cycles}")


def model_file(name: str) -> Path:
    """A model that others trained; its folder lies beside the repository."""
    return MODELS / f"{name}.onnx"


def network(name: str, *, target: str, input_type: str, fold: Callable[[Graph], Graph]) -> Network:
    """A model folded by `fold` for a device."""
    loaded = load(model_file(name), input_type)
    assert loaded.analysis.graph is not None
    with TemporaryDirectory() as folder:
        adapted, unshrunk = adapt(fold(loaded.dataflow), device(target), Path(folder))
    assert not unshrunk, unshrunk
    return Network(loaded.analysis.graph, adapted)


def unfolded(graph: Graph) -> Graph:
    """One frame per cycle: adder graphs that nothing stops, and activations by shifting."""

    def whole(op: Op) -> Op:
        if isinstance(op, MatVec):
            plain = replace(op, pe=op.rows, simd=op.cols, memory=Logic())
            return replace(plain, arithmetic=AdderGraph(), memory=Block())
        assert isinstance(op, MultiThreshold)
        return replace(op, pe=op.channels, comparison=Shift())

    return replace(graph, nodes=tuple(replace(node, op=whole(node.op)) for node in graph))


def folded_by(foldings: Mapping[str, str]) -> Callable[[Graph], Graph]:
    """By lines of a folding file for each node."""
    text = "\n".join(f'["{name}"]\n{lines}\n' for name, lines in foldings.items())
    return lambda graph: fold_from_file(graph, text, source="scripts/bench/rows.py")
