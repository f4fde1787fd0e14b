"""Dot products whose rows share hard multipliers: packed, summed, split and summed on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value

from cores.cost import Count
from cores.dot import multiplier
from cores.dot.dot_product import DotUnit, weight_range
from cores.dot.dual_multiplier import DualMultiplier
from cores.dot.lane_layout import Layout, borrowed
from cores.dot.multiplier import HardMultiplier
from cores.sum import adder_tree, compressor
from cores.sum.adder_tree import AdderTree, Term, adder
from cores.sum.compressor import Compressor
from cores.sum.reduction import Addend, reduction
from cores.types import IntType
from platforms.device import Device

SIGN = IntType(-1, 0)
"""A carry that is one bit: that of a negative lane."""

_BIT = Addend(IntType(0, 1))


@dataclass(frozen=True, eq=False)
class PackedDot:
    """Plan of the unit; see `DotProduct`.

    The rows of a step form groups of `layout.rows`; a group's products with one column, of all
    pixels, are one product of packed operands. Those are summed packed as far as the layout allows,
    then split. What each lane carries into the next is summed apart and taken off at the end.

    Parameters
    ----------
    weights : int array, (rows, cols)
    dtype : IntType
        Range of the inputs.
    pe, simd : int
    layout : Layout
        For types that hold `dtype` and `weights`; it says how many pixels there are.

    Raises
    ------
    ValueError
        They do not.
    """

    weights: np.ndarray
    dtype: IntType
    pe: int
    simd: int
    layout: Layout

    def __post_init__(self):
        held = (self.layout.weight, self.layout.activation)
        kinds = ("weights", weight_range(self.weights)), ("inputs", self.dtype)
        for (name, kind), declared in zip(kinds, held, strict=True):
            if not declared.holds(kind):
                raise ValueError(f"{name} of {self.layout} must be {declared}, not {kind}")

    @cached_property
    def groups(self) -> tuple[Layout, ...]:
        """The layout of each group of rows; the last group may be smaller."""
        sizes = [min(self.layout.rows, self.pe - p) for p in range(0, self.pe, self.layout.rows)]
        return tuple(self.layout.of_rows(size) for size in sizes)

    @cached_property
    def chunks(self) -> tuple[range, ...]:
        """The columns of each packed sum."""
        size = self.layout.products
        return tuple(range(s, min(s + size, self.simd)) for s in range(0, self.simd, size))

    @cached_property
    def codes_as_numbers(self) -> np.ndarray:
        steps = self.weights.reshape(-1, self.pe, self.weights.shape[1])
        codes = [
            borrowed(steps[:, p : p + self.layout.rows].swapaxes(1, 2)).swapaxes(1, 2)
            for p in range(0, self.pe, self.layout.rows)
        ]
        return np.concatenate(codes, axis=1).reshape(self.weights.shape)

    @cached_property
    def code_type(self) -> IntType:
        return weight_range(self.codes_as_numbers)

    @property
    def code_width(self) -> int:
        return self.code_type.width

    @property
    def codes(self) -> np.ndarray:
        return self.codes_as_numbers & (1 << self.code_width) - 1

    @property
    def result(self) -> IntType:
        bias = self.layout.bias * len(self.chunks)
        one = self.layout.product
        return IntType(one.lo * self.simd + bias, one.hi * self.simd + bias)

    @property
    def negated(self) -> tuple[bool, ...]:
        return (False,) * self.pe * self.layout.pixels

    @property
    def corrections(self) -> np.ndarray:
        beats = self.weights.shape[1] // self.simd
        return np.full(len(self.weights), -self.layout.bias * len(self.chunks) * beats)

    def packed_terms(self, group: Layout, chunk: range) -> list[Term]:
        """What is summed packed: products, and the bias of every lane."""
        terms = [Term(multiplier.product(group.weights, group.activations))] * len(chunk)
        if group.bias:
            terms.append(Term(IntType(self.bias_word(group), self.bias_word(group))))
        return terms

    @staticmethod
    def bias_word(group: Layout) -> int:
        return sum(group.bias << group.spacing * k for k in range(group.lanes))

    @staticmethod
    def word(group: Layout, k: int) -> Term:
        """A split lane with the carry from below still in it."""
        below = group.carries[k - 1] if k else IntType(0, 0)
        return Term(IntType(group.lane.lo + below.lo, group.lane.hi + below.hi))

    def carried(self, group: Layout) -> list[IntType | None]:
        """What each lane is carried into from below; None if nothing."""
        found = [None, *group.carries]
        return [None if c == IntType(0, 0) else c for c in found]

    @property
    def packed_depth(self) -> int:
        """Cycles of the sums of packed products."""
        return adder_tree.levels(len(self.packed_terms(self.layout, self.chunks[0])))

    @property
    def splits(self) -> bool:
        """Whether products have lanes, which are registered."""
        return self.layout.lanes > 1

    @property
    def late(self) -> bool:
        """Whether any carry is taken off."""
        return any(carry is not None for group in self.groups for carry in self.carried(group))

    @property
    def depth(self) -> int:
        trees = self.packed_depth + adder_tree.levels(len(self.chunks))
        return multiplier.DEPTH + trees + self.splits + self.late

    def cost(self, device: Device) -> Count:
        halves = self.layout.slot.halves
        total = Count(dsp=self.simd * -(-len(self.groups) // halves))
        if self.dtype.signed:
            total += self.simd * (self.layout.pixels - 1) * Count(lut=self.dtype.width + 1)
        for group, count in Counter(self.groups).items():
            each = Count()
            for size, chunks in Counter(map(len, self.chunks)).items():
                each += chunks * adder_tree.cost(self.packed_terms(group, range(size)), device)
            for k, carry in enumerate(self.carried(group)):
                each += self._lane_cost(group, k, carry, device)
            total += count * each
        return total

    def _lane_cost(self, group: Layout, k: int, carry: IntType | None, device: Device) -> Count:
        chunks = len(self.chunks)
        word, width = self.word(group, k), self.result.width
        total = adder_tree.cost([word] * chunks, device)
        if self.splits:
            total += Count(ff=chunks * word.dtype.width)
        if self.late:
            total += Count(ff=width)
        if carry is None:
            return total
        total += adder(width, device)
        total += chunks * _low_cost(group.low_bits(k - 1))
        if carry == SIGN:
            return total + compressor.cost(reduction([_BIT] * chunks), device)
        return total + adder_tree.cost([Term(carry)] * chunks, device)

    def unit(self, device: Device | None) -> "PackedDotUnit":
        return PackedDotUnit(self, device)


def _low_cost(bits: int) -> Count:
    """The lowest bits of a product, and what the lane above has more; as synthesised."""
    return Count(lut=bits * bits, add=bits, ff=4 * bits)


class PackedDotUnit(DotUnit[PackedDot]):
    """Computes a `PackedDot`."""

    def __init__(self, plan: PackedDot, device: Device | None):
        super().__init__(plan, device, pixels=plan.layout.pixels)

    def elaborate(self, platform) -> Module:
        m = Module()
        plan = self.plan
        products = [self._products(m, s) for s in range(plan.simd)]
        for g, group in enumerate(plan.groups):
            words: list[list[Value]] = []
            for c, chunk in enumerate(plan.chunks):
                total = self._packed_sum(m, f"packed{g}_{c}", g, [products[s][g] for s in chunk])
                words.append(self._split(m, g, chunk, total))
            for k, lane in enumerate(zip(*words, strict=True)):
                value = self._sum(m, f"lane{g}_{k}", [plan.word(group, k)] * len(lane), lane)
                carry = plan.carried(group)[k]
                if carry is not None:
                    below = [word[k - 1] >> group.spacing for word in words]
                    value = self._less(m, f"carry{g}_{k}", value, carry, below)
                if plan.late:
                    value = self.register(m, value, f"row{g}_{k}", plan.result)
                pixel, row = group.pair(k)
                m.d.comb += self.o[pixel * plan.pe + g * plan.layout.rows + row].eq(value)
        return m

    def _sum(self, m: Module, name: str, terms: list[Term], words: Sequence[Value]) -> Value:
        m.submodules[name] = tree = AdderTree(terms)
        m.d.comb += tree.en.eq(self.en)
        m.d.comb += [tree.i[str(k)].eq(word) for k, word in enumerate(words)]
        return tree.o

    def _code(self, row: int, s: int) -> Value:
        code = self.w[row * self.plan.simd + s]
        return code.as_signed() if self.plan.code_type.signed else code

    def _operand(self, m: Module, g: int, s: int) -> Value:
        """Packed weights: stored fields one after the other, each sign-extended to the next."""
        group = self.plan.groups[g]
        word = Signal(group.weights.shape)
        fields: list[Value] = []
        for k in range(group.rows):
            code = self._code(g * self.plan.layout.rows + k, s)
            if k < group.rows - 1:
                field = Signal(group.weight_spacing)
                m.d.comb += field.eq(code)
                code = field
            fields.append(code)
        m.d.comb += word.eq(Cat(*fields).as_signed() if group.weights.signed else Cat(*fields))
        return word

    def _inputs(self, m: Module, group: Layout, s: int) -> Value:
        """Packed inputs of one column: each field less one if those below it are negative."""
        word = Signal(group.activations.shape)
        fields: list[Value] = []
        for pixel in range(group.pixels):
            x = self.x[pixel * self.plan.simd + s]
            field = Signal(group.activation_spacing if pixel < group.pixels - 1 else len(x) + 1)
            borrowed = pixel > 0 and self.plan.dtype.signed
            m.d.comb += field.eq(x - fields[-1][-1] if borrowed else x)
            fields.append(field)
        m.d.comb += word.eq(Cat(*fields).as_signed() if self.plan.dtype.signed else Cat(*fields))
        return word

    def _products(self, m: Module, s: int) -> list[Value]:
        """One column's packed product of each group."""
        plan = self.plan
        operands = [self._operand(m, g, s) for g in range(len(plan.groups))]
        inputs = {group: self._inputs(m, group, s) for group in dict.fromkeys(plan.groups)}
        found: list[Value] = []
        while len(found) < len(operands):
            g = len(found)
            if plan.layout.slot.halves == 2 and g + 1 < len(operands):
                kinds = plan.groups[g].weights, plan.groups[g].activations
                unit = DualMultiplier(*kinds, self.device)
                m.submodules[f"multipliers{g}_{s}"] = unit
                m.d.comb += [unit.en.eq(self.en), unit.a0.eq(operands[g])]
                m.d.comb += [unit.a1.eq(operands[g + 1])]
                m.d.comb += [unit.b0.eq(inputs[plan.groups[g]])]
                m.d.comb += unit.b1.eq(inputs[plan.groups[g + 1]])
                found += [unit.o0, unit.o1]
            else:
                group = plan.groups[g]
                unit = HardMultiplier(group.weights, group.activations, self.device)
                m.submodules[f"multiplier{g}_{s}"] = unit
                m.d.comb += [unit.en.eq(self.en), unit.a.eq(operands[g])]
                m.d.comb += unit.b.eq(inputs[group])
                found.append(unit.o)
        return found

    def _packed_sum(self, m: Module, name: str, g: int, products: list[Value]) -> Value:
        plan = self.plan
        group = plan.groups[g]
        words = list(products)
        if group.bias:
            bias = plan.bias_word(group)
            words.append(Const(bias, IntType(bias, bias).shape))
        terms = plan.packed_terms(group, range(len(products)))
        total = self._sum(m, name, terms, words)
        early = plan.packed_depth - adder_tree.levels(len(words))
        return self.later(m, total, early, name)

    def _split(self, m: Module, g: int, chunk: range, total: Value) -> list[Value]:
        """The lanes with the carries from below still in them, registered."""
        group = self.plan.groups[g]
        if not self.plan.splits:
            return [total]
        words: list[Value] = []
        for k in range(group.lanes):
            rest = total >> group.spacing * k
            word = Signal(self.plan.word(group, k).dtype.shape)
            if k < group.lanes - 1:
                field = rest[: group.spacing]
                bits = group.low_bits(k)
                if bits:
                    above = Signal(bits)
                    m.d.comb += above.eq((rest >> group.spacing) - self._low(m, g, k + 1, chunk[0]))
                    rest = Cat(field, above)
                else:
                    rest = field
                if group.lane.lo < 0:
                    rest = rest.as_signed()
            m.d.comb += word.eq(rest)
            words.append(self.register(m, word, f"word{g}_{k}_{chunk[0]}"))
        return words

    def _low(self, m: Module, g: int, k: int, s: int) -> Value:
        """The lowest bits of the product in lane `k`, when its multiplier has it."""
        group = self.plan.groups[g]
        bits, (pixel, first) = group.low_bits(k - 1), group.pair(k)
        row = g * self.plan.layout.rows + first
        name = f"low{row}_{pixel}_{s}"
        x, weight = Signal(bits), Signal(bits)
        m.d.comb += x.eq(self.x[pixel * self.plan.simd + s])
        # The stored weight is one less if the one below it in the group is negative.
        borrowed = first > 0 and self.plan.code_type.signed
        below = self._code(row - 1, s)[-1] if borrowed else 0
        m.d.comb += weight.eq(self._code(row, s) + below)
        if bits == 1:
            return self.later(m, x & weight, multiplier.DEPTH, name)
        x = self.register(m, x, f"{name}_x")
        weight = self.register(m, weight, f"{name}_weight")
        half = bits // 2
        parts = [Signal(bits), Signal(bits - half)]
        m.d.comb += [parts[0].eq(x * weight[:half]), parts[1].eq(x * weight[half:])]
        late = [self.register(m, part, f"{name}_part{n}") for n, part in enumerate(parts)]
        low = Signal(bits)
        m.d.comb += low.eq(late[0] + (late[1] << half))
        return self.register(m, low, name)

    def _less(
        self, m: Module, name: str, value: Value, carry: IntType, below: Sequence[Value]
    ) -> Value:
        """`value` less the sum of carries from below."""
        if carry != SIGN:
            return value - self._sum(m, name, [Term(carry)] * len(below), below)
        m.submodules[name] = count = Compressor([_BIT] * len(below), self.device)
        m.d.comb += count.en.eq(self.en)
        m.d.comb += [count.i[str(k)].eq(word[0]) for k, word in enumerate(below)]
        early = adder_tree.levels(len(below)) - count.plan.depth
        return value + self.later(m, count.o, early, name)
