"""A schedule with the same outputs in which nobody hurries: how much has to wait where.

`hwgen.schedule` lets every op work as early as it can; an op that is faster than those behind it
then runs far ahead. Here, from the outputs backwards, each op emits as late as its consumers allow,
and takes what it stores itself as soon as its own progress allows; the outputs are as early in
both. Self-timed hardware is never later than a schedule that its buffers allow, as long as what is
stored can move up. A pipeline that is held back cannot: `insert_buffers` adds what it holds to the
levels of this schedule.
"""

import numpy as np

from hwgen.ir import Graph, Node, Value
from hwgen.schedule import FRAMES, Schedule, periodic, schedule, steps_of_frames

LATE = np.iinfo(np.int64).max // 2
"""Later than anything: what no output asks for."""


Timetable = tuple[dict[Value, np.ndarray], dict[tuple[str, int], np.ndarray]]
"""Cycles at which beats become valid, and at which each input of a node takes them."""


def unhurried(graph: Graph) -> Timetable:
    """Of a few frames of the steady state.

    Raises
    ------
    ValueError
        The schedule does not become periodic.
    """
    frames = 4
    while True:
        timing = schedule(graph, frames=frames)
        valid, taken = _latest(graph, timing)
        _bring_forward(graph, timing.frames, valid, taken)
        # Behind the last frame none presses.
        kept = timing.frames - 1
        valid = {at: times[: times.size // timing.frames * kept] for at, times in valid.items()}
        taken = {at: times[: times.size // timing.frames * kept] for at, times in taken.items()}
        if all(periodic(times, timing.interval, kept) for times in taken.values()):
            return valid, taken
        if frames >= FRAMES:
            raise ValueError(f"buffers of {graph.name} are not periodic after {FRAMES} frames")
        frames += 2


def _latest(graph: Graph, timing: Schedule) -> Timetable:
    """From the outputs backwards."""
    frames = timing.frames
    deadlines = {
        value: timing.valid[value] for value in graph.outputs.values() if value in timing.valid
    }
    valid: dict[Value, np.ndarray] = {}
    taken: dict[tuple[str, int], np.ndarray] = {}
    for node in reversed(graph.nodes):
        late = _lateness(node, deadlines, frames)
        for port in node.op.outputs:
            emits = steps_of_frames(node.op, node.op.emits(port), frames)
            valid[node[port]] = emits + late[port] + node.op.depth
        for index, (name, value) in enumerate(zip(node.op.inputs, node.inputs, strict=True)):
            reads = steps_of_frames(node.op, node.op.reads(name), frames)
            delays = np.full(reads.size, LATE)
            for port in node.op.outputs:
                count = node.op.needed(port)[name]
                starts = np.arange(frames)[:, None] * node.op.inputs[name].beats
                last = (starts + count - 1).ravel()
                np.minimum.at(delays, last[last >= 0], late[port][last >= 0])
            final = max(int(found[-1]) for found in late.values())
            delays = np.minimum.accumulate(np.minimum(delays, final)[::-1])[::-1]
            early = timing.taken[node.name, index] - reads
            for port in node.op.outputs:
                emits = steps_of_frames(node.op, node.op.emits(port), frames)
                before = np.searchsorted(emits, reads, side="right") - 1
                early = np.maximum(early, np.where(before < 0, early, late[port][before]))
            taken[node.name, index] = deadlines[value] = reads + np.minimum(delays, early)
    return valid, taken


def _bring_forward(
    graph: Graph,
    frames: int,
    valid: dict[Value, np.ndarray],
    taken: dict[tuple[str, int], np.ndarray],
) -> None:
    """Lets ops with one input that make less of it work as soon as it comes: what waits is less
    then."""
    for node in graph:
        if len(node.inputs) != 1 or node.inputs[0] not in valid:
            continue
        (name, kind), *_ = node.op.inputs.items()
        bits = sum(each.beats * each.width for each in node.op.outputs.values())
        if bits >= kind.beats * kind.width:
            continue
        reads = steps_of_frames(node.op, node.op.reads(name), frames)
        delays = np.maximum.accumulate(valid[node.inputs[0]] - reads)
        taken[node.name, 0] = reads + np.minimum(delays, taken[node.name, 0] - reads)
        for port in node.op.outputs:
            emits = steps_of_frames(node.op, node.op.emits(port), frames)
            starts = np.arange(frames)[:, None] * kind.beats
            last = (starts + node.op.needed(port)[name] - 1).ravel()
            late = np.maximum.accumulate(np.where(last < 0, -LATE, delays[last]))
            valid[node[port]] = np.minimum(valid[node[port]], emits + late + node.op.depth)


def _lateness(node: Node, deadlines: dict[Value, np.ndarray], frames: int) -> dict[str, np.ndarray]:
    """Most cycles by which each output beat may come behind its step: no more than the beats of
    any port that follow in step."""
    ports = list(node.op.outputs)
    emits = [steps_of_frames(node.op, node.op.emits(port), frames) for port in ports]
    slack = [
        deadlines.get(node[port], np.full(steps.size, LATE)) - node.op.depth - steps
        for port, steps in zip(ports, emits, strict=True)
    ]
    at = np.concatenate(emits)
    order = np.argsort(at, kind="stable")
    least = np.minimum.accumulate(np.concatenate(slack)[order][::-1])[::-1]
    at = at[order]
    return {
        port: least[np.searchsorted(at, steps)] for port, steps in zip(ports, emits, strict=True)
    }
