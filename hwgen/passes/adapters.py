"""Forks, width converters and buffers between the ops of a folded dataflow graph."""

from collections import Counter
from dataclasses import replace
from math import ceil, gcd, prod

import numpy as np

from cores.duplicate import Duplicate
from cores.fifo import Buffer
from cores.types import StreamType
from cores.width_converter import ConvertWidth
from hwgen.ir import Graph, Node, Value
from hwgen.just_in_time import unhurried
from hwgen.schedule import occupancy, schedule
from platforms.device import Device

Input = tuple[str, int]
"""A node and the index of one of its inputs."""

READY_CHAIN = 3
"""Ops in a row whose `ready` may be one combinational path."""


def insert_forks(graph: Graph) -> Graph:
    """Gives every consumer of a value that several take a copy of its own.

    Requires: a dataflow graph.
    Ensures: every value has one consumer, graph outputs included; a graph input that several ops
    take has the lanes of the first.
    Keeps: the function of the graph; node names.
    """
    uses = Counter(value for node in graph for value in node.inputs)
    uses.update(graph.outputs.values())
    inputs = dict(graph.inputs)
    copies: dict[Value, list[Value]] = {}
    nodes: list[Node] = []

    def fork(value: Value, kind: StreamType) -> None:
        if uses[value] > 1:
            node = Node(f"{value}.fork", Duplicate(kind, uses[value]), (value,))
            nodes.append(node)
            copies[value] = [node[port] for port in node.op.outputs]

    def taken(value: Value) -> Value:
        return copies[value].pop(0) if value in copies else value

    for name, kind in graph.inputs.items():
        value = Value(name, "")
        if found := graph.users(value):
            user, index = found[0]
            inputs[name] = _fed(kind, list(user.op.inputs.values())[index])
        fork(value, inputs[name])
    for node in graph:
        nodes.append(replace(node, inputs=tuple(map(taken, node.inputs))))
        for port, kind in node.op.outputs.items():
            fork(node[port], kind)
    outputs = {name: taken(value) for name, value in graph.outputs.items()}
    return replace(graph, inputs=inputs, nodes=tuple(nodes), outputs=outputs)


def insert_width_converters(graph: Graph) -> Graph:
    """Makes producer and consumer of every edge agree on the lanes of a beat.

    Requires: a dataflow graph without forks whose producers' ranges lie within the consumers'.
    Ensures: both ends of every edge have the same lanes; graph inputs take the lanes of their
    user.
    Keeps: the function of the graph; node names.
    """
    inputs = dict(graph.inputs)
    types: dict[Value, StreamType] = {}
    nodes: list[Node] = []
    for node in graph:
        sources = []
        for (port, wanted), value in zip(node.op.inputs.items(), node.inputs, strict=True):
            if value.node in inputs and value not in types:
                inputs[value.node] = types[value] = _fed(inputs[value.node], wanted)
            found = types[value]
            if found.lanes != wanted.lanes:
                if found.shape != wanted.shape:  # the same elements in a row
                    found = replace(found, shape=(prod(found.shape),))
                converter = Node(
                    f"{node.name}.{port}.width", ConvertWidth(found, wanted.lanes), (value,)
                )
                nodes.append(converter)
                value = converter.out
            sources.append(value)
        nodes.append(replace(node, inputs=tuple(sources)))
        types.update((node[port], kind) for port, kind in node.op.outputs.items())
    return replace(graph, inputs=inputs, nodes=tuple(nodes))


def _fed(kind: StreamType, wanted: StreamType) -> StreamType:
    """A graph input in the beats that its user takes, or in narrower ones if its channels are
    fewer."""
    return replace(kind, lanes=gcd(wanted.lanes, kind.channels), pixels=wanted.pixels)


