"""Resources of a core: ops count primitives, this file alone prices them for a device.

Coefficients are calibrated against placed designs; see `scripts/calibrate_cost.py`.
"""

from dataclasses import dataclass, fields

from platforms.device import Device


@dataclass(frozen=True)
class Count:
    """Primitives of a core, before any device is known to price them.

    Attributes
    ----------
    lut : int
        4-input LUTs of plain logic.
    add : int
        Bits of ripple-carry adders, subtractors and magnitude comparators.
    ff : int
        Flip-flops.
    mux : int
        LUTs of ROMs, RAMs and multiplexers in logic.
    ram_blocks, spram, dsp : int
        Hard blocks, exact.
    """

    lut: int = 0
    add: int = 0
    ff: int = 0
    mux: int = 0
    ram_blocks: int = 0
    spram: int = 0
    dsp: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, times: int) -> "Count":
        return Count(*(getattr(self, f.name) * times for f in fields(self)))

    __rmul__ = __mul__


@dataclass(frozen=True)
class Resources:
    """What a core occupies on a device, in the units of a placement report.

    Attributes
    ----------
    lut4 : int
        TRELLIS_COMB (ECP5) or ICESTORM_LC (iCE40).
    ff, ram_blocks, spram, dsp : int
    """

    lut4: int = 0
    ff: int = 0
    ram_blocks: int = 0
    spram: int = 0
    dsp: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def fits(self, device: Device) -> bool:
        return not self.excess(device)

    def excess(self, device: Device) -> dict[str, tuple[int, int]]:
        """Resources used beyond the device: name to (used, available)."""
        available = Resources.available(device)
        pairs = {f.name: (getattr(self, f.name), getattr(available, f.name)) for f in fields(self)}
        return {name: pair for name, pair in pairs.items() if pair[0] > pair[1]}

    @classmethod
    def available(cls, device: Device) -> "Resources":
        dsp = device.multiplier.count if device.multiplier else 0
        return cls(device.luts, device.ffs, device.block_ram.count, device.spram_count, dsp)


# Cells per counted LUT, and further cells per flip-flop, as placed; `scripts/calibrate_cost.py`
# prints them. ECP5: carry cells come in pairs, and a chain spends some on its ends. iCE40: about
# half of the flip-flops find no LUT to share a cell with.
_CELLS = {"ecp5": (1.22, 0.0), "ice40": (1.0, 0.5)}


def price(count: Count, device: Device) -> Resources:
    """Resources of `count` on `device`: one logic cell per LUT and per adder bit, corrected by what
    placement was seen to add."""
    per_lut, per_ff = _CELLS[device.family]
    lut4 = round(per_lut * (count.lut + count.add + count.mux) + per_ff * count.ff)
    return Resources(lut4, count.ff, count.ram_blocks, count.spram, count.dsp)
