"""Units against Amaranth's own simulator: every kind of cell, narrow and wide."""

from dataclasses import dataclass

import numpy as np
import pytest
from amaranth.hdl import Array, ClockDomain, Instance, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from cores.fifo import Buffer
from cores.types import IntType, StreamType
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Node
from hwgen.graph.ir import Value as Edge
from hwgen.simulators import unit_code
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.simulators.unit import unit

RESULT = 160


@dataclass(frozen=True, eq=False)
class Cells(Buffer):
    """Not an identity: a beat of two numbers becomes a beat of what many operators make of
    them."""

    width: int = 8

    @property
    def results(self) -> int:
        return len(arithmetic(Signal(self.width), Signal(self.width))) + 7

    @property
    def outputs(self) -> dict[str, StreamType]:
        count = self.results
        return {"o": StreamType((count,), IntType.bits(RESULT, signed=False), lanes=count)}

    def core(self, device=None) -> "Component":
        return Component(self)


def arithmetic(a: Value, b: Value) -> list[Value]:
    few = b[:4]
    results = [a + b, a - b, -a, a * b, a & b, a | b, a ^ b, ~a, a << few, a >> few]
    results += [a == b, a != b, a < b, a > b, a <= b, a >= b]
    results += [a.any(), a.all(), a.xor(), a.bool(), Mux(a[0], a, b), Mux(a > b, b, a)]
    results += [a.as_signed() + b.as_signed(), a.as_signed() * b.as_signed()]
    results += [a.bit_select(few, 3), a.bit_select(few, len(a)), a.word_select(b[:2], 3)]
    results += [a.as_signed().bit_select(b[:1], 5), a >> 3, a << 70, a[2:5].replicate(7)]
    results += [
        Array([a, b, a + 1, ~b])[few[:2]],
        a.matches("1" + "-" * (len(a) - 1)),
        a.rotate_left(2),
    ]
    if len(a) <= 64:
        x, y = a.as_signed(), b.as_signed()
        results += [x < y, x > y, x <= y, x >= y, x >> few, a // b, a % b, a % 7, a // 3]
    return results


class Component(wiring.Component):
    """The results above, and some that need statements, registers and memories."""

    def __init__(self, op: Cells):
        self.a, self.b = Signal(op.width), Signal(op.width)
        self.results = [*arithmetic(self.a, self.b), *(Signal(op.width) for _ in range(7))]
        o = StreamType(
            (len(self.results),), IntType.bits(RESULT, signed=False), lanes=len(self.results)
        )
        super().__init__(
            {
                "i": In(stream.Signature(op.inputs["i"].layout)),
                "o": Out(stream.Signature(o.layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        a, b, width = self.a, self.b, len(self.a)
        moved, ram, late, now, before, chosen, parts = self.results[-7:]
        m.d.comb += [a.eq(self.i.payload[0]), b.eq(self.i.payload[1])]
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)

        count = Signal(width, init=5)
        m.d.comb += moved.eq(count)
        m.submodules.memory = memory = Memory(shape=2 * ((width + 1) // 2), depth=5, init=[7, 1])
        write = memory.write_port(granularity=(width + 1) // 2)
        at, seen = Signal(3), Signal(3)
        read, sync = memory.read_port(domain="comb"), memory.read_port()
        through = memory.read_port(transparent_for=[write])
        m.d.comb += [at.eq(Mux(a[:3] < 5, a[:3], 2)), seen.eq(Mux(b[:3] < 5, b[:3], at))]
        m.d.comb += [write.addr.eq(at), write.data.eq(a ^ b)]
        m.d.comb += [port.addr.eq(seen) for port in (read, sync, through)]
        m.d.comb += [ram.eq(read.data), late.eq(sync.data), now.eq(through.data)]
        m.d.comb += [sync.en.eq(b[0]), through.en.eq(a[1])]
        with m.If(self.i.valid & self.i.ready):
            m.d.comb += write.en.eq(b[1:3])
            m.d.sync += [count.eq(count + a), before.eq(b)]
        with m.Switch(a[:3]):
            with m.Case(0, 3):
                m.d.comb += chosen.eq(b)
            with m.Case("1-0"):
                m.d.comb += [chosen.eq(a + 1), chosen[1:3].eq(b)]
                with m.If(b[1]):
                    m.d.comb += chosen[-1].eq(1)
                with m.Elif(b[2]):
                    m.d.comb += chosen.eq(3)
                with m.Else():
                    m.d.comb += chosen[width // 2 :].eq(b)
            with m.Default():
                m.d.comb += chosen.bit_select(b[:3], 2).eq(a)
        self.put_together(m, parts)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
            m.d.sync += [self.o.payload[k].eq(x) for k, x in enumerate(self.results)]
        return m

    def put_together(self, m: Module, parts: Signal) -> None:
        """A signal whose bits depend on one another."""
        m.d.comb += parts[0].eq(self.a[0])
        m.d.comb += [parts[k].eq(parts[k - 1] ^ self.b[k]) for k in range(1, len(parts))]


def operands(width: int, count: int = 60) -> list[tuple[int, int]]:
    rng = np.random.default_rng(width)
    ends = [0, 1, (1 << width) - 1, 1 << (width - 1)]
    drawn = [int.from_bytes(rng.bytes(20), "little") % (1 << width) for _ in range(2 * count)]
    return [(x, y) for x in ends for y in ends] + list(zip(drawn[::2], drawn[1::2], strict=True))


def interpreted(op: Cells, pairs: list[tuple[int, int]]) -> list[int]:
    """Payloads in Amaranth's simulator."""
    core, payloads = op.core(), []
    simulator = Simulator(core)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        ctx.set(core.o.ready, 1)
        ctx.set(core.i.valid, 1)
        for x, y in pairs:
            ctx.set(Value.cast(core.i.payload), x | y << op.width)
            await ctx.tick()
            payloads.append(ctx.get(Value.cast(core.o.payload)))

    simulator.add_testbench(bench)
    simulator.run()
    return payloads


def cells(width: int) -> Cells:
    return Cells(StreamType((2,), IntType.bits(width, signed=False), lanes=2), 1, width=width)


@pytest.mark.parametrize("width", [6, 33, 64, 65, 131])
def test_every_cell_is_that_of_amaranth(width, cache):
    op, pairs = cells(width), operands(width)
    node = Node("cells", op, (Edge("x", ""),))
    graph = Graph({"x": op.inputs["i"]}, (node,), {"y": node.out}, name="cells")
    size = -(-2 * width // 8)
    beats = [list((x | y << width).to_bytes(size, "little")) for x, y in pairs]
    run = GraphSimulator(graph, cache=cache).run(np.array(beats, np.uint8), len(pairs))
    found = [int.from_bytes(beat.tobytes(), "little") for beat in run.beats]
    wanted = interpreted(op, pairs)
    for n, (x, y) in enumerate(zip(found, wanted, strict=True)):
        different = [k for k in range(op.results) if (x ^ y) >> RESULT * k & (1 << RESULT) - 1]
        assert not different, f"results {different} of {pairs[n]}"


def test_long_units_are_cut_into_functions(monkeypatch):
    monkeypatch.setattr(unit_code, "STATEMENTS", 10)
    text = unit_code.unit_code(unit(cells(8).core())).text
    assert "next5(s, in);" in text


class Foreign(Component):
    def put_together(self, m, parts):
        m.submodules.part = Instance("PART", o_x=parts)


class Falling(Component):
    def put_together(self, m, parts):
        m.domains.late = ClockDomain(clk_edge="neg")
        m.d.late += parts.eq(self.a)


def test_rejects_a_second_clock():
    message = r"^a simulated core must have one clock, rising edge, and no asynchronous reset$"
    with pytest.raises(CheckError, match=message):
        unit(Falling(cells(8)))


def test_rejects_instances():
    message = r"^a simulated core must be portable, without Instance cells$"
    with pytest.raises(CheckError, match=message):
        unit(Foreign(cells(8)))
