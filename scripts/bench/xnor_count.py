"""How many bits of two vectors agree, both of them inputs, one result in every cycle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import stream

from cores.cost import Count
from cores.op import Core, Op
from cores.sum import compressor
from cores.sum.compressor import Compressor
from cores.sum.reduction import Addend, Gate, Reduction, reduction
from cores.timing import Timing
from cores.types import IntType, StreamType
from platforms.device import Device

_BIT = IntType(0, 1)


@dataclass(frozen=True, eq=False)
class XnorCount(Op):
    """``(x[:bits] == x[bits:]).sum()``. Results must be taken at once: nothing can pause it."""

    bits: int

    @property
    def addends(self) -> list[Addend]:
        return [Addend(_BIT, gate=Gate.XNOR)] * self.bits

    @property
    def reduction(self) -> Reduction:
        return reduction(self.addends)

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType((2 * self.bits,), _BIT, 2 * self.bits)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {"o": StreamType((1,), IntType(0, self.bits))}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        x = tensors[0]
        return (x[..., : self.bits] == x[..., self.bits :]).sum(axis=-1, keepdims=True)

    @property
    def timing(self) -> Timing:
        return Timing(cycles=1, depth=self.reduction.depth)

    def cost(self, device: Device) -> Count:
        return compressor.cost(self.reduction, device) + Count(ff=self.depth)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["XnorCount"]:
        return (cls(9),)

    def extremes(self) -> tuple[np.ndarray, ...]:
        ones = np.ones(self.bits, np.int64)
        return (np.stack([np.concatenate([ones, ones]), np.concatenate([ones, 0 * ones])]),)

    def core(self, device: Device | None = None) -> "XnorCounter":
        return XnorCounter(self, device)


class XnorCounter(Core):
    op: XnorCount
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        m = Module()
        op = self.op
        m.submodules.count = count = Compressor(op.addends, self.device)
        valid = Signal(op.depth)
        m.d.sync += valid.eq(valid << 1 | self.i.valid)
        m.d.comb += [count.en.eq(1), self.i.ready.eq(1), self.o.valid.eq(valid[-1])]
        m.d.comb += self.o.payload[0].eq(count.o)
        for k in range(op.bits):
            m.d.comb += count.i[str(k)].eq(self.i.payload[k])
            m.d.comb += count.g[k].eq(self.i.payload[op.bits + k])
        return m
