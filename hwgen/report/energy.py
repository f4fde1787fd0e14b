"""Energy of one inference on the core rail: an interval, because nothing here was measured on a
board.

Source
------
Currents of a UP5K measured by others at 1.2 V: blank design, oscillator and counters, multipliers
in
LUTs and DSP, and a full-chip accelerator idle and busy. They fit ``static power * time + cycles *
(clock tree + 750 pJ * share of the busiest resource)`` within a factor of two. ECP5 has no such
measurement: its static power is the data sheet's hot-junction bound and a fraction of it, its
dynamic
part is scaled from UP5K by die size, within a factor of three.
"""

from dataclasses import dataclass

from platforms.device import Device


@dataclass(frozen=True)
class PowerModel:
    """Bounds of static power in W, and of energy per cycle in J (clock tree, and all logic
    busy)."""

    static_w: tuple[float, float]
    clock_j: tuple[float, float]
    busy_j: tuple[float, float]


UP5K_LUTS = 5280
UP5K = PowerModel((0.1e-3, 0.3e-3), (26e-12, 104e-12), (375e-12, 1500e-12))


def _ecp5(watt: float, clock_pj: tuple[float, float], luts: int) -> PowerModel:
    scale = luts / UP5K_LUTS
    return PowerModel(
        (0.15 * watt, watt),
        (clock_pj[0] * 1e-12, clock_pj[1] * 1e-12),
        (250e-12 * scale, 2250e-12 * scale),
    )


MODELS = {
    "up5k": UP5K,
    "ecp5-12f": _ecp5(85e-3, (110, 240), 24288),
    "ecp5-25f": _ecp5(85e-3, (110, 240), 24288),
    "ecp5-45f": _ecp5(128e-3, (150, 430), 43848),
    "ecp5-85f": _ecp5(233e-3, (210, 820), 83640),
}


def energy_per_frame(
    device: Device, *, cycles: int, clock_mhz: float, share: float
) -> tuple[float, float] | None:
    """Bounds in J for a frame every `cycles` cycles; None for a device without a power model.

    Parameters
    ----------
    share : float
        Used part of the busiest resource, 0..1.
    """
    model = MODELS.get(device.name)
    if model is None:
        return None
    seconds = cycles / (clock_mhz * 1e6)
    low, high = (
        model.static_w[k] * seconds + cycles * (model.clock_j[k] + share * model.busy_j[k])
        for k in (0, 1)
    )
    return low, high
