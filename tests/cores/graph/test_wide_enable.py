import random

import pytest
from amaranth.sim import Simulator

from cores.graph.wide_enable import WideEnable
from platforms.devices import device
from tests.cores.silicon.primitives import Modelled


@pytest.mark.parametrize("target", [None, device("ecp5-85f")], ids=["portable", "ecp5"])
@pytest.mark.parametrize("depth, nets", [(1, 1), (1, 3), (4, 2)])
def test_everything_moves_unless_the_last_stage_waits(depth, nets, target):
    core = WideEnable(depth, nets, target)
    rng = random.Random(3)
    states = []

    async def bench(ctx):
        full = [False] * depth  # which stages hold something
        for _ in range(300):
            coming, taken = rng.random() < 0.7, rng.random() < 0.5
            ctx.set(core.i_valid, coming)
            ctx.set(core.o_ready, taken)
            moves = taken or not full[-1]
            found = ctx.get(core.en), ctx.get(core.i_ready), ctx.get(core.o_valid)
            states.append(found == (moves * (2**nets - 1), moves, full[-1]))
            if moves:
                full = [coming, *full[:-1]]
            await ctx.tick()

    simulator = Simulator(Modelled(core))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert all(states) and len(states) == 300
