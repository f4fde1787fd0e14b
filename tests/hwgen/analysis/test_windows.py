import numpy as np
import pytest

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded
from hwgen.analysis.image import as_image
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import ProblemError, Scaled
from hwgen.graph.ir import Value
from hwgen.integer.moves import IntCrop
from hwgen.integer.products import IntDepthwise, IntMatMul
from hwgen.integer.steps import IntStep
from hwgen.integer.windows import IntWindow
from hwgen.numerics.exact import ONE, ZERO
from hwgen.tensor.elementwise import Unary
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.products import Conv
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, ops, quarters
from tests.hwgen.chains import Chain, bipolar, quant, random_scale

NO_PADS = ((0, 0), (0, 0))


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def image(*shape: int, zero_point: float = 0.0) -> Chain:
    return Chain(shape).then(quant(0.5, -4, 3, zero_point=zero_point))


def test_a_convolution_is_windows_and_a_product():
    rng = np.random.default_rng(0)
    kernel = weights(rng, 4, 2, 2, 3)
    chain = image(2, 5, 4).conv(kernel, strides=(2, 1), pads=((1, 0), (0, 2)), name="conv")
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (2, 5, 4)))
    window = op(analysis, "conv_window")
    assert (window.kernel, window.strides, window.pads) == ((2, 3), (2, 1), ((1, 0), (0, 2)))
    assert window.fill.tolist() == [0, 0]
    # columns: taps outside, channels inside
    wanted = kernel.transpose(0, 2, 3, 1).reshape(4, -1)
    found = op(analysis, "conv").weights
    assert found.tolist() == (wanted if found[0, 0] == wanted[0, 0] else wanted / 2).tolist()
    assert analysis.fates["conv"] == "SlidingWindow 2x3 + MatVec 4x12"


@pytest.mark.parametrize("seed", range(24))
def test_any_geometry_gives_what_the_referee_gives(seed):
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 3))
    groups = int(rng.choice([1, 1, 2, 4]))
    space = tuple(rng.integers(4, 8, axes).tolist())
    kernel, strides, dilations = (tuple(rng.integers(1, n, axes).tolist()) for n in (4, 4, 3))
    pads = tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (axes, 2)))
    zero_point = float(rng.choice([0, -2, 3]))
    lo = int(rng.choice([-4, 0]))
    chain = Chain((4, *space)).then(quant(0.5, lo, lo + 7, zero_point=zero_point))
    outputs = groups * int(rng.integers(1, 4))
    chain.conv(
        weights(rng, outputs, 4 // groups, *kernel),
        strides=strides,
        dilations=dilations,
        pads=pads,
        groups=groups,
    )
    if rng.random() < 0.5:
        bias = rng.normal(size=(1, outputs, *(1,) * axes)).astype(np.float32)
        chain.binary("add", bias).then(Unary("relu")).then(quant(0.75, 0, 7))
    assert_equals_the_referee(chain.graph, quarters(rng, (4, *space), 4))


def test_padding_holds_the_zero_point():
    chain = image(1, 3, 3, zero_point=2.0).conv(np.ones((1, 1, 3, 3)), pads=((1, 1), (1, 1)))
    x = quarters(np.random.default_rng(1), (1, 3, 3))
    analysis = assert_equals_the_referee(chain.graph, x)
    assert op(analysis, "Conv_2_window").fill.tolist() == [2]


def test_a_quantiser_that_changes_nothing_stays_where_zero_needs_it():
    # n = 0 or 1 stands for -0.5 or 0.5; the second quantiser's 0 lies between
    chain = Chain((1, 3, 3)).then(bipolar(0.5)).then(quant(0.5, -2, 1), name="q")
    chain.conv(np.ones((1, 1, 2, 2)), pads=((1, 0), (0, 1)), name="conv")
    x = quarters(np.random.default_rng(1), (1, 3, 3))
    analysis = assert_equals_the_referee(chain.graph, x)
    assert ops(analysis) == [IntStep, IntWindow, IntMatMul]
    assert op(analysis, "conv_window").fill.tolist() == [0]


def test_padding_of_a_bipolar_input_is_refused():
    chain = Chain((1, 3, 3)).then(bipolar(1.0), name="sign")
    chain.conv(np.ones((1, 1, 3, 3)), pads=((1, 1), (1, 1)), name="conv")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "conv: padding, the number 0, must be one of the values of its input, not a step of 0.5 "
        "on the grid of x; quantise its input with a zero point that is an integer, or do not pad"
    )


