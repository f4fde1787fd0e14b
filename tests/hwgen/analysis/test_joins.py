import numpy as np
import pytest

from hwgen.graph.ir import Value
from hwgen.integer.joins import IntAdd, IntConcat
from hwgen.integer.moves import IntReshape
from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntStep
from hwgen.integer.windows import IntWindow
from hwgen.tensor.elementwise import Binary, Unary
from hwgen.tensor.moves import Concat, Reshape, Transpose
from hwgen.tensor.pooling import Mean
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, ops, quarters
from tests.hwgen.analysis.test_windows import image, weights
from tests.hwgen.chains import Chain, quant

X = quarters(np.random.default_rng(0), (2, 4, 4))
EIGHT_BITS = np.random.default_rng(1).integers(-130, 130, (40, 2, 4, 4)) / 256


def branches(scale_a, scale_b, *, zero_points=(0.0, 0.0), bits: int = 8) -> tuple[Chain, Value]:
    """Two quantised convolutions of one input; the chain goes on from the second."""
    rng = np.random.default_rng(2)
    top = 1 << bits - 1
    chain = Chain((2, 4, 4)).then(quant(1 / 256, -128, 127))
    start = chain.value
    values = []
    for scale, zero_point in zip((scale_a, scale_b), zero_points, strict=True):
        chain.at(start).conv(rng.integers(-60, 61, (2, 2, 1, 1)) / 64)
        chain.then(quant(scale, -top, top - 1, zero_point=zero_point, round_first=True))
        values.append(chain.value)
    return chain, values[0]


def joined(chain: Chain, other: Value, op_, name: str = "join") -> Chain:
    return chain.at(chain.node(op_, other, chain.value, name=name))


ADD = Binary("add")


@pytest.mark.parametrize("fn", ["add", "sub"])
def test_equal_scales_are_added_at_once(fn):
    chain, other = branches(1 / 128, 1 / 128)
    analysis = assert_equals_the_referee(joined(chain, other, Binary(fn)).graph, EIGHT_BITS)
    assert op(analysis, "join").factors.tolist() == [[1, 1], [1, 1] if fn == "add" else [-1, -1]]


def test_related_scales_are_added_with_their_ratio():
    chain, other = branches(3 / 512, 1 / 128, zero_points=(5.0, -3.0))
    analysis = assert_equals_the_referee(joined(chain, other, ADD).graph, EIGHT_BITS)
    assert op(analysis, "join_sum").factors.tolist() == [[3, 3], [4, 4]]


def test_zero_points_ride_along():
    chain, other = branches(1 / 128, 1 / 128, zero_points=(7.0, -100.0))
    assert_equals_the_referee(joined(chain, other, ADD).graph, EIGHT_BITS)


@pytest.mark.parametrize("seed", range(8))
def test_unrelated_scales_are_reconciled_by_the_quantiser_behind(seed):
    rng = np.random.default_rng(seed)
    scales = [float(np.float32(s)) for s in rng.uniform(0.004, 0.012, 3)]
    chain, other = branches(*scales[:2], zero_points=(3.0, -20.0))
    joined(chain, other, Binary(str(rng.choice(["add", "sub"]))))
    if rng.random() < 0.5:
        chain.then(Unary("relu"))
    zero_point = float(rng.integers(-5, 6))
    chain.then(quant(scales[2], -128, 127, zero_point=zero_point, round_first=True), name="q")
    chain.conv(weights(rng, 1, 2, 1, 1))
    analysis = assert_equals_the_referee(chain.graph, EIGHT_BITS)
    factors = op(analysis, "join_sum").factors
    assert np.abs(factors).max() < 1 << 12
    assert analysis.fates["join"] == f"Add times {factors[0, 0]} and {factors[1, 0]}"
    assert ops(analysis) == [IntMatMul, IntMatMul, IntStep, IntStep, IntAdd, IntStep, IntMatMul]


