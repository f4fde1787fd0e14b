"""The search for a graph of adders that computes products with a constant matrix.

Weights become sums of signed powers of two; sums that several rows have in common are shared
(`common_subexpressions`); what is left of each row is summed by a tree (`row_tree`). What is shared
first decides what is left to share: the search is repeated with other preferences, and goes on from
those that gave the cheapest graph so far.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

import numpy as np

from cores.dot.constant_dot import digit_forms, signed_digits
from cores.graph import delay_lines, polarity, row_tree
from cores.graph.common_subexpressions import Row, SharedTerm, TermPair, levels, share
from cores.graph.sums import Output, SharedSum, SumGraph
from cores.types import IntType

_SEEDS = (3, 1)  # without and with more stages: of a dozen, the best for a convolution's kernel
_TRIES = 250
_EFFORT = 13_500_000  # tries times square of digits: some seconds
_NOISE = 0.6
_CHANGED = (0.01, 0.03, 0.1, 0.3)
"""Shares of the preferences that a try changes."""

_Key = tuple[bytes, bytes, int, bool]


def build(
    weights: np.ndarray, dtype: IntType, *, more: int = 0, tries: int | None = None
) -> SumGraph:
    """The graph of a matrix: the cheapest of as many tries as take a few seconds.

    Parameters
    ----------
    weights : int array, (rows, cols)
    dtype : IntType
        Range of the inputs.
    more : int
        Stages beyond those of the row of most digits. With any, registers count for nothing: such
        a graph is for devices whose adders come with more registers than it needs.
    tries : int or None
        As many as take a few seconds if None.
    """
    return _build(tuple(map(tuple, weights.tolist())), dtype, more, tries)


@dataclass(eq=False)
class _Taste:
    """Preferences of a try.

    Attributes
    ----------
    pairs : dict
        How much dearer a pair is taken for, 0 to 1, by the sums that its nodes are.
    digits : dict
        Which powers of two stand for a weight, by row and column, where not the canonical ones.
    """

    random: Random
    pairs: dict[_Key, float] = field(default_factory=dict)
    digits: dict[tuple[int, int], int] = field(default_factory=dict)
    asked: set[_Key] = field(default_factory=set)

    def of(self, key: _Key) -> float:
        self.asked.add(key)
        if key not in self.pairs:
            self.pairs[key] = self.random.random()
        return self.pairs[key]

    def changed(self, rows: tuple[tuple[int, ...], ...]) -> "_Taste":
        share = self.random.choice(_CHANGED)
        pairs = {key: self.pairs[key] for key in self.pairs if key in self.asked}
        for key in pairs:
            if self.random.random() < share:
                pairs[key] = self.random.random()
        digits = dict(self.digits)
        for r, row in enumerate(rows):
            for c, weight in enumerate(row):
                if weight and self.random.random() < share / 2:
                    digits[r, c] = self.random.randrange(len(digit_forms(weight)))
        return _Taste(self.random, pairs, digits)


@lru_cache(maxsize=64)
def _build(
    rows: tuple[tuple[int, ...], ...], dtype: IntType, more: int, tries: int | None
) -> SumGraph:
    if tries is None:
        digits = sum(len(signed_digits(weight)) for row in rows for weight in row)
        tries = max(2, min(_TRIES, _EFFORT // max(1, digits**2)))
    best = _search(rows, dtype, more, None)
    least, taste = _price(best, more), _Taste(Random(_SEEDS[more > 0]))
    for _ in range(tries - 1):
        other = taste.changed(rows)
        graph = _search(rows, dtype, more, other)
        price = _price(graph, more)
        if price <= least:
            best, least, taste = graph, price, other
    return best


def _price(graph: SumGraph, more: int) -> int:
    """Adder bits in pairs, as wide carry cells hold them. Without `more` stages, registers and the
    inverters that raw carry cells need count as well, and most."""
    counts = (graph.bits(new) for new in graph.sums)
    adders = sum(count + count % 2 for count in counts)
    if more:
        return adders
    stages = delay_lines.schedule(graph)
    inverted = polarity.choose(graph, stages).inverted
    inverters = sum(graph.ranges[node].width for node, _ in inverted)
    return adders + 3 * (delay_lines.registers(graph, stages) + inverters)


def _search(
    rows: tuple[tuple[int, ...], ...], dtype: IntType, more: int, taste: _Taste | None
) -> SumGraph:
    graph = SumGraph(len(rows[0]), dtype)

    def digits(row: int, column: int, weight: int) -> Iterable[tuple[int, bool]]:
        if taste is None or (row, column) not in taste.digits:
            return signed_digits(weight)
        return digit_forms(weight)[taste.digits[row, column]]

    terms: list[Row] = [
        {
            SharedTerm(column, shift): negative
            for column, weight in enumerate(row)
            for shift, negative in digits(number, column, weight)
        }
        for number, row in enumerate(rows)
    ]

    def worth(pair: TermPair) -> float:
        # Bits in which the operands overlap, and a share of every adder that does not depend on
        # them: of several tried, the fewest LUTs on random matrices.
        low, high = graph.ranges[pair.low].width, graph.ranges[pair.high].width
        bits = max(1, min(low - pair.shift, high) + (2 if taste is None else 4))
        if taste is None:
            return bits
        low_sum, high_sum = graph.coefficients[pair.low], graph.coefficients[pair.high]
        key = low_sum.tobytes(), high_sum.tobytes(), pair.shift, pair.negative
        return bits * (1 + _NOISE * taste.of(key))

    left = share(terms, graph.arrivals, lambda pair: graph.add(SharedSum(*pair)), worth, more=more)
    level = max((levels(graph.arrivals[t.node] for t in row) for row in left if row), default=0)
    for row in left:
        graph.outputs.append(row_tree.sum_up(graph, row, level) if row else Output(None))
    return graph
