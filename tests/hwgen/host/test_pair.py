from fractions import Fraction

import numpy as np
import pytest

from hwgen.host.pair import Pair, round_to_integer
from hwgen.numerics.exact import ROUNDINGS


def exact(x: Pair) -> list[Fraction]:
    return [
        Fraction(h) + Fraction(low) for h, low in zip(x.hi.tolist(), x.lo.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    "apply",
    [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b],
    ids=["add", "sub", "mul", "div"],
)
def test_arithmetic_is_good_to_100_bits(apply):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 500)) * 2.0 ** rng.integers(-20, 20, (2, 500))
    c = rng.normal(size=500) * 2.0**-54
    x, y = Pair.of(a) + Pair.of(a * c), Pair.of(b)
    for left, right, found in zip(exact(x), exact(y), exact(apply(x, y)), strict=True):
        wanted = apply(left, right)
        size = max(abs(left), abs(right), abs(wanted)) if wanted else 1
        assert abs(found - wanted) <= size * Fraction(1, 2**100)


def test_integers_beyond_float64_keep_their_low_part():
    n = 2**60 + 3
    x = Pair.of(np.array([n], np.int64))
    assert exact(x) == [n]


# Ties and neighbours, FACTS table: 0.5, 1.5, -0.5, -1.5, then just above 0.5 and just below -0.5.
ROUNDED = {
    "HALF_EVEN": [0, 2, 0, -2, 1, -1],
    "HALF_UP": [1, 2, -1, -2, 1, -1],
    "HALF_DOWN": [0, 1, 0, -1, 1, -1],
    "HALF_CEIL": [1, 2, 0, -1, 1, -1],
    "CEIL": [1, 2, 0, -1, 1, 0],
    "FLOOR": [0, 1, -1, -2, 0, -1],
    "UP": [1, 2, -1, -2, 1, -1],
    "DOWN": [0, 1, 0, -1, 0, 0],
}


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rounding_sees_both_parts(rounding):
    hi = np.array([0.5, 1.5, -0.5, -1.5, 0.5, -0.5])
    lo = np.array([0, 0, 0, 0, 2.0**-80, -(2.0**-80)])
    assert round_to_integer(Pair(hi, lo), rounding).tolist() == ROUNDED[rounding]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_hair_beside_an_integer_is_not_the_integer(rounding):
    near = Pair(np.array([2.0, 2.0, -2.0]), np.array([2.0**-70, -(2.0**-70), -(2.0**-70)]))
    wanted = {"CEIL": [3, 2, -2], "FLOOR": [2, 1, -3], "UP": [3, 2, -3], "DOWN": [2, 1, -2]}
    assert round_to_integer(near, rounding).tolist() == wanted.get(rounding, [2, 2, -2])


def test_an_unknown_rounding_is_refused():
    modes = "HALF_EVEN, HALF_UP, HALF_DOWN, HALF_CEIL, CEIL, FLOOR, UP or DOWN"
    with pytest.raises(ValueError, match=f"^rounding must be {modes}, not 'NEAREST'$"):
        round_to_integer(Pair.of(np.zeros(1)), "NEAREST")


def test_float32_rounds_once():
    # 1 + 2^-24 is the middle between two float32; the low part decides.
    middle = 1.0 + 2.0**-24
    x = Pair(np.full(3, middle), np.array([0.0, 2.0**-80, -(2.0**-80)]))
    above = np.float32(1.0 + 2.0**-23)
    assert x.float32().tolist() == [1.0, above, 1.0]
    # 1 + 3 * 2^-24 is the next middle: its even neighbour is above.
    x = Pair(np.full(2, 1.0 + 3 * 2.0**-24), np.array([0.0, -(2.0**-80)]))
    assert x.float32().tolist() == [np.float32(1.0 + 2.0**-22), above]
