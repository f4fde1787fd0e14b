"""The pipeline around adder graphs: stages that move together, or that never stop."""

from dataclasses import dataclass

from amaranth.hdl import Const, Module, Value
from amaranth.lib import stream

from cores.dot import dot_copies
from cores.dot.dot_copies import DotCopies
from cores.graph.adder_graph import AdderGraphDot
from cores.graph.wide_enable import WideEnable
from cores.memory.result_buffer import ResultBuffer
from cores.op import Core, Op
from cores.sum.accumulator import Accumulators, Sums
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Graphs:
    """What a `GraphPipeline` computes.

    Parameters
    ----------
    graph : AdderGraphDot
    copies : int
        Vectors in a beat, each with a graph of its own.
    sums : Sums or None
        What is added to the results, one cycle later; None if they are complete.
    buffered : bool
        Whether results wait in block RAM, so that nothing stops the graphs.
    """

    graph: AdderGraphDot
    copies: int
    sums: Sums | None
    buffered: bool

    @property
    def depth(self) -> int:
        """Cycles from operands to results."""
        return self.graph.depth + (self.sums is not None)


class GraphPipeline(Core):
    """Computes `Graphs`, one beat per cycle.

    All registers move together while the output can be taken, and the results of the graphs are
    the output registers if there is nothing to add to them; or nothing stops the graphs.

    Parameters
    ----------
    op : Op
        The product that they are.
    graphs : Graphs
    device : Device or None

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, op: Op, graphs: Graphs, device: Device | None):
        self.graphs = graphs
        super().__init__(op, device)

    def elaborate(self, platform) -> Module:
        m = Module()
        graphs = self.graphs
        nets = sum(dot_copies.nets(graphs.graph, graphs.copies)) + (graphs.sums is not None)
        enable: Value = Const(-1, nets)
        if graphs.buffered:
            width = len(Value.cast(self.o.payload))
            m.submodules.results = control = ResultBuffer(width, graphs.depth, self.device)
        else:
            m.submodules.enables = control = WideEnable(graphs.depth, nets, self.device)
            enable = control.en
        m.d.comb += [control.i_valid.eq(self.i.valid), self.i.ready.eq(control.i_ready)]
        m.d.comb += [self.o.valid.eq(control.o_valid), control.o_ready.eq(self.o.ready)]
        m.submodules.dots = dots = DotCopies(graphs.graph, graphs.copies, self.device)
        m.d.comb += [dots.en.eq(enable[: len(dots.en)]), dots.x.eq(self.i.payload)]
        found: Value = dots.o
        if graphs.sums is not None:
            m.submodules.sums = sums = Accumulators(graphs.sums, self.device)
            m.d.comb += [sums.add.eq(enable[-1]), sums.last.eq(1)]
            m.d.comb += Value.cast(sums.i).eq(found)
            found = Value.cast(sums.o)
        if isinstance(control, ResultBuffer):
            m.d.comb += control.i.eq(found)
            found = control.o
        m.d.comb += Value.cast(self.o.payload).eq(found)
        return m
