import numpy as np
import pytest

from cores.mvau import MatVec
from cores.thresholding import MultiThreshold
from hwgen.analysis.ranges import analyse
from hwgen.integer import IntMatMul, IntTensor, Step
from hwgen.ir import Graph, Node, Value
from hwgen.passes.lower import lower
from hwgen.passes.run import run_passes
from hwgen.text import content_hash, write
from tests.hwgen.chains import random_model


def small(starts) -> Graph:
    kind = IntTensor((2, 3), np.zeros(3, int), np.array([1, 3, 3]))
    product = IntMatMul(np.array([[1, -1, 0], [1, 0, 1]]), np.array([0, 2]))
    step = Step(np.array(starts), np.array([[0, 5], [0, 5]]))
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
