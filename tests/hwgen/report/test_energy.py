"""Energy intervals: the figures of a published measurement lie inside, and what moves them."""

from hwgen.report.energy import energy_per_frame
from platforms.devices import device


def interval(**changes):
    case = {"cycles": 12_000_000, "clock_mhz": 12.0, "share": 1.0} | changes
    found = energy_per_frame(device("up5k"), **case)
    assert found is not None
    return found


def test_a_measured_busy_second_of_up5k_lies_inside():
    # A full-chip accelerator on UP5K at 12 MHz: 8.7 mA at 1.2 V, one second.
    low, high = interval()
    assert low < 8.7e-3 * 1.2 < high


def test_a_measured_idle_second_lies_inside():
    # A 24-bit counter on a 12 MHz oscillator: 645 uA at 1.219 V.
    low, high = interval(share=24 / 5280)
    assert low < 645e-6 * 1.219 < high


def test_bounds_grow_with_cycles_and_use():
    assert interval(cycles=24_000_000) > interval() > interval(share=0.5)


def test_a_device_without_a_model_has_no_figure():
    assert energy_per_frame(device("hx8k"), cycles=1, clock_mhz=12, share=0.5) is None
