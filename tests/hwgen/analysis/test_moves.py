import numpy as np
import pytest

from hwgen.integer.moves import IntCrop, IntDilate, IntRepeat
from hwgen.integer.products import IntMatMul
from hwgen.integer.windows import IntWindow
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.products import Conv
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, op, ops, quarters
from tests.hwgen.analysis.test_windows import image, weights
from tests.hwgen.chains import Chain, quant

X = quarters(np.random.default_rng(0), (2, 3, 4))


def padded(value: float, *, zero_point: float = 1.0) -> Chain:
    pads = ((0, 0), (0, 0), (1, 2), (0, 1))
    return image(2, 3, 4, zero_point=zero_point).then(Pad(pads, value), name="pad")


def test_a_pad_in_front_of_a_convolution_is_its_padding():
    rng = np.random.default_rng(1)
    chain = padded(0.0).conv(weights(rng, 2, 2, 2, 2), pads=((0, 1), (1, 0)), name="conv")
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntWindow, IntMatMul]
    assert op(analysis, "conv_window").pads == ((1, 3), (1, 1))
    assert analysis.fates["pad"] == "folded into conv"


def test_a_pad_with_another_number_stays():
    rng = np.random.default_rng(1)
    chain = padded(-1.0).conv(weights(rng, 2, 2, 2, 2), pads=((0, 1), (1, 0)))
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntWindow, IntWindow, IntMatMul]
    assert op(analysis, "pad_window").fill.tolist() == [-1, -1]


def test_a_pad_with_a_number_off_the_grid_is_refused():
    (problem,) = analyse(padded(0.3).graph).problems
    assert str(problem) == (
        "pad: its value, the number 0.3, must be one of the values of its input, not a step of "
        "1.6 on the grid of x; pad with a value of the quantiser in front"
    )


def test_a_pad_of_the_channels_is_refused():
    pads = ((0, 0), (0, 2), (0, 0), (0, 0))
    (problem,) = analyse(image(2, 3, 4).then(Pad(pads, 0.0), name="pad").graph).problems
    assert str(problem) == (
        "pad: it must work along the positions of its input, not axis 1 of (1, 2, 3, 4), which "
        "holds the channels; do it along the spatial axes"
    )


@pytest.mark.parametrize(
    ("starts", "stops", "steps"),
    [
        ((0, 0, 1, 0), (1, 2, 3, 4), (1, 1, 1, 1)),
        ((0, 1, 0, 1), (1, 2, 3, 99), (1, 1, 2, 2)),
        ((0, 0, 1, 3), (1, 2, 2, 4), (1, 1, 1, 1)),
    ],
)
@pytest.mark.parametrize("channels_last", [False, True])
def test_slices_are_crops(starts, stops, steps, channels_last):
    rng = np.random.default_rng(2)
    chain = image(2, 3, 4).conv(weights(rng, 2, 2, 1, 1))
    chain.binary("mul", np.array([0.75, 1.25]).reshape(1, 2, 1, 1))
    parts = starts, stops, steps
    if channels_last:
        chain.then(Transpose((0, 2, 3, 1)))
        parts = tuple(tuple(part[k] for k in (0, 2, 3, 1)) for part in parts)
    chain.then(Slice(*parts), name="cut")
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntMatMul, IntCrop]
    assert analysis.fates["cut"] == "Crop"


def test_a_slice_of_everything_vanishes():
    rng = np.random.default_rng(2)
    chain = image(2, 3, 4).conv(weights(rng, 2, 2, 1, 1))
    chain.then(Slice((0,) * 4, (9,) * 4, (1,) * 4), name="cut")
    analysis = assert_equals_the_referee(chain.graph, X)
    assert ops(analysis) == [IntMatMul]
    assert analysis.fates["cut"] == "vanishes: changes nothing"