def test_a_kernel_of_one_is_a_product_alone():
    rng = np.random.default_rng(2)
    chain = image(3, 4, 4).conv(weights(rng, 2, 3, 1, 1), name="conv")
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (3, 4, 4)))
    assert ops(analysis) == [IntMatMul]


def test_a_kernel_of_one_with_a_stride_drops_positions_first():
    rng = np.random.default_rng(2)
    chain = image(3, 5, 4).conv(weights(rng, 2, 3, 1, 1), strides=(2, 3), name="conv")
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (3, 5, 4)))
    assert ops(analysis) == [IntCrop, IntMatMul]
    assert analysis.fates["conv"] == "Crop + MatVec 2x3"


def test_depthwise_keeps_each_channel_with_its_own_scale():
    rng = np.random.default_rng(3)
    chain = Chain((3, 4, 4)).then(quant(np.array([0.25, 0.75, 1.75]).reshape(1, 3, 1, 1), -4, 3))
    scales = np.array([0.2, 0.9, 1.1, 0.3, 0.5, 0.6], np.float32).reshape(6, 1, 1, 1)
    chain.conv(weights(rng, 6, 1, 2, 2) * scales, groups=3, name="conv")
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (3, 4, 4)))
    assert ops(analysis) == [IntWindow, IntDepthwise]
    assert np.abs(op(analysis, "conv").weights).max() <= 3
    assert analysis.fates["conv"] == "SlidingWindow 2x2 + DepthwiseVec 6x4"


def test_weights_with_a_scale_per_output_stay_small():
    rng = np.random.default_rng(4)
    scales = np.array([0.3, 0.7], np.float32).astype(float).reshape(2, 1, 1, 1)
    chain = image(2, 4, 4).conv(weights(rng, 2, 2, 3, 3) * scales, name="conv")
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (2, 4, 4)))
    assert np.abs(op(analysis, "conv").weights).max() <= 3


def test_channels_last_models_lose_their_transposes():
    rng = np.random.default_rng(5)
    chain = image(4, 5, 2).then(Transpose((0, 3, 1, 2)))
    chain.conv(weights(rng, 3, 2, 3, 3), pads=((1, 1), (1, 1)), name="conv")
    chain.then(quant(1.0, -4, 3)).then(Transpose((0, 2, 3, 1)))
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (4, 5, 2)))
    assert analysis.graph is not None
    assert analysis.graph.inputs["x"].shape == (4, 5, 2)
    assert all(step["op"] != "take" for step in analysis.input_edges["x"])


@pytest.mark.parametrize("perm", [(0, 1, 2, 3), (0, 2, 3, 1)])
def test_a_flatten_permutes_the_weights_behind_it(perm):
    rng = np.random.default_rng(6)
    chain = image(2, 4, 4).conv(weights(rng, 3, 2, 2, 2)).then(quant(1.0, -4, 3))
    chain.then(Transpose(perm)).then(Reshape((1, 27)))
    chain.matmul_of(weights(rng, 27, 2))
    assert_equals_the_referee(chain.graph, quarters(rng, (2, 4, 4)))


def test_shuffled_channels_permute_the_weights_behind_them():
    rng = np.random.default_rng(7)
    chain = image(6, 4, 4).conv(weights(rng, 6, 3, 1, 1), groups=2).then(quant(1.0, -4, 3))
    shuffle = Reshape((1, 2, 3, 4, 4)), Transpose((0, 2, 1, 3, 4))
    for part in (*shuffle, Reshape((1, 6, 4, 4))):
        chain.then(part)
    scales = random_scale(rng, (12, 1, 1, 1)) + rng.random((12, 1, 1, 1)).astype(np.float32)
    chain.conv(weights(rng, 12, 1, 2, 2) * scales, groups=6).then(quant(1.0, -4, 3))
    chain.conv(weights(rng, 2, 12, 2, 2))
    assert_equals_the_referee(chain.graph, quarters(rng, (6, 4, 4)))


def test_channels_that_become_positions_are_refused():
    rng = np.random.default_rng(8)
    chain = image(4, 4, 4).conv(weights(rng, 4, 4, 1, 1), name="first").then(quant(1.0, -4, 3))
    chain.then(Reshape((1, 1, 16, 4))).conv(weights(rng, 1, 1, 2, 2), name="second")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "second: its input must come position by position with all 1 channels of each, not "
        "another order of a (4, 4, 4) stream; remove the Reshape or Transpose in front that moves "
        "channels into positions"
    )


