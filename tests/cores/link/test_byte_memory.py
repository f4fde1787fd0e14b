from cores.link.byte_memory import ByteMemory
from tests.cores.engine.parts import run


def test_bytes_come_back_from_where_they_were_written():
    part, found = ByteMemory(6, width=5, init=bytes([1, 2, 3])), []

    async def bench(ctx):
        ctx.set(part.write, 1)
        for address, byte in ((1, 30), (5, 17)):
            ctx.set(part.write_address, address)
            ctx.set(part.write_data, byte)
            await ctx.tick()
        ctx.set(part.write, 0)
        for address in range(6):
            ctx.set(part.address, address)
            ctx.set(part.read, 1)
            await ctx.tick()
            ctx.set(part.read, 0)
            ctx.set(part.address, 0)
            await ctx.tick()  # what was read stays
            found.append(ctx.get(part.data))

    run(part, bench)
    assert found == [1, 30, 3, 0, 0, 17]
