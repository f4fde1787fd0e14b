"""From a model file to an adapted graph: what depends on the machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from cores.fifo import Buffer
from cores.mvau import MatVec
from hwgen.design import Goal
from hwgen.errors import ToolError
from hwgen.folding import search
from hwgen.graph.ir import Node, Value
from hwgen.prepare import Loaded, Prepared, load, prepare
from hwgen.report.compose import estimate_record
from hwgen.simulators import cxx
from hwgen.timing import sizing
from platforms.devices import device
from tests.cores.plain import Negate

MODEL = Path(__file__).parents[2] / "designs" / "digits_resnet" / "model.onnx"


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load(MODEL)


@pytest.fixture(scope="module")
def enough(loaded) -> Prepared:
    return prepared(loaded, None)


def prepared(loaded: Loaded, cache: Path | None) -> Prepared:
    goal = Goal(fps=10_000)
    return prepare(loaded, device("ecp5-25f"), clock_mhz=25, goal=goal, cache=cache)


def beats(found: Prepared) -> int:
    return sum(node.op.capacity for node in found.folded if isinstance(node.op, Buffer))


def test_with_a_compiler_buffers_are_smaller_and_frames_as_frequent(loaded, enough, cache):
    small = prepared(loaded, cache)
    assert beats(small) < beats(enough)
    assert small.timing.interval == enough.timing.interval
    assert "buffers_deeper_than_needed" not in estimate_record(small, board=None)


@pytest.mark.long
def test_without_a_compiler_buffers_stay_as_they_are(loaded, enough, tmp_path, monkeypatch):
    def none(command: object) -> None:
        raise ToolError("no compiler")

    monkeypatch.setattr(cxx, "find_compiler", none)
    found = prepared(loaded, tmp_path)
    assert beats(found) == beats(enough)
    record = estimate_record(found, board=None)
    assert record["buffers_deeper_than_needed"] == "no compiler"


def test_a_record_names_ops_without_a_price(enough):
    assert "unpriced" not in estimate_record(enough, board=None)
    kind = enough.folded.inputs[next(iter(enough.folded.inputs))]
    value = Value(next(iter(enough.folded.inputs)), "")
    nodes = (Node("negated", Negate(kind), (value,)), *enough.folded)
    found = replace(enough, folded=replace(enough.folded, nodes=nodes))
    assert found.resources == enough.resources
    assert estimate_record(found, board=None)["unpriced"] == ["negated"]


@pytest.mark.compiled
def test_a_second_run_neither_folds_nor_sizes_again(loaded, tmp_path, monkeypatch):
    first = prepared(loaded, tmp_path)
    spared = {name: found.spared for name, found in first.pruned.items()}

    def refused(*arguments: object, **more: object) -> None:
        raise AssertionError("must not be done again")

    monkeypatch.setattr(search, "cost_of", refused)
    monkeypatch.setattr(sizing, "insert_buffers", refused)
    monkeypatch.setattr(sizing, "shrink_buffers", refused)
    monkeypatch.setattr(MatVec, "pruned", refused)
    second = prepared(loaded, tmp_path)
    assert str(second.folded) == str(first.folded)
    assert [(n.name, n.inputs, n.op.key) for n in second.folded] == [
        (n.name, n.inputs, n.op.key) for n in first.folded
    ]
    assert {name: found.spared for name, found in second.pruned.items()} == spared
    with pytest.raises(AssertionError, match=r"^must not be done again$"):
        prepare(loaded, device("ecp5-25f"), clock_mhz=25, goal=Goal(fps=200_000), cache=tmp_path)
