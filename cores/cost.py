"""Resources of a core: ops count primitives, this file alone prices them for a device.

Coefficients are calibrated against placed designs; see `scripts/calibrate_cost.py`.
"""

import operator
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
    ends : int
        Ends of their carry chains that take cells of their own where a cell has two bits: the
        beginning, unless the number of bits is odd, and the end where the last carry is used.
    loose : int
        Of the LUTs and adder bits above, those whose result no flip-flop takes: comparators,
        inverters, all but the last level of a multiplexer.
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
    ends: int = 0
    loose: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(*map(operator.add, vars(self).values(), vars(other).values()))

    def __mul__(self, times: int) -> "Count":
        return Count(*(number * times for number in vars(self).values()))

    __rmul__ = __mul__

    def scaled(self, times: float) -> "Count":
        """Each count times a number, rounded."""
        return Count(*(round(getattr(self, f.name) * times) for f in fields(self)))


@dataclass(frozen=True)
class Resources:
    """What a core occupies on a device, in the units of a placement report.

    Attributes
    ----------
    lut4 : int
        Cells of a LUT each, with what they hold besides: carry, LUT RAM, or a flip-flop.
    ff, ram_blocks, spram, dsp : int
    """

    lut4: int = 0
    ff: int = 0
    ram_blocks: int = 0
    spram: int = 0
    dsp: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*map(operator.add, vars(self).values(), vars(other).values()))

    def within(self, other: "Resources") -> bool:
        """Whether no resource is more than in `other`."""
        return all(map(operator.le, vars(self).values(), vars(other).values()))

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


def price(count: Count, device: Device) -> Resources:
    """Resources of `count` on `device`, with what placement was seen to add."""
    cells, logic = device.cells, count.lut + count.mux
    lut4 = cells.per_lut * logic + count.add + cells.per_end * count.ends
    if cells.shared is not None:
        follows = logic + count.add - count.loose
        lut4 += count.ff - cells.shared * min(follows, count.ff)
    return Resources(round(lut4), count.ff, count.ram_blocks, count.spram, count.dsp)
