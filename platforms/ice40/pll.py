"""The PLL of iCE40: SB_PLL40."""

from typing import Any

from amaranth.hdl import Const, Instance, Signal

from platforms.pll import Pll, PllLimits, bounds

# Simple feedback: DIVR + 1, DIVF + 1 and 2 ** DIVQ are the factors. Source: iCE40 sysCLOCK PLL
# Design and User Guide; its table stops DIVF at 63, which holds for the other feedback modes only
# (icestorm pull request 84: iCEcube2 and silicon go to 127).
LIMITS = PllLimits(
    primitive="SB_PLL40",
    reference=bounds("10", "133"),
    phase_detector=bounds("10", "133"),
    oscillator=bounds("533", "1066"),
    output=bounds("16", "275"),
    reference_dividers=range(1, 17),
    multipliers=range(1, 129),
    output_dividers=(2, 4, 8, 16, 32, 64),
)


def instance(setting: Pll, reference: Any, *, clock: Signal, lock: Signal, pad: bool) -> Instance:
    """A pad of its own takes another primitive."""
    # Loop filter by phase detector frequency, as icepll sets it.
    filter_range = 1 + sum(setting.phase_detector_mhz >= limit for limit in (17, 26, 44, 66, 101))
    return Instance(
        "SB_PLL40_PAD" if pad else "SB_PLL40_CORE",
        ("i", "PACKAGEPIN" if pad else "REFERENCECLK", reference),
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
