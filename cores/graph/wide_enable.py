"""The enable of a pipeline whose registers one net cannot reach."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from cores.silicon.family import silicon
from platforms.device import Device


class WideEnable(Component):
    """All stages move together: if the output is taken, or the last stage holds nothing.

    That the last stage holds nothing is a register for each net.

    Parameters
    ----------
    depth : int
        Stages.
    nets : int
    device : Device or None

    Members
    -------
    i_valid, o_ready : In(1)
    i_ready, o_valid : Out(1)
    en : Out(nets)
    """

    i_valid: Signal
    i_ready: Signal
    o_valid: Signal
    o_ready: Signal
    en: Signal

    def __init__(self, depth: int, nets: int, device: Device | None):
        self.depth, self.device = depth, device
        super().__init__(
            {
                "i_valid": In(1),
                "o_ready": In(1),
                "i_ready": Out(1),
                "o_valid": Out(1),
                "en": Out(nets),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        valid, coming = Signal(self.depth), Signal(self.depth)
        m.d.comb += [coming.eq(valid), self.o_valid.eq(valid[-1]), self.i_ready.eq(self.en[0])]
        with m.If(self.en[0]):
            m.d.comb += coming.eq(Cat(self.i_valid, valid))
        m.d.sync += valid.eq(coming)
        for net, enable in enumerate(self.en):
            room = silicon(self.device).logic.kept_register(m, f"room{net}", ~coming[-1], init=1)
            m.d.comb += enable.eq(self.o_ready | room)
        return m
