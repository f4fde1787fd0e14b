"""Turns a dataflow graph into hardware: one core per node, wired along the edges."""

import re
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from cores.types import StreamType
from hwgen.errors import ModelError
from hwgen.ir import Graph, Value
from platforms.device import Device


def stream_types(graph: Graph) -> tuple[StreamType, StreamType]:
    """Types of the only input and the only output of a dataflow graph.

    Raises
    ------
    ModelError
        The graph has more than one input or output.
    """
    for what, ends in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if len(ends) != 1:
            raise ModelError(
                f"{graph.name}: an accelerator must have one input and one output, "
                f"not the {len(ends)} {what} {', '.join(ends)}"
            )
    (entry,) = graph.inputs.values()
    (value,) = graph.outputs.values()
    producer = graph.producer(value)
    return entry, entry if producer is None else producer.op.outputs[value.port]


class Accelerator(Component):
    """A dataflow graph as one component between an input and an output stream.

    Parameters
    ----------
    graph : Graph
        Dataflow graph with adapters in place: both ends of every edge have the same stream type.
    device : Device or None
        Whose primitives are used; portable RTL of the same timing without one.

    Members
    -------
    i, o : stream
        The graph's only input and output.
    """

    def __init__(self, graph: Graph, device: Device | None = None):
        self.graph = graph
        self.device = device
        self.input_type, self.output_type = stream_types(graph)
        super().__init__(
            {
                "i": In(stream.Signature(self.input_type.layout)),
                "o": Out(stream.Signature(self.output_type.layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports: Any = self
        (entry,) = self.graph.inputs
        sources = {Value(entry, ""): flipped(ports.i)}
        for node in self.graph:
            core = node.op.core(self.device)
            m.submodules[_identifier(node.name)] = core
            for port, value in zip(node.op.inputs, node.inputs, strict=True):
                connect(m, sources.pop(value), getattr(core, port))
            sources.update((node[port], getattr(core, port)) for port in node.op.outputs)
        connect(m, sources.pop(*self.graph.outputs.values()), flipped(ports.o))
        return m


def _identifier(name: str) -> str:
    """A module name for a node name; names that differ in punctuation only keep their nodes apart
    by it."""
    return re.sub(r"\W", lambda match: "_" if match[0] in "/." else f"_{ord(match[0]):x}", name)
