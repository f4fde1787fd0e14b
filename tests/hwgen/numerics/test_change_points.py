"""Pieces of tails: against enumeration with exact arithmetic, and worked by hand."""

from fractions import Fraction

import numpy as np
import pytest

from hwgen.errors import ModelError
from hwgen.numerics.change_points import MAX_PIECES, change_points
from hwgen.numerics.exact import HALF, ONE, ROUNDINGS, ZERO, Real
from hwgen.numerics.tail import Apply, Const, Expr, Quantise, StepCount, Var, evaluate, reals

N = Var()
R = Real.of


def call(fn: str, *args: Expr | int | float | Real | np.ndarray) -> Apply:
    def expr(arg):
        if isinstance(arg, np.ndarray):
            return Const(arg if arg.dtype == object else reals(arg))
        return Const(R(arg)) if isinstance(arg, (int, float, Real)) else arg

    return Apply(fn, tuple(map(expr, args)))


def quant(arg: Expr, scale=1.0, lo: int | None = 0, hi: int | None = 15, **options) -> Quantise:
    zero_point = R(options.pop("zero_point", 0))
    scale = reals(scale) if isinstance(scale, np.ndarray) else R(scale)
    return Quantise(arg, scale, zero_point, lo, hi, **options)


def assert_equals_enumeration(expr: Expr, lo: int, hi: int, channels: int = 1):
    found = change_points(expr, np.full(channels, lo), np.full(channels, hi))
    assert len(found) == channels
    for channel, pieces in enumerate(found):
        expected = [evaluate(expr, n, channel) for n in range(lo, hi + 1)]
        starts = [lo + k for k in range(1, len(expected)) if expected[k] != expected[k - 1]]
        assert pieces.starts == starts
        assert pieces.values == [expected[0]] + [expected[n - lo] for n in starts]


def test_half_even_by_hand():
    """n/2 rounded half to even: -3, -1, 1, 3 are ties and go to -2, 0, 0, 2."""
    [pieces] = change_points(quant(call("div", N, 2), lo=-2, hi=2), np.array([-9]), np.array([9]))
    assert pieces.starts == [-2, -1, 2, 3]
    assert pieces.values == [-2, -1, 0, 1, 2]


def test_batchnorm_by_hand():
    """(n - 1) / sqrt(2) reaches 1/2, 3/2, 5/2 at n - 1 = 0.71, 2.12, 3.54."""
    [pieces] = change_points(
        quant(call("div", call("sub", N, 1), R(2).sqrt()), lo=0, hi=3),
        np.array([-50]),
        np.array([50]),
    )
    assert pieces.starts == [2, 4, 5]
    assert pieces.values == [0, 1, 2, 3]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("divisor", [4, -4, 3, -0.75])
def test_every_rounding_at_ties_and_between(rounding, divisor):
    ties = Fraction(1, 2) in {Fraction(n) / Fraction(divisor) % 1 for n in range(-40, 41)}
    assert ties == (abs(divisor) == 4)
    expr = quant(call("div", N, divisor), lo=-6, hi=5, rounding=rounding)
    assert_equals_enumeration(expr, -40, 40)


@pytest.mark.parametrize("round_first", [False, True])
@pytest.mark.parametrize("zero_point", [0, 1, 2, -3])
def test_zero_points_at_ties(zero_point, round_first):
    expr = quant(call("div", N, 2), 0.5, -4, 4, zero_point=zero_point, round_first=round_first)
    assert_equals_enumeration(expr, -20, 20)
    expr = quant(call("div", N, 4), 0.5, -4, 4, zero_point=zero_point, round_first=round_first)
    assert_equals_enumeration(expr, -20, 20)


def test_round_first_matters_when_the_zero_point_is_odd():
    """x/s = 1/2 with z = 1: round to 0 and add gives 1, round 3/2 gives 2 (FACTS' example)."""
    half = call("div", N, 2)
    first = quant(half, lo=0, hi=9, zero_point=1, round_first=True)
    after = quant(half, lo=0, hi=9, zero_point=1, round_first=False)
    one = np.array([1])
    assert change_points(first, one, one)[0].values == [0]
    assert change_points(after, one, one)[0].values == [1]


