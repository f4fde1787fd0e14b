"""A core alone: simulated, synthesised, simulated again as netlist, placed, and what it takes."""

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from amaranth.hdl import Module
from amaranth.sim import Simulator

from cores.op import Op
from hwgen.session import Session
from hwgen.verbs.core import DEVICE, core
from platforms.device import Device
from platforms.devices import device
from platforms.out_of_context import place_core
from platforms.tools import Tools


def show(op: Op, *, folder: Path = Path("build/cores")) -> None:
    """Prints size and speed on the device named on the command line, ``ecp5-25f`` if none is."""
    found = core(op, _device(), Session(os.environ, folder.parent / "simulators"))
    used = {name: use["used"]["value"] for name, use in found["resources"].items()}
    print(
        f"{found['device']}: {used['lut4']} LUT4, {used['ff']} FF, {used['dsp']} DSP, "
        f"{used['ram_blocks']} block RAM, {found['fmax_mhz']['value']:.1f} MHz; {op.cycles} cycles "
        f"a frame, latency {op.latency}; {found['frames_compared']} frames equal the reference, as "
        "RTL and as netlist"
    )


def show_block(
    make: Callable[[Device | None], Any],
    bench: Callable[[Any, Any], Coroutine[Any, Any, None]],
    *,
    folder: Path = Path("build/cores"),
) -> None:
    """The same of a block that is no operator: `bench` runs it in Amaranth's simulator."""
    block, m = make(None), Module()
    m.submodules.block = block

    async def testbench(ctx: Any) -> None:
        await bench(ctx, block)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    target = device(_device())
    clock, tools = target.default_clock_mhz, Tools(os.environ)
    folder /= f"{Path(sys.argv[0]).stem}_{target.name}"
    placed = place_core(make(target), target, tools, folder, clock_mhz=clock).placed[0]
    print(
        f"{target.name}: {placed.lut4.used} LUT4, {placed.ff.used} FF, {placed.dsp.used} DSP, "
        f"{placed.ram_blocks.used} block RAM, {placed.fmax_mhz:.1f} MHz"
    )


def _device() -> str:
    return sys.argv[1] if len(sys.argv) > 1 else DEVICE
