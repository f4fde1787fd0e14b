"""Two registered products of up to 8 x 8 bits, in one hard multiplier that splits into halves."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from cores.dot.multiplier import product
from cores.silicon.family import silicon
from cores.types import IntType
from platforms.device import Device

WIDTH = 8


class DualMultiplier(Component):
    """Two products of the same types, `multiplier.DEPTH` cycles after their operands.

    Parameters
    ----------
    a_type, b_type : IntType
    device : Device or None
        Without one, without a multiplier with halves, or with more than 8 bits, products in
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
        hard = fits and unit is not None and unit.lanes8 == 2
        silicon(self.device if hard else None).multiplier.multiply_halves(
            m,
            en=self.en,
            a=(self.a0, self.a1),
            b=(self.b0, self.b1),
            o=(self.o0, self.o1),
        )
        return m
