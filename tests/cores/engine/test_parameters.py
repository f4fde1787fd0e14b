"""Words of slopes and offsets, taken apart by hand."""

import pytest

from cores.engine.layer import BYTE, Layer, Rescale
from cores.engine.parameters import Parameters
from tests.cores.engine.parts import FIRST, LAST, program


def test_digits_and_what_stands_above_them_make_slope_and_offset():
    found = program().parameters
    # 200 / 4 needs its shift up to a whole digit of 8 bits: slopes and offsets times 64.
    assert (found.digit, found.count, found.shift, found.more) == (8, 2, 8, 0)
    low, high, low1, high1, *rest = found.words(FIRST, range(4))
    assert (low & 255) + ((high & 255) << 8) == 3 * 64
    assert (low >> 8) + ((high >> 8) << 8) == 1 * 64
    assert (low1 & 255) + ((high1 & 255) << 8) == 200 * 64
    top = (high1 >> 8) - (1 << 24)  # the highest part of an offset has a sign
    assert (low1 >> 8) + (top << 8) == -5 * 64
    assert rest == [0, 0, 0, 0]


def test_a_sum_that_stays_as_it_is_has_slope_one_in_the_highest_digit():
    low, high = program().parameters.words(LAST, [0])
    assert (low & 255, high & 255) == (0, 1)
    assert (low >> 8, high >> 8) == (0, 100)


def test_slopes_that_no_digits_hold_are_refused():
    layer = Layer("steep", (1, 1, 1), FIRST.weights[:1, :1, :1], rescale=None, bias=(0,))
    steep = Layer(
        "steep", (1, 1, 1), FIRST.weights[:1, :1, :1], rescale=Rescale((1 << 60,), (0,), 0, BYTE)
    )
    assert Parameters([layer]).count == 2
    with pytest.raises(ValueError, match=r"^slopes of a sequence must be below 256 and take at "):
        _ = Parameters([steep]).digit
