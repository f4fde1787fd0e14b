"""Pipeline stages that move for themselves, where one net cannot reach all registers of a stage."""

from collections.abc import Sequence

from amaranth.hdl import ClockSignal, Const, Instance, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib.wiring import Component, In, Out

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
                m.d.comb += self.en[net].eq(self.o_ready | self._register(m, room, net))
                net += 1
        return m

    def _register(self, m: Module, value: Signal, number: int) -> Value:
        """A register that begins at 1; on ECP5 a cell, as yosys would merge equal registers."""
        register = Signal(init=1, name=f"room{number}")
        if self.device is None or not self.device.wide_carry:
            m.d.sync += register.eq(value)
            return register
        m.submodules[f"room{number}"] = Instance(
            "TRELLIS_FF",
            i_CLK=ClockSignal(),
            i_LSR=ResetSignal(),
            i_CE=Const(1, 1),
            i_DI=value,
            o_Q=register,
            p_GSR="DISABLED",
            p_CLKMUX="CLK",
            p_CEMUX="CE",
            p_LSRMUX="LSR",
            p_SRMODE="LSR_OVER_CE",
            p_REGSET="SET",
        )
        return register
