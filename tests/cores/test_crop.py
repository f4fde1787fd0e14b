from dataclasses import replace

import numpy as np
import pytest

from cores import sim
from cores.crop import Crop
from cores.types import IntType

U5 = IntType(0, 31)
GOOD = Crop((3, 4, 2), U5, (1, 0, 0), (3, 4, 2), (1, 2, 1))


@pytest.mark.parametrize("pe", [1, 2])
def test_rows_and_every_second_column_by_hand(pe):
    frame = np.arange(24).reshape(1, 3, 4, 2)
    expected = [[[[8, 9], [12, 13]], [[16, 17], [20, 21]]]]
    assert sim.run(replace(GOOD, pe=pe), [frame]).outputs["o"].tolist() == expected


def test_all_channels_in_a_beat_leave_only_those_kept():
    op = Crop((2, 6), U5, (0, 1), (2, 6), (1, 2), pe=6)
    assert op.outputs["o"].lanes == 3
    frame = np.arange(12).reshape(1, 2, 6)
    assert sim.run(op, [frame]).outputs["o"].tolist() == [[[1, 3, 5], [7, 9, 11]]]


def test_beats_that_are_dropped_do_not_wait_for_the_output():
    op = Crop((6, 1), U5, (1, 0), (2, 1), (1, 1))
    bench = sim.Bench(op, op.core())
    bench.shut.add("o")

    def plan():
        bench.feed("i", list(range(6)))
        for _ in range(10):
            yield

    bench.run(plan())
    assert len(bench.sources["i"].taken) == 6


def test_foldings_keep_whole_beats():
    op = Crop((2, 12), U5, (0, 4), (2, 8), (1, 1))
    assert [folded.pe for folded in op.foldings(None)] == [1, 2, 4, 12]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"steps": (1, 1)},
            r"steps of Crop must have one number for each of the 3 axes, not \(1, 1\)",
        ),
        (
            {"stops": (4, 4, 2)},
            r"Crop must keep something within 0\.\.3 of every axis, not 1\.\.4 in steps of 1",
        ),
        ({"pe": 4}, r"PE must divide the 2 channels of Crop, not 4"),
        (
            {"shape": (3, 4, 4), "starts": (0, 0, 1), "pe": 2},
            (
                r"PE 2 of Crop must keep or drop whole beats, which channels 1\.\.2 in steps of 1 "
                r"do not: use PE 1 or PE 4"
            ),
        ),
    ],
)
def test_rejects_what_does_not_suit(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(GOOD, **change)
