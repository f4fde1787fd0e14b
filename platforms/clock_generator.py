"""The hardware of a clock plan: PLL, power-on reset, and the `sync` domain of a board."""

from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import Component, In, Out

from platforms.clocks import ClockPlan
from platforms.families import FAMILIES


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
    family : str
        Of the device.
    pll_pad : bool
        Whether the oscillator's pin is the pad of the PLL itself, which some families tell apart.
    """

    def __init__(self, plan: ClockPlan, *, family: str, pll_pad: bool = False):
        self._plan = plan
        self._family = family
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
            return
        if self._pll_pad:
            reference = pin.io
        else:
            m.submodules.buffer = buffer = io.Buffer(io.Direction.Input, pin)
            reference = buffer.i
        m.submodules.pll = FAMILIES[self._family].pll.instance(
            setting, reference, clock=clock, lock=lock, pad=self._pll_pad
        )
