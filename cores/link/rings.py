"""Bytes on their way between the serial line and the sequencer, in block RAM."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cores.link.byte_memory import ByteMemory
from cores.pipeline import Pipeline, Stages

RECEIVE_BYTES = 512
"""Two frames of the longest packet, with a delimiter on both sides, and a byte that stays empty."""

TRANSMIT_BYTES = 256


class ReceiveRing(wiring.Component):
    """A ring of the bytes received, read byte by byte and again from a mark.

    Bytes that come when it is full are lost. The mark, and the end of what has been freed, stand at
    the byte read last.

    Members
    -------
    i : In(stream.Signature(8))
    lost : Out(1)
        The byte that comes finds no room.
    available : Out(1)
        There is a byte behind the one read last.
    data : Out(8)
        That byte, as of the previous cycle.
    next : In(1)
        Takes it.
    erase : In(1)
        Makes the byte read last a zero.
    mark : In(1)
    free : In(1)
        Makes room of all before the mark.
    back : In(1)
        Begins again behind what is free.
    """

    i: stream.Interface
    lost: Signal
    available: Signal
    data: Signal
    next: Signal
    erase: Signal
    mark: Signal
    free: Signal
    back: Signal

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "lost": Out(1),
                "available": Out(1),
                "data": Out(8),
                "next": In(1),
                "erase": In(1),
                "mark": In(1),
                "free": In(1),
                "back": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = ByteMemory(RECEIVE_BYTES)
        written, read, marked, freed = (
            Signal(range(RECEIVE_BYTES), name=name)
            for name in ("written", "read", "marked", "freed")
        )
        # All four point at a byte, not behind it; 9 bits are the 512 bytes, so they wrap by
        # themselves.
        behind_written, behind_read = (written + 1)[:9], (read + 1)[:9]
        full = Signal()
        # One byte stays empty, or a full ring would look like an empty one.
        m.d.comb += full.eq(behind_written == freed)
        # The write port serves the erasing first; the receiver holds its byte for a cycle. A byte
        # that finds no room is taken and lost: the line cannot be held back.
        m.d.comb += self.i.ready.eq(~self.erase)
        m.d.comb += self.lost.eq(self.i.valid & full)
        m.d.comb += memory.write.eq(self.erase | (self.i.valid & ~full))
        m.d.comb += memory.write_address.eq(Mux(self.erase, read, behind_written))
        m.d.comb += memory.write_data.eq(Mux(self.erase, 0, self.i.payload))
        with m.If(self.i.valid & ~self.erase & ~full):
            m.d.sync += written.eq(behind_written)

        # Always the byte behind the one read last, so that it is there when `next` takes it.
        m.d.comb += memory.address.eq(behind_read)
        m.d.comb += memory.read.eq(1)
        m.d.comb += self.data.eq(memory.data)
        m.d.comb += self.available.eq(read != written)
        with m.If(self.next):
            m.d.sync += read.eq(behind_read)
        with m.If(self.back):
            m.d.sync += read.eq(freed)
        with m.If(self.mark):
            m.d.sync += marked.eq(read)
        with m.If(self.free):
            m.d.sync += freed.eq(marked)
        return m


class TransmitRing(wiring.Component):
    """A ring of the bytes to be sent, one of which, the open place, is written later.

    Members
    -------
    data : In(8)
    append : In(1)
        Puts `data` at the end; not allowed when `full`.
    patch : In(1)
        Puts `data` at the open place.
    publish : In(1)
        Sends all before the end, which becomes the open place.
    tail : Out(8)
        Where the next byte will be.
    full : Out(1)
    o : Out(stream.Signature(8))
    """

    data: Signal
    append: Signal
    patch: Signal
    publish: Signal
    tail: Signal
    full: Signal
    o: stream.Interface

    def __init__(self):
        super().__init__(
            {
                "data": In(8),
                "append": In(1),
                "patch": In(1),
                "publish": In(1),
                "tail": Out(8),
                "full": Out(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = ByteMemory(TRANSMIT_BYTES)
        # The open place is the length byte of a COBS block, which is known at the end of the block:
        # nothing behind it may be sent before. It and the ends begin at 1, as a ring whose tail is
        # at `before_head`, first 0, is full.
        place = Signal(8, init=1)
        head = Signal(8, init=1)
        before_head = Signal(8)
        tail = Signal(8, init=1)
        waiting = Signal()
        m.d.comb += self.tail.eq(tail)
        m.d.comb += memory.write_address.eq(Mux(self.patch, place, self.tail))
        m.d.comb += memory.write_data.eq(self.data)
        m.d.comb += memory.write.eq(self.append | self.patch)
        m.d.comb += self.full.eq(self.tail == before_head)
        with m.If(self.append):
            m.d.sync += tail.eq(tail + 1)
        with m.If(self.publish):
            m.d.sync += place.eq(self.tail)

        m.d.comb += waiting.eq(head != place)
        m.d.comb += memory.address.eq(head)
        # The register of the memory is the output's: it moves on with every byte that is taken.
        pipeline = Pipeline(m, Stages(1), self.o)
        m.d.comb += [memory.read.eq(pipeline.advance), pipeline.i_valid.eq(waiting)]
        m.d.comb += self.o.payload.eq(memory.data)
        with m.If(pipeline.advance), m.If(waiting):
            m.d.sync += head.eq(head + 1)
            m.d.sync += before_head.eq(head)
        return m
