from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from cores.common_subexpressions import Pair, PairIndex, Row, Term, levels, pair_of, share


def random_rows(rng: np.random.Generator) -> list[Row]:
    return [
        {
            Term(int(node), int(shift)): bool(rng.integers(2))
            for node, shift in rng.integers(0, (4, 5), (int(rng.integers(0, 12)), 2))
        }
        for _ in range(4)
    ]


def recount(rows: list[Row]) -> Counter[Pair]:
    return Counter(pair_of(*a, *b) for row in rows for a, b in combinations(row.items(), 2))


def test_index_is_what_a_recount_gives():
    rng = np.random.default_rng(5)
    for _ in range(20):
        index = PairIndex(random_rows(rng))
        assert dict(index.counts) == recount(index.rows)
        for _ in range(30):
            number = int(rng.integers(4))
            row = index.rows[number]
            term = Term(int(rng.integers(4)), int(rng.integers(5)))
            if term in row:
                index.remove(number, term)
            else:
                index.add(number, term, bool(rng.integers(2)))
            assert dict(index.counts) == recount(index.rows)


def test_index_finds_every_place_of_pairs_that_cannot_overlap():
    rng = np.random.default_rng(6)
    for _ in range(20):
        index = PairIndex(random_rows(rng))
        for pair, count in index.counts.items():
            if pair.low != pair.high:
                assert len(list(index.places(pair))) == count


def test_overlapping_places_share_no_term():
    # x + 4x + 16x holds "x + 4x" twice, but both need the term in the middle.
    index = PairIndex([{Term(0, 0): False, Term(0, 2): False, Term(0, 4): False}])
    pair = Pair(0, 0, 2, False)
    assert index.counts[pair] == 2
    assert list(index.places(pair)) == [(0, Term(0, 0), Term(0, 2))]


def test_a_pair_is_the_same_at_any_shift_and_sign():
    one = pair_of(Term(1, 2), True, Term(0, 5), False)
    other = pair_of(Term(0, 3), True, Term(1, 0), False)
    assert one == other == Pair(1, 0, 3, True)


@pytest.mark.parametrize(
    ("arrivals", "level"), [([0], 0), ([0, 0], 1), ([0, 0, 0], 2), ([2, 0], 3), ([1, 0, 0], 2)]
)
def test_level_of_a_sum_is_that_of_its_best_tree(arrivals: list[int], level: int):
    assert levels(arrivals) == level


def test_shares_what_two_rows_have_in_common():
    # x0 + x1 + x2 and x0 + x1 - x2: x0 + x1 is added once.
    rows = [{Term(0, 0): False, Term(1, 0): False, Term(2, 0): negative} for negative in (0, 1)]
    arrivals, made = [0, 0, 0], []

    def new(pair: Pair) -> int:
        made.append(pair)
        arrivals.append(1)
        return 3

    left = share(rows, arrivals, new, lambda pair: 1.0)
    assert made == [Pair(0, 1, 0, False)]
    assert left == [{Term(2, 0): negative, Term(3, 0): False} for negative in (0, 1)]


@pytest.mark.parametrize(("arrival", "count"), [(0, 1), (1, 0)])
def test_shares_nothing_that_makes_the_latest_row_later(arrival: int, count: int):
    # With x0 one level late, x0 + (x1 + x2) takes two levels, (x0 + x1) + x2 three.
    rows: list[Row] = [{Term(0, 0): False, Term(1, 0): False, Term(2, 0): False}]
    rows.append({Term(0, 0): False, Term(1, 0): False})
    arrivals, made = [arrival, 0, 0], []

    def new(pair: Pair) -> int:
        made.append(pair)
        arrivals.append(arrival + 1)
        return 3

    share(rows, arrivals, new, lambda pair: 1.0)
    assert made == [Pair(0, 1, 0, False)] * count
