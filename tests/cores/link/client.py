"""A link around an accelerator that adds one to each byte, and a client that speaks in packets."""

import struct

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib.wiring import Component, In, Out

from cores.link.link import Link, LinkConfig
from cores.types import IntType, StreamType
from hwgen.host.protocol import Packet, Type
from tests.cores.link.pysim_transport import PysimTransport

CLK_HZ, BAUD = 4_000_000, 1_000_000
INFO = b"NNFA and more"
RESULT = Type.INFER | 0x80


def config(size, **options):
    stream = StreamType((size,), IntType.parse("u8"))
    return LinkConfig(
        clk_hz=CLK_HZ,
        baud=BAUD,
        info=INFO,
        input=stream,
        output=stream,
        output_beats=size,
        **options,
    )


class Incrementer(Component):
    """A link around o = i + 1, with 3 registers in between and a brake on the output.

    Members
    -------
    hold : In(1)
        No result beat leaves.
    first, last : Out(32)
        Cycle of the first beat in, and of the last beat out, since power-on.
    taken : Out(16)
        Beats in, in all.
    left : Out(16)
        Beats out, in all.
    """

    def __init__(self, link_config):
        self._config = link_config
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "hold": In(1),
                "first": Out(32),
                "last": Out(32),
                "taken": Out(16),
                "left": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = Link(self._config)
        m.d.comb += link.rx.eq(self.rx)
        m.d.comb += self.tx.eq(link.tx)
        pipeline = Module()
        source, valid = link.o.payload + 1, link.o.valid
        room = Signal()
        for stage in range(3):
            word, full = Signal(8, name=f"word{stage}"), Signal(name=f"full{stage}")
            with pipeline.If(room):
                pipeline.d.sync += [word.eq(source), full.eq(valid)]
            source, valid = word, full
        m.submodules.pipeline = ResetInserter(link.reset_accelerator)(pipeline)
        m.d.comb += link.i.payload.eq(source)
        m.d.comb += link.i.valid.eq(valid & ~self.hold)
        m.d.comb += room.eq(~valid | (link.i.ready & ~self.hold))
        m.d.comb += link.o.ready.eq(room)
        m.d.comb += link.enter.eq(link.o.valid & room)
        m.d.comb += link.leave.eq(link.i.valid & link.i.ready)

        now = Signal(32)
        beat = Signal(16)
        m.d.sync += now.eq(now + 1)
        with m.If(link.enter):
            m.d.sync += self.taken.eq(self.taken + 1)
            m.d.sync += beat.eq(Mux(beat == self._config.output_beats - 1, 0, beat + 1))
            with m.If(beat == 0):
                m.d.sync += self.first.eq(now)
        with m.If(link.leave):
            m.d.sync += self.last.eq(now)
            m.d.sync += self.left.eq(self.left + 1)
        return m


class Client:
    """Sends packets as they are and collects the replies."""

    def __init__(self, size=5, *, gaps=(0,), **options):
        self.dut = Incrementer(config(size, **options))
        self.pipe = PysimTransport(self.dut, clk_hz=CLK_HZ, divisor=CLK_HZ // BAUD, gaps=gaps)
        self.rest = b""

    def send(self, kind, sequence, payload=b""):
        self.pipe.write(Packet(kind, sequence, payload).encode())

    def reply(self, wait_s=0.005):
        """The next packet, or None if the device stays silent after all has been sent."""
        self.pipe.drain()
        while b"\0" not in self.rest:
            data = self.pipe.read(999, wait_s)
            if not data:
                return None
            self.rest += data
        frame, self.rest = self.rest.split(b"\0", 1)
        return Packet.decode(frame)

    def ask(self, kind, sequence, payload=b""):
        self.send(kind, sequence, payload)
        return self.reply()

    def data(self, sequence, offset, payload):
        return self.ask(Type.DATA, sequence, struct.pack("<I", offset) + payload)

    def result(self, sequence):
        """Latency and bytes of a RESULT in one packet."""
        packet = self.reply()
        assert (packet.type, packet.sequence) == (RESULT, sequence)
        status, latency, offset = struct.unpack("<BII", packet.payload[:9])
        assert (status, offset) == (0, 0)
        return latency, packet.payload[9:]

    def nak(self, code, sequence):
        """Expects a refusal; returns the number that the device expects."""
        reply = self.reply()
        assert (reply.type, reply.sequence, reply.payload[:1]) == (
            Type.NAK,
            sequence,
            bytes([code]),
        )
        assert len(reply.payload) == 2
        return reply.payload[1]

    def taken(self):
        """Bytes that have entered the accelerator."""
        return self.pipe.look(self.dut.taken)

    def hold(self, value):
        self.pipe.poke(self.dut.hold, value)

    def silent(self):
        assert self.reply(0.001) is None
