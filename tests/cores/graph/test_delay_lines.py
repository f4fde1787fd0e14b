import numpy as np
import pytest

from cores.graph import delay_lines, graph_search
from cores.graph.sums import Output, SharedSum, SumGraph
from cores.types import IntType

U4 = IntType(0, 15)


@pytest.mark.long
def test_operands_are_there_before_their_sums():
    for seed in range(3):
        weights = np.random.default_rng(seed).integers(-31, 32, (6, 5))
        graph = graph_search.build(weights, U4)
        stages = delay_lines.schedule(graph)
        ends = delay_lines.last_uses(graph, stages)
        for new, stage in zip(graph.sums, stages[graph.inputs :], strict=True):
            for operand in (new.low, new.high):
                assert stages[operand] < stage <= ends[operand] + 1
        assert max(stages) == delay_lines.depth(graph)
        assert delay_lines.registers(graph, stages) <= delay_lines.registers(graph, graph.arrivals)


def test_a_sum_that_has_time_waits_as_long_as_that_saves_registers():
    # x0 + x1 is needed in stage 2 only, with (x2 + x3): both could be early.
    graph = SumGraph(6, U4)
    early = graph.add(SharedSum(0, 1, 0, negative=False))
    for k in (2, 3, 4):
        node = graph.add(SharedSum(graph.inputs + k - 2, k, 0, negative=False))
    graph.outputs += [Output(node), Output(graph.add(SharedSum(5, 0, 0, negative=False)))]
    stages = delay_lines.schedule(graph)
    # x0 + x1 starts the chain; x0 + x5, 5 bits, is computed at once rather than wait as 8 bits.
    assert stages[early] == 1
    assert stages[-1] == 1
    # The sums' own, then x2, x3, x4 wait one, two and three stages, x0 + x5 waits three.
    own = 5 + 6 + 6 + 7 + 5
    assert delay_lines.registers(graph, stages) == own + 4 * (1 + 2 + 3) + 5 * 3


def test_equal_delays_are_shared():
    graph = SumGraph(3, U4)
    first = graph.add(SharedSum(0, 1, 0, negative=False))
    second = graph.add(SharedSum(first, 2, 0, negative=False))
    third = graph.add(SharedSum(first, 2, 0, negative=True))
    graph.outputs += [Output(second), Output(third)]
    # x0 + x1 of 5 bits, the others of 6 (0..45 and -15..30) and 7, and x2 once.
    assert delay_lines.registers(graph, delay_lines.schedule(graph)) == 5 + 6 + 6 + 4
