from fractions import Fraction

import pytest

from platforms.ecp5.pll import LIMITS as ECP5
from platforms.ice40.pll import LIMITS as ICE40
from platforms.pll import Pll, show_mhz


def test_icebreaker_24_mhz_by_hand():
    # 12 MHz / 1 * 64 = 768 MHz, / 32 = 24 MHz
    pll = Pll(ICE40, Fraction(12), 1, 64, 32)
    assert (pll.phase_detector_mhz, pll.oscillator_mhz, pll.output_mhz) == (12, 768, 24)


def test_ulx3s_40_mhz_by_hand():
    # 25 MHz / 2 * 48 = 600 MHz, / 15 = 40 MHz
    pll = Pll(ECP5, Fraction(25), 2, 48, 15)
    assert (pll.phase_detector_mhz, pll.oscillator_mhz, pll.output_mhz) == (
        Fraction(25, 2),
        600,
        40,
    )


@pytest.mark.parametrize(
    ("limits", "reference", "factors", "message"),
    [
        (ICE40, 12, (17, 64, 32), "reference divider must be one of the 16 from 1 to 16, not 17"),
        (ICE40, 12, (1, 129, 32), "multiplier must be one of the 128 from 1 to 128, not 129"),
        (ICE40, 12, (1, 64, 24), "output divider must be one of the 6 from 2 to 64, not 24"),
        (ECP5, 25, (1, 24, 0), "output divider must be one of the 128 from 1 to 128, not 0"),
        (ICE40, 8, (1, 100, 32), "reference must run at 10 to 133 MHz, not 8 MHz"),
        (ICE40, 12, (2, 100, 32), "phase detector must run at 10 to 133 MHz, not 6 MHz"),
        (ICE40, 12, (1, 44, 32), "oscillator must run at 533 to 1066 MHz, not 528 MHz"),
        (ICE40, 12, (1, 64, 64), "output must run at 16 to 275 MHz, not 12 MHz"),
        (ECP5, 25, (3, 60, 10), "phase detector must run at 10 to 400 MHz, not 8.333333 MHz"),
        (ECP5, 25, (1, 33, 10), "oscillator must run at 400 to 800 MHz, not 825 MHz"),
        (ECP5, 25, (1, 32, 1), "output must run at 3.125 to 400 MHz, not 800 MHz"),
    ],
)  # fmt: skip
def test_rejects_what_the_pll_cannot_do(limits, reference, factors, message):
    with pytest.raises(ValueError, match=f"^{limits.primitive} {message}$"):
        Pll(limits, Fraction(reference), *factors)


@pytest.mark.parametrize(("limits", "reference"), [(ICE40, 12), (ICE40, 48), (ECP5, 25)])
@pytest.mark.long
def test_settings_are_all_those_that_the_limits_allow(limits, reference):
    allowed = set()
    for divider in limits.reference_dividers:
        for multiplier in limits.multipliers:
            for output in limits.output_dividers:
                oscillator = reference * multiplier / divider
                low, high = limits.oscillator
                # Most of the rest is surely refused: not worth the constructor.
                if low - 1 < oscillator < high + 1:
                    try:
                        allowed.add(Pll(limits, Fraction(reference), divider, multiplier, output))
                    except ValueError:
                        continue
    assert len(allowed) > 100
    assert set(limits.settings(Fraction(reference))) == allowed


def test_reference_out_of_range_has_no_settings():
    assert list(ICE40.settings(Fraction(8))) == []


def test_megahertz_are_shown_without_trailing_zeros():
    assert [show_mhz(Fraction(n, d)) for n, d in ((50, 1), (25, 2), (100, 3))] == [
        "50",
        "12.5",
        "33.333333",
    ]
