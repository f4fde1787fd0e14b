"""The verbs: what the command line, the Makefile and Python users call."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hwgen import checks, implement, simulation
from hwgen.builder import weight_image
from hwgen.design import Design, Goal
from hwgen.emulated_board import EmulatedBoard
from hwgen.errors import HwgenError, InputError
from hwgen.inspection import Inspection
from hwgen.inspection import inspect as inspect_model
from hwgen.netlist_check import run_netlist
from hwgen.prepare import Prepared, load, prepare
from hwgen.report import record as records
from hwgen.report.compose import estimate_record, set_cycles, set_high_water, set_placed
from hwgen.report.markdown import replace_results, results_table
from hwgen.simulators.netlist_simulator import MAX_LANES
from hwgen.terminal import Terminal
from hwgen.vectors import accuracy, load_arrays
from platforms.board import Board
from platforms.boards import BOARDS
from platforms.boards import board as find_board
from platforms.device import Device
from platforms.devices import device as find_device
from platforms.tools import StepError, Tools

LEVELS = ("graph", "cores", "rtl", "netlist")
Progress = Callable[[str], None]


@dataclass
class Session:
    """What a verb may use of the machine, and the time each step took.

    Parameters
    ----------
    environment : mapping
        Environment of external tools; PATH finds native ones.
    cache : Path
        Folder for compiled simulators.
    progress : callable
        Takes one line of text per step.
    """

    environment: Mapping[str, str]
    cache: Path
    progress: Progress = lambda text: None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def tools(self) -> Tools:
        return Tools(self.environment)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announces a step, and how long it took."""
        self.progress(f"{name} ...")
        start = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - start
        self.progress(f"{name}: {self.seconds[name]:.1f} s")

    def start(self, *tools: str) -> dict[str, str]:
        """Runs each tool once for its version, so that no later step hides its first start."""
        with self.step(f"start {' and '.join(tools)}"):
            if any("yowasp" in " ".join(self.tools.command(tool)) for tool in tools):
                self.progress("(WebAssembly tools compile themselves at first: minutes)")
            return {tool: self.tools.version(tool) for tool in tools}


def with_changes(design: Design, changes: Mapping[str, Any]) -> Design:
    """The design with some fields replaced."""
    return replace(design, **changes)


def inspect(design: Design) -> Inspection:
    """What each node of the model becomes; needs no tool."""
    return inspect_model(design.model, design.input_type)


def estimate(design: Design, *, device: str | None = None, link: str = "uart") -> dict[str, Any]:
    """Cycles, resources and energy without any tool, for a device or the design's board.

    Raises
    ------
    InputError
        Neither a device nor a board is known.
    """
    board = None if device else _board(design)
    chosen = _named(find_device, device) if device else _board(design).device
    clock_mhz = _clock(design, board, chosen)
    prepared = _prepared(design, chosen, clock_mhz, link)
    return estimate_record(prepared, board=board.name if board else None)


def build(
    design: Design,
    session: Session,
    out: Path,
    *,
    link: str = "uart",
    baud: int | None = None,
    seed: int = 1,
    netlist_frames: int = 64,
) -> dict[str, Any]:
    """Builds a bitstream with manifest, folding and report into the folder `out`.

    Works in a temporary folder beside `out`, which takes its place only when everything is done.

    Parameters
    ----------
    link : str
        One of `hwgen.prepare.LINKS`. Without a link there is no bitstream: the folder gets the
        accelerator in Verilog, and the record what it takes alone, behind registers.
    baud : int, optional
        Rate of the host link.
    seed : int
        Of place and route.
    netlist_frames : int
        Frames sent through the synthesised netlist, serial line and all; 0 leaves this rung out.

    Returns
    -------
    dict
        The record, as in ``report.json``.
    """
    board = _board(design)
    with session.step("read, analyse and fold"):
        prepared = _prepared(design, board.device, _clock(design, board, board.device), link)
        board_design = None
        if link != "none":
            board_design = implement.board_design(prepared, board, baud=baud)
        record = estimate_record(prepared, board=board.name)
    record["seed"] = seed
    record["link"] = link
    tools = ("yosys", f"nextpnr-{board.device.family}")
    record["tool_versions"] = {**session.start(*tools), **_versions()}
    arrays = load_arrays(design.vectors) if design.vectors else {}
    with _replacing(out) as folder, _keeping_log(session.cache / "failed" / out.name):
        _check_rtl(prepared, arrays, record, session)
        if board_design is None:
            with session.step("place and route"):
                placed = implement.place_bare(prepared, session.tools, folder, seed=seed)
            set_placed(record, placed, prepared.clock_mhz, board.device)
            _finish(prepared, record, session, folder)
            return record
        with session.step("synthesise"):
            netlist = implement.synthesise_design(board_design, session.tools, folder / "tools")
        if netlist_frames:
            with session.step("simulate the netlist"):
                rung = checks.through_netlist(
                    prepared,
                    board_design.manifest,
                    board,
                    netlist.path,
                    _integers(prepared, arrays)[:netlist_frames],
                    cache=session.cache,
                )
                record["bit_exact"].append(rung.record())
        with session.step("place and route"):
            routed = implement.place_design(board_design, netlist, session.tools, seed=seed)
        with session.step("pack"):
            bitstream = implement.pack_design(board_design, routed, session.tools)
        set_placed(record, routed.placed, prepared.clock_mhz, board.device)
        bitstream.replace(folder / bitstream.name)
        record["bitstream"] = str(out / bitstream.name)
        implement.save_for_hosts(board_design, folder)
        _finish(prepared, record, session, folder)
    return record


