import random

import pytest

from cores.sum.reduction import Addend, Gate, Reduction, reduction
from cores.types import IntType

BIT = Addend(IntType(0, 1))
MIXED = (
    *(Addend(IntType(-9, 20), shift=2),) * 3,
    *(Addend(IntType(0, 1), negative=True),) * 5,
    Addend(IntType(-3, -1), shift=1, negative=True),
    Addend(IntType(0, 0), shift=7),
)
CASES = [
    (BIT,),
    (BIT,) * 3,
    (BIT,) * 64,
    (BIT,) * 100,
    (Addend(IntType(0, 31)),) * 8,
    (Addend(IntType(-16, 15)),) * 8,
    (Addend(IntType(-16, 15)),) * 5 + (BIT,) * 4,
    MIXED,
    tuple(Addend(IntType(0, 3 + k), arrival=k % 3) for k in range(9)),
]


def evaluate(plan: Reduction, words: list[int]) -> int:
    """The sum as the chains of a plan make it."""
    values = [words[bit.addend] >> bit.place & 1 ^ bit.complemented for bit in plan.bits]
    for chain in plan.chains:
        total = sum(values[bit] << k for k, pair in enumerate(chain.pairs) for bit in pair)
        total += values[chain.carry] if chain.carry is not None else 0
        values += [total >> k & 1 for k in range(len(chain.results))]
        if len(chain.results) == len(chain.pairs) and chain.weight + len(chain.pairs) > 62:
            raise AssertionError
    return sum(values[bit] << k for k, bit in enumerate(plan.result) if bit is not None)


@pytest.mark.parametrize("addends", CASES)
def test_the_chains_add_up_every_addend(addends):
    plan = reduction(addends)
    rng = random.Random(1)
    draws = [[rng.randint(a.dtype.lo, a.dtype.hi) for a in addends] for _ in range(50)]
    ends = [
        [a.dtype.lo if a.negative == top else a.dtype.hi for a in addends] for top in (True, False)
    ]
    for words in (*draws, *ends):
        pairs = zip(addends, words, strict=True)
        total = sum((-word if a.negative else word) << a.shift for a, word in pairs)
        assert evaluate(plan, words) + plan.offset == total
    reached = [evaluate(plan, words) for words in ends]
    assert IntType(min(reached), max(reached)) == plan.total


@pytest.mark.parametrize("addends", CASES)
def test_every_bit_is_used_once_and_after_it_is_there(addends):
    plan = reduction(addends)
    there = {k: addends[bit.addend].arrival for k, bit in enumerate(plan.bits)}
    used = set()
    for number, stage in enumerate(plan.stages):
        taken = [bit for chain in stage.chains for pair in chain.pairs for bit in pair]
        taken += [chain.carry for chain in stage.chains if chain.carry is not None]
        for bit in (*taken, *stage.waiting):
            assert bit not in used and there[bit] <= number
        used.update(taken)
        there |= {bit: number + 1 for chain in stage.chains for bit in chain.results}
        there |= dict.fromkeys(stage.waiting, number + 1)


def test_three_words_of_two_bits_by_hand():
    # Chain of both weights: two words and the low bit of the third; then its high bit.
    plan = reduction([Addend(IntType(0, 3))] * 3)
    assert [len(stage.chains) for stage in plan.stages] == [1, 1]
    first = plan.stages[0].chains[0]
    assert (first.weight, first.pairs, first.carry) == (0, ((0, 2), (1, 3)), 4)
    assert plan.stages[0].waiting == (5,)


def test_a_loose_bit_rides_on_the_carry_of_an_adder():
    words = [Addend(IntType(0, 255))] * 2
    plain, with_bit = reduction(words), reduction([*words, BIT])
    assert plain.depth == with_bit.depth == 1
    assert len(plain.chains) == len(with_bit.chains) == 1


def test_a_late_word_does_not_hold_up_the_others():
    early = [Addend(IntType(0, 15))] * 4
    plan = reduction([*early, Addend(IntType(0, 15), arrival=2)])
    assert plan.depth == 3  # the four are one sum after two stages


def test_single_bits_cost_one_full_adder_each_but_for_the_bits_of_the_result():
    adders = sum(len(chain.pairs) for chain in reduction([BIT] * 255).chains)
    assert adders == 255 - 8


def test_refuses_what_it_cannot_add():
    with pytest.raises(ValueError, match=r"^a reduction must have at least one addend$"):
        reduction([])
    with pytest.raises(ValueError, match=r"^an addend behind an XNOR must be a bit, not u2$"):
        Addend(IntType(0, 3), gate=Gate.XNOR)
    message = r"^shift and arrival of an addend must not be negative, not -1 and 0$"
    with pytest.raises(ValueError, match=message):
        Addend(IntType(0, 3), shift=-1)
