"""The same dot products of several positions at once: units side by side behind one weight word."""

from itertools import accumulate

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from cores.dot.dot_product import DotProduct
from cores.graph.adder_graph import AdderGraphDot
from platforms.device import Device


def nets(plan: DotProduct, copies: int) -> list[int]:
    """Nets of `DotCopies.en` that move each stage: one for all stages, but of adder graphs."""
    if isinstance(plan, AdderGraphDot):
        return [count * copies for count in plan.enables]
    return [1]


class DotCopies(Component):
    """Units of one plan with the same weights, each for the positions that follow the last one's.

    Parameters
    ----------
    plan : DotProduct
    copies : int
    device : Device or None

    Members
    -------
    en : In(sum(nets(plan, copies)))
        Moves the registers; the nets of the first stage in the lowest bits.
    x, w : In
        Operands: a part for each copy, and the weights of all.
    o : Out
        A part for each copy.
    """

    en: Signal
    x: Signal
    w: Signal
    o: Signal

    def __init__(self, plan: DotProduct, copies: int, device: Device | None):
        self.units = [plan.unit(device) for _ in range(copies)]
        self.nets = [count // copies for count in nets(plan, copies)]
        self.shared = not isinstance(plan, AdderGraphDot)
        x, w, o = (
            len(Value.cast(port)) for port in (self.units[0].x, self.units[0].w, self.units[0].o)
        )
        super().__init__(
            {
                "en": In(sum(nets(plan, copies))),
                "x": In(x * copies),
                "w": In(w),
                "o": Out(o * copies),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        starts = [0, *accumulate(count * len(self.units) for count in self.nets)]
        for k, unit in enumerate(self.units):
            m.submodules[f"unit{k}"] = unit
            x, w, o = Value.cast(unit.x), Value.cast(unit.w), Value.cast(unit.o)
            own = [
                self.en[start + k * count :][:count]
                for start, count in zip(starts, self.nets, strict=False)
            ]
            m.d.comb += [unit.en.eq(self.en if self.shared else Cat(*own)), w.eq(self.w)]
            m.d.comb += [x.eq(self.x.word_select(k, len(x))), self.o.word_select(k, len(o)).eq(o)]
        return m
