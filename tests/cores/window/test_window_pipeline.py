import pytest

from cores.window.window_pipeline import WindowPipeline
from cores.window.window_schedule import Axis

ONE = Axis(1, 1)
SAME = Axis(4, 3, 1, 1, 1, 1)


def test_window_is_complete_with_its_last_tap_by_hand():
    # Three of four without padding: with the third and the fourth element.
    plan = WindowPipeline(ONE, Axis(4, 3), 1, 8)
    assert plan.scans.tolist() == [2, 3]
    assert (plan.tail, plan.cycles) == (0, 4)
    assert plan.needed.tolist() == [3, 4]


def test_padding_behind_is_scanned_with_the_next_frame():
    # Rows of four: the window around element 0 ends with element 5, the one around the last element
    # five scans behind it, of which the last is that of a column behind.
    plan = WindowPipeline(SAME, SAME, 1, 8)
    assert plan.scans[[0, 3, 4, -1]].tolist() == [5, 8, 9, 20]
    assert (plan.tail, plan.over, plan.cycles) == (5, 1, 17)
    assert plan.needed.tolist()[-5:] == [16] * 5


def test_reads_pause_for_columns_behind():
    plan = WindowPipeline(SAME, SAME, 2, 8)
    assert plan.over == 2
    assert plan.reads.tolist()[:12] == [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13]


def test_scans_are_whole_rows_ahead_behind_several_rows_of_padding():
    # Two rows of four behind, and two columns: the ninth scan is the first that is two rows ahead.
    wide = Axis(4, 5, 1, 1, 2, 2)
    plan = WindowPipeline(wide, wide, 1, 8)
    assert (plan.tail, plan.over, plan.ahead) == (10, 2, 2)
    assert WindowPipeline(SAME, Axis(4, 3), 1, 8).ahead == 0


def test_gaps_lead_to_the_first_window_of_the_next_frame():
    plan = WindowPipeline(ONE, Axis(7, 3, 2), 1, 8)
    assert plan.gaps.tolist() == [2, 2, 3]


@pytest.mark.parametrize(
    ("rows", "columns", "suits"),
    [
        (SAME, SAME, True),
        (ONE, Axis(6, 5, 1, 1, 2, 2), True),
        (Axis(6, 5, 1, 1, 2, 2), Axis(6, 5, 1, 1, 1, 3), True),
        (Axis(2, 5, 1, 1, 2, 2), ONE, False),
        (ONE, Axis(6, 3, 1, 1, 2, 1), False),
        (ONE, Axis(1, 3, 1, 1, 1, 1), False),
    ],
)
def test_padding_that_suits(rows, columns, suits):
    assert WindowPipeline.suits(rows, columns) == suits
