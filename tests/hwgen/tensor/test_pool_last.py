from dataclasses import replace

import numpy as np
import pytest

from hwgen.graph.ir import Graph
from hwgen.graph.verify import verify
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.moves import Pad
from hwgen.tensor.pool_last import quantise_before_pooling
from hwgen.tensor.pooling import MaxPool
from hwgen.tensor.quantisers import MultiThreshold
from hwgen.tensor.referee import evaluate
from tests.hwgen.analysed import quarters
from tests.hwgen.analysis.test_windows import image
from tests.hwgen.chains import Chain, quant

HALVES = MaxPool((2, 2), (2, 2), (1, 1), ((0, 0), (0, 0)))
PADDED = MaxPool((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
WEIGHTS = np.array([[1.0, -2.0], [3.0, 1.0]]).reshape(2, 2, 1, 1)
PER_CHANNEL = np.array([0.75, 2.0]).reshape(1, 2, 1, 1)


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph if not isinstance(node.op, Constant)]


def moved(graph: Graph) -> list[str]:
    """Names in their new order; the function is the same, and a second time nothing moves."""
    after = quantise_before_pooling(graph)
    verify(after)
    assert names(quantise_before_pooling(after)) == names(after)
    shape = graph.inputs["x"].shape[1:]
    x = quarters(np.random.default_rng(0), shape)
    assert np.array_equal(evaluate(after, {"x": x})["y"], evaluate(graph, {"x": x})["y"])
    return names(after)


def sums() -> Chain:
    return image(2, 4, 4).conv(WEIGHTS, name="conv")


@pytest.mark.parametrize("pool", [HALVES, PADDED])
def test_a_pool_of_sums_moves_behind_its_quantiser(pool):
    chain = sums().then(pool, name="pool").then(Unary("relu"), name="relu")
    chain.binary("mul", PER_CHANNEL, name="mul").binary("sub", [[[0.5]], [[-0.25]]], name="sub")
    chain.then(quant(PER_CHANNEL, -4, 3), name="q").conv(WEIGHTS, name="last")
    assert moved(chain.graph)[-6:] == ["relu", "mul", "sub", "q", "pool", "last"]


def test_pools_in_a_row_move_together():
    chain = (
        sums().then(PADDED, name="one").then(HALVES, name="two").then(quant(2.0, 0, 7), name="q")
    )
    assert moved(chain.graph)[-3:] == ["q", "one", "two"]


def test_a_batch_norm_behind_a_pool_is_seen_through():
    chain = sums().then(HALVES, name="pool").binary("sub", PER_CHANNEL, name="centred")
    variance = chain.constant(np.array([0.25, 4.0]).reshape(1, 2, 1, 1))
    spread = chain.node(Unary("sqrt"), variance, name="spread")
    chain.value = chain.node(Binary("div"), chain.value, spread, name="normed")
    chain.then(quant(0.5, -8, 7), name="q")
    assert moved(chain.graph)[-4:] == ["centred", "normed", "q", "pool"]


def test_thresholds_are_a_quantiser_too():
    steps = MultiThreshold(np.array([[-1.0, 2.0], [0.0, 0.5]]), 2.0, -1.0, 1)
    assert moved(sums().then(HALVES, name="pool").then(steps, name="q").graph)[-2:] == ["q", "pool"]


def test_a_pool_of_a_function_that_rises_and_falls_moves_even_from_integers():
    chain = image(2, 4, 4)
    gate = chain.node(Unary("sigmoid"), chain.value, name="gate")
    chain.value = chain.node(Binary("mul"), chain.value, gate, name="swish")
    chain.then(HALVES, name="pool").then(quant(0.25, -8, 7), name="q")
    assert moved(chain.graph)[-2:] == ["q", "pool"]


def test_a_pool_of_the_input_moves():
    chain = Chain((2, 4, 4)).then(HALVES, name="pool").then(quant(0.5, -4, 3), name="q")
    assert moved(chain.graph) == ["q", "pool"]


def test_padding_of_the_input_is_quantised_with_it():
    around = Pad(((0, 0), (0, 0), (1, 0), (2, 1)), 0.3)
    chain = Chain((2, 4, 4)).then(around, name="pad")
    chain.then(quant(0.5, 0, 7, zero_point=3.0), name="q").conv(WEIGHTS, name="conv")
    assert moved(chain.graph) == ["q", "pad", "conv"]
    assert quantise_before_pooling(chain.graph).by_name["pad"].op.value == 0.5


STAYS = {
    "its input is quantised": lambda: image(2, 4, 4).then(HALVES).then(quant(1.0, -2, 1)),
    "it may take all positions": lambda: (
        sums().then(MaxPool((4, 4), (1, 1), (1, 1), ((0, 0), (0, 0)))).then(quant(1.0, -2, 1))
    ),
    "no quantiser follows": lambda: sums().then(HALVES).then(Unary("relu")),
    "the quantiser has no bounds": lambda: sums().then(HALVES).then(quant(1.0, None, None)),
    "the quantiser falls": lambda: sums().then(HALVES).then(quant(-1.0, -2, 1)),
    "a channel falls": lambda: (
        sums().then(HALVES).binary("mul", [[[0.5]], [[-1.0]]]).then(quant(1.0, -2, 1))
    ),
    "a difference falls": lambda: (
        sums().then(HALVES).binary("sub", 1.0, swapped=True).then(quant(1.0, -2, 1))
    ),
    "a function falls": lambda: sums().then(HALVES).then(Unary("neg")).then(quant(1.0, 0, 7)),
    "a function is partial": lambda: (
        sums().then(PADDED).binary("max", 0.0).then(Unary("sqrt")).then(quant(1.0, 0, 7))
    ),
    "positions differ": lambda: (
        sums().then(HALVES).binary("add", np.arange(4.0).reshape(2, 2)).then(quant(1.0, -8, 7))
    ),
    "thresholds along positions": lambda: (
        sums().then(HALVES).then(MultiThreshold(np.array([[0.0], [1.0]]), 1.0, 0.0, 2))
    ),
}


@pytest.mark.parametrize("make", STAYS.values(), ids=STAYS.keys())
def test_a_pool_stays_where(make):
    graph = make().graph
    assert moved(graph) == names(graph)


def test_a_pool_with_two_users_stays():
    chain = sums().then(HALVES, name="pool")
    pooled = chain.value
    other = chain.then(quant(1.0, -2, 1), name="q").value
    chain.value = chain.node(Binary("add"), pooled, other, name="add")
    assert moved(chain.graph) == names(chain.graph)


def test_a_pool_that_is_an_output_stays():
    chain = sums().then(HALVES, name="pool")
    pooled = chain.value
    graph = chain.then(quant(1.0, -2, 1), name="q").graph
    graph = replace(graph, outputs={**graph.outputs, "pooled": pooled})
    assert names(quantise_before_pooling(graph)) == names(graph)