def test_a_function_of_each_channel_stands_between_convolutions():
    rng = np.random.default_rng(9)
    chain = image(2, 4, 4).conv(weights(rng, 3, 2, 2, 2))
    chain.binary("mul", random_scale(rng, (1, 3, 1, 1))).binary("add", rng.normal(size=(3, 1, 1)))
    chain.then(Unary("sigmoid")).then(quant(1 / 16, 0, 15))
    chain.conv(weights(rng, 2, 3, 2, 2))
    analysis = assert_equals_the_referee(chain.graph, quarters(rng, (2, 4, 4)))
    assert ops(analysis) == [IntWindow, IntMatMul, IntStep, IntWindow, IntMatMul]


def test_a_float_input_is_refused():
    (problem,) = analyse(Chain((1, 3, 3)).conv(np.ones((1, 1, 3, 3)), name="conv").graph).problems
    assert str(problem) == (
        "conv: input x must be quantised in front of its first Conv, not float numbers; pass its "
        "type, such as --input-type u8 (integers 0..255) or --input-type s8:2^-5 (-128..127 in "
        "steps of 1/32)"
    )


def test_a_kernel_larger_than_its_input_is_refused():
    chain = image(1, 3, 3).conv(np.ones((1, 1, 4, 2)), name="conv")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "conv: its kernel (4, 2) with dilations (1, 1) must fit the padded input, not (3, 3) with "
        "pads ((0, 0), (0, 0))"
    )


def test_three_spatial_axes_are_refused():
    chain = image(1, 3, 3, 3).conv(np.ones((1, 1, 2, 2, 2)), name="conv")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == ("conv: its input must have one or two spatial axes, not 3 of (3, 3, 3)")


def test_weights_must_fit_the_channels():
    chain = image(4, 3, 3).conv(np.ones((2, 3, 2, 2)), name="conv")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "conv: weights must fit 4 channels in 1 groups and 2 spatial axes, not weights of the "
        "shape (2, 3, 2, 2)"
    )


def test_unquantised_weights_are_refused():
    rng = np.random.default_rng(10)
    raw = rng.normal(size=(2, 1, 2, 2)).astype(np.float32)
    (problem,) = analyse(image(2, 3, 3).conv(raw, groups=2, name="conv").graph).problems
    assert str(problem) == (
        "conv: weights must lie on an integer grid of at most 16 bits, not weights without a "
        "quantiser (row 0 has 4 different values); quantise the weights and export their "
        "quantiser with them"
    )


def test_weights_that_depend_on_the_input_are_refused():
    chain = image(1, 3, 3)
    chain.at(chain.node(Conv((1, 1), (1, 1), NO_PADS), chain.value, chain.value, name="c"))
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "c: the weights of a Conv must be constant, not an activation; only products with stored "
        "weights are supported"
    )


def test_positions_whose_channels_come_in_different_orders_are_refused():
    x = Scaled(
        Value("x", ""),
        StreamLayout(np.array([0, 3, 1, 2]).reshape(1, 2, 2), (2, 2)),
        Coded.uniform(ONE, (2,)),
        Coded.uniform(ZERO, (2,)),
    )
    with pytest.raises(ProblemError, match=r"^conv: its input must come position by position "):
        as_image(Assembly(), "conv", x)


def test_channels_that_become_positions_must_have_one_scale():
    scales = np.array([0.5, 0.75, 1.25, 1.5])
    chain = Chain((3,)).then(quant(0.5, -4, 3)).matmul_of(np.ones((3, 4)) * scales)
    chain.then(Reshape((1, 1, 2, 2)))
    chain.conv(np.ones((1, 1, 2, 2)), name="conv")
    assert not analyse(chain.graph).problems  # one scale, in which the weights differ
    chain = Chain((3,)).then(quant(0.5, -4, 3)).matmul_of(np.ones((3, 4)))
    chain.binary("mul", scales).then(Reshape((1, 1, 2, 2)))
    chain.conv(np.ones((1, 1, 2, 2)), name="conv")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "conv: elements in a channel of (2, 2, 1) must have one scale and zero point, not a (4,) "
        "stream in which they differ per channel; give the quantiser in front one scale for all "
        "channels"
    )
