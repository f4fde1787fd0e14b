"""From a design to a bitstream: synthesise, place and route, pack.

Every step works in one build folder on files that the step before left there, all named `top`:
``top.il``, ``top.json`` (the flattened netlist), constraints, routed design, bitstream, and one
``.log`` per step. Nothing is programmed, so no
programmer is looked for.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from amaranth.hdl import ClockDomain, Elaboratable, Module

from platforms.boards.board import Board
from platforms.clock_generator import ClockGenerator
from platforms.device import Device
from platforms.families import FAMILIES, Family
from platforms.pnr_report import Placed, read_report, utilisation_in_log
from platforms.tools import Progress, StepError, Tools

_CONFLICT = "Driver-driver conflict"


@dataclass(frozen=True)
class Plan:
    """A design ready for the tools.

    Parameters
    ----------
    device : Device
    rtlil : str
        Module `top`.
    clock_mhz : float
        Clock that nextpnr aims at where no constraint says otherwise.
    constraints : str or None
        Pins and clocks, in the placer's own form; None leaves every pin to it.
    pack_options : tuple of str
        For the packer.
    """

    device: Device
    rtlil: str
    clock_mhz: float
    constraints: str | None = None
    pack_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Netlist:
    """A synthesised design.

    Attributes
    ----------
    path : Path
        Flattened JSON netlist; its folder is the build folder.
    cells : mapping of str to int
        Cells by type.
    seconds : float
    """

    path: Path
    cells: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class Routed:
    """A placed and routed design: what nextpnr reports, the file to pack, and the seconds taken."""

    placed: Placed
    path: Path
    seconds: float


class CapacityError(StepError):
    """The device lacks cells.

    Attributes
    ----------
    excess : mapping
        Resource, as in `Placed`, to (used, available); empty where only the arrangement failed.
    """

    def __init__(self, log: Path, errors: tuple[str, ...], excess: dict[str, tuple[int, int]]):
        self.excess = MappingProxyType(excess)
        if excess:
            errors = tuple(f"{n} needs {u} of {a}" for n, (u, a) in excess.items())
        super().__init__("place and route", log=log, errors=errors)


class _Clocked(Elaboratable):
    def __init__(self, design: Any, clock: ClockGenerator):
        self._design = design
        self._clock = clock

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.clock = self._clock
        m.submodules.design = self._design
        return m


def plan_board(design: Elaboratable, board: Board, *, clock_mhz: float | None = None) -> Plan:
    """A complete board design: `design` with the board's clock and reset as domain `sync`.

    Parameters
    ----------
    design : Elaboratable
        Requests its pins, such as `board.uart`, from the platform it is elaborated with.
    clock_mhz : float, optional
        The device's default clock if None; see `Board.clock_plan`.

    Raises
    ------
    ValueError
        The board cannot make that clock.
    """
    clock_plan = board.clock_plan(clock_mhz)
    top = _Clocked(
        design, ClockGenerator(clock_plan, family=board.device.family, pll_pad=board.pll_pad)
    )
    # Without `src` attributes the result does not depend on where the sources lie.
    files = board.platform().build(top, name="top", do_build=False, emit_src=False).files
    pack = json.loads(files["build_top.json"])["commands"][2][1:]
    products = {"top.asc", "top.bin", "top.config", "top.bit", "top.svf"}
    named = {"--input", "--bit", "--svf"}
    return Plan(
        device=board.device,
        rtlil=files["top.il"],
        clock_mhz=float(clock_plan.achieved_mhz),
        constraints=files[f"top.{_family(board.device).synthesis.CONSTRAINTS}"],
        pack_options=tuple(option for option in pack if option not in products | named),
    )


def synthesise(
    plan: Plan,
    tools: Tools,
    folder: Path,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Netlist:
    """Synthesise into ``folder/top.json``; the folder is made if it does not exist.

    Raises
    ------
    StepError
        yosys failed, or resolved a conflict of drivers by dropping one: a miscompiled netlist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.il").write_text(plan.rtlil)
    script = _family(plan.device).synthesis.script(plan.device)
    (folder / "top.ys").write_text(f"read_rtlil top.il\n{script}write_json -noscopeinfo top.json\n")
    log = folder / "yosys.log"
    # What yosys prints ends with the first call of abc in its WebAssembly build; its log does not.
    seconds = tools.run(
        "yosys",
        ["-l", log.name, "top.ys"],
        step="synthesis",
        log=log,
        writes_log=True,
        progress=progress,
        cancel=cancel,
    )
    if conflicts := [line for line in log.read_text().splitlines() if _CONFLICT in line]:
        raise StepError("synthesis", log=log, errors=conflicts[:3])
    design = json.loads((folder / "top.json").read_text())
    top = design["modules"]["top"]
    if _family(plan.device).tidy.tidy(top):
        (folder / "top.json").write_text(json.dumps(design, separators=(",", ":")))
    cells = Counter(cell["type"] for cell in top["cells"].values())
    return Netlist(folder / "top.json", MappingProxyType(cells), seconds)


