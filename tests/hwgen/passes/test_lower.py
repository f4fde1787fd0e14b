import numpy as np
import pytest

from cores.mvau import MatVec
from cores.swg import SlidingWindow
from cores.thresholding import MultiThreshold
from cores.types import IntType
from hwgen.errors import CheckError, ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.graph.text import content_hash, write
from hwgen.integer.joins import IntAdd, IntConcat
from hwgen.integer.moves import IntCrop, IntDilate, IntRepeat, IntReshape
from hwgen.integer.op import IntTensor
from hwgen.integer.products import IntDepthwise, IntMatMul, IntWeigh
from hwgen.integer.steps import IntStep
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow
from hwgen.passes.lower import lower
from hwgen.passes.run import run_passes
from hwgen.tensor.walk import analyse
from tests.hwgen.chains import random_model
from tests.hwgen.integer.foreign import Halve


def small(starts) -> Graph:
    kind = IntTensor((2, 3), np.zeros(3, int), np.array([1, 3, 3]))
    product = IntMatMul(np.array([[1, -1, 0], [1, 0, 1]]), np.array([0, 2]))
    step = IntStep(np.array(starts), np.array([[0, 5], [0, 5]]))
    nodes = (
        Node("fc", product, (Value("x", ""),)),
        Node("act", step, (Value("fc"),)),
    )
    return Graph({"x": kind}, nodes, {"y": Value("act")})


def test_the_text_after():
    weights, offset = np.array([[1, -1, 0], [1, 0, 1]]), np.array([0, 2])
    starts, values = np.array([[1]]), np.array([[0, 5]])
    w, b, s, v = (content_hash(array) for array in (weights, offset, starts, values))
    text, _ = write(lower(small([[1], [1]])))
    # The range of x is the union 0..3 of its channels, and the product's follows from that.
    assert text.splitlines() == [
        'graph "graph"',
        'input "x" = StreamType((2, 3), u2, 1, 1, "dense")',
        f'"fc" = MatVec("x", @{w}, u2, offset=@{b}, positions=(2,))',
        f'"act" = MultiThreshold("fc", (2, 2), -3..8, @{s}, @{v})',
        'output "y" = "act"',
    ]


def test_thresholds_that_differ_keep_a_row_each():
    act = lower(small([[1], [2]])).by_name["act"].op
    assert isinstance(act, MultiThreshold)
    assert act.starts.tolist() == [[1], [2]]


@pytest.mark.parametrize("seed", range(25))
def test_random_models_compute_the_same(seed):
    analysis = analyse(random_model(np.random.default_rng(seed)))
    if analysis.graph is not None:
        lowered = run_passes(analysis.graph, [lower], check="numerics", seed=seed)
        assert any(isinstance(node.op, MatVec) for node in lowered)


SHAPE = (5, 4, 2)
KIND = IntTensor(SHAPE, np.array([-3, 0]), np.array([4, 2]))
EACH = np.array([7, -1])
PLAIN = {"strides": (1, 1), "dilations": (1, 1), "pads": ((0, 0), (0, 0))}


def window(kernel=(2, 3), **fields) -> IntWindow:
    return IntWindow(kernel, **(PLAIN | fields), fill=EACH)


def lowered(*ops) -> Graph:
    """A chain of ops; the function of the graph is checked against the integer graph."""
    nodes, value = [], Value("x", "")
    for k, op in enumerate(ops):
        nodes.append(Node(f"n{k}", op, (value,)))
        value = nodes[-1].out
    graph = Graph({"x": KIND}, tuple(nodes), {"y": value})
    return run_passes(graph, [lower], check="numerics", seed=1)


def kinds(graph: Graph) -> list[str]:
    return [type(node.op).__name__ for node in graph]


@pytest.mark.parametrize(
    ("op", "name"),
    [
        (window(pads=((1, 0), (2, 1)), strides=(2, 1), dilations=(1, 2)), "SlidingWindow"),
        (IntTotal(), "Total"),
        (IntTotal("max"), "Total"),
        (IntWeigh(((3, 2, 1, 1, 1), (1, 2, 4, 4))), "Weigh"),
        (IntCrop((1, 0, 1), (5, 4, 2), (2, 1, 1)), "Crop"),
        (IntRepeat((2, 3)), "Repeat"),
        (IntDilate((2, 3), EACH), "Dilate"),
    ],
)
def test_each_op_has_its_operator(op, name):
    assert kinds(lowered(op)) == [name]


def test_windows_come_in_the_order_of_their_user():
    product = IntDepthwise(np.arange(24).reshape(4, 6), np.arange(4))
    for user, order in (
        (IntReduce("max", 6), "depthwise"),
        (IntReduce("sum", 6), "depthwise"),
        (product, "depthwise"),
        (IntMatMul(np.arange(24).reshape(2, 12), np.zeros(2, int)), "dense"),
    ):
        op = lowered(window(), user).by_name["n0"].op
        assert isinstance(op, SlidingWindow)
        assert op.order == order


def test_reshapes_vanish():
    flat = IntMatMul(np.arange(80).reshape(2, 40), np.zeros(2, int))
    assert kinds(lowered(IntReshape((40,)), flat)) == ["MatVec"]
    rows = IntMatMul(np.arange(16).reshape(2, 8), np.zeros(2, int))
    assert kinds(lowered(IntReshape((5, 8)), rows)) == ["MatVec"]


def test_windows_are_those_of_the_reshaped_tensor():
    largest = lowered(IntReshape((4, 5, 2)), window(), IntReduce("max", 6))
    assert largest.by_name["n1"].op.outputs["o"].shape == (3, 3, 12)


def test_an_op_from_elsewhere_is_asked_for_its_operator():
    assert kinds(lowered(Halve(np.array([0, 1])))) == ["MultiThreshold"]


def test_what_is_no_integer_op_is_named():
    op = MatVec(np.array([[1, 2]]), IntType(0, 3))
    graph = Graph({"x": KIND}, (Node("n", op, (Value("x", ""),)),), {"y": Value("n")})
    with pytest.raises(CheckError, match=r"^n: op must be an IntegerOp, not MatVec$"):
        lower(graph)


@pytest.mark.parametrize(
    ("op", "names"),
    [
        (IntAdd(np.array([[2, 2], [-3, -3]]), EACH), ["Total", "Total", "Add"]),
        (
            IntAdd(np.array([[2, 3], [1, 1]]), EACH),
            ["Total", "Total", "DepthwiseVec", "DepthwiseVec", "Add"],
        ),
        (IntConcat(), ["Total", "Total", "Concat"]),
    ],
)
def test_joins_take_several_streams(op, names):
    x = Value("x", "")
    nodes = (
        Node("a", IntTotal(), (x,)),
        Node("b", IntTotal("max"), (x,)),
        Node("join", op, (Value("a"), Value("b"))),
    )
    graph = Graph({"x": KIND}, nodes, {"y": Value("join")})
    assert kinds(run_passes(graph, [lower], check="numerics", seed=2)) == names


def test_what_an_operator_does_not_take_names_the_node():
    outside = window(kernel=(1, 1), pads=((5, 0), (0, 0)), strides=(20, 1))
    with pytest.raises(
        ModelError,
        match=r"^n0: windows of SlidingWindow must touch the input \(5, 4\); with pads "
        r"\(\(5, 0\), \(0, 0\)\) none does$",
    ):
        lowered(outside)
