"""Buffers that cannot be smaller, by compiled simulation: each is shrunk below its need."""

from pathlib import Path

import numpy as np
import pytest

from cores.fifo import Buffer
from cores.types import IntType, StreamType
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.simulators.beat_simulator import STUCK, BeatSimulator
from hwgen.simulators.driver import Stall
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.timing.adapters import long_chains
from hwgen.timing.schedule import schedule
from hwgen.timing.shrink_buffers import LEAST, least, shrink_buffers
from platforms.devices import device
from tests.hwgen.networks import Whole
from tests.hwgen.timing.test_just_in_time import residual, slow_at_the_end

CHIP = device("ecp5-25f")
FRAMES = 12


def capacities(graph: Graph) -> dict[str, int]:
    return {node.name: node.op.capacity for node in graph if isinstance(node.op, Buffer)}


def with_capacity(graph: Graph, name: str, beats: int) -> Graph:
    """Without the buffer for 0 beats."""
    node = graph.by_name[name]
    if not beats:
        return graph.replace(node, ())
    op = Buffer.cheapest(node.op.type, beats, CHIP)
    return graph.map_ops(lambda other: op if other.name == name else other.op)


@pytest.fixture(scope="module")
def small(cache):
    return shrink_buffers(residual(), CHIP, cache=cache)


def simulated(graph: Graph, cache: Path) -> tuple[set[int], dict[str, int]]:
    """Cycles between the last frames, and the most beats that each buffer held."""
    whole = Whole(graph)
    simulator = GraphSimulator(graph, cache=cache)
    ends = whole.inputs["i"], whole.outputs["o"]
    _, found = simulator.run_tensor(whole.random(FRAMES), *ends, patience=5_000)
    gaps = np.diff(found.out_cycles.reshape(FRAMES, -1)[:, -1])
    return set(gaps[FRAMES // 2 :].tolist()), simulator.highest()


def test_the_rate_stays_with_fewer_beats(small, cache):
    assert simulated(small, cache)[0] == {schedule(residual()).interval}
    before = capacities(residual())
    assert all(beats <= before[name] for name, beats in capacities(small).items())
    assert sum(capacities(small).values()) < sum(before.values())


def test_no_buffer_is_deeper_than_its_high_water_mark_by_more_than_a_quarter(small, cache):
    _, highest = simulated(small, cache)
    for name, beats in capacities(small).items():
        assert beats <= max(highest[name] * 5 / 4, LEAST), name


def test_every_buffer_below_its_need_costs_the_rate_or_stops_everything(small, cache):
    interval = schedule(small).interval
    assert len(capacities(small)) == 7
    for name, beats in capacities(small).items():
        below = 0 if beats == LEAST else -(-4 * beats // 5) - 1  # less than four fifths
        smaller = with_capacity(small, name, below)
        try:
            found, _ = simulated(smaller, cache)
        except CheckError as error:
            assert "is stuck" in str(error)
            continue
        assert min(found) > interval, name


def test_the_skip_connection_below_its_need_stops_everything(small, cache):
    beats = capacities(small)["add.i_1.fifo"]
    for capacity, stuck in ((beats, False), (beats // 2, True)):
        simulator = BeatSimulator(with_capacity(small, "add.i_1.fifo", capacity), cache=cache)
        assert (simulator.settle(schedule(small).interval) == STUCK) == stuck


@pytest.mark.parametrize("made", [residual, slow_at_the_end])
def test_the_rate_comes_back_behind_pauses_and_a_jam(made, cache):
    graph = shrink_buffers(made(), CHIP, cache=cache)
    interval = schedule(graph).interval
    simulator = BeatSimulator(graph, cache=cache)
    assert {simulator.settle(interval, pauses=k, jam=jam) for k in (1, 3) for jam in (0, 1)} == {
        interval
    }


def test_outputs_are_exact_under_stalls(small, cache):
    whole = Whole(small)
    x, ends = whole.random(5), (whole.inputs["i"], whole.outputs["o"])
    y, _ = GraphSimulator(small, cache=cache).run_tensor(x, *ends, stall=Stall(0.4, 0.4, 1))
    assert (y == whole.compute(x)).all()


def chain(*capacities: int) -> Graph:
    kind, value, nodes = StreamType((6,), IntType(0, 3), lanes=2), Value("x", ""), []
    for k, beats in enumerate(capacities):
        nodes.append(Node(f"b{k}", Buffer(kind, beats), (value,)))
        value = nodes[-1].out
    return Graph({"x": kind}, tuple(nodes), {"y": value}, name="chain")


def test_buffers_that_do_nothing_vanish_where_ready_may_pass(cache):
    # Those of one beat are left alone: two of them are a chain as long as it may be.
    short = shrink_buffers(chain(1, 7, 1, 5, 1, 1), CHIP, cache=cache)
    assert capacities(short) == {"b0": 1, "b2": 1, "b3": 2, "b4": 1, "b5": 1}
    assert not long_chains(short, {})
    assert long_chains(with_capacity(short, "b3", 0), {}) == [("b4", 0)]


def test_a_graph_that_misses_its_rate_stays_as_it_is(cache):
    graph = with_capacity(residual(), "add.i_1.fifo", 3)
    assert shrink_buffers(graph, CHIP, cache=cache) is graph


def test_what_is_enough_is_found_to_a_quarter():
    for need in range(LEAST, 60):
        for enough in (need, need + 1, 2 * need, 7 * need):
            found = least(lambda beats, need=need: beats >= need, enough)
            assert need <= found <= max(need * 5 / 4, LEAST)
