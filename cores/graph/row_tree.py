"""What is left of a row once sums are shared: a tree of adders, the cheapest first."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import combinations
from math import inf
from typing import NamedTuple

from cores.graph.common_subexpressions import Row
from cores.graph.sums import Output, SharedSum, SumGraph
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

    def joined(self, other: "_Part") -> "_Joint":
        """The adder of two parts, without the sum itself."""
        low, high = (self, other) if self.shift <= other.shift else (other, self)
        distance = high.shift - low.shift
        a, b = low.dtype, high.dtype
        if low.negative != high.negative:
            lo, hi = a.lo - (b.hi << distance), a.hi - (b.lo << distance)
        else:
            lo, hi = a.lo + (b.lo << distance), a.hi + (b.hi << distance)
            if a.lo >= 0 and _width(a.lo, a.hi) <= distance:
                # The words have no bit in common.
                return _Joint(low.shift + _width(lo, hi), 0, distance)
        width = _width(lo, hi)
        return _Joint(low.shift + width, width - distance, distance)


class _Joint(NamedTuple):
    """Where the sum of two parts ends, the bits of its adder, and how far apart the parts are."""

    top: int
    bits: int
    distance: int


def _width(lo: int, hi: int) -> int:
    """As `IntType.width`: it is asked for very often."""
    if lo < 0:
        return max((~lo).bit_length(), hi.bit_length()) + 1
    return hi.bit_length() or 1


_Order = Callable[[_Joint], tuple[float, int]]
"""Rank of an adder."""


def sum_up(graph: SumGraph, row: Row, level: int) -> Output:
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
    joints = {(a, b): parts[a].joined(parts[b]) for a, b in combinations(range(len(parts)), 2)}
    plans = (_plan(parts, joints, level, order) for order in _ORDERS)
    return min(plans, key=lambda plan: plan[0])[1]


def _lowest_top(joint: _Joint) -> tuple[float, int]:
    """Small numbers first, so that few adders are wide."""
    return joint.top, joint.bits


def _least_overlap(joint: _Joint) -> tuple[float, int]:
    """Short adders first, and neighbours before terms far apart."""
    return joint.bits + joint.distance / 2, joint.bits


_ORDERS = (_lowest_top, _least_overlap)


def _plan(
    terms: list[_Part], joints: dict[tuple[int, int], _Joint], level: int, order: _Order
) -> tuple[int, _Part]:
    """Bits, counted in pairs as wide carry cells hold them, and the sum of all terms."""
    parts = dict(enumerate(terms))
    room = (1 << level) - sum(1 << part.level for part in terms)
    number, cost = len(terms), 0
    heap = [(order(joint), *pair, joint.bits) for pair, joint in joints.items()]
    heapify(heap)
    while len(parts) > 1:
        _, a, b, bits = heappop(heap)
        if a not in parts or b not in parts:
            continue
        one, other = parts[a], parts[b]
        growth = (2 << max(one.level, other.level)) - (1 << one.level) - (1 << other.level)
        if growth > room:
            continue  # room never grows: this pair is too late for good
        room -= growth
        cost += bits + bits % 2
        del parts[a], parts[b]
        total = one.plus(other)
        for k, part in parts.items():
            joint = part.joined(total)
            heappush(heap, (order(joint), k, number, joint.bits))
        parts[number] = total
        number += 1
    (whole,) = parts.values()
    return cost, whole


def _realise(graph: SumGraph, terms: list[int], part: _Part, negative: bool) -> int:
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
    return graph.add(SharedSum(a, b, distance, negative_sum, opposite=opposite))
