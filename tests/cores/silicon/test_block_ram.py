"""Block RAM of every family against lists of words."""

import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from cores.silicon.family import FAMILIES, PORTABLE
from tests.cores.silicon.primitives import Modelled

FAMILY = pytest.mark.parametrize("cells", [PORTABLE, *FAMILIES.values()], ids=["none", *FAMILIES])
DEPTH, WIDTH = 1024, 18


class Shared(Component):
    """Words read at two addresses at once."""

    def __init__(self, cells, words):
        self.cells, self.words = cells, words
        super().__init__(
            {"en": In(1), "a": In(10), "b": In(10), "one": Out(WIDTH), "other": Out(5)}
        )

    def elaborate(self, platform):
        m = Module()
        readers = [(self.a, self.one), (self.b, self.other)]
        self.cells.block_ram.shared_rom(m, "words", self.words, readers, en=self.en)
        return m


@FAMILY
def test_two_readers_share_the_words(cells):
    rng = random.Random(3)
    words = [rng.getrandbits(WIDTH) for _ in range(DEPTH)]
    core = Shared(cells, words)
    ways = [(rng.randrange(DEPTH), rng.randrange(DEPTH), rng.random() < 0.7) for _ in range(200)]
    found, expected = [], []

    async def bench(ctx):
        enabled = []
        for a, b, en in ways:
            ctx.set(core.a, a)
            ctx.set(core.b, b)
            ctx.set(core.en, en)
            await ctx.tick()
            enabled += [(a, b)] if en else []
            if len(enabled) > 1:
                found.append((ctx.get(core.one), ctx.get(core.other)))
                a, b = enabled[-2]
                expected.append((words[a], words[b] & 31))

    run(core, bench)
    assert found == expected


class Ring(Component):
    """One port to write and one to read."""

    def __init__(self, cells):
        self.cells = cells
        ports = {"write": In(1), "en": In(1), "to": In(4), "at": In(4)}
        super().__init__({**ports, "i": In(WIDTH), "o": Out(WIDTH)})

    def elaborate(self, platform):
        m = Module()
        self.cells.block_ram.dual_port(
            m,
            "ring",
            depth=16,
            write=self.write,
            write_address=self.to,
            i=self.i,
            en=self.en,
            read_address=self.at,
            o=self.o,
        )
        return m


@FAMILY
def test_what_was_written_is_read_two_enabled_cycles_later(cells):
    rng = random.Random(5)
    core = Ring(cells)
    found, expected = [], []

    async def bench(ctx):
        stored = [0] * 16
        latch = out = None
        for _ in range(300):
            to, at = rng.sample(range(16), 2)  # never the same: that is undefined
            write, en, word = rng.random() < 0.5, rng.random() < 0.7, rng.getrandbits(WIDTH)
            for signal, value in (
                (core.write, write),
                (core.en, en),
                (core.to, to),
                (core.at, at),
                (core.i, word),
            ):
                ctx.set(signal, value)
            await ctx.tick()
            if en:
                latch, out = stored[at], latch
            if write:
                stored[to] = word
            if out is not None:
                found.append(ctx.get(core.o))
                expected.append(out)

    run(core, bench)
    assert found == expected


def run(core, bench):
    simulator = Simulator(Modelled(core))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@FAMILY
def test_a_kept_register_begins_as_told_and_follows(cells):
    m = Module()
    value = Signal()
    register = cells.logic.kept_register(m, "kept", value, init=1)
    found = []

    async def bench(ctx):
        for level in (0, 1, 1, 0):
            found.append(ctx.get(register))
            ctx.set(value, level)
            await ctx.tick()

    run(m, bench)
    assert found == [1, 0, 1, 1]
