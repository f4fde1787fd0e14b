"""The iCE40 family: UltraPlus, HX and LP.

Source
------
Counts: nextpnr-ice40's utilisation table of each device, which is the die. Block RAM shapes:
SB_RAM40_4K of the iCE40 Technology Library. SB_MAC16 and its split into two 8 x 8 multipliers:
DSP Function Usage Guide for iCE40 Devices. Shared cells: somewhat fewer than the median that
`python -m scripts.calibrate_cost` prints, 0.96: of two estimates as far off, the lower one is
worse.
"""

from platforms.device import BlockRam, CellPrices, Device, Multiplier


def _block_ram(count: int) -> BlockRam:
    shapes = ((256, 16), (512, 8), (1024, 4), (2048, 2))
    return BlockRam(
        count,
        shapes,
        port=(256, 16),
        readers=1,
        primitive="SB_RAM40_4K",
        output_register=False,
    )


def _ice40(
    name: str,
    *,
    cells: int,
    ram_blocks: int,
    package: str,
    default_clock_mhz: float,
    multiplier: Multiplier | None = None,
    spram_count: int = 0,
) -> Device:
    return Device(
        name=name,
        family="ice40",
        luts=cells,
        ffs=cells,
        block_ram=_block_ram(ram_blocks),
        multiplier=multiplier,
        lutram=False,
        cells=CellPrices(per_lut=1, per_end=0, shared=0.92),
        spram_count=spram_count,
        nextpnr=(f"--{name}", "--package", package),
        default_clock_mhz=default_clock_mhz,
    )


UP5K = _ice40(
    "up5k",
    cells=5280,
    ram_blocks=30,
    package="sg48",
    default_clock_mhz=24,
    multiplier=Multiplier(8, "SB_MAC16", 16, 16, lanes8=2, adder=32),
    spram_count=4,
)
HX1K = _ice40("hx1k", cells=1280, ram_blocks=16, package="tq144", default_clock_mhz=48)
HX8K = _ice40("hx8k", cells=7680, ram_blocks=32, package="ct256", default_clock_mhz=48)
LP1K = _ice40("lp1k", cells=1280, ram_blocks=16, package="cm36", default_clock_mhz=24)
LP8K = _ice40("lp8k", cells=7680, ram_blocks=32, package="cm81", default_clock_mhz=24)

DEVICES = (UP5K, HX1K, HX8K, LP1K, LP8K)
