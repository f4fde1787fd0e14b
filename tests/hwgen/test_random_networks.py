"""Random networks folded for a rate: their accelerators give what the graph gives, as scheduled."""

import numpy as np
import pytest

from cores.cost import Resources
from hwgen.analysis.ranges import analyse
from hwgen.builder import stream_types
from hwgen.folding import fold_for_rate
from hwgen.interpret import interpret_dataflow
from hwgen.passes.adapters import insert_buffers, insert_forks, insert_width_converters
from hwgen.passes.lower import lower
from hwgen.schedule import schedule
from hwgen.simulators.driver import Stall
from hwgen.simulators.graph_simulator import GraphSimulator
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
    graph = insert_buffers(insert_width_converters(insert_forks(graph)), chip)
    timing, (entry, exit_) = schedule(graph), stream_types(graph)
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
