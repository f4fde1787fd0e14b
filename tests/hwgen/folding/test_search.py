"""Choosing foldings: for a rate, for a device, from a file, and what is refused."""

from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pytest

from cores.choices import AdderGraph
from cores.cost import Resources, price
from cores.graph import adder_graph
from cores.mvau import MatVec
from cores.types import IntType, StreamType
from hwgen.errors import FitError, FoldingError
from hwgen.folding import search
from hwgen.folding.search import Choices, fold_for_rate, fold_to_fit
from hwgen.graph.ir import Graph, Node, Value
from hwgen.store import Store
from hwgen.timing.adapters import insert_buffers, insert_width_converters
from hwgen.timing.schedule import schedule
from platforms.devices import device
from tests.hwgen.networks import mlp

NOTHING = Resources()


def slowest(graph):
    return max(node.op.cycles for node in graph)


def area(graph, name):
    return sum(price(node.op.cost(device(name)), device(name)).lut4 for node in graph)


def test_a_rate_is_met_by_no_more_than_it_takes():
    graph = mlp((64, 32, 16, 10))
    slow, fast = (
        fold_for_rate(graph, device("up5k"), clock_mhz=24, fps=fps, overhead=NOTHING)
        for fps in (20_000, 200_000)
    )
    assert slowest(slow) <= 1200 and slowest(fast) <= 120
    assert area(slow, "up5k") < area(fast, "up5k")
    assert slow.by_name["fc2"].op.pe == slow.by_name["fc2"].op.simd == 1


@pytest.mark.parametrize("name", ["up5k", "ecp5-25f"])
def test_one_threshold_unit_serves_several_lanes_where_there_is_time(name):
    # 64 x 64 in 256 cycles: 16 products a cycle, while 64 results leave time for one unit.
    target = device(name)
    graph = mlp((64, 64, 10), bits=4)
    folded = fold_for_rate(graph, target, clock_mhz=24, fps=93_750, overhead=NOTHING)
    wide, unit = folded.by_name["fc0"].op, folded.by_name["th0"].op
    wide = replace(wide, pe=4, simd=4)
    folded = folded.map_ops(lambda node: wide if node.name == "fc0" else node.op)
    assert unit.pe == 1
    adapted = insert_buffers(insert_width_converters(folded), target)
    assert schedule(adapted).interval == 256

    def together(*names: str) -> int:
        return sum(price(adapted.by_name[n].op.cost(target), target).lut4 for n in names)

    between = [node.name for node in adapted if node.name.startswith(("th0", "fc1.i"))]
    of_each = price(replace(unit, pe=4).cost(target), target).lut4
    assert together(*between) < of_each


@pytest.mark.long
def test_every_folding_divides_its_op():
    graph = fold_to_fit(mlp((60, 36, 10)), device("up5k"), overhead=NOTHING)
    for node in graph:
        assert node.op.inputs["i"].channels % node.op.inputs["i"].lanes == 0
        assert node.op.outputs["o"].channels % node.op.outputs["o"].lanes == 0


@pytest.mark.long
def test_a_larger_device_is_folded_less():
    graph = mlp((48, 32, 10), bits=3)
    small, large = (
        slowest(fold_to_fit(graph, device(name), overhead=NOTHING)) for name in ("up5k", "ecp5-85f")
    )
    assert large < small


def test_an_unreachable_rate_names_the_node_that_binds():
    with pytest.raises(
        FoldingError,
        match=r"^3e\+07 frames/s at 24 MHz leave 0 cycles per frame; fc0 needs at least 1 "
        r"\(24000000 frames/s\): ask for less, or raise the clock$",
    ):
        fold_for_rate(mlp((8, 4)), device("up5k"), clock_mhz=24, fps=3e7, overhead=NOTHING)


@pytest.mark.long
def test_a_rate_that_does_not_fit_says_by_how_much():
    graph = mlp((256, 256, 10), bits=4)
    message = r"do not fit up5k: \d+ lut4 of 4488.*largest is fc0 with"
    with pytest.raises(FoldingError, match=message):
        fold_for_rate(graph, device("up5k"), clock_mhz=24, fps=1e6, overhead=NOTHING)


@pytest.mark.long
def test_a_model_too_large_says_by_how_much():
    message = (
        r"^the model does not fit up5k at any folding: .*ram_blocks of 30.*largest is th0 .*"
        r"smaller layers, or let all layers share one set of units \(--sequential\)$"
    )
    with pytest.raises(FitError, match=message):
        fold_to_fit(mlp((512, 256, 10), bits=8), device("up5k"), overhead=NOTHING)


@pytest.mark.long
def test_scarce_logic_and_multipliers_are_shared_by_two_positions():
    # 512 products a cycle, of 156 multipliers: three products in each are not enough.
    rng = np.random.default_rng(0)
    op = MatVec(rng.integers(-7, 8, (32, 64)), IntType(0, 15), positions=(8, 8))
    node = Node("fc", op, (Value("x", ""),))
    graph = Graph({"x": StreamType((8, 8, 64), op.dtype)}, (node,), {"y": node.out}, name="fc")
    target = device("ecp5-85f")
    scarce = Resources(lut4=68_000)
    choice = Choices(graph, target, scarce).at_most(64 * 4)
    assert choice is not None
    (found,) = (candidate.ops["fc"] for candidate in choice[0].values())
    assert isinstance(found, MatVec)
    assert (found.pixels, found.arithmetic.text, found.cycles) == (2, "dsp18x4", 64 * 4)

    # What it was priced at holds what gathers two positions and spreads them again.
    adapted = insert_width_converters(graph.map_ops(lambda node: found))
    assert [node.name for node in adapted] == ["fc.i.width", "fc", "y.pixels"]
    between = [node.op for node in adapted if node.name != "fc"]
    assert [op.outputs["o"].lanes for op in between] == [2 * found.simd, found.pe]
    each = (price(node.op.cost(target), target) for node in adapted)
    assert reduce(add, each, scarce) == choice[1]


