"""Composed schedules against the simulated accelerator, and by hand."""

from dataclasses import replace

import numpy as np
import pytest

from cores.fifo import Buffer
from cores.sim import run
from hwgen.graph.ir import Graph
from hwgen.timing.adapters import insert_buffers, insert_width_converters
from hwgen.timing.schedule import occupancy, schedule
from platforms.devices import device
from tests.hwgen.networks import Whole, mlp

FOLDINGS = {
    "fully folded": {},
    "first is slowest": {"fc1": (4, 4), "fc2": (1, 2)},
    "last is slowest": {"fc0": (4, 6), "fc1": (4, 4)},
    "odd lanes": {"fc0": (2, 3), "fc1": (4, 2), "fc2": (3, 4)},
    "unrolled": {"fc0": (8, 12), "fc1": (4, 8), "fc2": (3, 4), "th0": (8,), "th1": (4,)},
}


def folded(graph: Graph, folding: dict[str, tuple[int, ...]]) -> Graph:
    def fold(node):
        factors = dict(zip(("pe", "simd"), folding.get(node.name, ()), strict=False))
        return replace(node.op, **factors)

    return insert_buffers(insert_width_converters(graph.map_ops(fold)), device("up5k"))


@pytest.mark.parametrize("name", FOLDINGS)
@pytest.mark.long
def test_interval_and_latency_are_those_of_the_simulated_accelerator(name):
    whole = Whole(folded(mlp((12, 8, 4, 3)), FOLDINGS[name]))
    timing = schedule(whole.graph)
    x = whole.random(8)
    found = run(whole, [x])
    assert (found.outputs["o"] == whole.compute(x)).all()
    leaving = found.given["o"][:, -1]
    assert np.diff(leaving)[-3:].tolist() == [timing.interval] * 3
    alone = run(whole, [x[:1]])
    entered = alone.taken["i"][0, 0]
    assert alone.shown["o"][0, 0] - entered == timing.first_out
    assert alone.shown["o"][0, -1] - entered == timing.last_out


def test_accelerator_is_exact_under_stalls():
    whole = Whole(folded(mlp((12, 8, 4, 3)), FOLDINGS["odd lanes"]))
    x = whole.random(5, seed=3)
    assert (run(whole, [x], stall=0.5, seed=1).outputs["o"] == whole.compute(x)).all()


def test_half_a_buffer_between_equally_slow_layers_costs_rate():
    graph = folded(mlp((12, 16, 4)), {"fc0": (1, 6), "fc1": (1, 2)})
    (buffer,) = (node for node in graph if node.name == "fc1.i.fifo")
    assert schedule(graph).interval == 32
    smaller = Buffer(buffer.op.type, buffer.op.capacity // 2)
    whole = Whole(graph.map_ops(lambda node: smaller if node is buffer else node.op))
    leaving = run(whole, [whole.random(8)]).given["o"][:, -1]
    assert np.diff(leaving)[-1] > 32


def test_occupancy_by_hand():
    # Beats come at 0, 1, 2, 3 and are taken every other cycle: at 4, three of them are there.
    assert occupancy(np.array([0, 1, 2, 3]), np.array([0, 2, 4, 6])) == 2
    assert occupancy(np.array([0, 1, 2, 3]), np.array([4, 5, 6, 7])) == 4
    assert occupancy(np.array([0, 3, 6]), np.array([0, 3, 6])) == 0


def test_the_bottleneck_is_named():
    graph = folded(mlp((12, 8, 4, 3)), FOLDINGS["last is slowest"])
    assert schedule(graph).bottleneck == ("fc2",)
    assert schedule(graph).interval == 12
