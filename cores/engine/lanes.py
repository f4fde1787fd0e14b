"""Multipliers and sums of an engine: one row per lane."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.dot.dual_multiplier import DualMultiplier
from cores.dot.multiplier import HardMultiplier
from cores.engine.layer import BYTE, UP
from cores.types import IntType
from platforms.device import Device

OPERANDS = 3
"""Cycles from a step to its operands."""
FOUR = 4
"""Lanes with a number of their own in a depthwise layer: those of one word."""


class Lanes(Component):
    """Adds products until the last one, then hands the sums on one by one.

    Parameters
    ----------
    count : int
        A multiple of 4.
    sums : IntType
        Of what is on the way.
    device : Device or None
    compares, joins : bool
        There are layers with `largest`, and factors of two digits.

    Members
    -------
    word : In(32)
        Four numbers.
    byte : In(2)
        The one for all lanes.
    apart : In(1)
        Lanes 0 to 3 take one number each.
    largest : In(1)
        They keep the largest product, which is a byte, counted from the lowest byte.
    weights : In, one byte per lane
    add : In(1)
        The products of the operands that came `DEPTH` cycles ago are added.
    last : In(1)
        They complete the sums.
    up : In(1)
        Digits of the next place follow them, in lanes 0 to 3.
    shift : In(1)
        The next sum.
    sum : Out(sums.shape)
        Of lane 0 in the cycle after `add` and `last`.
    """

    word: Signal
    byte: Signal
    apart: Signal
    largest: Signal
    weights: View
    add: Signal
    last: Signal
    up: Signal
    shift: Signal
    sum: Signal

    def __init__(
        self,
        count: int,
        sums: IntType,
        device: Device | None = None,
        *,
        compares: bool = False,
        joins: bool = False,
    ):
        self.count, self.sums, self.device = count, sums, device
        self.compares, self.joins = compares, joins
        super().__init__(
            {
                "word": In(32),
                "byte": In(2),
                "apart": In(1),
                "largest": In(1),
                "weights": In(ArrayLayout(BYTE.shape, count)),
                "add": In(1),
                "last": In(1),
                "up": In(1),
                "shift": In(1),
                "sum": Out(sums.shape),
            }
        )

    @staticmethod
    def cost(count: int, sums: IntType, device: Device) -> Count:
        bits, unit = count * sums.width, device.multiplier
        total = Count(
            add=bits, ends=count * (sums.width % 2 == 0), ff=2 * bits, mux=bits + 8 * (2 + FOUR)
        )
        if unit is None:
            # Products of 8 x 8 bits in logic: an AND and a bit of an adder for each pair of bits;
            # the operands, and the product twice, in registers.
            return total + count * Count(lut=64, add=64, ff=48)
        return total + Count(dsp=-(-count // unit.lanes8))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        numbers = [self.word.word_select(k, 8).as_signed() for k in range(FOUR)]
        shared = Signal(BYTE.shape)
        m.d.comb += shared.eq(self.word.word_select(self.byte, 8).as_signed())
        operands = []
        for lane in range(self.count):
            operand = Signal(BYTE.shape, name=f"operand{lane}")
            own = Mux(self.apart, numbers[lane], shared) if lane < FOUR else shared
            m.d.comb += operand.eq(own)
            operands.append(operand)
        products = self._products(m, operands)
        kept = [Signal(self.sums.shape, name=f"kept{k}") for k in range(self.count)]
        for lane in range(self.count):
            total = Signal(self.sums.shape, name=f"sum{lane}")
            following = Signal(self.sums.shape, name=f"following{lane}")
            m.d.comb += following.eq(total + products[lane])
            if self.compares and lane < FOUR:
                counted = Signal(8, name=f"counted{lane}")
                m.d.comb += counted.eq(products[lane] - BYTE.lo)
                with m.If(self.largest):
                    m.d.comb += following.eq(Mux(counted > total[:8], counted, total[:8]))
            with m.If(self.add):
                m.d.sync += total.eq(following)
                if self.joins and lane < FOUR:
                    with m.If(self.up):
                        m.d.sync += total.eq(following << UP)
                with m.If(self.last):
                    m.d.sync += total.eq(0)
            behind = kept[lane + 1] if lane + 1 < self.count else kept[0]
            with m.If(self.add & self.last):
                m.d.sync += kept[lane].eq(following)
            with m.Elif(self.shift):
                m.d.sync += kept[lane].eq(behind)
        m.d.comb += self.sum.eq(kept[0])
        return m

    def _products(self, m: Module, operands: list[Signal]) -> list[Signal]:
        unit = self.device.multiplier if self.device is not None else None
        if unit is None or unit.lanes8 == 2:
            found = []
            for pair in range(self.count // 2):
                m.submodules[f"products{pair}"] = dual = DualMultiplier(BYTE, BYTE, self.device)
                m.d.comb += [
                    dual.en.eq(1),
                    dual.a0.eq(operands[2 * pair]),
                    dual.b0.eq(self.weights[2 * pair]),
                    dual.a1.eq(operands[2 * pair + 1]),
                    dual.b1.eq(self.weights[2 * pair + 1]),
                ]
                found += [dual.o0, dual.o1]
            return found
        found = []
        for lane, operand in enumerate(operands):
            m.submodules[f"product{lane}"] = single = HardMultiplier(BYTE, BYTE, self.device)
            m.d.comb += [single.en.eq(1), single.a.eq(operand), single.b.eq(self.weights[lane])]
            found.append(single.o)
        return found
