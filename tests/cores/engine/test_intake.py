from cores.engine.intake import Intake
from cores.types import IntType
from tests.cores.engine.parts import run


def stored(shape, frames: int, **options) -> list[dict[int, int]]:
    """Bytes of the memory after each frame, by word * 4 + byte; all elements different."""
    part = Intake(shape, IntType(0, 255), excess=128, address_bits=6, **options)
    found = []

    async def bench(ctx):
        ctx.set(part.i.valid, 1)
        for frame in range(frames):
            kept = {}
            for n in range(shape[0] * shape[1] * shape[2]):
                ctx.set(part.i.payload, n + 100 * frame)
                address, which = ctx.get(part.address), ctx.get(part.bytes)
                byte = which.bit_length() - 1
                assert which == 1 << byte
                kept[4 * address + byte] = ctx.get(part.word) >> 8 * byte & 255
                assert ctx.get(part.last) == (n == shape[0] * shape[1] * shape[2] - 1)
                await ctx.tick()
            found.append(kept)

    run(part, bench)
    return found


def test_each_position_begins_a_word_of_its_own():
    # 2 x 1 positions of 6 channels from word 3 on: two words each, the second with two bytes.
    first, second = stored((2, 1, 6), 2, start=3, words=2)
    places = [12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24, 25]
    assert first == {place: (n - 128) % 256 for n, place in enumerate(places)}
    assert second == {place: (n + 100 - 128) % 256 for n, place in enumerate(places)}


def test_words_that_a_position_leaves_free_are_skipped():
    (kept,) = stored((1, 2, 3), 1, start=0, words=4)
    assert sorted(kept) == [0, 1, 2, 16, 17, 18]
