"""Builds the serial loop-back for every board, or those named, and prints what each took.

python -m scripts.build_boards [BOARD ...]

Ends with status 1 if a clock is missed.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from platforms.boards.catalogue import BOARDS, board
from platforms.boards.loopback import Loopback
from platforms.toolchain import pack, place_and_route, plan_board, synthesise
from platforms.tools import Tools


def build(name: str, tools: Tools, folder: Path) -> tuple[str, bool]:
    """Build for one board; return its line of the table, and whether its clock is met."""
    start = time.monotonic()
    plan = plan_board(Loopback(board(name)), board(name))
    planned = time.monotonic()
    netlist = synthesise(plan, tools, folder)
    routed = place_and_route(plan, netlist, tools)
    bitstream = pack(plan, routed, tools)
    placed = routed.placed
    met = "met" if placed.meets_timing else "missed"
    line = (
        f"{name:17s} {placed.lut4.used:5d} {placed.ff.used:5d} {placed.clock_mhz:8.3f} "
        f"{placed.fmax_mhz:8.2f} {met:6s} {bitstream.stat().st_size:8d} "
        f"{planned - start:6.2f} {netlist.seconds:6.2f} {routed.seconds:6.2f} "
        f"{time.monotonic() - start:6.2f}"
    )
    return line, placed.meets_timing


def main(names: list[str]) -> int:
    tools = Tools(os.environ)
    missed = False
    print(
        "board              LUT4    FF    clock     Fmax timing    bytes   plan  yosys    pnr  "
        "total s"
    )
    for name in names or BOARDS:
        with tempfile.TemporaryDirectory() as folder:
            line, met = build(name, tools, Path(folder))
        print(line, flush=True)
        missed |= not met
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
