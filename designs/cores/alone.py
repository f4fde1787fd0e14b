"""A core alone: simulated, synthesised, simulated again as netlist, placed, and what it takes."""

import os
import sys
from pathlib import Path

from cores.op import Op
from hwgen.core_check import check_netlist, check_rtl, draw_frames
from platforms.devices import device
from platforms.out_of_context import place_core
from platforms.tools import Tools


def show(op: Op, *, folder: Path = Path("build/cores")) -> None:
    """Prints size and speed on the device named on the command line, ``ecp5-25f`` if none is."""
    target = device(sys.argv[1] if len(sys.argv) > 1 else "ecp5-25f")
    folder, cache = folder / f"{Path(sys.argv[0]).stem}_{target.name}", folder / "simulators"
    tools, x = Tools(os.environ), draw_frames(op, 64)
    check_rtl(op, x, cache=cache, tools=tools)
    check_netlist(op, x, target, folder=folder / "netlist", cache=cache, tools=tools)
    clock = target.default_clock_mhz
    found = place_core(op.core(target), target, tools, folder / "placed", clock_mhz=clock)
    placed = found.placed[0]
    print(
        f"{target.name}: {placed.lut4.used} LUT4, {placed.ff.used} FF, {placed.dsp.used} DSP, "
        f"{placed.ram_blocks.used} block RAM, {placed.fmax_mhz:.1f} MHz; {op.cycles} cycles a "
        f"frame, latency {op.latency}; {len(x)} frames equal the reference, as RTL and as netlist"
    )
