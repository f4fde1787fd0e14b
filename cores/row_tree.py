"""What is left of a row once sums are shared: a tree of adders, the cheapest first."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import combinations
from math import inf

from cores.common_subexpressions import Row, Term
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
    node: int | None = None
    parts: "tuple[_Part, _Part] | None" = None

    @classmethod
    def term(cls, graph: Graph, term: Term, negative: bool) -> "_Part":
        costs = (inf, 0) if negative else (0, inf)
        dtype, level = graph.ranges[term.node], graph.arrivals[term.node]
        return cls(dtype, term.shift, negative, level, costs, node=term.node)

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

    def bits(self, other: "_Part") -> int:
        low, high = (self, other) if self.shift <= other.shift else (other, self)
        distance = high.shift - low.shift
        if low.negative == high.negative and not low.dtype.signed and low.dtype.width <= distance:
            return 0
        return self.plus(other).dtype.width - distance


_Order = Callable[[_Part, int, int], tuple[float, int]]
"""Rank of an adder: its sum, its bits and the distance of its operands."""


def sum_up(graph: Graph, row: Row, level: int) -> Output:
    """Adds the sum of a row's terms to the graph, to arrive at `level` at the latest.

    The sum is negated only if none of the row's terms and differences can be positive.
    """
    terms = [_Part.term(graph, term, negative) for term, negative in row.items()]
    _, whole = min((_plan(terms, level, order) for order in _ORDERS), key=lambda plan: plan[0])
    negative = whole.costs[True] < inf and whole.costs[False] == inf
    return Output(_realise(graph, whole, negative), whole.shift, negative)


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

    def bid(a: int, b: int) -> tuple[tuple[float, int], int, int]:
        distance = abs(parts[a].shift - parts[b].shift)
        return order(parts[a].plus(parts[b]), parts[a].bits(parts[b]), distance), a, b

    heap = [bid(a, b) for a, b in combinations(parts, 2)]
    heapify(heap)
    while len(parts) > 1:
        _, a, b = heappop(heap)
        if a not in parts or b not in parts:
            continue
        total = parts[a].plus(parts[b])
        growth = (1 << total.level) - (1 << parts[a].level) - (1 << parts[b].level)
        if growth > room:
            continue  # room never grows: this pair is too late for good
        room -= growth
        bits = parts[a].bits(parts[b])
        cost += bits + bits % 2
        del parts[a], parts[b]
        parts[number] = total
        for other in parts:
            if other != number:
                heappush(heap, bid(other, number))
        number += 1
    (whole,) = parts.values()
    return cost, whole


def _realise(graph: Graph, part: _Part, negative: bool) -> int:
    """The node of a part, of that sign."""
    if part.parts is None:
        assert part.node is not None
        return part.node
    low, high = part.parts
    distance = high.shift - low.shift
    choices = [
        (low.costs[negative] + high.costs[negative], negative, negative),
        (low.costs[negative] + high.costs[not negative], negative, not negative),
        (low.costs[not negative] + high.costs[negative] + distance, not negative, negative),
    ]
    _, low_negative, high_negative = min(choices)
    nodes = _realise(graph, low, low_negative), _realise(graph, high, high_negative)
    return graph.add(
        Sum(*nodes, distance, low_negative != high_negative, opposite=low_negative != negative)
    )
