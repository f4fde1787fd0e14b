"""A core alone: simulated, synthesised, simulated again as netlist, placed, and what it takes."""

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator

from cores.op import Op
from hwgen.ladder.core_check import check_netlist, check_rtl, draw_frames
from platforms.device import Device
from platforms.devices import device
from platforms.out_of_context import place_core
from platforms.tools import Tools


def show(op: Op, *, folder: Path = Path("build/cores")) -> None:
    """Prints size and speed on the device named on the command line, ``ecp5-25f`` if none is."""
    target, tools, folder = _asked(folder)
    cache, x = folder.parent / "simulators", draw_frames(op, 64)
    check_rtl(op, x, cache=cache, tools=tools)
    check_netlist(op, x, target, folder=folder / "netlist", cache=cache, tools=tools)
    print(
        f"{_placed(op.core(target), target, tools, folder)}; {op.cycles} cycles a frame, "
        f"latency {op.latency}; {len(x)} frames equal the reference, as RTL and as netlist"
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
    target, tools, folder = _asked(folder)
    print(_placed(make(target), target, tools, folder))


def _asked(folder: Path) -> tuple[Device, Tools, Path]:
    target = device(sys.argv[1] if len(sys.argv) > 1 else "ecp5-25f")
    return target, Tools(os.environ), folder / f"{Path(sys.argv[0]).stem}_{target.name}"


def _placed(component: Component, target: Device, tools: Tools, folder: Path) -> str:
    clock = target.default_clock_mhz
    placed = place_core(component, target, tools, folder / "placed", clock_mhz=clock).placed[0]
    return (
        f"{target.name}: {placed.lut4.used} LUT4, {placed.ff.used} FF, {placed.dsp.used} DSP, "
        f"{placed.ram_blocks.used} block RAM, {placed.fmax_mhz:.1f} MHz"
    )
