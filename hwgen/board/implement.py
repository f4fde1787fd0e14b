"""A prepared design on a board: top level, manifest, netlist, placement and bitstream."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2s
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cores.link.link import LinkConfig
from cores.link.staging import link_stream
from cores.link.uart import baud_divisor
from hwgen.board.emulated_board import MANIFEST, PORTABLE
from hwgen.board.top import BoardTop, Identity, LinkedAccelerator, link_config
from hwgen.builder import Accelerator
from hwgen.design import DEFAULT_BAUD
from hwgen.errors import FitError, InputError, ToolError
from hwgen.host import edges
from hwgen.host.manifest import HASH_BYTES, WEIGHTS, Manifest, PatternCheck, Port
from hwgen.host.throughput import expected_checksum
from hwgen.ladder.simulation import interpret
from hwgen.prepare import Prepared
from platforms import rtlil
from platforms.boards.board import Board
from platforms.out_of_context import place_core, plan_core
from platforms.pnr_report import Placed
from platforms.toolchain import (
    CapacityError,
    Netlist,
    Plan,
    Routed,
    pack,
    place_and_route,
    plan_board,
    synthesise,
    write_verilog,
)
from platforms.tools import StepError, Tools

NUMPY_NAMES = {
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "FLOAT16": "float16",
    "BFLOAT16": "float32",
    **{
        f"{sign}INT{bits}": f"{sign.lower()}int{bits}"
        for sign in ("", "U")
        for bits in (8, 16, 32, 64)
    },
}
VERILOG = "accelerator.v"
"""File of a build folder where there is no link."""

PATTERN_FRAMES = 16
"""Frames of the device's own pattern whose outputs the build computes."""


@dataclass(frozen=True, eq=False)
class BoardDesign:
    """Everything about a design for a board before the tools run."""

    prepared: Prepared
    board: Board
    plan: Plan
    manifest: Manifest
    link: LinkConfig


def board_design(prepared: Prepared, board: Board, *, baud: int = DEFAULT_BAUD) -> BoardDesign:
    """The complete design for a board, with a host link.

    Raises
    ------
    InputError
        The clock does not divide into the baud rate.
    """
    clk_hz = round(float(board.clock_plan(prepared.clock_mhz).achieved_mhz) * 1e6)
    try:
        baud_divisor(clk_hz, baud)
    except ValueError as error:
        raise InputError(f"baud {baud}: {error}") from error
    full = prepared.link_kind == "uart"
    accelerator = Accelerator(prepared.folded, board.device, stalls=full)
    manifest = _manifest(prepared, board, clk_hz=clk_hz, baud=baud)
    identity = Identity(
        model_hash=bytes.fromhex(manifest.model_hash),
        build_id=bytes.fromhex(manifest.build_id),
        cycles_per_frame=manifest.cycles_per_frame,
        latency_cycles=manifest.latency_cycles,
        generator=_generator(),
    )
    link = link_config(
        accelerator, identity, clk_hz=clk_hz, baud=baud, device=board.device, full=full
    )
    plan = plan_board(BoardTop(accelerator, link, board), board, clock_mhz=prepared.clock_mhz)
    return BoardDesign(prepared, board, plan, manifest, link)


def write_accelerator(prepared: Prepared, tools: Tools, folder: Path) -> None:
    """Writes the accelerator without a link into `folder` as ``accelerator.v``.

    Raises
    ------
    ToolError
    """
    device = prepared.device
    plan = plan_core(Accelerator(prepared.folded, device), device, clock_mhz=prepared.clock_mhz)
    with _tool_errors():
        write_verilog(plan, tools, folder / "tools", name=VERILOG).replace(folder / VERILOG)


def place_bare(prepared: Prepared, tools: Tools, folder: Path, *, seed: int = 1) -> Placed:
    """What the accelerator without a link takes, behind registers; works in `folder`.

    Raises
    ------
    FitError
        The device lacks cells, or the clock is not met.
    ToolError
    """
    device = prepared.device
    with _fitting(prepared.loaded.model.name, device.name):
        (placed,) = place_core(
            Accelerator(prepared.folded, device),
            device,
            tools,
            folder,
            clock_mhz=prepared.clock_mhz,
            seeds=(seed,),
        ).placed
    _check_clock(placed, prepared.loaded.model.name, device.name)
    return placed


def portable_design(design: BoardDesign) -> str:
    """RTLIL of the design in its portable form, between pins `rx` and `tx`."""
    accelerator = Accelerator(design.prepared.folded, stalls=design.link.probe)
    top = LinkedAccelerator(accelerator, design.link)
    return rtlil.convert(top)


