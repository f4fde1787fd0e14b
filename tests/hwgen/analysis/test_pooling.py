import numpy as np
import pytest

from hwgen.integer.moves import IntReshape
from hwgen.integer.products import IntDepthwise, IntMatMul, IntWeigh
from hwgen.integer.steps import IntStep
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow
from hwgen.tensor.elementwise import Unary
from hwgen.tensor.moves import Reshape
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, ops, quarters
from tests.hwgen.analysis.test_windows import image, weights
from tests.hwgen.chains import Chain, quant

ONES = (1, 1)
NO_PADS = ((0, 0), (0, 0))
HALVES = MaxPool((2, 2), (2, 2), ONES, NO_PADS)
BESIDE = MaxPool((2, 2), ONES, ONES, NO_PADS)
MEANS = AveragePool((2, 2), (2, 2), ONES, NO_PADS)
X = quarters(np.random.default_rng(0), (2, 4, 4))


def layer(rng: np.random.Generator, factor: list[float], *, inputs: int = 2) -> Chain:
    """A convolution and a factor per channel; nothing quantised behind it."""
    return (
        image(inputs, 4, 4)
        .conv(weights(rng, 3, inputs, 1, 1), name="conv")
        .binary("mul", np.asarray(factor, float).reshape(1, -1, 1, 1))
    )


def test_padding_of_a_max_pool_never_wins():
    chain = image(1, 3, 3).then(MaxPool((3, 3), ONES, ONES, ((1, 1), (1, 1))), name="pool")
    x = quarters(np.random.default_rng(1), (1, 3, 3)) - 1
    analysis = assert_equals_the_referee(chain.graph, x)
    assert op(analysis, "pool_window").fill.tolist() == [-4]
    assert ops(analysis) == [IntWindow, IntReduce]
    assert analysis.fates["pool"] == "SlidingWindow 3x3 + max"


@pytest.mark.parametrize("seed", range(12))
def test_max_pools_of_any_geometry(seed):
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 3))
    kernel = tuple(rng.integers(2, 4, axes).tolist())
    strides, dilations = (tuple(rng.integers(1, 3, axes).tolist()) for _ in range(2))
    pads = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel)
    space = (7,) * axes
    chain = Chain((2, *space)).then(quant(0.5, -4, 3))
    chain.then(MaxPool(kernel, strides, dilations, pads))
    assert_equals_the_referee(chain.graph, quarters(rng, (2, *space), 4))


def test_the_largest_of_all_positions_is_a_total():
    chain = image(2, 4, 4).then(MaxPool((4, 4), ONES, ONES, NO_PADS), name="pool")
    chain.conv(weights(np.random.default_rng(1), 3, 2, 1, 1))
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntTotal, IntReshape, IntMatMul]
    assert analysis.fates["pool"] == "Total of 16 (max)"


def test_a_max_pool_after_a_quantiser_works_on_its_integers():
    chain = layer(np.random.default_rng(2), [1, 1, 1]).then(quant(1.0, -4, 3)).then(HALVES)
    assert ops(assert_equals_the_referee(chain.graph, X)) == [
        IntMatMul,
        IntStep,
        IntWindow,
        IntReduce,
    ]


def test_a_max_pool_moves_behind_the_quantiser_that_follows():
    chain = layer(np.random.default_rng(2), [0.3, -1.5, 0.7])
    chain.then(Unary("relu")).then(HALVES).then(quant(0.75, 0, 15))
    chain.conv(weights(np.random.default_rng(3), 2, 3, 1, 1))
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntMatMul, IntStep, IntWindow, IntReduce, IntMatMul]


def test_a_max_pool_of_every_position_works_on_the_sums():
    chain = layer(np.random.default_rng(2), [0.3, 1.5, 0.7])
    chain.binary("add", 0.37).then(Unary("relu")).then(BESIDE).then(quant(0.75, 0, 15))
    chain.conv(weights(np.random.default_rng(3), 2, 3, 1, 1))
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntMatMul, IntWindow, IntReduce, IntStep, IntMatMul]


@pytest.mark.parametrize("fn", ["relu", "sigmoid", "tanh", "neg"])
def test_channels_with_a_negative_scale_change_the_sign_of_their_weights(fn):
    chain = layer(np.random.default_rng(4), [1.0, -1.5, -0.5])
    chain.then(Unary(fn)).then(BESIDE).then(quant(1 / 16, -8, 7))
    chain.conv(np.ones((1, 3, 1, 1)))
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntMatMul, IntWindow, IntReduce, IntStep, IntMatMul]


def test_a_clip_on_the_grid_keeps_its_place_behind_a_turned_sign():
    chain = layer(np.random.default_rng(4), [-1.0, -1.0, -1.0]).then(Unary("relu"))
    chain.then(BESIDE).then(quant(0.75, 0, 7)).conv(np.ones((1, 3, 1, 1)))
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntMatMul, IntWindow, IntReduce, IntStep, IntMatMul]


def test_a_negative_scale_of_the_input_itself_turns_it_first():
    chain = Chain((2, 4, 4)).then(quant(np.array([-0.5, 0.5]).reshape(1, 2, 1, 1), -4, 3))
    analysis = assert_equals_the_referee(chain.then(HALVES).graph, X)
    assert ops(analysis) == [IntDepthwise, IntWindow, IntReduce]


def test_a_function_between_quantiser_and_max_pool():
    chain = layer(np.random.default_rng(5), [1, 1, 1]).then(quant(0.5, -4, 3))
    chain.binary("mul", 0.375).binary("add", 0.5)
    chain.then(Unary("tanh")).then(HALVES).then(quant(1 / 8, -8, 7))
    analysis = assert_equals_the_referee(chain.conv(np.ones((1, 3, 1, 1))).graph, X)
    assert ops(analysis) == [IntMatMul, IntStep, IntWindow, IntReduce, IntStep, IntMatMul]


