"""The ECP5 family: plain (LFE5U), with transceivers (LFE5UM) and with fast ones (LFE5UM5G).

Source
------
Counts: nextpnr-ecp5's utilisation table of each device. The 12F is sold with 12k LUTs and 32
block RAMs, but is the 25F's die and the open tools use all of it. Block RAM shapes: DP16KD of the
ECP5 and ECP5-5G Memory Usage Guide; 512 x 36 takes both ports. MULT18X18D: ECP5 and ECP5-5G sysDSP
Usage Guide; its split into 9 x 9 products is not in the open tools. Cells per LUT: somewhat dearer
than the median that `python -m scripts.calibrate_cost` prints, 1.00: of two estimates as far off,
the lower one is worse.
"""

from platforms.device import BlockRam, CellPrices, Device, Multiplier

# size: (TRELLIS_COMB, DP16KD, MULT18X18D); as many TRELLIS_FF as TRELLIS_COMB
_DIES = {
    "12": (24288, 56, 28),
    "25": (24288, 56, 28),
    "45": (43848, 108, 72),
    "85": (83640, 208, 156),
}
BLOCK_RAM_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


def ecp5(size: str, *, variant: str = "", package: str = "CABGA381", speed: int = 6) -> Device:
    """One ECP5 device.

    Parameters
    ----------
    size : str
        ``12``, ``25``, ``45`` or ``85``: thousands of LUTs as marketed.
    variant : str
        Empty, ``um`` or ``um5g``; the 12F has no variants, and ``um5g`` only speed 8.
    package : str
        As nextpnr-ecp5 spells it.
    speed : int
        Speed grade: 6, 7 or 8 (fastest).

    Raises
    ------
    ValueError
        There is no such size, variant or speed grade.
    """
    if size not in _DIES:
        raise ValueError(f"ECP5 size must be one of {', '.join(_DIES)}, not {size!r}")
    variants = ("",) if size == "12" else ("", "um", "um5g")
    if variant not in variants:
        raise ValueError(f"variant of ECP5 {size}F must be one of {variants}, not {variant!r}")
    speeds = (8,) if variant == "um5g" else (6, 7, 8)
    if speed not in speeds:
        raise ValueError(f"speed of ECP5 {variant}{size}F must be one of {speeds}, not {speed!r}")
    luts, ram_blocks, multipliers = _DIES[size]
    prefix = f"{variant}-" if variant else ""
    return Device(
        name=f"ecp5-{prefix}{size}f",
        family="ecp5",
        luts=luts,
        ffs=luts,
        block_ram=BlockRam(
            ram_blocks,
            BLOCK_RAM_SHAPES,
            port=(1024, 18),
            readers=2,
            primitive="DP16KD",
            output_register=True,
        ),
        multiplier=Multiplier(multipliers, "MULT18X18D", 18, 18),
        lutram=True,
        cells=CellPrices(per_lut=1.05, per_end=2, shared=None),
        spram_count=0,
        nextpnr=(f"--{prefix}{size}k", "--package", package, "--speed", str(speed)),
        default_clock_mhz=50,
    )


DEVICES = (
    *(ecp5(size) for size in _DIES),
    *(ecp5(size, variant="um") for size in ("25", "45", "85")),
    *(ecp5(size, variant="um5g", speed=8) for size in ("25", "45", "85")),
)
