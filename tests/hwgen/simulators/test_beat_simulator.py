"""Beats that come and go in a table against compiled cores: the same cycles under any stalls."""

import numpy as np
import pytest

from cores.duplicate import Duplicate
from cores.eltwise import Add
from cores.fifo import Buffer
from cores.library import OPS
from cores.mvau import MatVec
from cores.types import IntType, StreamType
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.simulators.beat_simulator import STUCK, BeatSimulator
from hwgen.simulators.driver import NO_STALL, Stall
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.simulators.unit_library import compile_units
from hwgen.timing.schedule import schedule
from tests.hwgen.networks import Whole
from tests.hwgen.timing.test_just_in_time import residual, slow_at_the_end

STALLS = (NO_STALL, Stall(0.3, 0.3, 1), Stall(0.05, 0.8, 2), Stall(0.8, 0.05, 3))
PATIENCE = 100_000


def examples() -> list:
    rng = np.random.default_rng(0)
    ops = [op for kind in OPS for op in kind.examples(rng)]
    return [op for op in ops if len(op.inputs) == len(op.outputs) == 1]


def test_every_core_moves_as_its_op_says(cache):
    ops = examples()
    compile_units(ops, cache=cache, optimise="-O1")
    for op in ops:
        node = Node("op", op, (Value("x", ""),))
        graph = Graph({"x": op.inputs["i"]}, (node,), {"y": node.out}, name="op")
        x = Whole(graph).random(4)
        compiled, model = GraphSimulator(graph, cache=cache), BeatSimulator(graph, cache=cache)
        for stall in STALLS:
            _, wanted = compiled.run_tensor(x, op.inputs["i"], op.outputs["o"], stall=stall)
            found = model.simulate(len(x), stall=stall, patience=PATIENCE)
            assert found.in_cycles.tolist() == wanted.in_cycles.tolist(), (op, stall)
            assert found.out_cycles.tolist() == wanted.out_cycles.tolist(), (op, stall)


@pytest.mark.parametrize("made", [residual, slow_at_the_end])
@pytest.mark.parametrize("stall", STALLS)
def test_graphs_move_and_fill_as_compiled_ones(made, stall, cache):
    graph = made()
    whole = Whole(graph)
    compiled, model = GraphSimulator(graph, cache=cache), BeatSimulator(graph, cache=cache)
    ends = whole.inputs["i"], whole.outputs["o"]
    _, wanted = compiled.run_tensor(whole.random(6), *ends, stall=stall)
    found = model.simulate(6, stall=stall, patience=PATIENCE)
    assert found.in_cycles.tolist() == wanted.in_cycles.tolist()
    assert found.out_cycles.tolist() == wanted.out_cycles.tolist()
    assert model.highest() == compiled.highest()


@pytest.mark.parametrize("jam", [False, True])
@pytest.mark.parametrize("pauses", [0, 2])
def test_frames_settle_at_the_interval_of_the_schedule(pauses, jam, cache):
    graph = residual()
    interval = schedule(graph).interval
    assert BeatSimulator(graph, cache=cache).settle(interval, pauses=pauses, jam=jam) == interval
    # Where another is expected, what comes back is what is found once the state repeats.
    assert BeatSimulator(graph, cache=cache).settle(1, pauses=pauses, jam=jam) == interval


def join(capacity: int) -> Graph:
    """x past a product of all its elements, and their sum."""
    kind = StreamType((4,), IntType(0, 3))
    fork = Node("fork", Duplicate(kind, 2), (Value("x", ""),))
    product = Node("product", MatVec(np.eye(4, dtype=int), kind.dtype), (fork["o_0"],))
    past = Node("past", Buffer(kind, capacity), (fork["o_1"],))
    add = Node("add", Add((4,), (kind.dtype, kind.dtype), (1, 1)), (product.out, past.out))
    return Graph({"x": kind}, (fork, product, past, add), {"y": add.out}, name="join")


def test_a_deadlock_is_found(cache):
    # A row of the product needs all four elements, of which the fork itself keeps one.
    found = [BeatSimulator(join(n), cache=cache).settle(16) for n in (1, 2, 3, 4)]
    assert found[:2] == [STUCK, STUCK] and STUCK not in found[2:]


def test_rejects_a_core_with_too_many_outputs(cache):
    kind = StreamType((1,), IntType(0, 1))
    fork = Node("fork", Duplicate(kind, 17), (Value("x", ""),))
    graph = Graph({"x": kind}, (fork,), {"y": fork["o_0"]}, name="forks")
    message = (
        "fork: to be simulated as beats, a core must have at most 16 inputs and outputs and 63 "
        "stages, or one with several outputs"
    )
    with pytest.raises(CheckError, match=f"^{message}$"):
        BeatSimulator(graph, cache=cache)