def test_bipolar_quantiser_takes_zero_up():
    expr = Quantise(N, R(2), HALF, 0, 1, "HALF_CEIL")
    [pieces] = change_points(expr, np.array([-3]), np.array([3]))
    assert (pieces.starts, pieces.values) == ([0], [-1, 1])


def test_batchnorm_relu_quant_with_random_constants():
    rng = np.random.default_rng(1)
    channels = 12
    gamma, beta, mean, var = (
        rng.normal(size=(4, channels)) * [[1], [1], [40], [1]] + [[0], [0.5], [0], [0]]
    ).astype(np.float32)
    var = np.abs(var) * 300
    gamma[3] = 0.0
    scale = np.where(rng.random(channels) < 0.3, -1, 1) * rng.uniform(0.05, 0.6, channels)
    deviation = Apply("sqrt", (call("add", var, np.float32(1e-5).item()),))
    normal = call("div", call("sub", call("mul", N, np.float32(0.173).item()), mean), deviation)
    affine = call("add", call("mul", normal, gamma), beta)
    assert_equals_enumeration(quant(call("relu", affine), 0.25, 0, 7), -900, 900, channels)
    expr = quant(affine, scale.astype(np.float32), -8, 7, rounding="FLOOR", zero_point=3)
    assert_equals_enumeration(expr, -900, 900, channels)


def test_ties_of_a_power_of_two_scale():
    """Every fourth n is a tie of n/8 at scale 1/2."""
    expr = quant(call("relu", call("mul", N, 0.125)), 0.5, 0, 15)
    assert_equals_enumeration(expr, -100, 100)


def test_ties_at_the_mean_of_an_irrational_deviation():
    """n = mean gives beta = 3/2 whatever the deviation is: a tie, rounded to 2."""
    deviation = call("sqrt", np.array([2.0, 3.0]))
    normal = call("add", call("mul", call("div", call("sub", N, 7), deviation), 0.1), 1.5)
    assert_equals_enumeration(quant(normal, lo=0, hi=3), -50, 50, 2)
    [pieces, _] = change_points(quant(normal), np.array([7, 7]), np.array([7, 7]))
    assert pieces.values == [2]


GELU = call("mul", call("mul", N, 0.125), call("add", call("erf", call("mul", N, 0.088)), 1))
SILU = call("mul", call("mul", N, 0.125), call("sigmoid", call("mul", N, 0.125)))


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(call("abs", call("sub", N, 3)), id="abs"),
        pytest.param(call("pow", call("mul", N, 0.25), 2), id="square"),
        pytest.param(call("mul", call("mul", N, 0.125), call("sub", N, 9)), id="parabola"),
        pytest.param(GELU, id="gelu"),
        pytest.param(SILU, id="silu"),
        pytest.param(call("mul", call("sigmoid", call("mul", N, 0.1)), 12), id="sigmoid"),
        pytest.param(call("mul", call("tanh", call("mul", N, 0.05)), 6), id="tanh"),
        pytest.param(call("min", call("max", call("mul", N, 0.3), -2), 3.4), id="clip"),
        pytest.param(call("add", call("sign", call("sub", N, 5)), 2), id="sign"),
        pytest.param(call("softplus", call("mul", N, 0.05)), id="softplus"),
        pytest.param(call("exp", call("mul", N, 0.02)), id="exp"),
        pytest.param(call("reciprocal", call("add", call("abs", N), 0.25)), id="reciprocal"),
        pytest.param(call("log", call("add", call("abs", N), 1)), id="log"),
        pytest.param(call("pow", call("abs", N), 0.5), id="root"),
        pytest.param(call("pow", call("mul", N, 0.1), 3), id="cube"),
        pytest.param(call("neg", call("max", N, call("mul", N, 0.25))), id="negated leaky relu"),
    ],
)
def test_tails_of_any_shape(tail):
    assert_equals_enumeration(quant(tail, 0.5, -5, 7), -150, 150)
    assert_equals_enumeration(quant(tail, -0.3, -5, 7, rounding="FLOOR"), -150, 150)


