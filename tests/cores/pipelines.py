"""Feeds a building block with one set of inputs per cycle."""

from collections.abc import Callable, Sequence
from typing import Any

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator


def outputs(
    block: Any,
    inputs: Sequence[Any],
    *,
    drive: Callable[[Any, Any], Any],
    read: Callable[[Any], int],
    depth: int,
) -> list[int]:
    """What the block gives for each input, `depth` enabled cycles later; every third cycle is not
    enabled, and its inputs are those of the cycle before."""
    found: list[int] = []
    m = Module()
    m.submodules.block = block
    m.domains.sync = ClockDomain()
    simulator = Simulator(m)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        for number, given in enumerate([*inputs, *[inputs[-1]] * depth]):
            drive(ctx, given)
            ctx.set(block.en, 0)
            if number % 3 == 2:
                await ctx.tick()
            ctx.set(block.en, 1)
            if number >= depth:
                found.append(read(ctx))
            await ctx.tick()

    simulator.add_testbench(bench)
    simulator.run()
    return found
