import numpy as np
import pytest

from hwgen.integer.products import IntDepthwise, IntMatMul, IntWeigh
from tests.hwgen.integer.instances import IMAGE, WINDOWS, tensor


def test_a_product_on_a_worked_example():
    op = IntMatMul(np.array([[1, 2], [-1, 0]]), np.array([10, 0]))
    assert op.compute(np.array([[3, 1], [0, -4]])).tolist() == [[15, -3], [2, 0]]


def test_products_beyond_float64_stay_exact():
    big = 2**30 + 1
    op = IntMatMul(np.array([[big * 2**28, 1]]), np.array([0]))
    assert op.compute(np.array([[3, 1]])).tolist() == [[3 * big * 2**28 + 1]]


def test_a_product_channel_by_channel_on_a_worked_example():
    op = IntDepthwise(np.array([[1, 10], [2, 0], [0, 1], [1, 1]]), np.array([0, 0, 0, 100]))
    windows = np.array([[[7, 8, 1, -1], [2, -2, 3, -3]]])
    # channel 0 under rows 0 and 1, channel 1 under rows 2 and 3
    assert op.compute(windows).tolist() == [[[17, 14, -1, 107], [32, 4, -3, 95]]]


def test_weights_of_positions_on_a_worked_example():
    x = np.array([[[1, -1], [2, -2], [3, -3]]])
    assert IntWeigh(((1, 5, 2),)).compute(x).tolist() == [[[1, -1], [10, -10], [6, -6]]]


@pytest.mark.parametrize(
    ("op", "kind", "message"),
    [
        (
            IntMatMul(np.zeros((2, 3), int), np.zeros(2, int)),
            tensor([0], [1]),
            r"^weights must have the shape \(2, 1\) for this input, not \(2, 3\)$",
        ),
        (
            IntDepthwise(np.zeros((3, 2), int), np.zeros(3, int)),
            WINDOWS,
            r"^rows must be a multiple of the 2 channels, not 3$",
        ),
        (
            IntDepthwise(np.zeros((3, 2), int), np.zeros(2, int)),
            WINDOWS,
            r"^offset must have the shape \(3,\) for this input, not \(2,\)$",
        ),
        (
            IntWeigh(((1, 1), (1,))),
            IMAGE,
            r"^weights must have the shape \(2, 2\) for this input, not \(2, 1\)$",
        ),
        (
            IntWeigh(((1, 1), (1, 0))),
            IMAGE,
            r"^weights must be positive, not \(\(1, 1\), \(1, 0\)\)$",
        ),
    ],
)
def test_fields_must_fit_the_input(op, kind, message):
    with pytest.raises(ValueError, match=message):
        op.result_type(kind)