def test_a_slice_of_nothing_is_refused():
    cut = Slice((0, 0, 0, 4), (1, 2, 3, 4), (1, 1, 1, 1))
    (problem,) = analyse(image(2, 3, 4).then(cut, name="cut").graph).problems
    assert str(problem) == "cut: something of its input must be left, not nothing"


def test_a_slice_of_the_input_is_the_hosts():
    chain = Chain((2, 3, 4)).then(Slice((0, 0, 1, 0), (1, 2, 3, 4), (1, 1, 1, 2)))
    chain.binary("mul", 0.75).then(image(1, 1).nodes[0].op).conv(np.ones((1, 2, 2, 2)))
    analysis = assert_equals_the_referee(chain.graph, X)
    assert analysis.graph is not None
    assert analysis.graph.inputs["x"].shape == (2, 2, 2)


def test_repeats_and_zeros_between_elements():
    rng = np.random.default_rng(3)
    for op_, kind in (
        (Repeat((1, 1, 2, 3)), IntRepeat),
        (Dilate((1, 1, 2, 3)), IntDilate),
    ):
        chain = image(2, 3, 4, zero_point=-2.0).then(op_).conv(weights(rng, 2, 2, 2, 2))
        assert ops(assert_equals_the_referee(chain.graph, X)) == [kind, IntWindow, IntMatMul]


def test_moves_across_mixed_axes_are_refused():
    rng = np.random.default_rng(4)
    chain = image(2, 3, 4).conv(weights(rng, 2, 2, 1, 1)).then(Reshape((1, 2, 12)))
    chain.then(Repeat((1, 1, 2)), name="twice")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "twice: the axes of its input must be those of the stream, not (1, 2, 12) in another order "
        "than a (3, 4, 2) stream; remove the Reshape in front"
    )


def test_constants_are_cut_and_repeated():
    rng = np.random.default_rng(5)
    chain = image(2, 3, 4)
    x = chain.value
    stored = chain.constant(weights(rng, 3, 4, 1, 1))
    cut = chain.node(Slice((0, 1, 0, 0), (2, 3, 1, 1), (1,) * 4), stored)
    twice = chain.node(Repeat((1, 1, 2, 2)), cut)
    both = chain.node(Concat(0), twice, twice)
    chain.value = chain.node(Conv((1, 1), (1, 1), ((0, 0), (0, 0))), x, both)
    assert_equals_the_referee(chain.graph, X)


def test_other_moves_of_constants_are_refused():
    chain = image(2, 3, 4)
    chain.at(chain.constant(np.ones((1, 2)))).then(Pad(((0, 0), (1, 0)), 0.0), name="pad")
    (problem,) = analyse(chain.graph).problems
    assert str(problem) == (
        "pad: Pad must be applied to values that depend on the input, not a constant; fold "
        "constants in the exporter"
    )


@pytest.mark.parametrize("move", [0, 1, 2])
def test_axes_of_one_element_grow(move):
    rng = np.random.default_rng(6)
    grown = (
        Pad(((0, 0), (0, 0), (1, 1), (0, 0)), 0.0),
        Repeat((1, 1, 3, 1)),
        Pad(((0, 0), (0, 0), (1, 1), (2, 0)), 0.0),
    )[move]
    chain = image(1, 1, 4).conv(weights(rng, 2, 1, 1, 1)).then(quant(0.5, -4, 3)).then(grown)
    chain.conv(weights(rng, 3, 2, 2, 2))
    assert_equals_the_referee(chain.graph, quarters(rng, (1, 1, 4)))


def test_a_single_element_is_repeated_along_both_axes():
    rng = np.random.default_rng(7)
    chain = image(2, 3, 3).conv(weights(rng, 1, 2, 3, 3)).then(quant(0.5, -4, 3))
    chain.then(Repeat((1, 1, 2, 3))).conv(weights(rng, 2, 1, 2, 2))
    assert_equals_the_referee(chain.graph, quarters(rng, (2, 3, 3)))
