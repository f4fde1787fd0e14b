"""A schedule with the same outputs in which nobody hurries: how much has to wait where.

`hwgen.timing.schedule` lets every op work as early as it can; an op that is faster than those
behind it then runs far ahead. Here, from the outputs backwards, each op emits as late as its
consumers allow, and takes what it stores itself as soon as its own progress allows; the outputs are
as early in both. Self-timed hardware is never later than a schedule that its buffers allow, as long
as what is stored can move up. A pipeline that is held back cannot: `insert_buffers` adds what it
holds to the levels of this schedule.
"""

from math import inf

import numpy as np

from hwgen.graph.ir import Graph, Node, Value
from hwgen.timing.schedule import FRAMES, Schedule, periodic, schedule, steps_of_frames

LATE = np.iinfo(np.int64).max // 2
"""Later than anything: what no output asks for."""

FORK = 2.1
"""Bits made of each bit taken, from which on an op waits for those behind it: a little more than a
sum has, and a fork of two."""


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
        # Behind the last frames none presses: as few as that shows are left out.
        for kept in range(timing.frames - 1, max(timing.frames // 2, 2), -1):
            if all(
                periodic(_first(times, kept, timing.frames), timing.interval, kept)
                for times in taken.values()
            ):
                return (
                    {at: _first(times, kept, timing.frames) for at, times in valid.items()},
                    {at: _first(times, kept, timing.frames) for at, times in taken.items()},
                )
        if frames >= FRAMES:
            raise ValueError(f"buffers of {graph.name} are not periodic after {FRAMES} frames")
        frames += 2


def _first(times: np.ndarray, kept: int, frames: int) -> np.ndarray:
    return times[: times.size // frames * kept]


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
            emits = steps_of_frames(node.op, node.op.timing.emits(port), frames)
            valid[node[port]] = emits + late[port] + node.op.depth
        for index, (name, value) in enumerate(zip(node.op.inputs, node.inputs, strict=True)):
            reads = steps_of_frames(node.op, node.op.timing.reads(name), frames)
            delays = np.full(reads.size, LATE)
            for port in node.op.outputs:
                count = node.op.timing.needed(port, name)
                starts = np.arange(frames)[:, None] * node.op.inputs[name].beats
                last = (starts + count - 1).ravel()
                np.minimum.at(delays, last[last >= 0], late[port][last >= 0])
            final = max(int(found[-1]) for found in late.values())
            delays = np.minimum.accumulate(np.minimum(delays, final)[::-1])[::-1]
            early = timing.taken[node.name, index] - reads
            for port in node.op.outputs:
                emits = steps_of_frames(node.op, node.op.timing.emits(port), frames)
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
    """Lets ops work as soon as their inputs come where what they lead to is no larger: less has to
    wait then, or it waits once and not in several places."""
    early = _early(graph)
    for node in graph:
        if node.name not in early or not all(value in valid for value in node.inputs):
            continue
        reads = {
            port: steps_of_frames(node.op, node.op.timing.reads(port), frames)
            for port in node.op.inputs
        }
        at = np.concatenate(list(reads.values()))
        order = np.argsort(at, kind="stable")
        arrivals = np.concatenate([valid[value] for value in node.inputs])
        late = np.maximum.accumulate((arrivals - at)[order])
        delays: dict[str, np.ndarray] = {}
        for index, (port, steps) in enumerate(reads.items()):
            known = np.searchsorted(at[order], steps, side="right") - 1
            delays[port] = np.minimum(late[known], taken[node.name, index] - steps)
            taken[node.name, index] = steps + delays[port]
        for port in node.op.outputs:
            emits = steps_of_frames(node.op, node.op.timing.emits(port), frames)
            waits = np.full(emits.size, -LATE)
            for name in node.op.inputs:
                count = node.op.timing.needed(port, name)
                starts = np.arange(frames)[:, None] * node.op.inputs[name].beats
                last = (starts + count - 1).ravel()
                waits = np.maximum(waits, np.where(last < 0, -LATE, delays[name][last]))
            forward = emits + np.maximum.accumulate(waits) + node.op.depth
            valid[node[port]] = np.minimum(valid[node[port]], forward)


def _early(graph: Graph) -> set[str]:
    """Nodes behind which a frame can wait in no more bits than in front of them: at their outputs,
    or further on. What makes more than a fork does, as a window, is not worth it: those further on
    take their time, and it waits at its largest."""
    least: dict[Value, float] = {}
    early: set[str] = set()
    for node in reversed(graph.nodes):
        taken = [kind.beats * kind.width for kind in node.op.inputs.values()]
        made = {node[port]: kind.beats * kind.width for port, kind in node.op.outputs.items()}
        further = sum(min(size, least.get(value, inf)) for value, size in made.items())
        if further <= sum(taken) and sum(made.values()) <= FORK * sum(taken):
            early.add(node.name)
        for value, size in zip(node.inputs, taken, strict=True):
            least[value] = min(size, further * size / sum(taken))
    return early


def _lateness(node: Node, deadlines: dict[Value, np.ndarray], frames: int) -> dict[str, np.ndarray]:
    """Most cycles by which each output beat may come behind its step: no more than the beats of
    any port that follow in step."""
    ports = list(node.op.outputs)
    emits = [steps_of_frames(node.op, node.op.timing.emits(port), frames) for port in ports]
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
