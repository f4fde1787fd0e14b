import re
from pathlib import Path

import numpy as np
import pytest

from cores.engine.sequence import LayerSequence
from hwgen.errors import ModelError
from hwgen.graph.interpret import interpret_dataflow, interpret_integer
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.joins import IntAdd
from hwgen.integer.moves import IntCrop, IntRepeat, IntReshape
from hwgen.integer.op import IntTensor
from hwgen.integer.products import IntDepthwise, IntMatMul
from hwgen.integer.steps import IntArgMax, IntStep
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow
from hwgen.passes.sequence import lower_to_sequence
from hwgen.prepare import load
from hwgen.tensor.walk import analyse
from tests.hwgen.image_networks import random_network
from tests.hwgen.integer.foreign import Halve
from tests.hwgen.passes.test_pair_lines import rounded_sum

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


def steps(channels: int, every: int, *, first: int, count: int, lowest: int = 0) -> IntStep:
    """Steps of one, at equal distances; falling in every other channel."""
    starts = first + every * np.arange(count)
    values = lowest + np.arange(count + 1)
    rows = [values if c % 2 == 0 else values[::-1] for c in range(channels)]
    return IntStep(np.tile(starts, (channels, 1)), np.array(rows))


def to_odd(channels: int, lo: int, hi: int) -> IntStep:
    """x / 4 to the nearest, ties to odd."""
    levels = np.arange(lo + 1, hi + 1)
    starts = 4 * levels - 2 + (levels % 2 == 0)
    return IntStep(np.tile(starts, (channels, 1)), np.tile(np.arange(lo, hi + 1), (channels, 1)))


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
        "ties to odd, in front of padding and last": chain(
            (4, 2, 3),
            window((2, 2), channels=3),
            IntReduce("sum", 4),
            to_odd(3, -60, 50),
            window((2, 1), pads=((1, 0), (0, 0)), fill=-3, channels=3),
            IntReduce("sum", 2),
            to_odd(3, -20, 20),
            lo=-60,
            hi=50,
        ),
        "the largest of all, last": chain(
            (3, 2, 4),
            IntMatMul(weights(5, 4), np.zeros(5, np.int64)),
            steps(5, 100, first=-5000, count=255),
            IntTotal("max"),
        ),
    }


class Branches:
    """Builds a graph with names, from an input `x` of 8 bits with sign."""

    def __init__(self, shape: tuple[int, ...]):
        ends = np.full(shape[-1], 128)
        self.kinds = {"x": IntTensor(shape, -ends, ends - 1)}
        self.values = {"x": Value("x", "")}
        self.nodes: list[Node] = []

    def add(self, name: str, op, *sources: str) -> None:
        self.nodes.append(Node(name, op, tuple(self.values[source] for source in sources)))
        self.values[name] = self.nodes[-1].out
        self.kinds[name] = op.result_type(*(self.kinds[source] for source in sources))

    @property
    def graph(self) -> Graph:
        return Graph({"x": self.kinds["x"]}, tuple(self.nodes), {"y": self.nodes[-1].out})


