from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from cores.graph.common_subexpressions import (
    PairIndex,
    Row,
    SharedTerm,
    TermPair,
    code,
    levels,
    pair_at,
    pair_of,
    share,
)


def random_rows(rng: np.random.Generator) -> list[Row]:
    return [
        {
            SharedTerm(int(node), int(shift)): bool(rng.integers(2))
            for node, shift in rng.integers(0, (4, 5), (int(rng.integers(0, 12)), 2))
        }
        for _ in range(4)
    ]


def recount(rows: list[Row]) -> Counter[TermPair]:
    return Counter(pair_of(*a, *b) for row in rows for a, b in combinations(row.items(), 2))


def counts(index: PairIndex) -> dict[TermPair, int]:
    return {pair_at(number): count for number, count in index.counts.items()}


def test_index_is_what_a_recount_gives():
    rng = np.random.default_rng(5)
    for _ in range(20):
        rows = random_rows(rng)
        index = PairIndex(rows)
        assert counts(index) == recount(rows)
        for _ in range(30):
            number = int(rng.integers(4))
            row = rows[number]
            term = SharedTerm(int(rng.integers(4)), int(rng.integers(5)))
            if term in row:
                del row[term]
                index.remove(number, term)
            else:
                row[term] = bool(rng.integers(2))
                index.add(number, term, row[term])
            assert counts(index) == recount(rows)
            assert index.row(number) == row


def test_index_finds_every_place_of_pairs_that_cannot_overlap():
    rng = np.random.default_rng(6)
    for _ in range(20):
        rows = random_rows(rng)
        index = PairIndex(rows)
        for pair, count in recount(rows).items():
            places = list(index.places(pair))
            if pair.low != pair.high:
                assert len(places) == count
            for number, shift, negative in places:
                high = SharedTerm(pair.high, shift + pair.shift)
                assert rows[number][SharedTerm(pair.low, shift)] == negative
                assert rows[number][high] == (negative != pair.negative)


def test_overlapping_places_share_no_term():
    # x + 4x + 16x + 64x holds "x + 4x" three times, but the terms in the middle only once.
    index = PairIndex([{SharedTerm(0, shift): False for shift in (0, 2, 4, 6)}])
    pair = TermPair(0, 0, 2, False)
    assert index.counts == {
        code(pair): 3,
        code(pair._replace(shift=4)): 2,
        code(pair._replace(shift=6)): 1,
    }
    assert list(index.places(pair)) == [(0, 0, False), (0, 4, False)]


def test_codes_of_pairs_are_in_their_order():
    pairs = [
        TermPair(a, b, s, n) for a in (0, 1, 99) for b in (0, 2, 98) for s in (0, 7) for n in (0, 1)
    ]
    assert [pair_at(code(pair)) for pair in pairs] == pairs
    assert sorted(pairs) == sorted(pairs, key=code)


def test_a_pair_is_the_same_at_any_shift_and_sign():
    one = pair_of(SharedTerm(1, 2), True, SharedTerm(0, 5), False)
    other = pair_of(SharedTerm(0, 3), True, SharedTerm(1, 0), False)
    assert one == other == TermPair(1, 0, 3, True)


@pytest.mark.parametrize(
    ("arrivals", "level"), [([0], 0), ([0, 0], 1), ([0, 0, 0], 2), ([2, 0], 3), ([1, 0, 0], 2)]
)
def test_level_of_a_sum_is_that_of_its_best_tree(arrivals: list[int], level: int):
    assert levels(arrivals) == level


def test_shares_what_two_rows_have_in_common():
    # x0 + x1 + x2 and x0 + x1 - x2: x0 + x1 is added once.
    rows = [
        {SharedTerm(0, 0): False, SharedTerm(1, 0): False, SharedTerm(2, 0): negative}
        for negative in (0, 1)
    ]
    arrivals, made = [0, 0, 0], []

    def new(pair: TermPair) -> int:
        made.append(pair)
        arrivals.append(1)
        return 3

    left = share(rows, arrivals, new, lambda pair: 1.0)
    assert made == [TermPair(0, 1, 0, False)]
    assert left == [{SharedTerm(2, 0): negative, SharedTerm(3, 0): False} for negative in (0, 1)]


@pytest.mark.parametrize(("arrival", "count"), [(0, 1), (1, 0)])
def test_shares_nothing_that_makes_the_latest_row_later(arrival: int, count: int):
    # With x0 one level late, x0 + (x1 + x2) takes two levels, (x0 + x1) + x2 three.
    rows: list[Row] = [{SharedTerm(0, 0): False, SharedTerm(1, 0): False, SharedTerm(2, 0): False}]
    rows.append({SharedTerm(0, 0): False, SharedTerm(1, 0): False})
    arrivals, made = [arrival, 0, 0], []

    def new(pair: TermPair) -> int:
        made.append(pair)
        arrivals.append(arrival + 1)
        return 3

    share(rows, arrivals, new, lambda pair: 1.0)
    assert made == [TermPair(0, 1, 0, False)] * count
