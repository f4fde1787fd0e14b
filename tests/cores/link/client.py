"""A link around an accelerator that adds one to each byte, and a client that speaks in packets."""

import struct

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib.wiring import Component, In, Out, connect

from cores.link.link import Link, LinkConfig
from cores.link.packets import Type
from cores.link.probe import Probe
from cores.types import IntType, StreamType
from hwgen.host.protocol import Packet
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
        No result beat leaves, and no word of weights is taken.
    first, last : Out(32)
        Cycle of the first beat in, and of the last beat out, since power-on.
    taken : Out(16)
        Beats in, in all.
    left : Out(16)
        Beats out, in all.
    weights : Out(64)
        The last four words of weights, the newest lowest; 0 by a reset of the accelerator.
    loaded : Out(1)
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
                "weights": Out(64),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.link = link = Link(config)
        m.d.comb += link.rx.eq(self.rx)
        m.d.comb += self.tx.eq(link.tx)
        pipeline = Module()
        source, entering = Signal(8), Signal()
        room = Signal()
        word, full = source, entering
        for stage in range(3):
            before, valid = word, full
            word, full = Signal(8, name=f"word{stage}"), Signal(name=f"full{stage}")
            with pipeline.If(room):
                pipeline.d.sync += [word.eq(before), full.eq(valid)]
        m.submodules.pipeline = ResetInserter(link.reset_accelerator)(pipeline)
        i, o = link.o, link.i
        if config.probe:
            m.submodules.probe = probe = ResetInserter(link.reset_accelerator)(
                Probe(config.input, config.output, edges=config.edges)
            )
            connect(m, link.probe, probe.link)
            connect(m, link.o, probe.i)
            connect(m, probe.o_result, link.i)
            i, o = probe.o, probe.i_result
            # Edge k stalls while the k lowest stages are full.
            m.d.comb += probe.edge_stalls.eq(Cat(~room, C(1), C(0)))
        m.d.comb += source.eq(i.payload + 1)
        m.d.comb += entering.eq(i.valid)
        m.d.comb += o.payload.eq(word)
        m.d.comb += o.valid.eq(full & ~self.hold)
        m.d.comb += room.eq(~full | (o.ready & ~self.hold))
        m.d.comb += i.ready.eq(room)
        enter, leave = i.valid & room, o.valid & o.ready
        if not config.probe:
            m.d.comb += [link.enter.eq(enter), link.leave.eq(leave)]
        if config.weight_bytes:
            m.d.comb += [link.o_weights.ready.eq(~self.hold), self.loaded.eq(link.loaded)]
            with m.If(link.o_weights.valid & link.o_weights.ready):
                m.d.sync += self.weights.eq(Cat(link.o_weights.payload, self.weights))
            with m.If(link.reset_accelerator):
                m.d.sync += self.weights.eq(0)

        now = Signal(32)
        beat = Signal(16)
        m.d.sync += now.eq(now + 1)
        with m.If(enter):
            m.d.sync += self.taken.eq(self.taken + 1)
            m.d.sync += beat.eq(Mux(beat == self._config.output_beats - 1, 0, beat + 1))
            with m.If(beat == 0):
                m.d.sync += self.first.eq(now)
        with m.If(leave):
            m.d.sync += self.last.eq(now)
            m.d.sync += self.left.eq(self.left + 1)
        return m


def ack(kind: int, sequence: int) -> Packet:
    """The reply to a request that was done and has nothing to say."""
    return Packet(kind | 0x80, sequence)


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