def test_what_no_quantiser_follows_is_left_to_the_host():
    chain = layer(np.random.default_rng(5), [1, 1, -1]).then(Unary("sigmoid")).then(HALVES)
    assert ops(assert_equals_the_referee(chain.graph, X)) == [IntMatMul, IntWindow, IntReduce]


def test_a_function_that_rises_and_falls_is_refused():
    chain = layer(np.random.default_rng(6), [1, 1, 1]).then(Unary("abs"), name="abs")
    (problem,) = analyse(chain.then(HALVES, name="pool").graph).problems
    assert str(problem) == (
        "pool: the function in front of it must not both rise and fall, not that of Binary_4, abs; "
        "put a quantiser in front of the MaxPool"
    )


@pytest.mark.parametrize("include_pad", [False, True])
def test_a_mean_is_a_sum_with_another_scale(include_pad):
    rng = np.random.default_rng(7)
    pads = ((1, 0), (0, 1)) if include_pad else NO_PADS
    op_ = AveragePool((2, 3), (1, 2), (2, 1), pads, include_pad)
    chain = image(2, 5, 5, zero_point=1.0).then(op_, name="pool").then(quant(0.3, -8, 7))
    chain.conv(np.ones((1, 2, 1, 1)))
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (2, 5, 5)))
    assert ops(analysis) == [IntWindow, IntReduce, IntStep, IntMatMul]
    assert analysis.fates["pool"] == "SlidingWindow 2x3 + sum"


def test_the_mean_is_rounded_once():
    # 0, 0, 0, 2: the mean 0.5 rounds to 0; rounding (0 + 0) / 2 and (0 + 2) / 2 first gives 0.5, 0
    chain = Chain((1, 2, 2)).then(quant(1.0, 0, 7)).then(MEANS).then(quant(1.0, 0, 7), name="q")
    chain.conv(np.ones((1, 1, 1, 1)))
    x = np.array([[[[0.0, 0], [0, 2]]], [[[1.0, 1], [2, 2]]], [[[3.0, 2], [2, 3]]]])
    analysis = assert_equals_the_referee(chain.graph, x)
    assert op(analysis, "q").starts[0][:3].tolist() == [3, 6, 11]


def test_a_mean_over_fewer_elements_at_the_border_is_weighed():
    # 3, 2 or 1 rows and 2 or 1 columns: sums times 6 / rows and 2 / columns, all divided by 12
    pads = ((2, 0), (0, 1))
    chain = image(2, 4, 3, zero_point=3.0)
    chain.then(AveragePool((3, 2), ONES, ONES, pads), name="p").then(quant(0.3, -8, 7))
    chain.conv(np.ones((1, 2, 1, 1)))
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(7), (2, 4, 3)))
    assert ops(analysis) == [IntWindow, IntReduce, IntWeigh, IntStep, IntMatMul]
    assert op(analysis, "p_weigh").weights == ((6, 3, 2, 2), (1, 1, 2))
    assert op(analysis, "p_window").fill.tolist() == [0, 0]
    assert analysis.fates["p"] == "SlidingWindow 3x2 + sum + weigh"


def test_padding_that_no_position_sees_alone_needs_no_weights():
    # two taps that lie two apart: at every position one of them is padding
    pool = AveragePool((2,), (1,), (2,), ((1, 1),))
    chain = Chain((1, 2)).then(quant(0.25, -8, 7)).then(pool).then(quant(0.3, -8, 7))
    chain.conv(np.ones((1, 1, 1)))
    analysis = assert_equals_the_referee(chain.graph, quarters(np.random.default_rng(7), (1, 2)))
    assert ops(analysis) == [IntWindow, IntReduce, IntStep, IntMatMul]


@pytest.mark.parametrize("keepdims", [False, True])
def test_a_mean_over_all_positions_is_a_total(keepdims):
    rng = np.random.default_rng(8)
    chain = image(2, 3, 4).conv(weights(rng, 3, 2, 2, 2)).then(quant(1.0, -4, 3, zero_point=1.0))
    chain.then(Mean((2, 3), keepdims), name="mean").then(quant(0.3, -8, 7))
    chain.then(Reshape((1, 3))).matmul_of(weights(rng, 3, 2))
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (2, 3, 4)))
    assert ops(analysis) == [IntWindow, IntMatMul, IntStep, IntTotal, IntStep, IntMatMul]
    assert analysis.fates["mean"] == "Total of 6"


@pytest.mark.parametrize(("axis", "keepdims"), [(2, True), (3, True), (2, False), (3, False)])
def test_a_mean_over_one_axis_of_positions(axis, keepdims):
    rng = np.random.default_rng(9)
    chain = image(2, 3, 4).then(Mean((axis,), keepdims)).then(quant(0.3, -8, 7))
    assert_equals_the_referee(chain.graph, quarters(rng, (2, 3, 4)))


def test_a_mean_over_channels_is_refused():
    (problem,) = analyse(image(2, 3, 4).then(Mean((1,), True), name="mean").graph).problems
    assert str(problem) == (
        "mean: a mean must be over positions of its input, not axes (1,) of (1, 2, 3, 4), which "
        "hold its channels; use a mean over the spatial axes"
    )


def test_a_dilated_kernel_that_does_not_fit_is_no_total():
    chain = image(1, 4, 4).then(MaxPool((4, 4), ONES, (2, 2), NO_PADS), name="pool")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "pool: its kernel (4, 4) with dilations (2, 2) must fit the padded input, not (4, 4) with "
        "pads ((0, 0), (0, 0))"
    )