def test_quantiser_after_quantiser():
    """Trunc: recover the integer, then floor a quarter of it."""
    inner = quant(call("mul", N, 0.3), 0.3, 0, 255)
    outer = quant(call("div", inner, R(0.3) * 4), lo=0, hi=None, rounding="FLOOR")
    assert_equals_enumeration(outer, -20, 300)
    assert_equals_enumeration(call("mul", call("relu", inner), inner), -20, 40)
    gate = quant(call("sigmoid", call("mul", N, 0.2)), 0.125, 0, 8)
    assert_equals_enumeration(quant(call("mul", inner, gate), 0.5, 0, 15), -60, 90)


def test_several_quantisers_in_one_tail():
    """0.3 n at scale 0.6 has ties at odd n that float64 cannot decide: 1 and -1 next to 0."""
    coarse = quant(call("div", N, 4), lo=-8, hi=7)
    ties = quant(call("mul", N, 0.3), 0.6, -8, 7, rounding="HALF_UP")
    assert_equals_enumeration(call("add", coarse, ties), -40, 40)
    assert_equals_enumeration(call("add", ties, coarse), -40, 40)
    assert_equals_enumeration(call("mul", ties, call("sub", ties, coarse)), -40, 40)


def test_neighbours_of_equal_value_are_one_piece():
    """relu is 0 below and at 3; each of two branches gives it."""
    expr = call("relu", call("sub", quant(N, lo=0, hi=7), 3))
    [pieces] = change_points(expr, np.array([-20]), np.array([20]))
    assert (pieces.starts, pieces.values) == ([4, 5, 6, 7], [0, 1, 2, 3, 4])


def test_thresholds_unsorted_and_equal_to_values():
    table = reals(np.array([[3.0, -1.0, 0.5], [2.0, 2.0, 2.5]]))
    expr = StepCount(call("mul", N, 0.5), table, R(2), R(-1))
    assert_equals_enumeration(expr, -9, 9, 2)
    [first, _] = change_points(expr, np.array([-9, -9]), np.array([9, 9]))
    assert (first.starts, first.values) == ([-2, 1, 6], [-1, 1, 3, 5])


def test_many_thresholds_on_a_huge_range():
    rng = np.random.default_rng(2)
    table = np.sort(rng.integers(-(2**40), 2**40, (2, 255)), axis=1)
    expr = StepCount(N, reals(table), ONE, ZERO)
    for row, pieces in zip(
        table, change_points(expr, np.full(2, -(2**41)), np.full(2, 2**41)), strict=True
    ):
        assert pieces.starts == row.tolist()
        assert pieces.values == list(range(256))


def test_each_channel_has_its_own_range():
    shared = quant(call("div", N, 4), lo=-8, hi=7)
    own = quant(call("div", N, np.array([4.0, 4.0, 4.0])), lo=-8, hi=7)
    lo, hi = np.array([-9, 3, 0]), np.array([1, 30, 0])
    for a, b in zip(change_points(shared, lo, hi), change_points(own, lo, hi), strict=True):
        assert (a.starts, a.values) == (b.starts, b.values)


def test_unquantised_function_of_a_short_range_is_a_table():
    [pieces] = change_points(call("sigmoid", N), np.array([-2]), np.array([2]))
    assert pieces.starts == [-1, 0, 1, 2]
    assert pieces.values[2] == Fraction(1, 2)


@pytest.mark.parametrize("tail", [call("sigmoid", N), quant(N, lo=None, hi=None)])
def test_rejects_more_pieces_than_the_limit(tail):
    with pytest.raises(
        ModelError,
        match=rf"^the function must have at most {MAX_PIECES} pieces on the integers "
        r"-2147483648\.\.2147483647; end it with a quantiser$",
    ):
        change_points(tail, np.array([-(2**31)]), np.array([2**31 - 1]))


def test_rejects_ranges_beyond_float64():
    message = r"^each range must be lo <= hi, within \+- 2\^52, not 0\.\.4503599627370497$"
    with pytest.raises(ValueError, match=message):
        change_points(quant(N), np.array([0]), np.array([2**52 + 1]))
