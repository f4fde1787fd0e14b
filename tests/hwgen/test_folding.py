"""Choosing foldings: for a rate, for a device, from a file, and what is refused."""

import re
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pytest

from cores.cost import Resources, price
from cores.mvau import MatVec
from cores.op import Block, Lut
from cores.types import IntType, StreamType
from hwgen.errors import FitError, FoldingError
from hwgen.folding import Choices, fold_for_rate, fold_from_file, fold_to_fit, folding_text
from hwgen.ir import Graph, Node, Value
from hwgen.passes.adapters import insert_buffers, insert_width_converters
from hwgen.schedule import schedule
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


def test_every_folding_divides_its_op():
    graph = fold_to_fit(mlp((60, 36, 10)), device("up5k"), overhead=NOTHING)
    for node in graph:
        assert node.op.inputs["i"].channels % node.op.inputs["i"].lanes == 0
        assert node.op.outputs["o"].channels % node.op.outputs["o"].lanes == 0


def test_a_larger_device_is_folded_less():
    graph = mlp((64, 64, 32, 10), bits=3)
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


def test_a_rate_that_does_not_fit_says_by_how_much():
    graph = mlp((256, 256, 10), bits=4)
    message = r"do not fit up5k: \d+ lut4 of 4488.*largest is fc0 with"
    with pytest.raises(FoldingError, match=message):
        fold_for_rate(graph, device("up5k"), clock_mhz=24, fps=1e6, overhead=NOTHING)


def test_a_model_too_large_says_by_how_much():
    message = (
        r"^the model does not fit up5k at any folding: .*ram_blocks of 30.*largest is th0 .*"
        r"smaller layers, or let all layers share one set of units \(--sequential\)$"
    )
    with pytest.raises(FitError, match=message):
        fold_to_fit(mlp((512, 256, 10), bits=8), device("up5k"), overhead=NOTHING)


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


def test_a_folding_file_names_pixels_and_a_packing():
    rng = np.random.default_rng(0)
    op = MatVec(rng.integers(-7, 8, (4, 6)), IntType(0, 15), positions=(8,))
    node = Node("fc", op, (Value("x", ""),))
    graph = Graph({"x": StreamType((8, 6), op.dtype)}, (node,), {"y": node.out}, name="fc")
    text = '["fc"]\npe = 2\nsimd = 3\npixels = 2\narithmetic = "dsp18x4"\nmemory = "logic"\n'
    folded = fold_from_file(graph, text, source="f")
    found = folded.by_name["fc"].op
    assert (found.pixels, found.cycles, found.cost(device("ecp5-25f")).dsp) == (2, 4 * 4, 3)
    assert folding_text(folded) == text
    message = r"^f: fc: pixels must divide the 8 positions of MatVec, not 3$"
    with pytest.raises(FoldingError, match=message):
        fold_from_file(graph, "[fc]\npixels = 3", source="f")


def test_a_folding_file_round_trips():
    graph = fold_to_fit(mlp((64, 32, 10)), device("ecp5-25f"), overhead=NOTHING)
    text = folding_text(graph)
    again = fold_from_file(mlp((64, 32, 10)), text, source="folding.toml")
    assert folding_text(again) == text
    assert [node.op.cycles for node in again] == [node.op.cycles for node in graph]


def test_a_folding_file_sets_what_it_names():
    text = '[fc0]\npe = 4\nsimd = 8\nmemory = "block"\n'
    op = fold_from_file(mlp((64, 32, 10)), text, source="f").by_name["fc0"].op
    assert (op.pe, op.simd, op.memory, op.arithmetic) == (4, 8, Block(), Lut())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fc0", "f: must be TOML: "),
        ("[conv1]\npe = 1", "f: [conv1] must name a node; nodes: fc0, th0, fc1"),
        ("[fc0]\nspeed = 1", "f: fc0.speed must be one of pe, simd, pixels, arithmetic, memory"),
        ("[fc0]\npe = 5", "f: fc0: PE must divide the 32 rows of MatVec weights, not 5"),
        ("[fc0]\npe = true", "f: fc0.pe must be an integer, not True"),
        ('[fc0]\nmemory = "tape"', "f: fc0.memory must be one of logic, block, spram, not 'tape'"),
    ],
)
def test_bad_folding_files_are_refused(text, message):
    with pytest.raises(FoldingError, match="^" + re.escape(message)):
        fold_from_file(mlp((64, 32, 10)), text, source="f")
