from dataclasses import replace

import numpy as np
import pytest

from cores import sim
from cores.total import Total
from cores.types import IntType

S4 = IntType(-8, 7)
GOOD = Total((3, 2), S4)


@pytest.mark.parametrize("pe", [1, 2])
@pytest.mark.parametrize(("fn", "result"), [("sum", [-4, 6]), ("max", [3, 7])])
def test_three_positions_of_two_channels_by_hand(fn, result, pe):
    op = Total((3, 2), S4, fn=fn, pe=pe)
    frame = np.array([[[-8, 7], [1, 2], [3, -3]]])
    assert sim.run(op, [frame]).outputs["o"].tolist() == [result]


def test_range_of_the_sum_counts_the_positions():
    assert Total((4, 5, 2), S4).outputs["o"].dtype == IntType(-160, 140)
    assert Total((4, 5, 2), S4, fn="max").outputs["o"].dtype == S4


def test_takes_a_beat_in_every_cycle():
    op = Total((4, 4, 6), S4, pe=2)
    assert op.cycles == 48
    assert op.timing.reads("i").tolist() == list(range(48))
    assert op.timing.emits("o").tolist() == [45, 46, 47]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fn": "min"}, r"fn of Total must be one of max, sum, not 'min'"),
        ({"shape": (3, 0)}, r"shape of Total must be positive, not \(3, 0\)"),
        ({"pe": 4}, r"PE must divide the 2 channels of Total, not 4"),
    ],
)
def test_rejects_what_does_not_suit(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(GOOD, **change)
