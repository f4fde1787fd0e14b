"""A core with its goals, and what was measured of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cores.cost import price
from cores.op import Op
from hwgen.errors import CheckError
from hwgen.ladder.core_check import STALLS, check_netlist, check_rtl, draw_frames
from hwgen.simulators.driver import Stall
from platforms.device import Device
from platforms.devices import device
from platforms.out_of_context import place_core
from platforms.toolchain import Netlist
from platforms.tools import StepError, Tools
from scripts.bench.network import Network, check_rate


@dataclass(frozen=True)
class Goal:
    """At most, at most, at most and at least; None where anything goes.

    Attributes
    ----------
    cells : int or None
        LUT4-equivalents of the core alone (see `lut4_equivalents`), or with `placed` the cells of
        the placement.
    """

    cells: int | None = None
    dsp: int | None = None
    ram_blocks: int | None = None
    mhz: float | None = None
    placed: bool = False


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Parameters
    ----------
    device : str
    op : callable
        Makes the op; a core has one input and one output.
    goal : Goal
    aim_mhz : float
        Clock that nextpnr is given, somewhat above the goal.
    frames : int
        Frames that are simulated.
    stalls : tuple of Stall
        With which pauses.
    needs : Path or None
        A file without which the row is left out.
    """

    device: str
    op: Callable[[], Op]
    goal: Goal
    aim_mhz: float
    frames: int = 256
    stalls: tuple[Stall, ...] = STALLS
    needs: Path | None = None

    @property
    def missing(self) -> bool:
        return self.needs is not None and not self.needs.is_file()


@dataclass(frozen=True)
class Result:
    """What was measured; `critical_path` is that of the median seed.

    Attributes
    ----------
    faults : tuple of str
        What differs from the integer reference.
    shortfalls : tuple of str
        Goals that were missed.
    """

    name: str
    device: str
    cells: int
    placed_lut4: int
    estimated_lut4: int
    ff: int
    dsp: int
    ram_blocks: int
    depth: int
    frames: int
    fmax_mhz: tuple[float, ...]
    median_mhz: float | None
    critical_path: str
    goal: Goal
    faults: tuple[str, ...]
    shortfalls: tuple[str, ...]

    @property
    def reached(self) -> bool:
        return not self.faults and not self.shortfalls

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"reached": self.reached}


def measure(name: str, row: Row, tools: Tools, folder: Path, *, seeds: Sequence[int]) -> Result:
    """Simulates a row before and after synthesis, then places it once per seed."""
    op, target = row.op(), device(row.device)
    faults = _faults(op, row, target, tools, folder / name)
    found = place_core(
        op.core(target),
        target,
        tools,
        folder / name / "placed",
        clock_mhz=row.aim_mhz,
        seeds=tuple(seeds),
    )
    first = found.placed[0]
    bits = op.outputs["o"].width + 2  # with valid and ready
    cells = lut4_equivalents(found.netlist, target) - xor_gates(bits)
    if row.goal.placed:
        cells = first.lut4.used
    speeds = tuple(round(placed.fmax_mhz or 0.0, 1) for placed in found.placed)
    middle = sorted(found.placed, key=lambda placed: placed.fmax_mhz or 0.0)[len(speeds) // 2]
    measured = {"cells": cells, "dsp": first.dsp.used, "ram_blocks": first.ram_blocks.used}
    shortfalls = [
        f"{was} {what}, not {limit}"
        for what, was in measured.items()
        if (limit := getattr(row.goal, what)) is not None and was > limit
    ]
    if row.goal.mhz is not None and median(speeds) < row.goal.mhz:
        shortfalls.append(f"{median(speeds):.1f} MHz, not {row.goal.mhz:g}")
    return Result(
        name=name,
        device=target.name,
        placed_lut4=first.lut4.used,
        estimated_lut4=price(op.cost(target), target).lut4,
        ff=first.ff.used,
        depth=op.depth,
        frames=row.frames,
        fmax_mhz=speeds,
        median_mhz=median(speeds),
        critical_path=str(middle.critical_path),
        goal=row.goal,
        faults=tuple(faults),
        shortfalls=tuple(shortfalls),
        **measured,
    )


def lut4_equivalents(netlist: Netlist, target: Device) -> int:
    """LUT4 + 2 CCU2C + 6 DPR16X4 of ECP5, SB_LUT4 of iCE40."""
    cells = netlist.cells
    if target.family == "ice40":
        return cells.get("SB_LUT4", 0)
    return cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 6 * cells.get("TRELLIS_DPR16X4", 0)


def xor_gates(bits: int) -> int:
    """LUTs that fold the outputs of a core into one pin."""
    gates = 0
    while bits > 1:
        gates += bits // 4 + (bits % 4 > 1)
        bits = -(-bits // 4)
    return gates


def _faults(op: Op, row: Row, target: Device, tools: Tools, folder: Path) -> list[str]:
    x = draw_frames(op, row.frames)
    cache = folder / "simulators"
    faults = []
    try:
        if isinstance(op, Network):
            check_rate(op, x, cache=cache, tools=tools)
        check_rtl(op, x, cache=cache, tools=tools, stalls=row.stalls)
        check_netlist(
            op,
            x,
            target,
            folder=folder / "ports",
            cache=cache,
            tools=tools,
            stalls=row.stalls,
        )
    except (CheckError, StepError) as error:
        faults.append(str(error))
    return faults
