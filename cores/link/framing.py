"""Framing of packets on a byte stream: consistent-overhead byte stuffing (COBS) and CRC-16."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from cores.link.byte_memory import ByteMemory

CRC_INIT = 0xFFFF
MAX_PACKET = 253
"""Longest packet of the encoder: one block of COBS, so that no run reaches 254 bytes."""

TOKEN = StructLayout({"data": unsigned(8), "end": 1})
"""A byte of a packet, or its end. At an end, `data` is not part of the packet."""


def crc16_next(crc: Value, byte: Value) -> Value:
    """CRC-16/CCITT-FALSE (polynomial 0x1021, highest bit first) after one more byte."""
    x = crc[8:16] ^ byte
    x = x ^ (x >> 4)
    return (Cat(Const(0, 8), crc[:8]) ^ (x << 12) ^ (x << 5) ^ x)[:16]


class COBSDecoder(wiring.Component):
    """Undoes byte stuffing; a counter, without memory.

    Every zero byte ends a frame, so the decoder finds its place again at the next one. Frames
    without any byte are skipped silently.

    Members
    -------
    i : In(stream.Signature(8))
    o : Out(stream.Signature(TOKEN))
        Combinational from `i`. At an end, `data` is 0, or 1 if the frame stopped inside a block.
    clear : In(1)
        Forgets the frame begun.
    """

    i: stream.Interface
    o: stream.Interface
    clear: Signal

    def __init__(self):
        super().__init__(
            {"i": In(stream.Signature(8)), "o": Out(stream.Signature(TOKEN)), "clear": In(1)}
        )

    def elaborate(self, platform):
        m = Module()
        left = Signal(8)
        inside = Signal()
        # Whether a zero stands between the block that ended and the next.
        zero = Signal()
        take = Signal()
        token = self.o.payload
        at_code = Signal()
        delimiter = Signal()

        m.d.comb += at_code.eq(left == 0)
        m.d.comb += delimiter.eq(self.i.payload == 0)
        with m.If(delimiter):
            m.d.comb += token.end.eq(1)
            m.d.comb += token.data.eq(~at_code)
            m.d.comb += self.o.valid.eq(self.i.valid & inside)
        with m.Elif(at_code):
            m.d.comb += self.o.valid.eq(self.i.valid & zero)
        with m.Else():
            m.d.comb += token.data.eq(self.i.payload)
            m.d.comb += self.o.valid.eq(self.i.valid)
        m.d.comb += self.i.ready.eq(self.o.ready | ~self.o.valid)
        m.d.comb += take.eq(self.i.valid & self.i.ready)

        with m.If(take):
            with m.If(at_code):
                m.d.sync += left.eq(self.i.payload - 1)
                m.d.sync += zero.eq(self.i.payload != 0xFF)
                m.d.sync += inside.eq(1)
            with m.Else():
                m.d.sync += left.eq(left - 1)
        with m.If(self.clear | (take & delimiter)):
            m.d.sync += left.eq(0)
            m.d.sync += zero.eq(0)
            m.d.sync += inside.eq(0)
        return m


class COBSEncoder(wiring.Component):
    """Stuffs one packet in a buffer, then sends it with its delimiter.

    A byte that is not zero is stored as it is; a zero becomes the place of the next length code,
    which is written once the following zero, or the end, is known. Takes one token per cycle until
    the end, then none until the frame has left.

    Members
    -------
    i : In(stream.Signature(TOKEN))
        Packets of at most 253 bytes.
    o : Out(stream.Signature(8))
        The stuffed packet and a zero byte.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__({"i": In(stream.Signature(TOKEN)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = ByteMemory(256)
        code = Signal(8)
        tail = Signal(8, init=1)
        head = Signal(8)
        token = self.i.payload
        at_code = Signal()
        m.d.comb += memory.write_address.eq(Mux(at_code, code, tail))
        m.d.comb += memory.address.eq(head)
        m.d.comb += memory.read.eq(~self.o.valid | self.o.ready)
        m.d.comb += memory.write_data.eq(Mux(at_code, tail - code, token.data))
        m.d.comb += self.o.payload.eq(memory.data)

        with m.FSM():
            with m.State("FILL"):
                m.d.comb += self.i.ready.eq(1)
                m.d.comb += memory.write.eq(self.i.valid)
                m.d.comb += at_code.eq(token.end | (token.data == 0))
                with m.If(self.i.valid):
                    with m.If(at_code):
                        m.d.sync += code.eq(tail)
                    with m.If(token.end):
                        m.next = "DELIMIT"
                    with m.Else():
                        m.d.sync += tail.eq(tail + 1)
            with m.State("DELIMIT"):
                # `code` is where the frame ends, so this is a code of 0.
                m.d.comb += memory.write.eq(1)
                m.d.comb += at_code.eq(1)
                m.d.sync += tail.eq(tail + 1)
                m.next = "SEND"
            with m.State("SEND"):
                with m.If(~self.o.valid | self.o.ready):
                    m.d.sync += head.eq(head + 1)
                    m.d.sync += self.o.valid.eq(1)
                    with m.If(head == tail):
                        m.d.sync += self.o.valid.eq(0)
                        m.d.sync += head.eq(0)
                        m.d.sync += tail.eq(1)
                        m.d.sync += code.eq(0)
                        m.next = "FILL"
        return m
