"""What is left of a row once sums are shared: a tree of adders, the cheapest first."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import combinations
from math import inf

from cores.common_subexpressions import Row
from cores.sums import Graph, Output, Sum
from cores.types import IntType


@dataclass(frozen=True)
class _Part:
    """A part of a row: a term, or the sum of two parts; its sign is that of its low word.

    Attributes
    ----------
    costs : tuple of float
        Extra bits that it takes to have it as positive and as negative word; of a term, only one
        is possible.
    """

    dtype: IntType
    shift: int
    negative: bool
    level: int
    costs: tuple[float, float]
    term: int | None = None
    parts: "tuple[_Part, _Part] | None" = None

    def plus(self, other: "_Part") -> "_Part":
        low, high = (self, other) if self.shift <= other.shift else (other, self)
        distance = high.shift - low.shift
        lo, hi = high.dtype.lo << distance, high.dtype.hi << distance
        if low.negative != high.negative:
            lo, hi = -hi, -lo
        dtype = IntType(low.dtype.lo + lo, low.dtype.hi + hi)
        level = 1 + max(low.level, high.level)
        costs = [
            min(
                low.costs[sign] + high.costs[sign],
                low.costs[sign] + high.costs[not sign],
                low.costs[not sign] + high.costs[sign] + distance,
            )
            for sign in (False, True)
        ]
        return _Part(dtype, low.shift, low.negative, level, (costs[0], costs[1]), parts=(low, high))

    def apart(self, other: "_Part") -> bool:
        """Whether the sum needs no adder: the words have no bit in common."""
        low, high = (self, other) if self.shift <= other.shift else (other, self)
        plain = low.negative == high.negative and not low.dtype.signed
        return plain and low.dtype.width <= high.shift - low.shift


_Order = Callable[[_Part, int, int], tuple[float, int]]
"""Rank of an adder: its sum, its bits and the distance of its operands."""


def sum_up(graph: Graph, row: Row, level: int) -> Output:
    """Adds the sum of a row's terms to the graph, to arrive at `level` at the latest.

    The sum is negated only if none of the row's terms and differences can be positive.
    """
    terms = tuple(
        (graph.ranges[term.node], term.shift, negative, graph.arrivals[term.node])
        for term, negative in row.items()
    )
    whole = _best(terms, level)
    negative = whole.costs[True] < inf and whole.costs[False] == inf
    nodes = [term.node for term in row]
    return Output(_realise(graph, nodes, whole, negative), whole.shift, negative)


@lru_cache(maxsize=4096)
def _best(terms: tuple[tuple[IntType, int, bool, int], ...], level: int) -> _Part:
    """The sum of terms, given by range, shift, sign and level. One search asks for the same one
    many times."""
    parts = [
        _Part(dtype, shift, negative, at, (inf, 0) if negative else (0, inf), term=number)
        for number, (dtype, shift, negative, at) in enumerate(terms)
    ]
    return min((_plan(parts, level, order) for order in _ORDERS), key=lambda plan: plan[0])[1]


def _lowest_top(total: _Part, bits: int, distance: int) -> tuple[float, int]:
    """Small numbers first, so that few adders are wide."""
    return total.shift + total.dtype.width, bits


def _least_overlap(total: _Part, bits: int, distance: int) -> tuple[float, int]:
    """Short adders first, and neighbours before terms far apart."""
    return bits + distance / 2, bits


_ORDERS = (_lowest_top, _least_overlap)


def _plan(terms: list[_Part], level: int, order: _Order) -> tuple[int, _Part]:
    """Bits, counted in pairs as wide carry cells hold them, and the sum of all terms."""
    parts = dict(enumerate(terms))
    room = (1 << level) - sum(1 << part.level for part in terms)
    number, cost = len(terms), 0

    totals: dict[tuple[int, int], tuple[_Part, int]] = {}

    def bid(a: int, b: int) -> tuple[tuple[float, int], int, int]:
        total = parts[a].plus(parts[b])
        distance = abs(parts[a].shift - parts[b].shift)
        bits = 0 if parts[a].apart(parts[b]) else total.dtype.width - distance
        totals[a, b] = total, bits
        return order(total, bits, distance), a, b

    heap = [bid(a, b) for a, b in combinations(parts, 2)]
    heapify(heap)
    while len(parts) > 1:
        _, a, b = heappop(heap)
        if a not in parts or b not in parts:
            continue
        total, bits = totals[a, b]
        growth = (1 << total.level) - (1 << parts[a].level) - (1 << parts[b].level)
        if growth > room:
            continue  # room never grows: this pair is too late for good
        room -= growth
        cost += bits + bits % 2
        del parts[a], parts[b]
        parts[number] = total
        for other in parts:
            if other != number:
                heappush(heap, bid(other, number))
        number += 1
    (whole,) = parts.values()
    return cost, whole


def _realise(graph: Graph, terms: list[int], part: _Part, negative: bool) -> int:
    """The node of a part, of that sign, over the nodes of the terms."""
    if part.parts is None:
        assert part.term is not None
        return terms[part.term]
    low, high = part.parts
    distance = high.shift - low.shift
    choices = [
        (low.costs[negative] + high.costs[negative], negative, negative),
        (low.costs[negative] + high.costs[not negative], negative, not negative),
        (low.costs[not negative] + high.costs[negative] + distance, not negative, negative),
    ]
    _, low_negative, high_negative = min(choices)
    negative_sum, opposite = low_negative != high_negative, low_negative != negative
    a = _realise(graph, terms, low, low_negative)
    b = _realise(graph, terms, high, high_negative)
    return graph.add(Sum(a, b, distance, negative_sum, opposite=opposite))
