import numpy as np
import pytest

from hwgen.graph.interpret import interpret_integer
from hwgen.host.edges import apply
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, quarters
from tests.hwgen.chains import Chain, bipolar, quant


def test_bipolar_products_count_equal_bits():
    chain = Chain((4,)).then(bipolar(1.0))
    chain.matmul(chain.constant([[1.0], [-1.0], [1.0], [-1.0]]), name="fc")
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (4,)))
    fc = op(analysis, "fc")
    assert (fc.weights.tolist(), fc.offset.tolist()) == ([[1, -1, 1, -1]], [2])
    x = np.array([[1.0, -1.0, 1.0, -1.0]])
    assert interpret_integer(analysis.graph, {"x": apply(analysis.input_edges["x"], x)})[
        "y"
    ].tolist() == [[4]]


def test_zero_points_of_weights_are_folded_into_them():
    chain = Chain((2,)).then(quant(1.0, 0, 255, zero_point=128, round_first=True))
    stored = chain.constant([[100.0], [-127.0]])
    weights = chain.node(quant(1.0, 0, 255, zero_point=127, round_first=True), stored)
    chain.matmul(weights, name="fc")
    analysis = assert_equals_the_referee(
        chain.graph, np.array([[3.0, -128.0], [127.0, 127.0], [0.0, 0.0]])
    )
    assert op(analysis, "fc").weights.tolist() == [[100, -127]]


def test_scales_per_channel_fold_into_the_weights():
    chain = Chain((3,)).then(quant([[0.5, 1.0, 1.5]], -4, 3))
    chain.matmul(chain.constant([[1.0], [1.0], [-1.0]]), name="fc")
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (3,)))
    assert op(analysis, "fc").weights.tolist() == [[1, 2, -3]]


def test_unrelated_scales_per_channel_are_refused():
    scale = np.array([[0.1, 0.2, 0.3]], np.float32)
    chain = Chain((3,)).then(quant(scale, -4, 3))
    chain.matmul(chain.constant(np.ones((3, 1))), name="fc")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "fc: the scales of its input channels must be multiples of a common one by integers of at "
        "most 16 bits, weights included, not 3 scales between 0.1 and 0.3; put a quantiser in "
        "front of it, with one scale for all channels"
    )


def test_weights_without_a_quantiser_are_refused():
    chain = Chain((3,)).then(quant(1.0, 0, 3))
    raw = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    chain.matmul(chain.constant(raw), name="fc")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "fc: weights must lie on an integer grid of at most 16 bits, not weights without a "
        "quantiser (row 0 has 3 different values); quantise the weights and export their "
        "quantiser with them"
    )


def test_products_per_position():
    rng = np.random.default_rng(6)
    chain = Chain((3, 4)).then(quant(0.5, -4, 3))
    chain.matmul(chain.constant(rng.integers(-3, 4, (4, 5)).astype(float)), name="fc")
    chain.binary("add", rng.normal(size=5).astype(np.float32)).then(quant(0.5, -4, 3))
    chain.matmul(chain.constant(rng.integers(-3, 4, (5, 2)).astype(float)))
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (3, 4)))
    assert analysis.graph is not None
    assert analysis.graph.inputs["x"].shape == (3, 4)


def flattened(perm: tuple[int, ...], shape: tuple[int, ...], cols: int) -> Chain:
    """A product per position, then one over elements of several positions."""
    rng = np.random.default_rng(3)
    chain = Chain((3, 4)).then(quant(0.5, -4, 3)).matmul_of(rng.integers(-3, 4, (4, 2)))
    chain.then(quant(1.0, 0, 3)).then(Transpose(perm)).then(Reshape(shape))
    return chain.matmul_of(rng.integers(-3, 4, (cols, 2)), name="flat")


@pytest.mark.parametrize("perm", [(0, 1, 2), (0, 2, 1)])
def test_a_product_over_all_positions_has_its_weights_permuted(perm):
    chain = flattened(perm, (1, 6), 6)
    x = quarters(np.random.default_rng(0), (3, 4))
    analysis = assert_equals_the_referee(chain.graph, x)
    assert op(analysis, "flat_shape").shape == (6,)


def test_a_product_over_neighbouring_positions_takes_them_together():
    rng = np.random.default_rng(3)
    chain = Chain((4, 3)).then(quant(0.5, -4, 3)).matmul_of(rng.integers(-3, 4, (3, 2)))
    chain.then(quant(1.0, 0, 3)).then(Reshape((1, 2, 4))).matmul_of(rng.integers(-3, 4, (4, 2)))
    assert_equals_the_referee(chain.graph, quarters(rng, (4, 3)))


def test_a_product_over_elements_that_lie_apart_is_refused():
    (problem,) = analyse(flattened((0, 2, 1), (1, 2, 3), 3).graph).problems
    assert str(problem) == (
        "flat: each product must sum whole neighbouring positions of its input, of 2 channels "
        "each, in the same order, not 3 elements that lie apart in a (3, 2) stream; sum over the "
        "channels, or flatten everything"
    )


def test_weights_of_plus_minus_one_alone_do_not_make_a_popcount():
    chain = Chain((2,)).then(quant(1.0, 0, 2)).matmul_of([[1.0], [-1.0]], name="fc")
    analysis = assert_equals_the_referee(chain.graph, np.array([[0.0, 2.0], [2.0, 1.0]]))
    assert op(analysis, "fc").offset.tolist() == [0]


def test_weights_on_the_left():
    rng = np.random.default_rng(9)
    chain = Chain((2, 3)).then(quant(0.5, -4, 3))
    chain.matmul(chain.constant(rng.integers(-3, 4, (4, 2)).astype(float)), left=True)
    chain.binary("mul", rng.normal(size=(4, 1)).astype(np.float32)).then(quant(0.5, -4, 3))
    chain.matmul(chain.constant(rng.integers(-3, 4, (2, 4)).astype(float)), left=True)
    assert_equals_the_referee(chain.graph, quarters(rng, (2, 3)))


def test_a_weight_vector_leaves_no_axis():
    chain = Chain((3,)).then(quant(0.5, -4, 3)).matmul_of([1.0, -2.0, 3.0])
    chain.then(Reshape((1, 1)))
    assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(0), (3,)))
