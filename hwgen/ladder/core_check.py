"""A core alone against its op: values and schedule, as RTL and after synthesis."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cores.op import Op
from hwgen.errors import CheckError
from hwgen.simulators.compiled import CompiledSimulator
from hwgen.simulators.driver import NO_STALL, Stall, StreamRun
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from platforms.device import Device
from platforms.out_of_context import plan_core
from platforms.toolchain import Netlist, synthesise
from platforms.tools import Tools

FRAMES_PER_LANE = 4
STALLS = (NO_STALL, Stall(source=0.3, sink=0.3, seed=1))
"""Pauses that are tried; cycles are compared where there are none."""


def draw_frames(op: Op, count: int, *, seed: int = 1) -> np.ndarray:
    """Random frames over the whole range of the only input, and those that reach the ends of the
    output if they are known; a multiple of `FRAMES_PER_LANE`."""
    stream = op.inputs["i"]
    rng = np.random.default_rng(seed)
    known = op.extremes()
    extremes = known[0] if known else np.empty((0, *stream.shape), np.int64)
    more = count - len(extremes)
    more += -(more + len(extremes)) % FRAMES_PER_LANE
    drawn = rng.integers(stream.dtype.lo, stream.dtype.hi + 1, (more, *stream.shape))
    return np.concatenate([extremes, drawn])


def check_rtl(
    op: Op, x: np.ndarray, *, cache: Path, tools: Tools, stalls: Sequence[Stall] = STALLS
) -> None:
    """Frames through the portable core, without pauses and with.

    Parameters
    ----------
    op : Op
        With one input and one output.
    x : int array, (frames, *shape)

    Raises
    ------
    CheckError
        A value or a cycle is not the one that the op states.
    """
    simulator = CompiledSimulator(op.core(), cache=cache, tools=tools)
    for stall in stalls:
        y, run = simulator.run_tensor(x, op.inputs["i"], op.outputs["o"], stall=stall)
        _compare(op, x, y, "RTL")
        if stall is NO_STALL:
            _compare_cycles(op, run, len(x), "RTL")


def check_netlist(
    op: Op,
    x: np.ndarray,
    device: Device,
    *,
    folder: Path,
    cache: Path,
    tools: Tools,
    stalls: Sequence[Stall] = STALLS,
) -> Netlist:
    """Frames through the netlist of the core, its ports as pins, without pauses and with; returns
    the netlist.

    Parameters
    ----------
    op : Op
        With one input and one output.
    x : int array, (frames, *shape)
        A multiple of `FRAMES_PER_LANE` frames.

    Raises
    ------
    CheckError
        A value or a cycle is not the one that the op states.
    StepError
    """
    clock = device.default_clock_mhz
    netlist = synthesise(plan_core(op.core(device), device, clock_mhz=clock), tools, folder)
    simulate_netlist(op, x, netlist.path, device, cache=cache, stalls=stalls)
    return netlist


def simulate_netlist(
    op: Op,
    x: np.ndarray,
    path: Path,
    device: Device,
    *,
    cache: Path,
    stalls: Sequence[Stall] = STALLS,
) -> None:
    """The same with the JSON netlist of an earlier synthesis."""
    lanes = min(512, len(x) // FRAMES_PER_LANE)
    simulator = NetlistSimulator(GateNetlist.load(path, device.family), cache=cache, lanes=lanes)
    for stall in stalls:
        y, run = simulator.run_tensor(
            x,
            op.inputs["i"],
            op.outputs["o"],
            frames_per_lane=FRAMES_PER_LANE,
            stall=stall,
        )
        _compare(op, x, y, "netlist")
        if stall is NO_STALL:
            _compare_cycles(op, run, FRAMES_PER_LANE, "netlist")


def _compare(op: Op, x: np.ndarray, y: np.ndarray, what: str) -> None:
    expected = np.asarray(op.compute(x))
    wrong = np.argwhere(y != expected)
    if len(wrong):
        place = tuple(int(index) for index in wrong[0])
        raise CheckError(
            f"{what} of {type(op).__name__}: {len(wrong)} of {y.size} elements differ, the first "
            f"at {list(place)}: {y.item(*place)}, not {expected.item(*place)}"
        )


def _compare_cycles(op: Op, run: StreamRun, frames: int, what: str) -> None:
    starts = np.arange(frames)[:, None] * op.cycles
    reads = (starts + op.timing.reads("i")).ravel()
    emits = (starts + op.timing.emits("o") + op.depth).ravel()
    start = run.in_cycles[0] - reads[0]
    found: Sequence[tuple[str, np.ndarray, np.ndarray]] = (
        ("input", run.in_cycles - start, reads),
        ("output", run.out_cycles - start, emits),
    )
    for port, cycles, expected in found:
        wrong = np.flatnonzero(cycles != expected)
        if len(wrong):
            beat = wrong[0]
            raise CheckError(
                f"{what} of {type(op).__name__}: {port} beat {beat} moves in cycle "
                f"{cycles[beat]}, not {expected[beat]}"
            )
