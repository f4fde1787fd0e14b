"""Results of two small layers: bytes of a word of the memory, and the end of the engine."""

from cores.engine.storing import Storing
from tests.cores.engine.parts import program, run


def test_four_results_are_a_word_of_the_memory():
    made = program()
    part, written = Storing(made), []

    async def bench(ctx):
        ctx.set(part.enter, 1)
        await ctx.tick()
        ctx.set(part.enter, 0)
        for result in (1, -2, 127, -128, None, None, None):
            ctx.set(part.arrives, result is not None)
            ctx.set(part.result, result or 0)
            await ctx.tick()
            if ctx.get(part.writes):
                written.append((ctx.get(part.address), ctx.get(part.word)))
        assert not ctx.get(part.busy)

    run(part, bench)
    assert written == [(made.instructions[0].target, 0x80_7F_FE_01)]


def test_only_rows_that_exist_leave_and_each_waits_for_room():
    part, given = Storing(program()), []

    async def bench(ctx):
        ctx.set(part.layer, 1)
        ctx.set(part.final, 1)
        for n, result in enumerate((100, 7, 8, 9)):  # the layer has one row
            ctx.set(part.arrives, 1)
            ctx.set(part.result, result)
            assert bool(ctx.get(part.taken)) == (n > 0)
            await ctx.tick()
            ctx.set(part.arrives, 0)
            await ctx.tick()
            if n == 0:
                assert ctx.get(part.o.valid) and not ctx.get(part.taken)
                given.append(ctx.get(part.o.payload))
                ctx.set(part.o.ready, 1)
                assert ctx.get(part.taken)
                await ctx.tick()
            assert not ctx.get(part.o.valid)

    run(part, bench)
    assert given == [100]
