"""Phase-locked loops: what settings exist, what they give and which are allowed.

Frequencies are exact rationals in MHz. One arithmetic serves all families: the reference is
divided for the phase detector, the oscillator runs at a multiple of that, and its output is
divided again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

Bounds = tuple[Fraction, Fraction]


def show_mhz(mhz: Fraction) -> str:
    """Decimal text with at most six places and no trailing zeros."""
    return f"{float(mhz):.6f}".rstrip("0").rstrip(".")


def bounds(low: str, high: str) -> Bounds:
    return Fraction(low), Fraction(high)


@dataclass(frozen=True)
class PllLimits:
    """What a family's PLL can do.

    Parameters
    ----------
    primitive : str
        Name in messages.
    reference, phase_detector, oscillator, output : (lowest, highest)
        Allowed frequencies, MHz.
    reference_dividers, multipliers, output_dividers : sequence of int
        Allowed factors.
    """

    primitive: str
    reference: Bounds
    phase_detector: Bounds
    oscillator: Bounds
    output: Bounds
    reference_dividers: Sequence[int]
    multipliers: Sequence[int]
    output_dividers: Sequence[int]

    def settings(self, reference_mhz: Fraction) -> Iterator["Pll"]:
        """Every allowed setting for a reference."""
        if not _inside(reference_mhz, self.reference):
            return
        for reference_divider in self.reference_dividers:
            phase_detector = reference_mhz / reference_divider
            if not _inside(phase_detector, self.phase_detector):
                continue
            for multiplier in self.multipliers:
                oscillator = phase_detector * multiplier
                if not _inside(oscillator, self.oscillator):
                    continue
                for output_divider in self.output_dividers:
                    if _inside(oscillator / output_divider, self.output):
                        yield Pll(
                            self, reference_mhz, reference_divider, multiplier, output_divider
                        )


@dataclass(frozen=True)
class Pll:
    """One setting of a PLL.

    Raises
    ------
    ValueError
        A factor or a frequency lies outside the limits.
    """

    limits: PllLimits
    reference_mhz: Fraction
    reference_divider: int
    multiplier: int
    output_divider: int

    def __post_init__(self) -> None:
        limits = self.limits
        for what, factor, allowed in (
            ("reference divider", self.reference_divider, limits.reference_dividers),
            ("multiplier", self.multiplier, limits.multipliers),
            ("output divider", self.output_divider, limits.output_dividers),
        ):
            if factor not in allowed:
                raise ValueError(
                    f"{limits.primitive} {what} must be one of the {len(allowed)} from "
                    f"{allowed[0]} to {allowed[-1]}, not {factor}"
                )
        for what, mhz, bounds in (
            ("reference", self.reference_mhz, limits.reference),
            ("phase detector", self.phase_detector_mhz, limits.phase_detector),
            ("oscillator", self.oscillator_mhz, limits.oscillator),
            ("output", self.output_mhz, limits.output),
        ):
            if not _inside(mhz, bounds):
                low, high = map(show_mhz, bounds)
                raise ValueError(
                    f"{limits.primitive} {what} must run at {low} to {high} MHz, "
                    f"not {show_mhz(mhz)} MHz"
                )

    @property
    def phase_detector_mhz(self) -> Fraction:
        return self.reference_mhz / self.reference_divider

    @property
    def oscillator_mhz(self) -> Fraction:
        return self.phase_detector_mhz * self.multiplier

    @property
    def output_mhz(self) -> Fraction:
        return self.oscillator_mhz / self.output_divider


def _inside(mhz: Fraction, bounds: Bounds) -> bool:
    return bounds[0] <= mhz <= bounds[1]
