"""The image of two small layers, tile by tile."""

from cores.engine.fetch import Fetch
from tests.cores.engine.parts import FIRST, LAST, bits, program, run


def test_weights_come_back_row_by_row_and_parameters_by_place():
    made = program()
    part = Fetch(made)
    parameters: dict[int, dict[int, int]] = {0: {}, 1: {}}
    rows: dict[int, list[int]] = {0: [], 1: []}

    async def bench(ctx):
        for layer, each in enumerate(made.instructions):
            ctx.set(part.layer, layer)
            ctx.set(part.run, 1)
            last = False
            while not last:
                last = bool(ctx.get(part.last))
                await ctx.tick()
                ctx.set(part.run, not last)
                if ctx.get(part.parameter):
                    parameters[layer][ctx.get(part.place)] = ctx.get(part.data)
            await ctx.tick()
            for n in range(each.weight_rows):
                ctx.set(part.step, 1)
                ctx.set(part.rewind, n == each.weight_rows - 1)
                await ctx.tick()
                rows[layer].append(ctx.get(part.weights))
            ctx.set(part.step, 0)

    run(part, bench)
    # Rows of the kernel's taps and channels: a byte for each row of the layer, lane 0 lowest.
    first = FIRST.weights.reshape(2, -1).T.tolist()
    assert rows[0] == [bits(a, 8) | bits(b, 8) << 8 for a, b in first]
    assert rows[1] == [10, 1]
    for layer, each in enumerate((FIRST, LAST)):
        words = made.parameters.words(each, range(4))
        assert parameters[layer] == dict(enumerate(words))