def save_for_hosts(design: BoardDesign, folder: Path) -> None:
    """Writes what driver and emulation need into a build folder."""
    design.manifest.save(folder / MANIFEST)
    (folder / PORTABLE).write_text(portable_design(design))
    if image := design.prepared.folded.weight_image:
        (folder / WEIGHTS).write_bytes(image)


def synthesise_design(design: BoardDesign, tools: Tools, folder: Path) -> Netlist:
    """Synthesises into `folder`.

    Raises
    ------
    ToolError
    """
    with _tool_errors():
        return synthesise(design.plan, tools, folder)


def place_design(design: BoardDesign, netlist: Netlist, tools: Tools, *, seed: int = 1) -> Routed:
    """Places and routes.

    Raises
    ------
    FitError
        The device lacks cells, or the clock is not met.
    ToolError
    """
    with _fitting(design.manifest.model, design.board.name):
        routed = place_and_route(design.plan, netlist, tools, seed=seed)
    _check_clock(routed.placed, design.manifest.model, design.board.name)
    return routed


def pack_design(design: BoardDesign, routed: Routed, tools: Tools) -> Path:
    """Packs the bitstream and returns its path.

    Raises
    ------
    ToolError
    """
    with _tool_errors():
        return pack(design.plan, routed, tools)


@contextmanager
def _tool_errors() -> Iterator[None]:
    try:
        yield
    except StepError as error:
        raise ToolError(str(error)) from error


@contextmanager
def _fitting(model: str, target: str) -> Iterator[None]:
    """Also tells which device or board, the `target`, lacks cells."""
    with _tool_errors():
        try:
            yield
        except CapacityError as error:
            raise FitError(
                f"{model} does not fit {target} after synthesis: {'; '.join(error.errors)}; "
                "use a larger device, or fold more"
            ) from error


def _check_clock(placed: Placed, model: str, target: str) -> None:
    if not placed.meets_timing:
        raise FitError(
            f"{model} must run at {placed.clock_mhz:.2f} MHz on {target}, but reaches "
            f"{placed.fmax_mhz:.2f} MHz; lower --clock-mhz, fold more, or try another --seed. "
            f"The slowest path:\n{placed.critical_path}"
        )


def _weights_hash(prepared: Prepared) -> str:
    image = prepared.folded.weight_image
    return blake2s(image, digest_size=HASH_BYTES).hexdigest() if image else ""


def _manifest(prepared: Prepared, board: Board, *, clk_hz: int, baud: int) -> Manifest:
    loaded = prepared.loaded
    model_hash = loaded.model.hash[: 2 * HASH_BYTES]
    parts = (
        version("hwgen"),
        loaded.model.hash,
        prepared.folding,
        board.name,
        prepared.link_kind,
        str(clk_hz),
        str(baud),
    )
    build_id = blake2s("\0".join(parts).encode(), digest_size=HASH_BYTES).hexdigest()
    (name_in, kind_in), *_ = loaded.model.graph.inputs.items()
    entry, exit_ = prepared.folded.end_types
    (name_out,) = loaded.model.graph.outputs
    sent, returned = link_stream(entry), link_stream(exit_)
    steps_out = loaded.analysis.output_edges[name_out]
    sample = edges.apply(steps_out, np.zeros((1, *returned.shape), np.int64))
    manifest = Manifest(
        model=loaded.model.name,
        model_hash=model_hash,
        build_id=build_id,
        board=board.name,
        device=board.device.name,
        clock_mhz=clk_hz / 1e6,
        baud=baud,
        inputs={
            name_in: Port(
                shape=kind_in.shape[1:],
                elem=NUMPY_NAMES[kind_in.elem],
                int_shape=sent.shape,
                dtype=str(sent.dtype),
                link_lanes=sent.lanes,
                lanes=entry.lanes,
                steps=tuple(loaded.analysis.input_edges[name_in]),
            )
        },
        outputs={
            name_out: Port(
                shape=sample.shape[1:],
                elem=sample.dtype.name,
                int_shape=returned.shape,
                dtype=str(returned.dtype),
                link_lanes=returned.lanes,
                lanes=exit_.lanes,
                steps=tuple(steps_out),
            )
        },
        cycles_per_frame=prepared.timing.interval,
        latency_cycles=prepared.timing.last_out,
        streams=prepared.folded.stream_names,
        weights_hash=_weights_hash(prepared),
    )
    expected = expected_checksum(manifest, PATTERN_FRAMES, partial(interpret, prepared))
    return replace(manifest, pattern=PatternCheck(PATTERN_FRAMES, expected))


def _generator() -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version("hwgen").split("."))
    return major, minor, patch
