import numpy as np
import pytest

from cores.window.window_reader import ReaderPlan
from cores.window.window_schedule import Axis, WindowSchedule
from platforms.devices import device


def plan(*, depthwise: bool, groups: int = 2) -> ReaderPlan:
    rows, columns = Axis(4, 3, 1, 1, 1, 1), Axis(5, 2, 2, 2)
    schedule = WindowSchedule(rows, columns, groups, 6 * groups)
    return ReaderPlan(schedule, 8, depthwise)


@pytest.mark.parametrize("depthwise", [False, True])
def test_loops_go_through_the_taps_of_every_window(depthwise):
    reader = plan(depthwise=depthwise)
    places = np.zeros(1, np.int64)
    for loop in reversed(reader.loops):
        places = (places[:, None] + loop.beats * np.arange(loop.count)).ravel()
    rows, columns = reader.schedule.rows, reader.schedule.columns
    rows_of = rows.places[:, None, :, None] + rows.before
    taps = rows_of * columns.size + columns.places[:, None, :]  # [row][column][tap row][tap]
    taps = taps.reshape(rows.windows, columns.windows, 6)
    groups = np.arange(2)
    if depthwise:
        wanted = taps[:, :, None, :] * 2 + groups[:, None]
    else:
        wanted = taps[:, :, :, None] * 2 + groups
    assert (places == wanted.ravel()).all()


def test_needs_what_the_position_needs_for_each_of_its_beats():
    reader = plan(depthwise=False)
    assert reader.needed.reshape(-1, 12)[:, 0].tolist() == reader.schedule.need.tolist()


def test_ring_has_as_many_words_as_the_schedule_stores_or_the_next_power_of_two():
    reader = plan(depthwise=False)
    assert reader.words(None) == reader.schedule.words == 41
    assert reader.words(device("ecp5-25f")) == 41
    assert reader.words(device("up5k")) == 64
