"""The PLL of ECP5: EHXPLLL."""

from typing import Any

from amaranth.hdl import Const, Instance, Signal

from platforms.pll import Pll, PllLimits, bounds

# Source: ECP5 and ECP5-5G Family Data Sheet, sysCLOCK PLL timing. ecppll of Project Trellis
# lets the phase detector run down to 3.125 MHz; the data sheet's 10 MHz is kept here, at no loss:
# the separate output divider gives finer steps than a slower phase detector would.
LIMITS = PllLimits(
    primitive="EHXPLLL",
    reference=bounds("8", "400"),
    phase_detector=bounds("10", "400"),
    oscillator=bounds("400", "800"),
    output=bounds("3.125", "400"),
    reference_dividers=range(1, 129),
    multipliers=range(1, 81),
    output_dividers=range(1, 129),
)


def instance(setting: Pll, reference: Any, *, clock: Signal, lock: Signal, pad: bool) -> Instance:
    assert not pad
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
