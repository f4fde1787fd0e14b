import pytest

from cores.cost import Count
from cores.memory.single_port import DEPTH, SinglePort, cost
from platforms.devices import device
from tests.cores.engine.parts import run


@pytest.mark.parametrize("chip", [None, device("hx8k"), device("ecp5-25f")])
def test_bytes_are_written_one_by_one_and_a_word_stays_until_the_next_read(chip):
    part, found = SinglePort(4, [0x11111111, 0x22222222], chip), []

    async def bench(ctx):
        for address, write, word in ((1, 0b0100, 0xAABBCCDD), (3, 0b1001, 0x01020304)):
            ctx.set(part.address, address)
            ctx.set(part.write, write)
            ctx.set(part.write_data, word)
            await ctx.tick()
        ctx.set(part.write, 0)
        for address in range(4):
            ctx.set(part.address, address)
            ctx.set(part.read, 1)
            await ctx.tick()
            ctx.set(part.read, 0)
            await ctx.tick()
            found.append(ctx.get(part.data))

    run(part, bench)
    assert found == [0x11111111, 0x22BB2222, 0, 0x01000004]


def test_single_port_ram_is_taken_where_there_is_some_and_it_is_deep_enough():
    up5k, ecp5 = device("up5k"), device("ecp5-25f")
    assert cost(DEPTH, up5k) == Count(spram=2)
    assert cost(DEPTH + 1, up5k) == Count(ram_blocks=up5k.block_ram.blocks(DEPTH + 1, 32))
    # 1,024 words of 36 bits take two of 1,024 words of 18.
    assert cost(1024, ecp5) == Count(ram_blocks=2)
