"""Turns a dataflow graph into hardware: one core per node, wired along the edges."""

import re
from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from cores.facets import image_of
from hwgen.graph.ir import Graph
from platforms.device import Device


class Accelerator(Component):
    """A dataflow graph as one component between an input and an output stream.

    Parameters
    ----------
    graph : Graph
        Dataflow graph with adapters in place: both ends of every edge have the same stream type.
    device : Device or None
        Whose primitives are used; portable RTL of the same timing without one.
    stalls : bool
        Whether there is such a member.

    Attributes
    ----------
    edges : int
        Streams in `stalls`.
    weight_bytes : int
        Image of weights that must be loaded through a stream `weights` of 16-bit words.

    Members
    -------
    i, o : stream
        The graph's only input and output.
    weights : In(stream.Signature(16))
        The image of the weights, if there is one; from its beginning after a reset.
    stalls : Out(edges)
        Valid and not ready, of each stream between cores; in the order of `Graph.inner`.
    """

    def __init__(self, graph: Graph, device: Device | None = None, *, stalls: bool = False):
        self.graph = graph
        self.device = device
        self.weight_bytes = len(graph.weight_image)
        self.input_type, self.output_type = graph.end_types
        members = {
            "i": In(stream.Signature(self.input_type.layout)),
            "o": Out(stream.Signature(self.output_type.layout)),
        }
        self.edges = len(graph.inner) if stalls else 0
        if self.edges:
            members["stalls"] = Out(self.edges)
        if self.weight_bytes:
            members["weights"] = In(stream.Signature(16))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports: Any = self
        entry, exit_ = self.graph.ends
        sources = {entry: flipped(ports.i)}
        stalls = []
        for node in self.graph:
            core = node.op.core(self.device)
            m.submodules[_identifier(node.name)] = core
            if image_of(node.op):
                connect(m, flipped(ports.weights), core.weights)
            for port, value in zip(node.op.inputs, node.inputs, strict=True):
                source = sources.pop(value)
                connect(m, source, getattr(core, port))
                if value != entry:
                    stalls.append(source.valid & ~source.ready)
            sources.update((node[port], getattr(core, port)) for port in node.op.outputs)
        if self.edges:
            m.d.comb += ports.stalls.eq(Cat(*stalls))
        connect(m, sources.pop(exit_), flipped(ports.o))
        return m


def _identifier(name: str) -> str:
    """A module name for a node name; names that differ in punctuation only keep their nodes apart
    by it."""
    return re.sub(r"\W", lambda match: "_" if match[0] in "/." else f"_{ord(match[0]):x}", name)
