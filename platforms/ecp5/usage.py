"""What nextpnr reports of ECP5: cells of a LUT each, which carries and LUT RAM lie in."""

from collections.abc import Mapping

BELS = {
    "lut4": "TRELLIS_COMB",
    "ff": "TRELLIS_FF",
    "ram_blocks": "DP16KD",
    "dsp": "MULT18X18D",
}


def flip_flops(cells: Mapping[str, int]) -> int:
    return cells.get("TRELLIS_FF", 0)


def carries(cells: Mapping[str, int], logic: int) -> tuple[int, int]:
    """CCU2C, two bits each."""
    return cells.get("CCU2C", 0), logic // 2
