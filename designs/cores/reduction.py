"""A bit, less four times a word, and a later word: summed by carry chains."""

from alone import show_block

from cores.sum.compressor import Compressor
from cores.sum.reduction import Addend
from cores.types import IntType

addends = [Addend(IntType(0, 1)), Addend(IntType(-32, 31), shift=2, negative=True)]


async def bench(ctx, block):
    ctx.set(block.en, 1)
    for words in (1, -20, 0), (0, 0, 55), *[(0, 0, 0)] * (block.plan.depth - 2):
        ctx.set(block.i, dict(zip("012", words, strict=True)))
        await ctx.tick()
    assert ctx.get(block.o) + block.plan.offset == 1 + 4 * 20 + 55


show_block(lambda target: Compressor([*addends, Addend(IntType(0, 99), arrival=1)], target), bench)
