"""Forks, joins and reshaped edges between ops."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cores.choices import AdderGraph, Block, Logic, Memory
from cores.duplicate import Duplicate
from cores.eltwise import Add
from cores.fifo import Buffer
from cores.mvau import MatVec
from cores.pixel_converter import ConvertPixels
from cores.sim import StreamError, run
from cores.types import IntType, StreamType
from cores.width_converter import ConvertWidth
from hwgen.graph.ir import Graph, Node, Value
from hwgen.graph.verify import verify
from hwgen.timing.adapters import insert_buffers, insert_forks, insert_width_converters
from hwgen.timing.schedule import schedule
from platforms.devices import device
from tests.hwgen.networks import Whole, mlp

U2 = IntType(0, 3)


def residual(*, slow: int = 2) -> Graph:
    """x goes through two products, and past them to a sum."""
    rng = np.random.default_rng(5)
    first = MatVec(rng.integers(-2, 2, (16, 16)), U2, pe=slow, simd=1)
    second = MatVec(rng.integers(-2, 2, (16, 16)), first.outputs["o"].dtype, pe=4, simd=slow)
    total = Add((16,), (second.outputs["o"].dtype, U2), (1, 3), pe=2)
    fc0 = Node("fc0", first, (Value("x", ""),))
    fc1 = Node("fc1", second, (fc0.out,))
    add = Node("add", total, (fc1.out, Value("x", "")))
    return Graph({"x": StreamType((16,), U2)}, (fc0, fc1, add), {"y": add.out}, name="residual")


def adapted(graph: Graph) -> Graph:
    graph = insert_width_converters(insert_forks(graph))
    verify(graph)
    return insert_buffers(graph, device("ecp5-25f"))


def test_a_value_with_two_users_and_an_output_is_copied_three_times():
    add = Node("add", Add((8,), (U2, U2), (1, 1)), (Value("x", ""), Value("x", "")))
    graph = insert_forks(
        Graph({"x": StreamType((8,), U2)}, (add,), {"y": add.out, "z": Value("x", "")})
    )
    (fork, join) = graph.nodes
    assert isinstance(fork.op, Duplicate)
    assert (fork.name, fork.op.copies) == ("x.fork", 3)
    assert [str(value) for value in join.inputs] == ["x.fork.o_0", "x.fork.o_1"]
    assert str(graph.outputs["z"]) == "x.fork.o_2"


def test_a_graph_without_forks_stays_as_it_is():
    graph = mlp((12, 8, 4))
    assert insert_forks(graph).nodes == graph.nodes


@pytest.mark.parametrize("slow", [1, 2, 4])
def test_residual_keeps_its_rate_and_latency(slow):
    whole = Whole(adapted(residual(slow=slow)))
    timing = schedule(whole.graph)
    x = whole.random(8)
    found = run(whole, [x])
    assert (found.outputs["o"] == whole.compute(x)).all()
    assert np.diff(found.given["o"][:, -1])[-3:].tolist() == [timing.interval] * 3
    assert found.shown["o"][0, -1] - found.taken["i"][0, 0] == timing.last_out


def test_residual_is_exact_under_stalls():
    whole = Whole(adapted(residual()))
    x = whole.random(5, seed=3)
    assert (run(whole, [x], stall=0.5, seed=1).outputs["o"] == whole.compute(x)).all()


def test_residual_with_too_small_a_buffer_stops():
    graph = adapted(residual())
    past = graph.by_name["add.i_1.fifo"]
    assert isinstance(past.op, Buffer)
    small = replace(past.op, capacity=1)
    whole = Whole(graph.map_ops(lambda node: small if node is past else node.op))
    with pytest.raises(StreamError, match="deadlock"):
        run(whole, [whole.random(4)])


@pytest.mark.parametrize("simd", [2, 3, 4, 8, 24])
def test_a_flat_input_takes_the_elements_in_a_row(simd):
    rng = np.random.default_rng(1)
    wide = MatVec(rng.integers(-2, 2, (4, 4)), U2, positions=(2, 3), pe=4, simd=2)
    sums = wide.outputs["o"].dtype
    flat = MatVec(rng.integers(-2, 2, (3, 24)), sums, simd=simd)
    first = Node("fc0", wide, (Value("x", ""),))
    second = Node("fc1", flat, (first.out,))
    graph = adapted(
        Graph({"x": StreamType((2, 3, 4), U2)}, (first, second), {"y": second.out}, name="flat")
    )
    converters = [node for node in graph if isinstance(node.op, ConvertWidth)]
    assert len(converters) == (simd != 4)
    whole = Whole(graph)
    x = whole.random(3)
    rows = np.einsum("rc,nhwc->nhwr", wide.weights, x).reshape(3, 24)
    assert (run(whole, [x]).outputs["o"] == rows @ flat.weights.T).all()


def positions(
    folds: Sequence[tuple[int, int, int]], *, flat: tuple[int, int] | None = None
) -> Graph:
    """Products of 8 positions of 12 channels by 12 rows each, folded as PE, SIMD and pixels say;
    and one of all of them by 2 rows, with the PE and SIMD of `flat`."""
    rng = np.random.default_rng(3)
    nodes: list[Node] = []
    value, dtype = Value("x", ""), U2
    for k, (pe, simd, pixels) in enumerate(folds):
        matrix = np.sign(rng.integers(-1, 2, (12, 12)) * (rng.random((12, 12)) < 0.2))
        op = MatVec(matrix, dtype, positions=(2, 4), pe=pe, simd=simd, pixels=pixels)
        nodes.append(Node(f"fc{k}", op, (value,)))
        value, dtype = nodes[-1].out, op.outputs["o"].dtype
    if flat is not None:
        op = MatVec(rng.integers(-1, 2, (2, 96)), dtype, pe=flat[0], simd=flat[1])
        nodes.append(Node("flat", op, (value,)))
        value = nodes[-1].out
    kind = StreamType((2, 4, 12), U2)
    return Graph({"x": kind}, tuple(nodes), {"y": value}, name="positions")


FOLDS = {
    "gather and spread": ([(2, 6, 1), (2, 3, 2), (6, 2, 1)], None),
    "the pixels of both ends differ": ([(2, 3, 2), (2, 2, 4), (1, 6, 2)], None),
    "from the input to the output": ([(3, 2, 4)], None),
    "a row of positions in parts": ([(2, 4, 2)], (1, 4)),
    "a row of parts in a hurry": ([(3, 12, 2)], (2, 6)),
    "a row of whole positions": ([(12, 6, 2)], (1, 24)),
    "whole positions": ([(12, 4, 1), (12, 6, 2), (12, 12, 1), (4, 12, 4), (12, 4, 2)], None),
    "pixels that do not divide": ([(3, 4, 4), (3, 4, 4)], (1, 3)),
}


@pytest.mark.parametrize("name", FOLDS)
@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.long
def test_pixels_change_between_nodes_without_loss_of_rate(name, stall):
    folds, flat = FOLDS[name]
    graph = positions(folds, flat=flat)
    found = adapted(graph)
    whole = Whole(found)
    timing = schedule(found)
    assert timing.interval == max(node.op.cycles for node in graph)
    kinds = [*found.inputs.values(), whole.outputs["o"]]
    assert [kind.pixels for kind in kinds] == [1, 1]
    x = whole.random(6)
    done = run(whole, [x], stall=stall, seed=2)
    assert (done.outputs["o"] == whole.compute(x)).all()
    if not stall:
        assert np.diff(done.given["o"][:, -1])[-3:].tolist() == [timing.interval] * 3


def test_converters_between_pixels_are_named_after_the_consumer():
    found = adapted(positions([(2, 6, 1), (2, 3, 2), (6, 2, 1)]))
    converters = {
        node.name: node.op.binding()
        for node in found
        if isinstance(node.op, ConvertWidth | ConvertPixels)
    }
    assert converters == {
        "fc1.i.pixels": "1 to 2 pixels",
        "fc1.i.width": "2 to 3 lanes",
        "fc2.i.pixels": "2 to 1 pixels",
    }


def test_whole_positions_are_elements_in_a_row():
    # A beat is a position: two make one of twice the width, and no memory is needed.
    found = adapted(positions([(12, 6, 1), (12, 12, 2), (6, 12, 1)]))
    converters = {node.name: node.op for node in found if isinstance(node.op, ConvertWidth)}
    assert {name: op.binding() for name, op in converters.items()} == {
        "fc1.i.width": "12 to 24 lanes",
        "fc2.i.width": "24 to 12 lanes",
    }
    assert not [node for node in found if isinstance(node.op, ConvertPixels)]
    stored = converters["fc1.i.width"]
    assert stored.cost(device("ecp5-25f")).ff < 2 * 12 * stored.type.dtype.width + 16


def products(memories: Sequence[Memory]) -> Graph:
    """Products in a row, each in one cycle."""
    nodes, value, dtype = [], Value("x", ""), U2
    for k, memory in enumerate(memories):
        op = MatVec(np.eye(2, dtype=int), dtype, pe=2, simd=2, arithmetic=AdderGraph())
        nodes.append(Node(f"fc{k}", replace(op, memory=memory), (value,)))
        value = nodes[-1].out
    return Graph({"x": StreamType((2,), U2)}, tuple(nodes), {"y": value}, name="chain")


def test_no_more_than_two_ops_pass_on_ready_in_one_cycle():
    found = adapted(products([Logic()] * 5))
    assert [node.name for node in found if isinstance(node.op, Buffer)] == [
        "fc2.i.fifo",
        "fc4.i.fifo",
    ]


def test_an_op_with_registered_ready_begins_a_chain():
    # Neither fc2 nor fc5 passes it on; fc3 and fc4 do, and fc5 takes from them.
    memories = [Block() if k in (2, 5) else Logic() for k in range(8)]
    found = adapted(products(memories))
    assert not [node for node in found if isinstance(node.op, Buffer)]