def test_several_positions_promise_no_more_than_neighbours_of_one_deliver():
    # 64 positions, one product each: two at once would take 32 cycles, if they came.
    op = MatVec(np.ones((2, 2), np.int64), IntType(0, 15), positions=(8, 8))
    node = Node("fc", op, (Value("x", ""),))
    graph = Graph({"x": StreamType((8, 8, 2), op.dtype)}, (node,), {"y": node.out}, name="fc")
    assert {f.cycles for f in op.foldings(device("up5k")) if f.pixels == 2} >= {32}
    message = r"^400000 frames/s at 24 MHz leave 60 cycles per frame; fc needs at least 64 "
    with pytest.raises(FoldingError, match=message):
        fold_for_rate(graph, device("up5k"), clock_mhz=24, fps=400_000, overhead=NOTHING)


def layer(weights, positions=()) -> Graph:
    op = MatVec(weights, IntType(0, 15), positions=positions)
    node = Node("fc", op, (Value("x", ""),))
    kind = StreamType((*positions, op.cols), op.dtype)
    return Graph({"x": kind}, (node,), {"y": node.out}, name="fc")


def draw(rows: int, cols: int, *, dense: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(rows + cols)
    return rng.integers(-7, 8, (rows, cols)) * (rng.random((rows, cols)) < dense)


def test_a_large_layer_becomes_an_adder_graph_by_its_rate_alone():
    # 1,536 weights.
    target = device("ecp5-25f")
    graph = layer(draw(48, 32))
    choice = Choices(graph, target, NOTHING).at_most(1)
    assert choice is not None
    op, total = choice[0]["fc"].ops["fc"], choice[1]
    assert isinstance(op, MatVec)
    assert isinstance(op.arithmetic, AdderGraph)
    assert op.arithmetic.tries is None
    assert total == price(op.cost(target), target)  # of the graph that is built
    rough = op.rough_cost(target)
    assert rough is not None
    assert total != price(rough, target)


def test_zeros_decide_how_much_faster_than_asked_a_graph_may_be():
    # 32 cycles a frame: a folded unit multiplies by zeros, a graph does not.
    target = device("ecp5-25f")
    kinds = []
    for dense in (0.03, 1):
        choice = Choices(layer(draw(64, 32, dense=dense)), target, NOTHING).at_most(32)
        assert choice is not None
        op = choice[0]["fc"].ops["fc"]
        assert isinstance(op, MatVec)
        kinds.append((type(op.arithmetic), op.cycles))
    assert kinds[0] == (AdderGraph, 1)
    assert kinds[1][1] == 32


def test_no_graph_is_searched_that_is_far_beyond_the_device(monkeypatch):
    searched = []
    build = adder_graph.build

    def counted(weights, dtype, *, more, tries):
        searched.append(tries)
        return build(weights, dtype, more=more, tries=tries)

    monkeypatch.setattr(adder_graph, "build", counted)
    with pytest.raises(FoldingError, match=r"^1\.2e\+07 frames/s at 12 MHz do not fit hx1k: "):
        fold_for_rate(layer(draw(64, 48)), device("hx1k"), clock_mhz=12, fps=12e6, overhead=NOTHING)
    assert set(searched) == {1}


def counted(monkeypatch, calls: list[str]) -> None:
    """Notes the key of every op that is priced."""

    def cost(op, target):
        calls.append(op.key)
        return op.cost(target)

    monkeypatch.setattr(search, "cost_of", cost)


def test_each_folding_is_priced_once_for_all_equal_layers(monkeypatch):
    target, op = device("up5k"), mlp((8, 8)).by_name["fc0"].op
    wide = replace(op, dtype=op.outputs["o"].dtype)
    nodes, value = [], Value("x", "")
    for number in range(4):
        nodes.append(Node(f"fc{number}", wide, (value,)))
        value = nodes[-1].out
    calls: list[str] = []
    counted(monkeypatch, calls)
    graph = Graph({"x": wide.inputs["i"]}, tuple(nodes), {"y": value})
    choices = Choices(graph, target, NOTHING)
    assert choices.at_most(64) is not None
    assert calls and len(calls) == len({*calls})


def test_each_folding_is_priced_once_for_the_machine(monkeypatch, tmp_path):
    graph, target = mlp((16, 16, 10)), device("up5k")
    calls: list[str] = []
    counted(monkeypatch, calls)
    found = []
    for _ in range(2):
        store = Store(tmp_path)
        folded = fold_for_rate(
            graph, target, clock_mhz=24, fps=100_000, overhead=NOTHING, store=store
        )
        store.write()
        found.append(([node.op.key for node in folded], len(calls)))
    assert found[0] == found[1]
    assert calls
    # Another device has other prices.
    fold_for_rate(
        graph, device("ecp5-25f"), clock_mhz=24, fps=1e5, overhead=NOTHING, store=Store(tmp_path)
    )
    assert len(calls) > found[0][1]


def test_what_another_run_priced_exactly_changes_no_choice(tmp_path):
    graph, target = mlp((6, 6, 6), bits=4), device("ecp5-25f")

    def chosen(fps: float, store: Store | None) -> list[str]:
        graph_folded = fold_for_rate(
            graph, target, clock_mhz=25, fps=fps, overhead=NOTHING, store=store
        )
        if store is not None:
            store.write()
        return [node.op.key for node in graph_folded]

    for fps in (25e6, 12e6, 1e6):
        assert chosen(fps, Store(tmp_path)) == chosen(fps, None)
