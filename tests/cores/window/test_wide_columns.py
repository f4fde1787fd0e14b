"""Wide columns hold every tap of every window, found by where the tap lies on the input."""

import pytest

from cores.window.wide_columns import WideColumns
from cores.window.window_schedule import Axis

CASES = [
    (Axis(8, 3, 1, 1, 1, 1), 2),
    (Axis(8, 3, 1, 1, 1, 1), 4),
    (Axis(12, 3, 2, 1, 0, 1), 2),
    (Axis(8, 3, 1, 2, 2, 2), 2),
    (Axis(12, 2, 3, 1, 0, 0), 2),
]


@pytest.mark.parametrize(("axis", "pixels"), CASES)
def test_every_tap_of_every_window_is_where_it_is_told(axis, pixels):
    columns = WideColumns(axis, pixels)
    wide = columns.wide
    for window in range(axis.windows):
        group, pixel = divmod(window, pixels)
        for tap in range(axis.kernel):
            wanted = window * axis.stride - axis.before + tap * axis.dilation
            wide_tap, place = columns.place(pixel, tap)
            column = group * wide.stride - wide.before + wide_tap * wide.dilation
            assert 0 <= wide_tap < wide.kernel and 0 <= place < pixels
            assert column * pixels + place == wanted


def test_single_windows_stay_as_they_are():
    axis = Axis(5, 3, 2, 1, 1, 0)
    columns = WideColumns(axis, 1)
    assert columns.wide is axis and columns.place(0, 2) == (2, 0)
