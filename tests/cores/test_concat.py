from dataclasses import replace

import numpy as np
import pytest

from cores import sim
from cores.concat import Concat
from cores.types import IntType

U2, S4 = IntType(0, 3), IntType(-8, 7)
GOOD = Concat((2, 4), (U2, S4), positions=(2,))


@pytest.mark.parametrize("pe", [1, 2])
def test_channels_behind_one_another_by_hand(pe):
    op = replace(GOOD, pe=pe)
    x = np.array([[[1, 2], [3, 0]]]), np.array([[[-1, -2, -3, -4], [5, 6, 7, -8]]])
    expected = [[[1, 2, -1, -2, -3, -4], [3, 0, 5, 6, 7, -8]]]
    assert sim.run(op, x).outputs["o"].tolist() == expected


def test_reads_from_one_input_after_the_other():
    op = Concat((2, 4), (U2, S4), positions=(2,), pe=2)
    assert op.timing.reads("i_0").tolist() == [0, 3]
    assert op.timing.reads("i_1").tolist() == [1, 2, 4, 5]


def test_range_is_the_union():
    assert GOOD.outputs["o"].dtype == S4
    assert Concat((1, 1), (U2, IntType(9, 9))).outputs["o"].dtype == IntType(0, 9)


def test_foldings_divide_every_input():
    assert [op.pe for op in Concat((8, 12), (U2, S4)).foldings(None)] == [1, 2, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": (3,)}, r"a Concat must have at least 2 inputs with channels, not \(3,\)"),
        ({"dtypes": (U2,)}, r"a Concat of 2 inputs must have as many types, not 1"),
        ({"positions": (0,)}, r"positions of Concat must be positive, not \(0,\)"),
        ({"pe": 4}, r"PE of Concat must divide the channels of every input, \(2, 4\), not 4"),
    ],
)
def test_rejects_what_does_not_suit(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(GOOD, **change)
