import numpy as np
import pytest

from cores.linear_fit import fit
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
    reached = [lines.slopes[1] * x + lines.offsets[1] >> lines.shift for x in range(10)]
    assert max(reached) == 1
