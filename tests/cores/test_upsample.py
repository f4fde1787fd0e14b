from dataclasses import replace

import numpy as np
import pytest

from cores import sim
from cores.types import IntType
from cores.upsample import Dilate, Repeat

U4 = IntType(0, 15)
FRAME = np.array([[[[1], [2]], [[3], [4]]]])


def test_every_element_in_a_square_by_hand():
    found = sim.run(Repeat((2, 2, 1), U4, (2, 3)), [FRAME]).outputs["o"][0, :, :, 0]
    row, following = [1, 1, 1, 2, 2, 2], [3, 3, 3, 4, 4, 4]
    assert found.tolist() == [row, row, following, following]


def test_positions_of_several_beats_come_again_whole():
    op = Repeat((2, 4), U4, (2,), pe=2)
    frame = np.array([[[1, 2, 3, 4], [5, 6, 7, 8]]])
    expected = [[[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8], [5, 6, 7, 8]]]
    assert sim.run(op, [frame]).outputs["o"].tolist() == expected


def test_stores_a_row_only_if_rows_come_again():
    assert Repeat((5, 7, 4), U4, (2, 2), pe=2).words == 14
    assert Repeat((5, 7, 4), U4, (1, 2), pe=2).words == 2


def test_fill_between_neighbours_by_hand():
    found = sim.run(Dilate((2, 2, 1), U4, (2, 3), fill=np.array(9)), [FRAME]).outputs["o"]
    assert found[0, :, :, 0].tolist() == [[1, 9, 9, 2], [9, 9, 9, 9], [3, 9, 9, 4]]


def test_range_holds_the_fill_only_where_there_is_any():
    fill = np.array(-1)
    assert Dilate((2, 2, 1), U4, (2, 1), fill=fill).outputs["o"].dtype == IntType(-1, 15)
    assert Dilate((1, 2, 1), U4, (2, 1), fill=fill).outputs["o"].dtype == U4


@pytest.mark.parametrize("op", [Repeat((2, 2, 4), U4, (2, 2)), Dilate((2, 2, 4), U4, (2, 2))])
def test_foldings_are_the_divisors_of_the_channels(op):
    assert [folded.pe for folded in op.foldings(None)] == [1, 2, 4]


@pytest.mark.parametrize("kind", [Repeat, Dilate])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"shape": (3,)},
            r"shape of {} must be one or two positive axes and channels, not \(3,\)",
        ),
        (
            {"factors": (2, 0)},
            (
                r"factors of {} must be positive, one for each of the 2 axes in front of the "
                r"channels, not \(2, 0\)"
            ),
        ),
        ({"pe": 3}, r"PE must divide the 4 channels of {}, not 3"),
    ],
)
def test_rejects_what_does_not_suit(kind, change, message):
    with pytest.raises(ValueError, match=f"^{message.format(kind.__name__)}$"):
        replace(kind((2, 2, 4), U4, (2, 2)), **change)


def test_rejects_a_fill_of_another_length():
    with pytest.raises(
        ValueError, match=r"^fill of Dilate must have 4 channels, not shape \(2,\)$"
    ):
        Dilate((2, 2, 4), U4, (2, 2), fill=np.zeros(2, np.int64))
