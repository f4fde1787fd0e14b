import numpy as np
import pytest

from cores.graph import delay_lines, graph_search, polarity
from cores.graph.adder_graph import AdderGraphDot
from cores.graph.sums import SharedSum, SumGraph
from cores.types import IntType
from platforms.devices import device
from tests.cores import yosys

U4 = IntType(0, 15)


@pytest.fixture(autouse=True)
def few_tries(monkeypatch):
    monkeypatch.setattr(graph_search, "_TRIES", 8)


def test_every_adder_is_suited_or_has_an_inverter():
    for seed in range(5):
        weights = np.random.default_rng(seed).integers(-31, 32, (8, 6))
        graph = graph_search.build(weights, U4)
        stages = delay_lines.schedule(graph)
        choice = polarity.choose(graph, stages)
        unsuited = 0
        for new, stage in zip(graph.sums, stages[graph.inputs :], strict=True):
            a, b = (new.low, stage - 1), (new.high, stage - 1)
            if ((a in choice.complemented) != (b in choice.complemented)) != new.negative:
                unsuited += 1
                assert {a, b} & choice.inverted
        assert unsuited < sum(new.negative for new in graph.sums) / 2
        assert not any(stage == 0 for _, stage in choice.complemented)


def test_a_difference_of_sums_takes_no_inverter():
    graph = SumGraph(4, U4)
    a = graph.add(SharedSum(0, 1, 0, negative=False))
    b = graph.add(SharedSum(2, 3, 0, negative=False))
    graph.add(SharedSum(a, b, 0, negative=True))
    choice = polarity.choose(graph, [0, 0, 0, 0, 1, 1, 2])
    assert not choice.inverted
    assert len(choice.complemented) == 1


def test_inputs_are_inverted_where_they_are_subtracted():
    graph = SumGraph(2, U4)
    graph.add(SharedSum(0, 1, 0, negative=True))
    assert len(polarity.choose(graph, [0, 0, 1]).inverted) == 1


@pytest.mark.synth
def test_complements_are_free_in_logic_cells(tmp_path):
    # A difference of two sums, 5 + 5 + 6 bits: as it stands, 5 LUTs only invert.
    plan = AdderGraphDot(np.array([[1, 1, -1, -1]]), U4)
    script = ["synth_ice40 -device u"]
    plain = yosys.cells(plan.unit(None), tmp_path / "plain", script)
    suited = yosys.cells(plan.unit(device("up5k")), tmp_path / "suited", script)
    inverter = {"LUT_INIT": "0000000011111111"}
    assert plain["SB_LUT4"].count(inverter) == 6
    assert suited["SB_LUT4"].count(inverter) == 1
    assert len(suited["SB_LUT4"]) < len(plain["SB_LUT4"])
