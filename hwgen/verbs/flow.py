"""The verbs but `build`, `core` and those about boards: what the command line and Python users
call."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwgen.board import implement
from hwgen.board.emulated_board import EmulatedBoard
from hwgen.board.target import (
    board_of,
    on_board,
    prepared_for,
    prepared_for_simulation,
    target_of,
)
from hwgen.board.terminal import Terminal
from hwgen.design import Design
from hwgen.errors import InputError
from hwgen.ladder import simulation
from hwgen.ladder.netlist_check import run_netlist
from hwgen.report import record as records
from hwgen.report.compose import estimate_record
from hwgen.report.markdown import replace_results, results_table
from hwgen.session import Session
from hwgen.simulators.netlist_simulator import MAX_LANES
from hwgen.vectors import accuracy, against_stored, load_arrays
from hwgen.verbs.inspection import Inspection
from hwgen.verbs.inspection import inspect as inspect_model

LEVELS = ("graph", "cores", "rtl", "netlist")


def inspect(design: Design) -> Inspection:
    """What each node of the model becomes; needs no tool."""
    return inspect_model(design.model, design.input_type, plugins=design.plugins)


def estimate(design: Design, session: Session) -> dict[str, Any]:
    """Cycles, resources and energy on the design's board or device, without any tool but a C++
    compiler; without that, buffers keep what the schedule shows to be enough.

    Raises
    ------
    InputError
        The design names neither a device nor a board.
    """
    target = target_of(design)
    prepared = prepared_for(design, target, cache=session.cache)
    return estimate_record(prepared, board=target.board_name)


def simulate(
    design: Design, session: Session, x: np.ndarray, *, level: str = "rtl"
) -> simulation.Result:
    """Runs samples (N, shape without batch) through one rung of the ladder."""
    if level == "netlist":
        return _simulate_netlist(design, session, x)
    prepared = prepared_for_simulation(design, cache=session.cache)
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
    board = board_of(design)
    if design.link == "none":
        raise InputError("link must be uart or minimal for level netlist, not none")
    prepared = prepared_for(design, on_board(design), cache=session.cache)
    board_design = implement.board_design(prepared, board, baud=design.baud)
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
                    weights=prepared.folded.weight_image,
                )
                outputs.append(y)
    y = np.concatenate(outputs)
    output = simulation.from_integers(prepared.loaded, y)
    return simulation.Result(output, y, latency=latency)


def simulate_files(
    design: Design, session: Session, *, level: str, inputs: Path | None, out: Path | None
) -> dict[str, Any]:
    """`simulate` from npz to npz; compares with the file's `label` and stored outputs.

    Raises
    ------
    InputError
        No file of inputs is named, or it is not one.
    """
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
    if (share := accuracy(result.output, arrays)) is not None:
        record["accuracy"] = share
    if stored := against_stored(result.output, arrays):
        record["stored_outputs"] = stored
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
    """The record of a build folder.

    Raises
    ------
    InputError
        The folder is not that of a build.
    """
    path = folder / "report.json"
    if not path.is_file():
        raise InputError(f"{folder}: must be the output folder of a build; no report.json there")
    return records.read(path)


def write_results(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Replaces the table of results in a text by that of some records.

    Raises
    ------
    InputError
        The text cannot be read, or has no markers.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    path.write_text(replace_results(text, results_table(found), source=str(path)))