def _finish(prepared: Prepared, record: dict[str, Any], session: Session, folder: Path) -> None:
    record["time_per_step_s"] = {
        name: records.entry(round(seconds, 2), "measured")
        for name, seconds in session.seconds.items()
    }
    (folder / "folding.toml").write_text(prepared.folding)
    records.write(record, folder / "report.json")


def _check_rtl(
    prepared: Prepared, arrays: Mapping[str, np.ndarray], record: dict[str, Any], session: Session
) -> None:
    """Climbs the ladder down to compiled RTL; records cycles, rungs and accuracy."""
    with session.step("compile the simulator"):
        simulator = simulation.compiled(prepared, cache=session.cache)
    with session.step("simulate"):
        if "input" not in arrays:
            rungs, run = checks.random_frames(prepared, simulator)
        else:
            rungs, run = checks.climb_down(prepared, arrays["input"], simulator)
    record["bit_exact"] = [rung.record() for rung in rungs]
    if run.interval is not None and run.latency is not None:
        set_cycles(record, interval=run.interval, latency=run.latency)
    if run.high_water is not None:
        set_high_water(record, run.high_water)
    if "label" in arrays:
        share = accuracy(run.output, arrays["label"])
        if share is not None:
            record["accuracy"] = records.entry(share, "simulated")


