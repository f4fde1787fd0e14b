import random

import pytest

from cores import popcount
from cores.popcount import PopCount
from tests.cores.pipelines import outputs


def counts(width: int, words: list[int]) -> list[int]:
    block = PopCount(width)
    return outputs(
        block,
        words,
        drive=lambda ctx, word: ctx.set(block.i, word),
        read=lambda ctx: ctx.get(block.o),
        depth=popcount.depth(width),
    )


@pytest.mark.parametrize("width", range(1, 9))
def test_counts_the_bits_of_every_word(width):
    words = list(range(1 << width))
    assert counts(width, words) == [word.bit_count() for word in words]


@pytest.mark.parametrize("width", [9, 31, 64, 100])
def test_counts_the_bits_of_wide_words(width):
    rng = random.Random(width)
    words = [0, (1 << width) - 1, *(rng.getrandbits(width) for _ in range(40))]
    assert counts(width, words) == [word.bit_count() for word in words]


def test_compressors_keep_the_sum_until_two_rows_are_left():
    for count in range(1, 200):
        rows = popcount.heights(count)
        assert max(rows[-1]) <= 2
        assert all(sum(h << w for w, h in enumerate(row)) >= count for row in rows)
        assert rows[0] == [count]
