import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from cores.memory.result_buffer import DEPTH, ResultBuffer, cost, words
from platforms.devices import device
from tests.cores.silicon.primitives import Modelled

TARGETS = [None, device("ecp5-85f")]
WIDTH = 20


class Delayed(Component):
    """A pipeline of registers that nothing stops, and its buffer."""

    i_valid: Signal
    i_ready: Signal
    x: Signal
    o_valid: Signal
    o_ready: Signal
    o: Signal

    def __init__(self, latency, target):
        self.latency, self.target = latency, target
        members = {"i_valid": In(1), "i_ready": Out(1), "o_valid": Out(1), "o_ready": In(1)}
        super().__init__(members | {"x": In(WIDTH), "o": Out(WIDTH)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = ResultBuffer(WIDTH, self.latency, self.target)
        word = self.x
        for _ in range(self.latency):
            late = Signal(WIDTH)
            m.d.sync += late.eq(word)
            word = late
        m.d.comb += [buffer.i_valid.eq(self.i_valid), self.i_ready.eq(buffer.i_ready)]
        m.d.comb += [self.o_valid.eq(buffer.o_valid), buffer.o_ready.eq(self.o_ready)]
        m.d.comb += [buffer.i.eq(word), self.o.eq(buffer.o)]
        return m


def passed(latency, target, cycles, *, coming, taking):
    """Cycles in which numbers entered, and (cycle, number) of those that were taken; the output
    must not change while it waits."""
    core = Delayed(latency, target)
    rng = random.Random(4)
    entered, taken = [], []

    async def bench(ctx):
        waiting = None
        for cycle in range(cycles):
            ctx.set(core.i_valid, rng.random() < coming)
            ctx.set(core.o_ready, rng.random() < taking(cycle))
            ctx.set(core.x, 7 * len(entered))
            found = ctx.get(core.o) if ctx.get(core.o_valid) else None
            assert waiting is None or found == waiting
            waiting = found
            if found is not None and ctx.get(core.o_ready):
                taken.append((cycle, found))
                waiting = None
            if ctx.get(core.i_valid) and ctx.get(core.i_ready):
                entered.append(cycle)
            await ctx.tick()

    simulator = Simulator(Modelled(core))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return entered, taken


@pytest.mark.parametrize("target", TARGETS, ids=["portable", "ecp5"])
@pytest.mark.parametrize("latency", [1, 2, 6, 7])
@pytest.mark.parametrize(("coming", "taking"), [(1, 0.5), (0.5, 1), (0.7, 0.7)])
def test_every_result_comes_out_once_and_in_order(latency, target, coming, taking):
    entered, taken = passed(latency, target, 400, coming=coming, taking=lambda cycle: taking)
    numbers = [number for _, number in taken]
    assert numbers == [7 * k for k in range(len(numbers))]
    assert len(entered) - words(latency) - 2 <= len(numbers) and len(numbers) > 150


@pytest.mark.parametrize("target", TARGETS, ids=["portable", "ecp5"])
@pytest.mark.parametrize("latency", [1, 2, 6, 7])
def test_nothing_waits_where_everything_is_taken(latency, target):
    entered, taken = passed(latency, target, 60, coming=1, taking=lambda cycle: 1)
    assert entered == list(range(60))
    assert [cycle for cycle, _ in taken] == list(range(latency + DEPTH, 60))


@pytest.mark.parametrize("latency", [1, 6])
def test_fills_up_and_goes_on(latency):
    # Nothing is taken until cycle 50: the memory and the two registers behind it are full.
    entered, taken = passed(latency, None, 120, coming=1, taking=lambda cycle: cycle >= 50)
    assert sum(cycle < 50 for cycle in entered) == words(latency) + 2
    assert [cycle for cycle, _ in taken] == list(range(50, 120))


def test_words_and_blocks():
    assert [words(latency) for latency in (1, 2, 3, 6, 7)] == [4, 8, 8, 16, 16]
    assert cost(19, 6, device("ecp5-85f")).ram_blocks == 2
    assert cost(19, 6, device("up5k")).ram_blocks == 2
