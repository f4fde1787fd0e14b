import numpy as np
import pytest

from cores.dot.digit_dot import DigitDot, Plane, planes_of
from cores.types import IntType

RANGES = ["u1", "u2", "u3", "u4", "u8", "s1", "s2", "s3", "s4", "s9", "-7..7", "-1..1", "0..2"]
RANGES += ["0..10", "-9..-2", "5..5", "-1..0", "3..9", "-128..255", "0..0"]


@pytest.mark.parametrize("text", RANGES)
def test_digits_and_offset_make_up_every_number_of_a_range(text):
    dtype = IntType.parse(text)
    planes, offset = planes_of(dtype)
    for number in range(dtype.lo, dtype.hi + 1):
        digits = [p.digits[number >> p.shift & (1 << p.width) - 1] for p in planes]
        assert None not in digits
        parts = [d << p.shift for d, p in zip(digits, planes, strict=True)]
        assert sum(parts) + offset == number


def test_word_of_minus_two_is_a_complement():
    # -2 selects ~(2v), which is -2v - 1: for v = -8..7 that is -15..15, and 2v is not selected.
    assert Plane(0, (-2, 0, 1, None)).word(IntType(-8, 7)) == IntType(-15, 15)


@pytest.mark.parametrize(
    ("weights", "text", "on_weights"),
    [
        ([-1, 0, 1], "u4", True),
        ([-1, 1], "s8", True),
        ([-2, -1, 1, 2], "u4", True),
        ([-2, -1, 0, 1, 2], "u4", False),
        ([-3, 0, 3], "u4", False),
        ([-1, 0, 1], "u1", False),
    ],
)
def test_up_to_four_small_weights_are_the_digits(weights, text, on_weights):
    plan = DigitDot(np.array([weights]), IntType.parse(text), 1, 1)
    assert plan.on_weights is on_weights


def test_four_bit_weights_are_stored_as_they_are():
    plan = DigitDot(np.array([[-7, 7, -1, 0]]), IntType.parse("u4"), 1, 2)
    assert plan.code_width == 4
    assert plan.codes.tolist() == [[9, 7, 15, 0]]


def test_ternary_weights_take_two_bits():
    plan = DigitDot(np.array([[-1, 0, 1]]), IntType.parse("u4"), 1, 1)
    assert (plan.code_width, plan.codes.tolist()) == (2, [[0, 1, 2]])
    assert plan.corrections.tolist() == [1]
