"""Forks, converters of beats and buffers between the ops of a folded dataflow graph."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import ceil, gcd, prod

import numpy as np

from cores import pixel_converter
from cores.duplicate import Duplicate
from cores.fifo import Buffer
from cores.op import Op
from cores.pixel_converter import ConvertPixels
from cores.types import StreamType, divisors
from cores.width_converter import ConvertWidth
from hwgen.graph.ir import Graph, Node, Value
from hwgen.timing.just_in_time import unhurried
from hwgen.timing.schedule import occupancy, schedule
from platforms.device import Device

Input = tuple[str, int]
"""A node and the index of one of its inputs."""

READY_CHAIN = 2
"""Ops in a row whose `ready` may be one combinational path.

A LUT for each of them, and one or two for what enables registers of the op in front of them: with
routes to hundreds of registers in between, as long as the arithmetic between two of these.
"""


def insert_forks(graph: Graph) -> Graph:
    """Gives every consumer of a value that several take a copy of its own.

    Requires: a dataflow graph.
    Ensures: every value has one consumer, graph outputs included; a graph input that several ops
    take has the lanes of the first.
    Keeps: the function of the graph; node names.
    """
    uses = Counter(value for node in graph for value in node.inputs)
    uses.update(graph.outputs.values())
    inputs = _fed_inputs(graph)
    copies: dict[Value, list[Value]] = {}
    nodes: list[Node] = []

    def fork(value: Value, kind: StreamType) -> None:
        if uses[value] > 1:
            node = Node(f"{value}.fork", Duplicate(kind, uses[value]), (value,))
            nodes.append(node)
            copies[value] = [node[port] for port in node.op.outputs]

    def taken(value: Value) -> Value:
        return copies[value].pop(0) if value in copies else value

    for name, kind in inputs.items():
        fork(Value(name, ""), kind)
    for node in graph:
        nodes.append(replace(node, inputs=tuple(map(taken, node.inputs))))
        for port, kind in node.op.outputs.items():
            fork(node[port], kind)
    outputs = {name: taken(value) for name, value in graph.outputs.items()}
    return replace(graph, inputs=inputs, nodes=tuple(nodes), outputs=outputs)


def insert_width_converters(graph: Graph) -> Graph:
    """Makes producer and consumer of every edge agree on the lanes and pixels of a beat.

    Requires: a dataflow graph without forks whose producers' ranges lie within the consumers'.
    Ensures: both ends of every edge have the same lanes and pixels; graph inputs take the lanes of
    their user, graph inputs and outputs have one position in a beat.
    Keeps: the function of the graph; node names.
    """
    graph = replace(graph, inputs=_fed_inputs(graph))
    nodes: list[Node] = []

    def converted(name: str, value: Value, wanted: StreamType) -> Value:
        known: Counter[str] = Counter()
        for op in _converters(graph.types[value], wanted):
            (found,), (made,) = op.inputs.values(), op.outputs.values()
            kind = "width" if made.pixels == found.pixels else "pixels"
            known[kind] += 1
            number = f"{known[kind]}" if known[kind] > 1 else ""
            nodes.append(Node(f"{name}.{kind}{number}", op, (value,)))
            value = nodes[-1].out
        return value

    for node in graph:
        sources = tuple(
            converted(f"{node.name}.{port}", value, wanted)
            for (port, wanted), value in zip(node.op.inputs.items(), node.inputs, strict=True)
        )
        nodes.append(replace(node, inputs=sources))
    outputs = dict(graph.outputs)
    for name, value in outputs.items():
        if (kind := graph.types[value]).pixels > 1:  # with the shape that it has
            nodes.append(Node(f"{name}.pixels", ConvertPixels(kind, 1), (value,)))
            outputs[name] = nodes[-1].out
    return replace(graph, nodes=tuple(nodes), outputs=outputs)


def _converters(found: StreamType, wanted: StreamType) -> Iterator[Op]:
    """What makes one stream of the other, at the rate of the slower one: lanes change where there
    are more pixels."""
    if found.shape != wanted.shape:  # the same elements in a row
        if found.pixels > 1:
            lanes = _at_least(min(found.elements, wanted.lanes), found.channels)
            pixels = found.pixels if lanes == found.channels else 1
            yield from _converters(found, replace(found, lanes=lanes, pixels=pixels))
            found = replace(found, lanes=lanes, pixels=pixels)
        found = replace(found, shape=(prod(found.shape),), lanes=found.elements, pixels=1)
    common = gcd(found.pixels, wanted.pixels)
    if common < found.pixels:
        if found.lanes != wanted.lanes:
            yield ConvertWidth(found, wanted.lanes)
            found = found.with_lanes(wanted.lanes)
        yield pixel_converter.cheapest(found, common)
        found = replace(found, pixels=common)
    if common < wanted.pixels:
        yield pixel_converter.cheapest(found, wanted.pixels)
        found = replace(found, pixels=wanted.pixels)
    if found.lanes != wanted.lanes:
        yield ConvertWidth(found, wanted.lanes)


def _at_least(lanes: int, channels: int) -> int:
    """The fewest lanes that so many channels can have and that are no fewer than asked for."""
    return min((n for n in divisors(channels) if n >= lanes), default=channels)


def _fed_inputs(graph: Graph) -> dict[str, StreamType]:
    """Graph inputs in the beats that their first users take."""
    inputs = dict(graph.inputs)
    for name, kind in graph.inputs.items():
        if users := graph.users(Value(name, "")):
            user, index = users[0]
            inputs[name] = _fed(kind, list(user.op.inputs.values())[index])
    return inputs


def _fed(kind: StreamType, wanted: StreamType) -> StreamType:
    """A graph input in the beats that its user takes, or in narrower ones if its channels are
    fewer; with as many elements if its user takes several positions at once."""
    if wanted.pixels > 1:
        return kind.with_lanes(_at_least(wanted.elements, kind.channels))
    return kind.with_lanes(gcd(wanted.lanes, kind.channels))


def insert_buffers(graph: Graph, device: Device) -> Graph:
    """Gives every edge on which beats wait a buffer that is deep enough for the full rate.

    A buffer delays what passes through it, so capacities are computed again with the buffers in
    place until none grows. Where more than `READY_CHAIN` ops without one follow each other, a
    buffer of two beats cuts the chain of their `ready` signals.

    Requires: a dataflow graph whose edges agree on their beats.
    Ensures: the schedule with buffers waits only in buffers, within their capacity.
    Keeps: the function of the graph; node names; its interval.
    """
    capacities: dict[Input, int] = {}
    while True:
        buffered = with_buffers(graph, capacities, device)
        grown = dict(capacities)
        for at, level in _waiting(graph, buffered).items():
            grown[at] = max(level, grown.get(at, 0))
        if grown == capacities:
            grown |= dict.fromkeys(long_chains(graph, capacities), 2)
        if grown == capacities:
            return buffered
        capacities = grown


def long_chains(graph: Graph, capacities: Mapping[Input, int]) -> list[Input]:
    """Inputs in front of which the chain of `ready` signals is to be cut: where more than
    `READY_CHAIN` ops follow each other that do not cut it, nor buffers of two beats."""
    found: list[Input] = []
    length = dict.fromkeys(graph.inputs, 0)
    for node in graph:
        longest = 0
        for index, value in enumerate(node.inputs):
            if node.op.timing.cuts_ready or capacities.get((node.name, index), 0) >= 2:
                continue
            if length[value.node] >= READY_CHAIN:
                found.append((node.name, index))
            else:
                longest = max(longest, length[value.node])
        length[node.name] = 0 if node.op.timing.cuts_ready else longest + 1
    return found


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
            tight = maker is not None and maker.op.cycles + node.op.timing.pause > interval
            level += _in_flight(valid[value], node.op.timing.pause) * tight
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


def with_buffers(graph: Graph, capacities: Mapping[Input, int], device: Device) -> Graph:
    """The graph with buffers of these capacities in front of inputs."""
    nodes: list[Node] = []
    for node in graph:
        sources = list(node.inputs)
        for index, (port, value) in enumerate(zip(node.op.inputs, node.inputs, strict=True)):
            if capacity := capacities.get((node.name, index)):
                op = Buffer.cheapest(graph.types[value], capacity, device)
                nodes.append(Node(f"{node.name}.{port}.fifo", op, (value,)))
                sources[index] = nodes[-1].out
        nodes.append(replace(node, inputs=tuple(sources)))
    return replace(graph, nodes=tuple(nodes))
