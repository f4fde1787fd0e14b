"""Sums that several rows of a constant matrix share: greedy search for pairs of digits.

A row is a sum of *terms*: a node (an input, or a sum already found), shifted and signed. Two terms
of a row form a `Pair` up to a common shift and sign; a pair that several places have in common is
added once and becomes a node of its own.

Source
------
Hartley, "Subexpression sharing in filters using canonic signed digit multipliers" (1996).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple


class Term(NamedTuple):
    """``node << shift``."""

    node: int
    shift: int


class Pair(NamedTuple):
    """``low + (high << shift)``, or minus if `negative`; of equal shifts, `low` is the node found
    first."""

    low: int
    high: int
    shift: int
    negative: bool


Row = dict[Term, bool]
"""Terms of a row, and whether each is subtracted."""


def pair_of(a: Term, a_negative: bool, b: Term, b_negative: bool) -> Pair:
    if (b.shift, b.node) < (a.shift, a.node):
        a, b = b, a
    return Pair(a.node, b.node, b.shift - a.shift, a_negative != b_negative)


class PairIndex:
    """How often every pair occurs, and in which rows, kept while terms come and go.

    Parameters
    ----------
    rows : iterable of Row

    Attributes
    ----------
    rows : list of Row
        To be changed by `add` and `remove` alone.
    counts : dict of Pair to int
        Pairs of terms, overlapping ones included.
    """

    def __init__(self, rows: Iterable[Row]):
        self.rows: list[Row] = []
        self.counts: dict[Pair, int] = defaultdict(int)
        self._places: dict[Pair, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for number, row in enumerate(rows):
            self.rows.append({})
            for term, negative in row.items():
                self.add(number, term, negative)

    def add(self, number: int, term: Term, negative: bool) -> list[Pair]:
        """Adds a term to a row; the pairs that came with it."""
        row = self.rows[number]
        pairs = [pair_of(term, negative, *other) for other in row.items()]
        for pair in pairs:
            self.counts[pair] += 1
            self._places[pair][number] += 1
        row[term] = negative
        return pairs

    def remove(self, number: int, term: Term) -> None:
        row = self.rows[number]
        negative = row.pop(term)
        for other in row.items():
            pair = pair_of(term, negative, *other)
            places = self._places[pair]
            self.counts[pair] -= 1
            places[number] -= 1
            if not places[number]:
                del places[number]
            if not self.counts[pair]:
                del self.counts[pair], self._places[pair]

    def places(self, pair: Pair) -> Iterator[tuple[int, Term, Term]]:
        """Every place of a pair, none of them sharing a term: row, low and high term."""
        for number in sorted(self._places.get(pair, ())):
            row, used = self.rows[number], set()
            for low in sorted(row):
                high = Term(pair.high, low.shift + pair.shift)
                if low.node != pair.low or low in used or high not in row or high in used:
                    continue
                if (row[low] != row[high]) == pair.negative:
                    used |= {low, high}
                    yield number, low, high


def levels(arrivals: Iterable[int]) -> int:
    """Level of the sum of values that arrive at the given levels, one level per adder of two."""
    return (sum(1 << level for level in arrivals) - 1).bit_length()


def share(
    rows: Iterable[Row],
    arrivals: list[int],
    new: Callable[[Pair], int],
    worth: Callable[[Pair], float],
    *,
    more: int = 0,
) -> list[Row]:
    """Rows over the sums that are shared, found greedily.

    No row's sum becomes later than the latest row's own terms would, and `more` levels.

    Parameters
    ----------
    rows : iterable of Row
    arrivals : list of int
        Level of every node.
    new : callable
        Makes the node of a pair and appends to `arrivals`; the node's number.
    worth : callable
        What one adder less of this pair is worth.
    more : int
    """
    index = PairIndex(rows)
    loads = [sum(1 << arrivals[t.node] for t in row) for row in index.rows]
    latest = max(levels(arrivals[t.node] for t in row) if row else 0 for row in index.rows)
    limit = 1 << latest + more
    worths: dict[Pair, float] = {}

    def entry(pair: Pair, count: int) -> tuple[float, Pair]:
        if pair not in worths:
            worths[pair] = worth(pair)
        return (1 - count) * worths[pair], pair

    heap = [entry(pair, count) for pair, count in index.counts.items() if count > 1]
    heapify(heap)
    while heap:
        bid, pair = heappop(heap)
        if index.counts.get(pair, 0) < 2:
            continue
        level = 1 + max(arrivals[pair.low], arrivals[pair.high])
        growth = (1 << level) - (1 << arrivals[pair.low]) - (1 << arrivals[pair.high])
        found, grown = [], defaultdict(int)
        for number, low, high in index.places(pair):
            if loads[number] + grown[number] + growth <= limit:
                grown[number] += growth
                found.append((number, low, high))
        if len(found) < 2:
            continue
        # Entries are bids of the past: counts may have fallen since, and overlaps count once.
        now = entry(pair, len(found))
        if now[0] > bid:
            heappush(heap, now)
            continue
        node = new(pair)
        changed: dict[Pair, None] = {}
        for number, low, high in found:
            negative = index.rows[number][low]
            index.remove(number, low)
            index.remove(number, high)
            changed |= dict.fromkeys(index.add(number, Term(node, low.shift), negative))
            loads[number] += growth
        for other in changed:
            if index.counts.get(other, 0) > 1:
                heappush(heap, entry(other, index.counts[other]))
    return index.rows
