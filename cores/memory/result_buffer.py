"""Room for the results of a pipeline that never stops, in block RAM.

What enters such a pipeline is certain to come out, so an operand is let in only while a word for
its result is free. No enable reaches the pipeline's registers: as one net it would be too slow, and
as many nets it is hard to route.
"""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.memory.kept_register import kept_register
from cores.memory.weight_memory import dp16kd_contents
from platforms.device import Device

DEPTH = 3
"""Cycles from a result to `o_valid`: a write, a read, and the register behind it."""
_WIDTH = 18
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
    wide = device.block_ram.primitive == "DP16KD"
    blocks = -(-width // _WIDTH) if wide else device.block_ram.blocks(count, width)
    registers = -(-blocks // _BLOCKS) if wide else width
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
        ram = self.device.block_ram if self.device is not None else None
        if ram is not None and ram.primitive == "DP16KD":
            enable, write = moves, self._copy(m, "write", Cat(enters, flight)[self.latency - 1])
            for number, low in enumerate(range(0, self.width, _WIDTH)):
                if number % _BLOCKS == 0:
                    # What decides about pointers and counters lies together, apart from this.
                    enable = ~self._copy(m, f"valid{number}", coming) | self.o_ready
                bits = slice(low, low + _WIDTH)
                data, found = Signal(_WIDTH), Signal(_WIDTH)
                m.d.comb += [data.eq(self.i[bits]), self.o[bits].eq(found)]
                m.submodules[f"block{low}"] = _dp16kd(
                    data, found, write=write, enable=enable, addresses=(at["write"], at["read"])
                )
        else:
            self._inferred(m, at, write=written, enable=moves)
        return m

    def _copy(self, m: Module, name: str, value: Value) -> Signal:
        return kept_register(m, name, value, init=0, device=self.device)

    def _inferred(self, m: Module, at: dict[str, Signal], *, write: Value, enable: Value) -> None:
        # What is read while it is written is not used, so yosys need not make that case defined.
        attrs = {}
        attrs |= {"ram_style": "block", "no_rw_check": 1}
        m.submodules.ring = ring = Memory(
            shape=self.width, depth=words(self.latency), init=[], attrs=attrs
        )
        writes, reads = ring.write_port(), ring.read_port(domain="comb")
        latch = Signal(self.width, reset_less=True)
        m.d.comb += [writes.en.eq(write), writes.addr.eq(at["write"]), writes.data.eq(self.i)]
        m.d.comb += reads.addr.eq(at["read"])
        with m.If(enable):
            m.d.sync += [latch.eq(reads.data), self.o.eq(latch)]


def _dp16kd(
    i: Signal, o: Signal, *, write: Value, enable: Value, addresses: tuple[Value, Value]
) -> Instance:
    """1,024 words of 18 bits, written through port A and read through port B and its output
    register, which yosys never uses. Ports of 36 bits would halve the blocks, but of those only the
    use without a register is known to work."""
    ports: dict[str, Value] = {}
    parameters: dict[str, object] = {
        f"p_INITVAL_{k:02X}": Const(value, 320)
        for k, value in enumerate(dp16kd_contents([], _WIDTH))
    }
    for port, address, bytes_ in zip("AB", addresses, (0b11, 0), strict=True):
        bits = Cat(Const(bytes_, 4), address, Const(0, 14))  # bytes to write, two bits of no use
        ports |= {f"i_AD{port}{k}": bits[k] for k in range(14)}
        ports |= {f"i_CS{port}{k}": Const(0, 1) for k in range(3)}
        ports |= {f"i_CLK{port}": ClockSignal(), f"i_RST{port}": Const(0, 1)}
        parameters |= {
            f"p_DATA_WIDTH_{port}": _WIDTH,
            f"p_REGMODE_{port}": "OUTREG" if port == "B" else "NOREG",
            f"p_CSDECODE_{port}": "0b000",
            f"p_WRITEMODE_{port}": "NORMAL",
            f"p_CLK{port}MUX": f"CLK{port}",
        }
    ports |= {f"i_DIA{k}": i[k] for k in range(_WIDTH)}
    ports |= {f"i_DIB{k}": Const(0, 1) for k in range(_WIDTH)}
    ports |= {"i_CEA": write, "i_WEA": Const(1, 1), "i_OCEA": Const(0, 1)}
    ports |= {"i_CEB": enable, "i_WEB": Const(0, 1), "i_OCEB": enable}
    outputs = {f"o_DOB{k}": o[k] for k in range(_WIDTH)}
    return Instance(
        "DP16KD",
        **parameters,
        **ports,
        **outputs,
        p_RESETMODE="SYNC",
        p_ASYNC_RESET_RELEASE="SYNC",
        p_GSR="AUTO",
    )