def write_verilog(plan: Plan, tools: Tools, folder: Path, *, name: str) -> Path:
    """Write a design before synthesis, hierarchy and all, to ``folder/name``.

    Raises
    ------
    StepError
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verilog.il").write_text(plan.rtlil)
    (folder / "verilog.ys").write_text(
        f"read_rtlil verilog.il\nproc\ndelete t:$scopeinfo\nwrite_verilog -noattr {name}\n"
    )
    log = folder / "verilog.log"
    tools.run(
        "yosys",
        ["-l", log.name, "verilog.ys"],
        step="writing Verilog",
        log=log,
        writes_log=True,
    )
    return folder / name


def place_and_route(
    plan: Plan,
    netlist: Netlist,
    tools: Tools,
    *,
    seed: int = 1,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Routed:
    """Place and route in the netlist's folder.

    A clock that is not met is no error: see `Placed.meets_timing`.

    Raises
    ------
    CapacityError
        The device lacks cells.
    StepError
    """
    folder, device = netlist.path.parent, plan.device
    family = _family(device)
    commands = family.synthesis
    constraint_file = f"top.{commands.CONSTRAINTS}"
    if plan.constraints is None:
        pins = [f"--{commands.CONSTRAINTS}-allow-unconstrained"]
    else:
        (folder / constraint_file).write_text(plan.constraints)
        pins = [f"--{commands.CONSTRAINTS}", constraint_file]
    arguments = [
        *device.nextpnr,
        *("--json", netlist.path.name),
        *pins,
        *("--freq", f"{plan.clock_mhz:.6f}"),
        *("--seed", str(seed)),
        *("--report", "top.report.json"),
        "--timing-allow-fail",
        *commands.PLACE_OPTIONS,
        *(commands.ROUTE_OPTION, f"top.{commands.ROUTED}"),
    ]
    log = folder / "nextpnr.log"
    try:
        seconds = tools.run(
            commands.PLACER,
            arguments,
            step="place and route",
            log=log,
            progress=progress,
            cancel=cancel,
        )
    except StepError as error:
        if error.log is None:
            raise
        usage = utilisation_in_log(log.read_text(), family.usage)
        excess = {n: (u.used, u.available) for n, u in usage.items() if u.used > u.available}
        if excess or any("no Bels remaining" in error for error in error.errors):
            raise CapacityError(log, error.errors, excess) from error
        raise
    placed = read_report(folder / "top.report.json", netlist.cells, family.usage)
    return Routed(placed, folder / f"top.{commands.ROUTED}", seconds)


def pack(
    plan: Plan,
    routed: Routed,
    tools: Tools,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Path:
    """Pack the routed design into its bitstream; return the bitstream's path."""
    commands = _family(plan.device).synthesis
    bitstream = routed.path.with_name(bitstream_name(plan.device))
    files = commands.pack_arguments(routed.path.name, bitstream.name)
    tools.run(
        commands.PACKER,
        [*plan.pack_options, *files],
        step="packing",
        log=routed.path.with_name(f"{commands.PACKER}.log"),
        progress=progress,
        cancel=cancel,
    )
    return bitstream


def _family(device: Device) -> Family:
    return FAMILIES[device.family]


def tools_of(device: Device) -> tuple[str, ...]:
    """What synthesises, places and routes."""
    return "yosys", _family(device).synthesis.PLACER


def bitstream_name(device: Device) -> str:
    """The file that `pack` writes."""
    return f"top.{_family(device).synthesis.BITSTREAM}"