def rounded(name: str, branches: Branches, source: str, divisor: int, *, lo: int = -128) -> None:
    """Steps of source / divisor to the nearest, ties to even."""
    kind = branches.kinds[source]
    levels = np.arange(lo, lo + 255)
    half = [level * divisor + divisor // 2 for level in levels.tolist()]
    late = [int(divisor % 2 == 0 and level % 2 == 0) for level in levels.tolist()]
    starts = np.tile(np.array(half) + np.array(late) + divisor % 2, (kind.shape[-1], 1))
    values = np.tile(np.arange(lo, lo + 256), (kind.shape[-1], 1))
    branches.add(name, IntStep(starts, values), source)


def shortcuts() -> Graph:
    """The frame and a layer are added; then two layers that skip places, without sign."""
    rng = np.random.default_rng(11)

    def product(name: str, rows: int, source: str) -> None:
        columns = b.kinds[source].shape[-1]
        weights = rng.integers(-99, 100, (rows, columns))
        b.add(name, IntMatMul(weights, rng.integers(-99, 100, rows)), source)

    b = Branches((5, 4, 3))
    b.add("w1", window((3, 3), pads=((1, 1), (1, 1)), fill=-3, channels=3), "x")
    product("p1", 3, "w1")
    b.add("s1", steps(3, 200, first=-20000, count=200, lowest=-100), "p1")
    b.add("a1", IntAdd(np.array([[300, -40, 1], [128, 555, 1]]), np.array([0, 9, -9])), "x", "s1")
    b.add("s2", steps(3, 501, first=-20000, count=80, lowest=0), "a1")
    b.add("corners", IntCrop((0, 1, 0), (5, 4, 3), (2, 2, 1)), "s2")
    product("p2", 5, "corners")
    rounded("s3", b, "p2", 90, lo=0)
    b.add("w2", window((3, 2), strides=(2, 2), pads=((1, 1), (0, 0)), channels=3), "s2")
    product("p3", 5, "w2")
    rounded("s4", b, "p3", 301, lo=0)
    b.add("a2", IntAdd(np.ones((2, 5), np.int64), np.zeros(5, np.int64)), "s4", "s3")
    rounded("s5", b, "a2", 2)
    b.add("total", IntTotal(), "s5")
    rounded("mean", b, "total", 6)
    return b.graph


def used_twice() -> Graph:
    """Sums with two steps of their own, a largest number and a cut that two nodes take."""
    rng = np.random.default_rng(12)
    b = Branches((4, 6, 2))
    b.add("cut", IntCrop((1, 0, 0), (4, 5, 2), (1, 2, 1)), "x")
    b.add("p1", IntMatMul(rng.integers(-99, 100, (4, 2)), np.zeros(4, np.int64)), "cut")
    b.add("s1", steps(4, 120, first=-9000, count=150, lowest=-70), "p1")
    b.add("s2", steps(4, 250, first=-9000, count=60), "p1")
    b.add("a1", IntAdd(np.array([[2] * 4, [1] * 4]), np.zeros(4, np.int64)), "s1", "s2")
    rounded("s3", b, "a1", 3)
    b.add("w1", window((2, 2), channels=4), "s3")
    b.add("top", IntReduce("max", 4), "w1")
    b.add("s4", steps(4, 3, first=-60, count=40, lowest=-20), "top")
    b.add("w2", window((1, 2), channels=4), "top")
    b.add("apart", IntDepthwise(rng.integers(-99, 100, (8, 2)), np.zeros(8, np.int64)), "w2")
    b.add("s5", steps(8, 150, first=-9000, count=120, lowest=-20), "apart")
    b.add("p2", IntMatMul(rng.integers(-99, 100, (4, 8)), np.zeros(4, np.int64)), "s5")
    b.add("s6", steps(4, 99, first=-9000, count=120, lowest=-20), "p2")
    b.add("narrow", IntCrop((0, 0, 0), (2, 1, 4), (1, 1, 1)), "s4")
    b.add("a2", IntAdd(np.ones((2, 4), np.int64), np.zeros(4, np.int64)), "narrow", "s6")
    return b.graph


def pairs() -> Graph:
    """A sum whose steps are a line of other factors only."""
    b = Branches((2, 3, 4))
    b.add("p1", IntMatMul(np.eye(4, dtype=np.int64)[::-1] * 3, np.zeros(4, np.int64)), "x")
    b.add("s1", steps(4, 2, first=-200, count=200, lowest=-90), "p1")
    kinds = b.kinds["x"], b.kinds["s1"]
    add, step = rounded_sum(kinds, (1_000_003, 2_643_121), 2_400_001)
    b.add("a1", add, "x", "s1")
    b.add("s2", step, "a1")
    return b.graph


NETWORKS = networks() | {
    "shortcuts": shortcuts(),
    "sums, cuts and largest numbers that are used twice": used_twice(),
    "a sum whose factors have no line": pairs(),
}


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


# The later ones have branches and 7 or 8 layers; 26 multiplies each channel by a factor of its own,
# 35 pads in front of a mean.
@pytest.mark.parametrize("seed", [26, 35, 9, 54, 56, 82, 149, 209, 219, 220])
def test_a_random_network_as_a_sequence(seed):
    rng = np.random.default_rng(seed)
    graph = analyse(random_network(rng)).graph
    assert graph is not None
    ((name, entry),) = graph.inputs.items()
    x = rng.integers(entry.dtype.lo, entry.dtype.hi + 1, (20, *entry.shape))
    (found,) = interpret_dataflow(lower_to_sequence(graph), {name: x}).values()
    (wanted,) = interpret_integer(graph, {name: x}).values()
    assert (found == wanted).all()


@pytest.mark.parametrize("name", ["digits_cnn", "digits_dscnn", "digits_mlp", "digits_resnet"])
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
UNEVEN = IntStep(np.array([[1, 2, 50]] * 4), np.array([[0, 1, 2, 3]] * 4))


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        (
            [IntCrop((0, 0, 1), (3, 2, 4), (1, 2, 1))],
            "n0: a sequence takes whole channels, not those from 1 to 4 of 4; build it with one",
        ),
        ([Halve(np.zeros(4, int))], "n0: Halve has no place here in a sequence, which knows"),
        ([IntRepeat((2, 2))], "n0: IntRepeat has no place here in a sequence, which knows"),
        (
            [SUMS, to_odd(2, -128, 127)],
            "n1: the steps of some channel are not on a line in integers, as a sequence needs",
        ),
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
            [SUMS, window((1, 1), channels=2)],
            "n1: IntWindow has no place here in a sequence, which knows convolutions,",
        ),
        (
            [window((2, 1), channels=4), IntCrop((0,) * 3, (2, 1, 8), (1,) * 3)],
            "n1: IntCrop has no place behind the windows of n0 in a sequence; build it with one",
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


def test_what_is_added_must_have_been_quantised():
    b = Branches((2, 2, 2))
    b.add("p1", IntMatMul(np.full((2, 2), 9), np.zeros(2, np.int64)), "x")
    b.add("a1", IntAdd(np.ones((2, 2), np.int64), np.zeros(2, np.int64)), "x", "p1")
    message = (
        r"^a1: a sequence keeps numbers of 8 bits between its layers, not -2304\.\.2286 of p1; "
    )
    with pytest.raises(ModelError, match=message):
        lower_to_sequence(b.graph)


def test_what_is_added_must_have_one_shape_in_the_memory():
    b = Branches((2, 1, 2))
    b.add("flat", IntReshape((4,)), "x")
    b.add("p1", IntMatMul(np.full((4, 4), 9), np.zeros(4, np.int64)), "flat")
    rounded("s1", b, "p1", 30)
    b.add("a1", IntAdd(np.ones((2, 4), np.int64), np.zeros(4, np.int64)), "flat", "s1")
    message = (
        r"^a1: tensors are added place by place in a sequence, not \(2, 1, 2\) and \(1, 1, 4\);"
    )
    with pytest.raises(ModelError, match=message):
        lower_to_sequence(b.graph)
