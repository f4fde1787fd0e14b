"""Buffers of a residual network with windows, against the simulated accelerator."""

from dataclasses import replace

import numpy as np
import pytest

from cores.eltwise import Add
from cores.mvau import MatVec
from cores.sim import StreamError, run
from cores.swg import SlidingWindow
from cores.thresholding import MultiThreshold
from cores.types import IntType, StreamType
from hwgen.ir import Graph, Node, Value
from hwgen.just_in_time import unhurried
from hwgen.passes.adapters import insert_buffers, insert_forks, insert_width_converters
from hwgen.schedule import schedule
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


GRAPH = residual()
# What waits in add.i_0.fifo could as well wait in front of the fork: alone it may be smaller.
BUFFERS = ["first_steps.fork.i.fifo", "add.i_1.fifo"]


def intervals(graph: Graph) -> np.ndarray:
    whole = Whole(graph)
    return np.diff(run(whole, [whole.random(5)]).given["o"][:, -1])


def test_the_full_rate_is_reached():
    assert intervals(GRAPH)[-1] == schedule(GRAPH).interval


@pytest.mark.parametrize("name", BUFFERS)
def test_half_of_a_buffer_costs_rate(name):
    op = GRAPH.by_name[name].op
    smaller = replace(op, capacity=op.capacity // 2)
    graph = GRAPH.map_ops(lambda node: smaller if node.name == name else node.op)
    try:
        found = intervals(graph)[-1]
    except StreamError:
        return  # a deadlock: nothing moves at all
    assert found > schedule(GRAPH).interval


def test_beats_are_taken_when_they_are_there_and_in_order():
    valid, taken = unhurried(GRAPH)
    for node in GRAPH:
        for index, value in enumerate(node.inputs):
            times = taken[node.name, index]
            assert (np.diff(times) > 0).all()
            if value in valid:
                assert (valid[value] <= times).all()


def test_outputs_are_as_early_as_in_a_hurry():
    valid, _ = unhurried(GRAPH)
    (value,) = GRAPH.outputs.values()
    hurried = schedule(GRAPH, frames=4).valid[value]
    assert (valid[value] == hurried[: valid[value].size]).all()
