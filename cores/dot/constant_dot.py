"""Products with constants, fully unrolled: each row is a tree of shifted inputs, added or
subtracted."""

from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property, reduce

import numpy as np
from amaranth.hdl import Module, Signal

from cores.cost import Count
from cores.dot.dot_product import DotUnit
from cores.silicon.family import silicon
from cores.sum import adder_tree
from cores.sum.adder_tree import AdderTree, Term
from cores.types import IntType
from platforms.device import Device


def signed_digits(value: int) -> list[tuple[int, bool]]:
    """The fewest powers of two that sum up to `value`: (exponent, negative), ascending.

    Source
    ------
    Canonical signed digits (Reitwiesner, 1960): no two neighbouring digits are nonzero.
    """
    digits, shift = [], 0
    while value:
        if value & 1:
            negative = value & 3 == 3
            digits.append((shift, negative))
            value += 1 if negative else -1
        value >>= 1
        shift += 1
    return digits


@cache
def digit_forms(value: int) -> tuple[tuple[tuple[int, bool], ...], ...]:
    """Every sum of as few powers of two, such as 3 = 4 - 1 = 2 + 1; with one that is added, if
    `signed_digits` has one: rows of nothing but subtractions come negated."""
    canonical = signed_digits(value)
    least, added = len(canonical), any(not negative for _, negative in canonical)
    forms: list[tuple[tuple[int, bool], ...]] = []

    def extend(rest: int, shift: int, digits: tuple[tuple[int, bool], ...]) -> None:
        while rest and not rest & 1:
            rest, shift = rest >> 1, shift + 1
        if not rest:
            forms.append(digits)
        elif len(digits) + len(signed_digits(rest)) <= least:
            extend(rest - 1 >> 1, shift + 1, (*digits, (shift, False)))
            extend(rest + 1 >> 1, shift + 1, (*digits, (shift, True)))

    extend(value, 0, ())
    return tuple(f for f in forms if any(not negative for _, negative in f) or not added)


@dataclass(frozen=True, eq=False)
class ConstantPlan:
    """What plans of units that hold all weights themselves have in common; see `DotProduct`.

    Parameters
    ----------
    weights : int array, (rows, cols)
    dtype : IntType
        Range of the inputs.
    """

    weights: np.ndarray
    dtype: IntType

    @property
    def pe(self) -> int:
        return self.weights.shape[0]

    @property
    def simd(self) -> int:
        return self.weights.shape[1]

    @property
    def code_width(self) -> int:
        return 0

    @property
    def codes(self) -> np.ndarray:
        return np.zeros_like(self.weights)

    @property
    def corrections(self) -> np.ndarray:
        return np.zeros(self.pe, np.int64)


@dataclass(frozen=True, eq=False)
class ConstantDot(ConstantPlan):
    """Plan of the unit; see `DotProduct`."""

    @cached_property
    def terms(self) -> tuple[tuple[tuple[int, Term], ...], ...]:
        """Of each row, the columns and what is added of them, equal shifts together."""
        rows = []
        for row in self.weights.tolist():
            terms = [
                (column, Term(self.dtype, shift, negative))
                for column, weight in enumerate(row)
                for shift, negative in signed_digits(weight)
            ]
            rows.append(tuple(sorted(terms, key=lambda item: item[1].shift)))
        return tuple(rows)

    @cached_property
    def totals(self) -> tuple[Term, ...]:
        """The sum of each row."""
        plans = [adder_tree.plan([term for _, term in row]) for row in self.terms if row]
        sums = iter(plan[-1][0] for plan in plans)
        return tuple(next(sums) if row else Term(IntType(0, 0)) for row in self.terms)

    @property
    def result(self) -> IntType:
        words = (Term(t.dtype, t.shift).range for t in self.totals)
        return reduce(IntType.union, words)

    @property
    def negated(self) -> tuple[bool, ...]:
        return tuple(total.negative for total in self.totals)

    @property
    def depth(self) -> int:
        return max(adder_tree.levels(len(row)) for row in self.terms)

    def cost(self, device: Device) -> Count:
        """yosys builds a sum that several rows have in common once."""
        adders: dict[Node, int] = {}
        inverted: dict[Node, int] = {}
        count = Count()
        for row, total in zip(self.terms, self.totals, strict=True):
            nodes: list[tuple[Node, Term]] = [((column,), term) for column, term in row]
            while len(nodes) > 1:
                pairs = zip(nodes[::2], nodes[1::2], strict=False)
                nodes = [_add(a, b, adders, inverted) for a, b in pairs] + nodes[len(nodes) & ~1 :]
            missing = self.depth - adder_tree.levels(len(row))
            count += Count(ff=missing * total.dtype.width)
        for width, times in Counter(adders.values()).items():
            count += adder_tree.adder(width, device, times=times)
        lut = sum(silicon(device).carry.inverter(width) for width in inverted.values())
        return count + Count(ff=sum(adders.values()), lut=lut, loose=lut)

    def unit(self, device: Device | None) -> "ConstantDotUnit":
        return ConstantDotUnit(self)


Node = tuple[object, ...]
"""A sum, by what it is made of."""


def _add(
    a: tuple[Node, Term], b: tuple[Node, Term], adders: dict[Node, int], inverted: dict[Node, int]
) -> tuple[Node, Term]:
    """Notes the adder of two sums and its width, and the width of what it subtracts."""
    (low, low_term), (high, high_term) = (a, b) if a[1].shift <= b[1].shift else (b, a)
    distance = high_term.shift - low_term.shift
    subtracts = low_term.negative != high_term.negative
    node = (low, high, distance, subtracts)
    total = low_term.plus(high_term)
    adders[node] = total.dtype.width - distance
    if subtracts:
        inverted[high] = high_term.dtype.width
    return node, total


class ConstantDotUnit(DotUnit[ConstantDot]):
    """Computes a `ConstantDot`."""

    def elaborate(self, platform) -> Module:
        m = Module()
        plan = self.plan
        for r, row in enumerate(plan.terms):
            if not row:
                continue
            m.submodules[f"row{r}"] = tree = AdderTree([term for _, term in row])
            m.d.comb += tree.en.eq(self.en)
            m.d.comb += [tree.i[str(k)].eq(self.x[c]) for k, (c, _) in enumerate(row)]
            word = tree.o
            for stage in range(plan.depth - adder_tree.levels(len(row))):
                late = Signal.like(tree.o, name=f"late{r}_{stage}", reset_less=True)
                with m.If(self.en):
                    m.d.sync += late.eq(word)
                word = late
            m.d.comb += self.o[r].eq(word << tree.total.shift)
        return m
