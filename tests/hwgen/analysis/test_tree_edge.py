import numpy as np
import pytest

from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.tree_edge import host_edge
from hwgen.host.edges import apply
from hwgen.integer.op import IntTensor
from hwgen.numerics.exact import Real
from hwgen.numerics.tail import Apply, Const, Expr, Quantise, StepCount, Var, evaluate, reals

N = Var()
EACH = Const(reals([1.0, -2.0, 0.5]))
GATE = Quantise(Apply("sigmoid", (N,)), reals([0.25, 0.125, 0.0625]), Real.of(1), 0, 15)
RANGE = IntTensor((2, 3), np.array([-5, -5, -5]), np.array([5, 5, 5]))


@pytest.mark.parametrize(
    "tree",
    [
        Apply("max", (Apply("mul", (N, EACH)), Apply("add", (N, Const(Real.of(2)))))),
        Apply("mul", (N, GATE)),
        Apply("add", (Apply("mul", (GATE, GATE)), N)),
        StepCount(Apply("mul", (N, EACH)), reals([[-1.0, 2.0]]), Real.of(0.5), Real.of(-3)),
    ],
    ids=["plain", "gate", "square", "count"],
)
def test_the_host_computes_the_same(tree: Expr):
    layout = StreamLayout(np.array([[5, 3, 4], [2, 0, 1]]).reshape(1, 2, 3), (2, 3))
    x = np.array([[[1, -5, 2], [-3, 4, 0]], [[5, 3, -2], [0, -1, 5]]])
    y = apply(host_edge(tree, layout, RANGE).steps(), x)
    for frame, got in zip(x, y, strict=True):
        flat = [float(evaluate(tree, int(n), k % 3)) for k, n in enumerate(frame.reshape(-1))]
        assert got.tolist() == [[[flat[5], flat[3], flat[4]], [flat[2], flat[0], flat[1]]]]


def test_what_occurs_twice_is_computed_once():
    layout = StreamLayout(np.arange(6).reshape(1, 2, 3), (2, 3))
    steps = host_edge(Apply("mul", (GATE, GATE)), layout, RANGE).steps()
    assert [step["op"] for step in steps].count("step") == 1
