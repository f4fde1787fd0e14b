"""Random networks folded for a rate: their accelerators give what the graph gives, as scheduled."""

from pathlib import Path

import numpy as np
import pytest

from cores.cost import Resources
from cores.mvau import MatVec
from cores.op import Op
from cores.swg import SlidingWindow
from hwgen.folding.search import fold_for_rate
from hwgen.graph.interpret import interpret_dataflow
from hwgen.graph.ir import Graph, Node
from hwgen.passes.lower import lower
from hwgen.simulators.driver import Stall
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.tensor.walk import analyse
from hwgen.timing.adapters import insert_buffers, insert_forks, insert_width_converters
from hwgen.timing.schedule import schedule
from platforms.devices import device
from tests.hwgen.image_networks import random_network

FRAMES = 16


# Networks of 4 to 21 ops; buffers of the last two settle only some frames before the last one.
@pytest.mark.parametrize(("seed", "fps"), [(3, 1e3), (34, 1e6), (56, 1e6), (74, 5e4)])
def test_accelerators_keep_to_graph_and_schedule(seed, fps, cache):
    rng = np.random.default_rng(seed)
    integers = analyse(random_network(rng)).graph
    assert integers is not None
    chip = device("ecp5-85f")
    graph = fold_for_rate(lower(integers), chip, clock_mhz=40, fps=fps, overhead=Resources())
    keeps_to_graph_and_schedule(graph, rng, seed=seed, cache=cache)


# Each with products and windows of two and of four positions, some products packed.
@pytest.mark.parametrize("seed", [1, 9, 14, 32])
def test_accelerators_of_several_positions_keep_to_graph_and_schedule(seed, cache):
    rng = np.random.default_rng(seed)
    integers = analyse(random_network(rng)).graph
    assert integers is not None
    chip = device("ecp5-85f")

    def several(node: Node) -> Op:
        op = node.op
        if not isinstance(op, MatVec | SlidingWindow) or op.outputs["o"].order != "dense":
            return op
        found = [f for f in op.foldings(chip) if f.pixels > 1 and f.cycles < 2000]
        return found[rng.integers(len(found))] if found else op

    graph = fold_for_rate(lower(integers), chip, clock_mhz=40, fps=5e4, overhead=Resources())
    graph = graph.map_ops(several)
    keeps_to_graph_and_schedule(graph, rng, seed=seed, cache=cache)


def keeps_to_graph_and_schedule(
    graph: Graph, rng: np.random.Generator, *, seed: int, cache: Path
) -> None:
    chip = device("ecp5-85f")
    graph = insert_buffers(insert_width_converters(insert_forks(graph)), chip)
    timing, (entry, exit_) = schedule(graph), graph.end_types
    x = rng.integers(entry.dtype.lo, entry.dtype.hi + 1, (FRAMES, *entry.shape))
    (name,) = graph.inputs
    (wanted,) = interpret_dataflow(graph, {name: x}).values()
    simulator = GraphSimulator(graph, cache=cache)
    y, run = simulator.run_tensor(x, entry, exit_)
    assert (y == wanted).all()
    gaps = np.diff(run.out_cycles.reshape(FRAMES, -1)[:, -1])
    assert set(gaps[FRAMES // 2 :].tolist()) == {timing.interval}
    y, _ = simulator.run_tensor(x, entry, exit_, stall=Stall(0.4, 0.4, seed))
    assert (y == wanted).all()
