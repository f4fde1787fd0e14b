"""Composes the ops' data-independent schedules: interval, latency and buffer levels, unsimulated.

Every core performs one step per cycle unless a beat it needs has not arrived (`cores.op`). With
frames offered every `interval` cycles, the interval of the slowest op, the read of step g happens
at ``g + max over reads g' <= g of (arrival(g') - g')``, and an output beat is late by the reads
that it needs and by the beats before it. That is evaluated op by op in graph order for a few
frames, until two frames in a row look the same.

The schedule so found is one that buffers of the reported levels allow. Self-timed hardware is never
later than a schedule its buffers allow, so those capacities are enough for the full rate.
"""

from dataclasses import dataclass

import numpy as np

from cores.op import Op
from hwgen.graph.ir import Graph, Value

FRAMES = 12
"""Frames tried before a schedule that does not settle is given up; two are usual."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """When everything happens in the steady state.

    Parameters
    ----------
    interval : int
        Cycles from frame to frame, the initiation interval of the accelerator.
    first_out, last_out : int
        Cycles from the first input beat of a frame to `valid` of its first and last output beat,
        for a frame that enters an idle accelerator.
    bottleneck : tuple of str
        Nodes whose `cycles` are the interval.
    frames : int
        How many frames were tried.
    valid : dict of Value to int64 array
        Cycle at which each beat of the tried frames becomes valid.
    taken : dict of (node, input index) to int64 array
        Cycle at which each beat of the tried frames is taken.
    """

    interval: int
    first_out: int
    last_out: int
    bottleneck: tuple[str, ...]
    frames: int
    valid: dict[Value, np.ndarray]
    taken: dict[tuple[str, int], np.ndarray]


def schedule(graph: Graph, *, frames: int = 2) -> Schedule:
    """The steady-state schedule of a dataflow graph with adapters and any buffers in place.

    Parameters
    ----------
    frames : int
        Frames to try at least.

    Raises
    ------
    ValueError
        The schedule does not become periodic.
    """
    cycles = {node.name: node.op.cycles for node in graph}
    interval = max(cycles.values(), default=1)
    while True:
        valid, taken = _timetable(graph, interval, frames)
        if all(periodic(times, interval, frames) for times in taken.values()):
            break
        if frames >= FRAMES:
            raise ValueError(f"schedule of {graph.name} is not periodic after {FRAMES} frames")
        frames += 2
    outputs = [valid[value] for value in graph.outputs.values() if value in valid]
    first_out = min((int(times[0]) for times in outputs), default=0)
    last_out = max((int(times[times.size // frames - 1]) for times in outputs), default=0)
    bottleneck = tuple(name for name, count in cycles.items() if count == interval)
    return Schedule(interval, first_out, last_out, bottleneck, frames, valid, taken)


def occupancy(arrived: np.ndarray, taken: np.ndarray) -> int:
    """Most beats present at once, each from its arrival to the end of the cycle that takes it.

    0 if every beat is taken in the cycle of its arrival: then nothing has to be stored.
    """
    if (arrived == taken).all():
        return 0
    there = np.searchsorted(arrived, taken, side="right")
    return int((there - np.arange(taken.size)).max())


def steps_of_frames(op: Op, steps: np.ndarray, frames: int) -> np.ndarray:
    """Step numbers of one frame, continued over `frames` frames."""
    return (np.arange(frames)[:, None] * op.cycles + steps).ravel()


def _timetable(
    graph: Graph, interval: int, frames: int
) -> tuple[dict[Value, np.ndarray], dict[tuple[str, int], np.ndarray]]:
    """Cycles at which the beats of `frames` frames become valid and are taken."""
    valid: dict[Value, np.ndarray] = {}
    taken: dict[tuple[str, int], np.ndarray] = {}
    for node in graph:
        reads = {
            port: steps_of_frames(node.op, node.op.timing.reads(port), frames)
            for port in node.op.inputs
        }
        arrivals = [
            _arrivals(value, valid, reads[port], interval, frames)
            for port, value in zip(node.op.inputs, node.inputs, strict=True)
        ]
        at = np.concatenate(list(reads.values()))
        order = np.argsort(at, kind="stable")
        late = np.maximum.accumulate((np.concatenate(arrivals) - at)[order])
        at = at[order]
        for index, port in enumerate(node.op.inputs):
            taken[node.name, index] = _times(reads[port], at, late)
        for port in node.op.outputs:
            emits = steps_of_frames(node.op, node.op.timing.emits(port), frames)
            waits = np.full(emits.size, np.iinfo(np.int64).min)
            for index, name in enumerate(node.op.inputs):
                count = node.op.timing.needed(port, name)
                starts = np.arange(frames)[:, None] * node.op.inputs[name].beats
                last = (starts + count - 1).ravel()
                delays = taken[node.name, index] - reads[name]
                # A beat that needs nothing of this port has -1 in the first frame.
                waits = np.maximum(waits, np.where(last < 0, waits, delays[last]))
            valid[node[port]] = emits + np.maximum.accumulate(waits) + node.op.depth
    return valid, taken


def _arrivals(
    value: Value, valid: dict[Value, np.ndarray], reads: np.ndarray, interval: int, frames: int
) -> np.ndarray:
    """Cycle at which each beat can be taken; a graph input offers whole frames every `interval`."""
    if value in valid:
        return valid[value]
    return np.repeat(np.arange(frames) * interval, reads.size // frames)


def _times(steps: np.ndarray, at: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Cycle of each step: its number plus the largest lateness of the reads up to it."""
    known = np.searchsorted(at, steps, side="right") - 1
    return steps + late[np.maximum(known, 0)]


def periodic(taken: np.ndarray, interval: int, frames: int) -> bool:
    """Whether the last frame is the one before, an interval later."""
    rows = taken.reshape(frames, -1)
    return bool((rows[-1] - rows[-2] == interval).all())
