"""Buffer of the packet being received, with the device's constant INFO packet beside it."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cores.link.byte_memory import ByteMemory
from cores.link.framing import TOKEN
from cores.link.packets import MAX_PAYLOAD, OVERHEAD


class PacketBuffer(wiring.Component):
    """Holds one packet until it is released; packets that come meanwhile are dropped whole.

    Parameters
    ----------
    constant : bytes
        Readable at addresses 256 and above; at most 256 bytes.

    Members
    -------
    i : In(stream.Signature(TOKEN))
        Always ready.
    abort : In(1)
        Forgets the packet begun, unless it is complete.
    pending : Out(1)
        A packet is complete. All other outputs are valid while this is high.
    malformed, too_long : Out(1)
        The frame was damaged or shorter than a packet; the payload exceeds 240 bytes.
    length : Out(8)
        Bytes of the packet.
    trim : In(1)
        Takes one from `length`.
    release : In(1)
        Makes room for the next packet.
    address : In(9)
    data : Out(8)
        The byte at `address` of the previous cycle.
    """

    i: stream.Interface
    abort: Signal
    pending: Signal
    malformed: Signal
    too_long: Signal
    length: Signal
    trim: Signal
    release: Signal
    address: Signal
    data: Signal

    def __init__(self, constant: bytes):
        super().__init__(
            {
                "i": In(stream.Signature(TOKEN)),
                "abort": In(1),
                "pending": Out(1),
                "malformed": Out(1),
                "too_long": Out(1),
                "length": Out(8),
                "trim": In(1),
                "release": In(1),
                "address": In(9),
                "data": Out(8),
            }
        )
        self._constant = constant

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = ByteMemory(512, init=bytes(256) + self._constant)
        skipping = Signal()
        token = self.i.payload
        full = Signal()

        m.d.comb += self.i.ready.eq(1)
        m.d.comb += memory.address.eq(self.address)
        m.d.comb += memory.read.eq(1)
        m.d.comb += self.data.eq(memory.data)
        m.d.comb += memory.write_address.eq(self.length)
        m.d.comb += memory.write_data.eq(token.data)
        m.d.comb += full.eq(self.length == MAX_PAYLOAD + OVERHEAD)

        with m.If(self.trim):
            m.d.sync += self.length.eq(self.length - 1)
        with m.If(self.i.valid):
            with m.If(token.end):
                m.d.sync += skipping.eq(0)
                with m.If(~self.pending & ~skipping):
                    m.d.sync += self.pending.eq(1)
                    m.d.sync += self.malformed.eq(token.data[0] | (self.length < OVERHEAD))
            with m.Elif(self.pending):
                m.d.sync += skipping.eq(1)
            with m.Elif(~skipping):
                m.d.sync += self.too_long.eq(full)
                m.d.comb += memory.write.eq(~full)
                with m.If(~full):
                    m.d.sync += self.length.eq(self.length + 1)
        with m.If(self.abort):
            m.d.sync += skipping.eq(0)
        with m.If(self.release | (self.abort & ~self.pending)):
            m.d.sync += self.pending.eq(0)
            m.d.sync += self.length.eq(0)
            m.d.sync += self.too_long.eq(0)
        return m
