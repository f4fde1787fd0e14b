import numpy as np
import pytest

from cores.types import IntType, StreamType
from hwgen.integer.moves import IntCrop, IntDilate, IntRepeat, IntReshape
from tests.hwgen.integer.instances import IMAGE

X = np.array([[[1, -1], [2, -2], [3, -3]]])  # one frame, 3 positions, 2 channels


def test_each_on_a_worked_example():
    assert IntCrop((1, 0), (3, 2), (1, 2)).compute(X).tolist() == [[[2], [3]]]
    assert IntRepeat((2,)).compute(X[:, :2]).tolist() == [[[1, -1], [1, -1], [2, -2], [2, -2]]]
    gaps = IntDilate((3,), np.array([7, 8]))
    assert gaps.compute(X[:, :2]).tolist() == [[[1, -1], [7, 8], [7, 8], [2, -2]]]
    assert IntReshape((2, 3)).compute(X).tolist() == [[[1, -1, 2], [-2, 3, -3]]]


def test_another_shape_needs_no_operator():
    assert IntReshape((2, 3)).lower([StreamType((3, 2), IntType(0, 1))]) is None


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (
            IntDilate((1, 2), np.zeros(3, int)),
            r"^fill must have the shape \(2,\) for this input, not \(3,\)$",
        ),
        (IntRepeat((2,)), r"^factors must have one entry per spatial axis, 2, not 1$"),
        (
            IntCrop((0, 0), (2, 2), (1, 1)),
            (
                r"^starts, stops and steps must have one entry per axis of \(2, 2, 2\), not "
                r"\(0, 0\), \(2, 2\) and \(1, 1\)$"
            ),
        ),
        (
            IntCrop((0, 0, 0), (2, 3, 2), (1, 1, 1)),
            (
                r"^starts, stops and steps must cut a part out of \(2, 2, 2\), not be "
                r"\(0, 0, 0\), \(2, 3, 2\) and \(1, 1, 1\)$"
            ),
        ),
        (
            IntReshape((3, 3)),
            r"^shape must have as many elements as \(2, 2, 2\), not be \(3, 3\)$",
        ),
    ],
)
def test_fields_must_fit_the_input(op, message):
    with pytest.raises(ValueError, match=message):
        op.result_type(IMAGE)
