import numpy as np
import pytest

from cores.types import IntType, StreamType
from hwgen.integer.steps import IntArgMax, IntStep
from tests.hwgen.integer.instances import ROW, tensor


def test_steps_on_a_worked_example():
    op = IntStep(np.array([[12, 14], [-2, -1]]), np.array([[0, 1, 2], [7, 8, 9]]))
    assert op.compute(np.array([[15, -3], [12, -2], [2, 0]])).tolist() == [[2, 7], [1, 8], [0, 9]]


def test_the_larger_key_on_a_worked_example():
    op = IntArgMax(np.array([0, -7]), np.array([0, 1]))
    # keys: (2, 0) (0, 1) - (1, 0) (1, 1) - (0, 0) (2, 1)
    assert op.compute(np.array([[2, 7], [1, 8], [0, 9]])).tolist() == [[0], [1], [1]]


def test_argmax_gives_one_channel():
    found = IntArgMax(np.zeros(3, int), np.zeros(3, int)).result_type(tensor([0] * 3, [1] * 3))
    assert (found.shape, found.lo.tolist(), found.hi.tolist()) == ((1,), [0], [2])


@pytest.mark.parametrize(("second", "rows"), [([1, 5], 1), ([2, 5], 2)])
def test_equal_rows_stand_once_in_the_operator(second, rows):
    op = IntStep(np.array([[1, 5], second]), np.array([[0, 1, 2], [0, 1, 2]]))
    assert len(op.lower([StreamType((2,), IntType(0, 7))]).starts) == rows


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (
            IntStep(np.zeros((3, 1), int), np.zeros((3, 2), int)),
            r"^starts must have the shape \(2, 1\) for this input, not \(3, 1\)$",
        ),
        (
            IntStep(np.zeros((2, 1), int), np.zeros((2, 1), int)),
            r"^values must have the shape \(2, 2\) for this input, not \(2, 1\)$",
        ),
        (
            IntStep(np.array([[1, 2], [2, 1]]), np.zeros((2, 3), int)),
            r"^starts must ascend in each channel, not fall as in 1$",
        ),
        (
            IntArgMax(np.zeros(3, int), np.zeros(2, int)),
            r"^offset must have the shape \(2,\) for this input, not \(3,\)$",
        ),
    ],
)
def test_fields_must_fit_the_input(op, message):
    with pytest.raises(ValueError, match=message):
        op.result_type(ROW)
