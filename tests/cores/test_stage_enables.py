import random

import pytest
from amaranth.sim import Simulator

from cores.stage_enables import StageEnables
from platforms.devices import device
from tests.cores.primitives import Modelled


@pytest.mark.parametrize("target", [None, device("ecp5-85f")], ids=["portable", "ecp5"])
@pytest.mark.parametrize("copies", [(1,), (2, 1, 3)])
def test_moves_each_stage_when_there_is_room_behind_it(copies, target):
    core = StageEnables(copies, target)
    rng = random.Random(3)
    states = []

    async def bench(ctx):
        full = [False] * len(copies)  # which stages hold something
        for _ in range(300):
            coming, taken = rng.random() < 0.7, rng.random() < 0.5
            ctx.set(core.i_valid, coming)
            ctx.set(core.o_ready, taken)
            moves = [taken or not all(full[stage:]) for stage in range(len(copies))]
            wide = [move for move, count in zip(moves, copies, strict=True) for _ in range(count)]
            states.append(
                (ctx.get(core.en), ctx.get(core.i_ready), ctx.get(core.o_valid))
                == (sum(move << k for k, move in enumerate(wide)), moves[0], full[-1])
            )
            before = [coming, *full]
            full = [before[k] if move else full[k] for k, move in enumerate(moves)]
            await ctx.tick()

    simulator = Simulator(Modelled(core))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert all(states) and len(states) == 300
