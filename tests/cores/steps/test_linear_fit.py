from fractions import Fraction

import numpy as np
import pytest

from cores.steps.linear_fit import fit, fit_even, fit_shift, reached
from cores.types import IntType


def steps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and values of a function given everywhere."""
    changes = np.flatnonzero(np.diff(y)) + 1
    return x[changes][None], np.concatenate([y[:1], y[changes]])[None]


@pytest.mark.parametrize("seed", range(30))
def test_a_line_equals_rounded_scaling_everywhere(seed):
    rng = np.random.default_rng(seed)
    dtype = IntType(int(rng.integers(-40_000, 0)), int(rng.integers(1, 40_000)))
    x = np.arange(dtype.lo, dtype.hi + 1)
    scale = rng.uniform(0.3, 900) * rng.choice([-1, 1])
    y = np.clip(np.floor((x + rng.uniform(-500, 500)) / scale), -128, 127).astype(np.int64)
    lines = fit(dtype, *steps(x, y))
    assert lines is not None
    found = (lines.slopes[0] * x + lines.offsets[0]) >> lines.shift
    assert (np.clip(found, y.min(), y.max()) == y).all()


def test_by_hand():
    # Level k starts at 3k: 3/8 of x does that with an offset, and neither 1/2 nor 1/4.
    lines = fit(IntType(0, 8), np.array([[3, 6]]), np.array([[0, 1, 2]]))
    assert lines is not None
    found = [lines.slopes[0] * x + lines.offsets[0] >> lines.shift for x in range(9)]
    assert [min(2, max(0, level)) for level in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert lines.shift == 3


def test_channels_share_the_shift():
    starts = np.array([[3, 6], [4, 8]])
    lines = fit(IntType(0, 8), starts, np.array([[0, 1, 2], [0, 1, 2]]))
    assert lines is not None
    for slope, offset, row in zip(lines.slopes, lines.offsets, starts, strict=True):
        for x in range(9):
            level = min(2, max(0, slope * x + offset >> lines.shift))
            assert level == np.searchsorted(row, x, side="right")


@pytest.mark.parametrize(
    ("starts", "values"),
    [
        ([[2, 4]], [[0, 1, 0]]),  # up and down
        ([[1, 2, 9]], [[0, 1, 2, 3]]),  # bent
        ([[4, 6], [2, 9]], [[0, 1, 2], [0, 0, 7]]),  # one channel leaps in the middle of the range
    ],
)
def test_what_is_no_line_is_none(starts, values):
    assert fit(IntType(0, 15), np.array(starts), np.array(values)) is None


def test_a_channel_that_ends_below_the_common_range_is_followed_to_its_end():
    # The second channel never gets beyond 1: the line must not either.
    starts, values = np.array([[3, 6], [7, 99]]), np.array([[0, 1, 2], [0, 1, 1]])
    lines = fit(IntType(0, 9), starts, values)
    assert lines is not None
    levels = [lines.slopes[1] * x + lines.offsets[1] >> lines.shift for x in range(10)]
    assert max(levels) == 1


def test_a_channel_is_followed_within_its_own_range():
    # Beyond 8, where the second channel never comes, its line may go on.
    starts, values = np.array([[3, 6, 9], [3, 6, 99]]), np.array([[0, 1, 2, 3]] * 2)
    ranges = [IntType(0, 40), IntType(0, 8)]
    assert fit(ranges[0], starts, values) is None
    lines = fit(ranges, starts, values)
    assert lines is not None
    levels = [lines.slopes[1] * x + lines.offsets[1] >> lines.shift for x in range(9)]
    assert [max(0, level) for level in levels] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert reached(ranges, starts, values) == IntType(0, 3)


@pytest.mark.parametrize("divisor", [2, 6, 64, 100, 120, -4, -120])
def test_means_with_ties_to_even_are_a_line_with_ties(divisor):
    dtype = IntType(-128 * abs(divisor), 127 * abs(divisor))
    x = np.arange(dtype.lo, dtype.hi + 1)
    y = np.array([round(Fraction(n, divisor)) for n in x.tolist()]).clip(-100, 127)
    assert fit(dtype, *steps(x, y)) is None
    lines = fit_even(dtype, *steps(x, y))
    assert lines is not None and lines.late.bit_count() == 1
    total = lines.slopes[0] * x + lines.offsets[0]
    found = total >> lines.shift
    found -= (found % 2 == 1) & (total % 2**lines.shift < lines.late)
    assert (np.clip(found, -100, 127) == y).all()


def test_ties_of_all_channels_are_told_by_the_same_bits():
    # Rounded to even: x / 4, x / 8 with the range of 0..15, and 2 always.
    starts = np.array([[3, 6, 11, 14], [5, 12, 99, 99], [-9, -9, 99, 99]])
    lines = fit_even(IntType(0, 15), starts, np.array([[0, 1, 2, 3, 4]] * 3))
    assert lines is not None
    for slope, offset, row in zip(lines.slopes, lines.offsets, starts, strict=True):
        for x in range(16):
            level, rest = divmod(slope * x + offset, 2**lines.shift)
            level -= level % 2 == 1 and rest < lines.late
            assert min(4, max(0, level)) == np.searchsorted(row, x, side="right")


def test_no_ties_are_found_where_odd_levels_begin_anywhere():
    starts, values = np.array([[3, 6, 12, 14]]), np.arange(5)[None]
    assert fit_even(IntType(0, 15), starts, values) is None


@pytest.mark.parametrize("values", [(0, 1), (1, 0), (-1, 1)])
def test_one_step_is_a_line(values):
    lines = fit(IntType(0, 9), np.array([[4]]), np.array([values]))
    assert lines is not None
    level = [lines.slopes[0] * x + lines.offsets[0] >> lines.shift for x in range(10)]
    assert np.clip(level, min(values), max(values)).tolist() == [values[0]] * 4 + [values[1]] * 6


def test_a_line_over_many_integers_may_need_a_large_shift():
    dtype = IntType(-4_400_000, 4_400_000)
    x = np.arange(dtype.lo, dtype.hi + 1)
    y = ((x * 10_000_019 + 74_062_962_963) // 246_876_543_211).clip(-90, 90)
    lines = fit(dtype, *steps(x, y))
    assert lines is not None and lines.shift > 36
    assert ((lines.slopes[0] * x + lines.offsets[0] >> lines.shift).clip(-90, 90) == y).all()


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_a_shift_equals_rounding_everywhere(seed, even):
    rng = np.random.default_rng(seed)
    shift = int(rng.integers(1, 6))
    dtype = IntType(int(rng.integers(-4000, -500)), int(rng.integers(500, 4000)))
    x = np.arange(dtype.lo, dtype.hi + 1)
    real = (x + int(rng.integers(-99, 100))) / 2.0**shift
    rounded = np.rint(real) if even else np.floor(real + 0.5)
    y = np.clip(rounded, -9, 7).astype(np.int64)
    lines = fit_shift(dtype, *steps(x, y))
    assert lines is not None
    assert (lines.slopes, lines.shift, lines.late) == ((1,), shift, even)
    total = x + lines.offsets[0]
    found = total >> shift
    if even:
        found -= (found % 2 == 1) & (total % 2**shift == 0)
    assert (np.clip(found, -9, 7) == y).all()


def test_a_shift_by_hand():
    # x / 4 to the nearest: ties up begin 1, 2, 3 at 2, 6, 10; to even, at 3, 6, 11.
    values = np.arange(4)[None]
    up = fit_shift(IntType(0, 14), np.array([[2, 6, 10]]), values)
    even = fit_shift(IntType(0, 14), np.array([[3, 6, 11]]), values)
    assert up is not None and (up.offsets, up.shift, up.late) == ((2,), 2, 0)
    assert even is not None and (even.offsets, even.shift, even.late) == ((2,), 2, 1)


@pytest.mark.parametrize(
    ("starts", "values"),
    [
        ([[2, 7, 10]], [[0, 1, 2, 3]]),  # 5 and 3 apart
        ([[3, 6, 9]], [[0, 1, 2, 3]]),  # 3 apart
        ([[2, 6, 10]], [[3, 2, 1, 0]]),
        ([[2, 6, 10]], [[0, 2, 4, 6]]),
        ([[2, 6, 10], [1, 3, 5]], [[0, 1, 2, 3]] * 2),  # a power of each channel's own
    ],
)
def test_finds_no_shift_where_there_is_none(starts, values):
    assert fit_shift(IntType(0, 14), np.array(starts), np.array(values)) is None
