"""Buffers as small as the full rate allows, found by simulating beats."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isqrt
from pathlib import Path

import numpy as np

from cores.facets import Buffering
from hwgen.graph.ir import Graph, Node, Value
from hwgen.simulators.beat_simulator import STUCK, BeatSimulator
from hwgen.timing.adapters import long_chains
from hwgen.timing.schedule import schedule
from platforms.device import Device

LEAST = 2
"""Beats of a buffer: with fewer, `ready` passes it in the same cycle."""


def shrink_buffers(graph: Graph, device: Device, *, cache: Path) -> Graph:
    """Makes every buffer as small as it can be while the others are as they are, to a quarter.

    What each holds with frames offered all the time is enough for these. From there on buffers are
    made smaller one after the other, the largest first; those that then do nothing vanish.

    Requires: a dataflow graph with buffers that allow its full rate.
    Ensures: frames leave at the interval of the schedule, from an empty graph as from a full one,
    and no stalls at its ends stop it for good; of a buffer of more than `LEAST` beats, four fifths
    are not enough for that, and one of so many is needed for that or for the length of a chain of
    `ready` signals.
    Keeps: the function of the graph; its nodes but for buffers.
    """
    trial = _Trial(graph, device, cache)
    capacities = {node.name: node.op.capacity for node in graph if isinstance(node.op, Buffering)}
    if not capacities or not trial.holds(capacities):
        return graph
    for check in (trial.runs, trial.holds):  # the second takes several times as long
        found = _smaller(trial, capacities, check)
        if trial.holds(found):
            return trial.graph(found)
    return graph


def _smaller(
    trial: "_Trial", capacities: dict[str, int], check: Callable[[dict[str, int]], bool]
) -> dict[str, int]:
    """Capacities as small as `check` allows; 0 without a buffer."""
    levels = trial.levels(capacities)
    marks = {name: min(max(levels[name], LEAST), most) for name, most in capacities.items()}
    found = marks if check(marks) else capacities
    largest = sorted(found, key=lambda name: -found[name] * trial.width(name))

    def with_one(name: str, beats: int) -> dict[str, int]:
        return {**found, name: beats}

    for name in largest:
        found = with_one(
            name, least(lambda beats, name=name: check(with_one(name, beats)), found[name])
        )
    for name in largest:
        without = with_one(name, 0)
        if found[name] == LEAST and not long_chains(trial.graph(without), {}) and check(without):
            found = without
    return found


def least(holds: Callable[[int], bool], enough: int) -> int:
    """A number for which it holds, at most a quarter above the least."""
    below = LEAST - 1
    middle = -(-4 * enough // 5) - 1
    while 4 * enough > 5 * (below + 1):
        if holds(middle):
            enough = middle
        else:
            below = middle
        middle = max(isqrt(below * enough), below + 1)
    return enough


class _Trial:
    """A graph with other capacities."""

    def __init__(self, graph: Graph, device: Device, cache: Path):
        self._graph, self._device, self._cache = graph, device, cache
        self._interval = schedule(graph).interval
        self._arrays: dict[str, list[np.ndarray]] = {}
        self._made: dict[tuple[str, int], Buffering] = {}

    def graph(self, capacities: Mapping[str, int]) -> Graph:
        """With buffers of these capacities, and without those of 0 beats."""
        nodes: list[Node] = []
        passed: dict[Value, Value] = {}
        for node in self._graph:
            node = replace(node, inputs=tuple(passed.get(value, value) for value in node.inputs))
            beats = capacities.get(node.name)
            if beats == 0:
                (passed[node.out],) = node.inputs
                continue
            nodes.append(node if beats is None else replace(node, op=self._buffer(node, beats)))
        outputs = {name: passed.get(value, value) for name, value in self._graph.outputs.items()}
        return replace(self._graph, nodes=tuple(nodes), outputs=outputs)

    def _buffer(self, node: Node, beats: int) -> Buffering:
        key = node.name, beats
        if key not in self._made:
            same = node.op.capacity == beats
            self._made[key] = node.op if same else node.op.holding(beats, self._device)
        return self._made[key]

    def width(self, name: str) -> int:
        return self._graph.by_name[name].op.outputs["o"].width

    def _simulator(self, capacities: Mapping[str, int], *, shallow: bool = False) -> BeatSimulator:
        graph = self.graph(capacities)
        return BeatSimulator(graph, cache=self._cache, shallow=shallow, arrays=self._arrays)

    def levels(self, capacities: Mapping[str, int]) -> dict[str, int]:
        """Most beats that each buffer holds."""
        simulator = self._simulator(capacities)
        simulator.settle(self._interval)
        return simulator.highest()

    def runs(self, capacities: Mapping[str, int]) -> bool:
        """Whether the rate is the full one where nothing stalls."""
        return self._simulator(capacities).settle(self._interval) == self._interval

    def holds(self, capacities: Mapping[str, int]) -> bool:
        """Whether the rate is the full one, behind a jam too, and nothing stops for good."""
        shallow = self._simulator(capacities, shallow=True)
        jammed = self._simulator(capacities)
        return (
            self.runs(capacities)
            and shallow.settle(self._interval) != STUCK
            and jammed.settle(self._interval, jam=True) == self._interval
        )
