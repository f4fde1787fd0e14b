"""The ladder of a build can fail: a fault at each rung is found and the layer is named."""

from dataclasses import replace

import numpy as np
import pytest

from cores.fifo import Buffer
from hwgen.design import Goal
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph
from hwgen.ladder import simulation
from hwgen.ladder.checks import climb_down, random_frames
from hwgen.prepare import Prepared, load, prepare
from hwgen.report.compose import estimate_record, set_high_water
from hwgen.simulators.graph_simulator import GraphSimulator
from platforms.devices import device
from tests.onnx_models import random_mlp, save

X = np.random.default_rng(2).uniform(-2, 17, (30, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Prepared:
    model = random_mlp(np.random.default_rng(4), (6, 4, 3))
    loaded = load(save(model, tmp_path_factory.mktemp("model")))
    return prepare(loaded, device("up5k"), clock_mhz=24, goal=Goal(fps=1e6))


def changed(graph: Graph, name: str) -> Graph:
    """The graph with the weights of a node negated and mixed up, or its thresholds lowered."""

    def change(node):
        if node.name != name:
            return node.op
        field = "weights" if hasattr(node.op, "weights") else "starts"
        array = getattr(node.op, field)
        return replace(node.op, **{field: -array[::-1] if field == "weights" else array - 9})

    return graph.map_ops(change)


def simulator(graph: Graph, cache) -> GraphSimulator:
    return GraphSimulator(graph, cache=cache)


def test_all_rungs_agree(prepared, cache):
    rungs, rtl = climb_down(prepared, X, simulator(prepared.folded, cache))
    assert [rung.mismatches for rung in rungs] == [0, 0, 0]
    assert (rtl.interval, rtl.latency) == (prepared.timing.interval, prepared.timing.last_out)
    rungs, _ = random_frames(prepared, simulator(prepared.folded, cache))
    assert rungs[0].mismatches == 0


def test_the_record_holds_depth_and_high_water_of_every_buffer(prepared, cache):
    _, rtl = random_frames(prepared, simulator(prepared.folded, cache))
    record = estimate_record(prepared, board=None)
    set_high_water(record, rtl.high_water)
    buffers = [node for node in prepared.folded if isinstance(node.op, Buffer)]
    assert [buffer["name"] for buffer in record["buffers"]] == [node.name for node in buffers]
    assert [buffer["depth"]["value"] for buffer in record["buffers"]] == [
        node.op.capacity for node in buffers
    ]
    assert all(0 < b["high_water"]["value"] <= b["depth"]["value"] for b in record["buffers"])


def test_a_wrong_threshold_in_the_integer_graph_names_the_quantiser(prepared, cache):
    graph = prepared.loaded.analysis.graph
    wrong = replace(
        prepared.loaded,
        analysis=replace(prepared.loaded.analysis, graph=changed(graph, "layer0_act")),
    )
    with pytest.raises(
        CheckError,
        match=r"^integer graph against the exact meaning of the model: \d+ of \d+ elements "
        r"differ; .*; the first layer that differs is layer0_act$",
    ):
        climb_down(replace(prepared, loaded=wrong), X, simulator(prepared.folded, cache))


def test_a_wrong_weight_after_folding_is_found(prepared, cache):
    wrong = replace(prepared, folded=changed(prepared.folded, "layer1"))
    with pytest.raises(CheckError, match=r"^dataflow graph against integer graph: \d+ of"):
        climb_down(wrong, X, simulator(prepared.folded, cache))


def test_wrong_hardware_is_found_and_sound_cores_are_not_blamed(prepared, cache):
    wrong = simulator(changed(prepared.folded, "layer0"), cache)
    with pytest.raises(
        CheckError,
        match=r"^compiled accelerator against dataflow graph: \d+ of .*; every core alone agrees",
    ):
        climb_down(prepared, X, wrong)


def test_the_core_that_differs_is_named(prepared, cache, monkeypatch):
    right = simulation.interpret_dataflow
    node = prepared.folded.by_name["layer0"]
    compute = type(node.op).compute
    monkeypatch.setattr(type(node.op), "compute", lambda op, x: compute(op, x) + (op is node.op))
    assert simulation.interpret_dataflow is right
    with pytest.raises(CheckError, match=r"; the first core that differs from its op is layer0$"):
        random_frames(prepared, simulator(prepared.folded, cache))
