import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from cores.memory.loop_nest import LoopNest, changes


def test_changes_of_two_loops_by_hand():
    # 0 1 2 | 10 11 12 | and 50 further on: +1, then +8 to 10, then +38 to 50.
    assert changes((3, 2), (1, 10), 50) == [1, 8, 38]


@pytest.mark.parametrize("counts", [(3, 2), (1, 4), (2, 1, 3), (1,), (4, 3, 2)])
def test_sum_follows_the_loops(counts):
    nest = LoopNest(counts)
    strides, whole, modulus = [5, 7, 11][: len(counts)], 20, 37
    m = Module()
    m.submodules.nest = nest
    total = Signal(range(modulus))
    with m.If(nest.step):
        m.d.sync += total.eq((total + nest.change(strides, whole, modulus)) % modulus)
    expected = []
    for turn in range(2):
        for outer in range(counts[2] if len(counts) > 2 else 1):
            for middle in range(counts[1] if len(counts) > 1 else 1):
                for inner in range(counts[0]):
                    turns = [inner, middle, outer][: len(counts)]
                    place = sum(t * s for t, s in zip(turns, strides, strict=True))
                    expected.append((turns, (place + turn * whole) % modulus))
    found = []

    async def bench(ctx):
        for k in range(2 * len(expected)):
            ctx.set(nest.step, k % 2)
            if k % 2:
                found.append(([ctx.get(n) for n in nest.numbers], ctx.get(total)))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == expected
