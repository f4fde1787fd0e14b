"""Sums that several rows of a constant matrix share: greedy search for pairs of digits.

A row is a sum of *terms*: a node (an input, or a sum already found), shifted and signed. Two terms
of a row form a `TermPair` up to a common shift and sign; a pair that several places have in common
is added once and becomes a node of its own.

Source
------
Hartley, "Subexpression sharing in filters using canonic signed digit multipliers" (1996).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple


class SharedTerm(NamedTuple):
    """``node << shift``."""

    node: int
    shift: int


class TermPair(NamedTuple):
    """``low + (high << shift)``, or minus if `negative`; of equal shifts, `low` is the node found
    first."""

    low: int
    high: int
    shift: int
    negative: bool


Row = dict[SharedTerm, bool]
"""Terms of a row, and whether each is subtracted."""


def pair_of(a: SharedTerm, a_negative: bool, b: SharedTerm, b_negative: bool) -> TermPair:
    if (b.shift, b.node) < (a.shift, a.node):
        a, b = b, a
    return TermPair(a.node, b.node, b.shift - a.shift, a_negative != b_negative)


class PairIndex:
    """How often every pair occurs, and in which rows, kept while terms come and go.

    Inside, terms and pairs are integers: of a pair of terms a and b, `_low(a) + _high(b)`, and one
    more if their signs differ.

    Parameters
    ----------
    rows : iterable of Row

    Attributes
    ----------
    counts : dict of int to int
        Pairs of terms, overlapping ones included, by their `code`.
    """

    def __init__(self, rows: Iterable[Row]):
        self.counts: dict[int, int] = defaultdict(int)
        self._rows: list[dict[int, tuple[int, int, bool]]] = []  # `_low`, `_high` and sign
        self._shifts: dict[int, dict[int, list[int]]] = defaultdict(dict)
        for number, row in enumerate(rows):
            self._rows.append({})
            for term, negative in row.items():
                self.add(number, term, negative)

    def row(self, number: int) -> Row:
        return {
            SharedTerm(code & _NODES, code >> _BITS): negative
            for code, (_, _, negative) in self._rows[number].items()
        }

    def add(self, number: int, term: SharedTerm, negative: bool) -> list[int]:
        """Adds a term to a row; the pairs that came with it."""
        pairs = self._pairs(number, term, negative)
        counts = self.counts
        for pair in pairs:
            counts[pair] += 1
        self._rows[number][_code(term)] = _low(term), _high(term), negative
        shifts = self._shifts[term.node].setdefault(number, [0, 0])
        shifts[negative] |= 1 << term.shift
        return pairs

    def remove(self, number: int, term: SharedTerm) -> None:
        *_, negative = self._rows[number].pop(_code(term))
        shifts = self._shifts[term.node][number]
        shifts[negative] &= ~(1 << term.shift)
        if not any(shifts):
            del self._shifts[term.node][number]
        counts = self.counts
        for pair in self._pairs(number, term, negative):
            if counts[pair] == 1:
                del counts[pair]
            else:
                counts[pair] -= 1

    def places(self, pair: TermPair) -> Iterator[tuple[int, int, bool]]:
        """Every place of a pair, none of them sharing a term: row, and shift and sign of the low
        term."""
        lows, highs = self._shifts[pair.low], self._shifts[pair.high]
        for number in sorted(lows.keys() & highs.keys()):
            used = 0
            low, high = lows[number], highs[number]
            plus = low[0] & high[pair.negative] >> pair.shift
            minus = low[1] & high[not pair.negative] >> pair.shift
            rest = plus | minus
            while rest:
                bit = rest & -rest
                rest ^= bit
                if not used & bit:
                    if pair.low == pair.high:
                        used |= bit << pair.shift
                    yield number, bit.bit_length() - 1, bool(minus & bit)

    def _pairs(self, number: int, term: SharedTerm, negative: bool) -> list[int]:
        """Pairs of a term with those of a row."""
        this, low, high = _code(term), _low(term), _high(term)
        return [
            (low + b if code > this else a + high) + (sign != negative)
            for code, (a, b, sign) in self._rows[number].items()
        ]


_BITS = 20
_NODES = (1 << _BITS) - 1


def _code(term: SharedTerm) -> int:
    """In the order of shifts, then of nodes."""
    return term.shift << _BITS | term.node


def _low(term: SharedTerm) -> int:
    return (term.node << 2 * _BITS) - (term.shift << 1)


def _high(term: SharedTerm) -> int:
    return (term.node << _BITS) + (term.shift << 1)


def code(pair: TermPair) -> int:
    """A pair as an integer, in the order of pairs."""
    return _low(SharedTerm(pair.low, 0)) + _high(SharedTerm(pair.high, pair.shift)) + pair.negative


def pair_at(code: int) -> TermPair:
    shift = (code & _NODES) >> 1
    return TermPair(code >> 2 * _BITS, code >> _BITS & _NODES, shift, bool(code & 1))


def levels(arrivals: Iterable[int]) -> int:
    """Level of the sum of values that arrive at the given levels, one level per adder of two."""
    return (sum(1 << level for level in arrivals) - 1).bit_length()


def share(
    rows: Sequence[Row],
    arrivals: list[int],
    new: Callable[[TermPair], int],
    worth: Callable[[TermPair], float],
    *,
    more: int = 0,
) -> list[Row]:
    """Rows over the sums that are shared, found greedily.

    No row's sum becomes later than the latest row's own terms would, and `more` levels.

    Parameters
    ----------
    rows : sequence of Row
    arrivals : list of int
        Level of every node.
    new : callable
        Makes the node of a pair and appends to `arrivals`; the node's number.
    worth : callable
        What one adder less of this pair is worth.
    more : int
    """
    index = PairIndex(rows)
    loads = [sum(1 << arrivals[t.node] for t in row) for row in rows]
    latest = max(levels(arrivals[t.node] for t in row) if row else 0 for row in rows)
    limit = 1 << latest + more
    counts = index.counts
    worths: dict[int, float] = {}
    bids: dict[int, float] = {}  # Of each pair, the entry that counts.
    heap: list[tuple[float, int]] = []

    def offer(pair: int, count: int) -> None:
        if pair not in worths:
            worths[pair] = worth(pair_at(pair))
        bid = (1 - count) * worths[pair]
        if bid < bids.get(pair, 0):
            bids[pair] = bid
            heappush(heap, (bid, pair))

    for pair, count in counts.items():
        if count > 1:
            offer(pair, count)
    while heap:
        bid, number = heappop(heap)
        if bid != bids.get(number):
            continue
        del bids[number]
        count = counts.get(number, 0)
        if count < 2:
            continue
        # Entries are bids of the past: counts may have fallen since, and overlaps count once.
        if (1 - count) * worths[number] > bid:
            offer(number, count)
            continue
        pair = pair_at(number)
        level = 1 + max(arrivals[pair.low], arrivals[pair.high])
        growth = (1 << level) - (1 << arrivals[pair.low]) - (1 << arrivals[pair.high])
        found, grown = [], defaultdict(int)
        for place in index.places(pair):
            if loads[place[0]] + grown[place[0]] + growth <= limit:
                grown[place[0]] += growth
                found.append(place)
        if len(found) < 2:
            continue
        if (1 - len(found)) * worths[number] > bid:
            offer(number, len(found))
            continue
        node = new(pair)
        changed: dict[int, None] = {}
        for row, shift, negative in found:
            index.remove(row, SharedTerm(pair.low, shift))
            index.remove(row, SharedTerm(pair.high, shift + pair.shift))
            changed |= dict.fromkeys(index.add(row, SharedTerm(node, shift), negative))
            loads[row] += growth
        for other in changed:
            if counts.get(other, 0) > 1:
                offer(other, counts[other])
    return [index.row(number) for number in range(len(rows))]
