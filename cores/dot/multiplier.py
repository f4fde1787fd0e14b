"""One registered product, in a hard multiplier where the device has one; and dot products made of
them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.dot.dot_product import DotUnit, weight_range, words
from cores.silicon.family import silicon
from cores.sum import adder_tree
from cores.sum.adder_tree import AdderTree, Term
from cores.types import IntType
from platforms.device import Device

DEPTH = 3
"""Cycles from operands to product: input, pipeline and output register of the hard block."""


def product(a: IntType, b: IntType) -> IntType:
    """Range of the product of two ranges."""
    ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    return IntType(min(ends), max(ends))


def fits(device: Device, a: IntType, b: IntType) -> bool:
    """Whether one multiplier of the device takes these operands."""
    unit = device.multiplier
    return unit is not None and a.width <= unit.a_width and b.width <= unit.b_width


def check_device(owner: str, blocks: int, device: Device) -> None:
    """
    Raises
    ------
    ValueError
        The device has fewer multipliers.
    """
    found = device.multiplier.count if device.multiplier is not None else 0
    if blocks > found:
        name = device.multiplier.primitive if device.multiplier is not None else "multipliers"
        raise ValueError(
            f"{owner} must have {blocks} {name}, but {device.name} has {found}: "
            "fold it further, use no multipliers or take a larger device"
        )


class HardMultiplier(Component):
    """Product of two numbers, `DEPTH` cycles later.

    Parameters
    ----------
    a_type, b_type : IntType
    device : Device or None
        Without one, or without a multiplier that fits, a product in logic of the same
        latency.

    Members
    -------
    en : In(1)
        Moves every register.
    a, b : In
    o : Out
    """

    en: Signal
    a: Signal
    b: Signal
    o: Signal

    def __init__(self, a_type: IntType, b_type: IntType, device: Device | None = None):
        self.a_type, self.b_type, self.device = a_type, b_type, device
        super().__init__(
            {
                "en": In(1),
                "a": In(a_type.shape),
                "b": In(b_type.shape),
                "o": Out(product(a_type, b_type).shape),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        hard = self.device is not None and fits(self.device, self.a_type, self.b_type)
        cells = silicon(self.device if hard else None).multiplier
        cells.multiply(m, en=self.en, a=self.a, b=self.b, o=self.o)
        return m


@dataclass(frozen=True, eq=False)
class ProductDot:
    """Plan of dot products with one multiplier per product; see `DotProduct`.

    Parameters
    ----------
    weights : int array, (rows, cols)
    dtype : IntType
    pe, simd : int
    """

    weights: np.ndarray
    dtype: IntType
    pe: int
    simd: int

    @property
    def weight_type(self) -> IntType:
        return weight_range(self.weights)

    @property
    def products(self) -> list[Term]:
        return [Term(product(self.dtype, self.weight_type))] * self.simd

    @property
    def result(self) -> IntType:
        return adder_tree.plan(self.products)[-1][0].range

    @property
    def negated(self) -> tuple[bool, ...]:
        return (False,) * self.pe

    @property
    def code_width(self) -> int:
        return self.weight_type.width

    @property
    def codes(self) -> np.ndarray:
        return words(self.weights, self.code_width)

    @property
    def corrections(self) -> np.ndarray:
        return np.zeros(len(self.weights), np.int64)

    @property
    def depth(self) -> int:
        return DEPTH + adder_tree.levels(self.simd)

    def cost(self, device: Device) -> Count:
        return self.pe * (adder_tree.cost(self.products, device) + Count(dsp=self.simd))

    def unit(self, device: Device | None) -> DotUnit[Any]:
        return ProductDotUnit(self, device)


class ProductDotUnit(DotUnit[ProductDot]):
    """Computes a `ProductDot`."""

    def elaborate(self, platform) -> Module:
        m = Module()
        plan = self.plan
        for p in range(plan.pe):
            m.submodules[f"sum{p}"] = tree = AdderTree(plan.products)
            m.d.comb += [tree.en.eq(self.en), self.o[p].eq(tree.o)]
            for s in range(plan.simd):
                unit = HardMultiplier(plan.dtype, plan.weight_type, self.device)
                m.submodules[f"multiplier{p}_{s}"] = unit
                m.d.comb += [
                    unit.en.eq(self.en),
                    unit.a.eq(self.x[s]),
                    unit.b.eq(self.w[p * plan.simd + s]),
                    tree.i[str(s)].eq(unit.o),
                ]
        return m
