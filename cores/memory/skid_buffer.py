"""A register slice that cuts both the valid and the ready path of a stream."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out


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
        moves = Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(room),
        ]
        with m.If(moves):
            m.d.sync += [
                self.o.valid.eq(self.i.valid | ~room),
                room.eq(1),
            ]
            with m.If(room):
                m.d.sync += self.o.payload.eq(self.i.payload)
            with m.Else():
                m.d.sync += self.o.payload.eq(spare)
        with m.Elif(self.i.valid):
            m.d.sync += room.eq(0)
        with m.If(room):
            m.d.sync += spare.eq(self.i.payload)
        return m
