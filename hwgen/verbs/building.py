"""The verb `build`: from a design to a folder with bitstream, manifest and report."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hwgen.board import implement
from hwgen.board.target import board_of, on_board, prepared_for
from hwgen.design import Design
from hwgen.errors import HwgenError, InputError
from hwgen.ladder import checks, simulation
from hwgen.prepare import Prepared
from hwgen.report import record as records
from hwgen.report.compose import estimate_record, set_cycles, set_high_water, set_placed
from hwgen.session import Session
from hwgen.vectors import accuracy, against_stored, load_arrays
from platforms.toolchain import tools_of
from platforms.tools import StepError


def build(design: Design, session: Session, out: Path) -> dict[str, Any]:
    """Builds a bitstream with manifest, folding and report into the folder `out`.

    Works in a temporary folder beside `out`, which takes its place only when everything is done.
    Without a link there is no bitstream: the folder gets the accelerator in Verilog, and the record
    what it takes alone, behind registers.

    Returns
    -------
    dict
        The record, as in ``report.json``.
    """
    board = board_of(design)
    with session.step("read, analyse and fold"):
        prepared = prepared_for(design, on_board(design), cache=session.cache)
        board_design = None
        if design.link != "none":
            board_design = implement.board_design(prepared, board, baud=design.baud)
        record = estimate_record(prepared, board=board.name)
    record["seed"] = design.seed
    record["link"] = design.link
    tools = tools_of(board.device)
    record["tool_versions"] = {**session.start(*tools), **_versions()}
    arrays = load_arrays(design.vectors) if design.vectors else {}
    with _replacing(out) as folder, _keeping_log(session.cache / "failed" / out.name):
        _check_rtl(prepared, arrays, record, session)
        if board_design is None:
            with session.step("write Verilog"):
                implement.write_accelerator(prepared, session.tools, folder)
            with session.step("place and route"):
                placed = implement.place_bare(
                    prepared, session.tools, folder / "tools", seed=design.seed
                )
            set_placed(record, placed, prepared.clock_mhz, board.device)
            _finish(prepared, record, session, folder)
            return record
        with session.step("synthesise"):
            netlist = implement.synthesise_design(board_design, session.tools, folder / "tools")
        if design.netlist_frames:
            with session.step("simulate the netlist"):
                rung = checks.through_netlist(
                    prepared,
                    board_design.manifest,
                    board,
                    netlist.path,
                    _integers(prepared, arrays)[: design.netlist_frames],
                    cache=session.cache,
                )
                record["bit_exact"].append(rung.record())
        with session.step("place and route"):
            routed = implement.place_design(board_design, netlist, session.tools, seed=design.seed)
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
    """Climbs the ladder down to compiled RTL; records cycles, rungs, accuracy and what
    the stored outputs are."""
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
    if "input" not in arrays:
        return
    if (share := accuracy(run.output, arrays)) is not None:
        record["accuracy"] = records.entry(share, "simulated")
    record["stored_outputs"] = against_stored(run.output, arrays)


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
