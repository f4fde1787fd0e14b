"""Clock plans: from a board's oscillator to the clock of the design, by PLL where they differ."""

import math
from dataclasses import dataclass
from fractions import Fraction

from platforms.families import FAMILIES
from platforms.pll import Pll, PllLimits, show_mhz

# iCE40 block RAM reads 0 for about 3 us after configuration (icestorm issue 76); five times that,
# as Amaranth's own power-on reset waits.
RESET_SECONDS = Fraction(15, 1_000_000)


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
        Of the device.

    Raises
    ------
    ValueError
        No setting gives such a clock; the message names the bounds that can be reached.
    """
    oscillator, wanted = megahertz(oscillator_mhz), megahertz(wanted_mhz)
    if wanted == oscillator:
        return ClockPlan(oscillator, wanted, None)
    limits = FAMILIES[family].pll.LIMITS
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
    if best.output_mhz <= oscillator < wanted:
        return ClockPlan(oscillator, wanted, None)
    return ClockPlan(oscillator, wanted, best)


def _preference(setting: Pll, limits: PllLimits) -> tuple[Fraction, Fraction, Fraction]:
    middle = (limits.oscillator[0] + limits.oscillator[1]) / 2
    off_middle = abs(setting.oscillator_mhz - middle)
    return setting.output_mhz, setting.phase_detector_mhz, -off_middle
