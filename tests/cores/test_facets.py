import numpy as np
import pytest

from cores import facets
from cores.argmax import ArgMax
from cores.choices import AdderGraph
from cores.cost import Count
from cores.engine.sequence import LayerSequence
from cores.facets import cost_of, macs_of
from cores.fifo import Buffer
from cores.library import OPS
from cores.mvau import MatVec
from cores.swg import SlidingWindow
from cores.types import IntType, StreamType
from cores.vvau import DepthwiseVec
from platforms.devices import device
from tests.cores.plain import Negate

UP5K = device("up5k")
PLAIN = Negate(StreamType((4,), IntType(0, 3)))
EXAMPLES = {cls: cls.examples(np.random.default_rng(2024))[0] for cls in OPS}


@pytest.mark.parametrize(
    ("facet", "wanted"),
    [
        (facets.Costed, {*EXAMPLES}),
        (facets.RoughlyCosted, {MatVec}),
        (facets.Sparse, {MatVec}),
        (facets.Weighted, {MatVec, DepthwiseVec}),
        (facets.Multiplying, {MatVec, DepthwiseVec, LayerSequence}),
        (facets.Sharing, {LayerSequence}),
        (facets.Loading, {LayerSequence}),
        (facets.Following, {SlidingWindow}),
        (facets.Buffering, {Buffer}),
    ],
)
def test_only_ops_that_can_tell_have_a_facet(facet, wanted):
    assert {cls for cls, op in EXAMPLES.items() if isinstance(op, facet)} == wanted
    assert not isinstance(PLAIN, facet)


def test_an_op_without_a_price_counts_as_nothing():
    assert cost_of(PLAIN, UP5K) == Count()
    op = EXAMPLES[ArgMax]
    assert cost_of(op, UP5K) == op.cost(UP5K) != Count()


def test_an_op_that_does_not_multiply_has_no_macs():
    assert macs_of(PLAIN) == 0
    assert macs_of(MatVec(np.ones((2, 3), int), IntType(0, 1), positions=(5,))) == 30


def test_a_buffer_of_another_capacity_is_in_the_memory_that_suits():
    op = Buffer(PLAIN.type, 2).holding(2000, UP5K)
    assert op.key == Buffer.cheapest(PLAIN.type, 2000, UP5K).key


def test_a_schedule_asks_for_no_graph():
    op = MatVec(np.ones((2, 3), int), IntType(0, 1), pe=2, simd=3, arithmetic=AdderGraph())
    assert op.cycles == 1
    assert "dot" not in vars(op)
    assert op.depth > 0
    assert "dot" in vars(op)
