"""Shapes by ONNX's rules, by hand; numpy's where it has the same."""

import numpy as np
import pytest

from hwgen.frontend.call import RefusalError
from hwgen.frontend.shapes import (
    INTEGER_FOLDS,
    normal_axis,
    resolve_reshape,
    squeezed,
    unsqueezed,
)


@pytest.mark.parametrize(
    ("wanted", "result"),
    [([0, -1], (2, 12)), ([-1], (24,)), ([4, 6], (4, 6)), ([0, 0, 4], (2, 3, 4))],
)
def test_zero_keeps_a_size_and_minus_one_takes_the_rest(wanted, result):
    assert resolve_reshape((2, 3, 4), wanted) == result


def test_zero_may_be_a_size():
    assert resolve_reshape((0, 3), [0, 5], allowzero=True) == (0, 5)


@pytest.mark.parametrize("wanted", [[5, -1], [2, 3], [-1, -1]])
def test_a_reshape_that_changes_the_number_of_elements_is_refused(wanted):
    with pytest.raises(RefusalError):
        resolve_reshape((2, 3, 4), wanted)


def test_axes_count_from_either_end():
    assert [normal_axis(axis, 3) for axis in (0, 2, -1, -3)] == [0, 2, 2, 0]
    assert normal_axis(3, 3, end=True) == 3
    with pytest.raises(RefusalError):
        normal_axis(3, 3)


@pytest.mark.parametrize("axes", [[0], [-1, 0], [1, 3]])
def test_axes_come_and_go_as_numpy_moves_them(axes):
    shape = np.expand_dims(np.zeros((2, 3)), tuple(axes)).shape
    assert unsqueezed((2, 3), axes) == shape
    assert squeezed(shape, axes) == squeezed(shape, None) == (2, 3)


def test_integers_are_divided_towards_zero():
    a, b = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    assert INTEGER_FOLDS["Div"]({}, a, b).tolist() == [3, -3, -3, 3]
