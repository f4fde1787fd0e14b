"""A register slice that cuts both the valid and the ready path of a stream."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from cores.pipeline import Pipeline, Stages


class SkidBuffer(Component):
    """Two registers in front of each other: full throughput, and `i.ready` comes from a flip-flop.

    A beat appears one cycle after its transfer. Two beats are stored when the output does not move.

    Parameters
    ----------
    shape : ShapeLike
        Payload of the stream.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        spare = Signal.like(self.i.payload)
        room = Signal(init=1)  # the spare register is empty
        pipeline = Pipeline(m, Stages(1), self.o)
        # What is in the spare register came first; there is room again once it has moved on.
        m.d.comb += [pipeline.i_valid.eq(self.i.valid | ~room), self.i.ready.eq(room)]
        with m.If(pipeline.advance):
            m.d.sync += room.eq(1)
            with m.If(room):
                m.d.sync += self.o.payload.eq(self.i.payload)
            with m.Else():
                m.d.sync += self.o.payload.eq(spare)
        with m.Elif(self.i.valid):
            m.d.sync += room.eq(0)
        # Follows the input as long as it may: no path from `o.ready` enables it.
        with m.If(room):
            m.d.sync += spare.eq(self.i.payload)
        return m
