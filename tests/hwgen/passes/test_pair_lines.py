from fractions import Fraction

import numpy as np
import pytest

from cores.steps.linear_fit import fit
from cores.types import IntType
from hwgen.analysis.sums import OpenSum, reduced
from hwgen.integer.joins import IntAdd
from hwgen.integer.op import IntTensor
from hwgen.integer.steps import IntStep
from hwgen.passes.pair_lines import fit_pairs, simplest_between


def kind(*ends: tuple[int, int]) -> IntTensor:
    lo, hi = np.array(ends).T
    return IntTensor((1, 1, len(ends)), lo, hi)


def rounded_sum(
    kinds: tuple[IntTensor, IntTensor], factors: tuple[int, int], every: int
) -> tuple[IntAdd, IntStep]:
    """round((f1 * n + f2 * q) / every), clamped to 8 bits, as an analysis gives it."""
    channels = len(kinds[0].lo)
    full = np.repeat(np.array(factors)[:, None], channels, axis=1)
    starts = [(2 * level - 1) * every // 2 + 1 for level in range(-127, 128)]
    small, moved = reduced(OpenSum(kinds, full), [starts] * channels)
    add = IntAdd(small, np.zeros(channels, np.int64))
    values = np.tile(np.arange(-128, 128), (channels, 1))
    return add, IntStep(np.array(moved), values)


def results(kinds, add: IntAdd, step: IntStep, c: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of a channel and what the steps make of their sums."""
    ends = [np.arange(int(each.lo[c]), int(each.hi[c]) + 1) for each in kinds]
    n, q = (axis.ravel() for axis in np.meshgrid(*ends))
    sums = add.factors[0, c] * n + add.factors[1, c] * q + add.offset[c]
    return n, q, step.values[c][np.searchsorted(step.starts[c], sums, side="right")]


S8 = IntType(-128, 127)
SCALES = [((1_000_003, 2_643_121), 2_400_001), ((700_001, -390_107), 950_123)]
BYTES = kind((-128, 127), (-90, 127)), kind((-128, 127), (0, 127))
FEW = kind((0, 63), (0, 63)), kind((-32, 31), (-32, 5))


@pytest.mark.parametrize(
    ("factors", "every", "kinds"),
    [
        (*SCALES[0], BYTES),
        (*SCALES[1], BYTES),
        ((707_100, 1_131_301), 900_000, FEW),  # of few pairs the ratio in the graph is coarse
    ],
)
def test_lines_equal_the_steps_for_all_pairs(factors, every, kinds):
    add, step = rounded_sum(kinds, factors, every)
    found = fit_pairs(kinds, add, step, out=S8, most=32_000)
    assert found is not None
    others, lines = found
    for c in range(2):
        n, q, wanted = results(kinds, add, step, c)
        total = lines.slopes[c] * (others[0, c] * n + others[1, c] * q) + lines.offsets[c]
        assert (np.clip(total >> lines.shift, -128, 127) == wanted).all()


def test_the_factors_of_the_graph_may_have_no_line():
    kinds = kind((-128, 127)), kind((-128, 127))
    add, step = rounded_sum(kinds, *SCALES[0])
    reach = int(np.abs(add.factors).sum()) * 128
    assert fit(IntType(-reach, reach), step.starts, step.values) is None
    assert fit_pairs(kinds, add, step, out=S8, most=int(np.abs(add.factors).max())) is None


def test_steps_that_fall_are_a_line_of_the_negative_sum():
    kinds = kind((0, 9)), kind((0, 9))
    add = IntAdd(np.array([[2], [3]]), np.array([4]))
    step = IntStep(np.array([[14, 24, 34]]), np.array([[3, 2, 1, 0]]))
    found = fit_pairs(kinds, add, step, out=IntType(0, 3), most=100)
    assert found is not None
    factors, lines = found
    assert (factors < 0).all() and min(lines.slopes) > 0
    n, q, wanted = results(kinds, add, step, 0)
    total = lines.slopes[0] * (factors[0, 0] * n + factors[1, 0] * q) + lines.offsets[0]
    assert (np.clip(total >> lines.shift, 0, 3) == wanted).all()


def test_the_simplest_fraction_between_two():
    assert simplest_between(Fraction(0), None) == 1
    assert simplest_between(Fraction(3), None) == 4
    assert simplest_between(Fraction(1, 3), Fraction(1, 2)) == Fraction(2, 5)
    assert simplest_between(Fraction(314, 100), Fraction(315, 100)) == Fraction(22, 7)


def test_bent_steps_have_no_line():
    kinds = kind((0, 20)), kind((0, 20))
    step = IntStep(np.array([[3, 5, 30]]), np.array([[0, 1, 2, 3]]))
    add = IntAdd(np.array([[1], [1]]), np.array([0]))
    assert fit_pairs(kinds, add, step, out=IntType(0, 3), most=200) is None