def test_an_accumulator_joins_a_quantised_branch():
    rng = np.random.default_rng(3)
    chain = image(2, 4, 4)
    skip = chain.value
    chain.conv(weights(rng, 2, 2, 3, 3), pads=((1, 1), (1, 1)))
    chain.binary("mul", float(np.float32(0.1234)))
    joined(chain, skip, ADD).then(Unary("relu")).then(quant(0.25, 0, 15), name="q")
    chain.conv(weights(rng, 1, 2, 1, 1))
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntWindow, IntMatMul, IntAdd, IntStep, IntMatMul]


def test_an_unrelated_sum_that_leaves_the_chip_is_refused():
    chain, other = branches(float(np.float32(0.0051)), float(np.float32(0.0077)))
    (problem,) = analyse(joined(chain, other, ADD).graph).problems
    assert str(problem) == (
        "join: the scales of the sum join must be multiples of a common one by integers of at "
        "most 16 bits where no quantiser follows it, not by integers up to 16535624; put a "
        "quantiser behind join, or give its inputs the same scale"
    )


def test_an_unrelated_sum_in_front_of_a_convolution_is_refused():
    chain, other = branches(float(np.float32(0.0051)), float(np.float32(0.0077)))
    joined(chain, other, ADD).conv(np.ones((1, 2, 1, 1)), name="conv")
    (problem,) = analyse(chain.graph).problems
    assert problem.node == "conv"
    assert problem.fix == "put a quantiser behind join, or give its inputs the same scale"


def test_scales_with_an_irrational_ratio_are_refused():
    chain, other = branches(1 / 128, 1 / 128)
    root = chain.node(Unary("sqrt"), chain.constant(2.0))
    chain.at(chain.node(Binary("mul"), chain.value, root))
    joined(chain, other, ADD).then(quant(1 / 64, -128, 127))
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "join: the scales of its inputs must be multiples of a common one by integers, not "
        "0.0078125 of Quant_3 and 0.0110485 of Quant_6; put a quantiser on each branch"
    )


def test_streams_of_different_shapes_are_not_added():
    chain = image(2, 4, 4)
    skip = chain.value
    chain.then(Mean((2, 3), True)).then(quant(0.5, -4, 3))
    (problem,) = analyse(joined(chain, skip, ADD).graph).problems
    assert str(problem) == (
        "join: both streams must have one shape, not (1, 2, 4, 4) and (1, 2, 1, 1); repeat the "
        "smaller one in the model"
    )


def test_streams_in_different_orders_are_not_added():
    chain, other = branches(1 / 128, 1 / 128)
    chain.then(Transpose((0, 1, 3, 2)))
    (problem,) = analyse(joined(chain, other, ADD).graph).problems
    assert str(problem) == (
        "join: both streams must come in the same order, not (4, 4, 2) of Quant_3 and (4, 4, 2) "
        "of Quant_6 with elements at other places; remove the Reshape or Transpose in front of "
        "one of them"
    )


def test_a_flat_branch_is_seen_as_an_image_again():
    rng = np.random.default_rng(4)
    chain = Chain((1, 1, 6)).then(quant(0.5, -4, 3))
    start = chain.value
    chain.conv(weights(rng, 6, 1, 1, 6)).then(quant(0.5, -4, 3))  # (1, 6, 1, 1)
    image_ = chain.value
    chain.at(start).then(Reshape((1, 6))).matmul_of(weights(rng, 6, 6))
    chain.then(quant(0.5, -4, 3)).then(Reshape((1, 6, 1, 1)))
    analysis = assert_equals_the_referee(joined(chain, image_, ADD).graph, quarters(rng, (1, 1, 6)))
    assert IntReshape in ops(analysis)


def test_a_shortcut_over_two_layers():
    rng = np.random.default_rng(5)
    chain = image(2, 4, 4)
    for _ in range(2):
        skip = chain.value
        for _ in range(2):
            chain.conv(weights(rng, 2, 2, 3, 3), pads=((1, 1), (1, 1)))
            chain.then(Unary("relu")).then(quant(float(np.float32(0.7)), -8, 7))
        joined(chain, skip, ADD, f"join{skip.node}").then(quant(float(np.float32(0.9)), -8, 7))
    assert_equals_the_referee(chain.graph, X)


