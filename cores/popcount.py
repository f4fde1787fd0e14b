"""Count of set bits: 3:2 compressors, then one carry adder; and the XNOR dot products made of it.

On 4-input LUTs a compressor of single bits costs two LUTs; a tree of short carry chains would cost
about 16 % more. Words are another matter: see `adder_tree`.
"""

from dataclasses import dataclass, replace

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.data import View
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.dot_product import signature
from cores.types import IntType
from platforms.device import Device

_LEVELS_PER_STAGE = 2


def heights(count: int) -> list[list[int]]:
    """Bits of each weight, lowest first, before and after each level of compressors."""
    rows = [[count]]
    while max(rows[-1]) > 2:
        before = [*rows[-1], 0]
        carries = [0, *(height // 3 for height in before[:-1])]
        after = [h - h // 3 * 2 + c for h, c in zip(before, carries, strict=True)]
        rows.append(after if after[-1] else after[:-1])
    return rows


def depth(count: int) -> int:
    """Cycles of a `PopCount` of that many bits."""
    levels = len(heights(count)) - 1
    adds = max(heights(count)[-1]) > 1
    return levels // _LEVELS_PER_STAGE + (adds or levels % _LEVELS_PER_STAGE != 0)


def cost(count: int) -> Count:
    """Of a `PopCount` of that many bits."""
    rows = heights(count)
    lut = sum(2 * (h // 3) for row in rows[:-1] for h in row)
    stages = rows[_LEVELS_PER_STAGE::_LEVELS_PER_STAGE]
    ff = sum(sum(row) for row in stages)
    if max(rows[-1]) > 1:
        first = rows[-1].index(2)
        return Count(lut=lut, add=count.bit_length() - first, ff=ff + count.bit_length())
    return Count(lut=lut, ff=ff + (sum(rows[-1]) if (len(rows) - 1) % 2 else 0))


class PopCount(Component):
    """Number of set bits, `depth(count)` cycles later.

    Parameters
    ----------
    count : int
        Number of input bits; at least 1.

    Members
    -------
    en : In(1)
        Moves every register.
    i : In(count)
    o : Out(count.bit_length())
    """

    en: Signal
    i: Signal
    o: Signal

    def __init__(self, count: int):
        super().__init__({"en": In(1), "i": In(count), "o": Out(count.bit_length())})

    def elaborate(self, platform) -> Module:
        m = Module()
        columns: list[list[Value]] = [list(self.i)]
        level = 0
        while max(map(len, columns)) > 2:
            columns = self._compress(columns)
            level += 1
            if level % _LEVELS_PER_STAGE == 0:
                columns = self._register(m, columns, f"level{level}")
        if max(map(len, columns)) > 1:
            rows = [Cat(*(c[k] if k < len(c) else Const(0, 1) for c in columns)) for k in (0, 1)]
            total = Signal(len(self.o), reset_less=True)
            with m.If(self.en):
                m.d.sync += total.eq(rows[0] + rows[1])
            m.d.comb += self.o.eq(total)
        else:
            if level % _LEVELS_PER_STAGE:
                columns = self._register(m, columns, f"level{level}")
            m.d.comb += self.o.eq(Cat(*(c[0] if c else Const(0, 1) for c in columns)))
        return m

    @staticmethod
    def _compress(columns: list[list[Value]]) -> list[list[Value]]:
        """Three bits of one weight become one of that weight and one of the next."""
        after: list[list[Value]] = [[] for _ in range(len(columns) + 1)]
        for weight, bits in enumerate(columns):
            whole = len(bits) // 3 * 3
            for a, b, c in zip(bits[0:whole:3], bits[1:whole:3], bits[2:whole:3], strict=True):
                after[weight].append(a ^ b ^ c)
                after[weight + 1].append((a & b) | (c & (a | b)))
            after[weight] += bits[whole:]
        return after if after[-1] else after[:-1]

    def _register(self, m: Module, columns: list[list[Value]], name: str) -> list[list[Value]]:
        late: list[list[Value]] = []
        for weight, bits in enumerate(columns):
            register = Signal(len(bits), name=f"{name}_{weight}", reset_less=True)
            with m.If(self.en):
                m.d.sync += register.eq(Cat(*bits))
            late.append(list(register))
        return late


@dataclass(frozen=True, eq=False)
class XnorDot:
    """Plan of dot products of weights -1, 1 with inputs 0, 1; see `DotProduct`.

    A weight is stored as one bit, set for 1. The bit XNOR the input is the product, or one more
    where the weight is -1.

    Parameters
    ----------
    weights : int array, (rows, cols)
    dtype : IntType
    pe, simd : int
    fixed : bool
        Whether the weights of a lane never change, so that no gate is needed for the XNOR.
    """

    weights: np.ndarray
    dtype: IntType
    pe: int
    simd: int
    fixed: bool

    @property
    def result(self) -> IntType:
        return IntType(0, self.simd)

    @property
    def negated(self) -> tuple[bool, ...]:
        return (False,) * self.pe

    @property
    def code_width(self) -> int:
        return 1

    @property
    def codes(self) -> np.ndarray:
        return (self.weights > 0).astype(np.int64)

    @property
    def corrections(self) -> np.ndarray:
        return -(self.weights < 0).sum(axis=1)

    @property
    def depth(self) -> int:
        return depth(self.simd)

    def cost(self, device: Device) -> Count:
        if not self.fixed:
            # A third of the gates find room in the LUTs of the compressors.
            return self.pe * (cost(self.simd) + Count(lut=self.simd - self.simd // 3))
        # Rows that differ in the signs of three columns all or none share their compressor, and
        # all rows share its sum: an XOR, up to an inversion that the next LUT takes.
        shared = 0
        for column in range(0, self.simd - 2, 3):
            signs = self.weights[:, column : column + 3]
            shared += 2 * self.pe - 1 - len({tuple(row) for row in (signs * signs[:, :1]).tolist()})
        total = self.pe * cost(self.simd)
        return replace(total, lut=max(0, total.lut - shared))

    def unit(self, device: Device | None) -> "XnorDotUnit":
        return XnorDotUnit(self)


class XnorDotUnit(Component):
    """Computes an `XnorDot`; ports as in `dot_product.signature`."""

    en: Signal
    x: View
    w: View
    o: View

    def __init__(self, plan: XnorDot):
        self.plan = plan
        super().__init__(signature(plan, plan.dtype, pe=plan.pe, simd=plan.simd))

    def elaborate(self, platform) -> Module:
        m = Module()
        simd = self.plan.simd
        x = Cat(*(self.x[s][0] for s in range(simd)))
        for p in range(self.plan.pe):
            m.submodules[f"count{p}"] = count = PopCount(simd)
            w = Cat(*(self.w[p * simd + s] for s in range(simd)))
            m.d.comb += [count.en.eq(self.en), count.i.eq(~(x ^ w)), self.o[p].eq(count.o)]
        return m
