import re
from pathlib import Path

import numpy as np
import pytest

from cores.engine.sequence import LayerSequence
from hwgen.errors import ModelError
from hwgen.integer import (
    IntArgMax,
    IntCrop,
    IntDepthwise,
    IntMatMul,
    IntReduce,
    IntReshape,
    IntTensor,
    IntTotal,
    IntWindow,
    Step,
)
from hwgen.interpret import interpret_dataflow, interpret_integer
from hwgen.ir import Graph, Node, Value
from hwgen.passes.sequence import lower_to_sequence
from hwgen.prepare import load

DESIGNS = Path(__file__).parents[3] / "designs"
S8 = (-128, 127)


def chain(shape: tuple[int, ...], *ops, lo: int = S8[0], hi: int = S8[1]) -> Graph:
    """Ops one after the other behind an input `x`."""
    channels = np.ones(shape[-1], np.int64)
    value, nodes = Value("x", ""), []
    for k, op in enumerate(ops):
        nodes.append(Node(f"n{k}", op, (value,)))
        value = nodes[-1].out
    kind = IntTensor(shape, lo * channels, hi * channels)
    return Graph({"x": kind}, tuple(nodes), {"y": value})


def steps(channels: int, every: int, *, first: int, count: int, lowest: int = 0) -> Step:
    """Steps of one, at equal distances; falling in every other channel."""
    starts = first + every * np.arange(count)
    values = lowest + np.arange(count + 1)
    rows = [values if c % 2 == 0 else values[::-1] for c in range(channels)]
    return Step(np.tile(starts, (channels, 1)), np.array(rows))


def window(kernel, *, strides=(1, 1), pads=((0, 0), (0, 0)), fill=0, channels=1) -> IntWindow:
    return IntWindow(kernel, strides, (1, 1), pads, np.full(channels, fill))


def networks() -> dict[str, Graph]:
    rng = np.random.default_rng(5)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-100, 101, shape)

    padded = window((3, 2), strides=(2, 1), pads=((1, 1), (0, 1)), fill=9)
    return {
        "convolutions of bytes without sign": chain(
            (5, 4, 1),
            padded,
            IntMatMul(weights(6, 6), rng.integers(-500, 500, 6)),
            steps(6, 150, first=-9000, count=255),
            window((2, 2), pads=((0, 1), (0, 0)), fill=40, channels=6),
            IntDepthwise(weights(6, 4), rng.integers(-90, 90, 6)),
            steps(6, 70, first=-4000, count=200, lowest=-90),
            IntTotal(),
            steps(6, 30, first=-100, count=60, lowest=-30),
            IntMatMul(weights(3, 6), np.array([7, -8, 9])),
            lo=0,
            hi=255,
        ),
        "a line, all elements in a row, the largest": chain(
            (6, 4),
            IntWindow((3,), (1,), (1,), ((1, 0),), np.full(4, -5)),
            IntMatMul(weights(5, 12), np.zeros(5, np.int64)),
            steps(5, 190, first=-9000, count=100, lowest=-100),
            IntReshape((25,)),
            IntMatMul(weights(4, 25), np.zeros(4, np.int64)),
            IntArgMax(np.array([5, 0, -5, 0]), np.array([3, 0, 1, 2])),
        ),
        "a product of everything, steps of the input": chain(
            (2, 2, 3),
            steps(3, 2, first=-90, count=90),
            window((2, 2), channels=3),
            IntReduce("sum", 4),
            steps(3, 3, first=5, count=100, lowest=-20),
            IntMatMul(weights(2, 3), np.zeros(2, np.int64)),
            steps(2, 50, first=-3000, count=90),
        ),
        "the largest, of bytes without sign": chain(
            (4, 4, 2),
            window((2, 2), strides=(2, 2), channels=2),
            IntReduce("max", 4),
            IntMatMul(weights(5, 2), np.zeros(5, np.int64)),
            steps(5, 150, first=-5000, count=255),
            window((2, 1), channels=5),
            IntReduce("max", 2),
            steps(5, 3, first=9, count=80, lowest=150),
            lo=0,
            hi=255,
        ),
        "the largest of all, last": chain(
            (3, 2, 4),
            IntMatMul(weights(5, 4), np.zeros(5, np.int64)),
            steps(5, 100, first=-5000, count=255),
            IntTotal("max"),
        ),
    }


