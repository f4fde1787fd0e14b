"""Small designs that the tests of the simulators run."""

from amaranth.hdl import Const, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from cores.types import IntType, StreamType

TAPS = (3, -5, 7, 0, -8, 6, 1, -2, 4)


class WeightedSum(wiring.Component):
    """Nine numbers a beat, 72 bits wide; their sum weighted by `TAPS`, through a FIFO."""

    i_type = StreamType((9,), IntType.bits(8, signed=True), lanes=9)
    o_type = StreamType((1,), IntType.bits(24, signed=True))

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(self.i_type.layout)),
                "o": Out(stream.Signature(self.o_type.layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=72, depth=8)
        taken = Signal()
        x = data.View(self.i_type.layout, fifo.r_data)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload.as_value()),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            taken.eq(~self.o.valid | self.o.ready),
            fifo.r_en.eq(taken),
        ]
        with m.If(taken):
            total = sum((x[k] * Const(tap, signed(5)) for k, tap in enumerate(TAPS)), Const(0))
            m.d.sync += [self.o.valid.eq(fifo.r_rdy), self.o.payload[0].eq(total)]
        return m


class Lookup(wiring.Component):
    """A number a beat, replaced by its entry in a table of 256, through a registered memory."""

    i_type = StreamType((4,), IntType.bits(8, signed=False))
    o_type = StreamType((4,), IntType.bits(13, signed=True))

    def __init__(self, table, *, style="block"):
        self._table = [int(entry) for entry in table]
        self._style = style
        super().__init__(
            {
                "i": In(stream.Signature(self.i_type.layout)),
                "o": Out(stream.Signature(self.o_type.layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=signed(13), depth=256, init=self._table, attrs={"ram_style": self._style}
        )
        port = memory.read_port()
        m.d.comb += [
            port.addr.eq(self.i.payload[0]),
            port.en.eq(self.i.ready),
            self.o.payload[0].eq(port.data),
            self.i.ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        return m


class Inverter(wiring.Component):
    """Answers every byte of a serial line with its complement, four cycles per bit.

    Parameters
    ----------
    hesitant : bool
        Waits as many cycles as the byte says before it answers.
    """

    rx: In(1, init=1)
    tx: Out(1, init=1)

    DIVIDER = 4

    def __init__(self, *, hesitant=False):
        super().__init__()
        self._hesitant = hesitant

    def elaborate(self, platform):
        m = Module()
        pause = Signal(8)
        count, bits, sending = Signal(range(10 * self.DIVIDER)), Signal(8), Signal(10, init=0x3FF)
        busy, left, phase = Signal(), Signal(range(41)), Signal(range(self.DIVIDER))
        m.d.comb += self.tx.eq(sending[0] | pause.any())
        m.d.sync += phase.eq(phase + 1)
        with m.If(pause):
            m.d.sync += [pause.eq(pause - 1), phase.eq(0)]
        with m.Elif(left):
            m.d.sync += left.eq(left - 1)
            with m.If(phase == self.DIVIDER - 1):
                m.d.sync += sending.eq(sending >> 1 | 1 << 9)
        with m.If(busy):
            m.d.sync += count.eq(count + 1)
            with m.If(count % self.DIVIDER == self.DIVIDER // 2):
                m.d.sync += bits.eq(bits >> 1 | self.rx << 7)
            with m.If(count == 9 * self.DIVIDER - 1):
                m.d.sync += [busy.eq(0), count.eq(0), phase.eq(0), left.eq(10 * self.DIVIDER)]
                m.d.sync += sending.eq(1 << 9 | ~bits << 1 & 0x1FE)
                m.d.sync += pause.eq(bits if self._hesitant else 0)
        with m.Elif(~self.rx):
            m.d.sync += [busy.eq(1), count.eq(1)]
        return m
