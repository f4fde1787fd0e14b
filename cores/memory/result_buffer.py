"""Room for the results of a pipeline that never stops, in block RAM.

What enters such a pipeline is certain to come out, so an operand is let in only while a word for
its result is free. No enable reaches the pipeline's registers: as one net it would be too slow, and
as many nets it is hard to route.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.silicon.family import silicon
from platforms.device import Device

DEPTH = 3
"""Cycles from a result to `o_valid`: a write, a read, and the register behind it."""
_BLOCKS = 16
"""Block RAMs that one net enables: they lie in rows across the whole device."""


def words(latency: int) -> int:
    """Words that keep a pipeline of that latency full: a power of two. A word is taken when an
    operand enters, and free again two cycles after its result can be read."""
    return 1 << (latency + 2).bit_length()


def cost(width: int, latency: int, device: Device) -> Count:
    """Of a `ResultBuffer`."""
    count = words(latency)
    pointer = count.bit_length() - 1
    ram = device.block_ram
    if ram.output_register:
        blocks = -(-width // ram.port[1])
        registers = -(-blocks // _BLOCKS)
    else:
        blocks, registers = ram.blocks(count, width), width
    ff = latency + 4 * pointer + 8 + registers
    return Count(lut=6 + 5 * pointer, ff=ff, ram_blocks=blocks)


class ResultBuffer(Component):
    """Lets operands into a pipeline and keeps their results, in order.

    Parameters
    ----------
    width : int
        Bits of a result.
    latency : int
        Cycles from operand to result; every cycle counts.
    device : Device or None
        Without one, inferred memory of the same timing.

    Members
    -------
    i_valid : In(1)
    i_ready : Out(1)
        The pipeline takes an operand when both are high.
    i : In(width)
        The result of the operand that was taken `latency` cycles ago.
    o_valid : Out(1)
    o_ready : In(1)
    o : Out(width)
    """

    i_valid: Signal
    i_ready: Signal
    i: Signal
    o_valid: Signal
    o_ready: Signal
    o: Signal

    def __init__(self, width: int, latency: int, device: Device | None = None):
        self.width, self.latency, self.device = width, latency, device
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i": In(width),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = words(self.latency)
        enters, moves, reads, back = Signal(), Signal(), Signal(), Signal()
        flight = Signal(self.latency)
        free, room = Signal(range(count + 1), init=count), Signal(init=1)
        stored, any_stored = Signal(range(count + 1)), Signal()
        read, valid, coming, written = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.i_ready.eq(room),
            enters.eq(self.i_valid & room),
            written.eq(Cat(enters, flight)[self.latency]),
            moves.eq(~valid | self.o_ready),
            reads.eq(any_stored & moves),
            coming.eq(Mux(moves, read, valid)),
            self.o_valid.eq(self._copy(m, "o_valid_copy", coming)),
        ]
        m.d.sync += flight.eq(Cat(enters, flight)[: self.latency])
        m.d.sync += [valid.eq(coming), back.eq(reads)]
        with m.If(back & ~enters):
            m.d.sync += [free.eq(free + 1), room.eq(1)]
        with m.Elif(enters & ~back):
            m.d.sync += [free.eq(free - 1), room.eq(free != 1)]
        with m.If(written & ~reads):
            m.d.sync += [stored.eq(stored + 1), any_stored.eq(1)]
        with m.Elif(reads & ~written):
            m.d.sync += [stored.eq(stored - 1), any_stored.eq(stored != 1)]
        with m.If(moves):
            m.d.sync += read.eq(any_stored)
        at = {name: Signal(range(count), name=f"{name}_address") for name in ("write", "read")}
        with m.If(written):
            m.d.sync += at["write"].eq(at["write"] + 1)
        with m.If(reads):
            m.d.sync += at["read"].eq(at["read"] + 1)
        cells = silicon(self.device).block_ram
        sides = {"depth": count, "write_address": at["write"], "read_address": at["read"]}
        if self.device is None or not self.device.block_ram.output_register:
            cells.dual_port(m, "ring", write=written, i=self.i, en=moves, o=self.o, **sides)
            return m
        enable, write = moves, self._copy(m, "write", Cat(enters, flight)[self.latency - 1])
        width = self.device.block_ram.port[1]
        for number, low in enumerate(range(0, self.width, width)):
            if number % _BLOCKS == 0:
                # What decides about pointers and counters lies together, apart from this.
                enable = ~self._copy(m, f"valid{number}", coming) | self.o_ready
            bits = slice(low, low + width)
            data, found = Signal(width), Signal(width)
            m.d.comb += [data.eq(self.i[bits]), self.o[bits].eq(found)]
            cells.dual_port(m, f"block{low}", write=write, i=data, en=enable, o=found, **sides)
        return m

    def _copy(self, m: Module, name: str, value: Value) -> Signal:
        return silicon(self.device).logic.kept_register(m, name, value, init=0)
