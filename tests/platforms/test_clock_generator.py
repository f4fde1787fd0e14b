from fractions import Fraction

from amaranth.hdl import ClockDomain, Fragment, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.sim import Simulator

from platforms.clock_generator import ClockGenerator, PowerOnReset
from platforms.clocks import ClockPlan


class Pins:
    """A platform with nothing but a clock pin."""

    default_clk = "clk"

    def __init__(self):
        self.clk = io.SimulationPort(io.Direction.Input, 1)

    def request(self, name, *, dir):
        assert (name, dir) == ("clk", "-")
        return self.clk


def reset_by_cycle(lock: list[int], cycles: int) -> list[int]:
    """Reset before each clock edge, for a lock signal given per cycle."""
    dut = PowerOnReset(cycles, domain="power_on")
    m = Module()
    m.domains.power_on = ClockDomain(reset_less=True)
    m.submodules.dut = dut
    resets = []

    async def bench(ctx):
        for level in lock:
            ctx.set(dut.lock, level)
            resets.append(ctx.get(dut.reset))
            await ctx.tick("power_on")

    sim = Simulator(m)
    sim.add_clock(1e-6, domain="power_on")
    sim.add_testbench(bench)
    sim.run()
    return resets


def test_reset_ends_some_cycles_after_lock():
    # Two edges synchronise the lock, three count, one releases.
    assert reset_by_cycle([1] * 9, cycles=3) == [1] * 6 + [0] * 3


def test_lost_lock_brings_reset_back_for_the_whole_time():
    lock = [1] * 8 + [0] + [1] * 9
    # Two edges synchronise the loss, one acts on it; the count starts again.
    assert reset_by_cycle(lock, cycles=3) == [1] * 6 + [0] * 5 + [1] * 4 + [0] * 3


def test_short_lock_does_not_end_reset():
    assert reset_by_cycle([1] * 3 + [0] + [1] * 3 + [0] * 4, cycles=3) == [1] * 11


def test_oscillator_drives_the_sync_domain():
    pins = Pins()
    plan = ClockPlan(Fraction(1), Fraction(1), None)
    count = Signal(8)
    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.clock = ClockGenerator(plan, family="ice40")
    m.d.sync += count.eq(count + 1)
    reset = Signal()
    m.d.comb += reset.eq(ResetSignal("sync"))
    seen = []

    async def bench(ctx):
        for _ in range(20):
            ctx.set(pins.clk.i, 1)
            await ctx.delay(1e-7)
            ctx.set(pins.clk.i, 0)
            await ctx.delay(1e-7)
            seen.append((ctx.get(reset), ctx.get(count)))

    sim = Simulator(Fragment.get(m, pins))
    sim.add_testbench(bench)
    sim.run()
    # Released by edge 2 + 15 + 1; the counter starts at the edge after.
    assert plan.reset_cycles == 15
    assert seen[:17] == [(1, 0)] * 17
    assert seen[17:] == [(0, 0), (0, 1), (0, 2)]