def _integers(prepared: Prepared, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The design's samples as integers, or random ones where it has none."""
    if "input" in arrays:
        return simulation.to_integers(prepared.loaded, arrays["input"])
    return checks.random_integers(prepared)


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `out` unless an exception leaves the block."""
    if out.exists() and not (out / "report.json").is_file():
        raise InputError(f"{out}: must be a new folder or the output of a build; remove it first")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield folder
        if out.exists():
            shutil.rmtree(out)
        folder.chmod(0o755)
        folder.rename(out)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


@contextmanager
def _keeping_log(kept: Path) -> Iterator[None]:
    """Copies the log of a tool that failed to `kept`: its own folder is about to go."""
    try:
        yield
    except HwgenError as error:
        cause = error.__cause__
        if not isinstance(cause, StepError) or cause.log is None:
            raise
        kept.mkdir(parents=True, exist_ok=True)
        copy = Path(shutil.copy(cause.log, kept))
        raise type(error)(str(error).replace(str(cause.log), str(copy))) from cause


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("hwgen", "amaranth", "onnx", "numpy")}


def simulate(
    design: Design, session: Session, x: np.ndarray, *, level: str = "rtl"
) -> simulation.Result:
    """Runs samples (N, shape without batch) through one rung of the ladder."""
    if level == "netlist":
        return _simulate_netlist(design, session, x)
    prepared = _for_simulation(design)
    if level == "graph":
        return simulation.run_graph(prepared, x)
    if level == "cores":
        return simulation.run_cores(prepared, x)
    with session.step("compile the simulator"):
        simulator = simulation.compiled(prepared, cache=session.cache)
    with session.step("simulate"):
        return simulation.run_rtl(prepared, x, simulator)


def _simulate_netlist(design: Design, session: Session, x: np.ndarray) -> simulation.Result:
    """Synthesises for the design's board and runs the netlist through its serial line."""
    board = _board(design)
    prepared = _prepared(design, board.device, _clock(design, board, board.device))
    board_design = implement.board_design(prepared, board)
    n = simulation.to_integers(prepared.loaded, x)
    session.start("yosys")
    outputs, latency = [], None
    with tempfile.TemporaryDirectory(prefix="hwgen-") as folder:
        with session.step("synthesise"):
            netlist = implement.synthesise_design(board_design, session.tools, Path(folder))
        with session.step("simulate the netlist"):
            for start in range(0, len(n), MAX_LANES):
                y, latency = run_netlist(
                    netlist.path,
                    board_design.manifest,
                    board,
                    n[start : start + MAX_LANES],
                    cache=session.cache,
                    weights=weight_image(prepared.folded),
                )
                outputs.append(y)
    y = np.concatenate(outputs)
    output = simulation.from_integers(prepared.loaded, y)
    return simulation.Result(output, y, latency=latency)


def simulate_files(
    design: Design, session: Session, *, level: str, inputs: Path | None, out: Path | None
) -> dict[str, Any]:
    """`simulate` from npz to npz; compares with the file's `label` where it has one."""
    source = inputs or design.vectors
    if source is None:
        raise InputError("--inputs must name an npz file with an array `input`")
    arrays = load_arrays(source)
    result = simulate(design, session, arrays["input"], level=level)
    record: dict[str, Any] = {"level": level, "samples": len(result.output)}
    if result.interval is not None:
        record["cycles_per_frame"] = result.interval
    if result.latency is not None:
        record["latency_cycles"] = result.latency
    if "label" in arrays:
        record["accuracy"] = accuracy(result.output, arrays["label"])
    if out is not None:
        n = 0 if result.interval is None else len(result.output)
        np.savez_compressed(
            out,
            output=result.output,
            output_int=result.output_int,
            cycles=np.full(n, result.interval or 0),
        )
        record["written"] = str(out)
    return record


def emulated(folder: Path, session: Session, *, netlist: bool = False) -> EmulatedBoard:
    """The design of a build folder as an emulated board.

    Parameters
    ----------
    netlist : bool
        From the synthesised netlist, which is slow.
    """
    if netlist:
        with session.step("read the netlist"):
            return EmulatedBoard.of_netlist(folder, cache=session.cache)
    with session.step("compile the simulator"):
        return EmulatedBoard.of_build(folder, cache=session.cache, tools=session.tools)


def emulate(
    folder: Path,
    session: Session,
    announce: Callable[[str], None],
    *,
    netlist: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Serves an emulated board at a pseudo-terminal until `stopped` says so.

    Parameters
    ----------
    announce : callable
        Takes the path of the terminal.
    """
    with Terminal(emulated(folder, session, netlist=netlist)) as terminal:
        announce(terminal.path)
        terminal.serve(stopped)


def read_report(folder: Path) -> dict[str, Any]:
    """The record of a build folder."""
    path = folder / "report.json"
    if not path.is_file():
        raise InputError(f"{folder}: must be the output folder of a build; no report.json there")
    return records.read(path)


def write_results(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Replaces the table of results in a text by that of some records."""
    try:
        text = path.read_text()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    path.write_text(replace_results(text, results_table(found), source=str(path)))


def _board(design: Design) -> Board:
    if design.board is None:
        raise InputError(f"--board must be given; boards: {', '.join(BOARDS)}")
    return _named(find_board, design.board)


def _named(find: Callable[[str], Any], name: str) -> Any:
    try:
        return find(name)
    except ValueError as error:
        raise InputError(str(error)) from error


def _clock(design: Design, board: Board | None, device: Device) -> float:
    if board is None:
        return design.clock_mhz or device.default_clock_mhz
    try:
        return float(board.clock_plan(design.clock_mhz).achieved_mhz)
    except ValueError as error:
        raise InputError(str(error)) from error


def _prepared(design: Design, device: Device, clock_mhz: float, link: str = "uart") -> Prepared:
    loaded = load(design.model, design.input_type, name=design.name, sequential=design.sequential)
    return prepare(loaded, device, clock_mhz=clock_mhz, goal=design.goal, link=link)


def _for_simulation(design: Design) -> Prepared:
    """Folded for the design's board; without one as far as it goes, for the largest device."""
    if design.board is None:
        device = _named(find_device, "ecp5-85f")
        if design.goal == Goal():
            design = replace(design, goal=Goal(fps=1))
        return _prepared(design, device, _clock(design, None, device))
    board = _board(design)
    return _prepared(design, board.device, _clock(design, board, board.device))
