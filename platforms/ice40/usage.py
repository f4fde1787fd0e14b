"""What nextpnr reports of iCE40: no flip-flops and no carries, which lie in its logic cells."""

from collections.abc import Mapping

BELS = {
    "lut4": "ICESTORM_LC",
    "ram_blocks": "ICESTORM_RAM",
    "spram": "ICESTORM_SPRAM",
    "dsp": "ICESTORM_DSP",
}


def flip_flops(cells: Mapping[str, int]) -> int:
    return sum(count for cell, count in cells.items() if cell.startswith("SB_DFF"))


def carries(cells: Mapping[str, int], logic: int) -> tuple[int, int]:
    """SB_CARRY, one bit each."""
    return cells.get("SB_CARRY", 0), logic
