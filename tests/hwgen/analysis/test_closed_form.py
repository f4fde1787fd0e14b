from fractions import Fraction

import numpy as np
import pytest

from hwgen.analysis.closed_form import crossing, quantiser_steps
from hwgen.integer.op import IntTensor
from hwgen.numerics.change_points import change_points
from hwgen.numerics.exact import ROUNDINGS, Real
from hwgen.numerics.tail import Apply, Const, Expr, Quantise, Var, reals


def number(rng: np.random.Generator, channels: int):
    """One number or one per channel; often of few bits, so that quotients tie."""
    kind = rng.integers(4)
    shape = (channels,) if rng.random() < 0.4 else ()
    values = rng.integers(1, 9, shape) / 4.0 if kind < 2 else rng.uniform(0.01, 3, shape)
    if kind == 3:
        values = np.float32(values).astype(float)
    found = reals(values)
    return found if shape else found.item()


def chain(rng: np.random.Generator, channels: int) -> Expr:
    tree: Expr = Var()
    for _ in range(int(rng.integers(0, 6))):
        fn = str(rng.choice(["add", "sub", "mul", "div", "min", "max", "relu", "neg"]))
        if fn in ("relu", "neg"):
            tree = Apply(fn, (tree,))
            continue
        args = (tree, Const(number(rng, channels)))
        swap = fn in ("add", "mul", "min", "max") and rng.random() < 0.5
        tree = Apply(fn, args[::-1] if swap else args)
    if rng.random() < 0.2:  # as a BatchNorm: a factor that is a square root
        tree = Apply("mul", (tree, Const(Real.of(int(rng.integers(2, 6))).sqrt())))
    return tree


@pytest.mark.parametrize("seed", range(150))
def test_the_steps_are_those_that_the_search_finds(seed):
    rng = np.random.default_rng(seed)
    channels = 3
    round_first = bool(rng.integers(2))
    zero_point = Real.of(int(rng.integers(-3, 4)))
    if not round_first and rng.random() < 0.3:
        zero_point = Real.of(0.5)
    scale = number(rng, channels)
    scale = -scale if rng.random() < 0.2 else scale
    lo = int(rng.integers(-9, 3))
    tree = Quantise(
        chain(rng, channels),
        scale,
        zero_point,
        lo,
        lo + int(rng.integers(0, 20)),
        str(rng.choice(ROUNDINGS)),
        round_first,
    )
    first = rng.integers(-40, 20, channels)
    x = IntTensor((channels,), first, first + rng.integers(0, 60, channels))
    found = quantiser_steps(tree, x)
    assert found is not None
    for c, (piece, starts, levels) in enumerate(
        zip(change_points(tree, x.lo, x.hi), *found, strict=True)
    ):
        own = scale[c] if isinstance(scale, np.ndarray) else scale
        for n in range(int(x.lo[c]), int(x.hi[c]) + 1):
            level = levels[sum(start <= n for start in starts)]
            assert piece.within(n, n).values == [(level - zero_point) * own], n


def test_channels_with_one_function_have_the_steps_of_all_their_ranges():
    factor = reals([0.5, 0.25, 0.5])
    tree = Quantise(Apply("mul", (Var(), Const(factor))), Real.of(1), Real.of(0), 0, 9, "FLOOR")
    x = IntTensor((3,), np.array([0, 0, 4]), np.array([3, 7, 9]))
    assert quantiser_steps(tree, x) == (
        [[2, 4, 6, 8], [4], [2, 4, 6, 8]],
        [[0, 1, 2, 3, 4], [0, 1], [0, 1, 2, 3, 4]],
    )


def test_ties_that_float64_misses_are_decided_exactly():
    # 0.1 n + 0.7 reaches 1 at n = 3, but (1 - 0.7) / 0.1 > 3 in float64
    factor, shift = (Const(Real.of(Fraction(k, 10))) for k in (1, 7))
    line = Apply("add", (Apply("mul", (Var(), factor)), shift))
    x = IntTensor((1,), np.array([0]), np.array([9]))
    tree = Quantise(line, Real.of(1), Real.of(0), 0, 9, "FLOOR")
    assert quantiser_steps(tree, x) == ([[3]], [[0, 1]])


def test_large_integers_are_decided_exactly():
    third = Const(Real.of(Fraction(1 << 40, 3)))
    scale = Real.of(Fraction(1 << 40, 3) * 2)
    for n, level in ((17, 8), (19, 10)):  # 8.5 and 9.5, to even
        tree = Quantise(Apply("mul", (Var(), third)), scale, Real.of(0), 0, 100)
        x = IntTensor((1,), np.array([n]), np.array([n]))
        assert quantiser_steps(tree, x) == ([[]], [[level]])


@pytest.mark.parametrize(
    "arg",
    [
        Apply("sigmoid", (Var(),)),
        Apply("sub", (Const(Real.of(1)), Var())),
        Apply("mul", (Var(), Const(reals([1.0, -1.0])))),
        Apply("mul", (Var(), Const(Real.of(0)))),
        Apply("mul", (Var(), Var())),
    ],
)
def test_other_functions_are_left_to_the_search(arg):
    x = IntTensor((2,), np.array([0, 0]), np.array([9, 9]))
    assert quantiser_steps(Quantise(arg, Real.of(1), Real.of(0), 0, 3), x) is None


def test_an_unbounded_quantiser_is_left_to_the_search():
    x = IntTensor((1,), np.array([0]), np.array([9]))
    assert quantiser_steps(Quantise(Var(), Real.of(1), Real.of(0), None, 3), x) is None


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_crossing_is_where_the_rounding_reaches_the_next_integer(rounding):
    for k in range(-4, 5):
        at, itself = crossing(rounding, Fraction(k))
        little = Fraction(1, 1000)
        assert (Real.of(at).round(rounding) >= k) == itself
        assert Real.of(at - little).round(rounding) < k <= Real.of(at + little).round(rounding)
