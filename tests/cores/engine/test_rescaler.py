"""Sums times slopes, by the numbers that the layers mean."""

import pytest

from cores.engine.rescaler import Rescaler
from tests.cores.engine.parts import FIRST, LAST, SUMS, program, run

GIVEN = [(0, 0), (1, 1), (-1, -1), (7, 2), (150, -2), (-150, 3), (4000, 4000), (-4000, -4000)]


def meant(sums: tuple[int, int]) -> list[int]:
    """Multiply, add, shift, clamp; rows behind the last have the slope 0."""
    numbers = [(3 * sums[0] + 1) // 4, (200 * sums[1] - 5) // 4, 0, 0]
    return [min(max(n, -128), 127) for n in numbers]


def rescaled(layer: int, given: list[list[int]], words: list[int], count: int) -> list[list[int]]:
    """Results of each group of sums; sums follow as `shift` asks for them."""
    part, found = Rescaler(program(), SUMS), []

    async def bench(ctx):
        ctx.set(part.layer, layer)
        ctx.set(part.single, layer)  # the last layer's results leave one by one
        for address, word in enumerate(words):
            ctx.set(part.write, 1)
            ctx.set(part.write_address, address)
            ctx.set(part.write_data, word)
            await ctx.tick()
        ctx.set(part.write, 0)
        for sums in given:
            ctx.set(part.capture, 1)
            await ctx.tick()
            ctx.set(part.capture, 0)
            left, results = list(sums), []
            for _ in range(200):
                ctx.set(part.sum, left[0] if left else 0)
                if ctx.get(part.valid):
                    results.append(ctx.get(part.result))
                ctx.set(part.taken, ctx.get(part.valid))
                if ctx.get(part.shift):
                    left.pop(0)
                await ctx.tick()
                if len(results) == count and not ctx.get(part.busy):
                    break
            found.append(results)

    run(part, bench)
    return found


def test_every_result_is_multiply_add_shift_and_clamp():
    words = program().parameters.words(FIRST, range(4))
    found = rescaled(0, [[*sums, 9, -9] for sums in GIVEN], words, 4)
    assert found == [meant(sums) for sums in GIVEN]


def test_sums_of_a_layer_without_a_range_get_their_bias_alone():
    words = program().parameters.words(LAST, range(4))
    given = [[n, 0, 0, 0] for n in (0, -4000, 4000)]
    found = rescaled(1, given, words, 4)
    assert [results[0] for results in found] == [100, -3900, 4100]


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_wrong_digit_is_a_wrong_result(wrong):
    words = program().parameters.words(FIRST, range(4))
    words[wrong] ^= 64
    found = rescaled(0, [[7, 2, 0, 0]], words, 4)
    assert found != [meant((7, 2))]
