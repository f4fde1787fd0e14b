"""The hardware of a clock plan: PLL, power-on reset, and the `sync` domain of a board."""

from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import Component, In, Out

from platforms import pll
from platforms.clocks import ClockPlan
from platforms.pll import Pll


class PowerOnReset(Component):
    """Holds a reset until a clock has been good for a while; lost lock brings it back.

    Parameters
    ----------
    cycles : int
        Cycles of `domain` from synchronised lock to release.
    domain : str
        Without reset; its flip-flops start at 0 by configuration.

    Members
    -------
    lock : In(1), asynchronous
    reset : Out(1)
    """

    lock: Signal
    reset: Signal

    def __init__(self, cycles: int, *, domain: str):
        super().__init__({"lock": In(1), "reset": Out(1)})
        self._cycles = cycles
        self._domain = domain

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        locked = Signal()
        waited = Signal(range(self._cycles + 1))
        released = Signal()
        m.submodules.lock_sync = FFSynchronizer(self.lock, locked, o_domain=self._domain)
        m.d.comb += self.reset.eq(~released)
        with m.If(~locked):
            m.d[self._domain] += [waited.eq(0), released.eq(0)]
        with m.Elif(waited != self._cycles):
            m.d[self._domain] += waited.eq(waited + 1)
        with m.Else():
            m.d[self._domain] += released.eq(1)
        return m


class ClockGenerator(Elaboratable):
    """Drives the `sync` domain of a board: its clock by plan, its reset from power-on and lock.

    The domain itself belongs to the module around it, as Amaranth wants it above its users. nextpnr
    derives the constraint of the clock from the oscillator's, which Amaranth writes.

    Parameters
    ----------
    plan : ClockPlan
    pll_pad : bool
        Whether the oscillator's pin is the pad of the PLL itself, as pin 35 of the iCE40UP5K-SG48;
        iCE40 then needs another primitive.
    """

    def __init__(self, plan: ClockPlan, *, pll_pad: bool = False):
        self._plan = plan
        self._pll_pad = pll_pad

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        clock = Signal()
        m.domains.power_on = ClockDomain(reset_less=True, local=True)
        m.submodules.reset = reset = PowerOnReset(self._plan.reset_cycles, domain="power_on")
        self._source(m, platform, clock, reset.lock)
        m.d.comb += [
            ClockSignal("power_on").eq(clock),
            ClockSignal("sync").eq(clock),
            ResetSignal("sync").eq(reset.reset),
        ]
        return m

    def _source(self, m: Module, platform: Any, clock: Signal, lock: Signal) -> None:
        pin = platform.request(platform.default_clk, dir="-")
        setting = self._plan.pll
        if setting is None:
            m.submodules.buffer = buffer = io.Buffer(io.Direction.Input, pin)
            m.d.comb += [clock.eq(buffer.i), lock.eq(1)]
        elif setting.limits is pll.ICE40 and self._pll_pad:
            m.submodules.pll = _sb_pll40(
                "SB_PLL40_PAD", setting, ("i", "PACKAGEPIN", pin.io), clock, lock
            )
        else:
            m.submodules.buffer = buffer = io.Buffer(io.Direction.Input, pin)
            if setting.limits is pll.ICE40:
                reference = ("i", "REFERENCECLK", buffer.i)
                m.submodules.pll = _sb_pll40("SB_PLL40_CORE", setting, reference, clock, lock)
            else:
                m.submodules.pll = _ehxplll(setting, buffer.i, clock, lock)


def _sb_pll40(
    primitive: str, setting: Pll, reference: tuple[str, str, Any], clock: Signal, lock: Signal
) -> Instance:
    # Loop filter by phase detector frequency, as icepll sets it.
    filter_range = 1 + sum(setting.phase_detector_mhz >= limit for limit in (17, 26, 44, 66, 101))
    return Instance(
        primitive,
        reference,
        ("p", "FEEDBACK_PATH", "SIMPLE"),
        ("p", "DIVR", Const(setting.reference_divider - 1, 4)),
        ("p", "DIVF", Const(setting.multiplier - 1, 7)),
        ("p", "DIVQ", Const(setting.output_divider.bit_length() - 1, 3)),
        ("p", "FILTER_RANGE", Const(filter_range, 3)),
        ("i", "RESETB", Const(1)),
        ("i", "BYPASS", Const(0)),
        ("o", "PLLOUTGLOBAL", clock),
        ("o", "LOCK", lock),
    )


def _ehxplll(setting: Pll, reference: Any, clock: Signal, lock: Signal) -> Instance:
    # CLKOP closes the loop, CLKOS is the clock; CLKOP equals it where the dividers allow.
    feedback_divider = setting.output_divider
    if setting.multiplier % feedback_divider:
        feedback_divider = setting.multiplier
    feedback = Signal()
    outputs = (("CLKOP", feedback_divider, feedback), ("CLKOS", setting.output_divider, clock))
    return Instance(
        "EHXPLLL",
        # Analog settings that ecppll of Project Trellis gives every loop.
        ("a", "ICP_CURRENT", "12"),
        ("a", "LPF_RESISTOR", "8"),
        ("a", "MFG_ENABLE_FILTEROPAMP", "1"),
        ("a", "MFG_GMCREF_SEL", "2"),
        ("p", "FEEDBK_PATH", "CLKOP"),
        ("p", "CLKI_DIV", setting.reference_divider),
        ("p", "CLKFB_DIV", setting.multiplier // feedback_divider),
        *(("p", f"{name}_ENABLE", "ENABLED") for name, _, _ in outputs),
        *(("p", f"{name}_DIV", divider) for name, divider, _ in outputs),
        # Phase counters start so that every output rises with the reference.
        *(("p", f"{name}_CPHASE", divider - 1) for name, divider, _ in outputs),
        *(("p", f"{name}_FPHASE", 0) for name, _, _ in outputs),
        *(("o", name, signal) for name, _, signal in outputs),
        ("i", "CLKI", reference),
        ("i", "CLKFB", feedback),
        ("i", "RST", Const(0)),
        ("i", "STDBY", Const(0)),
        ("i", "PHASESEL0", Const(0)),
        ("i", "PHASESEL1", Const(0)),
        ("i", "PHASEDIR", Const(1)),
        ("i", "PHASESTEP", Const(1)),
        ("i", "PHASELOADREG", Const(1)),
        ("i", "PLLWAKESYNC", Const(0)),
        ("i", "ENCLKOP", Const(0)),
        ("o", "LOCK", lock),
    )
