from fractions import Fraction

import pytest

from platforms.clocks import ClockPlan, megahertz, plan_clock
from platforms.ice40.pll import LIMITS as ICE40
from platforms.pll import Pll


@pytest.mark.parametrize(
    ("family", "oscillator", "wanted", "factors"),
    [
        # As icepll chooses.
        ("ice40", 12, 24, (1, 64, 32)),
        ("ice40", 12, 48, (1, 64, 16)),
        ("ice40", 12, 60, (1, 80, 16)),
        ("ice40", 100, 24, (3, 23, 32)),
        # As ecppll chooses, the last one with --highres.
        ("ecp5", 25, 50, (1, 24, 12)),
        ("ecp5", 25, 100, (1, 24, 6)),
        ("ecp5", 25, 60, (1, 24, 10)),
    ],
)
def test_settings_of_usual_clocks(family, oscillator, wanted, factors):
    pll = plan_clock(family, oscillator_mhz=oscillator, wanted_mhz=wanted).pll
    assert (pll.reference_divider, pll.multiplier, pll.output_divider) == factors


def test_oscillator_needs_no_pll():
    plan = plan_clock("ice40", oscillator_mhz=12, wanted_mhz=12)
    assert plan.pll is None
    assert plan.achieved_mhz == 12


def fastest_hertz(wanted: int, reference: int, ecp5: bool) -> int:
    """Nearest frequency not above the wanted one, by plain integers; all in Hz."""
    vco = (400_000_000, 800_000_000) if ecp5 else (533_000_000, 1_066_000_000)
    output = (3_125_000, 400_000_000) if ecp5 else (16_000_000, 275_000_000)
    best = Fraction(0)
    for divider in range(1, 129 if ecp5 else 17):
        if reference < 10_000_000 * divider:
            break
        for multiplier in range(1, 129):
            if vco[0] * divider <= reference * multiplier <= vco[1] * divider:
                for out in range(1, 129) if ecp5 else (2, 4, 8, 16, 32, 64):
                    hertz = Fraction(reference * multiplier, divider * out)
                    if output[0] <= hertz <= min(output[1], wanted):
                        best = max(best, hertz)
    return best


@pytest.mark.parametrize("wanted", [17, 24, 25.1, 33.33, 47.999, 66, 133.7, 200, 270])
@pytest.mark.parametrize(("family", "oscillator"), [("ice40", 12), ("ice40", 100), ("ecp5", 25)])
def test_no_setting_comes_nearer_from_below(family, oscillator, wanted):
    plan = plan_clock(family, oscillator_mhz=oscillator, wanted_mhz=wanted)
    assert plan.achieved_mhz <= megahertz(wanted)
    hertz = fastest_hertz(
        int(megahertz(wanted) * 1_000_000), oscillator * 1_000_000, family == "ecp5"
    )
    if oscillator <= wanted:
        hertz = max(hertz, Fraction(oscillator * 1_000_000))
    assert plan.achieved_mhz * 1_000_000 == hertz


@pytest.mark.parametrize(
    ("family", "oscillator", "wanted"), [("ecp5", 25, 33.33), ("ecp5", 25, 48), ("ice40", 12, 29)]
)
def test_achieved_clock_is_planned_again_as_it_is(family, oscillator, wanted):
    first = plan_clock(family, oscillator_mhz=oscillator, wanted_mhz=wanted)
    assert first.achieved_mhz < wanted
    again = plan_clock(family, oscillator_mhz=oscillator, wanted_mhz=float(first.achieved_mhz))
    assert again.pll == first.pll


def test_pll_that_only_copies_the_oscillator_is_left_out():
    # From 48 MHz the next steps are 48 and 48.75 MHz.
    plan = plan_clock("ice40", oscillator_mhz=48, wanted_mhz=48.5)
    assert (plan.pll, plan.achieved_mhz) == (None, 48)


def test_equal_outputs_prefer_the_fastest_phase_detector():
    # 24 MHz from 48 MHz is also reached with the reference halved.
    plan = plan_clock("ice40", oscillator_mhz=48, wanted_mhz=24)
    assert plan.pll.reference_divider == 1


def test_refuses_clock_out_of_reach():
    message = (
        r"^clock must lie in 16\.125 to 270 MHz by SB_PLL40 from 12 MHz, or be 12 MHz itself, "
        r"not 8 MHz$"
    )
    with pytest.raises(ValueError, match=message):
        plan_clock("ice40", oscillator_mhz=12, wanted_mhz=8)
    with pytest.raises(ValueError, match=r"^clock must lie in 3\.125 to 400 MHz .* not 500 MHz$"):
        plan_clock("ecp5", oscillator_mhz=25, wanted_mhz=500)


def test_refuses_oscillator_that_no_pll_takes():
    message = (
        r"^clock must be the oscillator's 3\.3 MHz, which no SB_PLL40 setting can change, "
        r"not 24 MHz$"
    )
    with pytest.raises(ValueError, match=message):
        plan_clock("ice40", oscillator_mhz=3.3, wanted_mhz=24)


@pytest.mark.parametrize("clock", [0, -1, float("inf"), float("nan")])
def test_refuses_what_is_no_frequency(clock):
    message = f"^clock must be a finite number of MHz above 0, not {clock}$"
    with pytest.raises(ValueError, match=message):
        plan_clock("ecp5", oscillator_mhz=25, wanted_mhz=clock)


def test_plan_refuses_pll_of_another_oscillator():
    pll = Pll(ICE40, Fraction(12), 1, 64, 32)
    with pytest.raises(ValueError, match=r"^PLL reference must be the 16 MHz oscillator, not 12 M"):
        ClockPlan(Fraction(16), Fraction(24), pll)


def test_plan_refuses_clock_above_the_wanted_one():
    pll = Pll(ICE40, Fraction(12), 1, 64, 32)
    message = r"^clock must not exceed the wanted 20 MHz, as 24 MHz does$"
    with pytest.raises(ValueError, match=message):
        ClockPlan(Fraction(12), Fraction(20), pll)


def test_reset_lasts_fifteen_microseconds():
    assert plan_clock("ice40", oscillator_mhz=12, wanted_mhz=24).reset_cycles == 360
    # 718.75 cycles, rounded up
    plan = plan_clock("ecp5", oscillator_mhz=25, wanted_mhz=48)
    assert plan.achieved_mhz == Fraction(575, 12)
    assert plan.reset_cycles == 719
