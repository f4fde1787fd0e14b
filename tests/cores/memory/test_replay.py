import random

import pytest
from amaranth.sim import Simulator

from cores.memory import replay
from cores.memory.replay import Replay
from platforms.devices import device

UP5K, ECP5 = device("up5k"), device("ecp5-25f")
CASES = [
    (1, 8, None, "ring"),
    (5, 8, None, "ring"),
    (5, 200, None, "block"),
    (5, 8, UP5K, "ring"),
    (60, 16, UP5K, "block"),
    (2, 8, ECP5, "lutram"),
    (20, 9, ECP5, "lutram"),
    (800, 8, ECP5, "block"),
]


@pytest.mark.parametrize(("count", "width", "target", "kind"), CASES)
def test_gives_the_words_again_in_order(count, width, target, kind):
    assert replay.store(count, width, target) == kind
    block = Replay(count, width, target)
    rng = random.Random(count)
    first, second = ([rng.getrandbits(width) for _ in range(count)] for _ in range(2))
    fed = [*first, *[None] * (2 * count), *second, *[None] * count]
    found = []

    async def bench(ctx):
        steps = 0
        pending = [False] * replay.DEPTH
        while len(found) < len(fed):
            enabled, step = rng.random() < 0.8, rng.random() < 0.8 and steps < len(fed)
            word = fed[steps] if step else None
            fresh = (fed[steps] is not None) if steps < len(fed) else False
            ctx.set(block.en, enabled)
            ctx.set(block.step, enabled and step)
            ctx.set(block.fresh, fresh)
            ctx.set(block.addr, steps % count)
            ctx.set(block.i, rng.getrandbits(width) if word is None else word)
            if enabled:
                if pending[-1]:
                    found.append(ctx.get(block.o))
                pending = [step, *pending[:-1]]
                steps += step
            await ctx.tick()

    simulator = Simulator(block)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [*first * 3, *second * 2]


def test_share_of_logic_is_weighed_against_share_of_block_ram():
    # UP5K: 5,280 cells and 30 blocks, so that a block is worth 176 cells.
    assert replay.store(11, 16, UP5K) == "ring"
    assert replay.store(12, 16, UP5K) == "block"
