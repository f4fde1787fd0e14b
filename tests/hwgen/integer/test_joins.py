import numpy as np
import pytest

from cores.types import IntType, StreamType
from hwgen.integer.joins import IntAdd, IntConcat
from tests.hwgen.integer.instances import IMAGE, WINDOWS

A, B = np.array([[1, 2]]), np.array([[5, -5]])


def test_joins_on_a_worked_example():
    add = IntAdd(np.array([[1, 3], [-2, 1]]), np.array([0, 100]))
    assert add.compute(A, B).tolist() == [[-9, 101]]
    assert IntConcat().compute(A, B).tolist() == [[1, 2, 5, -5]]


def test_factors_that_differ_are_no_single_operator():
    add = IntAdd(np.array([[1, 3], [-2, 1]]), np.array([0, 100]))
    with pytest.raises(
        ValueError,
        match=r"^factors of an addition must be the same in all channels to be one operator, "
        r"not \[\[1, 3\], \[-2, 1\]\]$",
    ):
        add.lower([StreamType((2,), IntType(0, 7))] * 2)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (
            IntAdd(np.ones((2, 2), int), np.zeros(2, int)),
            r"^inputs must have one shape, not \(2, 2, 2\), \(4,\)$",
        ),
        (IntConcat(), r"^inputs must have the same positions, not the shapes \(2, 2, 2\), \(4,\)$"),
    ],
)
def test_inputs_must_fit_each_other(op, message):
    with pytest.raises(ValueError, match=message):
        op.result_type(IMAGE, WINDOWS)


def test_there_is_a_factor_for_each_input():
    with pytest.raises(
        ValueError, match=r"^factors must have the shape \(2, 2\) for this input, not \(3, 2\)$"
    ):
        IntAdd(np.ones((3, 2), int), np.zeros(2, int)).result_type(IMAGE, IMAGE)