def test_channels_behind_one_another_keep_their_scales():
    rng = np.random.default_rng(6)
    chain, other = branches(0.0078125, 0.01171875, zero_points=(3.0, -2.0), bits=4)
    joined(chain, other, Concat(1)).conv(weights(rng, 2, 4, 2, 2), name="conv")
    analysis = assert_equals_the_referee(chain.graph, EIGHT_BITS)
    assert ops(analysis).count(IntConcat) == 1
    assert analysis.fates["join"] == "Concat of 4 channels"


def test_channels_last_streams_are_joined_along_their_last_axis():
    chain, other = branches(1 / 128, 1 / 128, bits=4)
    last = Transpose((0, 2, 3, 1))
    other = chain.node(last, other)
    assert_equals_the_referee(joined(chain.then(last), other, Concat(3)).graph, EIGHT_BITS)


def test_positions_behind_one_another_are_refused():
    chain, other = branches(1 / 128, 1 / 128)
    (problem,) = analyse(joined(chain, other, Concat(2)).graph).problems
    assert str(problem) == (
        "join: streams must be joined along their channels, not axis 2 of (1, 2, 4, 4) in a "
        "(4, 4, 2) stream; concatenate channels, or cut the model in front of this node"
    )


def test_streams_in_different_orders_are_not_concatenated():
    chain, other = branches(1 / 128, 1 / 128)
    chain.then(Transpose((0, 1, 3, 2)))
    (problem,) = analyse(joined(chain, other, Concat(1)).graph).problems
    assert str(problem) == (
        "join: streams must come in the same order of positions, not (4, 4, 2) and (4, 4, 2); "
        "remove the Reshape or Transpose in front of one of them"
    )


def test_a_function_used_by_two_branches_is_tabulated_once():
    rng = np.random.default_rng(7)
    chain = image(2, 4, 4).then(Unary("abs"), name="abs")
    half = chain.value
    chain.conv(weights(rng, 2, 2, 1, 1)).then(quant(0.5, -8, 7))
    first = chain.value
    chain.at(half).conv(weights(rng, 2, 2, 1, 1)).then(quant(0.5, -8, 7))
    analysis = assert_equals_the_referee(joined(chain, first, ADD).graph, X)
    assert ops(analysis).count(IntStep) == 3


def test_a_quantiser_with_two_users_is_where_both_begin():
    rng = np.random.default_rng(8)
    chain = image(2, 4, 4).conv(weights(rng, 2, 2, 1, 1)).then(quant(0.5, -8, 7), name="first")
    first = chain.value
    chain.then(quant(1.0, -2, 1), name="second").conv(weights(rng, 2, 2, 1, 1))
    analysis = assert_equals_the_referee(joined(chain, first, ADD).graph, X)
    assert analysis.graph is not None
    (source,) = analysis.graph.by_name["second"].inputs
    assert source.node == "first"


def test_scales_that_need_too_fine_a_common_one_are_refused():
    chain, other = branches(0.1, 0.3)  # float64 numbers of 53 bits
    joined(chain, other, ADD).then(quant(0.3, -128, 127))
    (problem,) = analyse(chain.graph).problems
    assert problem.rule == "the scales of its inputs must be multiples of a common one by integers"


def test_channels_of_different_ranges_share_the_steps_of_their_sum():
    rng = np.random.default_rng(9)
    chain = image(2, 4, 4)
    skip = chain.value
    chain.conv(np.array([[2, 1], [-1, 0]]).reshape(2, 2, 1, 1)).then(quant(0.5, -64, 63))
    chain.binary("mul", float(np.float32(0.3)))
    joined(chain, skip, ADD).then(quant(1.0, -16, 15), name="q").conv(weights(rng, 1, 2, 1, 1))
    step = op(assert_equals_the_referee(chain.graph, X), "q")
    assert (step.starts == step.starts[0]).all() and (step.values == step.values[0]).all()
