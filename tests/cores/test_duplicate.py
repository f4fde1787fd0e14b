import numpy as np
import pytest
from amaranth.sim import Simulator

from cores.duplicate import Duplicate
from cores.types import IntType, StreamType

STREAM = StreamType((4,), IntType(0, 15))


def test_a_copy_is_delivered_while_another_consumer_waits():
    core = Duplicate(STREAM, 2).core()
    seen = []

    async def bench(ctx):
        ctx.set(core.i.valid, 1)
        ctx.set(core.i.payload[0], 9)
        ctx.set(core.o_0.ready, 1)
        await ctx.tick()
        for _ in range(3):
            seen.append((ctx.get(core.o_0.valid), ctx.get(core.o_1.valid), ctx.get(core.i.ready)))
            await ctx.tick()
        ctx.set(core.o_1.ready, 1)
        seen.append((ctx.get(core.o_0.valid), ctx.get(core.o_1.valid), ctx.get(core.i.ready)))

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [(1, 1, 0), (0, 1, 0), (0, 1, 0), (0, 1, 1)]


def test_every_copy_is_an_array_of_its_own():
    x = np.arange(4)
    first, second = Duplicate(STREAM, 2).compute(x)
    first[0] = 7
    assert (second == x).all()


def test_one_copy_is_refused():
    with pytest.raises(ValueError, match=r"^a Duplicate must have at least 2 copies, not 1$"):
        Duplicate(STREAM, 1)