NETWORKS = networks()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_sequence_computes_what_the_graph_means(name):
    graph = NETWORKS[name]
    kind = graph.inputs["x"]
    rng = np.random.default_rng(6)
    x = rng.integers(kind.lo.min(), kind.hi.max() + 1, (40, *kind.shape))
    found = interpret_dataflow(lower_to_sequence(graph), {"x": x})["y"]
    wanted = interpret_integer(graph, {"x": x})["y"]
    assert (found == wanted).all()
    assert len(np.unique(wanted)) > 2


@pytest.mark.parametrize("name", ["digits_cnn", "digits_dscnn", "digits_mlp"])
def test_a_trained_network_as_a_sequence(name):
    folder = DESIGNS / name
    loaded = load(folder / "model.onnx", sequential=True)
    (node,) = loaded.dataflow.nodes
    assert isinstance(node.op, LayerSequence)
    graph = loaded.analysis.graph
    assert graph is not None
    (entry,) = graph.inputs.values()
    x = np.random.default_rng(7).integers(entry.dtype.lo, entry.dtype.hi + 1, (30, *entry.shape))
    (name_in,), (name_out,) = graph.inputs, graph.outputs
    wanted = interpret_integer(graph, {name_in: x})[name_out]
    found = interpret_dataflow(loaded.dataflow, {name_in: x})[name_out]
    assert (found == wanted).all()


SUMS = IntMatMul(np.ones((2, 4), np.int64), np.zeros(2, np.int64))
UNEVEN = Step(np.array([[1, 2, 50]] * 4), np.array([[0, 1, 2, 3]] * 4))


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ([IntCrop((0,) * 3, (3, 2, 4), (1, 2, 1))], "n0: IntCrop has no place here in a sequence"),
        ([UNEVEN, SUMS], "n0: the steps of some channel are not on a line in integers, as"),
        ([SUMS, IntTotal()], "n1: IntTotal has no place here in a sequence, which knows"),
        (
            [IntReshape((2, 3, 4)), SUMS],
            "n0: a sequence takes a reshape that puts all elements in a row, not one from",
        ),
        ([IntReshape((24,))], "a sequence must have a layer; this model has none"),
        (
            [
                IntWindow((1, 1), (1, 1), (1, 1), ((1, 0), (0, 0)), np.arange(4)),
                SUMS,
            ],
            "n1: padding must be the same in all channels in a sequence",
        ),
        (
            [window((2, 1), channels=4), IntDepthwise(np.ones((8, 2), np.int64), np.zeros(8, int))],
            "n1: a depthwise layer of a sequence must make one channel of each, not 8 of 4;",
        ),
        (
            [IntMatMul(np.full((2, 4), 200), np.zeros(2, np.int64))],
            "n0: weights must lie within s8, not 200..200",
        ),
    ],
)  # fmt: skip
def test_what_a_sequence_cannot_do_is_refused(ops, message):
    with pytest.raises(ModelError, match=f"^{re.escape(message)}"):
        lower_to_sequence(chain((3, 2, 4), *ops))


def test_wide_numbers_are_refused():
    with pytest.raises(ModelError, match=r"^the input: numbers of a sequence must have 8 bits, "):
        lower_to_sequence(chain((4,), SUMS, hi=300))


def test_branches_are_refused():
    message = "a sequence runs one layer after the other, and it takes another branch"
    with pytest.raises(ModelError, match=message):
        load(DESIGNS / "digits_resnet" / "model.onnx", sequential=True)
