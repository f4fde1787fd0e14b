import numpy as np
import pytest

from cores.eltwise import Add
from cores.types import IntType

S4 = IntType(-8, 7)


def test_by_hand():
    op = Add((2,), (S4, S4), (3, -2), np.array([10, 0]))
    assert op.compute(np.array([[1, 2]]), np.array([[4, -5]])).tolist() == [[5, 16]]
    assert op.outputs["o"].dtype == IntType(3 * -8 - 2 * 7, 3 * 7 + 2 * 8 + 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Add((4,), (S4,), (1,)), r"^an Add must have at least 2 inputs, not 1$"),
        (
            lambda: Add((4,), (S4, S4), (1, 0)),
            r"^an Add of 2 inputs must have as many factors, none of them 0, not \(1, 0\)$",
        ),
        (
            lambda: Add((4,), (S4, S4), (1, 1), np.zeros(3, np.int64)),
            r"^offset of an Add must have .* for each of the 4 channels, not the shape \(3,\)$",
        ),
        (
            lambda: Add((4,), (S4, S4), (1, 1), pe=3),
            r"^PE must divide the 4 channels of an Add, not 3$",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
