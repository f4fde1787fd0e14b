"""Two registered products of up to 8 x 8 bits, in one hard multiplier that splits into halves."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from cores.dot.multiplier import HardMultiplier, product
from cores.silicon.ice40.multiplier import sb_mac16
from cores.types import IntType
from platforms.device import Device

WIDTH = 8


class DualMultiplier(Component):
    """Two products of the same types, `multiplier.DEPTH` cycles after their operands.

    Parameters
    ----------
    a_type, b_type : IntType
    device : Device or None
        Without one, without a known multiplier with halves, or with more than 8 bits, products in
        logic of the same latency.

    Members
    -------
    en : In(1)
        Moves every register.
    a0, b0, a1, b1 : In
    o0, o1 : Out
    """

    en: Signal
    a0: Signal
    b0: Signal
    a1: Signal
    b1: Signal
    o0: Signal
    o1: Signal

    def __init__(self, a_type: IntType, b_type: IntType, device: Device | None = None):
        self.a_type, self.b_type, self.device = a_type, b_type, device
        o = product(a_type, b_type)
        super().__init__(
            {
                "en": In(1),
                "a0": In(a_type.shape),
                "b0": In(b_type.shape),
                "a1": In(a_type.shape),
                "b1": In(b_type.shape),
                "o0": Out(o.shape),
                "o1": Out(o.shape),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        unit = self.device.multiplier if self.device is not None else None
        fits = max(self.a_type.width, self.b_type.width) <= WIDTH
        if fits and unit is not None and unit.primitive == "SB_MAC16" and unit.lanes8 == 2:
            self._sb_mac16(m)
            return m
        for k, (a, b, o) in enumerate(((self.a0, self.b0, self.o0), (self.a1, self.b1, self.o1))):
            m.submodules[f"half{k}"] = half = HardMultiplier(self.a_type, self.b_type)
            m.d.comb += [half.en.eq(self.en), half.a.eq(a), half.b.eq(b), o.eq(half.o)]
        return m

    def _sb_mac16(self, m: Module) -> None:
        operands = [Signal(WIDTH, name=name) for name in ("a0", "a1", "b0", "b1")]
        for inner, outer in zip(operands, (self.a0, self.a1, self.b0, self.b1), strict=True):
            m.d.comb += inner.eq(outer)  # sign- or zero-extended
        p = Signal(32)
        m.submodules.hard = sb_mac16(
            en=self.en,
            a=Cat(*operands[:2]),
            b=Cat(*operands[2:]),
            o=p,
            signed=(self.a_type.signed, self.b_type.signed),
            halves=True,
        )
        m.d.comb += [self.o0.eq(p[:16]), self.o1.eq(p[16:])]
