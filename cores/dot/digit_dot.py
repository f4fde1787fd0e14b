"""Dot products in LUTs and carry chains: one operand is cut into digits that select multiples of
the other.

A digit -2, -1, 0, 1 or 2 selects 0, v, 2v or the bitwise complement of v or 2v, which takes one
LUT per bit; the words of equal weight are summed in one adder tree, and the trees combined last.
A complement is one less than the negative: these ones, and the offset that makes a digit of two
plain bits, are constants of the row if the digits are those of the weights; if they are those of
the inputs, the ones are counted, once for all rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value

from cores.cost import Count
from cores.dot.dot_product import DotUnit, weight_range, words
from cores.fields.frozen import freeze, of_array
from cores.sum import adder_tree
from cores.sum.adder_tree import AdderTree, Term
from cores.types import IntType
from platforms.device import Device


@dataclass(frozen=True)
class Plane:
    """One digit of an operand.

    Parameters
    ----------
    shift : int
        Weight of the digit, as a power of two, and place of its code in the operand.
    digits : tuple of int or None
        Digit of each code; None where no operand has that code.
    """

    shift: int
    digits: tuple[int | None, ...]

    @property
    def width(self) -> int:
        return max(1, (len(self.digits) - 1).bit_length())

    @property
    def negative(self) -> tuple[int, ...]:
        """Codes that select a complement."""
        return tuple(c for c, digit in enumerate(self.digits) if digit is not None and digit < 0)

    def word(self, value: IntType) -> IntType:
        """Range of the selected words."""
        ranges = []
        for digit in set(self.digits) - {None}:
            assert digit is not None
            ends = [abs(digit) * value.lo, abs(digit) * value.hi]
            ranges.append([~e for e in reversed(ends)] if digit < 0 else ends)
        return IntType(min(r[0] for r in ranges), max(r[1] for r in ranges))


def planes_of(dtype: IntType) -> tuple[tuple[Plane, ...], int]:
    """Digits of every number of a range, two bits each, and the offset: ``x = sum(digit <<
    shift) + offset``."""
    planes, offset = [], 0
    for shift in range(0, dtype.width, 2):
        top = shift + 2 >= dtype.width
        bits = min(2, dtype.width - shift)
        lo, hi = dtype.lo >> shift, dtype.hi >> shift
        used = {value & 3 for value in range(lo, min(hi, lo + 3) + 1)}
        if top and dtype.signed:
            digits = [code - (code >> bits - 1 << bits) for code in range(1 << bits)]
        elif max(used) < 3:
            digits = list(range(1 << bits))
        else:
            digits = [code - 2 for code in range(4)]
            offset += 2 << shift
        used = {code & (1 << bits) - 1 for code in used}
        planes.append(Plane(shift, tuple(d if c in used else None for c, d in enumerate(digits))))
    return tuple(planes), offset


@dataclass(frozen=True, eq=False)
class DigitDot:
    """Plan of the unit; see `DotProduct`.

    Parameters
    ----------
    weights : int array, (rows, cols)
    dtype : IntType
        Range of the inputs.
    pe, simd : int
    """

    weights: np.ndarray
    dtype: IntType
    pe: int
    simd: int

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """The distinct weights."""
        return _levels(self.weights)

    @property
    def on_weights(self) -> bool:
        """Whether the weights are the digits: at most four small ones, and wider inputs."""
        small = len(self.levels) <= 4 and IntType(-2, 2).holds(weight_range(self.weights))
        return small and self.dtype.width > 1

    @cached_property
    def _split(self) -> tuple[tuple[Plane, ...], int]:
        return ((Plane(0, self.levels),), 0) if self.on_weights else planes_of(self.dtype)

    @property
    def planes(self) -> tuple[Plane, ...]:
        return self._split[0]

    @property
    def value(self) -> IntType:
        """Range of the operand that the digits select multiples of."""
        return self.dtype if self.on_weights else weight_range(self.weights)

    @property
    def code_width(self) -> int:
        return self.planes[0].width if self.on_weights else self.value.width

    @property
    def codes(self) -> np.ndarray:
        if self.on_weights:
            return _numbered(self.weights)
        return words(self.weights, self.code_width)

    @property
    def corrections(self) -> np.ndarray:
        if self.on_weights:
            return (self.weights < 0).sum(axis=1)
        return self._split[1] * _row_sums(self.weights)

    @property
    def negated(self) -> tuple[bool, ...]:
        return (False,) * self.pe

    @property
    def ones(self) -> Term | None:
        """Per input, what its complements lack; None if there is nothing to count."""
        counted = [] if self.on_weights else [p for p in self.planes if p.negative]
        return Term(IntType(0, sum(1 << p.shift for p in counted))) if counted else None

    def words(self, plane: Plane) -> list[Term]:
        return [Term(plane.word(self.value))] * self.simd

    @cached_property
    def sums(self) -> list[Term]:
        """What is combined last: the sum of each plane and the count of ones."""
        totals = [adder_tree.plan(self.words(p))[-1][0] for p in self.planes]
        terms = [Term(t.dtype, p.shift) for t, p in zip(totals, self.planes, strict=True)]
        if self.ones is not None:
            terms.append(adder_tree.plan([self.ones] * self.simd)[-1][0])
        return terms

    @property
    def result(self) -> IntType:
        return adder_tree.plan(self.sums)[-1][0].range

    @property
    def depth(self) -> int:
        return 1 + adder_tree.levels(self.simd) + adder_tree.levels(len(self.sums))

    def cost(self, device: Device) -> Count:
        each = adder_tree.cost(self.sums, device)
        for plane in self.planes:
            word = plane.word(self.value)
            # A digit of 0 or 1 resets its register: no LUT.
            lut = 0 if plane.digits in ((0, 1), (1,), (0,)) else word.width
            selected = Count(lut=self.simd * lut, ff=self.simd * word.width)
            each += adder_tree.cost(self.words(plane), device) + selected
        if self.ones is None:
            return self.pe * each
        bits = self.simd * sum(1 for plane in self.planes if plane.negative)
        shared = adder_tree.cost([self.ones] * self.simd, device) + Count(lut=bits, ff=bits)
        return self.pe * each + shared

    def unit(self, device: Device | None) -> "DigitDotUnit":
        return DigitDotUnit(self)


@of_array
def _levels(weights: np.ndarray) -> tuple[int, ...]:
    """The distinct weights, ascending."""
    return tuple(map(int, np.unique(weights)))


@of_array
def _numbered(weights: np.ndarray) -> np.ndarray:
    """Of each weight, its number among the distinct ones."""
    lowest = int(weights.min())
    codes = np.searchsorted(_levels(weights), np.arange(lowest, weights.max() + 1))
    return freeze(codes[weights - lowest])


@of_array
def _row_sums(weights: np.ndarray) -> np.ndarray:
    return weights.sum(axis=1)


class DigitDotUnit(DotUnit[DigitDot]):
    """Computes a `DigitDot`."""

    def elaborate(self, platform) -> Module:
        m = Module()
        plan = self.plan
        ones = None
        if plan.ones is not None:
            ones = self._sum(m, "ones", [plan.ones] * plan.simd, self._ones(m))
        for p in range(plan.pe):
            sums = [] if ones is None else [ones]
            for k, plane in reversed(list(enumerate(plan.planes))):
                words = [self._word(m, plane, p, s) for s in range(plan.simd)]
                sums.insert(0, self._sum(m, f"plane{p}_{k}", plan.words(plane), words))
            m.d.comb += self.o[p].eq(self._sum(m, f"sum{p}", plan.sums, sums))
        return m

    def _sum(self, m: Module, name: str, terms: Sequence[Term], words: Sequence[Value]) -> Value:
        m.submodules[name] = tree = AdderTree(terms)
        m.d.comb += tree.en.eq(self.en)
        m.d.comb += [tree.i[str(k)].eq(word) for k, word in enumerate(words)]
        return tree.o << tree.total.shift

    def _word(self, m: Module, plane: Plane, p: int, s: int) -> Value:
        """The multiple of one operand that the other's digit selects."""
        plan = self.plan
        x, w = self.x[s], self.w[p * plan.simd + s]
        value = Signal(plan.value.shape)
        m.d.comb += value.eq(x if plan.on_weights else w)
        code = (w if plan.on_weights else x)[plane.shift : plane.shift + plane.width]
        word = Signal(plane.word(plan.value).shape)
        once, twice = Signal.like(word), Signal.like(word)  # extended before they are complemented
        m.d.comb += [once.eq(value), twice.eq(value << 1)]
        with m.Switch(code):
            for c, digit in enumerate(plane.digits):
                if digit:
                    multiple = once if abs(digit) == 1 else twice
                    with m.Case(c):
                        m.d.comb += word.eq(~multiple if digit < 0 else multiple)
        return self.register(m, word, "word")

    def _ones(self, m: Module) -> list[Value]:
        counts: list[Value] = []
        for s in range(self.plan.simd):
            bits = [Const(0, 1)] * (max(plane.shift for plane in self.plan.planes) + 1)
            for plane in self.plan.planes:
                if plane.negative:
                    code = self.x[s][plane.shift : plane.shift + plane.width]
                    bits[plane.shift] = code.matches(*plane.negative)
            counts.append(self.register(m, Cat(*bits), "ones"))
        return counts
