"""Dot products whose hard multipliers add: each its product to the sum of those before it.

Operands wait a cycle more for each multiplier of the chain, in registers that rows share for the
inputs; no adder is left in logic.
"""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.dot.dot_product import DotUnit
from cores.dot.multiplier import DEPTH, HardMultiplier, ProductDot, fits, product
from cores.silicon.family import silicon
from cores.types import IntType
from platforms.device import Device


def adds(device: Device | None, a: IntType, b: IntType, total: IntType) -> bool:
    """Whether a multiplier of the device takes the operands and makes sums of that range."""
    unit = device.multiplier if device is not None else None
    return (
        device is not None and unit is not None and fits(device, a, b) and total.width <= unit.adder
    )


class MultiplyAdd(Component):
    """A product of two numbers and the sum with a third, `multiplier.DEPTH` cycles later.

    Parameters
    ----------
    a_type, b_type, c_type : IntType
    device : Device or None
        Without one, or without a multiplier that fits and adds, in logic of the same
        latency.

    Members
    -------
    en : In(1)
        Moves every register.
    a, b : In
    c : In
        One enabled cycle before the result: what the multiplier before in a chain gives then.
    o : Out
    """

    en: Signal
    a: Signal
    b: Signal
    c: Signal
    o: Signal

    def __init__(
        self, a_type: IntType, b_type: IntType, c_type: IntType, device: Device | None = None
    ):
        self.a_type, self.b_type, self.device = a_type, b_type, device
        self.total = plus(c_type, product(a_type, b_type))
        super().__init__(
            {
                "en": In(1),
                "a": In(a_type.shape),
                "b": In(b_type.shape),
                "c": In(c_type.shape),
                "o": Out(self.total.shape),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        hard = adds(self.device, self.a_type, self.b_type, self.total)
        cells = silicon(self.device if hard else None).multiplier
        cells.multiply_add(m, en=self.en, a=self.a, b=self.b, c=self.c, o=self.o)
        return m


def plus(a: IntType, b: IntType) -> IntType:
    return IntType(a.lo + b.lo, a.hi + b.hi)


@dataclass(frozen=True, eq=False)
class ChainedDot(ProductDot):
    """Plan of the unit; see `DotProduct`."""

    @property
    def depth(self) -> int:
        return DEPTH + self.simd - 1

    @property
    def result(self) -> IntType:
        one = product(self.dtype, self.weight_type)
        return IntType(one.lo * self.simd, one.hi * self.simd)

    def cost(self, device: Device) -> Count:
        waiting = self.simd * (self.simd - 1) // 2
        bits = self.dtype.width + self.pe * self.code_width
        return Count(dsp=self.pe * self.simd, ff=waiting * bits)

    def unit(self, device: Device | None) -> DotUnit[Any]:
        return ChainedDotUnit(self, device)


class ChainedDotUnit(DotUnit[ChainedDot]):
    """Computes a `ChainedDot`."""

    def elaborate(self, platform) -> Module:
        m = Module()
        plan = self.plan
        x = [self.later(m, Value.cast(self.x[s]), s, f"x{s}") for s in range(plan.simd)]
        one = product(plan.dtype, plan.weight_type)
        for p in range(plan.pe):
            total, so_far = Value.cast(self.o[p]), IntType(0, 0)
            for s in range(plan.simd):
                name = f"{p}_{s}"
                w = self.later(m, Value.cast(self.w[p * plan.simd + s]), s, f"w{name}")
                if s:
                    unit = MultiplyAdd(plan.dtype, plan.weight_type, so_far, self.device)
                    m.d.comb += unit.c.eq(total)
                else:
                    unit = HardMultiplier(plan.dtype, plan.weight_type, self.device)
                m.submodules[f"multiplier{name}"] = unit
                m.d.comb += [unit.en.eq(self.en), unit.a.eq(x[s]), unit.b.eq(w)]
                total, so_far = unit.o, plus(so_far, one)
            m.d.comb += self.o[p].eq(total)
        return m
