"""Dot products of weights -1, 1 with inputs 0, 1: count of the bits in which they agree.

The XNOR gates and the first full adders share carry cells where the device has wide ones; see
`compressor`.
"""

from dataclasses import dataclass, replace

import numpy as np
from amaranth.hdl import Module

from cores.cost import Count
from cores.dot.dot_product import DotUnit
from cores.sum import compressor
from cores.sum.compressor import Compressor
from cores.sum.reduction import Addend, Gate, Reduction, reduction
from cores.types import IntType
from platforms.device import Device


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
    def addends(self) -> list[Addend]:
        gate = Gate.NONE if self.fixed else Gate.XNOR
        return [Addend(IntType(0, 1), gate=gate)] * self.simd

    @property
    def reduction(self) -> Reduction:
        return reduction(self.addends)

    @property
    def depth(self) -> int:
        return self.reduction.depth

    def cost(self, device: Device) -> Count:
        total = self.pe * compressor.cost(self.reduction, device)
        if not self.fixed:
            return total
        # Rows that differ in the signs of three columns all or none share their compressor, and
        # all rows share its sum: an XOR, up to an inversion that the next LUT takes.
        shared = 0
        for column in range(0, self.simd - 2, 3):
            signs = self.weights[:, column : column + 3]
            shared += 2 * self.pe - 1 - len({tuple(row) for row in (signs * signs[:, :1]).tolist()})
        return replace(total, lut=max(0, total.lut - shared))

    def unit(self, device: Device | None) -> "XnorDotUnit":
        return XnorDotUnit(self, device)


class XnorDotUnit(DotUnit[XnorDot]):
    """Computes an `XnorDot`."""

    def elaborate(self, platform) -> Module:
        m = Module()
        plan = self.plan
        for p in range(plan.pe):
            m.submodules[f"count{p}"] = count = Compressor(plan.addends, self.device)
            m.d.comb += [count.en.eq(self.en), self.o[p].eq(count.o)]
            for s in range(plan.simd):
                x, w = self.x[s][0], self.w[p * plan.simd + s][0]
                if plan.fixed:  # no gate is left of it
                    m.d.comb += count.i[str(s)].eq(~(x ^ w))
                else:
                    m.d.comb += [count.i[str(s)].eq(x), count.g[s].eq(w)]
        return m
