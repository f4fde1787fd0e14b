from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from hwgen.analysis.sums import OpenSum, reduced, simplest
from hwgen.integer.op import IntTensor


def total(factors, *ends: tuple[int, int]) -> OpenSum:
    kinds = [IntTensor((1,), np.array([lo]), np.array([hi])) for lo, hi in ends]
    return OpenSum((kinds[0], kinds[1]), np.array(factors).reshape(2, 1))


def count(starts, value: int) -> int:
    return sum(start <= value for start in starts)


@pytest.mark.parametrize("seed", range(60))
def test_the_new_steps_are_right_for_every_pair(seed):
    rng = np.random.default_rng(seed)
    f1, f2 = (int(f) for f in rng.integers(1, 1 << int(rng.integers(1, 30)), 2))
    f2 = f2 if rng.random() < 0.7 else -f2
    ends = []
    for _ in range(2):
        lo = int(rng.integers(-20, 20))
        ends.append((lo, lo + int(rng.integers(0, 25))))
    sums = [f1 * a + f2 * b for a, b in product(*(range(lo, hi + 1) for lo, hi in ends))]
    low, high = min(sums), max(sums)
    tops = min(8, high - low)
    starts = sorted({int(s) for s in rng.integers(low + 1, high + 1, tops)}) if tops else []
    factors, (found,) = reduced(total((f1, f2), *ends), [starts])
    a, b = factors[:, 0].tolist()
    for n1, n2 in product(*(range(lo, hi + 1) for lo, hi in ends)):
        assert count(found, a * n1 + b * n2) == count(starts, f1 * n1 + f2 * n2)
    assert found == sorted(found)
    assert a <= max(f1, 1) and abs(b) <= max(abs(f2), 1)


def test_no_smaller_factors_do():
    # 7 n1 + 5 n2 over 0..3: found (3, 2), and neither (1, 1) nor (2, 1) orders the pairs so
    starts = [7, 10, 12, 14, 15, 17, 19, 21, 22, 24, 26, 29, 31]
    factors, _ = reduced(total((7, 5), (0, 3), (0, 3)), [starts])
    pairs = list(product(range(4), repeat=2))
    levels = [count(starts, 7 * m + 5 * n) for m, n in pairs]

    def works(a: int, b: int) -> bool:
        values = [a * m + b * n for m, n in pairs]
        return all(
            (levels[i] < levels[j]) <= (values[i] < values[j])
            for i, j in product(range(16), repeat=2)
        )

    smallest = min((a + b, a, b) for a in range(1, 8) for b in range(1, 8) if works(a, b))
    assert factors[:, 0].tolist() == [*smallest[1:]]


def test_channels_with_the_same_factors_keep_equal_ones():
    kind = IntTensor((2,), np.array([0, 0]), np.array([15, 15]))
    both = OpenSum((kind, kind), np.array([[999, 999], [1000, 1000]]))
    factors, _ = reduced(both, [[15000], list(range(1000, 30000, 1000))])
    assert factors[0, 0] == factors[0, 1] and factors[1, 0] == factors[1, 1]


@pytest.mark.parametrize("seed", range(40))
def test_the_simplest_fraction_of_an_interval(seed):
    rng = np.random.default_rng(seed)
    f1, f2 = (int(f) for f in rng.integers(1, 1 << int(rng.integers(1, 20)), 2))
    ratio, width = Fraction(f1, f2), Fraction(1, int(rng.integers(2, 5000)))
    low, high = ratio - width * f1 / f2, ratio + width

    def inside(a: int, b: int) -> bool:
        return low * b < a < high * b

    a, b = simplest(f1, f2, inside)
    assert inside(a, b)
    assert not any(inside(low * q // 1 + 1, q) for q in range(1, min(b, 300)))


def test_two_wide_inputs_are_refused():
    with pytest.raises(ValueError, match=r"^one input must have at most 4096 integers, not 5001$"):
        reduced(total((3, 2), (0, 5000), (0, 5000)), [[7]])
