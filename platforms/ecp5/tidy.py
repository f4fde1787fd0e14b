"""The netlist of ECP5 between synthesis and placement: gates move into carry cells, and chains get
rid of the cells that nextpnr would add."""

from typing import Any

from platforms.ecp5 import carry_chains, carry_gates


def tidy(module: dict[str, Any]) -> bool:
    carry_gates.fold(module)
    carry_chains.tidy(module)
    return True
