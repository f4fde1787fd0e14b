"""Clock plans: from a board's oscillator to the clock of the design, by PLL where they differ."""

import math
from dataclasses import dataclass
from fractions import Fraction
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
from platforms.pll import Pll, PllLimits, show_mhz

# iCE40 block RAM reads 0 for about 3 us after configuration (icestorm issue 76); five times that,
# as Amaranth's own power-on reset waits.
RESET_SECONDS = Fraction(15, 1_000_000)

_LIMITS = {"ice40": pll.ICE40, "ecp5": pll.ECP5}


@dataclass(frozen=True)
class ClockPlan:
    """How a design gets its clock.

    Parameters
    ----------
    oscillator_mhz : Fraction
        Clock that enters the FPGA.
    wanted_mhz : Fraction
        Clock that was asked for.
    pll : Pll or None
        None: the oscillator itself.

    Raises
    ------
    ValueError
        The PLL's reference is not the oscillator, or its output is faster than wanted.
    """

    oscillator_mhz: Fraction
    wanted_mhz: Fraction
    pll: Pll | None

    def __post_init__(self) -> None:
        if self.pll and self.pll.reference_mhz != self.oscillator_mhz:
            raise ValueError(
                f"PLL reference must be the {show_mhz(self.oscillator_mhz)} MHz oscillator, "
                f"not {show_mhz(self.pll.reference_mhz)} MHz"
            )
        if self.achieved_mhz > self.wanted_mhz:
            raise ValueError(
                f"clock must not exceed the wanted {show_mhz(self.wanted_mhz)} MHz, "
                f"as {show_mhz(self.achieved_mhz)} MHz does"
            )

    @property
    def achieved_mhz(self) -> Fraction:
        return self.pll.output_mhz if self.pll else self.oscillator_mhz

    @property
    def reset_cycles(self) -> int:
        """Clock cycles of power-on reset after lock."""
        return -(-RESET_SECONDS * self.achieved_mhz * 1_000_000 // 1)


def megahertz(value: float) -> Fraction:
    """The simplest fraction within about 1 Hz: 33.33 becomes 3333/100.

    Raises
    ------
    ValueError
        Not a finite number above 0.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"clock must be a finite number of MHz above 0, not {value}")
    return Fraction(value).limit_denominator(1_000_000)


def plan_clock(family: str, *, oscillator_mhz: float, wanted_mhz: float) -> ClockPlan:
    """The fastest clock not above the wanted one.

    Among settings of equal output, the fastest phase detector and then the oscillator nearest the
    middle of its range are taken: least jitter.

    Parameters
    ----------
    family : str
        Of the device: ``ice40`` or ``ecp5``.

    Raises
    ------
    ValueError
        No setting gives such a clock; the message names the bounds that can be reached.
    """
    oscillator, wanted = megahertz(oscillator_mhz), megahertz(wanted_mhz)
    if wanted == oscillator:
        return ClockPlan(oscillator, wanted, None)
    limits = _LIMITS[family]
    settings = list(limits.settings(oscillator))
    if not settings:
        raise ValueError(
            f"clock must be the oscillator's {show_mhz(oscillator)} MHz, which no "
            f"{limits.primitive} setting can change, not {show_mhz(wanted)} MHz"
        )
    outputs = [setting.output_mhz for setting in settings]
    slowest, fastest = min(outputs), max(outputs)
    if not slowest <= wanted <= fastest:
        raise ValueError(
            f"clock must lie in {show_mhz(slowest)} to {show_mhz(fastest)} MHz by "
            f"{limits.primitive} from {show_mhz(oscillator)} MHz, or be {show_mhz(oscillator)} MHz "
            f"itself, not {show_mhz(wanted)} MHz"
        )
    best = max(
        (setting for setting in settings if setting.output_mhz <= wanted),
        key=lambda setting: _preference(setting, limits),
    )
    if best.output_mhz < oscillator < wanted:
        return ClockPlan(oscillator, wanted, None)
    return ClockPlan(oscillator, wanted, best)


def _preference(setting: Pll, limits: PllLimits) -> tuple[Fraction, Fraction, Fraction]:
    middle = (limits.oscillator[0] + limits.oscillator[1]) / 2
    off_middle = abs(setting.oscillator_mhz - middle)
    return setting.output_mhz, setting.phase_detector_mhz, -off_middle


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