def insert_buffers(graph: Graph, device: Device) -> Graph:
    """Gives every edge on which beats wait a buffer that is deep enough for the full rate.

    A buffer delays what passes through it, so capacities are computed again with the buffers in
    place until none grows. A buffer of two beats also cuts the chain of `ready` signals after
    `READY_CHAIN` ops without one.

    Requires: a dataflow graph with width converters.
    Ensures: the schedule with buffers waits only in buffers, within their capacity.
    Keeps: the function of the graph; node names; its interval.
    """
    capacities = _cut_ready_chains(graph)
    while True:
        buffered = _with_buffers(graph, capacities, device)
        needed = _waiting(graph, buffered)
        grown = {at: max(needed.get(at, 0), capacities.get(at, 0)) for at in {*needed, *capacities}}
        if grown == capacities:
            return buffered
        capacities = grown


def _cut_ready_chains(graph: Graph) -> dict[Input, int]:
    """Inputs that get a buffer for the sake of timing alone, with its capacity."""
    capacities: dict[Input, int] = {}
    length = dict.fromkeys(graph.inputs, 0)
    for node in graph:
        longest = 0
        for index, value in enumerate(node.inputs):
            if node.op.cuts_ready:
                continue
            if length[value.node] >= READY_CHAIN:
                capacities[node.name, index] = 2
            else:
                longest = max(longest, length[value.node])
        length[node.name] = 0 if node.op.cuts_ready else longest + 1
    return capacities


def _waiting(graph: Graph, buffered: Graph) -> dict[Input, int]:
    """Most beats between producer and consumer of each edge of `graph`, those in its buffer
    included.

    A producer that is held back stops as a whole: beats in its pipeline and in those in front of
    it, up to the next buffer, must find room, or the beats behind them enter too late.
    """
    valid, taken = unhurried(buffered)
    hurried = schedule(buffered, frames=4).valid
    waiting: dict[Input, int] = {}
    flight: dict[Value, int] = {}
    interval = max((node.op.cycles for node in buffered), default=1)
    # What the input feeds faster than the accelerator takes it runs ahead until it is held back.
    ahead = {Value(name, "") for name in graph.inputs}
    for node in buffered:
        if node.op.cycles < interval and all(value in ahead for value in node.inputs):
            ahead.update(node[port] for port in node.op.outputs)
        if node.name not in graph.by_name:
            continue
        carried = 0.0
        for index, (value, kind) in enumerate(
            zip(node.inputs, node.op.inputs.values(), strict=True)
        ):
            source = buffered.producer(value)
            if source is not None and source.name not in graph.by_name:
                (value,) = source.inputs  # what its buffer stores
            if value not in valid:
                continue
            level = occupancy(valid[value], taken[node.name, index])
            frames = min(valid[value].size, hurried[value].size)
            late = bool((valid[value][:frames] > hurried[value][:frames]).any())
            held = late or value in ahead
            # A producer that makes up for no pause goes on into a buffer.
            maker = graph.producer(value)
            tight = maker is not None and maker.op.cycles + node.op.pause > interval
            level += _in_flight(valid[value], node.op.pause) * tight
            through = node.op.cycles == kind.beats  # takes a beat in every step
            if level or (held and not through):
                waiting[node.name, index] = level + flight[value] * held
            else:
                carried = max(carried, flight[value] / kind.beats)
        for port, kind in node.op.outputs.items():
            value = node[port]
            flight[value] = ceil(carried * kind.beats) + _in_flight(valid[value], node.op.depth)
    return {at: level for at, level in waiting.items() if level}


def _in_flight(valid: np.ndarray, depth: int) -> int:
    """Most beats in a pipeline of that depth at once."""
    first = np.searchsorted(valid, valid - depth, side="right")
    return int((np.arange(valid.size) - first).max()) + 1 if depth else 0


def _with_buffers(graph: Graph, capacities: dict[Input, int], device: Device) -> Graph:
    types = {Value(name, ""): kind for name, kind in graph.inputs.items()}
    nodes: list[Node] = []
    for node in graph:
        sources = list(node.inputs)
        for index, port in enumerate(node.op.inputs):
            if capacity := capacities.get((node.name, index)):
                op = Buffer.cheapest(types[sources[index]], capacity, device)
                nodes.append(Node(f"{node.name}.{port}.fifo", op, (sources[index],)))
                sources[index] = nodes[-1].out
        nodes.append(replace(node, inputs=tuple(sources)))
        types.update((node[port], kind) for port, kind in node.op.outputs.items())
    return replace(graph, nodes=tuple(nodes))
