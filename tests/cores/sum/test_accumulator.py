"""Two lanes over two row groups of three words, by hand."""

import numpy as np
import pytest

from cores.sum.accumulator import Accumulators, Sums
from cores.types import IntType
from platforms.devices import device
from tests.cores.engine.parts import run

WORD, TOTAL = IntType(-8, 7), IntType(-64, 63)


def totals(sums: Sums, words: list[tuple[int, int]], chip=None) -> list[list[int]]:
    """Of both lanes behind each last word; a cycle without a word between any two."""
    part, found = Accumulators(sums, chip), []

    async def bench(ctx):
        for n, pair in enumerate(words):
            ctx.set(part.add, 1)
            last = n % sums.beats == sums.beats - 1
            ctx.set(part.last, last)
            for lane, word in enumerate(pair):
                ctx.set(part.i[lane], word)
            await ctx.tick()
            ctx.set(part.add, 0)
            await ctx.tick()
            if last:
                found.append([ctx.get(part.o[lane]) for lane in range(2)])

    run(part, bench)
    return found


@pytest.mark.parametrize("chip", [None, device("up5k"), device("ecp5-25f")])
@pytest.mark.parametrize("starts", [[[0, 0], [0, 0]], [[5, -1], [-20, 9]]])
def test_groups_start_in_turn_and_lanes_may_subtract(chip, starts):
    sums = Sums(np.array(starts), (False, True), WORD, TOTAL, beats=3)
    words = [(1, 2), (-8, 7), (3, 3), (7, -8), (7, -8), (7, -8), (0, 1), (0, 1), (0, 1)]
    (a, b), (c, d) = starts
    # 1 - 8 + 3 = -4, 2 + 7 + 3 = 12; 3 * 7 = 21, 3 * -8 = -24; 0, 3; then the first group again.
    wanted = [[a - 4, b - 12], [c + 21, d + 24], [a, b - 3]]
    assert totals(sums, words, chip) == wanted


def test_a_sum_of_one_word_keeps_nothing():
    sums = Sums(np.array([[1, 2]]), (False, False), WORD, TOTAL, beats=1)
    assert totals(sums, [(3, 4), (-5, -6)]) == [[4, 6], [-4, -4]]
