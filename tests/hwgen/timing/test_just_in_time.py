"""Buffers of a residual network with windows, against the simulated accelerator."""

from dataclasses import replace
from functools import cache as once
from pathlib import Path

import numpy as np
import pytest

from cores.choices import AdderGraph
from cores.eltwise import Add
from cores.fifo import Buffer
from cores.mvau import MatVec
from cores.swg import SlidingWindow
from cores.thresholding import MultiThreshold
from cores.types import IntType, StreamType
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.timing.adapters import insert_buffers, insert_forks, insert_width_converters
from hwgen.timing.just_in_time import unhurried
from hwgen.timing.schedule import schedule
from platforms.devices import device
from tests.hwgen.networks import Whole

U2 = IntType(0, 3)
SHAPE = (4, 5)


def convolution(name: str, value: Value, channels: int, rows: int, simd: int) -> list[Node]:
    """A 3 x 3 convolution with padding, and thresholds."""
    rng = np.random.default_rng(len(name) + rows)
    window = SlidingWindow((*SHAPE, channels), U2, (3, 3), pads=((1, 1), (1, 1)))
    weights = rng.integers(-2, 2, (rows, 9 * channels))
    sums = MatVec(weights, U2, positions=SHAPE, simd=simd)
    ends = sums.outputs["o"].dtype
    starts = np.sort(rng.integers(ends.lo // 3, ends.hi // 3 + 2, (rows, 3)), axis=1)
    steps = MultiThreshold((*SHAPE, rows), ends, starts, np.arange(4)[None])
    taken = Node(f"{name}_window", window, (value,))
    product = Node(name, sums, (taken.out,))
    return [taken, product, Node(f"{name}_steps", steps, (product.out,))]


@once
def residual() -> Graph:
    """A convolution, another one and the way past it, their sum, and a third one."""
    nodes = convolution("first", Value("x", ""), 2, 4, simd=1)
    (past,) = (node.out for node in nodes[-1:])
    nodes += convolution("second", past, 4, 4, simd=2)
    add = Node("add", Add((*SHAPE, 4), (U2, U2), (1, 1)), (nodes[-1].out, past))
    half = MultiThreshold((*SHAPE, 4), IntType(0, 6), np.array([[1, 3, 5]]), np.arange(4)[None])
    nodes += [add, Node("half", half, (add.out,))]
    nodes += convolution("third", nodes[-1].out, 4, 2, simd=1)
    graph = Graph(
        {"x": StreamType((*SHAPE, 2), U2)}, tuple(nodes), {"y": nodes[-1].out}, name="residual"
    )
    return insert_buffers(insert_width_converters(insert_forks(graph)), device("ecp5-25f"))


def large() -> dict[str, Buffer]:
    """Smaller buffers are there for the sake of timing, or hold what a pipeline does."""
    buffers = {node.name: node.op for node in residual() if isinstance(node.op, Buffer)}
    return {name: op for name, op in buffers.items() if op.capacity > 5}


def simulated(graph: Graph, cache: Path) -> tuple[int, dict[str, int]]:
    """Interval in the steady state, and the most beats that each buffer held."""
    whole, frames = Whole(graph), 5
    simulator = GraphSimulator(graph, cache=cache)
    _, found = simulator.run_tensor(whole.random(frames), whole.inputs["i"], whole.outputs["o"])
    ends = found.out_cycles.reshape(frames, -1)[:, -1]
    return int(ends[-1] - ends[-2]), simulator.highest()


def test_the_full_rate_is_reached(cache):
    assert simulated(residual(), cache)[0] == schedule(residual()).interval


@pytest.mark.parametrize("number", range(4))
def test_two_thirds_of_a_buffer_cost_rate(number, cache):
    name, buffer = list(large().items())[number]
    smaller = replace(buffer, capacity=buffer.capacity * 2 // 3)
    graph = residual().map_ops(lambda node: smaller if node.name == name else node.op)
    try:
        found, _ = simulated(graph, cache)
    except CheckError:
        return  # a deadlock: nothing moves at all
    assert found > schedule(residual()).interval


def test_no_buffer_is_deeper_than_its_high_water_mark_by_more_than_a_quarter(cache):
    _, highest = simulated(residual(), cache)
    assert len(large()) == 4
    for name, buffer in large().items():
        assert buffer.capacity <= highest[name] * 5 / 4


def slow_at_the_end() -> Graph:
    """A shortcut past a window and thresholds; a step per position, behind the sum one more."""
    s4 = IntType.bits(4, signed=True)
    early = SlidingWindow((5, 1), s4, (2,), pads=((1, 0),), simd=2)
    differences = MatVec(np.array([[-1, 1]]), s4, positions=(5,), simd=2, arithmetic=AdderGraph())
    ends = differences.outputs["o"].dtype
    steps = MultiThreshold((5, 1), ends, np.array([[-9, -1, 5]]), np.arange(4)[None])
    add = Add((5, 1), (s4, U2), (3, -16))
    sums = add.outputs["o"].dtype
    last = MultiThreshold((5, 1), sums, np.array([[-17, 1, 19]]), np.arange(4)[None])
    late = SlidingWindow((5, 1), U2, (3,), pads=((1, 1),), simd=3)
    assert late.cycles > add.cycles
    x, nodes = Value("x", ""), []
    for name, op in (("early", early), ("differences", differences), ("steps", steps)):
        nodes.append(Node(name, op, (nodes[-1].out if nodes else x,)))
    nodes.append(Node("add", add, (x, nodes[-1].out)))
    for name, op in (("last", last), ("late", late)):
        nodes.append(Node(name, op, (nodes[-1].out,)))
    graph = Graph({"x": StreamType((5, 1), s4)}, tuple(nodes), {"y": nodes[-1].out}, name="late")
    return insert_buffers(insert_width_converters(insert_forks(graph)), device("ecp5-25f"))


def test_pipelines_held_back_by_the_slowest_op_keep_the_rate(cache):
    graph, frames = slow_at_the_end(), 30
    whole = Whole(graph)
    ends = (whole.inputs["i"], whole.outputs["o"])
    _, found = GraphSimulator(graph, cache=cache).run_tensor(whole.random(frames), *ends)
    gaps = np.diff(found.out_cycles.reshape(frames, -1)[:, -1])
    assert set(gaps[4:].tolist()) == {schedule(graph).interval}


def test_a_pause_of_a_window_is_made_up_for(cache):
    # The converter in front works all the time; the window goes on behind a frame, and takes no
    # beat of the next one meanwhile.
    window = SlidingWindow(
        (6, 6, 6), U2, (3, 2), pads=((1, 1), (1, 0)), pe=6, simd=6, order="depthwise"
    )
    node, frames = Node("window", window, (Value("x", ""),)), 12
    narrow = Node("narrow", Buffer(StreamType((6, 6, 6), U2, lanes=2), 2), (Value("x", ""),))
    graph = Graph(
        {"x": narrow.op.inputs["i"]},
        (narrow, replace(node, inputs=(narrow.out,))),
        {"y": node.out},
        name="pause",
    )
    graph = insert_buffers(insert_width_converters(graph), device("ecp5-25f"))
    whole = Whole(graph)
    ends = (whole.inputs["i"], whole.outputs["o"])
    _, found = GraphSimulator(graph, cache=cache).run_tensor(whole.random(frames), *ends)
    gaps = np.diff(found.out_cycles.reshape(frames, -1)[:, -1])
    assert set(gaps[4:].tolist()) == {schedule(graph).interval} == {108}


def test_beats_are_taken_when_they_are_there_and_in_order():
    valid, taken = unhurried(residual())
    for node in residual():
        for index, value in enumerate(node.inputs):
            times = taken[node.name, index]
            assert (np.diff(times) > 0).all()
            if value in valid:
                assert (valid[value] <= times).all()


def test_outputs_are_as_early_as_in_a_hurry():
    valid, _ = unhurried(residual())
    (value,) = residual().outputs.values()
    hurried = schedule(residual(), frames=4).valid[value]
    assert (valid[value] == hurried[: valid[value].size]).all()
