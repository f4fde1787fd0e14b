import random

import pytest

from cores.sum import adder_tree
from cores.sum.adder_tree import AdderTree, Term
from cores.types import IntType
from platforms.devices import device
from tests.cores.pipelines import outputs

U4, S4 = IntType(0, 15), IntType(-7, 7)
TERMS = [
    [Term(U4)],
    [Term(U4), Term(S4)],
    [Term(U4)] * 5,
    [Term(U4, 3), Term(S4, 1), Term(IntType(0, 1))],
    [Term(IntType(0, 1)), Term(U4, 5, True), Term(S4, 2), Term(U4, 0, True)],
    [Term(U4, 2, True), Term(S4, 2, True), Term(S4, 2, True)],
    [Term(IntType(-9, -3)), Term(IntType(5, 5), 1), Term(IntType(-1, 0), 4)],
]


def meaning(term: Term, word: int) -> int:
    return (-word if term.negative else word) << term.shift


def sums(terms: list[Term], words: list[tuple[int, ...]]) -> list[int]:
    tree = AdderTree(terms)

    def drive(ctx, given):
        for k, word in enumerate(given):
            ctx.set(tree.i[str(k)], word)

    depth = adder_tree.levels(len(terms))
    found = outputs(tree, words, drive=drive, read=lambda ctx: ctx.get(tree.o), depth=depth)
    return [meaning(tree.total, word) for word in found]


@pytest.mark.parametrize("terms", TERMS)
def test_adds_what_the_words_stand_for(terms):
    rng = random.Random(3)
    ends = [tuple(t.dtype.lo for t in terms), tuple(t.dtype.hi for t in terms)]
    words = ends + [tuple(rng.randint(t.dtype.lo, t.dtype.hi) for t in terms) for _ in range(30)]
    expected = [
        sum(meaning(term, word) for term, word in zip(terms, row, strict=True)) for row in words
    ]
    assert sums(terms, words) == expected


def test_four_minus_three_times_two():
    assert sums([Term(U4), Term(U4, 1, True)], [(4, 3)]) == [-2]


@pytest.mark.parametrize("terms", TERMS)
def test_total_range_is_reached_at_both_ends(terms):
    ranges = [term.range for term in terms]
    total = adder_tree.plan(terms)[-1][0].range
    assert total == IntType(sum(r.lo for r in ranges), sum(r.hi for r in ranges))


@pytest.mark.parametrize(("count", "levels"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (64, 6)])
def test_takes_one_level_for_each_halving(count, levels):
    assert adder_tree.levels(count) == levels


def test_bits_below_the_higher_shift_need_no_adder():
    terms = [Term(U4), Term(U4, 3)]
    assert adder_tree.cost(terms, device("up5k")).add == 5
    assert adder_tree.cost(terms, device("ecp5-25f")).add == 6
