import numpy as np
import pytest

from cores.window.window_schedule import Axis, WindowSchedule


def square(size: int, kernel: int, *, stride: int = 1, pad: int = 0, groups: int = 1):
    axis = Axis(size, kernel, stride, 1, pad, pad)
    return WindowSchedule(axis, axis, groups, kernel * kernel * groups)


def test_three_of_five_by_hand():
    # Windows of three over five elements: each waits for its last one and lets go of its first.
    plan = WindowSchedule(Axis(1, 1), Axis(5, 3), 1, 3)
    assert plan.need.tolist() == [3, 4, 5]
    assert plan.release.tolist() == [0, 1, 2]
    assert plan.reads.tolist()[:3] == [0, 1, 2]
    assert plan.emits.tolist() == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert plan.cycles == 9


def test_padding_is_not_waited_for():
    plan = WindowSchedule(Axis(1, 1), Axis(4, 3, 1, 1, 1, 1), 1, 3)
    assert plan.need.tolist() == [2, 3, 4, 4]


@pytest.mark.parametrize(
    "plan",
    [
        square(32, 3, pad=1, groups=16),
        square(32, 3),
        square(16, 3, stride=2, pad=1, groups=4),
        square(16, 2, stride=2, groups=8),
        square(16, 1, stride=2, groups=2),
        square(8, 5, pad=2),
    ],
)
def test_no_bubble_between_frames(plan):
    assert plan.cycles == max(plan.beats, plan.positions * plan.taps)


def test_stores_little_more_than_the_window_spans():
    # Two rows and three elements, one that is written ahead, and the next frame's first ones.
    plan = square(32, 3, pad=1)
    assert 2 * 32 + 3 < plan.words <= 2 * 32 + 8


@pytest.mark.parametrize("seed", range(40))
def test_schedule_keeps_the_ring_and_every_position_supplied(seed):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(1, [8, 4, 4, 3, 4, 4], (2, 6)) - [0, 0, 0, 0, 1, 1]
    rows, columns = (Axis(*map(int, axis)) for axis in numbers)
    if min(rows.windows, columns.windows) < 1:
        return
    groups = int(rng.integers(1, 4))
    plan = WindowSchedule(rows, columns, groups, rows.kernel * columns.kernel * groups)
    frames = 3
    offsets = np.arange(frames)[:, None] * plan.cycles
    written = (plan.reads + offsets).ravel()
    starts = (plan.emits[:: plan.taps] + offsets).ravel()
    assert (np.diff(written) >= 1).all()
    assert (np.diff((plan.emits + offsets).ravel()) >= 1).all()
    base = np.arange(frames)[:, None] * plan.beats
    need, release = (plan.need + base).ravel(), (plan.release + base).ravel()
    assert (written[need - 1] < starts).all()
    # Beat i takes the place of beat i - words: no position from now on uses that one.
    current = np.searchsorted(starts + plan.taps, written, side="right")
    gone = np.arange(written.size) - plan.words < np.append(release, written.size)[current]
    assert gone.all()


def test_a_large_frame_takes_milliseconds():
    plan = square(96, 3, pad=1, groups=8)
    assert plan.cycles == 96 * 96 * 72
    assert plan.emits.size == plan.cycles
