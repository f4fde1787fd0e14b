"""Pipeline stages that move for themselves, where one net cannot reach all registers of a stage."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from cores.kept_register import kept_register
from platforms.device import Device


class StageEnables(Component):
    """A stage moves if the output is taken, or if there is room at or behind it.

    Whether there is room is a register, one for each net that enables registers.

    Parameters
    ----------
    copies : sequence of int
        Nets of each stage, the first stage first.
    device : Device or None

    Members
    -------
    i_valid, o_ready : In(1)
    i_ready, o_valid : Out(1)
    en : Out(sum(copies))
        The nets of the first stage in the lowest bits.
    """

    i_valid: Signal
    i_ready: Signal
    o_valid: Signal
    o_ready: Signal
    en: Signal

    def __init__(self, copies: Sequence[int], device: Device | None):
        self.copies, self.device = tuple(copies), device
        super().__init__(
            {
                "i_valid": In(1),
                "o_ready": In(1),
                "i_ready": Out(1),
                "o_valid": Out(1),
                "en": Out(sum(copies)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        stages = len(self.copies)
        valid, coming, moves = Signal(stages), Signal(stages), Signal(stages)
        m.d.sync += valid.eq(coming)
        m.d.comb += [self.o_valid.eq(valid[-1]), self.i_ready.eq(moves[0])]
        net = 0
        for stage, copies in enumerate(self.copies):
            before = valid[stage - 1] if stage else self.i_valid
            m.d.comb += moves[stage].eq(self.en[net])
            m.d.comb += coming[stage].eq(Mux(moves[stage], before, valid[stage]))
            room = Signal(name=f"room{stage}_coming")
            m.d.comb += room.eq(~coming[stage:].all())
            for _ in range(copies):
                held = kept_register(m, f"room{net}", room, init=1, device=self.device)
                m.d.comb += self.en[net].eq(self.o_ready | held)
                net += 1
        return m
