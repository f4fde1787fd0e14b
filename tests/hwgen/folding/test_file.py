"""Folding files: what they set, and what is refused."""

import re

import numpy as np
import pytest

from cores.choices import Block, Lut
from cores.cost import Resources
from cores.mvau import MatVec
from cores.types import IntType, StreamType
from hwgen.errors import FoldingError
from hwgen.folding.file import fold_from_file, folding_text
from hwgen.folding.search import fold_to_fit
from hwgen.graph.ir import Graph, Node, Value
from platforms.devices import device
from tests.hwgen.networks import mlp

NOTHING = Resources()


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


@pytest.mark.long
def test_a_folding_file_round_trips():
    graph = fold_to_fit(mlp((24, 16, 10)), device("up5k"), overhead=NOTHING)
    text = folding_text(graph)
    again = fold_from_file(mlp((24, 16, 10)), text, source="folding.toml")
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
