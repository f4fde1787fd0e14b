import numpy as np
import pytest

from hwgen.graph.ir import Value
from hwgen.tensor.moves import Pad, Reshape, Slice, Transpose
from hwgen.tensor.order import natural_order
from hwgen.tensor.pooling import Mean
from hwgen.tensor.quantisers import Quant
from tests.hwgen.chains import Chain, quant

ROUND: Quant = quant(1.0, -8, 7)


def order_of(chain: Chain) -> list:
    shape = chain.inputs["x"].shape
    return natural_order(chain.graph, Value("x", ""), shape).tolist()


def test_a_flattened_input_enters_as_a_vector():
    chain = Chain((1, 2, 3)).then(ROUND).then(Reshape((1, 6)))
    chain.matmul(chain.constant(np.ones((6, 2))))
    assert order_of(chain) == [0, 1, 2, 3, 4, 5]


def test_a_transpose_before_the_flatten_changes_the_order():
    chain = Chain((2, 3)).then(ROUND).then(Transpose((0, 2, 1))).then(Reshape((1, 6)))
    chain.matmul(chain.constant(np.ones((6, 2))))
    assert order_of(chain) == [0, 3, 1, 4, 2, 5]


def test_a_product_per_position_keeps_positions_and_channels():
    chain = Chain((2, 3)).then(ROUND)
    chain.matmul(chain.constant(np.ones((3, 2))))
    assert order_of(chain) == [[0, 1, 2], [3, 4, 5]]


def test_weights_on_the_left_sum_over_the_last_axis_but_one():
    chain = Chain((2, 3)).then(ROUND)
    chain.matmul(chain.constant(np.ones((4, 2))), left=True)
    assert order_of(chain) == [[0, 3], [1, 4], [2, 5]]


def test_without_a_product_axis_one_holds_the_channels():
    assert order_of(Chain((2, 3)).then(ROUND)) == [[0, 3], [1, 4], [2, 5]]
    assert order_of(Chain((4,)).then(ROUND)) == [0, 1, 2, 3]


FRONT = Transpose((0, 3, 1, 2))


def test_a_convolution_keeps_axes_of_length_one_and_puts_channels_last():
    chain = Chain((2, 1, 3)).then(ROUND).conv(np.ones((1, 2, 1, 1)))
    assert order_of(chain) == [[[0, 3], [1, 4], [2, 5]]]


def test_a_transpose_in_front_of_a_convolution_costs_nothing():
    chain = Chain((1, 3, 2)).then(ROUND).then(FRONT).conv(np.ones((1, 2, 1, 1)))
    assert order_of(chain) == [[[0, 1], [2, 3], [4, 5]]]


def test_padding_and_cutting_keep_the_axes():
    chain = Chain((1, 3, 2)).then(ROUND).then(Pad(((0, 0), (1, 1), (0, 0), (0, 0)), 0.0))
    chain.then(Slice((0, 0, 0, 0), (1, 3, 2, 2), (1, 1, 1, 1))).then(FRONT)
    assert order_of(chain.conv(np.ones((1, 2, 1, 1)))) == [[[0, 1], [2, 3], [4, 5]]]


@pytest.mark.parametrize("axes", [(1, 2), (-3, 2)])
def test_a_mean_over_all_axes_but_one_puts_that_last(axes):
    chain = Chain((2, 1, 3)).then(ROUND).then(Mean(axes, True)).then(quant(0.5, -8, 7))
    assert order_of(chain) == [[[0, 1, 2]], [[3, 4, 5]]]
    chain = Chain((2, 3)).then(ROUND).then(Mean((2,), True)).then(quant(0.5, -8, 7))
    assert order_of(chain) == [[0, 3], [1, 4], [2, 5]]
