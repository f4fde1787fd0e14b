"""Constants in block RAM behind its output register, in the shape that wastes least."""

from alone import show_block

from cores.choices import Block
from cores.memory.weight_memory import DEPTH, WeightMemory

words = [k * 0x9E3779B97F % (1 << 40) for k in range(300)]


async def bench(ctx, rom):
    ctx.set(rom.en, 1)
    for cycle in range(len(words) + DEPTH):
        ctx.set(rom.addr, min(cycle, len(words) - 1))
        assert cycle < DEPTH or ctx.get(rom.data) == words[cycle - DEPTH]
        await ctx.tick()


show_block(lambda target: WeightMemory(words, 40, Block(), target), bench)
